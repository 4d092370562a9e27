"""Whatever a market tells, and whenever its streams pause: sets that run side by side come out as each does alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, Final

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit import Order, Strategy, Trade, Trades, define
from strategykit.columns.gathering import columns_of
from strategykit.model.events import (
    Bar,
    BookDelta,
    BookSnapshot,
    ByOrderDelta,
    ByOrderSnapshot,
    Event,
    Quote,
    Side,
    Ticker,
)
from strategykit.runtime.abreast import backtest_abreast
from strategykit.runtime.backtest import BacktestPlan, backtest
from strategykit.runtime.column_source import MemoryColumns
from strategykit.runtime.simulate import stream_guid
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.models.latency import Constant
from strategykit.testing import START
from strategykit.venues.streams import Stream, StreamKind
from tests.runtime.columnar import INSTRUMENTS, Diarist, facts

SECOND: Final = 1_000_000_000

OTHERS: Final = (StreamKind.QUOTES, StreamKind.BOOK, StreamKind.BOOK_BY_ORDER, StreamKind.BARS, StreamKind.TICKER)


@define
class Orderer(Diarist):
    """Orders by chance: at the market, with a limit, with a stop; and withdraws some."""

    seed: int = 0
    rate: float = 0.1
    trades = Trades("X")

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.chance = random.Random(self.seed)
        self.placed: list[Order] = []

    def take(self, trade: Trade) -> None:
        self.note("trade", trade.price)
        chance = self.chance
        if chance.random() > self.rate:
            return
        place = chance.choice((self.buy_nowait, self.sell_nowait))
        match chance.randrange(4):
            case 0:
                self.placed.append(place(1, limit=round(trade.price + chance.randrange(-4, 5) * 0.01, 2)))
            case 1 if self.placed:
                self.placed[-1].cancel_nowait()
            case _:
                self.placed.append(place(chance.randrange(1, 4)))


@define
class ByHandler(Orderer):
    def on_trade(self, trade: Trade) -> None:
        self.take(trade)


@define
class ByReading(Orderer):
    async def run(self) -> None:
        async for trade in self.trades:
            self.take(trade)
            if self.chance.random() < 0.05:
                await trio.sleep(self.chance.random() * 0.2)


@define
class NotForLong(ByHandler):
    async def run(self) -> None:
        await trio.sleep(self.chance.random() * 4)


def make_event(kind: StreamKind, chance: random.Random, time: int, price: float, *, begun: bool) -> Event:
    """Give an event of a stream, and one that such a stream begins with unless it has `begun`."""
    guid = stream_guid(kind, "X", SECOND if kind is StreamKind.BARS else None)
    below, above = round(price - 0.01, 2), round(price + 0.01, 2)
    size = float(chance.randrange(1, 4))
    sides = ((below,), (size,), (above,), (size,))
    if kind is StreamKind.TRADES:
        return Trade("X", price, size, chance.choice([*Side, None]), None, None, time, guid, chance.random() < 0.05)
    if kind is StreamKind.QUOTES:
        return Quote("X", below, size, above, size, None, time, time, guid)
    if kind is StreamKind.BOOK:
        return (BookDelta if begun else BookSnapshot)("X", *sides, None, time, guid)
    if kind is StreamKind.BOOK_BY_ORDER:
        named = (("b",), (below,), (size,), ("a",), (above,), (size,))
        return (ByOrderDelta if begun else ByOrderSnapshot)("X", *named, None, time, guid)
    if kind is StreamKind.BARS:
        return Bar("X", time // SECOND * SECOND, SECOND, price, above, below, price, 3.0, True, None, time, guid)
    return Ticker("X", price, None, None, None, None, None, None, None, time, guid)


def make_source(seed: int, count: int) -> MemoryColumns:
    """Give trades and some other streams of X, which begin late, pause and end; in pieces of any size."""
    chance, time, price = random.Random(seed), START, 100
    kinds = [kind for kind in OTHERS if chance.random() < 0.5]
    spans = {kind: sorted(chance.sample(range(count), 2)) for kind in kinds}
    rows: dict[StreamKind, list[Event]] = {StreamKind.TRADES: []}
    for number in range(count):
        time += chance.randrange(1, 30_000_000)
        price = max(80, min(120, price + chance.randrange(-2, 3)))
        now = [kind for kind, (begin, end) in spans.items() if begin <= number < end]
        kind = chance.choice([StreamKind.TRADES, *now]) if 0 < number < count - 1 else StreamKind.TRADES
        told = rows.setdefault(kind, [])
        told.append(make_event(kind, chance, time, price / 100, begun=bool(told)))
    streams = {
        Stream(kind=kind, instrument="X", interval=SECOND if kind is StreamKind.BARS else None): told
        for kind, told in rows.items()
    }
    pieces: dict[Stream, list[Any]] = {}
    for stream, told in streams.items():
        size, row = chance.choice([7, 50, 10_000]), 0
        while row < len(told):
            end = row + 1
            while end < min(row + size, len(told)) and type(told[end]) is type(told[row]):
                end += 1
            pieces.setdefault(stream, []).append(columns_of(stream, told[row:end]))
            row = end
    return MemoryColumns(pieces, INSTRUMENTS)


def make_models(chance: random.Random) -> FillModels:
    spans = [chance.choice([0, 0, 1_000, 60_000_000]) for _ in range(2)]
    latencies = [Constant(span=span) for span in spans]
    return FillModels(order_latency=latencies[0], answer_latency=latencies[1], partial=chance.random() < 0.3)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1_000_000), count=st.sampled_from([60, 400]), sets=st.integers(2, 4))
def test_sets_side_by_side_see_and_do_what_each_does_alone(seed: int, count: int, sets: int) -> None:
    chance, source = random.Random(seed), make_source(seed, count)
    models, made = make_models(chance), list[Orderer]()
    makers: list[Callable[[], Orderer]] = [
        partial(chance.choice((ByHandler, ByReading, NotForLong)), seed=number, rate=chance.choice([0.003, 0.03, 0.3]))
        for number in range(sets)
    ]

    def plan(maker: Callable[[], Orderer]) -> BacktestPlan:
        strategy: Strategy = maker()
        assert isinstance(strategy, Orderer)
        made.append(strategy)
        return BacktestPlan(
            source=source, strategies=[("s", strategy)], models=models, cash=Decimal(1000), collect=True
        )

    together = [facts(report) for report in backtest_abreast(source, [partial(plan, maker) for maker in makers])]
    seen = {strategy.seed: strategy.seen for strategy in made}

    for number, maker in enumerate(makers):
        assert facts(backtest(plan(maker))) == together[number]
        assert made[-1].seen == seen[number]
