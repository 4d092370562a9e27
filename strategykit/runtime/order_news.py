"""What the venue says of orders and fills, folded into what is known of them.

Rules (RELIABILITY section 1): a fill counts once and is marked as seen after it was applied; an order ends by the
venue's word alone, and not before every fill that the venue counts has been told.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

import attrs

from strategykit.errors import LocalProtocolError, OrderRefused
from strategykit.model.event_class import altered
from strategykit.model.events import Fill, OrderStatus, OrderUpdate
from strategykit.model.orders import Evidence, OrderState
from strategykit.runtime.amendment import Amendment
from strategykit.runtime.cancels import Cancels
from strategykit.runtime.fill_memory import FillMemory
from strategykit.runtime.order import Order
from strategykit.runtime.order_table import OrderTable
from strategykit.runtime.outages import Outages
from strategykit.runtime.ports import OrderEar, OrderJournal
from strategykit.runtime.risk import Risk
from strategykit.runtime.strays import Strays

__all__ = ["OrderNews"]

# A look-up of a member costs more than a call on Python 3.11.
_ACCEPTED: Final = Evidence.ACCEPTED
_ALL_FILLED: Final = Evidence.ALL_FILLED
_LEFT: Final = Evidence.LEFT
_PART_FILLED: Final = Evidence.PART_FILLED
_UNSEEN: Final = Evidence.UNSEEN
_STANDS: Final = (_ACCEPTED, _PART_FILLED)
_REJECTED: Final = OrderState.REJECTED
_WORKING: Final = OrderState.WORKING
_AT_WORK: Final = OrderStatus.WORKING

FILLS_WITHIN: Final = 1.0
"""Seconds: fills, and the ends of orders, usually follow within milliseconds. Asked if they don't."""


