"""Whole programs whose wires are narrow for a while: what is on its way waits, and nothing is lost by that."""

from __future__ import annotations

import attrs
import pytest

from strategykit.testing.faults import Fault, NetworkFault
from tests.chaos.trial import judge
from tests.chaos.worlds import draw_world

KIB = 1024


@pytest.mark.parametrize("rate", [1 * KIB, 8 * KIB, 64 * KIB])
@pytest.mark.parametrize("venue", ["alor", "t4", "coinapi", "seed"])
def test_all_is_well_after_wires_were_narrow(venue: str, rate: int) -> None:
    world = draw_world(venue, 102, faults=4, seconds=20.0)
    narrow = Fault(at=2.0, network=NetworkFault(what="narrow", seconds=10.0, count=rate))

    lines, struck = judge(attrs.evolve(world, faults=sorted([*world.faults, narrow], key=lambda fault: fault.at)))

    assert lines == []
    assert struck >= 3
