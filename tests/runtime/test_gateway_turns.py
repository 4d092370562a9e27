"""What handlers do in the midst of the gateway's own work, and orders that the venue treats oddly."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import attrs
import pytest

from strategykit.errors import LocalProtocolError, RiskLimit
from strategykit.model.events import Fill, OrderStatus, OrderUpdate, Side
from strategykit.model.instruments import Instrument
from strategykit.model.orders import (
    AmendOrder,
    CancelOrder,
    Command,
    CreateOrder,
    OrderState,
    VenueCommand,
    single_order,
)
from strategykit.model.risk_limits import NO_PLAN
from strategykit.runtime.gateway import Gateway
from strategykit.runtime.order import Order
from strategykit.runtime.reconcile import note_missing
from strategykit.runtime.risk import Risk
from strategykit.runtime.waking import Wakes
from strategykit.venues.alor.dialect import Alor
from strategykit.venues.dialect import Reply

SECOND = 1_000_000_000


@attrs.define(eq=False)
class Rig:
    """A gateway, the far end of its lane, and a strategy's ear."""

    sent: list[Command] = attrs.field(factory=list)
    time: int = 0
    doubts: int = 0
    on_order: Callable[[Order], None] = lambda _: None
    on_fill: Callable[[Order], None] = lambda _: None
    gateway: Gateway = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        instruments = {"SBER": Instrument("SBER")}
        self.gateway = Gateway(
            port=self,
            account="D1",
            instruments=instruments,
            risk=Risk(plan=NO_PLAN, instruments=instruments, price=lambda _: None),
            tag="t",
            wakes=Wakes(lambda: None),
            now=lambda: self.time,
            start=lambda *_: None,
            doubt=self.doubt,
        )
        self.gateway.listen("s", self)
        self.gateway.lane_changed(up=True, reason="")

    def doubt(self, _: float) -> None:
        self.doubts += 1

    def command(self, strategy: str, command: VenueCommand) -> bool:
        Alor().command(command)
        self.sent.append(single_order(command, "the rig"))
        return True

    def suspect(self, reason: str) -> None: ...

    def order_changed(self, order: Order) -> None:
        self.on_order(order)

    def order_filled(self, order: Order, fill: Fill) -> None:
        self.on_fill(order)

    def buy(self, lots: int = 2, limit: float = 100.0) -> Order:
        return self.gateway.submit("s", "SBER", Side.BUY, lots, limit=limit)

    def working(self, number: str = "1", *, lots: int = 2, limit: float = 100.0) -> Order:
        order = self.buy(lots, limit)
        self.reply(self.last(CreateOrder), number)
        assert order.state is OrderState.WORKING
        return order

    def last(self, kind: type[Command]) -> Command:
        return next(command for command in reversed(self.sent) if isinstance(command, kind))

    def count(self, kind: type[Command]) -> int:
        return sum(isinstance(command, kind) for command in self.sent)

    def reply(self, command: Command, number: str | None = None, *, code: int = 200) -> None:
        self.gateway.replied(Reply(command.guid, code, "", code == 200, number))

    def fill(self, order: Order, trade: str, number: str = "1", *, named: bool = True, lots: int = 1) -> None:
        name = order.client_order_id if named else None
        self.gateway.filled(
            Fill(
                "SBER",
                trade,
                number,
                name,
                Side.BUY,
                Decimal(lots),
                Decimal(100),
                None,
                None,
                None,
                0,
                "f",
                False,
                "D1",
            )
        )

    def update(self, order: Order, number: str, status: OrderStatus, *, filled: int = 0) -> None:
        request = order.request
        self.gateway.updated(
            OrderUpdate(
                "SBER",
                number,
                order.client_order_id,
                status,
                Side.BUY,
                request.quantity,
                Decimal(filled),
                request.price,
                None,
                0,
                "o",
            )
        )


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_an_order_that_was_amended_often_can_still_be_cancelled(rig: Rig) -> None:
    """A market maker amends one order all day; the last thing that it wants then is that no cancel goes."""
    order = rig.working("0")
    for number in range(1, 101):
        rig.gateway.amend_nowait(order, limit=Decimal(number), quantity=None)
        rig.reply(rig.last(AmendOrder), str(number))
    order.cancel_nowait()

    assert rig.count(AmendOrder) == 100
    assert rig.count(CancelOrder) == 1
    assert rig.gateway.contradictions == []


def test_an_amend_that_the_venue_has_no_words_for_leaves_the_order_as_it_was(rig: Rig) -> None:
    """It used to count as on its way for ever, and no cancel goes while an amend is."""
    market = rig.gateway.submit("s", "SBER", Side.BUY, 1)
    rig.reply(rig.last(CreateOrder), "1")
    with pytest.raises(LocalProtocolError, match="market order has no price"):
        rig.gateway.amend_nowait(market, limit=Decimal(99), quantity=None)
    market.cancel_nowait()

    assert rig.count(CancelOrder) == 1


