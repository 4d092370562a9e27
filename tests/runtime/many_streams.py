"""A market with all that a strategy can decide by, and strategies that do: for digests that are equal everywhere.

Where two Pythons add up, round or order anything differently, some order here becomes another one.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import trio

from strategykit import Bar, Bars, Books, BookSnapshot, Quotes, Strategy, Trades, atr, define, ema, highest, rsi, sma
from strategykit.columns.gathering import columns_of_all
from strategykit.model.events import BookDelta, Event, Quote, Side, Trade
from strategykit.model.instruments import Instrument
from strategykit.runtime.backtest import BacktestPlan, backtest
from strategykit.runtime.column_source import MemoryColumns
from strategykit.runtime.report import RunReport
from strategykit.runtime.simulate import stream_guid
from strategykit.sim.fees import FeeModel, FeeTier
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.models.impact import Impact
from strategykit.sim.models.latency import Drawn
from strategykit.sim.models.queues import FillRule
from strategykit.testing import START
from strategykit.venues.streams import Stream, StreamKind

__all__ = ["MODELS", "Averager", "Leaner", "make_streams", "replay_streams"]

Levels = dict[float, float]
"""Sizes by price."""

LENGTH: Final = 10_000_000_000
"""Nanoseconds of a bar."""

SIZES: Final = (0.1, 0.2, 0.3, 0.7, 1.1, 1.3, 2.9)
"""Lots. The order in which they are added decides on the last bit of a sum that is rounded on the way."""

MODELS: Final = FillModels(
    rule=FillRule.PROBABILITY,
    partial=True,
    order_latency=Drawn(samples=(1_000_000, 30_000_000, 900_000_000), seed=3),
    answer_latency=Drawn(samples=(0, 5_000_000), seed=4),
    fees=FeeModel(
        maker_rate=Decimal("-0.0001"),
        taker_rate=Decimal("0.00035"),
        taker_per_lot=Decimal("0.013"),
        order_minimum=Decimal("0.02"),
        tiers=(FeeTier(volume=Decimal(5_000), maker_rate=Decimal("-0.0002"), taker_rate=Decimal("0.0003")),),
    ),
    impact=Impact(ticks_per_root_lot=Decimal("0.3")),
)


@define
class Leaner(Strategy):
    """Goes with the heavier side of the book, and takes the other way where both weigh the same."""

    count: int = 7

    books = Books("X")
    quotes = Quotes("X")

    def on_book(self, book: BookSnapshot) -> None:
        imbalance, held = self.books.book.imbalance(self.count), self.position("X")
        bid, ask = self.books.best_bid, self.books.best_ask
        if imbalance is None or bid is None or ask is None or len(self.open_orders()) > 8:
            return
        if imbalance > 0 and held < 12:
            self.buy_nowait(2, instrument="X", limit=bid)
        elif imbalance < 0 and held > -12:
            self.sell_nowait(2, instrument="X", limit=ask)
        elif imbalance == 0:
            (self.sell_nowait if held > 0 else self.buy_nowait)(3, instrument="X")

    async def run(self) -> None:
        while True:
            await trio.sleep(7)
            for order in self.open_orders():
                order.cancel_nowait()


@define
class Averager(Strategy):
    """Goes by averages of bars, trades and the depth of the book, all at once."""

    fast: int = 3
    slow: int = 8

    bars = Bars("X", "10s")
    books = Books("X", depth=4)
    trades = Trades("X")

    def __attrs_post_init__(self) -> None:
        self.calm = 0.0

    def on_bar(self, bar: Bar) -> None:
        lots = self.books.book.depth(Side.BUY) - self.books.book.depth(Side.SELL, 5)
        self.calm += 0.1 * (lots - self.calm)
        if lots > self.calm and self.position("X") < 10:
            self.buy_nowait(1, instrument="X", limit=bar.close - self.width.value if self.width.value else None)

    async def run(self) -> None:
        self.width = atr(self.bars, 4)
        fast, slow = sma(self.bars, self.fast), ema(self.trades, self.slow)
        strength, top = rsi(self.trades, 5), highest(self.trades, 9)
        while True:
            await self.when(fast > slow)
            self.buy_nowait(2, instrument="X")
            await self.when((strength > 60) | (self.trades.price >= top))
            held = self.position("X")
            if held > 0:
                self.sell_nowait(held, instrument="X")
            await trio.sleep(3)


def make_streams(seed: int, count: int) -> dict[Stream, list[Event]]:
    """Give trades, quotes, a book by its changes, and bars, all of one instrument, each oldest first."""
    rng, time, price = random.Random(seed), START, 100.0
    trades, quotes, book = (
        Stream(kind=kind, instrument="X") for kind in (StreamKind.TRADES, StreamKind.QUOTES, StreamKind.BOOK)
    )
    bars = Stream(kind=StreamKind.BARS, instrument="X", interval=LENGTH)
    found: dict[Stream, list[Event]] = {trades: [], quotes: [], book: [], bars: []}
    guids = {stream: stream_guid(stream.kind, "X", stream.interval) for stream in found}
    shown: tuple[Levels, Levels] = {}, {}
    opened, seen = START, [price]
    for number in range(count):
        time += rng.choice((1_000, 40_000_000, 700_000_000, 1_500_000_000))
        if time >= opened + LENGTH:
            told = (seen[0], max(seen), min(seen), seen[-1], float(len(seen)), True, None)
            found[bars].append(Bar("X", opened, LENGTH, *told, time, guids[bars]))
            opened, seen = time - (time - START) % LENGTH, []
        price = round(price + rng.choice((-0.01, 0.0, 0.01)), 2)
        seen.append(price)
        if rng.random() < 0.4:
            side = rng.choice((Side.BUY, Side.SELL, None))
            found[trades].append(Trade("X", price, rng.choice(SIZES), side, number, time, time, guids[trades]))
            continue
        # Mostly both sides hold the same sizes, each in an order of its own.
        bids = _levels([price - 0.01 * level for level in range(1, 8)], rng.sample(SIZES, 7))
        others = rng.sample(SIZES, 7) if rng.random() < 0.7 else rng.choices(SIZES, k=7)
        asks = _levels([price + 0.01 * level for level in range(1, 8)], others)
        whole = number % 50 == 0 or not shown[0]
        less, more = (bids, asks) if whole else (_changes(shown[0], bids), _changes(shown[1], asks))
        changed = (tuple(less), tuple(less.values()), tuple(more), tuple(more.values()), time, time, guids[book])
        found[book].append(BookSnapshot("X", *changed) if whole else BookDelta("X", *changed))
        shown = bids, asks
        (bid, bid_size), (ask, ask_size) = next(iter(bids.items())), next(iter(asks.items()))
        found[quotes].append(Quote("X", bid, bid_size, ask, ask_size, None, time, time, guids[quotes]))
    return found


def _levels(prices: Sequence[float], sizes: Sequence[float]) -> Levels:
    return dict(zip((round(price, 2) for price in prices), sizes, strict=True))


def _changes(old: Levels, new: Levels) -> Levels:
    return {price: new.get(price, 0.0) for price in {**old, **new} if old.get(price) != new.get(price)}


def replay_streams(streams: Mapping[Stream, Sequence[Event]]) -> RunReport:
    """Run both strategies on streams, side by side."""
    columns = {stream: list(columns_of_all(stream, events)) for stream, events in streams.items()}
    source = MemoryColumns(columns, {"X": Instrument("X", tick=Decimal("0.01"))})
    strategies = [("leaner", Leaner()), ("averager", Averager())]
    return backtest(BacktestPlan(source=source, strategies=strategies, models=MODELS, seed=5))
