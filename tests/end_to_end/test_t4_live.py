"""T4 live against its simulated half, on real sockets, while it breaks: books agree, and tapes run again equal."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio

from strategykit.config import RunPlan, Session, StrategySpec, VenuePlan
from strategykit.errors import LoginRefused
from strategykit.model.events import Bar, BookDelta, BookSnapshot, ByOrderDelta, ByOrderSnapshot, Event, Gap
from strategykit.net.endpoints import Endpoints, client_tls
from strategykit.net.wire import open_wire
from strategykit.runtime.assembly import Run
from strategykit.runtime.load import load_strategy, make_strategy
from strategykit.runtime.report import RunReport
from strategykit.runtime.run import backtest_tape, rerun_tape, run_session
from strategykit.sim.server_t4 import open_simulated_t4
from strategykit.sim.t4_config import T4User, T4VenueConfig
from strategykit.tape.reader import open_tape
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.t4.dialect import T4

ES = "CME_Eq/ES/XCME_Eq ES (Z26)"
CL = "CME_Ny/CL/XCME_Ny CL (Z26)"
CROSS = StrategySpec(
    name="cross",
    file="sample:cross",
    params={"instrument": ES, "interval": "1s", "fast": 2, "slow": 3, "stop": 0.01},
)
MAKER = StrategySpec(name="maker", file="sample:maker", params={"instrument": CL, "refresh": 0.05, "edge": 1})

HEAD = """\
from decimal import Decimal
import trio
from strategykit import *
from strategykit import Books, OrderRefused, Quotes, Strategy, define

@define
class Own(Strategy):
    instrument: str
    quotes = Quotes("{instrument}")

"""

MOVE = """\
    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        far = Decimal(str(self.quotes.last.bid)) - 100
        order = await self.buy(2, limit=far)
        self.log(f"placed as {order.venue_order_id}")
        for step in range(1, 5):
            while order.request.price != far - step:
                try:
                    await order.amend(limit=far - step, quantity=2 + step)
                except OrderRefused:  # While the lane is down.
                    await trio.sleep(0.02)
            await trio.sleep(0.1)
        self.log(f"moved to {far - order.request.price} below, {order.quantity} lots, as {order.venue_order_id}")
        await order.cancel()
        self.log(f"ended {order.state.value}")
        await trio.sleep_forever()
"""

STOP = """\
    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        ask = Decimal(str(self.quotes.last.ask))
        order = await self.buy(1, stop=ask - 5)  # It is there already: it fires with the next trade.
        await order.filled()
        self.log(f"{order.state.value} as {len(order.filled_by_number)} order, {order.request.stop_price}")
        await trio.sleep_forever()
