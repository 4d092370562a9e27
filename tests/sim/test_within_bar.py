"""What a bar makes of orders, held against the same bar walked tick by tick, its high first and its low first."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.model.events import OrderUpdate, Side
from strategykit.sim.models.bars import BarRule
from strategykit.sim.models.queues import FillRule
from tests.sim.test_paper_models import Desk, fills, of

BUY, SELL = Side.BUY, Side.SELL
LAST = 100
"""Price at which all orders are placed."""

Order = tuple[str, Side, int, int]
"""Kind, side, ticks from the last price, and trail."""
Prices = tuple[int, int, int, int]
"""Open, high, low, close."""

orders = st.tuples(
    st.sampled_from(["limit", "stop", "trailing"]), st.sampled_from(Side), st.integers(1, 9), st.integers(1, 9)
)


@st.composite
def bars(draw: st.DrawFn) -> Prices:
    low = draw(st.integers(90, 108))
    high = draw(st.integers(low, 110))
    return draw(st.integers(low, high)), high, low, draw(st.integers(low, high))


def place(desk: Desk, wanted: Sequence[Order]) -> None:
    """Rest orders, each of as many lots as its number: fills tell by that which it was."""
    for lots, (kind, side, away, trail) in enumerate(wanted, 1):
        match kind:
            case "limit":
                desk.rest(side, LAST - away * side.sign, lots)
            case "stop":
                desk.send(side, lots, stop_price=LAST + away * side.sign)
            case _:
                desk.send(side, lots, stop_price=LAST + away * side.sign, trail=trail)


def in_bar(wanted: Sequence[Order], bar: Prices, **assumed: Any) -> tuple[list[tuple[float, float]], bool]:
    """Give what a bar fills, and whether the report warns of it."""
    desk = Desk(**assumed)
    desk.bar(LAST, LAST, LAST, LAST)
    place(desk, wanted)
    return fills(desk.bar(*bar)), bool(desk.paper.warnings())


def walked(wanted: Sequence[Order], bar: Prices, *, high_first: bool) -> list[tuple[float, float]]:
    """Give what the same bar fills as trades, one at each tick, in the order in which it does."""
    opened, high, low, close = bar
    desk = Desk()
    desk.trade(LAST)
    place(desk, wanted)
    turns = [opened, high, low, close] if high_first else [opened, low, high, close]
    path = [opened]
    for start, end in pairwise(turns):
        step = 1 if end > start else -1
        path += range(start + step, end + step, step) if end != start else []
    return [fill for price in path for fill in fills(desk.trade(price))]


@settings(max_examples=400, deadline=None)
@given(st.lists(orders, min_size=1, max_size=4), bars(), st.sampled_from(BarRule))
def test_whatever_the_orders_a_bar_is_doubtful_where_its_two_ways_differ(
    wanted: list[Order], bar: Prices, rule: BarRule
) -> None:
    rising, falling = (walked(wanted, bar, high_first=first) for first in (True, False))

    assert in_bar(wanted, bar, bars=rule)[1] is (rising != falling)


@settings(max_examples=400, deadline=None)
@given(st.lists(orders, min_size=1, max_size=4), bars())
def test_whatever_the_orders_a_bar_that_isn_t_doubtful_fills_as_its_ticks_would(
    wanted: list[Order], bar: Prices
) -> None:
    told, doubtful = in_bar(wanted, bar)
    ways = [sorted(walked(wanted, bar, high_first=first)) for first in (True, False)]

    assert doubtful or [sorted(told)] * 2 == ways


@settings(max_examples=400, deadline=None)
@given(orders, bars(), st.sampled_from(BarRule))
def test_whatever_an_order_by_itself_is_filled_as_on_one_of_the_ways(one: Order, bar: Prices, rule: BarRule) -> None:
    opened, high, low, _ = bar
    rising, falling = (walked([one], bar, high_first=first) for first in (True, False))

    told, _ = in_bar([one], bar, bars=rule)

    assert told in (rising, falling)
    if rule is BarRule.NEAREST_FIRST:
        assert told == (rising if high - opened <= opened - low else falling)
    if rule is BarRule.STOP_FIRST:
        assert told or not (rising or falling)


# A stop that trails: sold, 10 below, placed at 100


@pytest.mark.parametrize("rule", BarRule)
@pytest.mark.parametrize(
    ("bar", "price"),
    [
        ((100, 120, 95, 104), 110),  # Whichever came first, the close lies beyond the trigger that the high made.
        ((100, 120, 95, 110), 110),
        ((125, 125, 111, 124), 115),  # The open had moved it before the low.
        ((88, 120, 85, 119), 88),  # The open lay beyond it.
        ((100, 101, 92, 95), None),  # It moved, and nothing reached it.
    ],
)
def test_where_a_bar_shows_that_a_trail_was_hit_every_rule_fills_it(
    bar: Prices, price: int | None, rule: BarRule
) -> None:
    told, doubtful = in_bar([("trailing", SELL, 10, 10)], bar, bars=rule)

    assert told == ([] if price is None else [(price, 1)])
    assert not doubtful


@pytest.mark.parametrize(
    ("rule", "prices"),
    [
        (BarRule.BOTH, []),
        (BarRule.LIMIT_FIRST, []),
        (BarRule.STOP_FIRST, [110]),
        (BarRule.NEAREST_FIRST, []),  # The low lies nearer to the open, so it came before the high.
    ],
)
def test_where_the_low_decides_whether_a_trail_was_hit_a_rule_does_and_the_report_warns(
    rule: BarRule, prices: list[float]
) -> None:
    told, doubtful = in_bar([("trailing", SELL, 10, 10)], (100, 120, 95, 118), bars=rule)

    assert [price for price, _ in told] == prices
    assert doubtful


@pytest.mark.parametrize(("rule", "price"), [(BarRule.BOTH, 90), (BarRule.STOP_FIRST, 90), (BarRule.NEAREST_FIRST, 98)])
def test_where_a_trail_may_have_been_hit_sooner_or_later_the_rule_says_at_what_price(
    rule: BarRule, price: float
) -> None:
    told, doubtful = in_bar([("trailing", SELL, 10, 10)], (100, 108, 89, 104), bars=rule)

    assert told == [(price, 1)]
    assert doubtful


def test_a_buy_that_trails_is_hit_the_other_way_round() -> None:
    assert in_bar([("trailing", BUY, 10, 10)], (100, 105, 80, 96)) == ([(90, 1)], False)
    assert in_bar([("trailing", BUY, 10, 10)], (100, 105, 80, 82)) == ([], True)


def test_a_trail_that_a_bar_has_moved_and_hit_is_told_where_it_was() -> None:
    desk = Desk()
    desk.bar(100, 100, 100, 100)
    desk.send(SELL, stop_price=90, trail=10)

    told = of(desk.bar(100, 120, 95, 104), OrderUpdate)

    assert told[0].status.value == "working"
    assert [update.stop_price for update in told[:2]] == [110, 110]


def test_a_careful_trail_gets_the_close_where_that_is_worse() -> None:
    assert in_bar([("trailing", SELL, 10, 10)], (100, 120, 95, 104), stop_at_close=True) == ([(104, 1)], False)


def test_a_trail_that_waits_for_the_next_bar_follows_meanwhile() -> None:
    desk = Desk(bars=BarRule.LIMIT_FIRST)
    desk.bar(100, 100, 100, 100)
    desk.rest(SELL, 105)
    desk.send(SELL, 2, stop_price=90, trail=10)

    assert fills(desk.bar(100, 112, 89, 109)) == [(105, 1)]
    assert desk.paper.stop_orders(desk.now)[0].stop_price == 102
    assert fills(desk.bar(109, 109, 101, 101)) == [(102, 2)]


def test_a_stop_that_isn_t_active_meets_no_bar() -> None:
    desk = Desk()
    desk.bar(100, 100, 100, 100)
    desk.send(SELL, stop_price=95, active=False)

    assert fills(desk.bar(94, 106, 93, 100)) == []


# Several orders


@pytest.mark.parametrize(
    ("wanted", "doubtful"),
    [
        ([("stop", BUY, 5, 0), ("stop", SELL, 5, 0)], True),  # A breakout either way.
        ([("limit", BUY, 5, 0), ("limit", SELL, 5, 0)], True),  # A grid.
        ([("stop", SELL, 5, 0), ("limit", SELL, 5, 0)], True),  # The two exits of a position.
        ([("stop", BUY, 5, 0), ("limit", SELL, 6, 0)], False),  # Both above: first the one, then the other.
        ([("stop", SELL, 5, 0), ("limit", BUY, 6, 0)], False),
        ([("stop", BUY, 5, 0), ("stop", SELL, 7, 0)], False),  # One is out of reach.
        ([("limit", BUY, 5, 0)], False),
    ],
)
def test_orders_that_the_high_and_the_low_reach_are_in_doubt(wanted: list[Order], doubtful: bool) -> None:
    assert in_bar(wanted, (100, 106, 94, 100))[1] is doubtful


def test_what_the_open_reached_comes_first_whatever_the_rule() -> None:
    wanted: list[Order] = [("limit", SELL, 5, 0), ("stop", SELL, 5, 0)]

    for rule in (BarRule.STOP_FIRST, BarRule.LIMIT_FIRST, BarRule.NEAREST_FIRST):
        assert in_bar(wanted, (94, 106, 93, 100), bars=rule) == ([(94, 2)], False)
        assert in_bar(wanted, (106, 106, 93, 100), bars=rule) == ([(105, 1)], False)


def test_a_limit_that_a_bar_only_touches_and_a_rule_leaves_makes_no_stop_wait() -> None:
    wanted: list[Order] = [("limit", SELL, 5, 0), ("stop", SELL, 5, 0)]

    told = in_bar(wanted, (100, 105, 94, 100), bars=BarRule.LIMIT_FIRST, rule=FillRule.TRADE_THROUGH)

    assert told == ([(95, 2)], False)


def test_orders_that_came_while_a_bar_formed_are_not_among_its_doubts() -> None:
    desk = Desk()
    desk.bar(100, 100, 100, 100)
    desk.now += 1
    place(desk, [("stop", BUY, 5, 0), ("stop", SELL, 5, 0)])
    desk.now -= 1

    assert fills(desk.bar(100, 106, 94, 100)) == []
    assert desk.paper.warnings() == []


@pytest.mark.parametrize(("close", "doubtful"), [(104, True), (102, False)])
def test_the_limit_of_a_stop_that_fired_is_in_doubt_where_the_low_may_have_met_it_before(
    close: int, doubtful: bool
) -> None:
    desk = Desk()
    desk.bar(100, 100, 100, 100)
    desk.send(BUY, stop_price=105, price=103)

    assert fills(desk.bar(100, 106, 99, close)) == []
    assert bool(desk.paper.warnings()) is doubtful
    mirrored = Desk()
    mirrored.bar(100, 100, 100, 100)
    mirrored.send(SELL, stop_price=95, price=97)
    mirrored.bar(100, 101, 94, 200 - close)
    assert bool(mirrored.paper.warnings()) is doubtful
