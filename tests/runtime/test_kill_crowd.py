"""A kill switch that is pulled while a thousand orders are on their way: all go, or are named, in bounded time."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from strategykit.model.events import OrderStatus
from strategykit.model.orders import CancelOrder, CreateOrder, OrderState
from strategykit.runtime.alarms import Alarms
from strategykit.runtime.engine import Engine
from strategykit.runtime.kill import KILL_WITHIN, KillSwitch
from strategykit.runtime.supervise import Supervisor
from strategykit.runtime.unwatched import ADVICE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strategykit.model.orders import Command
    from tests.runtime.conftest import Stage

MANY = 1000


class Crowd:
    """A wire on which each order meets with one of five fates, and every seventh cancel is lost once."""

    def __init__(self, stage: Stage, nursery: trio.Nursery) -> None:
        self.stage = stage
        self.proofs: list[str] = []
        self.places = {stage.order(1).client_order_id: number for number in range(MANY)}
        self.cancelled: Counter[str] = Counter()
        engine = cast("Engine", SimpleNamespace(gateway=stage.gateway))
        supervisor = Supervisor(engine=engine, seats=(), now=stage.now, note=lambda *_: None, home=nursery)
        self.kill = KillSwitch(
            gateway=stage.gateway,
            supervisor=supervisor,
            reconciler=stage.reconciler,
            alarms=Alarms(lambda *_: None),
            start=nursery.start_soon,
            latch=lambda *_: None,
            proven=self.proofs.append,
            flatten=False,
            held=self.held,
        )

    def held(self) -> Iterator[tuple[str, str, Decimal]]:
        lots = sum((order.filled_quantity for order in self.stage.gateway.orders.values()), Decimal(0))
        if lots:
            yield "s", "X", lots

    def deliver(self, command: Command) -> None:
        venue = self.stage.venue
        match command:
            case CreateOrder(request=request):
                fate = self.places[request.client_order_id] % 5
                if fate == 0:  # It never arrives.
                    return
                venue.execute(command, refuse=fate == 1)
                if fate == 2:
                    venue.fill(venue.of(request.client_order_id)[-1])
                elif fate == 3:  # Nobody hears of it.
                    venue.replies.pop()
                    venue.said.pop()
            case CancelOrder(venue_order_id=number):
                self.cancelled[number] += 1
                if int(number) % 7 or self.cancelled[number] > 1:
                    venue.execute(command)

    async def carry(self) -> None:
        """Take everything to the venue and back, until it is known how it ended."""
        stage = self.stage
        while not self.kill.settled.is_set():
            commands, stage.sent[:] = list(stage.sent), []
            for command in commands:
                self.deliver(command)
            said, stage.venue.said = stage.venue.said, []
            replies, stage.venue.replies = stage.venue.replies, []
            for reply in replies:
                stage.gateway.replied(reply)
            for thing in said:
                stage.hear(thing)
            await wait_all_tasks_blocked()
            with trio.move_on_after(0.02):
                await self.kill.settled.wait()


@pytest.mark.parametrize("goes_silent", [False, True])
async def test_pulled_with_a_thousand_orders_in_flight_it_ends_in_proof_or_in_an_alarm_in_bounded_time(
    stage: Stage, nursery: trio.Nursery, autojump_clock: MockClock, *, goes_silent: bool
) -> None:
    crowd = Crowd(stage, nursery)
    assert {order.state for order in stage.gateway.orders.values()} == {OrderState.SENT}
    stage.silent = goes_silent
    began = trio.current_time()

    crowd.kill.pull("why", "the test")
    await crowd.carry()

    assert trio.current_time() - began <= KILL_WITHIN + 0.1
    if goes_silent:
        assert crowd.proofs == []
        (alarm,) = crowd.kill.alarms.lines
        left = [order.client_order_id for order in stage.gateway.open_orders()]
        assert left
        assert all(f"{name} (" in alarm for name in left)
        return
    assert crowd.proofs == [f"the venue has no order of ours; positions: +{MANY // 5} X of s"]
    (alarm,) = crowd.kill.alarms.lines
    words = (
        f"kill: the venue has no order of ours, but positions stay open, and nothing watches over them: +{MANY // 5} X"
    )
    assert alarm == f"{words} of s; {ADVICE}"
    assert OrderStatus.WORKING not in {truth.status for truth in stage.venue.orders.values()}
    assert stage.gateway.open_orders() == []
    states = Counter(order.state for order in stage.gateway.orders.values())
    assert states == {
        OrderState.REJECTED: 2 * MANY // 5,
        OrderState.FILLED: MANY // 5,
        OrderState.CANCELLED: 2 * MANY // 5,
    }
    stage.check()
    assert 2 in crowd.cancelled.values(), "what got lost was asked for again"
