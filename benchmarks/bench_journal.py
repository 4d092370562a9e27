"""What the journal of orders costs, beside SQLite's log with the same promises.

The same records, JSON of an intent of 755 bytes, under the same promises:

- a record outlives the process: `JournalWriter.write`, beside an insert and its commit with ``synchronous=NORMAL``;
- one record outlives a power loss, and the loop goes on meanwhile: `write` and `when_durable`, beside an insert and
  its commit with ``synchronous=FULL`` in a thread of Trio's;
- ten at once do: ten times that, beside ten inserts and one commit;
- one does while the loop is busy all the time, in turns of 0.2 ms.

The commit in the loop itself, as a simple program would do it, is printed, too. Rounds are interleaved.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import trio

from benchmarks.figures import Figure, figure
from strategykit.journal.format import RecordKind
from strategykit.journal.reader import read_journal
from strategykit.journal.writer import JournalWriter, open_journal

__all__ = ["main"]

WRITES: Final = 20_000
WAITS: Final = 600
ROUNDS: Final = 5
MOST: Final = 3.0
"""Seconds for the waits of one side in one round."""
TOGETHER: Final = 10
TURN: Final = 200_000
"""Nanoseconds that a busy loop computes between two looks at what else there is to do."""
INTENT: Final = {
    "guid": "0a1b2c3d-cross-17",
    "client_order_id": "0a1b2c3d-cross-17",
    "strategy": "cross",
    "command": {
        "type": "CreateOrder",
        "guid": "0a1b2c3d-cross-17",
        "request": {
            "client_order_id": "0a1b2c3d-cross-17",
            "account": "D39004",
            "instrument": "SBER",
            "side": "buy",
            "quantity": "2",
            "type": "limit",
            "price": "318.21",
            "stop_price": None,
            "time_in_force": "day",
            "board": "TQBR",
            "display_quantity": None,
            "display_variance": None,
            "expire_time": None,
            "protect_seconds": None,
            "allow_margin": False,
            "active": True,
            "check_duplicates": True,
        },
    },
    "placed": 1_763_715_851_123_000_000,
    "why": {
        "at": "cross.py:31 run",
        "events": {"trades SBER": "Trade(instrument='SBER', price=318.21, quantity=12.0, side=<Side.BUY: 'buy'>)"},
        "condition": "fast > slow (101.2 > 100.9)",
        "params": {"fast": 5, "slow": 20, "instrument": "SBER"},
    },
}


class Database:
    """The same records in SQLite."""

    def __init__(self, path: Path, synchronous: str) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute(f"PRAGMA synchronous={synchronous}")
        self.connection.execute("CREATE TABLE records (seq INTEGER PRIMARY KEY, monotonic, wall, kind, facts)")

    def write(self, count: int = 1) -> None:
        self.connection.execute("BEGIN")
        for _ in range(count):
            row = (time.monotonic_ns(), time.time_ns(), "intent", msgspec.json.encode(INTENT))
            self.connection.execute("INSERT INTO records (monotonic, wall, kind, facts) VALUES (?, ?, ?, ?)", row)
        self.connection.execute("COMMIT")

    def count(self) -> int:
        found: int = self.connection.execute("SELECT count(*) FROM records").fetchone()[0]
        return found


class Bench:
    """All sides, opened."""

    def __init__(self, writer: JournalWriter, normal: Database, full: Database, inline: Database) -> None:
        self.writer = writer
        self.normal, self.full, self.inline = normal, full, inline

    def write(self) -> None:
        self.writer.write(RecordKind.INTENT, INTENT)

    async def wait(self, count: int = 1) -> None:
        """Write records and wait until the last one is safe: all are by then, because they're told in order."""
        done = trio.Event()
        for left in reversed(range(count)):
            seq = self.writer.write(RecordKind.INTENT, INTENT)
            self.writer.when_durable(seq, (lambda: None) if left else done.set, _fail)
        await done.wait()

    async def wait_full(self, count: int = 1) -> None:
        await trio.to_thread.run_sync(self.full.write, count)


def _fail(error: Exception) -> None:
    raise error


@contextmanager
def _opened(folder: Path) -> Iterator[Bench]:
    bases = [Database(folder / mode, mode.rstrip("2")) for mode in ("NORMAL", "FULL", "FULL2")]
    with open_journal(folder / "journal", now=time.time_ns, run={"tag": "bench"}, reserve=1 << 20) as writer:
        yield Bench(writer, *bases)
    for base in bases:
        base.connection.close()


