"""Markets as columns, and what strategies note in them: shared by the tests of replaying columns."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any

import attrs
import trio

from strategykit import Order, Quote, Quotes, Strategy, Trade, Trades, define
from strategykit.columns.gathering import columns_of_all
from strategykit.model.events import Event, Fill, Side
from strategykit.model.instruments import Instrument
from strategykit.runtime.backtest import BacktestPlan, backtest
from strategykit.runtime.column_source import MemoryColumns
from strategykit.runtime.report import RunReport
from strategykit.runtime.simulate import Simulation, kind_of, simulate, stream_guid
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.models.latency import Constant
from strategykit.testing import START
from strategykit.venues.streams import Stream, StreamKind

__all__ = [
    "INSTRUMENTS",
    "Diarist",
    "Reader",
    "Trader",
    "facts",
    "make_market",
    "make_source",
    "replay_columns",
    "replay_events",
    "seen_by",
]

INSTRUMENTS = {symbol: Instrument(symbol, tick=Decimal("0.01")) for symbol in "XY"}


class Diarist(Strategy):
    """Writes down all that happens to it, and when."""

    def __attrs_post_init__(self) -> None:
        self.seen: list[tuple[str, object, int]] = []

    def note(self, kind: str, what: object) -> None:
        self.seen.append((kind, what, self.now() - START))

    def on_order(self, order: Order) -> None:
        self.note("order", order.state.value)

    def on_fill(self, fill: Fill) -> None:
        self.note("fill", (fill.side.value, fill.price, fill.quantity))


@define
class Trader(Diarist):
    """Handlers, tasks, timers, conditions and orders, all at once."""

    every: int = 7

    trades = Trades("X")
    quotes = Quotes("Y")

    def on_trade(self, trade: Trade) -> None:
        self.note("trade", trade.price)
        if len(self.seen) % self.every == 0:
            self.buy_nowait(1, instrument="X")

    def on_quote(self, quote: Quote) -> None:
        self.note("quote", quote.bid)
        if len(self.seen) % self.every == 3:
            self.sell_nowait(1, instrument="X", limit=self.trades.last.price + 0.01 if self.trades.last else 1.0)

    async def tick(self) -> None:
        while True:
            await trio.sleep(0.25)
            self.note("tick", None)

    async def read(self) -> None:
        async for quote in self.quotes:
            self.note("read", quote.ask)
            if len(self.seen) % 10 == 4:
                await trio.sleep(0.05)

    async def run(self) -> None:
        self.start(self.tick)
        self.start(self.read)
        while True:
            await self.when(self.trades.price > 1.02)
            self.note("high", None)
            with trio.move_on_after(0.2):
                await self.when(self.trades.price < 0.99)
            self.note("low or late", None)
            await trio.sleep(0.01)


@define
class Reader(Diarist):
    """Only reads, in one task, and now and then does something else there."""

    hidden: bool = True
    trades = Trades("X")

    async def read(self) -> None:
        if self.hidden:
            async for trade in self.trades:
                await self.take(trade)
        else:  # An iterator that somebody holds: each event wakes its task.
            source = aiter(self.trades)
            while True:
                await self.take(await anext(source))

    async def take(self, trade: Trade) -> None:
        self.note("read", trade.price)
        match len(self.seen) % 11:
            case 3:
                with trio.move_on_after(0.02):
                    await trio.sleep(0.01 if trade.price > 1 else 1)
                self.note("slept", None)
            case 5:
                self.buy_nowait(1)
            case 7:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self.child)
            case 9:
                await trio.lowlevel.checkpoint()

    async def child(self) -> None:
        self.note("child", None)
        await trio.sleep(0.003)

    async def run(self) -> None:
        while True:
            with trio.move_on_after(0.4):
                await self.read()
            self.note("again", None)


def make_market(seed: int, count: int, *, ties: bool = True) -> list[Event]:
    """Give trades of X and quotes of Y and X, oldest first; some come at one time."""
    rng, time, events = random.Random(seed), START, list[Event]()
    guids = {
        (kind, symbol): stream_guid(kind, symbol) for kind in (StreamKind.TRADES, StreamKind.QUOTES) for symbol in "XY"
    }
    for number in range(count):  # The first is a quote of Y, the last a trade: there is something of each.
        time += rng.choice([0, 1_000, 10_000_000, 40_000_000]) if ties else rng.randrange(1, 40_000_000)
        price = round(1 + rng.randrange(-5, 6) * 0.01, 2)
        if number and (number == count - 1 or rng.random() < 0.6):
            guid = guids[StreamKind.TRADES, "X"]
            events.append(Trade("X", price, 1.0, rng.choice([Side.BUY, None]), number, None, time, guid))
        else:
            symbol = rng.choice("XY") if number else "Y"
            guid = guids[StreamKind.QUOTES, symbol]
            events.append(Quote(symbol, price - 0.01, 1.0, price + 0.01, 2.0, None, time, time, guid))
    return events


def make_source(events: Sequence[Event]) -> MemoryColumns:
    """Give events as columns; at one time, those of trades come first."""
    streams: dict[Stream, list[Event]] = {}
    for event in events:
        kind = kind_of(event)
        assert kind is not None
        streams.setdefault(Stream(kind=kind, instrument=event.instrument), []).append(event)
    ordered = dict(
        sorted(streams.items(), key=lambda item: (item[0].kind.value, item[0].instrument or ""), reverse=True)
    )
    return MemoryColumns({stream: list(columns_of_all(stream, rows)) for stream, rows in ordered.items()}, INSTRUMENTS)


def in_source_order(events: Sequence[Event]) -> list[Event]:
    """Give events in the order that `make_source` gives them at one time."""
    found: list[Event] = []
    for _, alike in groupby(events, key=lambda event: event.receive_time):
        found += sorted(alike, key=lambda event: (type(event) is Trade, event.instrument or ""), reverse=True)
    return found


def replay_columns(
    strategies: Mapping[str, Strategy], events: Sequence[Event], *, latency: int = 0, feed: int = 0, seed: int = 0
) -> RunReport:
    models = make_models(latency, feed)
    return backtest(
        BacktestPlan(source=make_source(events), strategies=list(strategies.items()), models=models, seed=seed)
    )


def replay_events(
    strategies: Mapping[str, Strategy],
    events: Sequence[Event],
    *,
    latency: int = 0,
    feed: int = 0,
    seed: int = 0,
    watched: bool = False,
) -> Simulation:
    """Run the same on events; `watched`: each takes the long way through the engine."""
    ordered = in_source_order(events)
    return simulate(
        list(strategies.items()),
        ordered,
        instruments=INSTRUMENTS,
        start=ordered[0].receive_time,
        models=make_models(latency, feed),
        seed=seed,
        ready=lambda run: run.engine.watchers.extend([_look_on] * watched),
    )


def _look_on(event: Event) -> None:
    """Watch: then each event goes through the engine."""


def make_models(latency: int, feed: int) -> FillModels:
    return FillModels(order_latency=Constant(span=latency), feed_latency=Constant(span=feed))


def seen_by(make: Callable[[], Mapping[str, Diarist]], run: Callable[[Mapping[str, Strategy]], object]) -> list[Any]:
    """Give what strategies of a kind noted in a run."""
    strategies = make()
    run(strategies)
    return [diarist.seen for diarist in strategies.values()]


def facts(report: object) -> dict[str, Any]:
    """Give all that a report says, to be compared with another one's."""
    assert isinstance(report, RunReport), report
    found = attrs.asdict(report, recurse=False)
    return {**found, "strategies": [attrs.evolve(item, error=item.error) for item in report.strategies]}
