"""Fills that are on their way while the limit of an order is amended: it never quietly becomes more than asked for."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from strategykit.errors import OrderRefused
from strategykit.model.event_class import altered
from strategykit.model.events import OrderStatus
from strategykit.model.orders import AmendOrder, CancelOrder, OrderState
from strategykit.runtime.order import Order
from strategykit.venues.dialect import Reply

if TYPE_CHECKING:
    from tests.runtime.conftest import Stage, Truth

WORKING = OrderStatus.WORKING


async def amended(stage: Stage, order: Order, limit: int = 101) -> Truth:
    """Amend the limit, with the answer delivered and no news; give what the venue has now."""
    stage.gateway.amend_nowait(order, limit=Decimal(limit), quantity=None)
    stage.execute()
    await stage.reply()
    return stage.venue.of(order.client_order_id)[-1]


async def raced(stage: Stage, lots: int = 2) -> tuple[Order, Truth]:
    """Give an order of 5 whose limit was amended while `lots` were filled, which nobody has told yet."""
    order, truth = await stage.working()
    stage.venue.fill(truth, lots)
    return order, await amended(stage, order)


@pytest.mark.parametrize("sequence", list(itertools.permutations(["reply", "old", "new", "fill"])))
async def test_what_would_be_too_much_is_withdrawn_in_whatever_order_it_is_told(
    stage: Stage, autojump_clock: MockClock, sequence: Sequence[str]
) -> None:
    order, truth = await stage.working()
    fill = stage.venue.fill(truth, 2)
    stage.venue.said.clear()
    stage.gateway.amend_nowait(order, limit=Decimal(101), quantity=None)
    assert stage.execute().request.quantity == 5  # Nobody has told us of the fill.
    old, new = stage.venue.said
    stage.venue.said.clear()
    for what in sequence:
        if what == "reply":
            await stage.reply()
        else:
            stage.hear({"old": old, "new": new, "fill": fill}[what])
    withdrawal = stage.execute()

    assert isinstance(withdrawal, CancelOrder)
    assert withdrawal.venue_order_id == stage.venue.of(order.client_order_id)[-1].number
    assert "2 lots were filled while its limit was amended, and it could have become more than 5" in order.reason
    await stage.reply()
    await stage.tell()
    assert stage.standing(order) == ("cancelled", 2, 3)
    assert not stage.sent
    assert not stage.gateway.contradictions
    stage.check()


async def test_the_venues_count_is_enough_to_withdraw_before_the_fill_itself_is_told(
    stage: Stage, autojump_clock: MockClock
) -> None:
    order, _ = await raced(stage)
    assert not stage.sent
    fill = stage.venue.said.pop(0)
    await stage.tell()

    assert isinstance(stage.sent[0], CancelOrder)
    assert not order.filled_quantity
    stage.hear(fill)
    assert len(stage.sent) == 1
    assert order.excess == 2


async def test_an_amend_asks_for_what_the_venue_counts_as_left(stage: Stage, autojump_clock: MockClock) -> None:
    """Its count may come before the fills themselves."""
    order, truth = await stage.working()
    stage.venue.fill(truth, 2)
    fill = stage.venue.said.pop(0)
    await stage.tell()
    stage.gateway.amend_nowait(order, limit=Decimal(101), quantity=None)

    assert stage.execute().request.quantity == 3
    await stage.reply()
    stage.hear(fill)
    await stage.tell()
    assert stage.standing(order) == ("partial", 2, 3)
    assert order.quantity == 5
    assert not order.excess
    assert not stage.sent
    stage.check()


async def test_what_the_venue_counts_as_filled_isnt_amended(stage: Stage, autojump_clock: MockClock) -> None:
    order, truth = await stage.working()
    stage.venue.fill(truth, 5)
    truth.status = WORKING
    stage.hear(truth.update())

    with pytest.raises(OrderRefused, match="the venue counts all of it as filled"):
        await order.amend(limit=Decimal(101))


async def test_an_amend_returns_when_the_rest_is_being_withdrawn(stage: Stage, autojump_clock: MockClock) -> None:
    order, truth = await stage.working()
    fill = stage.venue.fill(truth, 2)
    async with stage.watched(lambda: order.amend(limit=Decimal(101))) as got:
        stage.execute()
        stage.hear(fill)
        await stage.reply()
    assert got == [OrderState.CANCEL_SENT]


async def test_filled_by_more_before_it_could_be_withdrawn_is_told(stage: Stage, autojump_clock: MockClock) -> None:
    order, truth = await raced(stage)
    stage.venue.fill(truth)
    await stage.tell()

    assert stage.standing(order) == ("filled", 7, -2)
    assert order.quantity == 5
    assert "that is too much" in stage.gateway.contradictions[-1]
    stage.execute()  # The venue refuses: there is nothing left to cancel.
    await stage.reply()
    stage.check()


@pytest.mark.parametrize(("more", "ends"), [(3, "filled"), (2, "cancelled")])
async def test_withdrawn_with_all_that_was_asked_for_counts_as_filled_to_who_waits(
    stage: Stage, autojump_clock: MockClock, more: int, ends: str
) -> None:
    order, truth = await raced(stage)
    async with stage.watched(order.filled) as got:
        stage.venue.fill(truth, more)
        await stage.tell()
        stage.execute()
        await stage.reply()
        await stage.tell()

    assert order.state is OrderState.CANCELLED
    assert (got == [None]) is (ends == "filled")
    assert not stage.gateway.contradictions
    stage.check()


async def test_what_is_too_much_is_withdrawn_as_soon_as_the_lane_is_back(
    stage: Stage, autojump_clock: MockClock
) -> None:
    order, truth = await stage.working()
    stage.venue.fill(truth, 2)
    stage.gateway.amend_nowait(order, limit=Decimal(101), quantity=None)
    stage.execute()
    stage.venue.replies.clear()
    stage.lane(up=False)
    await stage.tell()
    assert order.excess == 2
    assert not stage.sent
    stage.lane(up=True)

    assert isinstance(stage.execute(), CancelOrder)
    await stage.reply()
    await stage.tell()
    assert stage.standing(order) == ("cancelled", 2, 3)
    stage.check()


async def test_an_amend_that_names_a_quantity_gets_it_besides_what_was_filled_meanwhile(
    stage: Stage, autojump_clock: MockClock
) -> None:
    """And a later one, of the limit alone, keeps to that."""
    order, truth = await stage.working()
    stage.venue.fill(truth, 2)
    stage.gateway.amend_nowait(order, limit=None, quantity=Decimal(4))
    stage.execute()
    await stage.reply()
    await amended(stage, order)
    await stage.tell()

    assert stage.standing(order) == ("partial", 2, 4)
    assert order.quantity == 6
    assert not order.excess
    assert not stage.sent
    stage.check()


async def test_a_handler_that_amends_by_what_it_was_just_told_takes_the_excess_back_itself(
    stage: Stage, autojump_clock: MockClock
) -> None:
    order, _ = await raced(stage)
    stage.ear.on_fill = lambda order: stage.gateway.amend_nowait(order, limit=Decimal(102), quantity=None)
    await stage.tell()
    stage.ear.on_fill = lambda _: None
    command = stage.execute()

    assert isinstance(command, AmendOrder)
    assert command.request.quantity == 3
    await stage.reply()
    await stage.tell()
    assert stage.standing(order) == ("partial", 2, 3)
    assert not stage.sent
    stage.check()


async def test_if_that_amend_is_refused_the_excess_is_withdrawn_after_all(
    stage: Stage, autojump_clock: MockClock
) -> None:
    order, _ = await raced(stage)
    stage.ear.on_fill = lambda order: stage.gateway.amend_nowait(order, limit=Decimal(102), quantity=None)
    await stage.tell()
    assert isinstance(stage.execute(refuse=True), AmendOrder)
    await stage.reply()

    assert isinstance(stage.execute(), CancelOrder)
    await stage.reply()
    await stage.tell()
    assert stage.standing(order) == ("cancelled", 2, 3)


@pytest.mark.parametrize(("lots", "in_all"), [(None, 5), (4, 6)])
async def test_an_order_that_keeps_its_number_is_filled_when_all_of_it_is(
    stage: Stage, autojump_clock: MockClock, lots: int | None, in_all: int
) -> None:
    order, truth = await stage.working()
    stage.hear(stage.venue.fill(truth, 2))
    quantity = None if lots is None else Decimal(lots)
    stage.gateway.amend_nowait(order, limit=Decimal(101), quantity=quantity)
    stage.gateway.replied(Reply(stage.sent.pop().guid, 200, "done", True, truth.number))
    assert stage.standing(order) == ("partial", 2, in_all - 2)
    truth.request = altered(truth.request, quantity=Decimal(in_all))
    stage.hear(stage.venue.fill(truth, in_all - 3))
    assert stage.standing(order) == ("partial", in_all - 1, 1)
    stage.hear(stage.venue.fill(truth))

    assert stage.standing(order) == ("filled", in_all, 0)
    assert not stage.gateway.contradictions


ASKED = 5


async def race(draw: Callable[..., Any], open_stage: Callable[[trio.Nursery, bool], Stage]) -> None:
    """Fills, amends of the limit, their answers and the news of both, in any order; the market stands still last."""
    async with trio.open_nursery() as nursery:
        stage = open_stage(nursery, draw(st.booleans()))
        order, _ = await stage.working(ASKED)

        def live() -> list[Truth]:
            return [truth for truth in stage.venue.of(order.client_order_id) if truth.status is WORKING]

        def hear(most: int) -> None:
            said = stage.venue.said
            stage.hear(said.pop(draw(st.integers(0, min(len(said) - 1, most)))))

        verbs = st.sampled_from(["amend", "amend", "fill", "fill", "execute", "execute", "reply", "hear", "hear"])
        for verb in draw(st.lists(verbs, max_size=40)):
            if verb == "amend":
                with suppress(OrderRefused):
                    stage.gateway.amend_nowait(order, limit=Decimal(draw(st.integers(90, 99))), quantity=None)
            elif verb == "fill" and live():
                stage.venue.fill(live()[0], draw(st.integers(1, int(live()[0].left))))
            elif verb == "execute" and stage.sent:
                stage.execute(refuse=draw(st.integers(0, 5)) == 0)
            elif verb == "reply" and stage.venue.replies:
                stage.gateway.replied(stage.venue.replies.pop(0))
            elif verb == "hear" and stage.venue.said:
                hear(4)
            await wait_all_tasks_blocked()
        for _ in range(10):
            while stage.sent:
                stage.execute()
            while stage.venue.replies:
                await stage.reply()
            while stage.venue.said:
                hear(4)
            await trio.sleep(6.0)

        filled = sum(truth.filled for truth in stage.venue.of(order.client_order_id))
        assert filled + sum(truth.left for truth in live()) <= max(filled, Decimal(ASKED))
        assert bool(stage.gateway.contradictions) is (filled > ASKED)
        assert order.quantity == ASKED
        if live():
            assert order.remaining == live()[0].left
        elif order.state is OrderState.CANCELLED:
            assert order.cancel_wanted
        stage.check()
        nursery.cancel_scope.cancel()


ALLOWED = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture)


@settings(max_examples=120, deadline=None, suppress_health_check=ALLOWED)
@given(data=st.data())
def test_whatever_races_an_amend_what_can_be_filled_is_what_was_asked_for_or_more_is_told(
    open_stage: Callable[[trio.Nursery, bool], Stage], data: st.DataObject
) -> None:
    trio.run(race, data.draw, open_stage, clock=MockClock(autojump_threshold=0))
