"""The order gateway: every order of every strategy, and what the venue says of them.

Rules (RELIABILITY section 1): nothing is sent twice, a fill counts once, and an order whose answer was lost is
`UNKNOWN` until the venue tells. Whatever leaves doubt starts `reconcile`, which asks until nothing is in doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

import attrs

from strategykit.errors import LocalProtocolError, OrderRefused, RiskLimit
from strategykit.model.events import Fill, OrderStatus, OrderUpdate, Side
from strategykit.model.instruments import Instrument
from strategykit.model.orders import (
    AmendOrder,
    CreateOrder,
    Evidence,
    OrderRequest,
    OrderState,
    TimeInForce,
)
from strategykit.runtime.cancels import Cancels
from strategykit.runtime.fill_memory import FillMemory
from strategykit.runtime.in_flight import InFlight, Pending, may_have_happened
from strategykit.runtime.order import Amendment, Order
from strategykit.runtime.order_table import OrderTable
from strategykit.runtime.ports import OrderEar, OrderPort
from strategykit.runtime.requests import make_amend, make_request
from strategykit.runtime.waking import Signal, Wakes
from strategykit.venues.dialect import OrderReply, Reply

__all__ = ["Gateway"]

FILLS_WITHIN: Final = 1.0
"""Seconds: fills, and the ends of orders, usually follow within milliseconds. Asked if they don't."""

