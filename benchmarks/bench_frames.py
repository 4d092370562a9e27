"""Frames: how many a second get from a loopback socket to a strategy's handler, and what CPU each costs.

A venue in a process of its own sends prepared trades (ALOR, Slim, some 160 bytes a frame) as fast as they are read.
Compared, interleaved, medians of rounds:

* plain: trio-websocket's ``get_message``, ``json.loads`` and cattrs (without its detailed validation, which would cost
  it a third more), a handler, in one loop. It notices nothing, records nothing and survives nothing.
* ours: all of a live run as `strategykit run` makes it, with wire, connection, inbox, clock, watchdog, dialect,
  subscription table, lag, digest and a strategy's `on_trade`; with and without a tape.
* trio-websocket alone, to show what of the plain loop is the library's.

Measured from the first call of the handler to the last one; both must have seen the same trades.
"""

from __future__ import annotations

import gc
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import cattrs
import trio
import trio_websocket
from cattrs.gen import make_dict_structure_fn, override

from benchmarks.blast import INSTRUMENT, open_blast
from benchmarks.figures import Figure, figure
from benchmarks.live import run_strategies
from strategykit import Strategy, Trade, Trades, define
from strategykit.runtime.assembly import Run
from strategykit.runtime.desk import Desk

__all__ = ["Tally", "main", "measure"]

FRAMES: Final = 40_000
ROUNDS: Final = 5
GUID: Final = "c328fcf1-e495-408a-a0ed-e20f95d6b8aa"


@attrs.define
class Tally:
    """What a handler saw, and when."""

    expected: int
    count: int = 0
    total: float = 0.0
    """Of all prices times sizes: the same only for the same trades."""
    begin: float = 0.0
    end: float = 0.0
    cpu_begin: float = 0.0
    cpu_end: float = 0.0

    def note(self, price: float, quantity: float) -> bool:
        """Count a trade; True with the last one."""
        if not self.count:
            self.begin, self.cpu_begin = time.perf_counter(), time.process_time()
        self.count += 1
        self.total += price * quantity
        if self.count < self.expected:
            return False
        self.end, self.cpu_end = time.perf_counter(), time.process_time()
        return True

    @property
    def wall(self) -> float:
        """Microseconds a frame."""
        return (self.end - self.begin) / self.expected * 1e6

    @property
    def cpu(self) -> float:
        """Microseconds a frame, of this process with all its threads."""
        return (self.cpu_end - self.cpu_begin) / self.expected * 1e6


@attrs.frozen
class PlainTrade:
    """What the plain loop makes of a frame: a typed value with the fields that a strategy needs."""

    id: int
    symbol: str
    quantity: float
    price: float
    millis: int
    side: str
    existing: bool


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=False)
    names = {"symbol": "sym", "quantity": "q", "price": "px", "millis": "t", "side": "s", "existing": "h"}
    overrides: dict[str, Any] = {ours: override(rename=theirs) for ours, theirs in names.items()}
    hook = make_dict_structure_fn(PlainTrade, converter, _cattrs_detailed_validation=False, **overrides)
    converter.register_structure_hook(PlainTrade, hook)
    return converter


def _request() -> str:
    return json.dumps({"opcode": "AllTradesGetAndSubscribe", "code": "SBER", "exchange": "MOEX", "guid": GUID})


def plain(port: int, frames: int, _: Path) -> Tally:
    """Read, parse, structure, handle: what one writes on the first day."""
    converter, tally = _converter(), Tally(frames)

    async def run() -> None:
        async with trio_websocket.open_websocket_url(f"ws://127.0.0.1:{port}/ws") as ws:
            await ws.send_message(_request())
            while True:
                message = json.loads(await ws.get_message())
                if "data" in message:
                    trade = converter.structure(message["data"], PlainTrade)
                    if tally.note(trade.price, trade.quantity):
                        break

    trio.run(run)
    return tally


def alone(port: int, frames: int, _: Path) -> Tally:
    """The library's part: read, and look at nothing."""
    tally = Tally(frames)

    async def run() -> None:
        async with trio_websocket.open_websocket_url(f"ws://127.0.0.1:{port}/ws") as ws:
            await ws.send_message(_request())
            await ws.get_message()
            while True:
                await ws.get_message()
                if tally.note(0.0, 0.0):
                    break

    trio.run(run)
    return tally


