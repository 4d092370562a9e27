"""While a wire of the account is broken nothing is certain, and nothing is opened before the venue has been asked."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from strategykit import Books, OrderRefused, Strategy, define
from strategykit.model.events import Side
from strategykit.model.orders import CancelOrder, CreateOrder, OrderState
from strategykit.net.inbox import Input, InputKind
from strategykit.runtime.assembly import Run
from strategykit.runtime.engine import Engine
from strategykit.runtime.order import Order
from strategykit.runtime.outside import NoWires
from strategykit.runtime.recording import Notes, NullLedger
from strategykit.testing.faults import Fault
from strategykit.testing.world import World, run_world
from strategykit.venues.alor.dialect import Alor
from strategykit.venues.dialect import Confirmed
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import Subscriptions

NEWS = "orders-0"
ASKED = "the venue is being asked how things stand"


def break_news(stage: Any) -> None:
    stage.gateway.outages.news_ended({NEWS}, "reset")


def sell(stage: Any, lots: int, **how: Any) -> Order:
    order: Order = stage.gateway.submit("s", "X", Side.SELL, lots, limit=Decimal(100), **how)
    return order


# The wire of news


async def test_what_works_is_in_doubt_while_the_wire_of_its_news_is_down(stage: Any, autojump_clock: MockClock) -> None:
    order, truth = await stage.working()

    break_news(stage)

    assert order.state is OrderState.UNKNOWN
    await trio.sleep(30)
    assert order.state is OrderState.UNKNOWN, "what was listed was true then"
    stage.venue.fill(truth, 2)
    stage.venue.said.clear()
    await trio.sleep(100)
    assert stage.standing(order) == ("unknown", 2, 3), "meanwhile the venue is asked, again and again"
    stage.gateway.outages.news_opened(NEWS, again=True)
    await trio.sleep(30)
    stage.check()
    assert stage.standing(order) == ("partial", 2, 3)


async def test_an_end_during_the_outage_is_believed(stage: Any, autojump_clock: MockClock) -> None:
    order, truth = await stage.working()
    break_news(stage)
    stage.venue.fill(truth)
    stage.venue.said.clear()

    await trio.sleep(100)

    assert stage.standing(order) == ("filled", 5, 0)


async def test_an_order_that_closes_is_sent_during_the_outage_and_isnt_certain(
    stage: Any, autojump_clock: MockClock
) -> None:
    _, truth = await stage.working()
    stage.venue.fill(truth)
    await stage.tell()
    break_news(stage)

    order = sell(stage, 5)
    stage.execute()
    await stage.reply()

    assert order.state is OrderState.UNKNOWN
    assert order.venue_order_id is not None
    stage.venue.said.clear()
    stage.gateway.outages.news_opened(NEWS, again=True)
    await trio.sleep(30)
    stage.check()
    assert stage.standing(order) == ("working", 0, 5)


async def test_a_cancel_is_sent_and_answered_during_the_outage(stage: Any, autojump_clock: MockClock) -> None:
    order, _ = await stage.working()
    break_news(stage)

    order.cancel_nowait()
    assert isinstance(stage.execute(), CancelOrder)
    await stage.reply()
    stage.venue.said.clear()
    await trio.sleep(30)

    assert order.state is OrderState.CANCELLED


# What is withheld


async def test_nothing_is_opened_before_the_venue_has_told_what_was_missed(
    stage: Any, autojump_clock: MockClock
) -> None:
    """Who buys where no position is seen would have two: the first order was filled while nobody could be told."""
    order, truth = await stage.working()
    stage.lane(up=False)
    stage.venue.fill(truth)
    stage.venue.said.clear()
    stage.silent = True
    stage.lane(up=True)
    await wait_all_tasks_blocked()

    second = stage.order()

    assert second.state is OrderState.REJECTED
    assert ASKED in second.reason
    with pytest.raises(OrderRefused, match=ASKED):
        await second.accepted()
    assert not stage.sent
    assert not stage.gateway.outages.may_open()
    stage.silent = False
    await stage.gateway.lane.until(stage.gateway.outages.may_open)
    assert order.filled_quantity == 5
    third = stage.order()
    assert third.state is OrderState.SENT


async def test_what_closes_and_what_withdraws_leaves_at_once(stage: Any, autojump_clock: MockClock) -> None:
    _, truth = await stage.working()
    stage.venue.fill(truth)
    await stage.tell()
    resting, _ = await stage.working(1)
    stage.silent = True
    stage.lane(up=False)
    stage.lane(up=True)

    resting.cancel_nowait()
    assert sell(stage, 5).state is OrderState.SENT
    assert sell(stage, 1).state is OrderState.REJECTED, "it would open the other way"

    assert [type(command) for command in stage.sent] == [CancelOrder, CreateOrder]


async def test_an_answer_from_before_the_wire_was_back_proves_nothing(stage: Any, autojump_clock: MockClock) -> None:
    await stage.working()
    late: list[Any] = []
    ask, stage.reconciler.ask = stage.reconciler.ask, lambda *question: late.append(question)
    break_news(stage)
    await wait_all_tasks_blocked()
    stage.gateway.outages.news_opened(NEWS, again=True)

    for _ in range(3):  # Fills, orders, stops: all of the first round.
        ask(*late.pop())
        await wait_all_tasks_blocked()

    assert stage.reconciler.rounds == 1
    assert not stage.gateway.outages.may_open()
    stage.reconciler.ask = ask
    ask(*late.pop())
    await stage.gateway.lane.until(stage.gateway.outages.may_open)
    assert stage.reconciler.rounds == 2


async def test_one_order_that_stays_in_doubt_keeps_nobody_from_trading(stage: Any, autojump_clock: MockClock) -> None:
    lost = stage.order()
    stage.lane(up=False)
    stage.lane(up=True)
    await wait_all_tasks_blocked()

    assert lost.state is OrderState.UNKNOWN
    assert stage.order().state is OrderState.SENT


async def test_a_lane_that_comes_back_to_nothing_withholds_nothing(stage: Any) -> None:
    stage.lane(up=False)
    stage.lane(up=True)

    assert stage.order().state is OrderState.SENT


# Which wires


@attrs.define(eq=False)
class Told:
    """Stands for a gateway and its outages, as far as an engine tells them of wires."""

    lines: list[Any] = attrs.field(factory=list)

    @property
    def outages(self) -> Told:
        return self

    def news_ended(self, connections: Collection[str], reason: str) -> None:
        self.lines.append((sorted(connections), reason))

    def news_opened(self, connection: str, *, again: bool) -> None:
        self.lines.append((connection, again))


class Deaf(NoWires):
    """Wires over which nobody is asked anything."""

    def ask(self, ask: object) -> None: ...


class Lines:
    """An engine whose account has one wire of news."""

    def __init__(self) -> None:
        dialect, guids, told = Alor(), iter("gh"), Told()
        self.told = told.lines
        gateway: Any = told
        nobody: Any = None
        table = Subscriptions(
            dialect.limits, {"orders": 1}, lambda: next(guids), dialect.cursor, dialect.lane, dialect.key
        )
        self.engine = Engine(
            dialect=dialect,
            table=table,
            wires=Deaf(),
            ledger=NullLedger(Notes(), lambda: 0),
            gateway=gateway,
            supervisor=nobody,
            poke=lambda: None,
        )
        stream = Stream(kind=StreamKind.ORDERS, account="D1", exchange="MOEX")
        self.row = self.engine.want(stream, "me", None)

    def opened(self, connection: str, session: int = 1) -> None:
        self.engine.process(Input(InputKind.OPENED, connection, 1, "orders", status=session))

    def closed(self, connection: str) -> None:
        self.engine.process(Input(InputKind.CLOSED, connection, 1, "gone"))


def test_a_wire_of_news_that_breaks_is_told_and_so_is_its_coming_back() -> None:
    lines = Lines()
    lines.opened(NEWS)
    lines.closed(NEWS)
    lines.opened(NEWS, 2)

    assert lines.told == [(NEWS, False), ([NEWS], "gone"), (NEWS, True)]


def test_a_wire_of_news_that_was_replaced_in_time_has_lost_nothing() -> None:
    lines = Lines()
    lines.opened(NEWS)
    lines.engine.handover.begin(NEWS, "old")
    lines.opened(f"{NEWS}~2")
    lines.engine.take(Confirmed(lines.row.guid), 1, f"{NEWS}~2")
    lines.told.clear()

    lines.closed(NEWS)

    assert lines.told == []


@pytest.mark.parametrize("there", [True, False])
def test_a_wire_of_news_that_breaks_while_it_is_replaced_goes_on_over_the_next(there: bool) -> None:
    lines = Lines()
    lines.opened(NEWS)
    lines.engine.handover.begin(NEWS, "old")
    if there:
        lines.opened(f"{NEWS}~2")
    lines.told.clear()

    lines.closed(NEWS)

    assert lines.told == [([] if there else [f"{NEWS}~2"], "gone")]


async def test_news_that_go_on_elsewhere_are_asked_for_all_the_same(stage: Any, autojump_clock: MockClock) -> None:
    order, _ = await stage.working()
    stage.gateway.outages.news_ended((), "replaced too late")
    assert order.state is OrderState.UNKNOWN
    await trio.sleep(30)

    stage.check()
    assert stage.gateway.outages.may_open()


# A whole run


@define
class Resting(Strategy):
    """Bid far below the market, and say how that stands whenever that changes."""

    instrument: str
    books = Books("{instrument}")

    async def run(self) -> None:
        await self.when(self.books.bid < self.books.ask)
        await self.buy(1, limit=(self.books.best_bid or 0.0) * 0.9)
        await trio.sleep_forever()

    def on_order(self, order: Order) -> None:
        self.log(f"{order.state.value} at {self.now() * 1e-9 % 3600:.1f}")


def test_a_run_whose_wire_of_news_breaks_knows_nothing_for_certain_until_it_is_back() -> None:
    states: list[OrderState] = []

    async def look(run: Run, _: object) -> None:
        while NEWS in run.engine.sessions or not run.gateway.open_orders():  # noqa: ASYNC110 - nobody tells
            await trio.sleep(0.05)
        while NEWS not in run.engine.sessions:
            states.extend(order.state for order in run.gateway.open_orders())
            await trio.sleep(0.05)

    faults = [
        Fault(at=3.0, venue={"fault": "refuse_upgrades", "seconds": 4.0, "status": 503}),
        Fault(at=3.0, venue={"fault": "reset", "lane": "orders"}),
    ]
    world = World(
        venue="alor",
        strategies=[("s", Resting(instrument="SBER"))],
        instruments=["SBER"],
        rate=4.0,
        seconds=30.0,
        faults=faults,
        rests=False,
    )
    outing = run_world(world, meanwhile=look)

    assert outing.report is not None
    assert outing.report.ok, (outing.report.alarms, outing.report.unaccounted, outing.report.strategies)
    assert len(states) > 3
    assert set(states) == {OrderState.UNKNOWN}
    told = [line.partition(" ")[0] for _, source, line in outing.report.notes if source == "s"]
    assert told[:4] == ["sent", "working", "unknown", "working"]