_REMEMBERED: Final = 1_000
"""Contradictions that are kept."""


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
    doubt: Callable[[float], None]
    """Called when something has to be asked, with the seconds that the venue has to tell it by itself before."""
    _table: OrderTable = attrs.field(factory=OrderTable, init=False)
    contradictions: list[str] = attrs.field(factory=list, init=False)
    """What the venue said that can't be; a line each."""
    _ears: dict[str, OrderEar] = attrs.field(factory=dict, init=False)
    _counts: dict[str, int] = attrs.field(factory=dict, init=False)
    commands: InFlight = attrs.field(
        init=False, default=attrs.Factory(lambda self: InFlight(self.port, self.start, self._lost), takes_self=True)
    )
    _cancels: Cancels = attrs.field(
        init=False,
        default=attrs.Factory(
            lambda self: Cancels(commands=self.commands, lane_up=lambda: self.lane_up, contradict=self.contradict),
            takes_self=True,
        ),
    )
    _fills: FillMemory = attrs.field(factory=FillMemory, init=False)
    lane_up: bool = attrs.field(default=False, init=False)
    lane: Signal = attrs.field(init=False, default=attrs.Factory(lambda self: Signal(self.wakes), takes_self=True))
    """Notified when the command lane opens or ends."""

    @property
    def orders(self) -> Mapping[str, Order]:
        """By client order id, in the order in which they were placed."""
        return self._table.orders

    @property
    def foreign(self) -> Mapping[str, OrderUpdate]:
        """Orders of the account that aren't ours, by number: shown, never touched."""
        return self._table.foreign

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
        """Place an order and give its handle at once; it may be refused already. Prices are as in `make_request`.

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
        self._table.add(order)
        try:
            left = self.commands.send(order, CreateOrder(guid=request.client_order_id, request=request))
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
        self._cancels.ask(order)

    def amend_nowait(self, order: Order, *, limit: Decimal | float | None, quantity: Decimal | None) -> None:
        """Replace limit, or the lots that are still to be filled.

        Raises:
            OrderRefused: It can't be amended now: ended, in doubt, or another amend is on its way.
        """
        known = self.instrument(order.instrument)
        amend = make_amend(order, order.next_guid("a"), known, limit=limit, quantity=quantity)
        if not self.commands.send(order, amend):
            raise OrderRefused(f"{order.client_order_id}: the command lane is down; the amend wasn't sent")
        order.amending = Amendment(amend.request, sets_quantity=quantity is not None, filled=amend.filled)

    # What the wires say

    def lane_changed(self, *, up: bool, reason: str) -> None:
        """The command lane opened or ended."""
        self.lane_up = up
        self.lane.notify()
        if not up:
            self.commands.lose_all(f"the command lane ended before an answer: {reason}")
            for order in self.doubtful():
                order.wire_ended(self.now())
            return
        if standing := self.open_orders():
            self.doubt(0.0)
        for order in standing:
            self._cancels.if_wanted(order)

    def replied(self, reply: Reply | OrderReply) -> bool:
        """Fold a reply in; False if no command of ours waits for it."""
        pending = self.commands.take(self._guid_of(reply))
        if pending is None:
            return False
        order = pending.order
        words = f"{reply.message} ({reply.code})"
        if not reply.ok and may_have_happened(reply.code):
            self._lost(pending, words)
        elif isinstance(pending.command, CreateOrder):
            self._created(order, reply, words)
        elif isinstance(pending.command, AmendOrder):
            self._amended(order, pending.command.request, reply, words)
        elif order.is_open:
            order.lost_at = self.now()
            if reply.ok:
                # "Deleted" is the broker's word; how much was filled before comes by the stream. Asked if it doesn't.
                self.doubt(FILLS_WITHIN)
            else:
                # The likeliest reason is that it has ended already; its own stream or a query tells how.
                order.learn(Evidence.CANCEL_REFUSED, words)
                self.doubt(0.0)
        return True

    def _guid_of(self, reply: Reply | OrderReply) -> str:
        """Say which command it answers: a yes to one that is gone is old news, a no may carry an older one's guid."""
        if isinstance(reply, Reply):
            return reply.guid
        waiting = self.commands.find(reply.venue_order_id, reply.to) or ""
        return waiting if reply.guid is None or not reply.ok else reply.guid

    def updated(self, update: OrderUpdate) -> bool:
        """Fold in what the venue says of one order; False if it isn't ours."""
        order = self._table.find(update.client_order_id, update.venue_order_id)
        if order is None:
            # It may yet turn out to be ours, once a reply names its number.
            self._table.keep_foreign(update)
            return False
        number = update.venue_order_id
        self._table.number(order, number)
        is_stop, tells_of_stop = order.request.stop_price is not None, update.stop_price is not None
        if not tells_of_stop:
            order.note_count(update)  # A stop itself has no fills: what it turned into has them.
            self._table.follow(order)
        elif not is_stop:
            order.leave_behind(number)  # The stop that it was is told of after it has fired.
        if number in order.past:
            # From before an amend, or of the stop that it was: that end is a change.
            self._await_fills(order)
            self._cancels.excess(order)
        elif is_stop and tells_of_stop and update.status is OrderStatus.FILLED:
            # It fired: what became of it is told under the number of the order it turned into.
            self._learn(order, Evidence.ACCEPTED)
        elif self._follow(order, number, plain=not tells_of_stop):
            if order.amend_lost_at is not None and order.amending and order.amending.shown_by(update, order.request):
                self._renumber(order, number, update.quantity)  # It took effect, though nobody answered.
            self._fold(order, update)
        return True

    def filled(self, fill: Fill) -> bool:
        """Fold in a fill, once; False if it isn't ours, or its order isn't known yet."""
        if self._fills.counted(fill):
            return True
        order = self._table.find(fill.client_order_id, fill.venue_order_id)
        if order is None:
            self._fills.keep(fill)
            return False
        if fill.venue_order_id not in order.past:
            self._follow(order, fill.venue_order_id, plain=True)
        if self._fills.counted(fill):  # It had been kept until somebody knew the number.
            return True
        order.add(fill)
        self._table.follow(order)
        ear = self._ears.get(order.strategy)
        if ear is not None:
            ear.order_filled(order, fill)
        self._fills.count(fill)
        if order.state is OrderState.REJECTED or order.remaining < 0:
            self.contradict(f"{order!r}: that is too much")
        self._learn(order, Evidence.ALL_FILLED if order.all_filled else Evidence.PART_FILLED)
        self._settle_ending(order)
        self._cancels.excess(order)
        self._cancels.if_wanted(order)
        return True

    def _follow(self, order: Order, number: str, *, plain: bool) -> bool:
        """Make `number` the order's if it can be: its first one, or the one under which it goes on; say whether."""
        if order.request.stop_price is not None and plain:
            order.trigger(number)
            self._number(order, number)
        elif order.venue_order_id is None:
            self._number(order, number)
        elif number != order.venue_order_id and order.amending is not None:
            self._renumber(order, number)
        elif number != order.venue_order_id:
            self.contradict(f"{order.client_order_id}: it is {order.venue_order_id}, and the venue has {number}, too")
            order.leave_behind(number)
            return False
        return True

    def doubtful(self) -> list[Order]:
        """Give the orders that the venue has to be asked about."""
        return self._table.doubtful()

    def open_orders(self) -> list[Order]:
        """Give the orders that can still be filled, as far as is known."""
        return self._table.open()

    def _tell(self, order: Order) -> None:
        self._table.follow(order)
        ear = self._ears.get(order.strategy)
        if ear is not None:
            ear.order_changed(order)

    def instrument(self, symbol: str) -> Instrument:
        if symbol not in self.instruments:
            why = "declare a stream of it in the strategy, or see the run's notes for what the venue didn't tell"
            raise RiskLimit(f"no instrument {symbol!r} in this run; {why}")
        return self.instruments[symbol]

    def _lost(self, pending: Pending, reason: str) -> None:
        order = pending.order
        order.lost_at = self.now()
        if order.amending is not None and order.amending.request is pending.command.request:
            order.amend_lost_at = self.now()
        if order.is_open:
            order.learn(Evidence.ANSWER_LOST, reason)
        self.doubt(0.0)

    def _created(self, order: Order, reply: Reply | OrderReply, words: str) -> None:
        if reply.ok:
            number = reply.venue_order_id
            if number is not None and order.venue_order_id is None:
                self._number(order, number)
            elif number is not None and number != order.venue_order_id:
                order.leave_behind(number)  # A stop that had fired before this reply came.
            if order.state in (OrderState.SENT, OrderState.UNKNOWN):
                order.learn(Evidence.ACCEPTED)
            self._cancels.if_wanted(order)
        elif order.state in (OrderState.SENT, OrderState.UNKNOWN):
            order.learn(Evidence.REFUSED, words)
        else:
            self.contradict(f"{order.client_order_id}: refused ({words}), though it is {order.state.value}")
            self.doubt(0.0)

    def _amended(self, order: Order, wanted: OrderRequest, reply: Reply | OrderReply, words: str) -> None:
        # The order's stream may have told before the reply, and the next amend may be on its way by now.
        current = order.amending is not None and order.amending.request is wanted
        words = f"{order.client_order_id}: {words}"
        if reply.ok and current:
            total = reply.quantity if isinstance(reply, OrderReply) else None
            self._renumber(order, reply.venue_order_id or order.venue_order_id or "", total)
        elif current:
            self.amend_failed(order, OrderRefused(words, code=reply.code, words=reply.message))
        elif not reply.ok:
            self.contradict(f"{words}, though the amend took effect")

    def amend_failed(self, order: Order, refusal: OrderRefused) -> None:
        """The order stands as it was; if it ended meanwhile, that wasn't the amend's doing."""
        order.stop_amending(refusal)
        self._settle_ending(order)
        self._cancels.excess(order)
        self._cancels.if_wanted(order)

    def _renumber(self, order: Order, number: str, total: Decimal | None = None) -> None:
        order.renumber(number, total)
        self._number(order, number)
        self._cancels.excess(order)
        self._tell(order)
        order.changed.notify()
        self._cancels.if_wanted(order)

    def _number(self, order: Order, number: str) -> None:
        order.take_number(number)
        self._table.number(order, number)
        for fill in self._fills.take(number):
            self.filled(fill)
        told = self._table.foreign.pop(number, None)
        if told is not None:
            self.updated(told)

    def _fold(self, order: Order, update: OrderUpdate) -> None:
        order.reason = update.reason or order.reason
        if update.status is not OrderStatus.WORKING:
            order.note_end(update)
            self._settle_ending(order)
            return
        if order.absent:
            # The venue didn't have it, we called it rejected, and now it works there: that mustn't stay so.
            order.absent = False
            self.contradict(
                f"{order.client_order_id}: works as {update.venue_order_id}, though the venue didn't have it"
            )
            self._cancels.send(order, update.venue_order_id)
            return
        self._learn(order, Evidence.PART_FILLED if order.filled_by_number[update.venue_order_id] else Evidence.ACCEPTED)
        self._await_fills(order)
        order.shown_working()
        self._cancels.if_wanted(order)

    def _settle_ending(self, order: Order) -> None:
        """End the order once every fill that the venue counts has been told; until then it waits for them."""
        if order.ending is None or order.amending is not None:
            return
        evidence = order.take_end()
        if evidence is None:
            self._await_fills(order)
        elif order.is_open:
            if evidence is Evidence.ALL_FILLED and not order.all_filled:
                self.contradict(f"{order!r}: filled with {order.filled_quantity} of {order.quantity} lots")
            self._learn(order, evidence)

    def _await_fills(self, order: Order) -> None:
        """The venue counts fills that haven't been told: they usually follow within milliseconds, else it is asked."""
        if order.fills_missing:
            self.doubt(FILLS_WITHIN)

    def _learn(self, order: Order, evidence: Evidence) -> None:
        try:
            order.learn(evidence)
        except LocalProtocolError as exc:
            self.contradict(f"{order.client_order_id}: {exc}")

    def contradict(self, line: str) -> None:
        self.contradictions.append(line)
        del self.contradictions[:-_REMEMBERED]
