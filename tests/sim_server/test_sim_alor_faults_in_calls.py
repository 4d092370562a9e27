from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from strategykit.sim.faults import AnswerFault, Mishap

if TYPE_CHECKING:
    from tests.sim_server.conftest import Lab


@pytest.mark.parametrize("answers", ["acknowledgement", "reply"])
async def test_what_happens_to_answers_can_be_planned_in_calls(lab: Lab, answers: str) -> None:
    faults, venue = lab.venue.faults, lab.venue._venue
    if answers == "acknowledgement":
        hit = (
            faults.late_acknowledgement(2.0),
            faults.missing_acknowledgement(),
            faults.duplicate_acknowledgement(count=2),
        )
    else:
        hit = faults.late_reply(2.0), faults.missing_reply(), faults.duplicate_reply(count=2)
    plan = venue.acknowledgements if answers == "acknowledgement" else venue.replies

    assert hit == (0, 0, 0)
    assert [(each.mishap, each.seconds) for each in plan.waiting][:1] == [(Mishap.LATE, 2.0)]
    assert [each.mishap for each in plan.waiting][1:] == [Mishap.MISSING, Mishap.DUPLICATE, Mishap.DUPLICATE]
    assert plan.take() == AnswerFault(Mishap.LATE, 2.0)


async def test_the_venues_other_faults_can_be_done_in_calls(lab: Lab) -> None:
    faults, venue = lab.venue.faults, lab.venue._venue
    token = await lab.token()
    faults.duplicate_fill(count=3)
    faults.revoke_tokens()
    faults.halt("SBER")

    assert venue.publisher.duplicate_fills == 3
    assert venue.access.check(token, lab.venue.now()) is None
    assert lab.venue.exchange.instrument_update("SBER").trading is False
    faults.resume("SBER")
    assert lab.venue.exchange.instrument_update("SBER").trading is True
