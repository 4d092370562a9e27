"""Books: a snapshot, then changes; by level and by order; whole after losses and when connections change."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.model.book import Book
from strategykit.model.by_order import BookByOrder
from strategykit.model.events import BookDelta, BookSnapshot, ByOrderDelta, ByOrderSnapshot, Gap, Side
from strategykit.venues.streams import StreamKind
from strategykit.venues.subscriptions import SubscriptionState

SECOND = 1_000_000_000


def levels(*pairs: tuple[float, float]) -> list[dict[str, float]]:
    return [{"price": price, "size": size} for price, size in pairs]


def fold(told: list[Any]) -> Book:
    """Give the levels that all which was told makes."""
    book, orders = Book("X"), BookByOrder("X")
    for thing in told:
        if isinstance(thing, ByOrderSnapshot | ByOrderDelta):
            level = orders.apply(thing)
            assert level is not None
            book.apply(level)
        elif isinstance(thing, BookSnapshot | BookDelta | Gap):
            book.apply(thing)
    return book


def whole(lab: Any, *, at: int = 0, by: str = "market-0", **more: Any) -> Any:
    fields = {"bids": levels((99, 1), (98, 2)), "asks": levels((101, 3), (102, 4)), "is_snapshot": True, **more}
    return lab.feed(lab.frame("book", at=at, **fields), by)


def change(lab: Any, *, at: int, by: str = "market-0", **more: Any) -> Any:
    return lab.feed(lab.frame("book", at=at, **{"bids": [], "asks": [], "is_snapshot": False, **more}), by)


def test_changes_before_the_snapshot_are_dropped_and_confirm_nothing(lab: Any) -> None:
    row = lab.want(StreamKind.BOOK)

    assert change(lab, at=0, bids=levels((97, 1))) == []
    assert not row.data
    (snapshot,) = whole(lab, at=1)
    assert row.state is SubscriptionState.ACTIVE
    assert snapshot.snapshot
    (delta,) = change(lab, at=2, bids=levels((99, 0), (97, 5)), asks=levels((101, 1)))

    book = fold([snapshot, delta])
    assert book.levels(Side.BUY) == ((98, 2), (97, 5))
    assert book.levels(Side.SELL) == ((101, 1), (102, 4))
    assert delta.bid_prices == (99, 97)


def test_a_later_snapshot_replaces_the_book(lab: Any) -> None:
    lab.want(StreamKind.BOOK)
    told = whole(lab) + change(lab, at=1, bids=levels((100, 1)))

    told += whole(lab, at=2, bids=None, asks=levels((105, 1), (104, 2), (103, 0)))

    assert fold(told).levels(Side.BUY) == ()
    assert fold(told).levels(Side.SELL) == ((104, 2), (105, 1)), "best first, and without levels of nothing"


def test_a_missing_number_that_http_knows_nothing_of_has_the_book_asked_for_anew(lab: Any) -> None:
    lab.want(StreamKind.BOOK)
    whole(lab, sequence=1)
    assert lab.resubscribed == []

    (gap,) = change(lab, at=2, bids=levels((100, 1)), sequence=3)
    assert isinstance(gap, Gap)
    assert "1 messages of book KRAKEN_SPOT_ETH_EUR are missing before number 3" in gap.reason
    assert lab.answer(None, "429: quota exceeded") == []
    assert lab.resubscribed == ["g1"]
    assert change(lab, at=3, bids=levels((100, 1)), sequence=4) == [], "until it is whole again"
    gap, snapshot = whole(lab, at=4, sequence=5)

    assert isinstance(gap, Gap)
    assert gap.reason == "HTTP gives no book: 429: quota exceeded, so KRAKEN_SPOT_ETH_EUR is subscribed to anew"
    assert isinstance(snapshot, BookSnapshot)
    assert lab.resubscribed == ["g1"]
    assert lab.needs == []


def test_a_cut_wire_is_followed_by_a_gap_and_a_snapshot(lab: Any) -> None:
    lab.want(StreamKind.BOOK)
    whole(lab, sequence=8)
    lab.lose()

    assert change(lab, at=3, sequence=1) == []
    gap, snapshot = whole(lab, at=4, sequence=2)

    assert isinstance(gap, Gap)
    assert snapshot.snapshot
    assert lab.resubscribed == []


def order(name: str | None, price: float, size: float, how: str | None = None) -> dict[str, Any]:
    return {"id": name, "price": price, "size": size, "update_type": how}


def orders(lab: Any, *, snapshot: bool = False, at: int = 0, by: str = "market-0", **sides: Any) -> Any:
    fields = {"bids": [], "asks": [], "is_snapshot": snapshot, **sides}
    return lab.feed(lab.frame("book_l3", at=at, **fields), by)


def test_orders_are_added_up_to_levels(lab: Any) -> None:
    lab.want(StreamKind.BOOK_BY_ORDER)
    told = orders(lab, snapshot=True, bids=[order("a", 99, 1), order("b", 99, 2)], asks=[order("c", 101, 0.3)])

    told += orders(
        lab,
        at=1,
        bids=[order("a", 99, 0.25, "MATCH"), order("d", 98, 4, "ADD"), order("b", 99, 1.5, "UPDATE")],
        asks=[order("c", 101, 0.1, "SUBTRACT"), order("e", 102, 1, "ADD")],
    )

    assert isinstance(told[-1], ByOrderDelta)
    assert (told[-1].bid_ids, told[-1].bid_sizes) == (("a", "d", "b"), (0.75, 4, 1.5)), "what is left of each"
    assert fold(told).levels(Side.BUY) == ((99, 2.25), (98, 4))
    assert fold(told).levels(Side.SELL) == ((101, 0.2), (102, 1))


def test_orders_leave_when_nothing_is_left_of_them(lab: Any) -> None:
    lab.want(StreamKind.BOOK_BY_ORDER)
    told = orders(lab, snapshot=True, bids=[order("a", 99, 0.3), order("b", 98, 2)])

    told += orders(lab, at=1, bids=[order("a", 99, 0.1, "MATCH"), order("a", 99, 0.2, "MATCH")])
    assert fold(told).levels(Side.BUY) == ((98, 2),)
    told += orders(lab, at=2, bids=[order("b", 98, 0.5, "DELETE")])
    assert fold(told).levels(Side.BUY) == (), "an order that is removed is gone, whatever size is named"


def test_an_order_that_moves_leaves_its_old_level(lab: Any) -> None:
    lab.want(StreamKind.BOOK_BY_ORDER)
    told = orders(lab, snapshot=True, bids=[order("a", 99, 1), order("b", 99, 2)])

    told += orders(lab, at=1, bids=[order("a", 97, 1, "UPDATE")])

    assert fold(told).levels(Side.BUY) == ((99, 2), (97, 1))


def test_what_is_taken_off_unknown_orders_changes_nothing(lab: Any) -> None:
    lab.want(StreamKind.BOOK_BY_ORDER)
    told = orders(lab, snapshot=True, bids=[order("a", 99, 1)])

    told += orders(lab, at=1, bids=[order("x", 99, 1, "MATCH"), order("y", 98, 1, "DELETE")])

    assert len(told) == 1
    assert fold(told).levels(Side.BUY) == ((99, 1),)


def test_entries_without_ids_are_whole_levels(lab: Any) -> None:
    lab.want(StreamKind.BOOK_BY_ORDER)
    told = orders(lab, snapshot=True, asks=[order(None, 101, 1), {"price": 102, "size": 2}])

    told += orders(
        lab, at=1, asks=[order(None, 101, 5, "UPDATE"), order(None, 102, 2, "DELETE"), order(None, 103, 1, "ADD")]
    )

    assert fold(told).levels(Side.SELL) == ((101, 5), (103, 1))


@pytest.mark.parametrize(
    ("depth", "kind", "every"),
    [
        *((1, "book5", None), (5, "book5", None), (5, "book5", 100_000_000)),
        *((6, "book20", SECOND), (20, "book20", SECOND), (50, "book50", 5 * SECOND)),
    ],
)
def test_small_books_come_whole_and_as_deep_as_wanted(lab: Any, depth: int, kind: str, every: int | None) -> None:
    lab.want(StreamKind.BOOK, depth=depth, frequency=every)
    bids = levels(*((99 - i, 1 + i) for i in range(depth + 3)))

    first, second = (
        lab.feed(lab.frame(kind, at=at, bids=bids, asks=levels((101, 1), (102, 0)), sequence=at))[0] for at in (1, 2)
    )

    assert isinstance(first, BookSnapshot)
    assert (first.snapshot, second.snapshot, second.sequence) == (True, False, 2)
    assert len(first.bid_prices) == depth
    assert first.ask_prices == (101,)


@pytest.mark.parametrize("every", [None, 50_000_000])
@pytest.mark.parametrize("depth", [6, 20, 50])
def test_who_doesnt_want_them_once_a_second_gets_each_change_of_small_books(
    lab: Any, depth: int, every: int | None
) -> None:
    row = lab.want(StreamKind.BOOK, depth=depth, frequency=every)

    told = whole(lab) + change(lab, at=1, bids=levels((100, 1)))

    assert row.key == ("book", "KRAKEN_SPOT_ETH_EUR")
    assert [type(thing) for thing in told] == [BookSnapshot, BookDelta]


def test_a_small_book_that_two_connections_bring_is_told_once(lab: Any) -> None:
    lab.want(StreamKind.BOOK, depth=5)
    frame = lab.frame("book5", at=1, bids=levels((99, 1)), asks=[])
    lab.feed(frame)
    lab.table.replace("market-0", "market-0~2")

    assert lab.feed(frame, "market-0~2") == []
    assert len(lab.feed(lab.frame("book5", at=2, bids=levels((98, 1)), asks=[]), "market-0~2")) == 1


def test_a_lost_small_book_is_a_gap_until_the_next(lab: Any) -> None:
    lab.want(StreamKind.BOOK, depth=5)
    lab.feed(lab.frame("book5", at=1, bids=levels((99, 1)), asks=[], sequence=1))

    gap, book = lab.feed(lab.frame("book5", at=2, bids=levels((98, 1)), asks=[], sequence=4))

    assert isinstance(gap, Gap)
    assert book.bid_prices == (98,)
    assert lab.resubscribed == [], "the next one has all again"


def test_with_a_pace_of_our_own_numbers_have_holes(lab: Any) -> None:
    lab.want(StreamKind.BOOK, depth=5, frequency=100_000_000)
    for at, sequence in ((1, 1), (2, 9)):
        (book,) = lab.feed(lab.frame("book5", at=at, bids=levels((99, 1)), asks=[], sequence=sequence))

    assert isinstance(book, BookSnapshot)


prices = st.integers(90, 110)
sizes = st.sampled_from([0, 1, 2.5])


@given(
    steps=st.lists(st.tuples(prices, sizes), min_size=1, max_size=15),
    begins=st.integers(0, 14),
    choices=st.lists(st.booleans(), min_size=40, max_size=40),
)
@settings(max_examples=100, deadline=None)
def test_a_book_that_is_taken_over_never_goes_back_and_ends_whole(
    make_lab: Any, steps: list[tuple[int, float]], begins: int, choices: list[bool]
) -> None:
    """Each connection brings the same changes at its own pace; the new one begins with the book as it is then."""
    lab = make_lab()
    lab.want(StreamKind.BOOK)
    states: list[dict[float, float]] = [{99.0: 1.0}]
    for price, size in steps:
        state = {**states[-1], float(price): size}
        states.append({price: size for price, size in state.items() if size})
    begins = min(begins, len(steps))
    changes = [
        lab.frame("book", at=number, bids=levels((price, size)), asks=[], is_snapshot=False)
        for number, (price, size) in enumerate(steps, 1)
    ]
    snapshots = [
        lab.frame("book", at=number, bids=levels(*state.items()), asks=[], is_snapshot=True)
        for number, state in enumerate(states)
    ]
    told = lab.feed(snapshots[0])
    lab.table.replace("market-0", "market-0~2")
    ways = {"market-0": changes, "market-0~2": [snapshots[begins], *changes[begins:]]}
    for choice in choices:
        left = [name for name in ("market-0", "market-0~2") if ways[name]]
        if not left:
            break
        by = left[choice and len(left) > 1]
        frame, *ways[by] = ways[by]
        told += lab.feed(frame, by)

    times = [thing.event_time for thing in told]
    assert times == sorted(times)
    assert not any(isinstance(thing, Gap) for thing in told)
    assert dict(fold(told).levels(Side.BUY)) == states[-1]


def test_a_book_by_order_is_taken_over_with_its_orders(lab: Any) -> None:
    row = lab.want(StreamKind.BOOK_BY_ORDER)
    told = orders(lab, snapshot=True, at=5, bids=[order("a", 99, 1)])
    lab.table.replace("market-0", "market-0~2")

    assert orders(lab, at=6, bids=[order("b", 98, 1, "ADD")], by="market-0~2") == [], "it has no book yet"
    assert orders(lab, snapshot=True, at=4, bids=[order("z", 97, 7)], by="market-0~2") == [], "it isn't as far yet"
    assert row.connection == "market-0"
    told += orders(lab, at=6, bids=[order("z", 97, 3, "MATCH")], by="market-0~2")

    assert row.connection == "market-0~2"
    assert isinstance(told[-1], ByOrderSnapshot)
    assert fold(told).levels(Side.BUY) == ((97, 4),)


def test_a_book_beside_that_has_a_hole_isnt_gone_on_with(lab: Any) -> None:
    row = lab.want(StreamKind.BOOK)
    told = whole(lab, at=3, sequence=1)
    lab.table.replace("market-0", "market-0~2")
    whole(lab, at=1, by="market-0~2", sequence=1)

    assert change(lab, at=4, by="market-0~2", bids=levels((97, 1)), sequence=3) == []
    assert row.connection == "market-0"
    told += change(lab, at=2, bids=levels((96, 1)), sequence=2) + change(lab, at=4, bids=levels((97, 1)), sequence=3)
    assert fold(told).levels(Side.BUY) == ((99, 1), (98, 2), (97, 1), (96, 1))
    (snapshot,) = whole(lab, at=5, by="market-0~2", sequence=4)
    assert row.connection == "market-0~2"
    assert snapshot.event_time > told[-1].event_time


def test_a_book_that_wasnt_whole_yet_is_taken_over_at_once(lab: Any) -> None:
    row = lab.want(StreamKind.BOOK)
    lab.table.replace("market-0", "market-0~2")

    told = whole(lab, by="market-0~2")

    assert row.connection == "market-0~2"
    assert len(told) == 1


def test_empty_sides_may_be_null(lab: Any) -> None:
    lab.want(StreamKind.BOOK)
    frame = json.loads(lab.frame("book", is_snapshot=True))

    (book,) = lab.feed(json.dumps({**frame, "asks": None, "bids": None}))

    assert (book.bid_prices, book.ask_prices) == ((), ())
