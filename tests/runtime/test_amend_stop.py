"""The trigger of a stop is amended, by a new number or under its own one, as long as it hasn't fired."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pytest
import trio
from trio.testing import MockClock

from strategykit.errors import OrderRefused, RiskLimit
from strategykit.model.event_class import altered
from strategykit.model.orders import AmendOrder, OrderState, OrderType
from strategykit.venues.dialect import OrderReply

if TYPE_CHECKING:
    from tests.runtime.conftest import Stage

D = Decimal
STOP: Final[dict[str, Any]] = {"limit": None, "stop": D(105)}


async def test_a_stop_is_moved_and_goes_on_under_its_new_number(stage: Stage, autojump_clock: MockClock) -> None:
    order, truth = await stage.working(**STOP)

    async with stage.watched(lambda: order.amend(stop=104.001, quantity=3)) as got:
        command = stage.execute()
        await stage.tell()
        await stage.reply()

    assert got == [OrderState.WORKING]
    assert isinstance(command, AmendOrder)
    # A buy's trigger lies above the market: away from that is up.
    assert (command.request.stop_price, command.request.quantity, command.request.price) == (D("104.01"), D(3), None)
    assert (order.request.stop_price, order.working_quantity, order.request.type) == (D("104.01"), D(3), OrderType.STOP)
    assert order.venue_order_id != truth.number
    stage.check()


async def test_a_move_that_the_venue_refuses_leaves_the_trigger(stage: Stage, autojump_clock: MockClock) -> None:
    order, _ = await stage.working(**STOP)

    async with stage.watched(lambda: order.amend(stop=D(104))) as got:
        stage.execute(refuse=True)
        await stage.reply()

    assert isinstance(got[0], OrderRefused)
    assert order.request.stop_price == 105
    stage.check()


async def test_what_has_no_trigger_cant_have_it_moved(stage: Stage, autojump_clock: MockClock) -> None:
    plain, _ = await stage.working()
    stop, truth = await stage.working(**STOP)
    stage.venue.trigger(truth)
    await stage.tell()

    for order in (plain, stop):
        with pytest.raises(OrderRefused, match="has no trigger to amend: it is no stop, or has fired"):
            await order.amend(stop=D(104))
    other, _ = await stage.working(**STOP)
    with pytest.raises(RiskLimit, match="isn't a multiple of the tick"):
        await other.amend(stop=D("104.001"))

    assert not stage.sent


@pytest.mark.parametrize("took_effect", [True, False])
async def test_a_move_in_place_whose_answer_is_lost_shows_by_the_trigger(
    stage: Stage, autojump_clock: MockClock, took_effect: bool
) -> None:
    order, truth = await stage.working(**STOP)
    stage.gateway.amend_nowait(order, limit=None, quantity=None, stop=D(104))
    stage.sent.clear()
    stage.lane(up=False)
    if took_effect:
        truth.request = altered(truth.request, stop_price=D(104))
    stage.lane(up=True)
    await trio.sleep(10)  # The venue is asked until it is certain.

    assert order.amending is None
    assert order.request.stop_price == (104 if took_effect else 105)
    assert order.venue_order_id == truth.number
    stage.check()


async def test_the_answer_to_a_move_in_place_counts_the_lots(stage: Stage, autojump_clock: MockClock) -> None:
    order, truth = await stage.working(**STOP)
    stage.gateway.amend_nowait(order, limit=None, quantity=D(7), stop=D(104))
    stage.sent.clear()

    stage.gateway.replied(OrderReply(truth.number, AmendOrder, None, 0, "done", True, D(7)))

    assert (order.request.stop_price, order.working_quantity, order.quantity) == (D(104), D(7), D(7))
