"""What a world left behind, as plain values: the client's side of it and the venue's, each in its own words."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import attrs
import msgspec

from strategykit.registry.table import find_venue
from strategykit.runtime.assembly import Run
from strategykit.runtime.feeds import BookFeed
from strategykit.runtime.order import Order
from strategykit.runtime.report import RunReport
from strategykit.runtime.supervise import Seat
from strategykit.sim.server import SimulatedServer
from strategykit.testing.faults import Fault
from strategykit.testing.world import Meanwhile, Outing, World, run_world
from strategykit.venues.streams import PRIVATE
from tests.chaos.held import name_held, name_wanted

__all__ = ["in_memory", "play"]

DEPTH = 5
"""Levels of a book that are compared."""


_SHARED_MEMORY = Path("/dev/shm")

_LONG = 7.0
"""Seconds after which a command that nothing came of is given up."""


@contextmanager
def in_memory() -> Generator[Path]:
    """Give a folder for tapes and journals that costs no disk where there is such a thing."""
    where = _SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=where, prefix="chaos-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _holds_back(faults: Sequence[Fault]) -> bool:
    """Whether a command can take effect longer after it was sent than anybody can wait for."""
    slow = [fault.network.late for fault in faults if fault.network is not None and fault.network.what == "slow"]
    # It leaves when the disk has it.
    disk = [fault.disk.late for fault in faults if fault.disk is not None and fault.disk.what == "slow"]
    stalls = any((fault.venue or {}).get("fault") == "stall" for fault in faults)
    narrow = any(fault.network is not None and fault.network.what == "narrow" for fault in faults)
    return stalls or narrow or max(slow, default=0.0) + max(disk, default=0.0) >= _LONG


def play(
    world: World, *, symbols: Mapping[str, str], folder: Path | None = None, meanwhile: Meanwhile | None = None
) -> dict[str, Any]:
    """Run a world and give its record, as JSON would give it back.

    Args:
        world: What to run.
        symbols: The venue's names of the instruments, by those of the strategies.
        folder: Where its tapes and journals go.
        meanwhile: Runs beside the run.
    """
    rest: dict[str, Any] = {}
    files, threads = _files(), set(threading.enumerate())
    tape = None if folder is None else folder / "tape"

    def look(run: Run, server: SimulatedServer[Any]) -> None:
        seen = rest.get("books", {})
        rest.update(_at_rest(run, server, symbols))
        for name, book in rest["books"].items():
            book["theirs"] = [*seen.get(name, {"theirs": []})["theirs"], book["theirs"]]

    journal = None if folder is None else folder / "journals"
    outing = run_world(world, tape=tape, journal=journal, at_rest=look, meanwhile=meanwhile)
    left = {
        "sockets": outing.sockets_left,
        "tasks": outing.tasks_left,
        "files": sorted(_files() - files),
        "threads": [thread.name for thread in threading.enumerate() if thread not in threads and _stays(thread)],
    }
    record = {
        "venue": world.venue,
        "paper": world.paper or find_venue(world.venue).dialect({}).commands is None,
        "forgets": any((fault.venue or {}).get("forget_orders") for fault in world.faults),
        "hangs": _holds_back(world.faults),
        "ahead": int(world.venue_ahead * 1e9),
        "kept": world.keep_orders,
        "hurried": world.presses > 1,
        "displaced": any((fault.venue or {}).get("fault") == "displace" for fault in world.faults),
        "symbols": dict(symbols),
        "struck": outing.struck,
        "seconds": outing.seconds,
        "error": "" if outing.error is None else _words(outing.error),
        "unsettled": list(outing.unsettled),
        "left": left,
        "rest": rest,
        "theirs": outing.orders,
        "ours": _ours(outing),
        "tapes": [] if folder is None else sorted(map(str, folder.glob("tape*"))),
        "journal": None if journal is None else str(journal),
        "again": outing.before is not None,
        "taken_over": 0 if outing.before is None else len(outing.before.gateway.orders),
        "began": outing.run is not None and outing.run.ready and any(row.data for row in outing.run.engine.table),
        "secrets": [secret.reveal() for secret in find_venue(world.venue).simulated().values()],
    }
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(record, enc_hook=str))
    return plain


def _stays(thread: threading.Thread) -> bool:
    """Whether it doesn't end by itself. Trio keeps its workers for a while; hosts of other tests welcome who comes."""
    if thread is threading.current_thread() or thread.name.startswith(("Trio thread", "beside")):
        return False
    thread.join(0.5)
    return thread.is_alive()


