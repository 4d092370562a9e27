"""As many subscriptions as venues allow: made, brought back after a loss, changed all at once, and ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio

from strategykit import Quotes, Strategy, define
from strategykit.errors import LimitReached
from strategykit.runtime.assembly import Run
from strategykit.testing.network import MemoryNetwork
from strategykit.testing.world import World, run_world
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import Subscription, SubscriptionState

SYMBOLS = {"alor": "SBER", "t4": "CME_Eq/ES/XCME_Eq ES (Z26)"}

MOST = {"alor": 10_000, "t4": 9_999}
"""Of the market: two connections full at ALOR; at T4 the one session is shared with the account's streams."""

MILLISECOND = 10**6

venues = pytest.mark.parametrize("venue", sorted(SYMBOLS))


@define
class Holds(Strategy):
    """Keep an order far below the market."""

    instrument: str

    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        await self.buy(1, limit=round((self.quotes.bid.value or 0.0) * 0.95))
        await trio.sleep_forever()


def another(venue: str, number: int) -> Stream:
    """Give a stream that differs from those of other numbers in a way that the venue has."""
    if venue == "t4":
        return Stream(kind=StreamKind.BOOK, instrument=SYMBOLS[venue], depth=number)
    pace = (100 + number) * MILLISECOND
    return Stream(kind=StreamKind.QUOTES, instrument=SYMBOLS[venue], frequency=pace)


@attrs.define
class Crowd:
    """Somebody who wants all that there is room for."""

    run: Run
    venue: str
    made: int = 0
    rows: list[Subscription] = attrs.field(factory=list)

    def fill(self) -> str:
        """Want another stream until there is no room; give the words of the refusal."""
        while True:
            self.made += 1
            try:
                self.rows.append(self.run.engine.want(another(self.venue, self.made), "crowd", None))
            except LimitReached as exc:
                return str(exc)

    def leave(self) -> None:
        for row in self.rows:
            self.run.engine.release(row, "crowd", None)
        self.rows.clear()

    async def confirmed(self) -> None:
        active = SubscriptionState.ACTIVE
        while any(row.state is not active for row in self.run.engine.table):  # noqa: ASYNC110 - a run tells nobody
            await trio.sleep(0.05)


def play(venue: str, crowd: Callable[[Crowd, MemoryNetwork], Any]) -> None:
    """Run a quiet market with a crowd in it; all has to be well in the end."""
    done: list[bool] = []

    async def meanwhile(run: Run, network: MemoryNetwork) -> None:
        with trio.fail_after(40):
            while not any(order.venue_order_id for order in run.gateway.open_orders()):  # noqa: ASYNC110
                await trio.sleep(0.05)
            await crowd(Crowd(run, venue), network)
        done.append(True)

    symbol = SYMBOLS[venue]
    strategies = [("holds", Holds(instrument=symbol))]
    outing = run_world(
        World(venue=venue, strategies=strategies, instruments=[symbol], rate=0.0, seconds=20.0, rests=False),
        meanwhile=meanwhile,
    )
    assert outing.report is not None, outing.error
    assert done
    assert (outing.unsettled, outing.report.unaccounted, outing.report.alarms) == ((), [], ())


@venues
def test_a_full_set_comes_back_after_a_loss_and_leaves_nothing_behind(venue: str) -> None:
    async def come_and_go(crowd: Crowd, network: MemoryNetwork) -> None:
        table = crowd.run.engine.table
        before, routes = list(table), dict(crowd.run.engine.routes)
        refusal = crowd.fill()
        assert "nothing was sent" in refusal
        assert len(table) >= 10_000
        assert len(crowd.rows) >= MOST[venue] - len(before)
        await crowd.confirmed()
        guids = [row.guid for row in table]
        network.reset()
        await trio.sleep(0.2)
        await crowd.confirmed()
        assert [row.guid for row in table] == guids
        crowd.leave()
        assert list(table) == before
        assert crowd.run.engine.routes == routes
        assert len(table.by_key) <= len(before)

    play(venue, come_and_go)


def test_a_full_set_that_is_exchanged_for_another_one_at_once_ends_no_session() -> None:
    """Twenty thousand changes in one moment, and an order beside them."""

    async def exchange(crowd: Crowd, _: MemoryNetwork) -> None:
        crowd.fill()
        await crowd.confirmed()
        crowd.leave()
        crowd.fill()
        (order,) = crowd.run.gateway.open_orders()
        crowd.run.gateway.cancel_nowait(order)
        await crowd.confirmed()
        assert crowd.run.gateway.open_orders() == []
        assert len(crowd.run.engine.table) == 10_000
        assert crowd.run.engine.sessions == {"session-0": 1}

    play("t4", exchange)