"""


@attrs.define(eq=False)
class Venue:
    """A venue that runs beside the test."""

    url: str

    def fault(self, fault: str, **fields: Any) -> None:
        httpx.post(f"{self.url}/sim/faults", json={"fault": fault, **fields}, timeout=5).raise_for_status()

    def tokens(self) -> int:
        """How many tokens it has given out: one comes with each login."""
        found: int = httpx.get(f"{self.url}/sim/statistics", timeout=5).json()["tokens"]
        return found

    def told(self) -> dict[str, Any]:
        """What the venue itself knows of orders."""
        found: dict[str, Any] = httpx.get(f"{self.url}/sim/orders", timeout=5).json()
        return found


@contextmanager
def open_venue(**settings: Any) -> Generator[Venue]:
    """Run a venue in a thread; leaving stops it."""
    told: list[Any] = []
    ready = threading.Event()

    async def main() -> None:
        scope = trio.CancelScope()
        with scope:
            async with open_simulated_t4(T4VenueConfig(**{"actions_per_second": 200.0, **settings})) as venue:
                told.extend((venue.url, scope, trio.lowlevel.current_trio_token()))
                ready.set()
                await trio.sleep_forever()

    thread = threading.Thread(target=trio.run, args=(main,), name="venue")
    thread.start()
    try:
        assert ready.wait(10), "the venue didn't start"
        url, scope, token = told
        try:
            yield Venue(url)
        finally:
            token.run_sync_soon(scope.cancel)
    finally:
        thread.join(10)


@pytest.fixture
def venue() -> Generator[Venue]:
    with open_venue() as venue:
        yield venue


@attrs.define(eq=False)
class Folder:
    """Where strategies and tapes are."""

    path: Path

    @property
    def tape(self) -> Path:
        return self.path / "tape"

    def strategy(self, body: str, *, instrument: str = ES) -> StrategySpec:
        file = self.path / "own.py"
        file.write_text(HEAD + body)
        return StrategySpec(name="own", file=str(file), params={"instrument": instrument})

    def run(
        self,
        venue: Venue,
        *strategies: StrategySpec,
        meanwhile: Callable[[Run], Awaitable[None]] | None = None,
        options: dict[str, object] | None = None,
        credentials: dict[str, str] | None = None,
        record: Sequence[Stream] = (),
        interrupts: bool = True,
    ) -> RunReport:
        """Run until `meanwhile` has ended and no order is in doubt, then interrupt; all within a minute.

        A command that got lost with a wire is in doubt for seven seconds; an interrupted run has three.
        """
        where = Endpoints.at(venue.url)
        plan = VenuePlan(name="t4", endpoints=where, account="SIM-1", credentials=credentials or {})
        plan = attrs.evolve(plan, options={**plan.options, **(options or {})})

        async def watch(run: Run) -> None:
            with trio.fail_after(60):
                if meanwhile is not None:
                    await meanwhile(run)
                if interrupts:
                    await until(lambda: not run.gateway.doubtful())
                    os.kill(os.getpid(), signal.SIGINT)
                await trio.sleep_forever()

        session = Session(
            venue=plan, run=RunPlan(duration=None, seed=1, tape=None), strategies=strategies, record=tuple(record)
        )
        return run_session(session, tape=self.tape, meanwhile=watch)

    def wrong(self, result: RunReport, venue: Venue) -> list[str]:
        """All that isn't as it should be after a run."""
        told, found = venue.told(), [*result.unaccounted]
        theirs = {row["venue_order_id"]: row for row in told["orders"]}
        for order in result.orders:
            rows = [theirs.pop(number) for number in order.venue_order_ids]
            if not rows and order.state != "rejected":
                found.append(f"{order.client_order_id} is {order.state}, and the venue doesn't have it")
            found += [
                f"{order}: {row}"
                for row in rows
                if (row["status"], Decimal(row["filled"])) != (order.state, order.filled)
            ]
        found += [f"the venue has {number}, which our books don't" for number in theirs]
        if sum(row.fills for row in result.strategies) != len(told["fills"]):
            found.append(f"{len(told['fills'])} fills for the venue")
        held = {
            row["instrument"]: Decimal(row["quantity"])
            for row in told["positions"]
            if row["account"] == "SIM-1" and not row["is_currency"]
        }
        for seat in result.strategies:
            for name, quantity in seat.positions.items():
                if held.get(name.rpartition("/")[2], Decimal(0)) != quantity:
                    found.append(f"{quantity} of {name} for {seat.name}, of {held} for the venue")
        again = rerun_tape(self.tape)
        if not (again.ok and again.digest_equal):
            found.append(f"re-run: {again.differences[:1]}, digest {again.digest_equal}")
        return found


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


async def until(done: Callable[[], bool]) -> None:
    """Wait for something that only shows by looking."""
    while not done():  # noqa: ASYNC110 - a run tells nobody of its insides
        await trio.sleep(0.005)


async def settled(run: Run) -> None:
    """Wait until all wires are open and all streams have said something."""

    def is_settled() -> bool:
        rows = [row.state.value in ("active", "stale") for row in run.engine.table]
        return bool(rows) and all(rows) and set(run.engine.lanes) == set(run.engine.sessions)

    await until(is_settled)


async def traded(run: Run, more: int) -> None:
    """Wait until so many more orders were placed."""
    before = len(run.gateway.orders)
    await until(lambda: len(run.gateway.orders) >= before + more)


def own_notes(result: RunReport) -> list[str]:
    return [text for _, source, text in result.notes if source == "own"]


@pytest.mark.slow
def test_strategies_trade_and_their_books_agree_whatever_breaks(venue: Venue, folder: Folder) -> None:
    bars: list[Bar] = []

    def watch(event: Event) -> None:
        if isinstance(event, Bar) and event.closed:
            bars.append(event)

    async def trouble(run: Run) -> None:
        run.engine.watchers.append(watch)
        await settled(run)
        await traded(run, 6)
        for fault in ("drop", "reset", "backlog"):
            venue.fault(fault, lane="all")
            await until(lambda: not run.engine.sessions)
            await settled(run)
            await traded(run, 4)
        for fault in ("duplicate_update", "late_update"):
            venue.fault(fault, count=10, seconds=0.1)
            await traded(run, 6)
        venue.fault("garbage", lane="all", binary="ff00ff")
        await until(lambda: run.engine.unreadable == 1)
        await traded(run, 4)
        await until(lambda: len(bars) > 1)

    result = folder.run(venue, CROSS, MAKER, meanwhile=trouble)

    assert len(result.orders) > 30
    (connection,) = result.connections
    assert connection.reconnects >= 3, "a wire that brings no answer is left, too"
    assert not folder.wrong(result, venue)
    # Those that were cut or missed came over HTTP, where a key gets the exchange's raw numbers.
    assert all(5_000 < bar.low <= bar.close <= bar.high < 7_000 for bar in bars)
    assert [bar.open_time for bar in bars] == sorted({bar.open_time for bar in bars})
    maker = make_strategy(load_strategy(MAKER.file), {**MAKER.params, "edge": 2, "refresh": 1.0})
    (again,) = backtest_tape(folder.tape, [("again", maker)]).strategies
    assert again.error == ""
    assert again.orders > 0, "the recording serves other strategies, too"


