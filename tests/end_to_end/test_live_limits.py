"""Limits over real sockets: a run that meets them all the time is the same when its tape is run again."""

from __future__ import annotations

import os
import signal
from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio

from strategykit.model.risk_limits import DEFAULT_PLAN, RiskPlan
from strategykit.runtime.assembly import Run
from strategykit.runtime.live import run_live
from strategykit.runtime.report import RunReport
from strategykit.runtime.run import plan_session, rerun_tape, run_session

EAGER = """
    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        first = self.quotes.last.ask
        while True:
            near, far = {"limit": round(first * 1.002, 2)}, {"limit": round(first * 0.9, 2)}
            for lots, how in ((2, {}), (1, {}), (1, near), (1, far)):
                try:
                    self.buy_nowait(lots, **how)
                except RiskLimit as exc:
                    self.log(f"{exc.scope} {exc.limit} {exc.value}")
            await trio.sleep(0.03)
"""

NARROW = attrs.evolve(
    DEFAULT_PLAN.strategy, price_collar=Decimal("0.002"), max_position=9, max_order_rate=40, max_daily_loss=Decimal(300)
)
# One lot less than both strategies may hold together: whoever comes first, each meets its own limit, too.
PLAN = RiskPlan(account=attrs.evolve(NARROW, max_position=17), strategy=NARROW, time_zone="Europe/Moscow")


async def stop_when_met(run: Run) -> None:
    """As Ctrl-C: its place among the inputs is on the tape."""
    names = [seat.name for seat in run.supervisor.seats]
    with trio.fail_after(20):
        while not all(sum(scope.hits.values()) >= 10 for scope in run.risk.scopes(names)):  # noqa: ASYNC110
            await trio.sleep(0.005)
    os.kill(os.getpid(), signal.SIGINT)
    await trio.sleep_forever()


async def stop_when_filled(run: Run) -> None:
    with trio.fail_after(20):
        while not any(order.fills_seen for order in run.gateway.orders.values()):  # noqa: ASYNC110
            await trio.sleep(0.005)
    os.kill(os.getpid(), signal.SIGINT)
    await trio.sleep_forever()


def words(report: RunReport) -> list[tuple[str, str]]:
    return [(source, text) for _, source, text in report.notes if source in ("one", "two", "risk")]


@pytest.mark.parametrize("paper", [False, True])
def test_a_rerun_meets_the_recorded_limits_where_the_run_met_them(venue: Any, bench: Any, paper: bool) -> None:
    specs = [bench.strategy(EAGER, name="one"), bench.strategy(EAGER, name="two")]
    session = bench.session(venue.url, specs, duration=None, limits=PLAN)

    report = run_session(session, paper=paper, tape=bench.tape, meanwhile=stop_when_met)
    again = rerun_tape(bench.tape)

    assert report.ok, report
    met = {(row.scope, row.limit) for row in report.limits if row.hits}
    assert ("strategy one", "max_position") in met
    assert {scope for scope, _ in met} >= {"strategy one", "account"}
    assert again.ok, again.differences
    assert again.digest_equal
    assert again.run.limits == report.limits
    assert words(again.run) == words(report)
    assert words(report)


def test_a_tape_from_before_there_were_limits_is_run_again_without(venue: Any, bench: Any) -> None:
    session = bench.session(venue.url, [bench.strategy(EAGER, name="one")], duration=None)
    plan = plan_session(session, tape=bench.tape)
    facts = {key: value for key, value in plan.facts.items() if key != "risk"}

    report = run_live(attrs.evolve(plan, facts=facts, meanwhile=stop_when_filled))
    again = rerun_tape(bench.tape)

    assert report.limits
    assert again.run.limits == []
    assert again.ok, again.differences