async def _timed(work: Callable[[int], Awaitable[None]], count: int, times: int) -> list[float]:
    """Give the microseconds of each; of fewer, if they take long: a thread may wait for Python's lock for seconds."""
    taken: list[float] = []
    while len(taken) < times and sum(taken) < MOST * 1e6:
        begin = time.perf_counter_ns()
        await work(count)
        taken.append((time.perf_counter_ns() - begin) / 1e3)
    return taken


def _timed_inline(work: Callable[[], None], times: int) -> list[float]:
    taken = []
    for _ in range(times):
        begin = time.perf_counter_ns()
        work()
        taken.append((time.perf_counter_ns() - begin) / 1e3)
    return taken


_NAMES: Final = (
    "written (kill -9): journal",
    "written (kill -9): SQLite NORMAL",
    "safe, singly: journal",
    "safe, singly: SQLite FULL in a thread",
    "safe, singly: SQLite FULL in the loop",
    "safe, ten at once: journal",
    "safe, ten at once: SQLite FULL, one commit",
    "safe, in a busy loop: journal",
    "safe, in a busy loop: SQLite FULL in a thread",
)


async def _keep_busy() -> None:
    while True:
        until = time.perf_counter_ns() + TURN
        while time.perf_counter_ns() < until:
            pass
        await trio.lowlevel.checkpoint()


async def _measure(bench: Bench, writes: int, waits: int, rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in _NAMES}
    for _ in range(rounds):
        each = iter(_NAMES)
        times[next(each)] += _timed_inline(bench.write, writes)
        await bench.wait()  # So that the thread has nothing left to sync meanwhile.
        times[next(each)] += _timed_inline(bench.normal.write, writes)
        times[next(each)] += await _timed(bench.wait, 1, waits)
        times[next(each)] += await _timed(bench.wait_full, 1, waits)
        times[next(each)] += _timed_inline(bench.inline.write, waits)
        times[next(each)] += await _timed(bench.wait, TOGETHER, waits)
        times[next(each)] += await _timed(bench.wait_full, TOGETHER, waits)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_keep_busy)
            times[next(each)] += await _timed(bench.wait, 1, waits)
            times[next(each)] += await _timed(bench.wait_full, 1, waits)
            nursery.cancel_scope.cancel()
    return times


def _at(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def main(scale: float = 1.0) -> dict[str, Figure]:
    """Measure, print, and give the figures by name."""
    rounds = ROUNDS if scale >= 1 else 1
    writes, waits = max(int(WRITES * scale) // rounds, 10), max(int(WAITS * scale) // rounds, 5)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with _opened(folder) as bench:
            times = trio.run(_measure, bench, writes, waits, rounds)
            path = bench.writer.path
            kept = bench.normal.count(), bench.full.count(), bench.inline.count()
        ours = len(read_journal(path).records) - 1
    _, _, *safe = (len(values) for values in times.values())
    alone, alone_full, inline, many, many_full, busy, busy_full = safe
    told = writes * rounds + rounds + alone + busy + many * TOGETHER
    if (ours, kept) != (told, (writes * rounds, alone_full + busy_full + many_full * TOGETHER, inline)):
        raise RuntimeError(f"records are missing: {ours}, {kept}")
    size = len(msgspec.json.encode(INTENT))
    print(f"journal, {writes * rounds:,} records of {size} bytes written, {alone:,} waited for")
    for title, values in times.items():
        print(f"  {title:44} p50 {_at(values, 0.5):8.1f} µs   p99 {_at(values, 0.99):8.1f} µs")
    middles = [_at(values, 0.5) for values in times.values()]
    return {
        "journal_write_vs_sqlite": figure(
            "writing a record so that it outlives the process, against SQLite",
            f"{middles[0]:.1f} µs",
            middles[0] / middles[1],
            must=0.6,
            goal=0.3,
            better="lower",
        ),
        "journal_safe_vs_sqlite": figure(
            "a record that outlives a power loss, against SQLite in a thread",
            f"{middles[2]:.0f} µs",
            middles[2] / middles[3],
            must=1.1,
            goal=0.8,
            better="lower",
        ),
        "journal_ten_safe_vs_sqlite": figure(
            "ten such records at once, against SQLite with one commit",
            f"{middles[5]:.0f} µs",
            middles[5] / middles[6],
            must=1.2,
            goal=0.9,
            better="lower",
        ),
        "journal_busy_vs_sqlite": figure(
            "a record that outlives a power loss while the loop is busy, against SQLite in a thread",
            f"{middles[7]:.0f} µs",
            middles[7] / middles[8],
            must=0.7,
            goal=0.3,
            better="lower",
        ),
    }


if __name__ == "__main__":
    main()
