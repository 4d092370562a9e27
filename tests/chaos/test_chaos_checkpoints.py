"""Coroutines that are interrupted at some of their checkpoints; `make chaos` tries every one of them."""

from __future__ import annotations

import attrs
import pytest

from tests.chaos.checkpoints import (
    EVERY,
    WAYS,
    Checkpoint,
    checkpoints_of,
    public_coroutines,
    scenarios_of,
    try_checkpoint,
)
from tests.chaos.edges import WHERE
from tests.chaos.strategies.interrupted import SCENARIOS


def test_everything_that_can_be_awaited_or_entered_is_tried() -> None:
    assert public_coroutines() <= {name.partition(" ")[0] for name in SCENARIOS}
    assert set(scenarios_of("t4")) == set(SCENARIOS)


@pytest.mark.parametrize(
    ("venue", "scenario"),
    [(("alor", "t4")[place % 2], name) for place, name in enumerate(scenarios_of("alor"))]
    + [("t4", name) for name in SCENARIOS if name not in scenarios_of("alor")],
)
def test_a_coroutine_that_is_cancelled_leaves_nothing_unknown(venue: str, scenario: str) -> None:
    found = list(checkpoints_of(venue, scenario))

    scope, *others = ([one for one in found if one.way == way] for way in WAYS)
    assert len(scope) > 2
    assert {one.number for one in scope} == set(range(len(scope)))
    some = [scope[0], scope[len(scope) // 3], scope[-1], *(way[len(way) // 2] for way in others if way)]
    assert [line for one in some for line in try_checkpoint(one)] == []


@pytest.mark.parametrize("venue", WHERE)
def test_every_way_is_tried_at_a_checkpoint_of_most_scenarios_and_all_over_a_long_one(venue: str) -> None:
    for way in WAYS[1:]:
        numbers = [one.number for one in checkpoints_of(venue, "nested") if one.way == way]
        assert len(numbers) > 5
        assert numbers[0] <= 2 * EVERY


def test_a_coroutine_that_is_through_before_it_is_cancelled_comes_to_its_end_and_that_is_told() -> None:
    (line,) = try_checkpoint(Checkpoint(venue="alor", scenario="accepted", number=10_000))

    assert "never reached" in line


def test_with_a_journal_the_last_checkpoint_is_reached_and_none_is_left_behind_it() -> None:
    *_, last = (one for one in checkpoints_of("t4", "accepted", journal=True) if one.way == "scope")

    assert try_checkpoint(last, journal=True) == []
    (line,) = try_checkpoint(attrs.evolve(last, number=last.number + 1), journal=True)
    assert "never reached" in line
