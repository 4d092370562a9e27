"""Who has lost too much today is told so, and not only the strategy."""

from __future__ import annotations

from decimal import Decimal

import attrs

from strategykit import OrderRefused, Quotes, RiskLimit, Strategy, define
from strategykit.model.risk_limits import DEFAULT_PLAN, RiskPlan
from strategykit.testing.world import World, run_world

SMALL = attrs.evolve(DEFAULT_PLAN.account, max_daily_loss=Decimal(50))


@define
class Loser(Strategy):
    """Buys and sells at once, until it mayn't any more."""

    instrument: str

    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid > 0)
        while True:
            try:
                await (await self.buy(5)).filled()
                await (await self.sell(5)).filled()
            except (RiskLimit, OrderRefused) as refusal:
                self.log(str(refusal))
                return


def test_a_days_loss_beyond_its_limit_is_an_alarm_and_makes_the_exit_code_red() -> None:
    world = World(
        strategies=[("loser", Loser(instrument="SBER"))],
        instruments=["SBER"],
        seconds=4.0,
        limits=RiskPlan(account=SMALL, strategy=DEFAULT_PLAN.strategy),
    )
    report = run_world(world).report

    assert report is not None
    (alarm,) = report.alarms
    assert alarm.startswith("risk: account has lost ")
    assert "none is placed until the next day" in alarm
    assert not report.ok
    assert any("ALARM: account has lost" in words for _, _, words in report.notes)
    assert report.strategies[0].error == ""
