"""Orders that are amended, stops that fire, and what can't be: one order under several numbers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock, wait_all_tasks_blocked

from strategykit.errors import OrderRefused, RiskLimit
from strategykit.model.event_class import altered
from strategykit.model.events import Fill, OrderStatus, OrderUpdate, Side
from strategykit.model.orders import AmendOrder, CancelOrder, OrderState, OrderType
from strategykit.venues.dialect import Reply

if TYPE_CHECKING:
    from strategykit.runtime.order import Order
    from tests.runtime.conftest import Stage

WORKING, CANCELLED, FILLED = OrderStatus.WORKING, OrderStatus.CANCELLED, OrderStatus.FILLED

# Amending


@pytest.mark.parametrize("sequence", list(itertools.permutations(["reply", "old", "new", "fill"])))
async def test_an_amend_takes_effect_in_whatever_order_it_is_told(
    stage: Stage, autojump_clock: MockClock, sequence: Sequence[str]
) -> None:
    """The venue cancels and places anew; before that a part was filled, and that too may be told late."""
    order, truth = await stage.working()
    part = stage.venue.fill(truth, 2)
    stage.venue.said.clear()
    async with stage.watched(lambda: order.amend(limit=Decimal(101), quantity=4)) as got:
        stage.execute()
        old, new = stage.venue.said
        stage.venue.said.clear()
        for what in sequence:
            if what == "reply":
                await stage.reply()
            else:
                stage.hear({"old": old, "new": new, "fill": part}[what])
            await wait_all_tasks_blocked()
    assert got[0] in (OrderState.WORKING, OrderState.PARTIAL)
    stage.hear(old)
    stage.hear(new)

    assert stage.standing(order)[1:] == (2, 4)
    assert order.request.price == 101
    stage.check()
    stage.venue.fill(stage.venue.of(order.client_order_id)[-1])
    await stage.tell()
    assert stage.standing(order)[:2] == ("filled", 6)
    stage.check()


@pytest.mark.parametrize("how", ["filled", "rejected"])
@pytest.mark.parametrize("reply_first", [False, True])
async def test_what_an_amend_led_to_may_end_before_it_was_seen_working(
    stage: Stage, autojump_clock: MockClock, how: str, reply_first: bool
) -> None:
    order, _ = await stage.working()
    async with stage.watched(lambda: order.amend(limit=Decimal(150))):
        stage.execute()
        new = stage.venue.of(order.client_order_id)[-1]
        if how == "filled":
            stage.venue.fill(new)
        else:
            stage.venue.end(new, OrderStatus.REJECTED)
        del stage.venue.said[1]  # Never told as working.
        if reply_first:
            await stage.reply()
            await stage.tell()
        else:
            await stage.tell()
            await stage.reply()

    stage.check()


async def test_a_refused_amend_leaves_the_order_as_it_was(stage: Stage, autojump_clock: MockClock) -> None:
    order, _ = await stage.working()
    async with stage.watched(lambda: order.amend(quantity=9)) as got:
        stage.execute(refuse=True)
        await stage.reply()

    assert isinstance(got[0], OrderRefused)
    assert order.quantity == 5
    stage.check()


async def test_an_order_that_fills_while_it_is_amended_gives_filled_or_the_refusal(
    stage: Stage, autojump_clock: MockClock
) -> None:
    order, truth = await stage.working()
    async with stage.watched(lambda: order.amend(quantity=9)) as got:
        stage.venue.fill(truth)
        await stage.tell()
    assert got == [OrderState.FILLED]
    stage.execute()
    await stage.reply()

    stage.check()


@pytest.mark.parametrize("reached", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_lost_amend_is_cleared_up(
    stage: Stage, autojump_clock: MockClock, reached: bool, streamed: bool
) -> None:
    order, _ = await stage.working()
    async with stage.watched(lambda: order.amend(limit=Decimal(90), quantity=3)) as got:
        if reached:
            stage.execute()
            stage.venue.replies.clear()
        stage.lane(up=False)
        if streamed:
            await stage.tell()
        else:
            stage.venue.said.clear()
        stage.lane(up=True)
        await trio.sleep(10)

    if reached:
        assert got == [OrderState.WORKING]
        assert order.request.price == 90
    else:
        assert isinstance(got[0], OrderRefused)
        assert order.request.price == 100
    stage.check()


@pytest.mark.parametrize("told_first", [False, True])
async def test_an_order_is_withdrawn_at_once_though_its_amend_was_lost_on_the_way(
    stage: Stage, autojump_clock: MockClock, told_first: bool
) -> None:
    """What could be withdrawn under its old number hadn't been replaced, and never will be."""
    order, _ = await stage.working()
    async with stage.watched(lambda: order.amend(limit=Decimal(90))) as got:
        stage.lane(up=False)
        stage.lane(up=True)
        await trio.sleep(0.5)
        order.cancel_nowait()
        late, cancel = stage.sent
        stage.sent = [cancel, late]
        stage.execute()
        stage.execute()
        if told_first:
            await stage.tell()
            await stage.reply()
        else:
            await stage.reply()
            await stage.tell()
        assert order.state is OrderState.CANCELLED

    assert "withdrawn before the amend took effect" in str(got[0])
    assert order.request.price == 100
    stage.check()


