"""Soak: a simulated venue sends at least RATE messages a second for SECONDS, and a live run must keep up, recording.

Two processes on the same machine: the venue (`benchmarks.market`: many instruments, each with its trades, books and
quotes at several frequencies), and a live run as `strategykit run` makes it, with a tape, a counting strategy for each
instrument, and its order lanes open. Printed every second: messages dispatched, their age at the handler (from the
venue's stamp, p50 and p99), inputs that wait, memory. At the end the market is halted, and when all is quiet four
numbers must be equal: data frames that the venue sent, that were received, that were dispatched, and that are on the
tape.

It fails where the rate isn't held, anything is lost, a connection broke, or memory grew by more than 64 MiB once warm.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import attrs
import httpx
import trio

from benchmarks.live import run_strategies
from benchmarks.market import open_market, symbols
from strategykit import Books, Quotes, Strategy, Trade, Trades, define
from strategykit.model.events import BookSnapshot, Quote
from strategykit.net.inbox import Inbox
from strategykit.net.link import ConnectionStatistics
from strategykit.net.venue import LiveVenue
from strategykit.runtime.assembly import Run
from strategykit.runtime.desk import Desk
from strategykit.tape.format import Kind
from strategykit.tape.reader import open_tape
from strategykit.venues.streams import usual_lane
from strategykit.venues.subscriptions import SubscriptionState

__all__ = ["Soaked", "main", "soak"]

ACTIONS: Final = 300.0
"""Of the crowd on each instrument, a second."""

PER_INSTRUMENT: Final = 740.0
"""Messages a second that the streams of one instrument bring, at the least: nearly 100 a second by each of its ten
streams of states, less what an unmoved market saves, and some 50 trades."""

CONNECTIONS: Final = 4

WARM_AFTER: Final = 10.0
"""Seconds, or a fifth of a shorter run."""

GROWTH: Final = 64 << 20
"""Bytes."""

LATE: Final = 1_000.0
"""Milliseconds of age at which the program isn't keeping up, whatever it gets done."""

QUIET_WITHIN: Final = 10.0
_SAMPLED: Final = 8
"""Of so many events the age of one is looked at."""

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def memory() -> int:
    """Give the bytes that this process holds in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def cpu_of(process: int) -> float:
    """Give the seconds of CPU that a process has used, with all its threads."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class FastQuotes(Quotes):
    """Quotes at most every so many milliseconds. Another frequency, or a board, makes another subscription."""

    def __init__(self, instrument: str, *, every: int, board: str | None = None) -> None:
        super().__init__(instrument)
        self._every = every
        self._board = board

    def more(self, now: int) -> dict[str, Any]:  # noqa: ARG002 - the signature is the base's
        return {"frequency": self._every * 1_000_000, "board": self._board}


@define
class Watch(Strategy):
    """Count everything of one instrument, and look at the age of some of it."""

    instrument: str

    trades = Trades("{instrument}")
    book = Books("{instrument}", depth=10, every=10)
    quotes_0 = FastQuotes("{instrument}", every=10)
    quotes_1 = FastQuotes("{instrument}", every=10, board="TQBR")
    quotes_2 = FastQuotes("{instrument}", every=11)
    quotes_3 = FastQuotes("{instrument}", every=11, board="TQBR")
    quotes_4 = FastQuotes("{instrument}", every=12)
    quotes_5 = FastQuotes("{instrument}", every=12, board="TQBR")
    quotes_6 = FastQuotes("{instrument}", every=13)
    quotes_7 = FastQuotes("{instrument}", every=13, board="TQBR")
    quotes_8 = FastQuotes("{instrument}", every=14)

    def attach(self, desk: Desk) -> None:
        super().attach(desk)
        self.events = 0
        self.ages: list[float] = []
        """Milliseconds, since they were last taken."""

    def on_trade(self, trade: Trade) -> None:
        self._count(trade.event_time)

    def on_book(self, book: BookSnapshot) -> None:
        self._count(book.event_time)

    def on_quote(self, quote: Quote) -> None:
        self._count(quote.event_time)

    def _count(self, event_time: int | None) -> None:
        self.events += 1
        if not self.events % _SAMPLED and event_time is not None:
            # The wall clock, not the run's: what is asked is how late this handler is called.
            self.ages.append((time.time_ns() - event_time) / 1e6)


