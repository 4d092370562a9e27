"""Commands and their deadlines: each has its own, and one task watches over all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from strategykit.model.orders import OrderState
from strategykit.runtime.in_flight import HURRIED_REPLY_WITHIN, REPLY_WITHIN
from strategykit.runtime.order import Order
from strategykit.venues.dialect import Reply

if TYPE_CHECKING:
    from tests.runtime.conftest import Stage

SENT, UNKNOWN = OrderState.SENT, OrderState.UNKNOWN


async def test_each_command_is_lost_at_its_own_deadline(stage: Stage, autojump_clock: MockClock) -> None:
    stage.silent = True
    first = stage.order()
    await trio.sleep(1.0)
    second, third = stage.order(), stage.order()
    stage.execute()
    stage.execute()
    stage.gateway.replied(stage.venue.replies[1])
    await trio.sleep(REPLY_WITHIN - 1.5)
    assert [order.state for order in (first, second, third)] == [SENT, OrderState.WORKING, SENT]
    await trio.sleep(1.0)
    assert [order.state for order in (first, third)] == [UNKNOWN, SENT]
    assert len(stage.suspected) == 1
    await trio.sleep(1.0)

    assert third.state is UNKNOWN
    assert len(stage.suspected) == 2


async def test_what_is_sent_in_a_hurry_is_lost_before_what_was_sent_earlier(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.silent = True
    patient = stage.order()
    await trio.sleep(0.5)
    stage.gateway.commands.reply_within = HURRIED_REPLY_WITHIN
    hurried = stage.order()
    await trio.sleep(HURRIED_REPLY_WITHIN + 0.1)

    assert (patient.state, hurried.state) == (SENT, UNKNOWN)
    await trio.sleep(REPLY_WITHIN)
    assert patient.state is UNKNOWN


async def test_nothing_is_waited_for_once_all_is_answered(stage: Stage, autojump_clock: MockClock) -> None:
    """A run whose inputs are over would otherwise go on until the deadline of what was answered long ago."""

    def next_deadline() -> float:
        return trio.lowlevel.current_statistics().seconds_to_next_deadline

    quiet = next_deadline()
    for _ in range(2):
        orders = [stage.order(), stage.order()]
        await wait_all_tasks_blocked()
        assert next_deadline() == REPLY_WITHIN
        for order in orders:
            stage.gateway.replied(Reply(order.client_order_id, 400, "no", ok=False))
        assert next_deadline() == quiet == math.inf


async def test_what_is_sent_because_an_answer_was_lost_has_its_own_deadline(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.silent = True
    first = stage.order()
    again: list[Order] = []

    def place_another(order: Order) -> None:
        if order is first and not again:
            again.append(stage.order())

    stage.ear.on_order = place_another
    await trio.sleep(REPLY_WITHIN + 0.1)
    assert [order.state for order in again] == [SENT]
    await trio.sleep(REPLY_WITHIN)

    assert [order.state for order in again] == [UNKNOWN]


async def test_what_was_sent_is_under_way_until_it_is_answered_or_the_venue_tells_of_it(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.silent = True
    commands = stage.gateway.commands
    assert commands.newest_under_way() is None
    order = stage.order()
    sent = stage.now()
    assert commands.newest_under_way() == sent
    await trio.sleep(REPLY_WITHIN + 0.5)
    assert order.state is UNKNOWN
    assert commands.newest_under_way() == sent

    stage.execute()
    await stage.tell()
    assert commands.newest_under_way() is None

    order.cancel_nowait()
    assert len(stage.sent) == 1
    assert commands.newest_under_way() is None, "it opens nothing"


async def test_a_no_that_may_be_a_yes_leaves_a_command_under_way(stage: Stage, autojump_clock: MockClock) -> None:
    order, sent = stage.order(), stage.now()
    await trio.sleep(0.5)
    stage.gateway.replied(Reply(order.client_order_id, 408, "timed out", ok=False))

    assert stage.gateway.commands.newest_under_way() == sent


async def test_of_many_that_were_lost_the_newest_are_remembered(stage: Stage, autojump_clock: MockClock) -> None:
    stage.silent = True
    for _ in range(150):
        stage.order()
    stage.lane(up=False)

    assert stage.gateway.commands.newest_under_way() == stage.now()
    assert len(stage.gateway.commands._unknown) == 100