async def test_what_a_lost_amend_led_to_is_withdrawn_once_its_number_is_known(
    stage: Stage, autojump_clock: MockClock
) -> None:
    order, _ = await stage.working()
    async with stage.watched(lambda: order.amend(limit=Decimal(90))) as got:
        stage.execute()
        stage.venue.replies.clear()
        stage.venue.said.clear()
        stage.lane(up=False)
        stage.lane(up=True)
        order.cancel_nowait()
        stage.execute()
        await stage.reply()
        await trio.sleep(1)
        stage.execute()
        await stage.reply()
        await stage.tell()

    assert got == [OrderState.CANCEL_SENT]
    assert (order.state, order.cancels) == (OrderState.CANCELLED, 2)
    assert order.request.price == 90
    stage.check()


async def test_a_cancel_waits_for_the_answer_to_an_amend_that_isnt_lost(stage: Stage) -> None:
    order, _ = await stage.working()
    async with stage.watched(lambda: order.amend(limit=Decimal(90))):
        order.cancel_nowait()
        assert [type(command) for command in stage.sent] == [AmendOrder]
        stage.execute()
        await stage.reply()
        stage.execute()
        await stage.reply()
        await stage.tell()

    stage.check()


async def test_what_was_called_withdrawn_and_works_under_the_number_of_a_lost_amend_is_withdrawn_there(
    stage: Stage, autojump_clock: MockClock
) -> None:
    """The venue's broker says that it is gone, while the exchange has moved it already."""
    order, truth = await stage.working()
    stage.gateway.amend_nowait(order, limit=Decimal(90), quantity=None)
    stage.execute()
    moved = stage.venue.said.pop()
    stage.venue.said.clear()
    stage.lane(up=False)
    stage.gateway.cancel_nowait(order)
    stage.lane(up=True)
    await trio.lowlevel.checkpoint()
    (cancel,) = [command for command in stage.sent if isinstance(command, CancelOrder)]
    stage.sent.clear()
    stage.gateway.replied(Reply(cancel.guid, 200, "deleted", ok=True))
    stage.hear(truth.update())
    stage.hear(moved)

    await came_late(stage, order, moved.venue_order_id)


