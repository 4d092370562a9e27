"""What a venue tells that can't be, or that it takes back: nothing is guessed, and nothing of it goes unsaid."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from strategykit.errors import OrderRefused
from strategykit.model.event_class import altered
from strategykit.model.events import OrderStatus, Side
from strategykit.model.orders import AmendOrder, CancelOrder, OrderState

if TYPE_CHECKING:
    from tests.runtime.conftest import Stage


@pytest.mark.parametrize("wrong", [{"account": "D9"}, {"side": Side.SELL}])
async def test_news_of_another_account_or_side_under_our_number_are_told_and_not_folded_in(
    stage: Stage, autojump_clock: MockClock, wrong: dict[str, Any]
) -> None:
    order, truth = await stage.working()
    fill = stage.venue.fill(truth, 2)
    stage.venue.end(truth, OrderStatus.CANCELLED)
    stage.venue.said.clear()
    stage.hear(attrs.evolve(fill, **wrong))  # type: ignore[misc]  # an attrs class to type checkers, too
    stage.hear(attrs.evolve(truth.update(), **wrong))  # type: ignore[misc]  # as above

    assert stage.standing(order) == ("working", 0, 5)
    assert len(stage.gateway.contradictions) == 2
    assert all("is told to be a" in line for line in stage.gateway.contradictions)
    stage.hear(fill)
    stage.hear(truth.update())
    assert stage.standing(order) == ("cancelled", 2, 3)


async def test_an_old_word_of_an_order_that_has_ended_changes_nothing(stage: Stage, autojump_clock: MockClock) -> None:
    order, truth = await stage.working()
    old = truth.update()
    stage.venue.end(truth, OrderStatus.CANCELLED)
    await stage.tell()
    stage.hear(old)
    stage.gateway.updated(old, listed=True)  # The venue made the list before the end.
    assert stage.asked == 0
    await trio.sleep(60)

    assert stage.asked == 3, "it is asked once more, for trades, orders and stop orders"
    assert not order.listed_again
    assert not stage.gateway.contradictions
    stage.check()


async def test_an_order_that_ended_and_works_in_two_lists_is_told_of_and_withdrawn(
    stage: Stage, autojump_clock: MockClock
) -> None:
    order, truth = await stage.working()
    stage.venue.end(truth, OrderStatus.CANCELLED)
    await stage.tell()
    truth.status = OrderStatus.WORKING
    stage.reconciler.doubt(stage.gateway, 0.0)
    await trio.sleep(5)

    words = f"works as {truth.number}, though the venue had said that it is cancelled"
    assert stage.gateway.contradictions == [f"{order.client_order_id}: {words}"]
    assert stage.gateway.doubtful() == [order]
    assert [type(command) for command in stage.sent] == [CancelOrder]
    stage.execute()
    await stage.reply()
    await stage.tell()
    await trio.sleep(30)
    assert order.state is OrderState.CANCELLED
    stage.check()


async def test_an_amend_in_place_that_came_long_after_it_was_given_up_is_how_the_order_stands(
    stage: Stage, autojump_clock: MockClock
) -> None:
    order, truth = await stage.working()
    async with stage.watched(lambda: order.amend(limit=Decimal(99), quantity=9)) as got:
        await trio.sleep(20)
    assert isinstance(got[0], OrderRefused)
    truth.request = altered(truth.request, price=Decimal(99), quantity=Decimal(9))
    stage.hear(truth.update())

    assert (order.request.price, order.quantity) == (Decimal(99), Decimal(9))
    words = f"is changed as {truth.number}, though the venue didn't have the amend"
    assert stage.gateway.contradictions == [f"{order.client_order_id}: {words}"]
    stage.venue.fill(truth, 9)
    await stage.tell()
    assert stage.standing(order) == ("filled", 9, 0)
    assert len(stage.gateway.contradictions) == 1
    assert isinstance(stage.sent[0], AmendOrder)
