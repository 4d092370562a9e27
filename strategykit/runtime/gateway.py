"""The order gateway: every order of every strategy, and what the venue says of them.

Rules (RELIABILITY section 1): nothing is sent twice, a fill counts once, and an order whose answer was lost is
`UNKNOWN` until the venue tells. Whatever leaves doubt starts `reconcile`, which asks until nothing is in doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

import attrs
import trio

from strategykit.errors import LocalProtocolError, OrderRefused, RiskLimit
from strategykit.model.events import Fill, OrderStatus, OrderUpdate, Side
from strategykit.model.instruments import Instrument
from strategykit.model.orders import (
    AmendOrder,
    CancelOrder,
    Command,
    CreateOrder,
    Evidence,
    OrderRequest,
    OrderState,
    TimeInForce,
)
from strategykit.runtime.fill_memory import FillMemory
from strategykit.runtime.order import Order
from strategykit.runtime.ports import REPLY_WITHIN, OrderEar, OrderPort, Pending
from strategykit.runtime.requests import make_request, tick_price
from strategykit.runtime.waking import Signal, Wakes
from strategykit.venues.dialect import Reply

__all__ = ["Gateway"]

_TRIES: Final = 50
"""Amends and cancels an order; more means that it and the venue disagree."""

_REMEMBERED: Final = 1_000
"""Other people's orders that are shown, and contradictions that are kept."""


