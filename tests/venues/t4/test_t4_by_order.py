"""Books by order: levels made of orders, and a sequence that may not have holes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import RemoteProtocolError
from strategykit.model.book import Book
from strategykit.model.by_order import BookByOrder
from strategykit.model.events import BookDelta, BookSnapshot, ByOrderDelta, ByOrderSnapshot, Side
from strategykit.venues.dialect import Refusal, Resubscribe
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.t4.by_order import ByOrderCursor, Change, Step, Whole
from strategykit.venues.t4.proto import market_pb2 as market
from strategykit.venues.t4.proto.price_pb2 import Price

ES = "CME_Eq/ES/XCME_Eq ES (Z26)"
ES_ID = "XCME_Eq ES (Z26)"
Update = market.MarketByOrderUpdate.Update


def standing(number: int, side: str, price: str, volume: int) -> dict[str, Any]:
    return {"order_id": number, "bid_offer": f"BID_OFFER_{side}", "price": Price(value=price), "volume": volume}


def whole(sequence: int, *orders: dict[str, Any]) -> Any:
    rows = [market.MarketByOrderSnapshot.Order(**order) for order in orders]
    return market.MarketByOrderSnapshot(market_id=ES_ID, last_sequence=sequence, orders=rows)


def step(sequence: int, *updates: Any) -> Any:
    return market.MarketByOrderUpdate(market_id=ES_ID, sequence=sequence, updates=updates)


def gone(number: int) -> Any:
    return Update(update_type="UPDATE_TYPE_DELETE", order_id=number)


def put(*order: Any) -> Any:
    return Update(**standing(*order))


@pytest.fixture
def bench(make_bench: Any) -> Any:
    bench = make_bench(by_order=True)
    bench.want("book")
    return bench


FIRST = whole(7, standing(1, "BID", "10", 2), standing(2, "BID", "10", 3), standing(3, "OFFER", "11", 4))


def test_a_book_is_made_of_its_orders(bench: Any) -> None:
    (book,) = bench.hear(market_by_order_snapshot=FIRST)

    assert isinstance(book, BookSnapshot)
    assert (book.bid_prices, book.bid_sizes, book.ask_prices, book.ask_sizes) == ((10.0,), (5.0,), (11.0,), (4.0,))


def test_changes_tell_the_levels_that_they_touch(bench: Any) -> None:
    bench.hear(market_by_order_snapshot=FIRST)

    (delta,) = bench.hear(market_by_order_update=step(8, put(1, "BID", "9", 2), gone(3)))

    assert isinstance(delta, BookDelta)
    assert dict(zip(delta.bid_prices, delta.bid_sizes, strict=True)) == {10.0: 3.0, 9.0: 2.0}
    assert (delta.ask_prices, delta.ask_sizes, delta.sequence) == ((11.0,), (0.0,), 8)
    assert bench.hear(market_by_order_update=step(9, gone(99))) == [], "an order that wasn't there"
    assert bench.hear(market_by_order_update=step(9, put(5, "BID", "9", 1))) == [], "a repeat"


def test_the_orders_themselves_are_told_to_who_wants_them(make_bench: Any) -> None:
    bench = make_bench()
    bench.want("book_by_order")
    late, early = standing(1, "BID", "10", 2) | {"priority": 9}, standing(2, "BID", "10", 3) | {"priority": 4}

    (book,) = bench.hear(market_by_order_snapshot=whole(7, late, standing(3, "OFFER", "11", 4), early))
    (delta,) = bench.hear(market_by_order_update=step(8, put(1, "BID", "9", 2), gone(3), put(4, "OFFER", "12", 1)))

    assert isinstance(book, ByOrderSnapshot)
    assert (book.bid_ids, book.bid_prices, book.bid_sizes) == (("2", "1"), (10, 10), (3, 2)), "in their queue's order"
    assert (book.ask_ids, book.sequence) == (("3",), 7)
    assert isinstance(delta, ByOrderDelta)
    assert (delta.bid_ids, delta.bid_prices, delta.bid_sizes) == (("1",), (9,), (2,))
    assert (delta.ask_ids, delta.ask_prices, delta.ask_sizes) == (("3", "4"), (11, 12), (0, 1))


def test_one_market_can_be_wanted_by_order_and_by_level(make_bench: Any) -> None:
    bench = make_bench(by_order=True)
    bench.want("book_by_order")
    bench.want("book")

    told = bench.hear(market_by_order_snapshot=FIRST)

    assert [type(each) for each in told] == [ByOrderSnapshot, BookSnapshot]


def test_trades_take_their_place_in_the_sequence(bench: Any) -> None:
    bench.hear(market_by_order_snapshot=FIRST)

    assert bench.hear(market_by_order_trade=market.MarketByOrderTrade(market_id=ES_ID, sequence=8)) == []
    assert len(bench.hear(market_by_order_update=step(9, gone(1)))) == 1


def test_a_hole_asks_for_the_book_anew_and_what_comes_until_then_is_dropped(bench: Any) -> None:
    bench.hear(market_by_order_snapshot=FIRST)

    (again,) = bench.hear(market_by_order_update=step(9, gone(1)))
    assert isinstance(again, Resubscribe)
    assert again.reason == "book by order: 7 was followed by 9"
    assert bench.hear(market_by_order_update=step(10, gone(2))) == []
    (book,) = bench.hear(market_by_order_snapshot=whole(11, standing(4, "OFFER", "12", 1)))
    assert (book.bid_prices, book.ask_prices) == ((), (12.0,))
    assert len(bench.hear(market_by_order_update=step(12, gone(4)))) == 1


def test_a_cleared_book_is_told_whole(bench: Any) -> None:
    bench.hear(market_by_order_snapshot=FIRST)

    (book,) = bench.hear(market_by_order_update=step(8, Update(update_type="UPDATE_TYPE_CLEAR"), put(9, "BID", "8", 1)))

    assert isinstance(book, BookSnapshot)
    assert (book.bid_prices, book.ask_prices) == ((8.0,), ())


def test_changes_before_the_book_say_nothing(bench: Any) -> None:
    assert bench.hear(market_by_order_update=step(3, put(1, "BID", "9", 1))) == []


def test_the_book_begins_anew_after_a_reconnect(bench: Any) -> None:
    (row,) = bench.table
    bench.hear(market_by_order_snapshot=FIRST)
    bench.table.lost("session-0", bench.now, "gone")
    bench.table.asked(row.guid)

    gap = bench.hear(market_by_order_update=step(8, gone(1)))

    assert [type(thing).__name__ for thing in gap] == ["Gap"]


def test_a_refusal_names_the_reason(bench: Any) -> None:
    reject = market.MarketByOrderSubscribeReject(market_id=ES_ID, mode="MARKET_MODE_NO_PERMISSION")

    assert bench.hear(market_by_order_subscribe_reject=reject) == [Refusal("g1", 1014, "T4 refuses it: no permission")]


@pytest.mark.parametrize(
    "update",
    [
        put(1, "UNDEFINED", "9", 1),
        put(1, "BID", "", 1),
        put(1, "BID", "9", -1),
        Update(update_type=9),  # type: ignore[arg-type]  # a kind of the future
    ],
)
def test_a_change_that_cant_be_applied_is_unreadable(bench: Any, update: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        bench.hear(market_by_order_update=step(8, update))


ORDERS = st.builds(
    Change,
    number=st.integers(1, 6),
    bid=st.booleans(),
    price=st.integers(1, 4).map(float),
    volume=st.integers(0, 3),
)
KINDS = (StreamKind.BOOK, StreamKind.BOOK_BY_ORDER)
CHANGES = st.lists(ORDERS | st.just(Change(None)), max_size=4)


@settings(max_examples=150, deadline=None)
@given(st.lists(CHANGES, max_size=12))
def test_whatever_changes_the_deltas_fold_to_the_book_that_its_orders_make(steps: list[list[Change]]) -> None:
    cursors = [ByOrderCursor("g", Stream(kind=kind, instrument=ES)) for kind in KINDS]
    book, by_order, orders = Book(ES), BookByOrder(ES), dict[int, Change]()
    found, told = (list(cursor.take(Whole(0, None, ()), 1)) for cursor in cursors)
    for number, changes in enumerate(steps, 1):
        found += cursors[0].take(Step(number, None, tuple(changes)), 1)
        told += cursors[1].take(Step(number, None, tuple(changes)), 1)
        for change in changes:
            if change.number is None:
                orders.clear()
            elif change.volume:
                orders[change.number] = change
            else:
                orders.pop(change.number, None)
    for event in found:
        assert isinstance(event, BookSnapshot | BookDelta)
        book.apply(event)
    for event in told:
        assert isinstance(event, ByOrderSnapshot | ByOrderDelta)
        by_order.apply(event)
    for side, bid in ((Side.BUY, True), (Side.SELL, False)):
        standing = {str(one.number): (one.price, one.volume) for one in orders.values() if one.bid is bid}
        ids, prices, sizes = by_order.orders(side)
        assert dict(zip(ids, zip(prices, sizes, strict=True), strict=True)) == standing

    levels: dict[tuple[bool, float], int] = {}
    for order in orders.values():
        levels[order.bid, order.price] = levels.get((order.bid, order.price), 0) + order.volume
    bids = sorted(((price, size) for (bid, price), size in levels.items() if bid), reverse=True)
    asks = sorted((price, size) for (bid, price), size in levels.items() if not bid)
    assert (list(book.levels(Side.BUY)), list(book.levels(Side.SELL))) == (bids, asks)
    assert (list(by_order.levels.levels(Side.BUY)), list(by_order.levels.levels(Side.SELL))) == (bids, asks)
