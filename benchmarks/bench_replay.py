"""Replay of events at hand: handlers against a bare loop, an ``async for`` against a memory channel, woken tasks.

Interleaved rounds, medians of CPU time; read the ratios.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import trio

from benchmarks.figures import Figure, figure
from strategykit import Instrument, Strategy, Trade, Trades, define
from strategykit.runtime.desk import Desk
from strategykit.runtime.simulate import simulate
from strategykit.testing import make_trades
from strategykit.testing.markets import START

__all__ = ["main"]

EVENTS = 1_000_000
"""So many that the 6 ms in which a run begins and ends weigh little."""

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


@define
class Read(Count):
    """The same in an ``async for``, with no handler."""

    def own_handler(self, name: str) -> Callable[[Any], None] | None:  # noqa: ARG002 - the signature of the base
        return None

    async def run(self) -> None:
        async for trade in self.trades:
            self.count += 1
            self.total += trade.price


@define
class Wake(Count):
    """The same, and every hundredth event wakes a task."""

    def attach(self, desk: Desk) -> None:
        super().attach(desk)
        self.woken = 0
        self.signal = desk.signal()

    def on_trade(self, trade: Trade) -> None:
        self.count += 1
        self.total += trade.price
        if not self.count % 100:
            self.signal.notify()

    async def run(self) -> None:
        while True:
            await self.signal.wait()
            self.woken += 1


class Floor:
    """The same work with nothing around it."""

    def __init__(self) -> None:
        self.count, self.total = 0, 0.0

    def on_trade(self, trade: Trade) -> None:
        self.count += 1
        self.total += trade.price


def _timed(work: Callable[[], None], count: int) -> float:
    gc.collect()
    begin = time.process_time()
    work()
    return (time.process_time() - begin) / count * 1e9


async def _through_channel(events: Sequence[Trade]) -> tuple[int, float]:
    """Read events from a memory channel, as strategies elsewhere do."""
    bare = Floor()
    sender, receiver = trio.open_memory_channel[Trade](0)

    async def read() -> None:
        async for trade in receiver:
            bare.on_trade(trade)

    async with trio.open_nursery() as nursery, sender:
        nursery.start_soon(read)
        for event in events:
            await sender.send(event)
        sender.close()
    return bare.count, bare.total


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

    def replay(kind: type[Count], strategies: int = 1) -> None:
        counters = [(f"count-{number}", kind()) for number in range(strategies)]
        simulate(counters, events, instruments={"SBER": Instrument("SBER")}, start=START, paper=False)
        seen.update((counter.count, counter.total) for _, counter in counters)
        if kind is Wake and sum(getattr(counter, "woken", 0) for _, counter in counters) != count // 100:
            raise RuntimeError("not every hundredth event woke the task")

    few = events[: max(count // 10, 10)]

    def channel() -> None:
        told.add(trio.run(_through_channel, few))

    seen: set[tuple[int, float]] = set()
    told: set[tuple[int, float]] = set()
    works: dict[str, tuple[Callable[[], None], int]] = {
        "floor": (floor, count),
        "one": (lambda: replay(Count), count),
        "ten": (lambda: replay(Count, 10), count),
        "async for": (lambda: replay(Read), count),
        "channel": (channel, len(few)),
        "woken": (lambda: replay(Wake), count),
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range((ROUNDS if scale >= 1 else 1) + 1):
        measured = {name: _timed(work, each) for name, (work, each) in works.items()}
        if number:
            for name, value in measured.items():
                times[name].append(value)
    gc.unfreeze()
    total = 0.0
    for event in few:  # As handlers do; `sum` is more exact since Python 3.12.
        total += event.price
    if len(seen) != 1 or told != {(len(few), total)}:
        raise RuntimeError(f"the sides didn't see the same trades: {seen}, {told}")
    floor_ns, one, ten, reading, sent, woken = (statistics.median(times[name]) for name in works)
    print(f"replay, {count} trades, ns an event (events a second)")
    print(f"  for event in events: handler(event)   {floor_ns:7.0f}  ({1e9 / floor_ns:12,.0f})")
    print(f"  one strategy, one handler             {one:7.0f}  ({1e9 / one:12,.0f})  {one / floor_ns:.2f} x floor")
    print(
        f"  ten strategies side by side           {ten:7.0f}  ({1e9 / ten:12,.0f})  "
        f"{ten / floor_ns / 10:.2f} x ten floors"
    )
    print(f"  an async for over the stream          {reading:7.0f}  ({1e9 / reading:12,.0f})")
    print(
        f"  a memory channel                      {sent:7.0f}  ({1e9 / sent:12,.0f})  {sent / reading:.1f} async fors"
    )
    print(f"  every hundredth wakes a task          {woken:7.0f}  ({1e9 / woken:12,.0f})")
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
        "async_for_vs_channel": figure(
            "an async for over a replayed stream, against a memory channel an event",
            f"{reading:.0f} ns an event",
            sent / reading,
            must=15,
            goal=35,
        ),
        "woken_vs_sync": figure(
            "replay with a task woken every hundredth event, against none woken",
            f"{woken:.0f} ns an event",
            one / woken,
            must=0.3,
            goal=0.55,
        ),
    }


if __name__ == "__main__":
    main()
