"""The venue withdraws our credential in the midst of a run, on real sockets and the real clock."""

from __future__ import annotations

import threading
from collections.abc import Generator
from pathlib import Path

import pytest
import trio

from strategykit.config import SIMULATED_ACCOUNT, RunPlan, Session, StrategySpec, VenuePlan
from strategykit.model.events import OrderStatus
from strategykit.net.endpoints import Endpoints
from strategykit.runtime.run import rerun_tape, run_session
from strategykit.secret import Secret
from strategykit.sim.alor_config import AlorVenueConfig
from strategykit.sim.server_alor import SimulatedAlor, open_simulated_alor

RESTING = """
import trio

from strategykit import Books, Strategy, define


@define
class Resting(Strategy):
    instrument: str

    book = Books("{instrument}")

    async def run(self) -> None:
        async for book in self.book:
            await self.buy(1, limit=book.bid_prices[0] * 0.97)
            await trio.sleep_forever()
"""


def states(venue: SimulatedAlor) -> list[OrderStatus]:
    return [order.status for order in venue.exchange.orders(SIMULATED_ACCOUNT)]


@pytest.fixture
def venue() -> Generator[SimulatedAlor]:
    """A venue in a thread; it refuses to renew our login from our first order on."""
    up, over = threading.Event(), threading.Event()
    found: list[SimulatedAlor] = []

    async def serve() -> None:
        async with open_simulated_alor(AlorVenueConfig(token_life=4)) as venue:
            found.append(venue)
            up.set()
            while not states(venue) and not over.is_set():  # noqa: ASYNC110 - nobody tells
                await trio.sleep(0.05)
            venue._venue.access._refresh_token = Secret("another")
            await trio.to_thread.run_sync(over.wait)

    thread = threading.Thread(target=trio.run, args=(serve,), daemon=True)
    thread.start()
    assert up.wait(10)
    yield found[0]
    over.set()
    thread.join(10)


@pytest.mark.slow
def test_orders_are_withdrawn_while_the_last_token_lives(venue: SimulatedAlor, tmp_path: Path) -> None:
    """The run used to end on the spot: no order was cancelled, and no report said which were left."""
    file = tmp_path / "resting.py"
    file.write_text(RESTING)
    session = Session(
        venue=VenuePlan(name="alor", endpoints=Endpoints.at(venue.url), account=SIMULATED_ACCOUNT),
        run=RunPlan(duration=30 * 10**9, tape=tmp_path / "tapes", seed=1),
        strategies=(StrategySpec(name="resting", file=str(file), params={"instrument": "SBER"}),),
    )
    result = run_session(session, handle_signals=False)

    assert states(venue) == [OrderStatus.CANCELLED]
    assert [order.state for order in result.orders] == ["cancelled"]
    (line,) = result.unaccounted
    assert "login can't be renewed" in line
    assert not result.ok
    assert result.tape is not None
    again = rerun_tape(result.tape)
    assert (again.equal, again.recorded) == (2, 2)
