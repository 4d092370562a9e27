"""Open orders of which nothing is heard: whether they still stand is asked now and then, on a living wire, too."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

import attrs
import trio

if TYPE_CHECKING:
    from strategykit.runtime.gateway import Gateway
    from strategykit.runtime.order import Order

__all__ = ["QuietOrders", "keep_asking"]

LOOK_EVERY: Final = 5.0
"""Seconds."""

QUIET_FOR: Final = 30.0
"""Seconds without news of an open order until it is asked about, and between two questions at the least: an order's
end that is lost changes no position, so nothing else would ever show it."""

MOST_PATIENCE: Final = 300.0
"""Seconds: the longest pause between two questions about an order of which there is no news."""


@attrs.define
class _Wait:
    """How long nothing has been heard of an order."""

    known: tuple[object, ...]
    since: float
    """When it was last heard or asked of."""
    patience: float = QUIET_FOR


@attrs.define(eq=False)
class QuietOrders:
    """Says when the venue's orders should be asked for; one question is about all of them. Times are in seconds."""

    _waits: dict[str, _Wait] = attrs.field(factory=dict, init=False)
    """By client order id, of open orders."""
    _not_before: float = attrs.field(default=0.0, init=False)

    def look(self, orders: Iterable[Order], now: float) -> bool:
        """Say whether to ask now, given the orders that are open."""
        waits: dict[str, _Wait] = {}
        for order in orders:
            known = (order.state, order.venue_order_id, order.request, order.filled_quantity)
            wait = self._waits.get(order.client_order_id)
            waits[order.client_order_id] = wait if wait is not None and wait.known == known else _Wait(known, now)
        self._waits = waits
        due = [wait for wait in waits.values() if now - wait.since >= wait.patience]
        if not due or now < self._not_before:
            return False
        self._not_before = now + QUIET_FOR
        for wait in due:
            wait.since, wait.patience = now, min(2 * wait.patience, MOST_PATIENCE)
        return True


async def keep_asking(gateway: Gateway, ask: Callable[[], object]) -> None:
    """Look every few seconds, until cancelled; `ask` has fills, orders and positions asked for once."""
    quiet = QuietOrders()
    while True:
        await trio.sleep(LOOK_EVERY)
        if quiet.look(gateway.open_orders(), trio.current_time()):
            ask()
