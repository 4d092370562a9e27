"""The peak of memory of a replay, whether the recording is short or twenty times as long.

As users have it: an archive on the disk, read as it is, while its cache is made, and from that; a strategy that places
orders, and all that its result needs. What a run keeps of an order it keeps until the end, so that there are as many of
them on the long recording as on the short one. Each replay has a process of its own; read the ratios.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.busy_days import write_archive
from benchmarks.figures import Figure, figure
from benchmarks.peers.ours import Turns
from strategykit import Trade, define
from strategykit.runtime.run import backtest_tape

__all__ = ["main", "replay"]

SHORT: Final = 1_000_000
LONG: Final = 20_000_000
"""Trades."""

ORDERS: Final = 2_000
"""Of each replay, all of them filled."""

WAYS: Final = {"from Parquet": "", "while the cache is made": "cache", "from the cache": "cache"}
"""In which an archive is read, one after the other: the second one leaves what the third one finds."""


ALL_FROM: Final = 0.01
"""Scale from which all ways are measured: for less, starting processes is all that there would be to see."""


@define
class Sparse(Turns):
    """Buy and sell in turns, as often as it is told."""

    every: int = 1
    most: int = 1

    def on_trade(self, trade: Trade) -> None:  # noqa: ARG002 - the signature of handlers
        self.count += 1
        if not self.count % self.every and self.placed < self.most:
            self.placed += 1
            (self.buy_nowait if self.placed % 2 else self.sell_nowait)(1)


def replay(archive: Path, trades: int, orders: int, cache: Path | None) -> int:
    """Replay an archive of `trades`; give the peak of this process's memory in kilobytes."""
    # A few trades follow the last order, by which it is filled.
    strategy = Sparse(every=(trades - 1) // orders, most=orders)
    report = backtest_tape(archive, [("sparse", strategy)], cache=cache, collect=True)
    peak = _peak()
    seen, meant = (strategy.count, strategy.placed, strategy.fills), (trades, orders, orders)
    if seen != meant or report.collected is None:
        raise RuntimeError(f"trades, orders and fills should be {meant}, and are {seen}: {report.strategies}")
    return peak


def _peak() -> int:
    """Give the most memory that this process has held, in kilobytes.

    On Linux `ru_maxrss` would do only for a parent that has held less: it is handed on to what a process starts.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def _peaks(folder: Path, count: int, orders: int, ways: Sequence[str]) -> dict[str, int]:
    """Give the peak of each way, in kilobytes."""
    trades = write_archive(folder, count)
    return {way: _apart(folder, trades, orders, WAYS[way]) for way in ways}


def _apart(folder: Path, trades: int, orders: int, cache: str) -> int:
    """Measure in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.bench_memory", str(folder), str(trades), str(orders), cache]
    return int(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))


def main(scale: float = 1.0) -> dict[str, Figure]:
    """Measure, print, and give the figures by name."""
    orders, ways = max(int(ORDERS * scale), 10), list(WAYS) if scale >= ALL_FROM else list(WAYS)[1:2]
    with tempfile.TemporaryDirectory() as name:
        short, long = (
            _peaks(Path(name) / text, max(int(count * scale), 1_000), orders, ways)
            for text, count in (("short", SHORT), ("long", LONG))
        )
    print(f"peak memory of {SHORT * scale:,.0f} and {LONG * scale:,.0f} trades of an archive, {orders:,} orders")
    for way in ways:
        print(f"  {way:<25}{short[way] / 1024:5.0f} and {long[way] / 1024:5.0f} MiB  {long[way] / short[way]:.3f}")
    worst = max(ways, key=lambda way: long[way] / short[way])
    return {
        "memory_of_twenty_times_the_events": figure(
            f"peak memory of a replay twenty times as long, {worst}",
            f"{long[worst] / 1024:.0f} MiB",
            long[worst] / short[worst],
            must=1.2,
            goal=1.02,
            better="lower",
        ),
    }


if __name__ == "__main__":
    place, many, asked, cached = sys.argv[1:]
    print(replay(Path(place), int(many), int(asked), Path(place) / cached if cached else None))
