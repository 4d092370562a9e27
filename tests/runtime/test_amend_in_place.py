"""Venues that change an order under its own number, and name it, not the command, in their answers."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from strategykit.errors import OrderRefused
from strategykit.model.event_class import altered
from strategykit.model.events import OrderStatus
from strategykit.model.orders import AmendOrder, CancelOrder, OrderState
from strategykit.runtime.order import Order
from strategykit.venues.dialect import OrderReply

if TYPE_CHECKING:
    from tests.runtime.conftest import Stage, Truth


def reply(number: str, to: type[AmendOrder | CancelOrder], *, ok: bool = True, **fields: object) -> OrderReply:
    values = {"venue_order_id": number, "to": to, "guid": None, "code": 0, "message": "words", "ok": ok, **fields}
    return OrderReply(**values)  # type: ignore[arg-type]  # as the fields say


def amend(stage: Stage, order: Order, *, limit: int | None = None, quantity: int | None = None) -> AmendOrder:
    """Ask for a change; give the command that left."""
    lots = None if quantity is None else Decimal(quantity)
    stage.gateway.amend_nowait(order, limit=None if limit is None else Decimal(limit), quantity=lots)
    command = stage.sent.pop()
    assert isinstance(command, AmendOrder)
    return command


async def filled(stage: Stage, truth: Truth, lots: int) -> None:
    stage.venue.fill(truth, lots)
    await stage.tell()


async def test_the_answer_says_how_many_lots_there_are_now(stage: Stage, autojump_clock: MockClock) -> None:
    order, truth = await stage.working()
    await filled(stage, truth, 2)
    command = amend(stage, order, quantity=4)
    assert [command.request.quantity, command.filled] == [4, 2]

    # One more was filled on the way: the venue counts it as part of the six that were asked for.
    await filled(stage, truth, 1)
    stage.gateway.replied(reply(truth.number, AmendOrder, guid=command.guid, quantity=Decimal(6)))

    assert [order.quantity, order.remaining, order.request.quantity] == [6, 3, 6]
    assert order.amending is None
    truth.request = altered(truth.request, quantity=Decimal(6))
    await filled(stage, truth, 3)
    assert order.state is OrderState.FILLED
    assert not stage.gateway.contradictions


async def test_a_changed_limit_leaves_the_lots_as_they_were(stage: Stage, autojump_clock: MockClock) -> None:
    order, truth = await stage.working()
    await filled(stage, truth, 2)
    command = amend(stage, order, limit=101)
    assert [command.request.quantity, command.filled] == [3, 2]

    stage.gateway.replied(reply(truth.number, AmendOrder, quantity=Decimal(5)))

    assert [order.quantity, order.remaining, order.request.price, order.excess] == [5, 3, 101, 0]
    assert not stage.sent, "there is no excess to withdraw"


async def test_a_refusal_is_for_the_change_that_waits_whatever_it_is_called(
    stage: Stage, autojump_clock: MockClock
) -> None:
    order, truth = await stage.working()
    amend(stage, order, limit=101)

    assert stage.gateway.replied(reply(truth.number, AmendOrder, ok=False, guid="an older one", code=2013))

    assert order.amending is None
    assert isinstance(order.amend_refusal, OrderRefused)
    assert order.request.price == 100
    assert order.state is OrderState.WORKING


async def test_a_yes_to_a_change_that_is_gone_is_no_answer_to_the_next_one(
    stage: Stage, autojump_clock: MockClock
) -> None:
    order, truth = await stage.working()
    amend(stage, order, limit=101)

    assert not stage.gateway.replied(reply(truth.number, AmendOrder, guid="an older one"))
    assert not stage.gateway.replied(reply(truth.number, CancelOrder))
    assert not stage.gateway.replied(reply("another", AmendOrder, ok=False))

    assert order.amending is not None


async def test_a_cancel_is_answered_by_the_number(stage: Stage, autojump_clock: MockClock) -> None:
    order, truth = await stage.working()
    order.cancel_nowait()
    await wait_all_tasks_blocked()
    stage.venue.end(truth, OrderStatus.CANCELLED)
    await stage.tell()

    assert stage.gateway.replied(reply(truth.number, CancelOrder))

    assert order.state is OrderState.CANCELLED


@pytest.mark.parametrize("took_effect", [True, False])
@pytest.mark.parametrize(("limit", "quantity"), [(101, None), (None, 7), (101, 7)])
async def test_whether_a_lost_change_took_effect_shows_in_the_order_itself(
    stage: Stage, autojump_clock: MockClock, took_effect: bool, limit: int | None, quantity: int | None
) -> None:
    order, truth = await stage.working()
    await filled(stage, truth, 1)
    command = amend(stage, order, limit=limit, quantity=quantity)
    wanted = altered(command.request, quantity=command.request.quantity + command.filled)
    stage.lane(up=False)
    if took_effect:
        truth.request = wanted
    stage.lane(up=True)

    await order.known()
    await order.changed.until(lambda: order.amending is None)

    assert (order.amend_refusal is None) is took_effect
    assert order.request.price == (Decimal(limit) if took_effect and limit else 100)
    assert order.quantity == (8 if took_effect and quantity else 5)
    assert order.state is OrderState.PARTIAL
    assert not stage.gateway.contradictions