def _words(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(map(_words, error.exceptions))
    return f"{type(error).__name__}: {error}"


def _files() -> set[str]:
    found = set()
    for fd in Path("/proc/self/fd").iterdir():
        try:
            found.add(str(fd.readlink()))
        except OSError:
            continue
    return {name for name in found if name.startswith("/") and not name.startswith("/proc/")}


def _at_rest(run: Run, server: SimulatedServer[Any], symbols: Mapping[str, str]) -> dict[str, Any]:
    """Look at both sides while nothing moves."""
    market = server.venue.market
    # A venue inside counts lots; some tell of units.
    lots = {name: float(market.instruments[symbol].lot) for name, symbol in symbols.items()}
    units = dict.fromkeys(symbols, 1.0) if server.venue.name in ("alor", "t4") else lots
    seats = [seat for seat in run.supervisor.seats if seat.failure is None]
    feeds = [feed for seat in seats for feed in seat.desk.feeds.values() if isinstance(feed, BookFeed)]
    return {
        "time": run.clock.reading,
        "wanted": [
            {
                "guid": row.guid,
                "stream": row.stream.label,
                "connection": row.connection,
                "state": row.state.value,
                "questioned": row.stream.kind in PRIVATE and run.reconciler.asking,
            }
            | attrs.asdict(name_wanted(server, row))
            for row in run.engine.table
        ],
        "held": [
            {"lane": server.venue.lane(session)} | attrs.asdict(name_held(server, session))
            for session, peer in server.peers.items()
            if not cast("Any", peer.wire)._stream.connection.client.closed  # Else nobody told the venue that it ended.
        ],
        "prints": {
            name: [
                (row.trade_id, row.event_time, row.price, round(row.quantity * units[name], 9))
                for row in market.trades(symbol, 5_000)
            ]
            for name, symbol in symbols.items()
        },
        "books": {
            name: {"ours": [_levels(feed.last, 1.0) for feed in feeds if feed.stream.instrument == name]}
            | {"theirs": _levels(market.book(symbol), units[name])}
            for name, symbol in symbols.items()
        },
        "witnesses": {
            seat.strategy.instrument: seat.strategy.told
            for seat in seats
            if hasattr(seat.strategy, "told") and hasattr(seat.strategy, "instrument")
        },
    }


def _levels(book: Any, unit: float) -> Any:
    if book is None:
        return None
    return [
        [[price, round(size * unit, 9)] for price, size in zip(prices[:DEPTH], sizes[:DEPTH], strict=True)]
        for prices, sizes in ((book.bid_prices, book.bid_sizes), (book.ask_prices, book.ask_sizes))
    ]


def _ours(outing: Outing) -> dict[str, Any]:
    # Where the second of two runs couldn't begin, what the first has left is all there is.
    run, report = outing.run or outing.before, outing.report
    if run is None:
        return {}
    positions: dict[str, dict[str, Decimal]] = {
        seat.name: {symbol: held.quantity for symbol, held in seat.desk.portfolio.positions.items()}
        for seat in run.supervisor.seats
    }
    return {
        "account": run.gateway.account,
        "orders": [_order(order) for order in _orders(outing, run)],
        "positions": positions,
        "books": {seat.name: _book(seat, report) for seat in run.supervisor.seats},
        "strategies": []
        if report is None
        else [{"name": row.name, "error": row.error, "left": list(row.left)} for row in report.strategies],
        "unaccounted": [] if report is None else list(report.unaccounted),
        "notes": [] if report is None else [f"{source}: {words}" for _, source, words in report.notes],
        "alarms": [line for each in (outing.before, run) if each is not None for line in each.kill.alarms.lines],
        "kill": {"reason": run.kill.reason, "proof": run.kill.proof, "flatten": run.kill.flatten},
        "tape_failure": "" if report is None else report.tape_failure,
        "digest": "" if report is None else report.digest,
        "events": 0 if report is None else report.events,
    }


def _book(seat: Seat, report: RunReport | None) -> dict[str, Any]:
    """Give what a strategy has come to: by its own books, and as the report says it."""
    rows = [row for row in (() if report is None else report.strategies) if row.name == seat.name]
    return {
        "cash": seat.desk.portfolio.cash,
        "positions": {
            symbol: {
                "currency": held.instrument.currency,
                "quantity": held.quantity,
                "realised": held.realised,
                "cost": held.cost,
                "fees": held.fees,
            }
            for symbol, held in seat.desk.portfolio.positions.items()
        },
        "report": next(({"realised": row.realised, "fees": row.fees} for row in rows), None),
    }


def _orders(outing: Outing, run: Run) -> list[Order]:
    """Give the orders of both runs, if there were two; one that was handed on, as the second knows it."""
    before = {} if outing.before is None else outing.before.gateway.orders
    return list({**before, **run.gateway.orders}.values())


def _order(order: Order) -> dict[str, Any]:
    return {
        "client_order_id": order.client_order_id,
        "strategy": order.strategy,
        "instrument": order.instrument,
        "side": order.side.value,
        "quantity": order.quantity,
        "state": order.state.value,
        "filled": order.filled_quantity,
        "number": order.venue_order_id,
        "numbers": order.filled_by_number,
        "reason": order.reason,
        "placed": order.placed,
        "cancels": order.cancels,
        "fills": [
            {
                "trade_id": fill.trade_id,
                "number": fill.venue_order_id,
                "quantity": fill.quantity,
                "price": fill.price,
                "side": fill.side.value,
            }
            for fill in order.fills_seen
        ],
    }
