"""What a venue loses on a living wire: fills, and ends of orders. It is asked for, so that books become right again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import trio

from strategykit import Books, Order, OrderState, Strategy, define
from strategykit.model.orders import CancelOrder
from strategykit.runtime.assembly import Run
from strategykit.testing.faults import Fault
from strategykit.testing.world import Outing, World, run_world

SYMBOLS = {"alor": "SBER", "t4": "CME_Eq/ES/XCME_Eq ES (Z26)"}
LOSSES: dict[str, list[dict[str, Any]]] = {
    "alor": [{"fault": "late_fill"}, {"fault": "late_order_update"}],
    "t4": [{"fault": "lost_update"}],
}

venues = pytest.mark.parametrize("venue", sorted(SYMBOLS))


def lose(venue: str, at: float) -> list[Fault]:
    """Lose all news of orders from then on; those of ALOR's come long after the end."""
    return [Fault(at=at, venue={**row, "count": 8, "seconds": 2000}) for row in LOSSES[venue]]


def play(venue: str, strategy: Strategy, faults: Sequence[Fault], seconds: float, meanwhile: Any = None) -> Outing:
    world = World(
        venue=venue,
        strategies=[("s", strategy)],
        instruments=[SYMBOLS[venue]],
        rate=4.0,
        seconds=seconds,
        faults=faults,
        rests=False,
    )
    return run_world(world, meanwhile=meanwhile)


@define
class InAndOut(Strategy):
    """Buy, and sell again."""

    instrument: str
    books = Books("{instrument}")

    async def run(self) -> None:
        await self.when(self.books.bid < self.books.ask)
        async with self.long(1):
            await trio.sleep(3.0)
        self.log(f"out with {self.position()}")


@define
class Resting(Strategy):
    """Bid far below the market, and say when that has ended."""

    instrument: str
    books = Books("{instrument}")

    async def run(self) -> None:
        await self.when(self.books.bid < self.books.ask)
        order = await self.buy(1, limit=(self.books.best_bid or 0.0) * 0.9)
        placed = self.now()
        state = await order.ended()
        self.log(f"{state.value} after {(self.now() - placed) * 1e-9:.0f} s")


@venues
def test_a_fill_that_the_venue_lost_is_had_within_seconds(venue: str) -> None:
    outing = play(venue, InAndOut(instrument=SYMBOLS[venue]), lose(venue, 1.5), 20.0)

    assert outing.report is not None
    assert outing.report.ok, (outing.report.alarms, outing.report.unaccounted, outing.report.strategies)
    assert any("out with 0" in line for _, _, line in outing.report.notes)
    assert [order.state for order in outing.report.orders] == ["filled", "filled"]


@venues
def test_an_end_that_the_venue_lost_is_asked_for(venue: str) -> None:
    async def withdraw_by_hand(run: Run, _: object) -> None:
        """As somebody else does who may trade on the account."""
        while not (order := _resting(run)):  # noqa: ASYNC110 - a run tells nobody of its insides
            await trio.sleep(0.1)
        await trio.sleep_until(3.0)
        command = CancelOrder(guid="by-hand", venue_order_id=order.venue_order_id or "", request=order.request)
        run.gateway.port.command("s", command)

    outing = play(venue, Resting(instrument=SYMBOLS[venue]), lose(venue, 2.5), 60.0, withdraw_by_hand)

    assert outing.report is not None
    assert outing.report.ok, (outing.report.alarms, outing.report.unaccounted, outing.report.strategies)
    (line,) = [line for _, source, line in outing.report.notes if source == "s"]
    state, seconds = line.removesuffix(" s").split(" after ")
    assert state == "cancelled"
    assert 25 <= int(seconds) <= 45


def _resting(run: Run) -> Order | None:
    return next((order for order in run.gateway.open_orders() if order.state is OrderState.WORKING), None)