def test_an_order_whose_answer_is_lost_is_found_in_the_next_sessions_snapshot(venue: Venue, folder: Folder) -> None:
    states: list[str] = []

    async def lose(run: Run) -> None:
        await until(lambda: any(order.venue_order_id for order in run.gateway.orders.values()))
        (order,) = run.gateway.orders.values()
        venue.fault("lost_update", count=2)
        await until(lambda: order.amending is not None)
        await trio.sleep(0.1)
        venue.fault("reset", lane="all")
        await until(lambda: not run.engine.sessions)
        states.append(order.state.value)
        await until(lambda: order.state.terminal)

    result = folder.run(venue, folder.strategy(MOVE), meanwhile=lose)

    placed, moved, ended = own_notes(result)
    assert moved == f"moved to 4.00 below, 6 lots, as {placed.rpartition(' ')[2]}"
    assert ended == "ended cancelled"
    assert states == ["unknown"]
    assert not folder.wrong(result, venue)


def test_a_stop_fires_and_stays_one_order(venue: Venue, folder: Folder) -> None:
    async def wait(run: Run) -> None:
        await until(lambda: any(order.all_filled for order in run.gateway.orders.values() if order.venue_order_id))

    result = folder.run(venue, folder.strategy(STOP), meanwhile=wait)

    assert own_notes(result) == ["filled as 1 order, None"]
    assert not folder.wrong(result, venue)


def test_a_displaced_session_ends_the_run_and_says_why(venue: Venue, folder: Folder) -> None:
    async def displace(run: Run) -> None:
        await settled(run)
        await traded(run, 4)
        venue.fault("displace", lane="all")
        await trio.sleep_forever()

    result = folder.run(venue, MAKER, meanwhile=displace, interrupts=False)

    assert any("logged in elsewhere (6)" in line for line in result.unaccounted)
    (connection,) = result.connections
    assert (connection.state, connection.reconnects) == ("ended", 0)
    assert rerun_tape(folder.tape).ok


def test_who_logs_in_as_the_same_user_ends_the_run_and_stays(venue: Venue, folder: Folder) -> None:
    """The two would displace each other for ever if both came back."""
    stayed: list[bool] = []

    async def log_in(run: Run) -> None:
        await settled(run)
        await traded(run, 2)
        url = f"ws{venue.url.removeprefix('http')}/v1"
        async with open_wire(url, frame_bytes=100_000, tls=client_tls()) as wire:
            await wire.send(T4().login("session", guid="other", token="simulated-api-key"))
            await wire.receive()
            await until(lambda: not run.engine.sessions)
            with trio.move_on_after(0.5) as waiting:
                await wire.receive()
            stayed.append(waiting.cancelled_caught)
            await trio.sleep_forever()

    result = folder.run(venue, MAKER, meanwhile=log_in, interrupts=False)

    assert stayed == [True]
    assert any("logged in again (6)" in line for line in result.unaccounted)
    (connection,) = result.connections
    assert (connection.state, connection.reconnects) == ("ended", 0)


def test_missed_bars_come_with_a_token_of_the_session_and_a_refusal_is_told(venue: Venue, folder: Folder) -> None:
    bars: list[Bar] = []
    errors: list[str] = []
    venue.fault("refuse_token")

    def hear(event: Event) -> None:
        if isinstance(event, Bar) and event.closed:
            bars.append(event)

    async def watch(run: Run) -> None:
        run.engine.watchers.append(hear)
        await until(lambda: bool(run.engine.errors and bars))  # It goes on with what the stream tells.
        assert venue.tokens() == 1
        venue.fault("reset", lane="all")
        await until(lambda: not run.engine.sessions)
        count = len(bars)
        await until(lambda: len(bars) > count + 1)
        assert venue.tokens() == 3, "one by the next login, and one for the chart"
        errors.extend(error.message for error in run.engine.errors)

    stream = Stream(kind=StreamKind.BARS, instrument=ES, interval=10**9)
    folder.run(venue, meanwhile=watch, record=[stream])

    (error,) = errors
    assert error.endswith("the venue refuses a token for HTTP calls: refused on command")
    assert [bar.open_time for bar in bars] == sorted({bar.open_time for bar in bars})
    assert all(5_000 < bar.low <= bar.close <= bar.high < 7_000 for bar in bars), "in the session's price format"
    assert b"eyJhbGciOi" not in b"".join(file.read_bytes() for file in folder.tape.iterdir())


