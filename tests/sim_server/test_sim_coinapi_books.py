from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.model.instruments import Instrument
from strategykit.sim.coinapi_bars import BarClock, BarStore
from strategykit.sim.coinapi_books import LevelBook, OrderSides, make_uuid, order_changes
from strategykit.sim.coinapi_symbols import list_symbols
from strategykit.venues.coinapi.server_items import Level, Order

SECOND = 1_000_000_000
NAME = "KRAKEN_SPOT_ETH_EUR"
SYMBOL = list_symbols([Instrument(NAME, Decimal("0.01"), Decimal("0.001"))])[NAME]

sizes = st.integers(1, 9).map(lambda lots: lots / 8)
sides = st.dictionaries(st.integers(1, 6), sizes, max_size=6).map(
    lambda side: {number: Order(f"id-{number}", 100.0 + number, size) for number, size in side.items()}
)


@given(sides, sides, st.dictionaries(st.integers(1, 6), sizes, max_size=6))
@settings(max_examples=150, deadline=None)
def test_changes_by_order_lead_from_any_book_to_any_other(
    old: dict[float, Order], new: dict[float, Order], matched: dict[float, float]
) -> None:
    book = {order.id: order.size for order in old.values()}
    for change in order_changes(old, new, matched):
        match change.update_type:
            case "ADD":
                assert change.id not in book
                book[change.id] = change.size
            case "UPDATE":
                book[change.id] = change.size
            case "DELETE":
                del book[change.id]
            case _:
                book[change.id] -= change.size
        if book.get(change.id) == 0:
            del book[change.id]

    assert book == {order.id: order.size for order in new.values()}


def side(levels: dict[int, float], sign: int) -> tuple[Level, ...]:
    return tuple(Level(float(price), levels[price]) for price in sorted(levels, key=lambda price: sign * price))


half_books = st.dictionaries(st.integers(1, 8), sizes, max_size=8)
books = st.builds(
    lambda asks, bids: LevelBook(NAME, 0, side(asks, 1), side(bids, -1)),
    half_books,
    half_books,
)


@given(books, books)
@settings(max_examples=150, deadline=None)
def test_a_change_applied_to_the_old_book_gives_the_new_one(old: LevelBook, new: LevelBook) -> None:
    changed = new.since(old, 0)

    assert (old if changed is None else old.apply(changed, 0)) == new


@given(books)
@settings(max_examples=50, deadline=None)
def test_a_book_that_stays_has_no_changes(book: LevelBook) -> None:
    sides: OrderSides = ({}, {})

    assert book.since(book, 0) is None
    assert book.orders_since(sides, sides, {}, 0) is None


def test_the_same_thing_has_the_same_uuid_of_version_4() -> None:
    assert make_uuid("a", 1) == make_uuid("a", 1) != make_uuid("a", 2)
    assert make_uuid("a", 1)[14] == "4"


trades = st.lists(
    st.tuples(st.integers(0, 400), st.integers(1, 50).map(float), st.integers(1, 5).map(float)), min_size=1, max_size=30
).map(sorted)


@given(trades, st.sampled_from([1, 5, 60, 300]))
@settings(max_examples=100, deadline=None)
def test_bars_fold_what_traded(made: list[tuple[int, float, float]], length: int) -> None:
    store = BarStore()
    for time, price, size in made:
        store.add(time * SECOND, price, size)

    bars = store.bars(length * SECOND, 0, 1_000 * SECOND)
    starts = sorted({time - time % length for time, _, _ in made})

    assert [bar.start for bar in bars] == [start * SECOND for start in starts]
    for bar, start in zip(bars, starts, strict=True):
        own = [(time, price, size) for time, price, size in made if start <= time < start + length]
        prices = [price for _, price, _ in own]
        assert (bar.open, bar.high, bar.low, bar.close) == (prices[0], max(prices), min(prices), prices[-1])
        assert (bar.count, bar.volume) == (len(own), sum(size for _, _, size in own))
        assert bar.value == sum(price * size for _, price, size in own)
        assert (bar.first_time, bar.last_time) == (own[0][0] * SECOND, own[-1][0] * SECOND)
    assert store.sums(0)[0] == sum(size for _, _, size in made)


def told(clock: BarClock, store: BarStore, second: float) -> list[tuple[int, int]]:
    return [(row.start // SECOND, row.count) for row in clock.due(store, int(second * SECOND))]


def test_an_open_bar_is_told_every_five_seconds_if_it_changed_and_when_it_closes() -> None:
    store, clock = BarStore(), BarClock(10 * SECOND, 0, 0)
    assert told(clock, store, 0) == []
    store.add(1 * SECOND, 5.0, 1.0)

    assert told(clock, store, 2) == []
    assert told(clock, store, 5) == [(0, 1)]
    store.add(6 * SECOND, 5.0, 1.0)
    assert told(clock, store, 6) == []
    assert told(clock, store, 10) == [(0, 2)]
    assert told(clock, store, 20) == []
    store.add(21 * SECOND, 5.0, 1.0)
    assert told(clock, store, 25) == [(20, 1)]
    assert told(clock, store, 29.9) == []
    assert told(clock, store, 30) == [(20, 1)]


def test_an_open_bar_that_did_not_change_is_not_told_again() -> None:
    store, clock = BarStore(), BarClock(60 * SECOND, 0, 0)
    store.add(1 * SECOND, 5.0, 1.0)

    assert told(clock, store, 1) == [(0, 1)]
    assert told(clock, store, 7) == []


def test_after_a_long_silence_only_the_latest_bars_are_told() -> None:
    store, clock = BarStore(), BarClock(SECOND, 0, 0)
    for second in range(200):
        store.add(second * SECOND, 5.0, 1.0)

    assert [start for start, _ in told(clock, store, 199.5)] == [*range(139, 199)]


def test_symbols_are_priced_and_sized_without_dust() -> None:
    assert SYMBOL.price(0.1 + 0.2) == 0.3
    assert SYMBOL.size(3) == 0.003
    assert SYMBOL.venue_name == "ETH-EUR"
