"""Streams that only some venues have: books by order, rates, volumes, assets; what strategies get of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest

from strategykit import (
    Assets,
    AssetUpdate,
    BooksByOrder,
    BookSnapshot,
    ByOrderDelta,
    ByOrderSnapshot,
    Gap,
    Rate,
    Rates,
    Strategy,
    Trades,
    Volume,
    Volumes,
    define,
    sma,
)
from strategykit.errors import ConfigError
from strategykit.model.by_order import parallel_orders
from strategykit.model.events import Event, Side
from strategykit.runtime.prices import LastPrices
from strategykit.runtime.simulate import stream_guid
from strategykit.testing import START, make_trades, run_strategy
from strategykit.venues.streams import StreamKind

SECOND = 1_000_000_000
GUID = stream_guid(StreamKind.BOOK_BY_ORDER, "X")

Order = tuple[str | None, float, float]


def whole(at: int, *bids: Order, asks: tuple[Order, ...] = ()) -> ByOrderSnapshot:
    time = START + at * SECOND
    return ByOrderSnapshot("X", *parallel_orders(bids), *parallel_orders(asks), time, time, GUID, snapshot=True)


def change(at: int, *bids: Order, asks: tuple[Order, ...] = ()) -> ByOrderDelta:
    time = START + at * SECOND
    return ByOrderDelta("X", *parallel_orders(bids), *parallel_orders(asks), time, time, GUID)


def gap(at: int) -> Gap:
    time = START + at * SECOND
    return Gap("X", time, time, "lost", None, time, GUID)


def rate(at: int, value: float) -> Rate:
    time = START + at * SECOND
    return Rate("SOL/USD", value, "BASE_QUOTE_ISOLATED", time, time, "")


def volume(at: int, period: str, base: float) -> Volume:
    time = START + at * SECOND
    return Volume("X", period, base, 2 * base, time, time, "")


def asset(at: int, price: float | None) -> AssetUpdate:
    time = START + at * SECOND
    return AssetUpdate("BTC", "Bitcoin", True, price, None, None, None, "{}", None, time, "")


@define
class Reader(Strategy):
    """Notes what it is told by each way there is."""

    orders = BooksByOrder("X")
    got: list[Any] = attrs.field(factory=list, init=False)

    def on_book_by_order(self, change: ByOrderSnapshot | ByOrderDelta) -> None:
        self.got.append((type(change).__name__, self.orders.orders.queue(Side.BUY, 10.0)))

    def on_gap(self, gap: Gap) -> None:
        self.got.append((gap.reason, self.orders.best_bid))

    async def run(self) -> None:
        mean = sma(self.orders, 2, of="bid")
        self.start(self.wait)
        async for book in self.orders:
            assert isinstance(book, BookSnapshot)
            self.log(f"{book.bid_prices} {book.bid_sizes} {mean.value}")

    async def wait(self) -> None:
        await self.when(self.orders.bid > 10)
        self.log(f"above 10 after {(self.now() - START) // SECOND} s")


def told(events: list[Event]) -> tuple[list[str], list[Any]]:
    reader = Reader()
    outcome = run_strategy(reader, events).check()
    return [note.removeprefix("strategy: ") for note in outcome.notes], reader.got


def test_handlers_get_orders_and_all_else_the_levels_that_they_make() -> None:
    notes, got = told(
        [
            whole(0, ("a", 10, 2), ("b", 10, 1), asks=(("c", 12, 1),)),
            change(1, ("a", 10, 0), ("d", 9, 5)),
            change(2, ("e", 11, 4)),
        ]
    )

    assert got == [
        ("ByOrderSnapshot", (("a", 2), ("b", 1))),
        ("ByOrderDelta", (("b", 1),)),
        ("ByOrderDelta", (("b", 1),)),
    ]
    assert notes == [
        "(10,) (3.0,) None",
        "(10, 9) (1.0, 5.0) 10.0",
        "(11, 10, 9) (4.0, 1.0, 5.0) 10.5",
        "above 10 after 2 s",
    ]


def test_after_a_gap_nothing_is_told_before_the_book_is_whole() -> None:
    notes, got = told([change(0, ("z", 9, 1)), whole(1, ("a", 10, 2)), gap(2), change(3, ("b", 9, 1)), whole(4)])

    assert got == [("ByOrderSnapshot", (("a", 2),)), ("lost", None), ("ByOrderSnapshot", ())]
    assert len(notes) == 2


@define
class Buyer(Strategy):
    """Buys when there is something to buy, and holds it behind a stop."""

    book = BooksByOrder("X")
    rate = Rates("SOL/USD")

    async def run(self) -> None:
        await self.when(self.book.ask < 100)
        async with self.long(3, stop=0.1) as holding:
            await self.sleep_until(self.now() + 60 * SECOND)
        self.log(holding.ended_by)


def test_paper_orders_and_stops_meet_a_book_by_order() -> None:
    """It is the only stream of the instrument; the rate beside it is of nothing that can be traded."""
    events: list[Event] = [
        rate(0, 5),
        whole(0, ("a", 10, 9), asks=(("b", 11, 2), ("c", 12, 9))),
        change(5, ("a", 10, 0), ("d", 9, 9)),
        change(9, ("d", 9, 8)),
    ]

    outcome = run_strategy(Buyer(), events).check()

    assert [(fill.side, fill.quantity, fill.price) for fill in outcome.fills] == [
        (Side.BUY, Decimal(2), Decimal(11)),
        (Side.BUY, Decimal(1), Decimal(12)),
        (Side.SELL, Decimal(3), Decimal(9)),
    ]
    assert any("stop" in note for note in outcome.notes)


def test_changes_of_an_unknown_book_fill_nothing() -> None:
    @define
    class Early(Strategy):
        trades = Trades("X")
        book = BooksByOrder("X")

        async def run(self) -> None:
            self.buy_nowait(1, limit=20)

    outcome = run_strategy(Early(), [change(0, asks=(("b", 11, 2),)), change(1, asks=(("b", 12, 2),))]).check()

    assert not outcome.fills


@define
class Figures(Strategy):
    """Looks at all else."""

    rate = Rates("SOL/USD")
    traded = Volumes("X")
    coin = Assets("BTC")
    got: list[Any] = attrs.field(factory=list, init=False)

    def on_rate(self, rate: Rate) -> None:
        self.got.append(rate.rate)

    def on_volume(self, volume: Volume) -> None:
        self.got.append((volume.period, volume.base))

    def on_asset(self, asset: AssetUpdate) -> None:
        self.got.append((asset.name, asset.price_usd))

    async def run(self) -> None:
        mean = sma(self.rate, 2)
        await self.when((self.rate.rate > 5) & (self.coin.price > 60_000))
        day = self.traded.by_period["1DAY"]
        self.log(f"{mean.value} {day.quote} {sma(self.traded, 1).ready}")
        async for rate in self.rate:
            self.log(f"then {rate.rate}")


def test_rates_volumes_and_assets_are_told_waited_for_and_kept() -> None:
    figures = Figures()
    events: list[Event] = [
        *(rate(0, 4), volume(1, "1HRS", 1.5), volume(1, "1DAY", 9), asset(2, None), rate(3, 6)),
        *(asset(4, 61_000), volume(5, "1HRS", 2), rate(6, 7)),
    ]

    outcome = run_strategy(figures, events).check()

    assert figures.got == [
        *(4, ("1HRS", 1.5), ("1DAY", 9), ("Bitcoin", None), 6),
        *(("Bitcoin", 61_000), ("1HRS", 2), 7),
    ]
    assert [note.removeprefix("strategy: ") for note in outcome.notes] == ["5.0 18 False", "then 7"]
    assert figures.traded.by_period["1HRS"].base == 2


def test_what_isnt_traded_is_no_instrument_of_a_strategys() -> None:
    @define
    class Wrong(Strategy):
        rate = Rates("SOL/USD")
        coin = Assets("BTC")

        async def run(self) -> None:
            self.buy_nowait(1)

    outcome = run_strategy(Wrong(), [rate(0, 4)])

    with pytest.raises(ConfigError, match="has the instruments none; say which"):
        outcome.check()


def test_an_open_position_is_worth_what_a_book_by_order_says_where_nothing_else_does() -> None:
    prices = LastPrices()

    events: list[Event] = [
        whole(0, ("a", 10, 1), asks=(("b", 12, 1),)),
        whole(1, ("a", 20, 1)),
        *make_trades("Y", [3.0]),
    ]
    for event in events:
        prices(event)

    assert prices.prices == {"X": 11, "Y": 3}
