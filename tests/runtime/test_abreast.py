"""Several runs in one pass: each has to come out as it does alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any

import pytest
import trio

from strategykit import Bars, Books, BookSnapshot, Order, Quote, Quotes, Strategy, Trade, Trades, define
from strategykit.columns.batch import Batch
from strategykit.columns.gathering import columns_of
from strategykit.errors import StrategyError
from strategykit.model.events import BookDelta, Event
from strategykit.runtime.abreast import backtest_abreast
from strategykit.runtime.backtest import BacktestPlan, backtest
from strategykit.runtime.column_source import MemoryColumns
from strategykit.runtime.report import RunReport
from strategykit.runtime.simulate import stream_guid
from strategykit.sim.models.fill_models import DEFAULT_MODELS, FillModels
from strategykit.sim.models.latency import Constant
from strategykit.venues.streams import Stream, StreamKind
from tests.runtime.columnar import INSTRUMENTS, Diarist, Reader, Trader, facts, make_market, make_source

SLOW = FillModels(order_latency=Constant(span=30_000_000), answer_latency=Constant(span=20_000_000))


@define
class Crossing(Strategy):
    """Two averages, in a handler."""

    fast: float = 0.2
    slow: float = 0.05
    trades = Trades("X")

    def __attrs_post_init__(self) -> None:
        self.averages = [0.0, 0.0]
        self.held = False

    def on_trade(self, trade: Trade) -> None:
        price, (fast, slow) = trade.price, self.averages
        self.averages = [fast + self.fast * (price - fast), slow + self.slow * (price - slow)]
        above = self.averages[0] > self.averages[1]
        if above is not self.held:
            self.held = above
            (self.buy_nowait if above else self.sell_nowait)(1)


@define
class Careless(Crossing):
    """Raises, some time."""

    last: int = 100

    def on_trade(self, trade: Trade) -> None:
        super().on_trade(trade)
        if int(trade.trade_id or 0) > self.last:
            raise ValueError(self.last)


@define
class Leaving(Crossing):
    """Has had enough, some time."""

    stay: float = 1.0

    async def run(self) -> None:
        await trio.sleep(self.stay)


@define
class ByBars(Strategy):
    """Waits for bars that are built of trades."""

    many: int = 2
    bars = Bars("X", "1s")

    async def run(self) -> None:
        count = 0
        async for _ in self.bars:
            count += 1
            if count % self.many == 0:
                self.buy_nowait(1, instrument="X")


def plan_of(source: MemoryColumns, make: Callable[[], Strategy], models: FillModels) -> BacktestPlan:
    return BacktestPlan(source=source, strategies=[("s", make())], models=models, collect=True, cash=Decimal(1000))


@pytest.mark.parametrize("models", [DEFAULT_MODELS, SLOW], ids=["at once", "late"])
@pytest.mark.parametrize(
    "makers",
    [
        [partial(Crossing, fast=fast, slow=slow) for fast in (0.5, 0.2) for slow in (0.05, 0.1)],
        [partial(Trader, every=every) for every in (5, 11)],
        [partial(Reader, hidden=hidden) for hidden in (True, False)],
        [partial(Careless, last=last) for last in (50, 300, 10_000)],
        [partial(Leaving, stay=stay) for stay in (0.5, 3.0, 1e6)],
        [partial(ByBars, many=many) for many in (1, 2, 5)],
        [partial(Crossing, fast=0.3), partial(Trader, every=3), Crossing, Reader, ByBars],
    ],
    ids=["crossing", "trader", "reader", "careless", "leaving", "bars", "mixed"],
)
def test_each_run_comes_out_as_it_does_alone(makers: Sequence[Callable[[], Strategy]], models: FillModels) -> None:
    source = make_source(make_market(3, 600))

    found = backtest_abreast(source, [partial(plan_of, source, make, models) for make in makers])

    alone = [backtest(plan_of(source, make, models)) for make in makers]
    assert [facts(report) for report in found] == [facts(report) for report in alone]
    assert any(report.orders for report in alone)


@define
class Batches(Strategy):
    """Gets columns."""

    every: int = 3
    trades = Trades("X")

    def on_trades(self, batch: Batch) -> None:
        if int(batch.receive_time[-1]) // 1000 % self.every == 0:
            self.buy_nowait(1)


@define
class Elsewhere(Strategy):
    """Goes by a stream that there may not be."""

    symbol: str = "Y"
    quotes = Quotes("{symbol}")

    def on_quote(self, quote: Quote) -> None:
        if quote.bid is not None and quote.bid > 1.02:
            self.buy_nowait(1)


@define
class Clinging(Crossing):
    """Won't be ended, and has orders whose answers come late."""

    async def run(self) -> None:
        while True:
            try:
                await trio.sleep_forever()
            except trio.Cancelled:
                self.buy_nowait(1)


