"""Replay of columns, with the paper exchange and the digest, against building the same events for a bare handler.

Interleaved rounds, medians of CPU time; read the ratios.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import Final

from benchmarks.bench_replay import Count, Floor
from benchmarks.figures import Figure, figure
from benchmarks.peers.course import make_trades
from benchmarks.peers.ours import make_columns
from strategykit.runtime.backtest import BacktestPlan, backtest
from strategykit.runtime.column_source import ColumnSource

__all__ = ["main"]

EVENTS: Final = 500_000
ROUNDS: Final = 5


def _replay(source: ColumnSource, strategies: int) -> list[tuple[int, float]]:
    counters = [(f"count-{number}", Count()) for number in range(strategies)]
    report = backtest(BacktestPlan(source=source, strategies=counters))
    if any(strategy.error for strategy in report.strategies):
        raise RuntimeError(f"a strategy failed: {report.strategies}")
    return [(counter.count, counter.total) for _, counter in counters]


def _timed(work: Callable[[], None], count: int) -> float:
    gc.collect()
    begin = time.process_time()
    work()
    return (time.process_time() - begin) / count * 1e9


def main(scale: float = 1.0) -> dict[str, Figure]:
    """Measure, print, and give the figures by name."""
    count = max(int(EVENTS * scale), 10)
    source = make_columns(make_trades(count))
    ((columns,),) = source.columns.values()
    gc.collect()
    gc.freeze()
    seen: set[tuple[int, float]] = set()

    def floor() -> None:
        bare = Floor()
        handler = bare.on_trade
        for event in columns.events("trades:SBER"):
            handler(event)  # type: ignore[arg-type]  # trades are all there is
        seen.add((bare.count, bare.total))

    works: dict[str, Callable[[], None]] = {
        "floor": floor,
        "one": lambda: seen.update(_replay(source, 1)),
        "ten": lambda: seen.update(_replay(source, 10)),
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range((ROUNDS if scale >= 1 else 1) + 1):
        measured = {name: _timed(work, count) for name, work in works.items()}
        if number:
            for name, value in measured.items():
                times[name].append(value)
    gc.unfreeze()
    if len(seen) != 1:
        raise RuntimeError(f"the sides didn't see the same trades: {seen}")
    floor_ns, one, ten = (statistics.median(times[name]) for name in works)
    print(f"replay of columns, {count} trades, with exchange and digest, ns an event (events a second)")
    print(f"  build events, call a bare handler     {floor_ns:7.0f}  ({1e9 / floor_ns:12,.0f})")
    print(f"  one strategy                          {one:7.0f}  ({1e9 / one:12,.0f})  {one / floor_ns:.2f} x floor")
    print(f"  ten strategies side by side           {ten:7.0f}  ({1e9 / ten:12,.0f})  {ten / one:.2f} x one")
    return {
        "columns_vs_floor": figure(
            "replay of columns, with exchange and digest, against building events for a bare handler",
            f"{one:.0f} ns an event",
            one / floor_ns,
            must=2.5,
            goal=1.6,
            better="lower",
        ),
    }


if __name__ == "__main__":
    main()
