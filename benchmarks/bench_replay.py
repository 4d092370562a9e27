"""Replay: events a second with one counting handler, against the bare loop over the same events.

Interleaved rounds, medians; read the ratio. Goal: at most 2.5 times the floor.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable

from benchmarks.figures import Figure, figure
from strategykit import Instrument, Strategy, Trade, Trades, define
from strategykit.runtime.desk import Desk
from strategykit.runtime.simulate import simulate
from strategykit.testing import make_trades
from strategykit.testing.markets import START

__all__ = ["main"]

EVENTS = 500_000
ROUNDS = 5


@define
class Count(Strategy):
    """Count trades and add up their prices."""

    trades = Trades("SBER")

    def attach(self, desk: Desk) -> None:
        super().attach(desk)
        self.count, self.total = 0, 0.0

    def on_trade(self, trade: Trade) -> None:
        self.count += 1
        self.total += trade.price


class Floor:
    """The same work with nothing around it."""

    def __init__(self) -> None:
        self.count, self.total = 0, 0.0

    def on_trade(self, trade: Trade) -> None:
        self.count += 1
        self.total += trade.price


def _timed(work: Callable[[], None], count: int) -> float:
    gc.collect()
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) / count * 1e9


def main(scale: float = 1.0) -> dict[str, Figure]:
    """Measure, print, and give the figures by name."""
    count = max(int(EVENTS * scale), 10)
    events = make_trades("SBER", [270 + i % 100 * 0.01 for i in range(count)], every=0.001)
    gc.collect()
    gc.freeze()

    def floor() -> None:
        bare = Floor()
        handler = bare.on_trade
        for event in events:
            handler(event)
        seen.add((bare.count, bare.total))

    def replay(strategies: int) -> None:
        counters = [(f"count-{number}", Count()) for number in range(strategies)]
        simulate(counters, events, instruments={"SBER": Instrument("SBER")}, start=START, paper=False)
        seen.update((counter.count, counter.total) for _, counter in counters)

    seen: set[tuple[int, float]] = set()
    times: dict[str, list[float]] = {"floor": [], "one": [], "ten": []}
    for number in range((ROUNDS if scale >= 1 else 1) + 1):
        measured = {
            "floor": _timed(floor, count),
            "one": _timed(lambda: replay(1), count),
            "ten": _timed(lambda: replay(10), count),
        }
        if number:
            for name, value in measured.items():
                times[name].append(value)
    gc.unfreeze()
    if len(seen) != 1:
        raise RuntimeError(f"the sides didn't see the same trades: {seen}")
    floor_ns, one, ten = (statistics.median(times[name]) for name in ("floor", "one", "ten"))
    print(f"replay, {count} trades, ns an event (events a second)")
    print(f"  for event in events: handler(event)   {floor_ns:7.0f}  ({1e9 / floor_ns:12,.0f})")
    print(f"  one strategy, one handler             {one:7.0f}  ({1e9 / one:12,.0f})  {one / floor_ns:.2f} x floor")
    print(
        f"  ten strategies side by side           {ten:7.0f}  ({1e9 / ten:12,.0f})  "
        f"{ten / floor_ns / 10:.2f} x ten floors"
    )
    return {
        "replay_vs_floor": figure(
            "replay, one handler, against a bare loop",
            f"{one:.0f} ns an event",
            one / floor_ns,
            must=2.5,
            goal=1.6,
            better="lower",
        ),
        "replay_ten_vs_ten_floors": figure(
            "ten strategies side by side, against ten bare loops",
            f"{ten:.0f} ns an event",
            ten / floor_ns / 10,
            must=2.5,
            goal=1.6,
            better="lower",
        ),
    }


if __name__ == "__main__":
    main()