@pytest.mark.parametrize("old_ends_first", [False, True])
@pytest.mark.parametrize("wanted", [False, True])
async def test_what_an_amend_led_to_that_the_venue_executed_long_after_it_was_given_up_is_withdrawn(
    stage: Stage, autojump_clock: MockClock, old_ends_first: bool, wanted: bool
) -> None:
    """A venue that stands still takes what is sent, and does it when it goes on."""
    order, _ = await stage.working()
    async with stage.watched(lambda: order.amend(limit=Decimal(90))) as got:
        (amend,) = stage.sent
        stage.sent.clear()
        stage.lane(up=False)
        stage.lane(up=True)
        await trio.sleep(10)
    assert isinstance(got[0], OrderRefused)
    if wanted:
        stage.gateway.cancel_nowait(order)
        stage.sent.clear()
    stage.venue.execute(amend)
    ended, moved = stage.venue.said
    stage.venue.said.clear()
    for thing in (ended, moved) if old_ends_first else (moved, ended):
        stage.hear(thing)

    await came_late(stage, order, moved.venue_order_id)


async def came_late(stage: Stage, order: Order, number: str) -> None:
    """It is told of, and withdrawn, by a cancel after the other; only then nothing is in doubt."""
    assert stage.gateway.contradictions == [
        f"{order.client_order_id}: works as {number}, though the venue didn't have it: an amend came late"
    ]
    assert order in stage.gateway.doubtful()
    first = [command for command in stage.sent if isinstance(command, CancelOrder)][-1]
    assert first.venue_order_id == number
    stage.sent.clear()
    stage.gateway.replied(Reply(first.guid, 400, "not now", ok=False))
    await trio.sleep(30)
    again = stage.sent[-1]
    assert isinstance(again, CancelOrder)
    assert again.venue_order_id == number
    stage.venue.execute(again)
    await stage.reply()
    await stage.tell()
    await trio.sleep(30)

    assert {each.status for each in stage.venue.of(order.client_order_id)} == {CANCELLED}
    assert order.state is OrderState.CANCELLED
    assert not stage.gateway.doubtful()
    assert len(stage.gateway.contradictions) == 1


async def test_a_late_word_of_an_old_number_doesnt_confuse_the_next_amend(
    stage: Stage, autojump_clock: MockClock
) -> None:
    order, truth = await stage.working()
    stale = truth.update()
    for price in (101, 102):
        async with stage.watched(partial(order.amend, limit=Decimal(price))):
            stage.hear(stale)
            stage.execute()
            await stage.reply()
            await stage.tell()
            stage.hear(stale)
    assert order.request.price == 102

    stage.check()


async def test_what_cant_be_amended_says_why(stage: Stage, autojump_clock: MockClock) -> None:
    order = stage.order()
    with pytest.raises(OrderRefused, match="can't be amended while it is sent"):
        await order.amend(limit=99.0)
    stage.execute()
    await stage.reply()
    with pytest.raises(RiskLimit, match="an amend to 0 lots; cancel it instead"):
        await order.amend(quantity=0)
    with pytest.raises(RiskLimit, match="isn't a multiple"):
        await order.amend(limit=Decimal("99.001"))
    stage.gateway.amend_nowait(order, limit=None, quantity=Decimal(7))
    with pytest.raises(OrderRefused, match="another amend is on its way"):
        await order.amend(limit=99.0)
    stage.execute()
    await stage.reply()
    stage.lane(up=False)
    with pytest.raises(OrderRefused, match="can't be amended while it is unknown"):
        await order.amend(limit=99.0)
    await stage.tell()
    with pytest.raises(OrderRefused, match="the command lane is down; the amend wasn't sent"):
        await order.amend(limit=99.0)
    order.cancel_nowait()
    with pytest.raises(OrderRefused, match="can't be amended while it is working"):
        await order.amend(limit=99.0)


# Stops


@pytest.mark.parametrize("limit", [None, Decimal(101)])
async def test_a_stop_goes_on_under_the_number_of_what_it_turned_into(
    stage: Stage, autojump_clock: MockClock, limit: Decimal | None
) -> None:
    order, stop = await stage.working(limit=limit, stop=Decimal(100))
    child = stage.venue.trigger(stop)
    stage.venue.fill(child, 2)
    await stage.tell()
    assert (order.state, order.venue_order_id) == (OrderState.PARTIAL, child.number)
    order.cancel_nowait()
    command = stage.execute()

    assert isinstance(command, CancelOrder)
    assert command.request.type is (OrderType.MARKET if limit is None else OrderType.LIMIT)
    await stage.reply()
    await stage.tell()
    stage.check()


