"""Coroutines that are cancelled at some of their checkpoints; `make chaos` tries every one of them."""

from __future__ import annotations

import attrs
import pytest

from tests.chaos.checkpoints import Checkpoint, checkpoints_of, public_coroutines, scenarios_of, try_checkpoint
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

    assert len(found) > 2
    assert [line for one in (found[0], found[len(found) // 3], found[-1]) for line in try_checkpoint(one)] == []


def test_a_coroutine_that_is_through_before_it_is_cancelled_comes_to_its_end_and_that_is_told() -> None:
    (line,) = try_checkpoint(Checkpoint(venue="alor", scenario="accepted", number=10_000))

    assert "never reached" in line


def test_with_a_journal_the_last_checkpoint_is_reached_and_none_is_left_behind_it() -> None:
    *_, last = checkpoints_of("t4", "accepted", journal=True)

    assert try_checkpoint(last, journal=True) == []
    (line,) = try_checkpoint(attrs.evolve(last, number=last.number + 1), journal=True)
    assert "never reached" in line
