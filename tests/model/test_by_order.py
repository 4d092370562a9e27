"""Books that are kept order by order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.model.book import Book
from strategykit.model.by_order import BookByOrder, parallel_orders
from strategykit.model.events import BookDelta, BookSnapshot, ByOrderDelta, ByOrderSnapshot, Gap, Side

Order = tuple[str | None, float, float]


def whole(*bids: Order, asks: tuple[Order, ...] = ()) -> ByOrderSnapshot:
    return ByOrderSnapshot("X", *parallel_orders(bids), *parallel_orders(asks), 5, 6, "g", True, 7)


def change(*bids: Order, asks: tuple[Order, ...] = ()) -> ByOrderDelta:
    return ByOrderDelta("X", *parallel_orders(bids), *parallel_orders(asks), 8, 9, "g", 10)


def test_orders_make_levels() -> None:
    book = BookByOrder("X")

    told = book.apply(whole(("a", 10, 2), ("b", 10, 3), ("c", 9, 1), asks=(("d", 11, 4),)))

    assert isinstance(told, BookSnapshot)
    assert (told.bid_prices, told.bid_sizes, told.ask_prices, told.ask_sizes) == ((10, 9), (5, 1), (11,), (4,))
    assert (told.event_time, told.receive_time, told.guid, told.snapshot, told.sequence) == (5, 6, "g", True, 7)
    assert (book.levels.best_bid, book.levels.best_ask, book.levels.mid) == (10, 11, 10.5)


def test_changes_of_orders_are_changes_of_the_levels_they_touch() -> None:
    book = BookByOrder("X")
    book.apply(whole(("a", 10, 2), ("b", 10, 3), asks=(("d", 11, 4),)))

    told = book.apply(change(("a", 9, 2), ("b", 10, 0), ("e", 8, 0), asks=(("f", 11, 1),)))

    assert isinstance(told, BookDelta)
    assert dict(zip(told.bid_prices, told.bid_sizes, strict=True)) == {10: 0, 9: 2, 8: 0}
    assert list(told.bid_prices) == [10, 9, 8], "best first"
    assert (told.ask_prices, told.ask_sizes, told.sequence) == ((11,), (5,), 10)


def test_an_order_keeps_its_place_while_it_shrinks_and_loses_it_when_it_grows_or_comes_back() -> None:
    book = BookByOrder("X")
    book.apply(whole(("a", 10, 2), ("b", 10, 3), ("c", 10, 1)))

    book.apply(change(("a", 10, 1)))
    assert book.queue(Side.BUY, 10) == (("a", 1), ("b", 3), ("c", 1))
    book.apply(change(("a", 10, 2), ("b", 9, 3)))
    assert book.queue(Side.BUY, 10) == (("c", 1), ("a", 2))
    book.apply(change(("b", 10, 3)))
    assert book.queue(Side.BUY, 10) == (("c", 1), ("a", 2), ("b", 3))
    assert book.queue(Side.SELL, 10) == ()


def test_an_order_can_be_found() -> None:
    book = BookByOrder("X")
    book.apply(whole(("a", 10, 2), asks=(("d", 11, 4), (None, 12, 5))))

    assert book.find("a") == (Side.BUY, 10, 2)
    assert book.find("d") == (Side.SELL, 11, 4)
    assert book.find("x") is None
    assert book.orders(Side.SELL) == (("d", None), (11, 12), (4, 5))


def test_what_has_no_id_is_a_whole_level() -> None:
    book = BookByOrder("X")
    book.apply(whole((None, 10, 2), (None, 9, 1)))

    book.apply(change((None, 10, 7), (None, 9, 0)))

    assert book.orders(Side.BUY) == ((None,), (10,), (7,))


def test_a_book_that_may_be_wrong_shows_nothing() -> None:
    book = BookByOrder("X")
    assert book.apply(change(("a", 10, 2))) is None
    book.apply(whole(("a", 10, 2)))
    assert repr(book) == "<BookByOrder <Book X 10 / None>>"

    assert book.apply(Gap("X", 1, 2, "lost", None, 2, "g")) is None

    assert (book.invalid, book.orders(Side.BUY), book.queue(Side.BUY, 10), book.find("a")) == (
        True,
        ((), (), ()),
        (),
        None,
    )
    book.apply(whole(("b", 9, 1)))
    assert (book.invalid, book.orders(Side.BUY)[0]) == (False, ("b",))


def test_sums_have_no_dust() -> None:
    book = BookByOrder("X")
    told = book.apply(whole(("a", 10, 0.1), ("b", 10, 0.2)))

    assert isinstance(told, BookSnapshot)
    assert told.bid_sizes == (0.3,)


ids = st.sampled_from(["a", "b", "c", "d", None])
prices = st.sampled_from([8.0, 9.0, 10.0])
amounts = st.sampled_from([0.0, 1.0, 2.5])
sides = st.lists(st.tuples(ids, prices, amounts), max_size=4, unique_by=lambda order: order[0] or order[1])


@pytest.mark.parametrize("side", Side)
@given(first=sides, steps=st.lists(sides, max_size=8))
@settings(max_examples=100, deadline=None)
def test_whatever_changes_the_levels_told_are_those_that_the_orders_make(
    side: Side, first: list[Order], steps: list[list[Order]]
) -> None:
    book, levels, orders = BookByOrder("X"), Book("X"), dict[object, tuple[float, float]]()
    for number, step in enumerate([first, *steps]):
        kind = change if number else whole
        told = book.apply(kind(*step) if side is Side.BUY else kind(asks=tuple(step)))
        assert told is not None
        levels.apply(told)
        for name, price, size in step:
            orders.pop(name or price, None)
            if size:
                orders[name or price] = (price, size)

    made: dict[float, float] = {}
    for price, size in orders.values():
        made[price] = made.get(price, 0.0) + size
    assert dict(levels.levels(side)) == dict(book.levels.levels(side)) == made
    kept = zip(*book.orders(side), strict=True)
    assert {name or price: (price, size) for name, price, size in kept} == orders
    assert list(book.orders(side)[1]) == sorted(book.orders(side)[1], reverse=side is Side.BUY)
