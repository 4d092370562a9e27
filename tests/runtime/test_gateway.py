"""Orders against a venue that answers late, twice, in any order, or not at all: what is known is always true."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from strategykit.errors import LocalProtocolError, OrderRefused, RiskLimit
from strategykit.model.events import OrderStatus, OrderUpdate, Side
from strategykit.model.orders import CancelOrder, CreateOrder, OrderState, OrderType, VenueCommand
from strategykit.runtime.in_flight import REPLY_WITHIN
from strategykit.runtime.order import Order
from strategykit.runtime.reconcile import ANSWER_WITHIN, ON_ITS_WAY
from strategykit.venues.dialect import Reply

if TYPE_CHECKING:
    from tests.runtime.conftest import Stage

WORKING, CANCELLED, FILLED = OrderStatus.WORKING, OrderStatus.CANCELLED, OrderStatus.FILLED

# Placing


async def test_an_order_is_accepted_filled_in_parts_and_ended(stage: Stage, autojump_clock: MockClock) -> None:
    order = stage.order()
    assert order.state is OrderState.SENT
    stage.execute()
    async with stage.watched(order.accepted):
        await stage.reply()
    [truth] = stage.venue.of(order.client_order_id)
    stage.venue.fill(truth, 2)
    await stage.tell()
    assert stage.standing(order) == ("partial", 2, 3)
    async with stage.watched(order.filled):
        stage.venue.fill(truth)
        await stage.tell()

    assert stage.ear.states[-1] is OrderState.FILLED
    stage.check()


async def test_a_refused_order_is_told_with_the_venues_words(stage: Stage, autojump_clock: MockClock) -> None:
    order = stage.order()
    stage.execute(refuse=True)
    async with stage.watched(order.accepted) as got:
        await stage.reply()

    assert "no money (400)" in str(got[0])
    stage.check()


async def test_nothing_is_sent_while_the_lane_is_down(stage: Stage, autojump_clock: MockClock) -> None:
    stage.lane(up=False)
    order = stage.order()
    with pytest.raises(OrderRefused, match="the command lane is down; nothing was sent"):
        await order.accepted()

    assert not stage.sent


async def test_an_order_that_the_venue_has_no_words_for_never_leaves(stage: Stage, autojump_clock: MockClock) -> None:
    def dumb(strategy: str, command: VenueCommand) -> bool:
        raise LocalProtocolError("the venue has no such order")

    stage.command = dumb  # type: ignore[method-assign]  # the far end of this port
    with pytest.raises(LocalProtocolError):
        stage.order()
    [order] = stage.gateway.orders.values()

    assert order.state is OrderState.REJECTED


@pytest.mark.parametrize("lots", [0, -1, Decimal("1.5"), Decimal("NaN"), Decimal("Infinity")])
async def test_a_quantity_that_makes_no_sense_is_refused_before_sending(
    stage: Stage, autojump_clock: MockClock, lots: Any
) -> None:
    with pytest.raises(RiskLimit, match="quantity must be a whole number of lots above 0"):
        stage.order(lots)
    assert not stage.sent


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"limit": Decimal("100.001")}, "isn't a multiple of the tick 0.01"),
        ({"limit": float("nan")}, "limit nan isn't a price"),
        ({"stop": float("inf")}, "stop inf isn't a price"),
    ],
)
async def test_a_price_that_makes_no_sense_is_refused_before_sending(
    stage: Stage, autojump_clock: MockClock, how: Any, words: str
) -> None:
    with pytest.raises(RiskLimit, match=words):
        stage.order(**how)
    with pytest.raises(RiskLimit, match="no instrument 'Y' in this run"):
        stage.gateway.submit("s", "Y", Side.BUY, 1)
    assert not stage.sent


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ({"limit": None}, OrderType.MARKET),
        ({"limit": 99.999}, OrderType.LIMIT),
        ({"limit": None, "stop": 101.001}, OrderType.STOP),
        ({"limit": Decimal(102), "stop": Decimal(101)}, OrderType.STOP_LIMIT),
    ],
)
async def test_the_kind_of_an_order_follows_from_its_prices(
    stage: Stage, autojump_clock: MockClock, how: Any, kind: OrderType
) -> None:
    request = stage.order(**how).request

    assert request.type is kind
    if how["limit"] == 99.999:
        assert request.price == Decimal("99.99")  # A buy is rounded down: away from crossing.
    if how.get("stop") == 101.001:
        assert request.stop_price == Decimal("101.01")


# Fills at odd moments


async def test_a_fill_before_the_reply_is_counted(stage: Stage, autojump_clock: MockClock) -> None:
    order = stage.order()
    stage.execute()
    stage.venue.fill(stage.venue.of(order.client_order_id)[0], 2)
    await stage.tell()
    assert stage.standing(order)[:2] == ("partial", 2)
    await stage.reply()

    assert order.state is OrderState.PARTIAL
    stage.check()


@pytest.mark.parametrize("reply_first", [False, True])
async def test_a_fill_without_our_id_waits_for_its_number(
    stage: Stage, autojump_clock: MockClock, reply_first: bool
) -> None:
    stage.venue.ids_on_fills = False
    order = stage.order()
    stage.execute()
    stage.venue.fill(stage.venue.of(order.client_order_id)[0], 2)
    await stage.tell(1)
    assert order.filled_quantity == 0
    if reply_first:
        await stage.reply()
        assert order.filled_quantity == 2
        await stage.tell()
    else:
        await stage.tell()
        assert order.filled_quantity == 2
        await stage.reply()

    stage.check()


async def test_news_without_our_id_are_ours_once_the_reply_names_their_number(
    stage: Stage, autojump_clock: MockClock
) -> None:
    order = stage.order()
    stage.execute()
    [truth] = stage.venue.of(order.client_order_id)
    stage.venue.said.clear()
    stage.venue.end(truth, CANCELLED)
    [update] = stage.venue.said
    stage.venue.said = [attrs.evolve(update, client_order_id=None)]  # type: ignore[misc]  # events are attrs classes
    await stage.tell()
    assert order.state is OrderState.SENT
    assert list(stage.gateway.foreign) == [truth.number]
    await stage.reply()

    assert not stage.gateway.foreign
    stage.check()


async def test_a_fill_counts_once_however_often_it_is_told(stage: Stage, autojump_clock: MockClock) -> None:
    order, truth = await stage.working()
    fill = stage.venue.fill(truth, 2)
    for _ in range(3):
        stage.hear(fill)
    await stage.tell()
    stage.hear(fill)

    assert order.filled_quantity == 2
    stage.check()


async def test_both_sides_of_a_trade_within_the_account_count(stage: Stage, autojump_clock: MockClock) -> None:
    order, truth = await stage.working()
    other = stage.gateway.submit("s", "X", Side.SELL, 5, limit=Decimal(100))
    stage.execute()
    await stage.reply()
    (their_truth,) = stage.venue.of(other.client_order_id)
    fill = stage.venue.fill(truth, 1)
    twin = stage.venue.fill(their_truth, 1)
    twin = attrs.evolve(twin, trade_id=fill.trade_id)  # type: ignore[misc]  # as above
    stage.hear(fill)
    stage.hear(twin)

    assert stage.standing(order)[1] == stage.standing(other)[1] == 1


async def test_an_end_waits_for_the_fills_that_the_venue_counts(stage: Stage, autojump_clock: MockClock) -> None:
    order, truth = await stage.working()
    fill = stage.venue.fill(truth, 2)
    stage.venue.end(truth, CANCELLED)
    cancelled = stage.venue.said[-1]
    stage.venue.said.clear()
    stage.hear(cancelled)
    assert order.is_open
    stage.hear(fill)

    assert order.state is OrderState.CANCELLED
    stage.check()


async def test_fills_that_dont_follow_are_asked_for(stage: Stage, autojump_clock: MockClock) -> None:
    order, truth = await stage.working()
    stage.venue.fill(truth, 2)
    update = stage.venue.said[-1]
    stage.venue.said.clear()
    stage.hear(update)
    assert order.filled_quantity == 0
    await trio.sleep(0.9)
    assert stage.asked == 0
    await trio.sleep(0.2)

    assert stage.asked == 3
    assert order.filled_quantity == 2
    stage.check()


async def test_a_fill_after_the_end_counts_and_the_end_stands(stage: Stage, autojump_clock: MockClock) -> None:
    order, truth = await stage.working()
    stage.venue.end(truth, CANCELLED)
    await stage.tell()
    truth.status = WORKING
    fill = stage.venue.fill(truth, 2)
    stage.hear(fill)
    truth.status = CANCELLED

    assert stage.standing(order)[:2] == ("cancelled", 2)
    stage.check()


async def test_what_is_told_late_of_an_ended_order_changes_nothing(stage: Stage, autojump_clock: MockClock) -> None:
    order, truth = await stage.working()
    early = truth.update()
    stage.venue.fill(truth)
    await stage.tell()
    stage.hear(early)

    assert order.state is OrderState.FILLED
    stage.check()


@pytest.mark.parametrize(
    ("status", "before", "state"),
    [
        (OrderStatus.REJECTED, 0, OrderState.REJECTED),
        (OrderStatus.REJECTED, 2, OrderState.CANCELLED),
        (OrderStatus.EXPIRED, 2, OrderState.EXPIRED),
    ],
)
async def test_the_exchange_may_end_what_the_broker_accepted(
    stage: Stage, autojump_clock: MockClock, status: OrderStatus, before: int, state: OrderState
) -> None:
    order, truth = await stage.working()
    if before:
        stage.venue.fill(truth, before)
    stage.venue.end(truth, status)
    last = stage.venue.said[-1]
    assert isinstance(last, OrderUpdate)
    stage.venue.said[-1] = attrs.evolve(last, reason="the exchange says so")  # type: ignore[misc]  # as above
    await stage.tell()

    assert (order.state, order.reason) == (state, "the exchange says so")


# Lost answers


async def test_a_reply_that_doesnt_come_makes_the_order_unknown_and_the_wire_suspect(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.silent = True
    order = stage.order()
    await trio.sleep(REPLY_WITHIN + 0.1)

    assert order.state is OrderState.UNKNOWN
    assert stage.suspected == ["no answer within 5 s"]
    async with stage.watched(order.known) as got:
        stage.execute()
        stage.silent = False
        await trio.sleep(30)
    assert got == [OrderState.WORKING]
    await stage.tell()
    stage.check()


async def test_an_order_that_isnt_there_is_rejected_only_after_the_venue_had_time_to_show_it(
    stage: Stage, autojump_clock: MockClock
) -> None:
    order = stage.order()
    stage.lane(up=False)
    assert order.state is OrderState.UNKNOWN
    await trio.sleep(ON_ITS_WAY / 1e9 - 0.1)
    assert order.state is OrderState.UNKNOWN
    async with stage.watched(order.accepted) as got:
        await trio.sleep(3)

    assert "the venue doesn't have it" in str(got[0])
    stage.check()


async def test_a_failed_question_proves_nothing(stage: Stage, autojump_clock: MockClock) -> None:
    stage.silent = True
    order = stage.order()
    stage.lane(up=False)
    await trio.sleep(120)

    assert order.state is OrderState.UNKNOWN
    assert any(f"no answer about AskOrders: nothing within {ANSWER_WITHIN:g} s" in note for note in stage.notes)
    stage.silent = False
    await trio.sleep(30)
    stage.check()


@pytest.mark.parametrize("code", [408, 500, 503, 504])
async def test_an_answer_that_leaves_it_open_leaves_it_open(stage: Stage, autojump_clock: MockClock, code: int) -> None:
    stage.silent = True
    order = stage.order()
    command = stage.sent[0]
    stage.gateway.replied(Reply(command.guid, code, "Command Timeout", ok=False))
    assert stage.standing(order)[0] == "unknown"
    stage.execute()
    stage.venue.replies.clear()
    stage.silent = False
    await trio.sleep(30)

    assert stage.standing(order)[0] == "working"
    await stage.tell()
    stage.check()


async def test_what_the_venue_found_late_is_told_and_withdrawn(stage: Stage, autojump_clock: MockClock) -> None:
    """It took longer than any venue should: the strategy was told that there is no order."""
    order = stage.order()
    stage.lane(up=False)
    await trio.sleep(10)
    assert order.state is OrderState.REJECTED
    stage.lane(up=True)
    stage.execute()
    stage.venue.replies.clear()
    await stage.tell()

    [cancel] = stage.sent
    assert isinstance(cancel, CancelOrder)
    assert "though the venue didn't have it" in stage.gateway.contradictions[0]
    stage.execute()
    await stage.tell()
    assert [truth.status for truth in stage.venue.orders.values()] == [CANCELLED]


async def test_a_fill_of_a_rejected_order_counts_and_is_told(stage: Stage, autojump_clock: MockClock) -> None:
    order = stage.order()
    stage.execute(refuse=True)
    await stage.reply()
    truth = stage.venue.open(order.request)
    stage.hear(stage.venue.fill(truth, 2))

    assert order.filled_quantity == 2
    assert "that is too much" in stage.gateway.contradictions[0]


async def test_a_venue_that_forgets_an_order_is_told(stage: Stage, autojump_clock: MockClock) -> None:
    order, _ = await stage.working()
    order.cancel_nowait()
    stage.venue.orders.clear()
    stage.lane(up=False)
    await trio.sleep(10)

    assert order.state is OrderState.CANCEL_UNKNOWN
    assert "no longer shows order" in stage.gateway.contradictions[0]


async def test_doubt_that_stays_is_asked_about_ever_less_often(stage: Stage, autojump_clock: MockClock) -> None:
    order, _ = await stage.working()
    order.cancel_nowait()
    stage.venue.orders.clear()
    stage.lane(up=False)
    await trio.sleep(30)
    first = stage.asked / 3  # Of fills, orders and stops.
    await trio.sleep(300)

    assert first < 12
    assert stage.asked / 3 - first <= 31


async def test_certainty_is_told_when_a_stream_ends_the_doubt(stage: Stage, autojump_clock: MockClock) -> None:
    stage.silent = True
    order = stage.order()
    stage.lane(up=False)
    gateway = stage.gateway

    async def until_certain() -> bool:
        await stage.reconciler.certain.until(lambda: not gateway.doubtful())
        return True

    async with stage.watched(until_certain) as got:
        stage.execute()
        await stage.tell()
        await trio.sleep(45)
    assert got == [True]
    assert order.state is OrderState.WORKING


# Cancelling


async def test_a_cancel_gives_the_final_state(stage: Stage, autojump_clock: MockClock) -> None:
    order, _ = await stage.working()
    async with stage.watched(order.cancel) as got:
        stage.execute()
        await stage.reply()
        await stage.tell()

    assert got == [OrderState.CANCELLED]
    stage.check()


async def test_a_cancel_that_a_fill_overtakes_gives_filled(stage: Stage, autojump_clock: MockClock) -> None:
    order, truth = await stage.working()
    async with stage.watched(order.cancel) as got:
        stage.venue.fill(truth)
        stage.execute()
        await stage.reply()
        assert order.state is OrderState.FILLED or order.state is OrderState.CANCEL_UNKNOWN
        await stage.tell()

    assert got == [OrderState.FILLED]
    stage.check()


async def test_a_cancel_whose_end_isnt_told_is_asked_about(stage: Stage, autojump_clock: MockClock) -> None:
    order, _ = await stage.working()
    async with stage.watched(order.cancel) as got:
        stage.execute()
        stage.venue.said.clear()
        await stage.reply()
        await trio.sleep(2)

    assert got == [OrderState.CANCELLED]
    stage.check()


async def test_a_cancel_is_sent_when_the_lane_is_up_again_and_no_order_twice(
    stage: Stage, autojump_clock: MockClock
) -> None:
    order, _ = await stage.working()
    stage.lane(up=False)
    order.cancel_nowait()
    assert not stage.sent
    stage.lane(up=True)

    assert [type(command) for command in stage.sent] == [CancelOrder]
    stage.execute()
    await stage.reply()
    await stage.tell()
    stage.check()


async def test_a_cancel_asked_for_before_the_number_is_known_is_sent_then(
    stage: Stage, autojump_clock: MockClock
) -> None:
    order = stage.order()
    order.cancel_nowait()
    order.cancel_nowait()
    assert [type(command) for command in stage.sent] == [CreateOrder]
    stage.execute()
    await stage.reply()
    assert [type(command) for command in stage.sent] == [CancelOrder]
    stage.execute()
    await stage.reply()
    await stage.tell()

    assert order.state is OrderState.CANCELLED
    stage.check()


async def test_a_cancel_by_a_handler_of_the_first_fill_is_sent(stage: Stage, autojump_clock: MockClock) -> None:
    """The fill came before the reply: the order isn't accepted yet as far as anybody told."""
    stage.ear.on_fill = lambda order: order.cancel_nowait()
    order = stage.order()
    stage.execute()
    stage.venue.fill(stage.venue.of(order.client_order_id)[0], 1)
    stage.hear(stage.venue.fills[0])

    assert order.state is OrderState.CANCEL_SENT
    stage.execute()
    await stage.reply()
    await stage.reply()
    await stage.tell()
    stage.check()


