"""What the contract with T4 says of its failures, over whole programs in virtual time."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio

from strategykit import Quotes, Stale, Strategy, define
from strategykit.model.events import AccountUpdate, Event, Fill, Gap
from strategykit.runtime.assembly import Run
from strategykit.testing.faults import Fault, NetworkFault
from strategykit.testing.world import Outing, World, run_world

ES = "CME_Eq/ES/XCME_Eq ES (Z26)"


@define
class Places(Strategy):
    """Place one order when three seconds are over, far below the market or at it; tell what is known of it."""

    instrument: str = ES
    at_market: bool = False

    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        await trio.sleep(3)
        last = self.quotes.last
        assert last is not None
        far = None if self.at_market else Decimal(str(last.bid)) - 100
        order = self.buy_nowait(2, limit=far)
        before = ""
        while True:
            if order.state.value != before:
                before = order.state.value
                self.log(before)
            await trio.sleep(0.1)


@attrs.define
class Watched:
    outing: Outing
    events: list[Event]
    codes: list[int]
    """Of what the venue complained of."""

    @property
    def told(self) -> list[str]:
        """What the strategy has logged."""
        assert self.outing.report is not None
        return [text for _, source, text in self.outing.report.notes if source == "places"]


def play(strategy: Strategy, *faults: dict[str, Any], seconds: float = 30.0) -> Watched:
    """Run with faults one after the other, from the second second on, five seconds apart."""
    events: list[Event] = []
    codes: list[int] = []

    async def listen(run: Run, _: object) -> None:
        run.engine.watchers.append(events.append)  # type: ignore[arg-type]  # its argument has no name
        await trio.sleep(seconds - 1)
        codes.extend(error.code for error in run.engine.errors)

    world = World(
        venue="t4",
        strategies=[("places", strategy)],
        faults=[Fault(at=2.0 + 5 * place, venue=fault) for place, fault in enumerate(faults)],
        seconds=seconds,
        instruments=[ES],
        rate=20.0,
    )
    outing = run_world(world, meanwhile=listen)
    assert outing.report is not None, outing.error
    assert outing.unsettled == ()
    return Watched(outing, events, codes)


def test_an_order_whose_answer_is_missing_is_unknown_until_the_venue_says() -> None:
    """Three updates tell that an order rests in the book: all of them are lost."""
    watched = play(Places(), {"fault": "lost_update", "count": 3})

    assert watched.told == ["sent", "unknown", "working"]
    (order,) = watched.outing.orders["orders"]
    assert order["status"] == "cancelled", "at the end of the run"
    assert watched.outing.report is not None
    (connection,) = watched.outing.report.connections
    assert connection.reconnects == 1, "the wire that brought no answer was left"


def test_an_order_that_never_arrived_is_unknown_until_the_account_is_seen_without_it() -> None:
    watched = play(Places(), {"fault": "ignore_request", "count": 1})

    assert watched.told == ["sent", "unknown", "rejected"]
    assert watched.outing.orders["orders"] == []


@define
class Listens(Strategy):
    """Tell when quotes fall silent and come back."""

    instrument: str = ES

    quotes = Quotes("{instrument}")

    def on_stale(self, stale: Stale) -> None:
        self.log(f"silent for {stale.silent_for // 10**9} s")

    def on_gap(self, gap: Gap) -> None:
        self.log("a gap is over")


def test_streams_whose_requests_were_overlooked_come_back_within_their_session() -> None:
    """Data are the only answer. Nothing else ends such a silence: the session lives, and others' data come by it."""
    watched = play(Listens(), {"fault": "ignore_request", "count": 2}, {"fault": "reset", "lane": "ws"})

    assert watched.told == ["silent for 10 s", "a gap is over"]
    run, report = watched.outing.run, watched.outing.report
    assert run is not None
    assert {row.state.value for row in run.engine.table} == {"active"}
    assert report is not None
    (connection,) = report.connections
    assert connection.reconnects == 1


def test_the_fee_of_a_fill_is_unknown_and_the_accounts_sum_is_told() -> None:
    watched = play(Places(at_market=True))

    fills = [event for event in watched.events if isinstance(event, Fill)]
    assert sum(fill.quantity for fill in fills) == 2
    assert {fill.fee for fill in fills} == {None}
    accounts = [event for event in watched.events if isinstance(event, AccountUpdate)]
    assert accounts[-1].fees is not None
    assert watched.outing.report is not None
    (row,) = watched.outing.report.strategies
    assert (row.fees_unknown, dict(row.fees)) == (len(fills), {})


@pytest.mark.parametrize("result", [12, 13])
def test_a_session_that_is_closed_for_its_backlog_is_opened_again(result: int) -> None:
    watched = play(Places(), {"fault": "backlog", "arguments": {"result": result}})

    assert watched.codes == [result]
    gaps = [event for event in watched.events if isinstance(event, Gap) and event.instrument == ES]
    assert len(gaps) == 1
    assert "reads too slowly" in gaps[0].reason
    assert watched.told == ["sent", "working"], "the order was placed after it"


@pytest.mark.parametrize("others", [False, True])
def test_a_login_of_our_own_that_comes_late_is_no_other_program(others: bool) -> None:
    """The venue reads what a wire has brought that is long gone, and with it a login that ends the session after it."""
    lane = {"lane": "ws"}
    faults = [
        Fault(at=0.162, venue={"fault": "stall", "seconds": 5.0, **lane}),
        Fault(at=1.056, network=NetworkFault(what="reset", where="ws", pick=0)),
        *([Fault(at=20.0, venue={"fault": "displace"})] if others else []),
    ]
    world = World(
        venue="t4",
        strategies=[("listens", Listens())],
        faults=faults,
        seconds=30.0,
        instruments=[ES],
        rate=20.0,
        latency=(0.03, 0.03),  # So that the first login is on its way when the venue stalls.
    )
    outing = run_world(world)

    report = outing.report
    assert report is not None, outing.error
    (connection,) = report.connections
    assert connection.reconnects == 1, "after the late login"
    notes = [text for _, source, text in report.notes if source == "venue"]
    assert len([text for text in notes if "(6)" in text]) == (3 if others else 1)
    assert any("the run was ended" in text for text in notes) is others
