"""Books of a recording that are told as changes, served as what they amount to."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.model.book import Book
from strategykit.model.events import (
    BookDelta,
    BookSnapshot,
    ByOrderDelta,
    ByOrderSnapshot,
    Event,
    Fill,
    Quote,
    Side,
    Trade,
)
from strategykit.model.instruments import Instrument
from strategykit.model.orders import CreateOrder, OrderRequest, OrderType
from strategykit.sim.fees import NO_FEES
from strategykit.sim.recorded_books import RecordedBook
from strategykit.sim.recorded_venue import RecordedVenueMarket

SECOND = 1_000_000_000
NOW = 5_000 * SECOND
OLD = 100 * SECOND

Levels = dict[float, float]


def snapshot(bids: Levels, asks: Levels, *, guid: str = "g", time: int | None = OLD) -> BookSnapshot:
    return BookSnapshot("X", *sides(bids, asks), time, 0, guid, snapshot=True, sequence=7)


def delta(bids: Levels, asks: Levels, *, guid: str = "g", time: int | None = OLD) -> BookDelta:
    return BookDelta("X", *sides(bids, asks), time, 0, guid, 8)


def sides(bids: Levels, asks: Levels) -> tuple[Any, Any, Any, Any]:
    return tuple(bids), tuple(bids.values()), tuple(asks), tuple(asks.values())


def levels(book: BookSnapshot | None) -> tuple[Levels, Levels]:
    assert book is not None
    bids, asks = zip(book.bid_prices, book.bid_sizes, strict=True), zip(book.ask_prices, book.ask_sizes, strict=True)
    return dict(bids), dict(asks)


def make_market(**more: Any) -> RecordedVenueMarket:
    return RecordedVenueMarket(
        {"X": Instrument("X", Decimal("0.5"), **more)},
        accounts={"D1": Decimal(100_000)},
        fees=NO_FEES,
        margin_rate=Decimal(1),
        now=NOW,
    )


def test_trades_that_were_recorded_without_a_number_get_one() -> None:
    """As those of another venue; every venue that serves them has numbers."""
    market = make_market()
    told: list[Any] = []
    for number in ("0b0c-uuid", None, 77):
        told += market.feed(Trade("X", 100.0, 1.0, Side.BUY, number, OLD, 0, "g"), NOW, shift=NOW - OLD)

    first, second, own = (trade.trade_id for trade in told)
    assert own == 77
    assert second == first + 1


def test_changes_are_told_as_the_state_that_they_leave_once_time_goes_on() -> None:
    market = make_market()
    (first,) = market.feed(snapshot({100.0: 1.0, 99.0: 2.0}, {101.0: 3.0}), NOW, shift=NOW - OLD)
    assert market.feed(delta({100.0: 0.0}, {}), NOW + 1, shift=NOW - OLD) == []
    assert market.feed(delta({}, {101.0: 4.0, 102.0: 1.0}), NOW + 2, shift=NOW - OLD) == []
    assert levels(market.book("X")) == ({99.0: 2.0}, {101.0: 4.0, 102.0: 1.0}), "asked for, it is the newest already"

    (told,) = market.advance(NOW + 3)

    assert levels(first) == ({100.0: 1.0, 99.0: 2.0}, {101.0: 3.0})  # type: ignore[arg-type]
    assert levels(told) == levels(market.book("X"))  # type: ignore[arg-type]
    assert (told.event_time, told.receive_time, told.guid) == (NOW, NOW + 2, "")
    assert market.advance(NOW + 4) == [], "once"


def test_changes_to_a_book_that_is_not_known_are_left_out() -> None:
    market = make_market()

    assert market.feed(delta({100.0: 1.0}, {}), NOW, shift=0) == []
    assert market.advance(NOW) == []
    assert market.book("X").bid_prices == ()


def test_orders_meet_the_changes_at_once() -> None:
    market = make_market()
    market.feed(snapshot({100.0: 1.0}, {101.0: 3.0}), NOW, shift=0)
    request = OrderRequest(
        client_order_id="mine",
        account="D1",
        instrument="X",
        side=Side.BUY,
        quantity=Decimal(1),
        type=OrderType.LIMIT,
        price=Decimal(100),
    )
    market.command("D1", CreateOrder(guid="c", request=request), NOW)

    told = market.feed(delta({}, {100.0: 5.0}), NOW + 1, shift=0)

    assert [event.price for event in told if isinstance(event, Fill)] == [100]


def test_of_several_books_of_one_instrument_the_deepest_is_served() -> None:
    """Mixed, they would make a book that never was."""
    book = RecordedBook("X", NOW)
    small = snapshot({100.0: 1.0}, {101.0: 1.0}, guid="small")
    assert book.take(small, NOW) is not None
    deep = snapshot({100.0: 1.0, 99.0: 1.0}, {101.0: 1.0, 102.0: 1.0}, guid="deep")

    moved = book.take(deep, NOW + 1)

    assert levels(moved) == levels(deep)  # type: ignore[arg-type]
    assert book.take(snapshot({100.5: 9.0}, {101.0: 1.0}, guid="small"), NOW + 2) is None
    assert book.take(delta({98.0: 3.0}, {}, guid="deep"), NOW + 3) is not None
    assert levels(book.state) == ({100.0: 1.0, 99.0: 1.0, 98.0: 3.0}, {101.0: 1.0, 102.0: 1.0})


def test_a_book_that_is_told_no_more_gives_way_to_a_shallower_one() -> None:
    book = RecordedBook("X", NOW)
    book.take(snapshot({100.0: 1.0, 99.0: 1.0}, {}, guid="deep"), NOW)
    assert book.take(snapshot({100.0: 2.0}, {}, guid="small"), NOW + 5 * SECOND) is None

    moved = book.take(delta({99.5: 1.0}, {}, guid="small"), NOW + 5 * SECOND + 1)

    assert isinstance(moved, BookSnapshot), "whoever folds it needs all of it"
    assert levels(moved) == ({100.0: 2.0, 99.5: 1.0}, {})


def test_books_by_order_are_served_by_level() -> None:
    market = make_market()
    ids = ("a", "b"), (100.0, 100.0), (1.0, 2.0), ("c",), (101.0,), (3.0,)
    market.feed(ByOrderSnapshot("X", *ids, OLD, 0, "g"), NOW, shift=0)
    market.feed(ByOrderDelta("X", ("a",), (100.0,), (0.0,), (), (), (), OLD, 0, "g"), NOW, shift=0)
    assert market.feed(ByOrderDelta("X", ("a",), (1.0,), (0.0,), (), (), (), OLD, 0, "new"), NOW, shift=0) == []

    assert levels(market.book("X")) == ({100.0: 2.0}, {101.0: 3.0})


def test_sizes_that_are_counted_in_units_are_served_in_lots() -> None:
    market = make_market(lot=Decimal("0.25"), counts_units=True)
    assert market.instruments["X"].counts_units is False
    rows: list[Event] = [
        snapshot({100.0: 1.0}, {101.0: 0.5}),
        delta({100.0: 0.0, 99.0: 2.0}, {}),
        Quote("X", 99.0, 2.0, None, None, None, OLD, 0, "q", volume=5.0),
        Trade("X", 99.0, 0.75, Side.BUY, 1, OLD, 0, "t"),
    ]
    for row in rows:
        market.feed(row, NOW, shift=0)

    quote = market.quote("X")
    assert levels(market.book("X")) == ({99.0: 8.0}, {101.0: 2.0})
    assert (quote.bid_size, quote.ask_size, quote.volume) == (8.0, None, 20.0)
    assert [trade.quantity for trade in market.trades("X", 5)] == [3.0]


changes = st.dictionaries(st.integers(90, 110).map(float), st.sampled_from([0.0, 1.0, 2.5]), max_size=4)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.booleans(), changes, changes, st.booleans()), max_size=12))
def test_whatever_was_recorded_the_state_is_what_folding_gives(rows: list[tuple[bool, Levels, Levels, bool]]) -> None:
    market, book = make_market(), Book("X")
    told: BookSnapshot | None = None
    for number, (whole, bids, asks, waits) in enumerate(rows):
        if whole:
            event: BookSnapshot | BookDelta = snapshot(
                {price: bids[price] for price in sorted(bids, reverse=True) if bids[price]},
                {price: asks[price] for price in sorted(asks) if asks[price]},
            )
        else:
            event = delta(bids, asks)
        book.apply(event)
        news = market.feed(event, NOW + number, shift=0) + ([] if waits else market.advance(NOW + number))
        told = next((state for state in reversed(news) if isinstance(state, BookSnapshot)), told)
    last = [state for state in market.advance(NOW + 99) if isinstance(state, BookSnapshot)]
    told = last[0] if last else told

    shown = ({}, {}) if told is None else levels(told)
    assert shown == (dict(book.levels(Side.BUY)), dict(book.levels(Side.SELL)))
    assert levels(market.book("X")) == shown


@pytest.mark.parametrize("kind", [snapshot, delta])
def test_what_has_no_time_happens_now(kind: Any) -> None:
    market = make_market()
    market.feed(snapshot({1.0: 1.0}, {}), NOW - 1, shift=0)
    market.feed(kind({2.0: 1.0}, {}, time=None), NOW, shift=77)

    assert market.book("X").event_time == NOW