def test_a_refused_login_is_told_and_never_tried_again(venue: Venue, folder: Folder) -> None:
    venue.fault("reject_login", count=5, arguments={"result": 18})

    with pytest.raises(LoginRefused, match="code 18"):
        folder.run(venue, MAKER, interrupts=False)


def test_a_login_that_may_work_later_is_tried_again(venue: Venue, folder: Folder) -> None:
    venue.fault("reject_login", count=2, arguments={"result": 10})

    async def wait(run: Run) -> None:
        await settled(run)
        await traded(run, 2)

    result = folder.run(venue, MAKER, meanwhile=wait)

    assert not folder.wrong(result, venue)


def test_a_password_logs_in_and_is_on_no_tape(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    user = T4User(password="canary-password", app_license="canary-licence", api_key="unused")
    monkeypatch.setenv("T4_PASSWORD", user.password)
    monkeypatch.setenv("T4_LICENCE", user.app_license)
    with open_venue(users=(user,)) as venue:

        async def wait(run: Run) -> None:
            await settled(run)
            await until(lambda: any(order.venue_order_id for order in run.gateway.orders.values()))

        result = folder.run(
            venue,
            CROSS,
            MAKER,
            meanwhile=wait,
            options={"firm": user.firm, "username": user.username, "app_name": user.app_name},
            credentials={"password": "env:T4_PASSWORD", "app_license": "env:T4_LICENCE"},
        )
        assert not folder.wrong(result, venue)
    written = b"".join(file.read_bytes() for file in folder.tape.iterdir())
    frames = b"".join(
        record.frame if isinstance(record.frame, bytes) else b""
        for record in open_tape(folder.tape)
        if record.kind.name in ("IN_BINARY", "OUT_BINARY")
    )
    assert b"***************" in frames
    for secret in (b"canary", b"eyJhbGciOi"):
        assert secret not in written + frames


def test_orders_travel_by_themselves_with_an_application_of_their_own(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONE", "key-one")
    monkeypatch.setenv("TWO", "key-two")
    users = (T4User(api_key="key-one"), T4User(api_key="key-two", app_name="orders"))
    with open_venue(users=users) as venue:

        async def cut(run: Run) -> None:
            await settled(run)
            await traded(run, 3)
            venue.fault("reset", lane="market")
            await until(lambda: "market-0" not in run.engine.sessions)
            assert run.gateway.lane_up
            await settled(run)
            await traded(run, 3)

        result = folder.run(
            venue,
            MAKER,
            meanwhile=cut,
            options={"second_app": "orders"},
            credentials={"api_key": "env:ONE", "orders_api_key": "env:TWO"},
        )
        assert {row.name: row.reconnects for row in result.connections} == {"orders-0": 0, "market-0": 1}
        assert not folder.wrong(result, venue)


@pytest.mark.parametrize(
    ("kind", "whole", "change"),
    [
        (StreamKind.BOOK, BookSnapshot, BookDelta),
        (StreamKind.BOOK_BY_ORDER, ByOrderSnapshot, ByOrderDelta),
    ],
)
def test_a_book_by_order_is_asked_for_anew_after_a_hole(
    venue: Venue, folder: Folder, kind: StreamKind, whole: type[Any], change: type[Any]
) -> None:
    """By level, of which only the option tells that they are made of orders; and the orders themselves."""
    seen: list[Event] = []

    def watch(event: Event) -> None:
        seen.append(event)

    async def swallow(run: Run) -> None:
        run.engine.watchers.append(watch)
        await until(lambda: any(isinstance(event, change) for event in seen))
        venue.fault("mbo_gap", instrument=ES.rpartition("/")[2])
        (row,) = run.engine.table
        await until(lambda: bool(row.gaps))
        count = len(seen)
        await until(lambda: any(isinstance(event, change) for event in seen[count:]))

    stream = Stream(kind=kind, instrument=ES)
    folder.run(venue, meanwhile=swallow, options={"by_order": kind is StreamKind.BOOK}, record=[stream])

    kinds = [type(event) for event in seen]
    assert kinds.count(whole) >= 2
    assert kinds.index(Gap) < len(kinds) - 1 - kinds[::-1].index(whole), "the hole is told before the new book"
    for event in seen:
        if isinstance(event, whole):
            assert event.bid_prices[0] < event.ask_prices[0]
