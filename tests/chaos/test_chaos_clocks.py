"""Whole programs whose clock is an hour off the venue's, under random faults: times of theirs and ours aren't mixed."""

from __future__ import annotations

import attrs
import pytest

from tests.chaos.trial import judge
from tests.chaos.worlds import draw_world

HOUR = 3600.0


@pytest.mark.parametrize(("venue", "ahead"), [("alor", -HOUR), ("alor", HOUR), ("t4", -HOUR), ("coinapi", -HOUR)])
def test_a_clock_that_is_an_hour_off_changes_nothing(venue: str, ahead: float) -> None:
    world = draw_world(venue, 101, faults=8, seconds=10.0)

    lines, struck = judge(attrs.evolve(world, venue_ahead=ahead))

    assert lines == []
    assert struck >= 6