@attrs.define(eq=False, kw_only=True)
class Gateway:
    """All orders of one run on one account."""

    port: OrderPort
    account: str
    instruments: Mapping[str, Instrument]
    tag: str
    """Begins every client order id; drawn from the run's seed, so that ids of two runs differ and a re-run's don't."""
    wakes: Wakes
    now: Callable[[], int]
    start: Callable[..., None]
    """A nursery's ``start_soon``, for the tasks that watch over answers."""
    doubt: Callable[[], None]
    """Called when something has to be asked: starts or extends reconciliation."""
    orders: dict[str, Order] = attrs.field(factory=dict, init=False)
    """By client order id, in the order in which they were placed."""
    foreign: dict[str, OrderUpdate] = attrs.field(factory=dict, init=False)
    """Orders of the account that aren't ours, by number: shown, never touched."""
    contradictions: list[str] = attrs.field(factory=list, init=False)
    """What the venue said that can't be; a line each."""
    _ears: dict[str, OrderEar] = attrs.field(factory=dict, init=False)
    _counts: dict[str, int] = attrs.field(factory=dict, init=False)
    _pending: dict[str, Pending] = attrs.field(factory=dict, init=False)
    _by_number: dict[str, Order] = attrs.field(factory=dict, init=False)
    _fills: FillMemory = attrs.field(factory=FillMemory, init=False)
    reply_within: float = attrs.field(default=REPLY_WITHIN, init=False)
    """Seconds; whoever stops the run sets it lower."""
    lane_up: bool = attrs.field(default=False, init=False)
    lane: Signal = attrs.field(init=False, default=attrs.Factory(lambda self: Signal(self.wakes), takes_self=True))
    """Notified when the command lane opens or ends."""

    def listen(self, strategy: str, ear: OrderEar) -> None:
        """Tell `ear` of everything that happens to the orders of `strategy`."""
        self._ears[strategy] = ear

    # What strategies ask

    def submit(
        self,
        strategy: str,
        instrument: str,
        side: Side,
        quantity: Decimal | int,
        *,
        limit: Decimal | float | None = None,
        stop: Decimal | float | None = None,
        time_in_force: TimeInForce = TimeInForce.DAY,
        display_quantity: Decimal | None = None,
    ) -> Order:
        """Place an order and give its handle at once; it may be refused already.

        A `float` price is rounded to the tick, away from crossing; a `Decimal` must be on it.

        Raises:
            RiskLimit: The order makes no sense; nothing was sent.
        """
        known = self.instrument(instrument)
        number = self._counts.get(strategy, 0) + 1
        request = make_request(
            f"{self.tag}-{strategy}-{number}",
            self.account,
            known,
            side,
            quantity,
            limit=limit,
            stop=stop,
            time_in_force=time_in_force,
            display_quantity=display_quantity,
        )
        self._counts[strategy] = number
        order = Order(request, strategy, self, Signal(self.wakes), self._tell, self.now())
        self.orders[request.client_order_id] = order
        try:
            left = self._send(order, CreateOrder(guid=request.client_order_id, request=request))
        except LocalProtocolError as exc:
            order.learn(Evidence.NEVER_LEFT, str(exc))
            raise
        if left:
            order.learn(Evidence.LEFT)
        else:
            order.learn(Evidence.NEVER_LEFT, "the command lane is down; nothing was sent")
        return order

    def cancel_nowait(self, order: Order) -> None:
        """Withdraw `order`; while the lane is down or its number unknown, as soon as that changes."""
        if not order.is_open or order.state is OrderState.CANCEL_SENT:
            return
        order.cancel_wanted = True
        self._cancel_if_wanted(order)

    def amend_nowait(self, order: Order, *, limit: Decimal | float | None, quantity: Decimal | None) -> None:
        """Replace limit, or the lots that are still to be filled.

        Raises:
            OrderRefused: It can't be amended now: ended, in doubt, or another amend is on its way.
        """
        if order.amending is not None or order.venue_order_id is None or order.state.doubtful or not order.is_open:
            raise OrderRefused(f"{order.client_order_id} can't be amended while it is {order.state.value}")
        request = order.request
        known = self.instrument(request.instrument)
        price = request.price if limit is None else tick_price(known, limit, request.side, "limit")
        lots = order.remaining if quantity is None else quantity
        if lots <= 0:
            raise RiskLimit(f"{order.client_order_id}: an amend to {lots} lots; cancel it instead")
        wanted = attrs.evolve(request, price=price, quantity=lots)
        self._counts[order.client_order_id] = tries = self._counts.get(order.client_order_id, 0) + 1
        guid = f"{order.client_order_id}-a{tries}"
        order.amending = wanted
        if not self._send(order, AmendOrder(guid=guid, venue_order_id=order.venue_order_id, request=wanted)):
            order.amending = None
            raise OrderRefused(f"{order.client_order_id}: the command lane is down; the amend wasn't sent")

    # What the wires say

    def lane_changed(self, *, up: bool, reason: str) -> None:
        """The command lane opened or ended."""
        self.lane_up = up
        self.lane.notify()
        if not up:
            for pending in list(self._pending.values()):
                self._lose(pending, f"the command lane ended before an answer: {reason}")
            return
        if any(order.is_open for order in self.orders.values()):
            self.doubt()
        for order in self.orders.values():
            self._cancel_if_wanted(order)

    def replied(self, reply: Reply) -> bool:
        """Fold a reply in; False if no command of ours waits for it."""
        pending = self._pending.pop(reply.guid, None)
        if pending is None:
            return False
        pending.answered.set()
        order = pending.order
        words = f"{reply.message} ({reply.code})"
        if isinstance(pending.command, CreateOrder):
            self._created(order, reply, words)
        elif isinstance(pending.command, AmendOrder):
            self._amended(order, pending.command.request, reply, words)
        elif not reply.ok and order.is_open:
            # The likeliest reason is that it has ended already; its own stream or a query tells how.
            order.learn(Evidence.CANCEL_REFUSED, words)
            order.lost_at = self.now()
            self.doubt()
        else:
            # "Deleted" is the broker's word; how much was filled before comes by the stream. Asked if it doesn't.
            order.lost_at = self.now()
            self._doubt_later()
        return True

    def updated(self, update: OrderUpdate) -> bool:
        """Fold in what the venue says of one order; False if it isn't ours."""
        order = self._find(update.client_order_id, update.venue_order_id)
        if order is None:
            if len(self.foreign) < _REMEMBERED or update.venue_order_id in self.foreign:
                self.foreign[update.venue_order_id] = update
            return False
        number = update.venue_order_id
        self._by_number[number] = order
        if order.request.stop_price is None and update.stop_price is not None:
            order.leave_behind(number)  # The stop that it was is told of after it has fired.
        if number in order.past:
            return True  # From before an amend, or of the stop that it was: that end is a change.
        if order.request.stop_price is not None and update.stop_price is None:
            order.trigger(number)
            self._number(order, number)
        elif order.request.stop_price is not None and update.status is OrderStatus.FILLED:
            # It fired: what became of it is told under the number of the order it turned into.
            self._learn(order, Evidence.ACCEPTED)
            return True
        elif order.venue_order_id is None:
            self._number(order, number)
        elif number != order.venue_order_id and order.amending is not None:
            self._renumber(order, number)
        elif number != order.venue_order_id:
            self.contradict(f"{order.client_order_id}: it is {order.venue_order_id}, and the venue has {number}, too")
            return True
        self._fold(order, update)
        return True

    def filled(self, fill: Fill) -> bool:
        """Fold in a fill, once; False if it isn't ours, or its order isn't known yet."""
        if self._fills.counted(fill):
            return True
        order = self._find(fill.client_order_id, fill.venue_order_id)
        if order is None:
            self._fills.keep(fill)
            return False
        number = fill.venue_order_id
        if order.venue_order_id is None:
            self._number(order, number)
        elif number not in order.filled_by_number and order.amending is not None:
            self._renumber(order, number)
        order.add(fill)
        ear = self._ears.get(order.strategy)
        if ear is not None:
            ear.order_filled(order, fill)
        self._fills.count(fill)
        if order.filled_quantity > order.quantity:
            self.contradict(f"{order.client_order_id}: {order.filled_quantity} lots filled of {order.quantity}")
        self._learn(order, Evidence.ALL_FILLED if order.remaining <= 0 else Evidence.PART_FILLED)
        self._settle_ending(order)
        return True

    def doubtful(self) -> list[Order]:
        """Give the orders that the venue has to be asked about."""
        return [order for order in self.orders.values() if order.uncertain]

    def _tell(self, order: Order) -> None:
        ear = self._ears.get(order.strategy)
        if ear is not None:
            ear.order_changed(order)

    def instrument(self, symbol: str) -> Instrument:
        if symbol not in self.instruments:
            raise RiskLimit(f"no instrument {symbol!r} in this run; declare a stream of it in the strategy")
        return self.instruments[symbol]

    def _send(self, order: Order, command: Command) -> bool:
        if not self.port.command(order.strategy, command):
            return False
        pending = self._pending[command.guid] = Pending(order, command)
        self.start(self._watch, pending)
        return True

    async def _watch(self, pending: Pending) -> None:
        """See to it that a command is answered, or known to be unanswered."""
        within = self.reply_within
        with trio.move_on_after(within):
            await pending.answered.wait()
            return
        if pending.command.guid in self._pending:
            reason = f"no answer within {within:g} s"
            self._lose(pending, reason)
            self.port.suspect(reason)

    def _lose(self, pending: Pending, reason: str) -> None:
        self._pending.pop(pending.command.guid, None)
        pending.answered.set()
        order = pending.order
        order.lost_at = self.now()
        if order.amending is not None and order.amending is pending.command.request:
            order.amend_lost_at = self.now()
        if order.is_open:
            order.learn(Evidence.ANSWER_LOST, reason)
        self.doubt()

    def _created(self, order: Order, reply: Reply, words: str) -> None:
        if reply.ok:
            number = reply.venue_order_id
            if number is not None and order.venue_order_id is None:
                self._number(order, number)
            elif number is not None and number != order.venue_order_id:
                order.leave_behind(number)  # A stop that had fired before this reply came.
            if order.state in (OrderState.SENT, OrderState.UNKNOWN):
                order.learn(Evidence.ACCEPTED)
            self._cancel_if_wanted(order)
        elif order.state in (OrderState.SENT, OrderState.UNKNOWN):
            order.learn(Evidence.REFUSED, words)
        else:
            self.contradict(f"{order.client_order_id}: refused ({words}), though it is {order.state.value}")
            self.doubt()

    def _amended(self, order: Order, wanted: OrderRequest, reply: Reply, words: str) -> None:
        # The order's stream may have told before the reply, and the next amend may be on its way by now.
        current = order.amending is wanted
        words = f"{order.client_order_id}: {words}"
        if reply.ok and current:
            self._renumber(order, reply.venue_order_id or order.venue_order_id or "")
        elif current:
            self.amend_failed(order, OrderRefused(words, code=reply.code, words=reply.message))
        elif not reply.ok:
            self.contradict(f"{words}, though the amend took effect")

    def amend_failed(self, order: Order, refusal: OrderRefused) -> None:
        """The order stands as it was; if it ended meanwhile, that wasn't the amend's doing."""
        order.stop_amending(refusal)
        self._settle_ending(order)
        self._cancel_if_wanted(order)

    def _renumber(self, order: Order, number: str) -> None:
        order.renumber(number)
        self._number(order, number)
        self._tell(order)
        order.changed.notify()
        self._cancel_if_wanted(order)

    def _number(self, order: Order, number: str) -> None:
        order.take_number(number)
        self._by_number[number] = order
        for fill in self._fills.take(number):
            self.filled(fill)

    def _find(self, client_order_id: str | None, number: str) -> Order | None:
        order = None if client_order_id is None else self.orders.get(client_order_id)
        return order or self._by_number.get(number)

    def _fold(self, order: Order, update: OrderUpdate) -> None:
        order.reason = update.reason or order.reason
        if update.status is not OrderStatus.WORKING:
            order.note_end(update)
            self._settle_ending(order)
            return
        have = order.filled_by_number.get(update.venue_order_id, Decimal(0))
        self._learn(order, Evidence.PART_FILLED if have else Evidence.ACCEPTED)
        if update.filled > have:
            self._doubt_later()
        if not order.state.doubtful and order.ending is None and order.amend_lost_at is None:
            order.lost_at = None
        self._cancel_if_wanted(order)

    def _settle_ending(self, order: Order) -> None:
        """End the order once every fill that the venue counts has been told; until then it waits for them."""
        if order.ending is None or order.amending is not None:
            return
        evidence = order.take_end()
        if evidence is None:
            self._doubt_later()
        elif order.is_open:
            self._learn(order, evidence)

    def _learn(self, order: Order, evidence: Evidence) -> None:
        try:
            order.learn(evidence)
        except LocalProtocolError as exc:
            self.contradict(f"{order.client_order_id}: {exc}")

    def contradict(self, line: str) -> None:
        self.contradictions.append(line)
        del self.contradictions[:-_REMEMBERED]

    def _cancel_if_wanted(self, order: Order) -> None:
        """Withdraw it if it is to go, and if that can be asked for now."""
        busy = order.state is OrderState.CANCEL_SENT or order.amending is not None or not self.lane_up
        if not order.cancel_wanted or not order.is_open or order.venue_order_id is None or busy:
            return
        self._counts[order.client_order_id] = tries = self._counts.get(order.client_order_id, 0) + 1
        if tries > _TRIES:
            order.cancel_wanted = False
            if tries == _TRIES + 1:
                self.contradict(f"{order.client_order_id}: gave up cancelling after {_TRIES} tries")
            return
        guid = f"{order.client_order_id}-c{tries}"
        if self._send(order, CancelOrder(guid=guid, venue_order_id=order.venue_order_id, request=order.request)):
            order.learn(Evidence.CANCEL_LEFT)

    def _doubt_later(self) -> None:
        """Fills usually follow within milliseconds; ask only if they don't."""
        self.start(self._doubt_after, 1.0)

    async def _doubt_after(self, seconds: float) -> None:
        await trio.sleep(seconds)
        if self.doubtful():
            self.doubt()
