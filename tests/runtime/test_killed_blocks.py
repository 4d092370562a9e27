"""Blocks leave what they hold when all trading has been stopped, whatever others hold beside them."""

from __future__ import annotations

from decimal import Decimal

import pytest
import trio

from strategykit import Quotes, RiskLimit, Strategy, define
from strategykit.runtime.kill import GONE_WITHIN
from strategykit.testing.faults import Fault
from strategykit.testing.world import World, run_world


@define
class Both(Strategy):
    """Long and short of the same at once; then it stops everything."""

    instrument: str

    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid > 0)
        async with self.long(2), self.short(1):
            await trio.sleep(0.5)
            self.kill("enough")
            try:
                self.buy_nowait(1)
            except RiskLimit as limit:
                self.log(str(limit))
            await trio.sleep(5)


def test_of_two_blocks_on_both_sides_each_is_left_after_a_kill() -> None:
    world = World(strategies=[("both", Both(instrument="SBER"))], instruments=["SBER"], seconds=4.0)
    report = run_world(world).report

    assert report is not None
    (row,) = report.strategies
    assert row.error.startswith("StrategyKilled"), row.error
    assert row.positions == {"SBER": Decimal(0)}
    assert [(order.side, int(order.filled)) for order in report.orders] == [
        ("buy", 2),
        ("sell", 1),
        ("buy", 1),
        ("sell", 2),
    ]
    assert any("nothing is placed any more but what closes a position" in words for _, _, words in report.notes)
    assert "positions: flat" in report.killed
    assert report.alarms == ()


@define
class Holds(Strategy):
    """Holds three in a block until somebody ends it."""

    instrument: str

    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid > 0)
        async with self.long(3):
            await trio.sleep(1.0)
            self.kill("enough")
            await trio.sleep_forever()


@pytest.mark.parametrize("lasts", [4.0, GONE_WITHIN + 0.3, GONE_WITHIN + 1.1, GONE_WITHIN + 2.0])
def test_a_block_that_can_not_leave_in_time_and_the_switch_do_not_both_close_its_position(lasts: float) -> None:
    """The venue refuses exits for a while: when it takes them again the one who closes is the block, or the switch."""
    halted = [
        Fault(at=0.9, venue={"fault": "halt", "instrument": "SBER"}),
        Fault(at=0.9 + lasts, venue={"fault": "resume", "instrument": "SBER"}),
    ]
    strategies = [("holds", Holds(instrument="SBER"))]
    world = World(strategies=strategies, instruments=["SBER"], faults=halted, seconds=20.0, on_kill="flatten")
    report = run_world(world).report

    assert report is not None
    (row,) = report.strategies
    assert row.error.startswith("StrategyKilled"), row.error
    assert row.positions == {"SBER": Decimal(0)}
    assert [order.side for order in report.orders if order.filled] == ["buy", "sell"]
    assert "positions: flat" in report.killed
    assert report.alarms == ()
