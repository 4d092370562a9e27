"""Open orders that nobody speaks of: asked about now and then, ever less often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from strategykit.model.events import OrderStatus
from strategykit.model.orders import OrderState
from strategykit.runtime.quiet_orders import keep_asking

if TYPE_CHECKING:
    from tests.runtime.conftest import Stage

EACH = 3
"""Questions of a round."""


def keep(nursery: trio.Nursery, stage: Any) -> None:
    nursery.start_soon(keep_asking, stage.gateway, lambda: stage.reconciler.ask_once_more(stage.gateway))


async def test_an_end_that_was_lost_is_found(stage: Stage, nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    order, truth = await stage.working()
    keep(nursery, stage)
    stage.venue.end(truth, OrderStatus.EXPIRED)

    await trio.sleep(29)
    assert stage.standing(order) == ("working", 0, 5)
    await trio.sleep(10)

    assert stage.standing(order) == ("expired", 0, 5)
    assert not stage.gateway.contradictions


async def test_an_order_that_stays_is_asked_about_ever_less_often(
    stage: Stage, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    await stage.working()
    keep(nursery, stage)

    await trio.sleep(600)
    assert stage.asked == 4 * EACH, "after 30, 60, 120 and 240 s more"
    await trio.sleep(3600)

    assert stage.asked == 16 * EACH, "every 5 minutes"


async def test_who_has_no_open_order_asks_nothing(
    stage: Stage, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    order, truth = await stage.working()
    stage.venue.end(truth, OrderStatus.CANCELLED)
    await stage.tell()
    assert not order.is_open
    keep(nursery, stage)

    await trio.sleep(600)

    assert stage.asked == 0


async def test_news_of_an_order_put_the_question_off(
    stage: Stage, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    _, truth = await stage.working(100)
    keep(nursery, stage)
    for _ in range(40):
        await trio.sleep(15)
        stage.venue.fill(truth, 1)
        await stage.tell()

    assert stage.asked == 0


async def test_one_question_is_about_all_orders(stage: Stage, nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """Orders that are placed all the time, and rest, cost no more than a question every half a minute."""
    keep(nursery, stage)
    for _ in range(60):
        await stage.working()
        await trio.sleep(5)

    assert 5 * EACH <= stage.asked <= 10 * EACH


async def test_an_order_that_isnt_shown_any_more_is_told_once_it_is_asked_about(
    stage: Stage, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    order, truth = await stage.working()
    keep(nursery, stage)
    del stage.venue.orders[truth.number]

    await trio.sleep(3600)
    await wait_all_tasks_blocked()

    line = f"{order.client_order_id}: the venue no longer shows order {truth.number}"
    assert set(stage.gateway.contradictions) == {line}
    assert order.state is OrderState.WORKING, "nothing but the venue's word ends it"
    assert stage.asked <= 16 * 7 * EACH, "each time for the two seconds that it may take to show up"
