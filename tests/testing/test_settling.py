"""When a world's run is told to stop: not before it could find out what the last faults did to its orders."""

from __future__ import annotations

from decimal import Decimal

import pytest
import trio

from strategykit import OrderRefused, OrderState, Quotes, Strategy, define
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
        try:
            await order.amend(limit=price - tick)
        except OrderRefused as refusal:
            self.log(f"{refusal}")
        await trio.sleep_forever()


@pytest.mark.parametrize(("venue", "symbol"), [("alor", "SBER"), ("t4", "CME_Eq/ES/XCME_Eq ES (Z26)")])
def test_a_run_is_stopped_when_it_knows_what_became_of_a_lost_amend(venue: str, symbol: str) -> None:
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
    assert "mover" in " ".join(source for _, source, _ in outing.report.notes), "the amend was lost"
    assert outing.report.unaccounted == []
    assert (order.state, outing.unsettled) == (OrderState.CANCELLED, ())