@define
class Count(Strategy):
    """Note trades until there are enough."""

    trades = Trades(INSTRUMENT.symbol)

    def attach(self, desk: Desk) -> None:
        super().attach(desk)
        self.done = trio.Event()
        self.tally = Tally(0)

    def on_trade(self, trade: Trade) -> None:
        if self.tally.note(trade.price, trade.quantity):
            self.done.set()


def ours(port: int, frames: int, folder: Path, *, record: bool) -> Tally:
    """A live run."""
    strategy, tally = Count(), Tally(frames)

    async def stop(run: Run) -> None:
        strategy.tally = tally
        await strategy.done.wait()
        run.supervisor.stop()

    tape = folder / "tape" if record else None
    report = run_strategies(f"http://127.0.0.1:{port}", [("count", strategy)], tape=tape, meanwhile=stop)
    problems = [*report.unaccounted, *(item.error for item in report.strategies if item.error), report.tape_failure]
    if any(problems) or report.unreadable or report.late:
        raise RuntimeError(f"the run went wrong: {problems}, {report.unreadable} unreadable, {report.late} late")
    return tally


Case = Callable[[int, int, Path], Tally]

CASES: Final[dict[str, Case]] = {
    "trio-websocket alone": alone,
    "trio-websocket + json + cattrs": plain,
    "a live run": partial(ours, record=False),
    "a live run with a tape": partial(ours, record=True),
}


def measure(*, frames: int, rounds: int, cases: dict[str, Case]) -> dict[str, list[Tally]]:
    """Run every case in turn, `rounds` times after one that isn't counted; give what each saw."""
    tallies: dict[str, list[Tally]] = {name: [] for name in cases}
    with open_blast(frames) as port:
        for number in range(rounds + 1):
            for name, case in cases.items():
                gc.collect()
                with tempfile.TemporaryDirectory() as folder:
                    tally = case(port, frames, Path(folder))
                if number:
                    tallies[name].append(tally)
    return tallies


def main(scale: float = 1.0) -> dict[str, Figure]:
    """Measure, print, and give the figures by name."""
    frames = max(int(FRAMES * scale), 10)
    tallies = measure(frames=frames, rounds=ROUNDS if scale >= 1 else 1, cases=CASES)
    seen = {(tally.count, tally.total) for name in list(CASES)[1:] for tally in tallies[name]}
    if len(seen) != 1:
        raise RuntimeError(f"the sides didn't see the same trades: {seen}")
    wall = {name: statistics.median(tally.wall for tally in rows) for name, rows in tallies.items()}
    cpu = {name: statistics.median(tally.cpu for tally in rows) for name, rows in tallies.items()}
    base = wall["trio-websocket + json + cattrs"]
    print(f"frames, {frames} trades from a loopback socket to a handler")
    for name, value in wall.items():
        print(
            f"  {name:32} {1e6 / value:10,.0f} frames/s  {value:6.1f} µs, {cpu[name]:6.1f} µs CPU a frame"
            f"  {base / value:.2f} x plain"
        )
    run, taped = wall["a live run"], wall["a live run with a tape"]
    # In CPU, as a busy machine's noise is larger than this difference; the recorder's threads count too.
    more = cpu["a live run with a tape"] - cpu["a live run"]
    return {
        "frames_vs_plain": figure(
            "socket to handler, against trio-websocket + json + cattrs",
            f"{1e6 / run:,.0f} frames/s",
            base / run,
            must=2.0,
            goal=4.0,
        ),
        "frames_taped_vs_plain": figure(
            "the same, recording", f"{1e6 / taped:,.0f} frames/s", base / taped, must=1.5, goal=3.0
        ),
        "frames_taped_vs_untaped": figure(
            "what recording adds to a frame, in CPU",
            f"{more:+.1f} µs",
            1 + more / cpu["a live run"],
            must=1.35,
            goal=1.15,
            better="lower",
        ),
    }


if __name__ == "__main__":
    main()