async def test_a_lost_cancel_is_asked_about_and_sent_again(stage: Stage, autojump_clock: MockClock) -> None:
    order, _ = await stage.working()
    order.cancel_nowait()
    first = stage.sent.pop()
    stage.lane(up=False)
    assert stage.standing(order)[0] == "cancel_unknown"
    stage.lane(up=True)
    [again] = stage.sent
    assert again.guid != first.guid
    stage.execute()
    await stage.reply()
    await stage.tell()

    assert order.state is OrderState.CANCELLED
    stage.check()


async def test_a_cancel_that_is_refused_for_ever_is_given_up_and_told(stage: Stage, autojump_clock: MockClock) -> None:
    order, _ = await stage.working()
    order.cancel_nowait()
    for _ in range(200):
        if stage.sent:
            stage.execute(refuse=True)
            await stage.reply()
        await trio.sleep(1)

    assert order.state is OrderState.WORKING
    assert stage.gateway.contradictions == [f"{order.client_order_id}: gave up cancelling after 50 tries"]
    assert not stage.sent


async def test_handlers_may_place_orders_while_cancels_go_out(stage: Stage, autojump_clock: MockClock) -> None:
    orders = [(await stage.working())[0] for _ in range(3)]
    stage.lane(up=False)
    for order in orders:
        order.cancel_nowait()

    def place(order: Order) -> None:
        if order.state is OrderState.CANCEL_UNKNOWN:  # It was out of sight when it was sent.
            stage.order()

    stage.ear.on_order = place
    stage.lane(up=True)

    assert [type(command) for command in stage.sent] == 3 * [CancelOrder]
    assert [order.state for order in stage.gateway.orders.values()].count(OrderState.REJECTED) == 3  # Not asked yet.
