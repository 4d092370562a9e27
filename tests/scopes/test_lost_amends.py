"""A run that is interrupted while it doesn't know what became of an amend."""

from __future__ import annotations

from decimal import Decimal

import pytest
import trio

from strategykit import Order, OrderState, Quotes, Strategy, define
from strategykit.testing import World, run_world

SECONDS = 8.0


@define
class Mover(Strategy):
    """Bid far below the market, and lower it so late that its wire ends before the answer comes."""

    instrument: str

    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid > 0)
        last = self.quotes.last
        assert last is not None
        tick = self.instrument_of().tick
        price = Decimal(str(last.bid)) - 10 * tick
        order = self.buy_nowait(1, limit=price)
        await trio.sleep_until(SECONDS - 0.01)
        self.start(self.move, order, price - tick)
        await trio.sleep_forever()

    async def move(self, order: Order, price: Decimal) -> None:
        await order.amend(limit=price)


@pytest.mark.parametrize(("venue", "symbol"), [("alor", "SBER"), ("t4", "CME_Eq/ES/XCME_Eq ES (Z26)")])
def test_an_interrupted_run_withdraws_an_order_whose_amend_was_lost(venue: str, symbol: str) -> None:
    """Whether it took effect the venue's list tells only some seconds later, and there are but three."""
    world = World(
        venue=venue,
        strategies=[("mover", Mover(instrument=symbol))],
        instruments=[symbol],
        seconds=SECONDS,
        latency=(0.2, 0.2),
        patient=False,
        rate=0.0,
    )

    outing = run_world(world)

    assert outing.run is not None
    assert outing.report is not None
    (order,) = outing.run.gateway.orders.values()
    assert "ended before an answer" in order.reason
    assert (order.state, order.cancels) == (OrderState.CANCELLED, 1)
    assert outing.report.unaccounted == []