@pytest.mark.parametrize("lots", [Decimal("0.5"), Decimal("NaN"), Decimal(0), Decimal(-1)])
def test_an_amend_to_no_whole_number_of_lots_is_refused_here(rig: Rig, lots: Decimal) -> None:
    order = rig.working()
    with pytest.raises(RiskLimit, match="lots"):
        rig.gateway.amend_nowait(order, limit=None, quantity=lots)
    order.cancel_nowait()

    assert rig.count(AmendOrder) == 0
    assert rig.count(CancelOrder) == 1


def test_a_handler_may_place_orders_while_the_lane_comes_back(rig: Rig) -> None:
    orders = [rig.buy(limit=90 + index) for index in range(3)]
    for order in orders:
        order.cancel_nowait()
    rig.gateway.lane_changed(up=False, reason="reset")
    for index, order in enumerate(orders):
        rig.update(order, str(index), OrderStatus.WORKING)

    def replace(order: Order) -> None:
        if order.state is OrderState.CANCEL_SENT and order in orders:
            rig.buy()

    rig.on_order = replace
    rig.gateway.lane_changed(up=True, reason="")

    assert rig.count(CancelOrder) == 3
    assert len(rig.gateway.orders) == 6


def test_a_fill_that_overtakes_the_reply_may_make_its_handler_cancel_the_rest(rig: Rig) -> None:
    order = rig.buy(lots=2)
    rig.on_fill = Order.cancel_nowait
    rig.fill(order, "t1")

    assert order.state.value == "cancel_sent"
    assert rig.count(CancelOrder) == 1
    rig.reply(rig.last(CreateOrder), "1")
    rig.reply(rig.last(CancelOrder))
    rig.update(order, "1", OrderStatus.CANCELLED, filled=1)
    assert order.state is OrderState.CANCELLED
    assert order.filled_quantity == 1
    assert rig.gateway.contradictions == []


def test_a_fill_that_was_kept_until_its_order_was_known_counts_once_when_it_comes_again(rig: Rig) -> None:
    """It may come without our name by the stream, and with it in an answer to a question."""
    order = rig.buy(lots=2)
    rig.fill(order, "t1", named=False)
    assert order.filled_quantity == 0
    rig.fill(order, "t1")

    assert order.filled_quantity == 1
    assert len(order.fills_seen) == 1


def test_an_order_that_shows_up_after_all_is_told_and_withdrawn(rig: Rig) -> None:
    """The venue's list didn't have it, so its strategy was told that it doesn't exist, and may have placed another."""
    order = rig.buy()
    rig.gateway.lane_changed(up=False, reason="reset")
    rig.time = 8 * SECOND
    note_missing(rig.gateway, set(), asked_at=rig.time)
    assert order.state is OrderState.REJECTED

    rig.gateway.lane_changed(up=True, reason="")
    rig.update(order, "7", OrderStatus.WORKING)
    rig.update(order, "7", OrderStatus.WORKING)

    (line,) = rig.gateway.contradictions
    assert "7" in line
    assert [command.venue_order_id for command in rig.sent if isinstance(command, CancelOrder)] == ["7"]


def test_what_was_sent_just_before_its_wire_ended_gets_as_long_as_what_nobody_answers(rig: Rig) -> None:
    """A slow network delivers it when the next wire is open and the venue has been asked."""
    rig.time = 100 * SECOND
    order, moved = rig.buy(), rig.working("9")
    rig.gateway.amend_nowait(moved, limit=101.0, quantity=None)
    rig.time = 101 * SECOND
    rig.gateway.lane_changed(up=False, reason="reset")
    rig.gateway.lane_changed(up=True, reason="")
    for asked_at in (103, 106):
        note_missing(rig.gateway, {"9"}, asked_at=asked_at * SECOND)

        assert order.state is OrderState.UNKNOWN
        assert moved.amending is not None

    note_missing(rig.gateway, {"9"}, asked_at=107 * SECOND)

    assert order.state is OrderState.REJECTED
    assert moved.amending is None
    assert moved.amend_refusal is not None


def test_not_there_counts_from_the_end_of_the_wire_that_may_still_have_carried_it(rig: Rig) -> None:
    order = rig.buy()
    rig.gateway.lane_changed(up=False, reason="no answer")
    assert order.state is OrderState.UNKNOWN
    order.lost_at = -10 * SECOND  # As if the answer had been given up long before the wire was.
    rig.gateway.lane_changed(up=False, reason="reset")
    note_missing(rig.gateway, set(), asked_at=rig.time + SECOND)

    assert order.state is OrderState.UNKNOWN


def test_a_cancel_that_was_confirmed_stays_in_doubt_until_the_order_is_gone(rig: Rig) -> None:
    """News from before the cancel is on its way as it is confirmed; if nothing else comes, somebody has to ask."""
    order = rig.working()
    order.cancel_nowait()
    rig.reply(rig.last(CancelOrder))
    rig.update(order, "1", OrderStatus.WORKING)

    assert rig.gateway.doubtful() == [order]
    note_missing(rig.gateway, {"1"}, asked_at=rig.time)
    assert rig.gateway.doubtful() == [order]
    rig.update(order, "1", OrderStatus.CANCELLED)
    assert rig.gateway.doubtful() == []
