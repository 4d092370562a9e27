"""The handle of one order: what is known of it, and ways to wait for more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Final, Protocol

import attrs

from strategykit.errors import LocalProtocolError, OrderEnded, OrderRefused
from strategykit.model.event_class import altered
from strategykit.model.events import Fill, OrderStatus, OrderUpdate, Side
from strategykit.model.orders import Evidence, OrderRequest, OrderState, OrderType, next_state
from strategykit.runtime.amendment import Amendment
from strategykit.runtime.waking import Signal

__all__ = ["Amendment", "Order", "OrderKeeper"]

_ZERO: Final = Decimal(0)

_ENDS: Final = {
    OrderStatus.FILLED: Evidence.ALL_FILLED,
    OrderStatus.CANCELLED: Evidence.CANCELLED,
    OrderStatus.EXPIRED: Evidence.EXPIRED,
    OrderStatus.REJECTED: Evidence.REFUSED,
}


class OrderKeeper(Protocol):
    """What a handle asks of the gateway."""

    def cancel_nowait(self, order: Order) -> None: ...
    def amend_nowait(
        self,
        order: Order,
        *,
        limit: Decimal | float | None,
        quantity: Decimal | None,
        stop: Decimal | float | None = None,
    ) -> None: ...


@attrs.define(eq=False, repr=False)
class Order:
    """One order of one strategy. The gateway writes it; strategies read it and wait on it."""

    request: OrderRequest
    """As it stands now: an amend replaces it."""
    strategy: str
    keeper: OrderKeeper
    changed: Signal
    told: Callable[[Order], None]
    """Called at every change, before those who wait are woken."""
    placed: int
    """Nanoseconds UTC: when it was decided."""
    earlier: bool = False
    """Whether an earlier run placed it."""
    group: str = ""
    """What the group is called that it was placed in; empty: it was placed by itself."""
    entry: Order | None = None
    """Of a bracket's exit: the order that has to be filled before it."""
    client_order_id: str = attrs.field(init=False)
    """This, its instrument and its side are the same for good, whatever is amended."""
    instrument: str = attrs.field(init=False)
    side: Side = attrs.field(init=False)
    state: OrderState = attrs.field(default=OrderState.INTENT, init=False)
    evidence: Evidence | None = attrs.field(default=None, init=False)  # What its state was learnt by.
    venue_order_id: str | None = attrs.field(default=None, init=False)  # The number it has now; an amend may change it.
    fills_seen: list[Fill] = attrs.field(factory=list, init=False)
    fills_before: int = attrs.field(default=0, init=False)  # Those of them that an earlier run has counted.
    filled_quantity: Decimal = attrs.field(default=_ZERO, init=False)
    """Lots filled so far, under all its numbers."""
    filled_by_number: dict[str, Decimal] = attrs.field(factory=dict, init=False)
    """Lots filled under each number that the order has had."""
    reason: str = attrs.field(default="", init=False)
    """Why it was refused, or is unknown, in words."""
    lost_at: int | None = attrs.field(default=None, init=False)
    """When an answer about it was last lost."""
    cancel_wanted: bool = attrs.field(default=False, init=False)
    cancels: int = attrs.field(default=0, init=False)  # Cancels that were sent.
    amending: Amendment | None = attrs.field(default=None, init=False)  # What it is being amended to.
    amend_lost_at: int | None = attrs.field(default=None, init=False)
    """When the answer to the amend was lost: it took effect or it didn't, and the venue's list tells."""
    withdrawn: str | None = attrs.field(default=None, init=False)  # The number that the venue withdrew, as asked.
    amend_refusal: OrderRefused | None = attrs.field(default=None, init=False)
    followed: tuple[object, ...] = attrs.field(default=(), init=False)  # What it was like when the table last looked.
    _commands: int = attrs.field(default=0, init=False)  # Commands that were named after it.
    ending: Evidence | None = attrs.field(default=None, init=False)
    """The venue says that it ended so; fills are still to come."""
    counted: dict[str, Decimal] = attrs.field(factory=dict, init=False)
    """Lots filled under each number, as the venue counts them; the fills themselves may still be on their way."""
    absent: bool = attrs.field(default=False, init=False)
    """Whether it ended because the venue didn't have it."""
    absent_amend: Amendment | None = attrs.field(default=None, init=False)  # Given up: the venue showed nothing of it.
    back: str | None = attrs.field(default=None, init=False)  # Under which it works there though it shouldn't; or did.
    listed_again: bool = attrs.field(default=False, init=False)  # Whether it had ended, and a list says that it works.
    past: dict[str, None] = attrs.field(factory=dict, init=False)
    """Numbers that it had before an amend, or as a stop: what the venue says of their ends ends nothing."""
    _asked: Decimal = attrs.field(init=False)
    """Lots that the strategy asked for when it last named a quantity."""
    _before: Decimal = attrs.field(default=_ZERO, init=False)
    """Lots that don't count towards these: filled under numbers from before."""
    _towards: frozenset[str] = attrs.field(default=frozenset(), init=False)
    """Numbers, from before amends of the limit alone, whose fills count towards them."""
    _known: Decimal = attrs.field(default=_ZERO, init=False)
    """Lots filled under `_towards`: told as fills or counted by the venue, whichever is more."""
    fills_missing: bool = attrs.field(default=False, init=False)
    """Whether the venue counts more fills than it has told."""
    _untold: frozenset[str] = attrs.field(default=frozenset(), init=False)
    """Numbers under which the venue counts more fills than it has told."""

    def __attrs_post_init__(self) -> None:
        r = self.request
        self.client_order_id, self.instrument, self.side = r.client_order_id, r.instrument, r.side
        self._asked = r.quantity

    def __repr__(self) -> str:
        r = self.request
        price = "market" if r.price is None else f"at {r.price}"
        price += "" if r.stop_price is None else f" from {r.stop_price}"
        return (
            f"<Order {r.client_order_id} {r.side.value} {r.quantity} {r.instrument} {price}: "
            f"{self.state.value}, {self.filled_quantity} filled>"
        )

    @property
    def quantity(self) -> Decimal:
        """Lots that were asked for in all, those filled before an amend that named a quantity included."""
        return self._before + self._asked

    @property
    def remaining(self) -> Decimal:
        """Lots that are still to be filled. Below 0: more was filled than asked for."""
        return self.quantity - self.filled_quantity

    @property
    def working_quantity(self) -> Decimal:
        """Lots that the venue can still fill under its present number, by the fills told or counted."""
        return self.request.quantity - self._filled_under(self.venue_order_id or "")

    @property
    def all_filled(self) -> bool:
        """Whether nothing is left under its present number, by the fills told."""
        return self.filled_by_number.get(self.venue_order_id or "", _ZERO) >= self.request.quantity

    @property
    def excess(self) -> Decimal:
        """Lots by which what was filled and what works are together more than what was asked for.

        An amend of the limit asks the venue for the lots that remained; fills on their way then come on top.
        """
        return max(_ZERO, self._known + self.request.quantity - self._asked)

    @property
    def average_price(self) -> Decimal | None:
        """Mean price of the fills so far, weighted by quantity."""
        fills = self.fills_seen
        if len(fills) == 1:
            return fills[0].price
        total = sum((fill.quantity for fill in fills), _ZERO)
        return sum((fill.price * fill.quantity for fill in fills), _ZERO) / total if total else None

    @property
    def is_open(self) -> bool:
        """Whether it can still be filled, as far as is known."""
        return not self.state.terminal

    @property
    def uncertain(self) -> bool:
        """Whether the venue has to be asked how it stands."""
        open_ends = (self.ending, self.lost_at, self.amend_lost_at)
        doubtful = self.state.doubtful or any(end is not None for end in open_ends)
        return self.fills_missing or self.back is not None or (self.is_open and doubtful)

    def next_guid(self, verb: str) -> str:
        """Name the next command about it. For the gateway."""
        self._commands += 1
        return f"{self.client_order_id}-{verb}{self._commands}"

    def named_before(self, commands: int) -> None:
        """So many commands were named after it by an earlier run, so none gets one of their names again."""
        self._commands = max(self._commands, commands)

    def learn(self, evidence: Evidence, reason: str = "") -> None:
        """Fold what happened into the state. For the gateway.

        Raises:
            LocalProtocolError: It can't happen to an order in this state.
        """
        self.state, self.evidence = next_state(self.state, evidence), evidence
        if reason:
            self.reason = reason
        self.told(self)
        if self.changed.waiters:
            self.changed.notify()

    def wire_ended(self, now: int) -> None:
        """The wire that carries its news has ended: what was lost, was lost now at the latest. For the gateway."""
        self.lost_at = now
        self.amend_lost_at = None if self.amend_lost_at is None else now

    def shown_working(self) -> None:
        """The venue shows it, so nothing of it is lost, unless something else is on its way. For the gateway."""
        # After a confirmed cancel this may be news from before it.
        busy = self.state.doubtful or self.state is OrderState.CANCEL_SENT
        if not busy and self.ending is None and self.amend_lost_at is None:
            self.lost_at = None

    def take_number(self, number: str) -> None:
        """The venue numbered it. For the gateway."""
        self.venue_order_id = number
        self.filled_by_number.setdefault(number, _ZERO)

    def add(self, fill: Fill) -> None:
        """Count a fill. For the gateway, which sees to it that none counts twice."""
        number = fill.venue_order_id
        known = self._filled_under(number) if number in self._towards else None
        self.filled_by_number[number] = self.filled_by_number.get(number, _ZERO) + fill.quantity
        self.filled_quantity += fill.quantity
        self.fills_seen.append(fill)
        if known is not None:
            self._known += self._filled_under(number) - known
        elif number in self.past:
            self._before += fill.quantity
        if number in self._untold and self.filled_by_number[number] >= self.counted[number]:
            self._untold -= {number}
            self.fills_missing = bool(self._untold)

    def _filled_under(self, number: str) -> Decimal:
        """Lots filled under `number`: told as fills, or counted by the venue if that is more."""
        return max(self.filled_by_number.get(number, _ZERO), self.counted.get(number, _ZERO))

    def renumber(self, number: str, total: Decimal | None = None) -> None:
        """An amend took effect: it goes on under `number`, with what was filled before carried over. For the gateway.

        Args:
            number: The same one where the venue amends in place.
            total: Lots that it has then, those filled before included, where such a venue says so.

        Raises:
            LocalProtocolError: It isn't being amended.
        """
        if self.amending is None:
            raise LocalProtocolError(f"{self.client_order_id} isn't being amended")
        amendment, self.amending, self.amend_lost_at, self.ending = self.amending, None, None, None
        lots, old = amendment.request.quantity, self.venue_order_id
        if number == old:  # A venue that amends in place counts what was filled before as part of the whole.
            lots = lots + self._filled_under(number) if amendment.sets_quantity else self.request.quantity
            lots = lots if total is None else total
        self.request = altered(amendment.request, quantity=lots)
        self._leave_number(number)
        if amendment.sets_quantity:
            self._asked, self._known = self.request.quantity, _ZERO
            self._before = self.filled_quantity - self.filled_by_number[number]
            self._towards = frozenset()
        elif old is not None and number != old:
            self._towards |= {old}
            self._known += self._filled_under(old)

    def stop_amending(self, refusal: OrderRefused) -> None:
        """The amend didn't take effect. For the gateway."""
        if self.amend_lost_at is not None:
            self.absent_amend = self.amending
        self.amending, self.amend_refusal, self.amend_lost_at = None, refusal, None
        self.changed.notify()

    def trigger(self, number: str) -> None:
        """The stop has fired: it goes on as a plain order under `number`. For the gateway."""
        kind = OrderType.MARKET if self.request.price is None else OrderType.LIMIT
        self.request = altered(self.request, type=kind, stop_price=None)
        self.ending = None
        self._leave_number(number)

    def leave_behind(self, number: str) -> None:
        """Know `number` for one that it had before. For the gateway."""
        self.past[number] = None
        self.filled_by_number.setdefault(number, _ZERO)

    def _leave_number(self, number: str) -> None:
        if self.venue_order_id is not None and self.venue_order_id != number:
            self.leave_behind(self.venue_order_id)
        self.take_number(number)

    def note_count(self, update: OrderUpdate) -> bool:
        """The venue says how much of it was filled, which becomes no less; say if it became more. For the gateway."""
        number, filled = update.venue_order_id, update.filled
        if filled <= self.counted.get(number, _ZERO):
            return False
        known = self._filled_under(number) if number in self._towards else None
        self.counted[number] = filled
        if known is not None:
            self._known += self._filled_under(number) - known
        if self.filled_by_number.get(number, _ZERO) < filled:
            self._untold |= {number}
            self.fills_missing = True
        return True

    def note_end(self, update: OrderUpdate) -> None:
        """The venue says that it ended; `take_end` tells when that may be believed. For the gateway."""
        self.ending = _ENDS[update.status]

    def take_end(self) -> Evidence | None:
        """Give how it ended, once all fills that the venue counts have been told; None until then. For the gateway."""
        evidence = self.ending
        if evidence is None or self.fills_missing:
            return None
        self.ending = self.lost_at = None
        # Of an order that is refused after a part of it was filled, what was left is gone.
        return Evidence.CANCELLED if evidence is Evidence.REFUSED and self.filled_quantity else evidence

    async def accepted(self) -> None:
        """Wait until the venue has accepted it.

        Raises:
            OrderRefused: It said no, or nothing could be sent.
        """
        await self.changed.until(lambda: self.state not in (OrderState.INTENT, OrderState.SENT, OrderState.UNKNOWN))
        if self.state is OrderState.REJECTED:
            raise OrderRefused(f"{self.client_order_id}: {self.reason or 'refused'}", words=self.reason)

    async def filled(self) -> None:
        """Wait until all of it is filled; at once if it already is.

        Raises:
            OrderEnded: It ended with less.
        """
        await self.changed.until(lambda: self.state.terminal)
        # Cancelled for its `excess`, it may have got all that was asked for.
        if self.state is not OrderState.FILLED and self.remaining > 0:
            raise OrderEnded(
                f"{self.client_order_id} ended {self.state.value} with {self.filled_quantity} "
                f"of {self.quantity} lots filled" + (f": {self.reason}" if self.reason else "")
            )

    async def ended(self) -> OrderState:
        """Wait until nothing more can happen to it; give its final state."""
        await self.changed.until(lambda: self.state.terminal)
        return self.state

    async def known(self) -> OrderState:
        """Wait until its state isn't in doubt; give it."""
        await self.changed.until(lambda: not self.state.doubtful)
        return self.state

    def fills(self) -> AsyncIterator[Fill]:
        """Iterate over every fill, those from before the call too, until the order has ended."""
        return _Fills(self)

    async def cancel(self) -> OrderState:
        """Withdraw what is unfilled and wait for the venue's word; the final state may be FILLED."""
        self.keeper.cancel_nowait(self)
        return await self.ended()

    def cancel_nowait(self) -> None:
        """Ask for the cancel and go on."""
        self.keeper.cancel_nowait(self)

    async def amend(
        self,
        *,
        limit: Decimal | float | None = None,
        quantity: Decimal | int | None = None,
        stop: Decimal | float | None = None,
    ) -> OrderState:
        """Change limit, trigger or remaining quantity and wait for the answer; gives the state, which may be FILLED.

        Args:
            limit: The new limit. With it alone, what was asked for in all stays: if fills that were on their way
                would make it more, the rest of the order is cancelled.
            quantity: Lots that are to be open from then on, besides all that was filled until it took effect.
            stop: The new trigger of a stop that hasn't fired.

        Raises:
            OrderRefused: The venue said no; the order stands as it was.
        """
        self.amend_refusal = None
        lots = None if quantity is None else Decimal(quantity)
        self.keeper.amend_nowait(self, limit=limit, quantity=lots, stop=stop)
        await self.changed.until(lambda: self.amending is None or self.state.terminal)
        if self.amend_refusal is not None:
            raise self.amend_refusal
        return self.state


@attrs.define(eq=False)
class _Fills:
    order: Order
    seen: int = 0

    def __aiter__(self) -> _Fills:
        return self

    async def __anext__(self) -> Fill:
        order = self.order
        await order.changed.until(lambda: len(order.fills_seen) > self.seen or order.state.terminal)
        if self.seen == len(order.fills_seen):
            raise StopAsyncIteration
        self.seen += 1
        return order.fills_seen[self.seen - 1]