@define
class Warm(Crossing):
    """Asks for history, which columns don't have."""

    bars = Bars("X", "1s", history=5)


@define
class Late(Crossing):
    """Places an order when the data are over."""

    async def run(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
                order: Order = self.buy_nowait(1)
                await order.ended()


def with_books(events: Sequence[Event]) -> list[Event]:
    """Put books between events, told by changes: to them, orders of any size are filled at other prices."""
    rng, found, guid = Random(4), list[Event](), stream_guid(StreamKind.BOOK, "X")
    for number, event in enumerate(events):
        time = event.receive_time
        if number % 40 == 0:
            asks = tuple(round(1.02 + level * 0.01, 2) for level in range(5))
            bids = tuple(round(0.98 - level * 0.01, 2) for level in range(5))
            found.append(BookSnapshot("X", bids, (1.0,) * 5, asks, (1.0,) * 5, None, time, guid))
        else:
            price, size = round(1.02 + rng.randrange(5) * 0.01, 2), float(rng.randrange(3))
            found.append(BookDelta("X", (), (), (price,), (size,), None, time, guid))
        found.append(event)
    return found


def compare(
    makers: Sequence[Callable[[], Strategy]], models: FillModels, count: int = 300, *, books: bool = False
) -> list[object]:
    market = make_market(5, count)
    source = make_source(with_books(market) if books else market)
    parts: list[float] = []
    found = backtest_abreast(
        source, [partial(plan_of, source, make, models) for make in makers], on_progress=parts.append
    )
    for report, make in zip(found, makers, strict=True):
        if isinstance(report, RunReport):
            assert facts(report) == facts(backtest(plan_of(source, make, models)))
    assert abs(parts[-1] - 1.0) < 1e-9
    return [report if isinstance(report, StrategyError) else "" for report in found]


def test_runs_that_go_by_columns_or_other_streams_get_passes_of_their_own() -> None:
    makers: list[Callable[[], Strategy]] = [
        Batches,
        partial(Batches, every=5),
        Elsewhere,
        Crossing,
        partial(Elsewhere, symbol="X"),
    ]

    assert compare(makers, DEFAULT_MODELS) == [""] * 5


def test_a_run_without_its_stream_is_told_and_keeps_nobody_from_running() -> None:
    told = compare([Crossing, partial(Elsewhere, symbol="Z"), partial(Crossing, fast=0.4)], DEFAULT_MODELS)

    assert told[0] == told[2] == ""
    assert "the recording has no quotes Z" in str(told[1])


@pytest.mark.parametrize("models", [DEFAULT_MODELS, SLOW], ids=["at once", "late"])
def test_the_end_of_one_run_is_its_own_affair(models: FillModels) -> None:
    assert compare([Late, Crossing, partial(Leaving, stay=0.3), Warm, partial(Late, fast=0.4)], models) == [""] * 5


def test_all_runs_may_have_had_enough() -> None:
    assert compare([partial(Leaving, stay=0.3), partial(Leaving, stay=0.5)], DEFAULT_MODELS) == ["", ""]


def test_many_runs_share_what_an_exchange_knows_until_they_have_orders() -> None:
    """More events than a window has, and crosses in the midst of it."""
    assert compare([partial(Crossing, fast=fast) for fast in (0.9, 0.11)], SLOW, 1_200) == [""] * 2


@define
class Deep(Strategy):
    """Goes by the book, and has limits resting in it."""

    part: float = 0.5
    books = Books("X")

    def on_book(self, book: BookSnapshot) -> None:
        if book.ask_sizes and sum(book.ask_sizes) * self.part < 2:
            self.buy_nowait(3)
        elif book.bid_prices and len(book.ask_prices) == 3:
            self.buy_nowait(1, limit=book.bid_prices[0])


@pytest.mark.parametrize("models", [DEFAULT_MODELS, SLOW], ids=["at once", "late"])
def test_books_that_runs_share_are_each_runs_own_once_it_has_orders(models: FillModels) -> None:
    makers: list[Callable[[], Strategy]] = [
        *(partial(Crossing, fast=fast) for fast in (0.9, 0.2, 0.11)),
        *(partial(Deep, part=part) for part in (0.3, 0.5)),
    ]

    assert compare(makers, models, books=True) == [""] * 5


def in_pieces(events: Sequence[Event], size: int) -> MemoryColumns:
    """Give events as columns of a few rows each, so that stretches differ in what streams they have."""
    streams: dict[Stream, list[Event]] = {}
    for event in events:
        kind = StreamKind.TRADES if type(event) is Trade else StreamKind.QUOTES
        streams.setdefault(Stream(kind=kind, instrument=event.instrument), []).append(event)
    pieces = {
        stream: [columns_of(stream, rows[start : start + size]) for start in range(0, len(rows), size)]
        for stream, rows in streams.items()
    }
    return MemoryColumns(pieces, INSTRUMENTS)


@define
class Patient(Diarist):
    """Reads trades in a task, and orders now and then."""

    every: int = 9
    trades = Trades("X")

    async def run(self) -> None:
        async for trade in self.trades:
            self.note("read", trade.price)
            if len(self.seen) % self.every == 0:
                self.buy_nowait(1)
                await trio.sleep(0.03)


@define
class Eager(Diarist):
    """Orders at the market, by a handler."""

    every: int = 5
    trades = Trades("X")

    def on_trade(self, trade: Trade) -> None:
        self.note("trade", trade.price)
        if len(self.seen) % self.every == 0:
            self.buy_nowait(1)


@pytest.mark.parametrize("kind", [Patient, Eager])
@pytest.mark.parametrize("quoted", [True, False], ids=["with quotes", "trades alone"])
@pytest.mark.parametrize("models", [DEFAULT_MODELS, SLOW], ids=["at once", "late"])
def test_streams_that_pause_and_begin_again_are_seen_by_each_run(
    kind: Callable[..., Diarist], models: FillModels, *, quoted: bool
) -> None:
    """Of a market that runs share, each goes by what it has seen, whichever streams a stretch has."""
    market = make_market(3, 600, ties=False)
    events = [event for number, event in enumerate(market) if type(event) is Trade or (quoted and number // 100 % 2)]
    source, makers = in_pieces(events, 20), [partial(kind, every=every) for every in (5, 9, 13, 1_000)]
    made: list[list[Any]] = [[] for _ in makers]

    def make(number: int) -> Strategy:
        made[number].append(makers[number]())
        strategy: Strategy = made[number][-1]
        return strategy

    together = backtest_abreast(
        source, [partial(plan_of, source, partial(make, n), models) for n in range(len(makers))]
    )
    seen = [each[-1].seen for each in made]

    assert [facts(report) for report in together] == [
        facts(backtest(plan_of(source, partial(make, n), models))) for n in range(len(makers))
    ]
    assert seen == [each[-1].seen for each in made]
    assert len(seen[-1]) == sum(type(event) is Trade for event in events)
