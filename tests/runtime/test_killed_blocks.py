"""Blocks leave what they hold when all trading has been stopped, whatever others hold beside them."""

from __future__ import annotations

from decimal import Decimal

import trio

from strategykit import Quotes, RiskLimit, Strategy, define
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
