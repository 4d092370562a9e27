"""Places in queues: what trades, cancels and arrivals make of them."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from strategykit.errors import ConfigError
from strategykit.sim.models.queues import Chance, Family, Place, Shape


def test_trades_eat_what_stands_before_us_and_then_reach_us() -> None:
    place = Place(None, 10.0)

    assert [place.traded(4.0), place.traded(6.0), place.traded(2.0)] == [0, 0, 2]


def test_a_cautious_place_is_moved_by_no_cancel_until_less_is_left_than_stood_before_us() -> None:
    place = Place(None, 10.0)

    place.shown(12.0)
    place.shown(11.0)
    assert place.front == 10
    place.shown(3.0)
    assert place.front == 3
    place.shown(50.0)
    assert place.front == 3


def test_what_was_traded_is_no_cancel() -> None:
    place = Place(Chance(), 10.0)

    place.traded(4.0)
    place.shown(6.0)

    assert place.front == 6


def test_half_of_a_cancel_stood_before_us_where_as_much_stands_behind() -> None:
    place = Place(Chance(family=Family.LOG), 10.0)
    place.shown(20.0)

    place.shown(16.0)

    assert place.front == pytest.approx(10 - (1 - Chance(family=Family.LOG).behind(10, 10)) * 4)


def test_where_nobody_stands_behind_all_cancels_stood_before_us() -> None:
    place = Place(Chance(), 10.0)

    place.shown(7.0)

    assert place.front == 7


def test_a_price_that_is_not_shown_has_no_place_until_it_is() -> None:
    place = Place(Chance(), None)
    assert place.traded(100.0) == 0
    place.shown(None)
    assert place.front is None
    place.shown(5.0)
    assert place.traded(6.0) == 1


def test_a_price_that_is_out_of_sight_keeps_its_place() -> None:
    place = Place(Chance(), 10.0)
    place.shown(None)
    place.shown(8.0)

    assert place.front == 8


def test_crumbs_of_doubles_reach_nobody() -> None:
    place = Place(None, 0.3)

    assert [place.traded(0.1), place.traded(0.2)] == [0, 0]
    assert 0.1 + 0.2 > 0.3


lots = st.floats(0, 1e6, allow_nan=False)
chances = st.builds(Chance, family=st.sampled_from(Family), exponent=st.floats(0.1, 10), shape=st.sampled_from(Shape))


@settings(max_examples=150, deadline=None)
@given(chances, lots, lots)
def test_a_chance_is_one_whatever_stands_there(chance: Chance, before: float, behind: float) -> None:
    assert 0 <= chance.behind(before, behind) <= 1 + 1e-12


@settings(max_examples=100, deadline=None)
@given(chances, st.floats(0.001, 1e6))
def test_nobody_behind_means_nothing_is_cancelled_there(chance: Chance, before: float) -> None:
    assert chance.behind(before, 0.0) == pytest.approx(0, abs=1e-12)
    assert chance.behind(0.0, before) == pytest.approx(1)


steps = st.lists(st.tuples(st.sampled_from(["trade", "level", "hidden"]), st.integers(0, 30)), max_size=30)


@settings(max_examples=150, deadline=None)
@example(Chance(exponent=1.0), 2, [("level", 3), ("level", 1), ("trade", 0)])
@given(st.none() | chances, st.none() | st.integers(0, 30), steps)
def test_whatever_happens_a_queue_is_never_negative_and_gives_no_more_than_was_traded(
    chance: Chance | None, first: int | None, made: list[tuple[str, int]]
) -> None:
    place = Place(chance, None if first is None else float(first))
    traded = reached = 0.0
    for what, number in made:
        before = place.front
        if what == "trade":
            got = place.traded(float(number))
            assert 0 <= got <= number
            traded, reached = traded + number, reached + got
        else:
            place.shown(None if what == "hidden" else float(number))
            assert place.front is None or what == "hidden" or 0 <= place.front <= number
        assert place.front is None or place.front >= 0
        assert before is None or (place.front is not None and place.front <= before), "it only moves forward"
    assert reached <= traded


@settings(max_examples=100, deadline=None)
@given(chances, st.integers(1, 30), steps)
def test_no_guess_is_more_careful_than_the_cautious_one(
    chance: Chance, first: int, made: list[tuple[str, int]]
) -> None:
    guessed, cautious = Place(chance, float(first)), Place(None, float(first))
    for what, number in made:
        for place in (guessed, cautious):
            if what == "trade":
                place.traded(float(number))
            else:
                place.shown(None if what == "hidden" else float(number))
        assert guessed.front is not None
        assert cautious.front is not None
        assert guessed.front <= cautious.front + 1e-6


@pytest.mark.parametrize("exponent", [0, -1, 100, float("inf"), float("nan")])
def test_impossible_exponents_are_refused(exponent: float) -> None:
    with pytest.raises(ConfigError, match="exponent"):
        Chance(exponent=exponent)
