"""The samples trade in markets made for them, and do what their first lines say."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from decimal import Decimal
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from strategykit import Bar, BookSnapshot, Order, OrderState, Side
from strategykit.model.events import Event
from strategykit.runtime.load import load_strategy, sample_names
from strategykit.runtime.parameters import make_strategy, strategy_parameters
from strategykit.testing import START, Outcome, make_bars, make_books, make_quotes, run_strategy

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
FOLDER = Path(__file__).parents[2] / "strategies"
BUY, SELL = Side.BUY, Side.SELL
D = Decimal


def play(sample: str, events: Sequence[Event], how: dict[str, Any] | None = None, **params: Any) -> Outcome:
    """Run a sample; `how` goes to `run_strategy`, the rest are parameters."""
    strategy = make_strategy(load_strategy(f"sample:{sample}"), params)
    return run_strategy(strategy, events, **how or {}).check()


def deals(outcome: Outcome) -> list[tuple[str, Side, float, int]]:
    """Instrument, side, price, and minutes since the start of each fill."""
    return [
        (fill.instrument, fill.side, float(fill.price), ((fill.event_time or fill.receive_time) - START) // MINUTE)
        for fill in outcome.fills
    ]


def assert_flat(outcome: Outcome) -> None:
    assert outcome.fills
    assert not any(outcome.positions.values())
    assert [order for order in outcome.orders if order.is_open] == []


# Cross

UP_AND_DOWN = [10, 9, 8, 9, 10, 11, 12, 11, 10, 9]


def cross(closes: Sequence[float], how: dict[str, Any] | None = None, **params: Any) -> Outcome:
    return play("cross", make_bars("X", closes), how, instrument="X", fast=2, slow=3, **params)


def test_cross_buys_when_the_fast_average_rises_above_the_slow_and_sells_on_the_cross_back() -> None:
    outcome = cross(UP_AND_DOWN, stop=0.2)

    assert deals(outcome) == [("X", BUY, 10, 5), ("X", SELL, 10, 9)]
    assert_flat(outcome)


def test_cross_leaves_at_its_stop_and_waits_for_the_next_cross() -> None:
    outcome = cross([10, 9, 8, 9, 10, 10.4, 10.1, 9.7, 9, 8, 9, 10, 11], stop=0.025)

    assert deals(outcome)[:2] == [("X", BUY, 10, 5), ("X", SELL, 9.7, 8)]
    assert deals(outcome)[2][1:] == (BUY, 10, 12)
    assert_flat(outcome)


def test_cross_stays_out_of_a_falling_market() -> None:
    assert not cross([20, 19, 18, 17, 16, 15]).orders


def test_cross_says_why_it_could_not_enter_and_goes_on() -> None:
    outcome = cross(UP_AND_DOWN + UP_AND_DOWN, {"cash": D(5)})

    assert not outcome.fills
    assert len([note for note in outcome.notes if "no entry" in note]) > 1


def test_cross_begins_with_the_averages_of_the_past() -> None:
    past = make_bars("X", [10, 9, 8], start=START - 3 * MINUTE)
    bars = make_bars("X", [9, 10, 11, 10, 9, 8])

    outcome = play("cross", bars, {"history": past}, instrument="X", fast=2, slow=3, stop=0.2)

    assert deals(outcome) == [("X", BUY, 10, 2), ("X", SELL, 9, 5)]


# Breakout


def breakout(closes: Sequence[float], **params: Any) -> Outcome:
    return play("breakout", make_bars("X", closes), instrument="X", window=3, **params)


def test_breakout_leaves_when_its_time_is_over() -> None:
    outcome = breakout([10, 10, 10, 10.2, 10.1, 10.15, 10.12], hold=110.0, stop=0.1, target=0.1)

    assert deals(outcome) == [("X", BUY, 10.2, 4), ("X", SELL, 10.1, 5)]
    assert_flat(outcome)


def test_breakout_leaves_at_its_target() -> None:
    outcome = breakout([10, 10, 10, 10.2, 10.5, 10.4], target=0.02, stop=0.01)

    assert deals(outcome) == [("X", BUY, 10.2, 4), ("X", SELL, 10.5, 5)]


def test_breakout_sells_a_new_low_and_leaves_at_its_stop() -> None:
    outcome = breakout([10, 10, 10, 9.8, 9.9, 9.85], stop=0.01, target=0.1)

    assert deals(outcome) == [("X", SELL, 9.8, 4), ("X", BUY, 9.9, 5)]
    assert_flat(outcome)


def test_breakout_takes_no_bar_for_news_that_came_while_it_was_trading() -> None:
    """When the trade was over, the bar of 10.6 was still the highest of its window, though two bars had followed it."""
    outcome = breakout([10, 10, 10, 10.4, 10.6, 10.5, 10.55, 10.52], hold=200.0, stop=0.1, target=0.1)

    assert deals(outcome) == [("X", BUY, 10.4, 4), ("X", SELL, 10.55, 7)]


def test_breakout_doesnt_trade_a_close_that_only_equals_an_extreme() -> None:
    outcome = breakout([10, 11, 10.5, 11, 10.5, 10.5, 11, 10.5, 10.5, 10.5])

    assert deals(outcome) == []


def test_breakout_compares_with_as_many_bars_before_as_its_window_has() -> None:
    """The 12 has left the window when 11.5 comes, and is in it, as the oldest bar, when 11.2 does."""
    assert deals(breakout([12, 11, 11, 11.2, 11.1], hold=60.0)) == []
    assert deals(breakout([12, 11, 11, 11.2, 11.5, 11.3], hold=60.0))[0] == ("X", BUY, 11.5, 5)


def test_breakout_says_why_it_could_not_enter() -> None:
    outcome = play("breakout", make_bars("X", [10, 10, 10, 11]), {"cash": D(5)}, instrument="X", window=3)

    assert any("no entry" in note for note in outcome.notes)


# Spread


def spread(near: Sequence[float], how: dict[str, Any] | None = None, **params: Any) -> Outcome:
    bars = [*make_bars("A", near), *make_bars("B", [50.0] * len(near))]
    return play("spread", sorted(bars, key=attrgetter("receive_time")), how, near="A", far="B", window=5, **params)


def test_spread_sells_the_dear_leg_and_buys_the_cheap_one_until_the_ratio_is_back() -> None:
    outcome = spread([100, 100, 100, 100, 100, 103, 101.5, 101, 100.5, 100, 100], entry=0.02)

    assert deals(outcome)[:2] == [("B", BUY, 50, 6), ("A", SELL, 103, 6)]
    assert deals(outcome)[2:] == [("A", BUY, 101.5, 7), ("B", SELL, 50, 7)]
    assert_flat(outcome)


def test_spread_buys_the_near_leg_where_that_is_the_cheap_one() -> None:
    outcome = spread([100, 100, 100, 100, 100, 97, 97, 100, 100], entry=0.01, leave=0.0)

    assert deals(outcome)[:2] == [("A", BUY, 97, 6), ("B", SELL, 50, 6)]
    assert_flat(outcome)


def test_spread_holds_both_legs_or_neither() -> None:
    """There is cash for the first leg only: it is bought, the other one is refused, and the first is sold again."""
    outcome = spread([100, 100, 100, 100, 100, 103, 103], {"cash": D(60)}, entry=0.01)

    assert [deal[:2] for deal in deals(outcome)[:2]] == [("B", BUY), ("B", SELL)]
    assert {deal[0] for deal in deals(outcome)} == {"B"}
    assert any("no spread" in note for note in outcome.notes)
    assert_flat(outcome)


def test_spread_leaves_when_its_time_is_over_and_does_not_come_back_to_the_same_trade() -> None:
    outcome = spread([100, 100, 100, 100, 100, 103, 105, 108, 111], entry=0.01, hold=60.0)

    assert [when for *_, when in deals(outcome)] == [6, 6, 7, 7]
    assert_flat(outcome)


# Maker


def maker(books: Sequence[BookSnapshot], how: dict[str, Any] | None = None, **params: Any) -> Outcome:
    return play("maker", books, how, instrument="X", **params)


def swinging(count: int = 60) -> list[BookSnapshot]:
    """A middle that swings by 6 ticks either way, four times a second."""
    steps = [3, 6, 3, 0, -3, -6, -3, 0]
    return make_books("X", [100 + steps[number % 8] * 0.01 for number in range(count)], spread=0.04, every=0.25)


def held(outcome: Outcome) -> list[Decimal]:
    """Lots held after each fill."""
    lots, total = [], D(0)
    for fill in outcome.fills:
        total += fill.side.sign * fill.quantity
        lots.append(total)
    return lots


def left_open(outcome: Outcome) -> list[Order]:
    return [order for order in outcome.orders if order.is_open]


def test_maker_earns_in_a_market_that_swings_and_leaves_no_order() -> None:
    outcome = maker(swinging())

    assert {fill.side for fill in outcome.fills} == {BUY, SELL}
    assert outcome.profit["RUB"] > 0
    assert left_open(outcome) == []


@pytest.mark.parametrize(("quantity", "most"), [(1, 2), (3, 4), (5, 2)])
def test_maker_never_holds_more_than_its_limit(quantity: int, most: int) -> None:
    falling = make_books("X", [100 - number * 0.1 for number in range(40)], spread=0.02, every=0.5)

    outcome = maker(falling, edge=6, quantity=quantity, most=most)

    assert max(held(outcome)) == most
    assert left_open(outcome) == []


def test_maker_leans_against_its_position() -> None:
    # The market comes down to the bid once, then stands still.
    books = make_books("X", [100.0, 100.0, 99.95, *[100.0] * 20], spread=0.02, every=0.5)

    outcome = maker(books, edge=4)

    later = [order.request.price for order in outcome.orders if order.placed > START + 5 * SECOND]
    assert held(outcome) == [1]
    assert set(later) == {D("99.95"), D("100.03")}


def test_maker_withdraws_its_quotes_when_the_book_goes_quiet_and_waits_for_a_new_one() -> None:
    """It used to take the book that went stale for a fresh one, and to quote on it again."""
    before = make_books("X", [100.0] * 4, spread=0.02)
    after = make_books("X", [101.0] * 4, spread=0.02, start=START + 60 * SECOND)

    outcome = maker([*before, *after], quiet=5.0, refresh=1.5)

    placed = sorted({(order.placed - START) // SECOND for order in outcome.orders})
    assert [second for second in placed if 8 < second < 60] == []
    assert 60 in placed
    assert {order.state for order in outcome.orders} == {OrderState.CANCELLED}


def test_maker_places_nothing_on_a_book_without_asks() -> None:
    book = make_books("X", [100.0], spread=0.02)[0]
    bare = BookSnapshot("X", book.bid_prices, book.bid_sizes, (), (), START, START, book.guid, True)

    assert not maker([bare]).orders


# Rider


def rider(closes: Sequence[float], **params: Any) -> Outcome:
    return play("rider", make_bars("X", closes), instrument="X", window=3, **params)


def test_rider_pays_no_more_than_its_slip_and_leaves_when_the_price_has_fallen_by_its_trail() -> None:
    outcome = rider([10, 9.9, 9.8, 10, 10.2, 10.4, 10.6, 10.5, 10.3, 10.1])

    assert deals(outcome) == [("X", BUY, 10, 4), ("X", SELL, 10.3, 9)]
    assert outcome.orders[0].request.price == D("10.05")
    assert outcome.notes == ["strategy: ended by trailing"]
    assert_flat(outcome)


def test_rider_takes_no_loss_after_a_gain() -> None:
    """Half a percent up, and the stop stands at the entry price; the average is still below."""
    outcome = rider([10, 9.8, 9.5, 9.9, 9.98, 9.9], trailing=0.2)

    assert deals(outcome)[:2] == [("X", BUY, 9.9, 4), ("X", SELL, 9.9, 6)]
    assert outcome.notes == ["strategy: ended by stop"]


def test_rider_leaves_below_its_average_or_at_its_stop_or_when_time_is_over() -> None:
    entry = [10, 9.9, 9.8, 10]

    assert rider([*entry, 9.91, 9.9, 9.9]).notes == ["strategy: ended by block"]
    assert rider([*entry, 9.5, 9.5, 9.5]).notes == ["strategy: ended by stop"]
    assert rider([*entry, 10.01, 10.02, 10.03, 10.03], hold=100.0).notes == ["strategy: ended by time"]


def test_rider_gives_an_entry_up_that_isnt_filled_in_time() -> None:
    bars = make_bars("X", [10, 9.9, 9.8, 10, 10, 10])
    quotes = make_quotes("X", [10.2], spread=0.02, start=START)  # Dearer than the entry may be.

    outcome = play("rider", [*bars, *quotes], instrument="X", window=3)

    (entry,) = outcome.orders
    assert entry.state is OrderState.CANCELLED
    assert outcome.notes[0].startswith("strategy: no entry: ")


# All of them


def bars_of(*instruments: str) -> list[Bar]:
    """Waves, each instrument with its own length."""
    found: list[Bar] = []
    for number, instrument in enumerate(instruments):
        length = 9 + 4 * number
        found += make_bars(instrument, [100 + abs((step % length) - length // 2) for step in range(90)])
    return sorted(found, key=attrgetter("receive_time"))


MARKETS: dict[str, tuple[Sequence[Event], dict[str, Any]]] = {
    "breakout": (bars_of("X"), {"instrument": "X", "window": 3, "hold": 240.0}),
    "cross": (bars_of("X"), {"instrument": "X", "fast": 2, "slow": 4}),
    "maker": (swinging(), {"instrument": "X"}),
    "rider": (bars_of("X"), {"instrument": "X", "window": 3}),
    "spread": (bars_of("A", "B"), {"near": "A", "far": "B", "window": 5}),
}


def test_every_sample_has_a_market_here() -> None:
    assert sorted(MARKETS) == sample_names() == sorted(path.stem for path in FOLDER.glob("*.py"))


@pytest.mark.parametrize("sample", sorted(MARKETS))
def test_two_runs_give_equal_orders_and_fills(sample: str) -> None:
    events, params = MARKETS[sample]
    first, second = (play(sample, events, {"latency": 0.05}, **params) for _ in range(2))

    assert len(first.fills) > 3
    assert [repr(fill) for fill in first.fills] == [repr(fill) for fill in second.fills]
    assert [(order.request, order.state, order.placed) for order in first.orders] == [
        (order.request, order.state, order.placed) for order in second.orders
    ]


@pytest.mark.parametrize("sample", sorted(MARKETS))
def test_samples_say_what_they_do_and_what_each_parameter_means(sample: str) -> None:
    cls = load_strategy(f"sample:{sample}")
    tree = ast.parse((FOLDER / f"{sample}.py").read_text(encoding="utf-8"))

    assert ast.get_docstring(tree)
    assert inspect.getdoc(cls) != inspect.getdoc(cls.__mro__[1])
    assert [item.name for item in strategy_parameters(cls) if not item.required and not item.help] == []


@pytest.mark.parametrize("sample", sorted(MARKETS))
def test_samples_import_what_every_author_can(sample: str) -> None:
    """From ``strategykit`` itself: its inner modules may move."""
    tree = ast.parse((FOLDER / f"{sample}.py").read_text(encoding="utf-8"))
    names = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]

    assert {name for name in names if name is not None and name.startswith("strategykit")} == {"strategykit"}