@attrs.define(eq=False, kw_only=True)
class OrderNews:
    """Takes in what is told of orders, in whatever order it comes."""

    table: OrderTable
    risk: Risk
    journal: OrderJournal | None
    """None: nothing is written down."""
    cancels: Cancels
    strays: Strays
    ears: dict[str, OrderEar]
    """Who is told, by strategy."""
    outages: Outages
    doubt: Callable[[float], None]
    """Called when something has to be asked, with the seconds that the venue has to tell it by itself before."""
    now: Callable[[], int]
    fills: FillMemory = attrs.field(factory=FillMemory, init=False)

    def updated(self, update: OrderUpdate, *, listed: bool = False) -> bool:
        """Fold in what the venue says of one order, in a list that it was asked for or not; False if it isn't ours."""
        order = self.table.find(update.client_order_id, update.venue_order_id)
        if order is None:
            # It may yet turn out to be ours, once a reply names its number.
            self.table.keep_foreign(update)
            self.strays.shown(update, listed=listed)
            return False
        if self.journal is not None:
            self.journal.heard(order, update)
        if self._is_anothers(order, update):
            return True
        number = update.venue_order_id
        before: tuple[object, ...] | None = (order.venue_order_id, order.request, order.reason)
        self.table.by_number[number] = order
        is_stop, tells_of_stop = order.request.stop_price is not None, update.stop_price is not None
        if not tells_of_stop:
            # A stop itself has no fills: what it turned into has them.
            if order.note_count(update):
                before = None
                if order.fills_missing:
                    self.table.follow(order)
        elif not is_stop:
            order.leave_behind(number)  # The stop that it was is told of after it has fired.
        if number in order.past:
            # From before an amend, or of the stop that it was: that end is a change.
            self._await_fills(order)
            self.cancels.excess(order)
            self._see_back(order, update)
        elif is_stop and tells_of_stop and update.status is OrderStatus.FILLED:
            # It fired: what became of it is told under the number of the order it turned into.
            self._learn(order, _ACCEPTED)
        elif (number == order.venue_order_id and not is_stop) or self._follow(order, number, plain=not tells_of_stop):
            if order.amend_lost_at is not None and order.amending and order.amending.shown_by(update, order.request):
                self.renumber(order, number, update.quantity)  # It took effect, though nobody answered.
            elif order.absent_amend is not None and order.absent_amend.shown_by(update, order.request):
                self._amended_late(order, order.absent_amend, update)
            if is_stop and tells_of_stop and order.request.trail is not None:
                _trail(order, update)
            self._fold(order, update, before, listed=listed)
        else:
            self._see_back(order, update)
        return True

    def filled(self, fill: Fill) -> bool:
        """Fold in a fill, once; False if it isn't ours, or its order isn't known yet."""
        order = self.table.find(fill.client_order_id, fill.venue_order_id)
        if order is not None and fill.instrument != order.instrument:
            fill = self._named(order, fill)
        if self.fills.counted(fill) or (order is not None and self._is_anothers(order, fill)):
            return True
        if order is None:
            self.fills.keep(fill)
            return False
        number, now = fill.venue_order_id, self.now()
        if number not in order.past and (number != order.venue_order_id or order.request.stop_price is not None):
            self._follow(order, number, plain=True)
            if self.fills.counted(fill):  # It had been kept until somebody knew the number.
                return True
        if self.journal is not None:
            self.journal.heard(order, fill)
        order.add(fill)
        if order.group:
            self.table.follow(order)
        else:  # Whether it still needs looking after is seen when its state is known.
            self.risk.follow(order)
        self.risk.filled(order, fill, now)
        ear = self.ears.get(order.strategy)
        if ear is not None:
            ear.order_filled(order, fill)
        self.fills.count(fill)
        if order.state is _REJECTED or order.filled_quantity > order.quantity:
            if order.absent and order.filled_quantity <= order.quantity:
                words = f"is filled as {fill.venue_order_id}, though the venue didn't have it"
                self.table.contradict(f"{order.client_order_id}: {words}")
            else:
                self.table.contradict(f"{order!r}: that is too much")
        self._learn(order, _ALL_FILLED if order.all_filled else _PART_FILLED)
        if order.ending is not None:
            self.settle_ending(order)
        if order.is_open:
            self.cancels.excess(order)
            self.cancels.if_wanted(order)
        self.risk.judge(order.strategy, now)
        return True

    def _named(self, order: Order, fill: Fill) -> Fill:
        """Give a fill under the name that its order has: before a venue has told what it trades, it may have another.

        T4's messages about orders name the market alone, and strategies the exchange and the contract before it. Under
        two names it would count twice.
        """
        if not order.instrument.endswith(f"/{fill.instrument}"):
            self.table.contradict(f"{order!r}: fill {fill.trade_id} is told to be one of {fill.instrument}")
        return altered(fill, instrument=order.instrument)

    def _follow(self, order: Order, number: str, *, plain: bool) -> bool:
        """Make `number` the order's if it can be: its first one, or the one under which it goes on; say whether."""
        if order.request.stop_price is not None and plain:
            order.trigger(number)
            self.number(order, number)
        elif order.venue_order_id is None:
            self.number(order, number)
        elif number != order.venue_order_id and order.amending is not None:
            self.renumber(order, number)
        elif number != order.venue_order_id:
            words = f"it is {order.venue_order_id}, and the venue has {number}, too"
            if order.absent_amend is not None:
                # An amend whose answer was lost took effect later than anybody could expect. It was refused for who
                # asked for it, or the order has ended since: what it led to is to go.
                words = f"works as {number}, though the venue didn't have it: an amend came late"
                order.back = number
            self.table.contradict(f"{order.client_order_id}: {words}")
            order.leave_behind(number)
            self.table.follow(order)
            return False
        return True

    def _amended_late(self, order: Order, amendment: Amendment, update: OrderUpdate) -> None:
        """A venue that amends in place has done so, long after the amend was given up: that is how it stands now."""
        if order.amending is not None or not order.is_open:
            return
        words = f"is changed as {update.venue_order_id}, though the venue didn't have the amend"
        self.table.contradict(f"{order.client_order_id}: {words}")
        order.amending, order.absent_amend = amendment, None
        self.renumber(order, update.venue_order_id, update.quantity)

    def _is_anothers(self, order: Order, news: OrderUpdate | Fill) -> bool:
        """Whether the venue tells of our order, and of an account or a side that it hasn't: nothing is folded in."""
        account = order.request.account
        if news.side is order.side and (not news.account or not account or news.account == account):
            return False
        what = f"a {news.side.value} in account {news.account!r}; ours is in {account!r}"
        self.table.contradict(f"{order!r}: {news.venue_order_id} is told to be {what}")
        return True

    def _see_back(self, order: Order, update: OrderUpdate) -> None:
        """What an amend that came late led to is withdrawn, until the venue says that it has ended."""
        if order.back != update.venue_order_id:
            return
        if update.status is _AT_WORK:
            self.cancels.send_back(order, order.back)
        elif not order.fills_missing:
            order.back = None
        self.table.follow(order)

    def tell(self, order: Order) -> None:
        """Something about it has changed: write that down, then say so."""
        if order.evidence is not _LEFT:  # That a command has left changes nothing of what it may become.
            self.table.follow(order)
        if self.journal is not None:
            self.journal.learnt(order)
        ear = self.ears.get(order.strategy)
        if ear is not None:
            ear.order_changed(order)

    def renumber(self, order: Order, number: str, total: Decimal | None = None) -> None:
        """An amend took effect; the order goes on under `number`, with `total` lots where the venue says how many."""
        order.renumber(number, total)
        self.number(order, number)
        self.cancels.excess(order)
        self.tell(order)
        order.changed.notify()
        self.cancels.if_wanted(order)

    def number(self, order: Order, number: str) -> None:
        """Know the order by `number`, and fold in what came under it before."""
        order.take_number(number)
        self.table.by_number[number] = order
        if self.fills.early:
            for fill in self.fills.take(number):
                self.filled(fill)
        told = self.table.foreign.pop(number, None)
        if told is not None:
            self.updated(told)

    def _fold(self, order: Order, update: OrderUpdate, before: tuple[object, ...] | None, *, listed: bool) -> None:
        """Fold in what is said of the number that the order has.

        Args:
            order: As it stands.
            update: What the venue says.
            before: Number, request and reason that the order had when that came; None: it tells of more fills.
            listed: Whether the venue was asked for it.
        """
        order.reason = update.reason or order.reason
        if update.status is not _AT_WORK:
            if not order.is_open and not order.back and not order.fills_missing:
                order.lost_at, order.listed_again = None, False
                if order.absent and before is not None and before[0] is None:  # Its first number: it came late.
                    words = f"ended as {update.venue_order_id}, though the venue didn't have it"
                    self.table.contradict(f"{order.client_order_id}: {words}")
                return  # Told again.
            order.back = None if order.back == update.venue_order_id else order.back
            order.listed_again = False
            order.note_end(update)
            self.table.follow(order)
            self.settle_ending(order)
            return
        if order.absent:
            # The venue didn't have it, we called it rejected, and now it works there: that mustn't stay so.
            if not order.back:
                words = f"works as {update.venue_order_id}, though the venue didn't have it"
                self.table.contradict(f"{order.client_order_id}: {words}")
            order.back = update.venue_order_id
            self.table.follow(order)
            self.cancels.send_back(order, update.venue_order_id)
            return
        if not order.is_open and (listed or order.back == update.venue_order_id):
            self._works_on(order, update)
            return
        evidence = _PART_FILLED if order.filled_by_number[update.venue_order_id] else _ACCEPTED
        evidence = self.outages.seen(order, evidence) if self.outages.dark else evidence
        same = order.evidence is evidence and before == (order.venue_order_id, order.request, order.reason)
        known = order.state is _WORKING or evidence is _UNSEEN
        if not (same and known):  # What was told before is no news.
            self._learn(order, evidence)
        self._await_fills(order)
        order.shown_working()
        if order.group:  # What its exits may become hangs on whether it is in doubt.
            self.table.follow(order)
        self.cancels.if_wanted(order)

    def _works_on(self, order: Order, update: OrderUpdate) -> None:
        """The venue's list has an order at work that had ended. A list may be older than the end; not the next one."""
        if order.back != update.venue_order_id:
            if not order.listed_again:
                order.listed_again = True
                self.doubt(0.0)
                return
            words = f"works as {update.venue_order_id}, though the venue had said that it is {order.state.value}"
            self.table.contradict(f"{order.client_order_id}: {words}")
            order.back, order.listed_again = update.venue_order_id, False
        self._see_back(order, update)

    def withdrawn(self, order: Order, number: str) -> None:
        """The venue says that it has withdrawn `number`, as it was asked to."""
        order.withdrawn = number
        self.settle_ending(order)
        # "Deleted" is the broker's word; how much was filled before comes by the stream. Asked if it doesn't.
        self.doubt(FILLS_WITHIN)

    def settle_ending(self, order: Order) -> None:
        """End the order once every fill that the venue counts has been told; until then it waits for them."""
        if order.ending is None or (order.amending is not None and order.withdrawn != order.venue_order_id):
            return
        if order.amending is not None:  # A number that could still be withdrawn hadn't been replaced, and can't be now.
            words = "it was withdrawn before the amend took effect"
            order.stop_amending(OrderRefused(f"{order.client_order_id}: {words}"))
        evidence = order.take_end()
        if evidence is None:
            self._await_fills(order)
        elif order.is_open:
            # What the venue links it takes lots from: it is filled with fewer than were asked for.
            if evidence is _ALL_FILLED and not order.all_filled and not order.group:
                self.table.contradict(f"{order!r}: filled with {order.filled_quantity} of {order.quantity} lots")
            self._learn(order, evidence)

    def _await_fills(self, order: Order) -> None:
        """The venue counts fills that haven't been told: they usually follow within milliseconds, else it is asked."""
        if order.fills_missing:
            self.doubt(FILLS_WITHIN)

    def _learn(self, order: Order, evidence: Evidence) -> None:
        if self.outages.dark and evidence in _STANDS:
            evidence = self.outages.seen(order, evidence)
        try:
            order.learn(evidence)
        except LocalProtocolError as exc:
            self.table.follow(order)
            self.table.contradict(f"{order.client_order_id}: {exc}")


def _trail(order: Order, update: OrderUpdate) -> None:
    """Take the trigger that a trailing stop has by now; that its request is another one is told with the rest."""
    if update.status is _AT_WORK and order.amending is None:
        order.request = altered(order.request, stop_price=update.stop_price)
