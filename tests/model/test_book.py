from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.model.book import Book
from strategykit.model.events import BookDelta, BookSnapshot, Gap, Side

Levels = dict[float, float]


def snapshot(bids: Levels, asks: Levels, *, time: int = 1) -> BookSnapshot:
    down, up = sorted(bids, reverse=True), sorted(asks)
    return BookSnapshot(
        "SBER", tuple(down), tuple(bids[p] for p in down), tuple(up), tuple(asks[p] for p in up), time, time + 1, "g"
    )


def delta(bids: Levels, asks: Levels, *, time: int = 2) -> BookDelta:
    return BookDelta("SBER", tuple(bids), tuple(bids.values()), tuple(asks), tuple(asks.values()), time, time + 1, "g")


def gap() -> Gap:
    return Gap("SBER", 1, 2, "reset", None, 2, "g")


def book(*events: BookSnapshot | BookDelta | Gap) -> Book:
    made = Book("SBER")
    for event in events:
        made.apply(event)
    return made


def test_a_new_book_is_invalid_and_shows_nothing() -> None:
    empty = book()

    assert empty.invalid
    assert (empty.best_bid, empty.best_ask, empty.mid, empty.spread, empty.imbalance()) == (None,) * 5
    assert not empty.crossed
    assert empty.levels(Side.BUY) == ()
    assert empty.depth(Side.SELL) == 0
    assert repr(empty) == "<Book SBER invalid>"


def test_a_snapshot_replaces_everything() -> None:
    stands = book(
        snapshot({99.0: 1.0}, {105.0: 9.0}), snapshot({100.0: 3.0, 99.5: 1.0}, {101.0: 1.0, 102.0: 7.0}, time=5)
    )

    assert (stands.best_bid, stands.best_ask, stands.mid, stands.spread) == (100.0, 101.0, 100.5, 1.0)
    assert stands.levels(Side.BUY) == ((100.0, 3.0), (99.5, 1.0))
    assert stands.levels(Side.SELL, 1) == ((101.0, 1.0),)
    assert stands.depth(Side.SELL) == 8.0
    assert stands.depth(Side.BUY, 1) == 3.0
    assert stands.imbalance() == 0.5
    assert stands.imbalance(None) == (4.0 - 8.0) / 12.0
    assert (stands.event_time, stands.receive_time) == (5, 6)
    assert repr(stands) == "<Book SBER 100.0 / 101.0>"


def test_a_snapshot_keeps_the_tuples_that_came() -> None:
    came = snapshot({100.0: 3.0}, {101.0: 1.0})

    assert book(came).side(Side.BUY)[0] is came.bid_prices


def test_deltas_set_and_remove_levels() -> None:
    stands = book(
        snapshot({100.0: 3.0, 99.0: 1.0}, {101.0: 1.0}),
        delta({100.0: 0.0, 98.0: 5.0, 97.0: 0.0}, {}),
        delta({99.0: 2.0}, {100.5: 4.0}),
    )

    assert stands.levels(Side.BUY) == ((99.0, 2.0), (98.0, 5.0))
    assert stands.levels(Side.SELL) == ((100.5, 4.0), (101.0, 1.0))


def test_a_gap_hides_the_book_until_the_next_snapshot() -> None:
    stands = book(snapshot({100.0: 3.0}, {101.0: 1.0}), gap(), delta({100.5: 1.0}, {}))

    hidden = (stands.invalid, stands.best_bid)
    stands.apply(snapshot({90.0: 1.0}, {}))

    assert hidden == (True, None)
    assert not stands.invalid
    assert (stands.best_bid, stands.best_ask, stands.mid, stands.spread, stands.crossed) == (
        90.0,
        None,
        None,
        None,
        False,
    )


def test_a_book_whose_sides_meet_is_crossed() -> None:
    assert book(snapshot({101.0: 1.0}, {101.0: 1.0})).crossed
    assert not book(snapshot({100.0: 1.0}, {101.0: 1.0})).crossed


@pytest.mark.parametrize("sizes", [[0.1] * 10, [0.1, 0.2, 0.3], [0.3, 0.2, 0.1], [1e16, 1.0, 1.0], [1e16, 0.1, 1e-9]])
def test_the_depth_is_the_exact_sum_rounded_once_on_every_python(sizes: list[float]) -> None:
    stands = book(snapshot({100.0 - n: size for n, size in enumerate(sizes)}, {}))

    assert stands.depth(Side.BUY) == float(sum(map(Fraction, sizes)))


def test_the_same_sizes_in_another_order_are_no_imbalance() -> None:
    stands = book(snapshot({100.0: 0.1, 99.0: 0.2, 98.0: 0.3}, {101.0: 0.3, 102.0: 0.2, 103.0: 0.1}))

    assert stands.imbalance(None) == 0


def test_an_empty_book_has_no_imbalance() -> None:
    assert book(snapshot({}, {})).imbalance() is None


prices = st.integers(90, 110).map(float)
changes = st.dictionaries(prices, st.integers(0, 5).map(float), max_size=6)
levels = st.dictionaries(prices, st.integers(1, 5).map(float), max_size=6)


@settings(deadline=None, max_examples=150)
@given(levels, levels, st.lists(st.tuples(changes, changes, st.booleans()), max_size=8))
def test_whatever_the_deltas_the_book_equals_a_plain_dict(
    bids: Levels, asks: Levels, steps: list[tuple[Levels, Levels, bool]]
) -> None:
    stands = book(snapshot(bids, asks))
    for bid_changes, ask_changes, look in steps:
        stands.apply(delta(bid_changes, ask_changes))
        bids = {price: size for price, size in (bids | bid_changes).items() if size}
        asks = {price: size for price, size in (asks | ask_changes).items() if size}
        if look:  # Sorting happens when somebody looks: looking must not change what comes after.
            assert stands.best_bid == max(bids, default=None)

    assert stands.levels(Side.BUY) == tuple(sorted(bids.items(), reverse=True))
    assert stands.levels(Side.SELL) == tuple(sorted(asks.items()))
    assert stands.best_ask == min(asks, default=None)


def test_a_level_has_a_size_between_the_best_and_the_last_that_is_shown() -> None:
    stands = book(snapshot({100: 3, 98: 2}, {101: 1}))

    assert [stands.size(Side.BUY, price) for price in (101, 100, 99, 98, 97)] == [0, 3, 0, 2, None]
    assert [stands.size(Side.SELL, price) for price in (100, 101, 102)] == [0, 1, None]
    stands.apply(delta({99: 5}, {}))
    assert stands.size(Side.BUY, 99) == 5
    stands.invalid = True
    assert stands.size(Side.BUY, 100) is None


def test_a_book_that_comes_in_disorder_is_put_in_order_by_the_first_change() -> None:
    stands = book(snapshot({98: 2, 100: 3}, {}))

    stands.apply(delta({99: 1}, {}))

    assert stands.levels(Side.BUY) == ((100, 3), (99, 1), (98, 2))
