"""Withdrawing what a dead run has left by a run of its own, where the venue takes no orders by calls.

It logs in, which ends the session that the dead run may still have at venues that allow but one; it adopts the orders
as every run does, withdraws them, and ends when the venue has confirmed that.
"""

from __future__ import annotations

from pathlib import Path

import attrs

from strategykit.config import RunPlan, Session, VenuePlan
from strategykit.model.orders import OrderState
from strategykit.runtime.live import run_live
from strategykit.runtime.run import plan_session
from strategykit.runtime.withdraw import Left

__all__ = ["withdraw_by_run"]


def withdraw_by_run(venue: VenuePlan, folder: Path) -> Left:
    """Do so, for the account whose journal is in `folder`.

    Raises:
        StrategykitError: The run couldn't begin.
    """
    session = Session(venue=venue, run=RunPlan(live=True, tape=None))
    plan = attrs.evolve(
        plan_session(session, live=True),
        journal=folder,
        withdraw=True,
        handle_signals=False,
        on_progress=lambda _: None,
    )
    report = run_live(plan)
    troubles = [*report.unaccounted, *report.alarms]
    return Left(
        trouble="; ".join(troubles), withdrawn=sum(order.state == OrderState.CANCELLED.value for order in report.orders)
    )