@attrs.define
class Soaked:
    """What came of it. Frames are those of the market lane, confirmations included."""

    rate: float
    """Messages a second."""
    sent: int = 0
    received: int = 0
    dispatched: int = 0
    handled: int = 0
    """Events that handlers got."""
    taped: int = 0
    reconnects: int = 0
    warm: int = 0
    """Bytes in memory, once warm."""
    end: int = 0
    cpu: tuple[float, float] = (0.0, 0.0)
    """Part of a core that the run used, and the venue."""
    ages: list[tuple[float, float]] = attrs.field(factory=list)
    """Milliseconds, median and 99th percentile, by the second."""
    problems: list[str] = attrs.field(factory=list)


class _Watcher:
    """Tells how it goes, a line a second; at the end halts the market and sees that all of it has come."""

    def __init__(
        self, url: str, process: int, seconds: float, strategies: list[Watch], tell: Callable[[str], None]
    ) -> None:
        self.soaked = Soaked(0.0)
        self._url = url
        self._processes = (os.getpid(), process)
        self._seconds = seconds
        self._strategies = strategies
        self._tell = tell
        self._wires: list[tuple[LiveVenue, Inbox]] = []

    def made(self, venue: LiveVenue, inbox: Inbox) -> None:
        self._wires.append((venue, inbox))

    async def watch(self, run: Run) -> None:
        try:
            await self._watch(run)
        finally:
            run.supervisor.stop()

    async def _watch(self, run: Run) -> None:
        soaked = self.soaked
        while not all(item.events for item in self._strategies):  # noqa: ASYNC110 - their handlers count, no more
            await trio.sleep(0.05)
        self._tell(f"{len(run.engine.table)} subscriptions on {len(self._market())} market connections")
        self._tell(f"{'second':>7} {'msg/s':>8} {'age p50':>9} {'age p99':>9} {'waiting':>8} {'memory':>9}")
        used = [cpu_of(process) for process in self._processes]
        begin = time.monotonic()
        first = before = self._events()
        self._ages()
        last = begin
        for second in range(1, math.ceil(self._seconds) + 1):
            await trio.sleep(max(0.0, begin + second - time.monotonic()))
            now, events, ages = time.monotonic(), self._events(), self._ages()
            soaked.ages.append(ages)
            self._tell(
                f"{second:7} {(events - before) / (now - last):8,.0f} {ages[0]:6.1f} ms {ages[1]:6.1f} ms "
                f"{self._waiting():8} {memory() / 2**20:5.0f} MiB"
            )
            before, last = events, now
            if not soaked.warm and now - begin >= min(WARM_AFTER, self._seconds / 5):
                soaked.warm = memory()
        soaked.rate = (before - first) / (last - begin)
        soaked.end = memory()
        mine, theirs = (
            (cpu_of(process) - old) / (last - begin) for process, old in zip(self._processes, used, strict=True)
        )
        soaked.cpu = mine, theirs
        await self._settle(run)

    async def _settle(self, run: Run) -> None:
        """Halt the market, and wait until nothing is on its way."""
        soaked = self.soaked
        async with httpx.AsyncClient(base_url=self._url, timeout=10.0) as client:
            for strategy in self._strategies:
                answer = await client.post("/sim/faults", json={"fault": "halt", "instrument": strategy.instrument})
                answer.raise_for_status()
            with trio.move_on_after(QUIET_WITHIN):
                quiet = 0
                while quiet < 3:
                    rows = (await client.get("/sim/statistics")).json()["connections"]
                    market = [row for row in rows if row["lane"] == "market"]
                    sent, received = sum(row["sent"] for row in market), self._received()
                    dispatched = self._dispatched(run)
                    same = sent == soaked.sent and sent == received == dispatched
                    quiet = quiet + 1 if same and not any(row["waiting"] for row in market) else 0
                    soaked.sent, soaked.received, soaked.dispatched = sent, received, dispatched
                    await trio.sleep(0.1)
        soaked.handled = self._events()
        soaked.reconnects = sum(item.reconnects for item in self._wires[0][0].statistics())

    def _market(self) -> list[ConnectionStatistics]:
        return [item for item in self._wires[0][0].statistics() if item.lane == "market"]

    def _received(self) -> int:
        return sum(item.frames_in for item in self._market())

    def _dispatched(self, run: Run) -> int:
        """Count data, and the one confirmation of each subscription that is active."""
        rows = [row for row in run.engine.table if usual_lane(row.stream) == "market"]
        return sum(row.data for row in rows) + sum(row.state is SubscriptionState.ACTIVE for row in rows)

    def _events(self) -> int:
        return sum(item.events for item in self._strategies)

    def _waiting(self) -> int:
        return len(self._wires[0][1].waiting)

    def _ages(self) -> tuple[float, float]:
        ages = sorted(age for item in self._strategies for age in item.ages)
        for item in self._strategies:
            item.ages.clear()
        return (ages[len(ages) // 2], ages[len(ages) * 99 // 100]) if ages else (0.0, 0.0)


def soak(*, seconds: float, rate: float, tell: Callable[[str], None] = print) -> Soaked:
    """Soak, and give what came of it; `problems` says what wasn't as it should be."""
    names = symbols(max(1, math.ceil(rate / PER_INSTRUMENT)))
    strategies = [Watch(instrument=name) for name in names]
    start = memory()
    with (
        open_market(instruments=len(names), actions=ACTIONS) as (url, process),
        tempfile.TemporaryDirectory() as folder,
    ):
        tell(f"a simulated ALOR with {len(names)} instruments at {url}")
        watcher = _Watcher(url, process, seconds, strategies, tell)
        soaked = watcher.soaked
        tape = Path(folder) / "tape"
        report = run_strategies(
            url,
            [(strategy.instrument, strategy) for strategy in strategies],
            tape=tape,
            market_connections=CONNECTIONS,
            meanwhile=watcher.watch,
            made=watcher.made,
        )
        tell("counting what is on the tape")
        recording = open_tape(tape)
        soaked.taped = sum(
            kind == Kind.IN.value and recording.names[number].startswith("market-")
            for kind, _, _, number, _ in recording.frames()
        )
    soaked.problems = [*_check(soaked, rate), *report.unaccounted, *(s.error for s in report.strategies if s.error)]
    if report.unreadable or report.late or report.tape_failure:
        soaked.problems.append(
            f"{report.unreadable} unreadable, {report.late} late, {report.tape_failure or 'tape ok'}"
        )
    tell(f"{soaked.rate:,.0f} messages a second over {seconds:g} s; wanted {rate:,.0f}")
    tell(
        f"frames: sent {soaked.sent:,}, received {soaked.received:,}, dispatched {soaked.dispatched:,}, "
        f"on tape {soaked.taped:,}; events handled {soaked.handled:,}; reconnects {soaked.reconnects}"
    )
    tell(f"CPU: {soaked.cpu[0]:.0%} of a core for the run, {soaked.cpu[1]:.0%} for the venue")
    tell(
        f"memory: {start / 2**20:.0f} MiB at the start, {soaked.warm / 2**20:.0f} MiB warm, "
        f"{soaked.end / 2**20:.0f} MiB at the end"
    )
    return soaked


def _check(soaked: Soaked, rate: float) -> list[str]:
    problems = []
    if soaked.rate < rate:
        problems.append(f"{soaked.rate:,.0f} messages a second got through; {rate:,.0f} were wanted")
    counts = {soaked.sent, soaked.received, soaked.dispatched, soaked.taped}
    if len(counts) != 1 or not soaked.sent:
        problems.append("frames were lost: sent, received, dispatched and on tape aren't equal")
    if soaked.reconnects:
        problems.append(f"{soaked.reconnects} reconnects")
    if soaked.end - soaked.warm > GROWTH:
        problems.append(f"memory grew by {(soaked.end - soaked.warm) / 2**20:.0f} MiB; {GROWTH >> 20} are allowed")
    tail = [p99 for _, p99 in soaked.ages[-max(1, len(soaked.ages) // 4) :]]
    if tail and statistics.median(tail) > LATE:
        problems.append(f"towards the end messages were {statistics.median(tail):.0f} ms old; {LATE:g} are allowed")
    return problems


def main() -> int:
    """Soak as the command line asks; 1 if it fails."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak_live",
        description="Have a simulated venue send many messages, and see that a live run keeps up and loses nothing.",
        epilog="Examples: python -m benchmarks.soak_live   python -m benchmarks.soak_live --seconds 3600 --rate 5000",
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default: %(default)g)")
    parser.add_argument("--rate", type=float, default=10_000.0, help="messages a second (default: %(default)g)")
    asked = parser.parse_args()
    if asked.seconds < 1 or asked.rate < 1:
        parser.error("--seconds and --rate should be 1 or more")
    soaked = soak(seconds=asked.seconds, rate=asked.rate, tell=_tell)
    for problem in soaked.problems:
        print(f"FAILED: {problem}", file=sys.stderr)
    return 1 if soaked.problems else 0


def _tell(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
