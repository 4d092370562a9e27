"""Paper trading in worlds: what travels arrives in time, however still the market is."""

from __future__ import annotations

from strategykit import Books, Strategy, define
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.models.latency import Constant
from strategykit.testing.world import World, run_world

SECOND = 1_000_000_000


@define
class Asker(Strategy):
    """Buys once and says how long it took."""

    book = Books("SBER")

    def __attrs_post_init__(self) -> None:
        self.took = 0.0

    async def run(self) -> None:
        async for _ in self.book:
            break
        began = self.now()
        order = await self.buy(1)
        await order.filled()
        self.took = (self.now() - began) / SECOND


def test_orders_on_paper_are_filled_in_time_where_the_market_stands_still() -> None:
    strategy = Asker()
    models = FillModels(order_latency=Constant(span=SECOND // 5), answer_latency=Constant(span=SECOND // 10))

    outing = run_world(
        World(strategies=[("asker", strategy)], seconds=20, instruments=["SBER"], rate=0.0, paper=True, models=models)
    )

    assert outing.error is None
    assert abs(strategy.took - 0.3) < 0.001