@pytest.mark.parametrize("sequence", list(itertools.permutations(range(4))))
async def test_a_stop_that_fires_is_followed_in_whatever_order_it_is_told(
    stage: Stage, autojump_clock: MockClock, sequence: Sequence[int]
) -> None:
    """Fired before its reply came: the reply, the stop's end, the fill, and the order that it became."""
    order = stage.order(limit=None, stop=Decimal(100))
    stage.execute()
    [stop] = stage.venue.of(order.client_order_id)
    stage.venue.said.clear()
    stage.venue.fill(stage.venue.trigger(stop))
    ended, _, fill, filled = stage.venue.said
    for index in sequence:
        if index == 3:
            await stage.reply()
        else:
            stage.hear((ended, fill, filled)[index])

    stage.check()


# Others, and what can't be


async def test_other_peoples_orders_are_shown_and_never_touched(stage: Stage, autojump_clock: MockClock) -> None:
    for number in range(1_100):
        theirs = OrderUpdate(
            "X", f"f{number}", "somebody", WORKING, Side.SELL, Decimal(1), Decimal(0), None, None, 0, ""
        )
        assert not stage.gateway.updated(theirs)
    fill = Fill("X", "t", "f1099", None, Side.SELL, Decimal(1), Decimal(1), None, None, None, 0, "")

    assert not stage.gateway.filled(fill)
    assert len(stage.gateway.foreign) == 1_000
    assert not stage.gateway.orders
    assert not stage.sent
    assert not stage.gateway.replied(Reply("nobody's", 200, "", True))


async def test_an_order_that_the_venue_has_twice_is_told_once_and_its_fills_count(
    stage: Stage, autojump_clock: MockClock
) -> None:
    order, truth = await stage.working()
    twin = stage.venue.open(order.request)
    stage.venue.fill(twin, 2)
    stage.venue.end(twin, CANCELLED)
    await stage.tell()

    assert len(stage.gateway.contradictions) == 1
    assert f"it is {truth.number}, and the venue has {twin.number}, too" in stage.gateway.contradictions[0]
    assert stage.standing(order) == ("partial", 2, 5)


async def test_more_filled_than_ordered_is_told(stage: Stage, autojump_clock: MockClock) -> None:
    order, truth = await stage.working()
    truth.request = altered(truth.request, quantity=Decimal(8))
    stage.hear(stage.venue.fill(truth, 7))

    assert "that is too much" in stage.gateway.contradictions[0]
    assert order.filled_quantity == 7


async def test_filled_with_less_than_ordered_is_told(stage: Stage, autojump_clock: MockClock) -> None:
    order, truth = await stage.working()
    stage.venue.fill(truth, 3)
    stage.venue.end(truth, FILLED)
    await stage.tell()

    assert order.state is OrderState.FILLED
    assert "filled with 3 of 5 lots" in stage.gateway.contradictions[0]


async def test_a_refusal_of_what_works_is_told(stage: Stage, autojump_clock: MockClock) -> None:
    order = stage.order()
    guid = stage.sent[0].guid
    stage.execute()
    stage.venue.replies.clear()
    await stage.tell()
    stage.gateway.replied(Reply(guid, 400, "no", ok=False))

    assert order.state is OrderState.WORKING
    assert "refused (no (400)), though it is working" in stage.gateway.contradictions[0]


async def test_a_refusal_of_an_amend_that_took_effect_is_told(stage: Stage, autojump_clock: MockClock) -> None:
    order, _ = await stage.working()
    async with stage.watched(lambda: order.amend(limit=Decimal(99))):
        guid = stage.sent[0].guid
        stage.execute()
        stage.venue.replies.clear()
        await stage.tell()
        stage.gateway.replied(Reply(guid, 400, "no", ok=False))

    assert "though the amend took effect" in stage.gateway.contradictions[0]
    stage.check()
