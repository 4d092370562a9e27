"""An order that the venue took long after it had said that there is none goes, however often that has to be said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio
from trio.testing import MockClock

from strategykit.model.events import Fill, OrderStatus
from strategykit.model.orders import CancelOrder, OrderState

if TYPE_CHECKING:
    from tests.runtime.conftest import Stage


async def test_one_that_comes_back_while_the_lane_is_down_is_withdrawn_once_it_is_up(
    stage: Stage, autojump_clock: MockClock
) -> None:
    order = stage.order()
    stage.lane(up=False)
    await trio.sleep(10)
    assert order.state is OrderState.REJECTED
    stage.venue.execute(stage.sent.pop())
    stage.venue.replies.clear()
    await stage.tell()
    assert stage.gateway.doubtful() == [order]

    stage.lane(up=True)
    await trio.sleep(1)

    assert [type(command) for command in stage.sent] == [CancelOrder]
    stage.sent.clear()  # It gets lost.
    stage.lane(up=False)
    stage.lane(up=True)
    await trio.sleep(1)
    assert isinstance(stage.execute(), CancelOrder)
    await stage.tell()

    assert [truth.status for truth in stage.venue.orders.values()] == [OrderStatus.CANCELLED]
    assert stage.gateway.doubtful() == []
    assert len(stage.gateway.contradictions) == 1


async def test_one_that_comes_back_filled_is_told_of_as_such(stage: Stage, autojump_clock: MockClock) -> None:
    order = stage.order()
    stage.lane(up=False)
    await trio.sleep(10)
    assert order.state is OrderState.REJECTED
    stage.venue.execute(stage.sent.pop())
    (truth,) = stage.venue.orders.values()
    stage.venue.fill(truth, 2)
    stage.venue.fill(truth)
    fills = [at for at, thing in enumerate(stage.venue.said) if isinstance(thing, Fill)]
    await stage.tell(*fills)

    assert stage.standing(order) == ("filled", 5, 0)
    assert len(stage.gateway.contradictions) == 2
    assert all("is filled as 1001, though the venue didn't have it" in line for line in stage.gateway.contradictions)


async def test_one_that_is_gone_again_is_asked_about_no_more(stage: Stage, autojump_clock: MockClock) -> None:
    order = stage.order()
    stage.lane(up=False)
    await trio.sleep(10)
    stage.venue.execute(stage.sent.pop())
    await stage.tell()
    stage.venue.orders.clear()
    stage.lane(up=True)
    await trio.sleep(1)

    assert not order.back
    assert stage.gateway.doubtful() == []
