"""All orders of a run: which is meant, and which of them still need looking after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from strategykit.model.events import OrderUpdate
from strategykit.model.orders import OrderState
from strategykit.runtime.order import Order

__all__ = ["OrderTable"]

_CONTRADICTIONS: Final = 1_000
"""Of these the newest stand."""

_FOREIGN: Final = 1_000
"""Other people's orders that are shown; the oldest are forgotten first."""


@attrs.define(eq=False)
class OrderTable:
    """Orders by every name that they have. What is done at each event costs nothing for those that are over."""

    _followed: Callable[[Order], None]
    """Told of each order to which something happened."""
    _alarm: Callable[[str], None] = lambda _: None
    """Takes a line for each thing that can't be."""
    orders: dict[str, Order] = attrs.field(factory=dict, init=False)
    """By client order id, in the order in which they were placed; those that have ended stay, as late news of them may
    come, and the report tells of them."""
    foreign: dict[str, OrderUpdate] = attrs.field(factory=dict, init=False)
    """Orders of the account that aren't ours, by number."""
    contradictions: list[str] = attrs.field(factory=list, init=False)
    """What the venue said that can't be; a line each."""
    _unsettled: dict[str, Order] = attrs.field(factory=dict, init=False)
    """Those of `orders` that are open, that the venue counts more fills for than it has told, or has at work though it
    had said that there was no such order."""
    by_number: dict[str, Order] = attrs.field(factory=dict, init=False)
    """By every number that the venue has had for them."""

    def add(self, order: Order) -> None:
        self.orders[order.client_order_id] = order
        self.follow(order)

    def follow(self, order: Order) -> None:
        """Something happened to `order`: see whether it still needs looking after."""
        is_open = not order.state.terminal
        if order.group or order.fills_missing:
            order.followed = ()
        else:  # Most of what happens changes nothing of this.
            fills = len(order.fills_seen)
            if is_open:
                number = order.venue_order_id if fills else None
                like: tuple[object, ...] = (fills, order.back, order.ending, number, order.request, order.amending)
            else:
                like = (fills, order.back)
            if like == order.followed:
                return
            order.followed = like
        if is_open or order.fills_missing or order.back:
            self._unsettled[order.client_order_id] = order
        else:
            self._unsettled.pop(order.client_order_id, None)
        self._followed(order)
        if order.group:  # What an exit may become hangs on its entry.
            for other in self._unsettled.values():
                if other.entry is order:
                    self._followed(other)

    def forget(self, order: Order) -> None:
        """Nothing of `order` was sent, and nobody has been told of it."""
        order.state = OrderState.REJECTED
        self.follow(order)
        del self.orders[order.client_order_id]

    def find(self, client_order_id: str | None, number: str) -> Order | None:
        order = None if client_order_id is None else self.orders.get(client_order_id)
        return order or self.by_number.get(number)

    def open(self) -> list[Order]:
        """Give those that can still be filled, as far as is known."""
        return [order for order in self._unsettled.values() if order.is_open]

    def doubtful(self) -> list[Order]:
        """Give those that the venue has to be asked about."""
        return [order for order in self._unsettled.values() if order.uncertain]

    def keep_foreign(self, update: OrderUpdate) -> None:
        """Keep what is told of an order that isn't ours, or not known to be."""
        self.foreign[update.venue_order_id] = update
        if len(self.foreign) > _FOREIGN:
            del self.foreign[next(iter(self.foreign))]

    def contradict(self, line: str) -> None:
        """Note what can't be, and sound an alarm."""
        self.contradictions.append(line)
        self._alarm(line)
        del self.contradictions[:-_CONTRADICTIONS]
