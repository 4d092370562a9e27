"""The prices at which a position is left: on the tick, away from the market, and never back."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit import Instrument, RiskLimit, Side
from strategykit.runtime.levels import Levels, Terms, check_seconds

D = Decimal
BUY, SELL = Side.BUY, Side.SELL
X = Instrument("X", tick=D("0.05"))

distances = st.one_of(
    st.floats(0.0001, 0.9), st.decimals("0.01", "20", places=2, allow_nan=False, allow_infinity=False)
)
prices = st.floats(50, 200, allow_nan=False).map(lambda price: round(price, 2))


def levels(side: Side, price: str = "100", **terms: Any) -> Levels:
    found = Levels(X, side, Terms(**terms))
    found.enter(D(price))
    return found


@pytest.mark.parametrize(
    ("side", "stop", "target", "at"),
    [
        (BUY, 0.02, 0.03, ("98.00", "103.00")),
        (SELL, 0.02, 0.03, ("102.00", "97.00")),
        (BUY, D("1.5"), D("2.25"), ("98.50", "102.25")),
        (SELL, D("1.5"), D("2.25"), ("101.50", "97.75")),
        # Between two ticks: the stop is rounded away from the market, and so is the target.
        (BUY, D("1.52"), D("2.22"), ("98.45", "102.25")),
        (SELL, D("1.52"), D("2.22"), ("101.55", "97.75")),
    ],
)
def test_a_float_is_a_part_of_the_entry_price_and_a_decimal_a_distance(
    side: Side, stop: Decimal | float, target: Decimal | float, at: tuple[str, str]
) -> None:
    found = levels(side, stop=stop, target=target)

    assert (found.stop, found.target) == tuple(map(D, at))
    assert found.protective == found.stop
    assert found.kind(found.protective) == "stop"


def test_levels_move_with_the_mean_price_of_an_entry_that_goes_on() -> None:
    found = levels(BUY, stop=0.1, target=0.1, trailing=D(5))

    found.enter(D(98))

    assert (found.stop, found.target) == (D("88.20"), D("107.80"))
    assert found.trail == D(95), "what trails doesn't go back"


def test_what_was_moved_by_hand_stays_there() -> None:
    found = levels(SELL, stop=0.1, target=0.1, trailing=0.05)

    found.move_stop(104.02)
    found.move_target(D("96.50"))
    found.move_trail(D(2))
    found.enter(D(99))

    assert (found.stop, found.target, found.trail) == (D("104.05"), D("96.50"), D("101.00"))


def test_the_tighter_one_of_stop_and_trailing_stop_protects() -> None:
    found = levels(BUY, stop=D(2), trailing=D(3))
    assert (found.protective, found.kind(found.protective)) == (D(98), "stop")

    assert found.see(101.5)
    assert (found.protective, found.kind(found.protective)) == (D("98.50"), "trailing")
    assert not found.see(101.0)
    assert not found.see(101.52), "less than a tick"
    assert levels(SELL, stop=D(2), trailing=D(3)).protective == D(102)
    assert Levels(X, BUY, Terms(stop=0.1)).protective is None, "nothing is held yet"
    assert not Levels(X, BUY, Terms(trailing=0.1)).see(100.0)


@settings(max_examples=100, deadline=None)
@given(side=st.sampled_from(Side), distance=distances, path=st.lists(prices, max_size=30))
def test_a_trailing_stop_is_never_nearer_than_its_distance_and_never_goes_back(
    side: Side, distance: Decimal | float, path: list[float]
) -> None:
    found = Levels(X, side, Terms(trailing=distance))
    found.enter(D(100))
    length = distance if isinstance(distance, Decimal) else 100 * D(str(distance))
    best, before = D(100), found.trail
    for price in path:
        moved = found.see(price)
        exact = D(str(price))
        best = max(best, exact) if side is BUY else min(best, exact)
        assert found.trail is not None
        assert before is not None
        assert moved == (found.trail != before)
        assert (found.trail - before) * side.sign >= 0
        assert 0 <= (best - found.trail) * side.sign - length < X.tick
        assert found.trail % X.tick == 0
        before = found.trail


@pytest.mark.parametrize(
    ("side", "terms", "words"),
    [
        (BUY, {"stop": 0}, "stop must be a part of the price above 0, not 0"),
        (BUY, {"stop": math.nan}, "stop must be a part of the price above 0, not nan"),
        (BUY, {"stop": math.inf}, "stop must be a part of the price above 0, not inf"),
        (BUY, {"trailing": D(-1)}, "trailing must be a distance above 0, not -1"),
        (SELL, {"target": D("NaN")}, "target must be a distance above 0, not NaN"),
        (BUY, {"stop": 5}, "stop must be a part of the price below 1, not 5; a Decimal is a distance in price"),
        (BUY, {"trailing": 1.0}, "trailing must be a part of the price below 1"),
        (SELL, {"target": 1.5}, "target must be a part of the price below 1"),
        (BUY, {"within": 0}, "within must be above 0 s, not 0"),
        (BUY, {"enter_within": math.nan}, "enter_within must be above 0 s, not nan"),
    ],
)
def test_terms_that_make_no_sense_are_refused(side: Side, terms: dict[str, Any], words: str) -> None:
    with pytest.raises(RiskLimit, match=words):
        Terms(**terms).check(side)


def test_what_is_above_the_price_may_be_as_far_as_one_likes() -> None:
    Terms(target=3.0, within=math.inf).check(BUY)
    Terms(stop=2.0, trailing=1.5).check(SELL)
    Terms().check(SELL)
    check_seconds("within", None)


def test_a_level_that_no_price_reaches_is_told() -> None:
    with pytest.raises(RiskLimit, match="a stop at -50 can't be reached; it was entered at 100"):
        levels(BUY, stop=D(150)).check()
    with pytest.raises(RiskLimit, match="a trailing stop at 0 can't be reached"):
        levels(BUY, trailing=D(100)).check()
    with pytest.raises(RiskLimit, match="a target at -10 can't be reached"):
        levels(SELL, target=D(110)).check()
    levels(SELL, stop=D(150), trailing=D(200)).check()


@pytest.mark.parametrize("price", [0, -5.0, D("100.01"), math.inf, D("NaN")])
def test_levels_are_moved_to_prices_only(price: Decimal | float) -> None:
    found = levels(BUY, stop=0.1, target=0.1)

    for move in (found.move_stop, found.move_target):
        with pytest.raises(RiskLimit):
            move(price)

    assert (found.stop, found.target) == (D(90), D(110))


def test_a_stop_cant_trail_by_more_than_there_is() -> None:
    found = levels(BUY, trailing=D(5))

    with pytest.raises(RiskLimit, match="a stop that trails 100 by 100 can't be reached"):
        found.move_trail(D(100))
    with pytest.raises(RiskLimit, match="trailing must be a part of the price below 1"):
        found.move_trail(1)

    assert found.trail == D(95)
    found.move_trail(D(1))
    assert found.trail == D(99)
    found.move_trail(D(4))
    assert found.trail == D(99), "it doesn't go back"
