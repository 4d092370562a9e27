"""Breaks of the wires that carry orders and their news: what isn't known while one lasts, and after it until asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final

import attrs

from strategykit.model.orders import Evidence, OrderState
from strategykit.runtime.cancels import Cancels
from strategykit.runtime.in_flight import InFlight
from strategykit.runtime.order import Order
from strategykit.runtime.order_table import OrderTable
from strategykit.runtime.waking import Signal

__all__ = ["Outages"]

_CANCEL_SENT: Final = OrderState.CANCEL_SENT
_UNSEEN: Final = Evidence.UNSEEN


@attrs.define(eq=False)
class Outages:
    """Knows which wires of the account are broken, and whether the venue has told since what happened meanwhile."""

    table: OrderTable
    commands: InFlight
    cancels: Cancels
    doubt: Callable[[float], None]
    now: Callable[[], int]
    lane: Signal
    """Notified when the command lane opens or ends, and when orders may open something again."""
    lane_up: bool = attrs.field(default=False, init=False)
    dark: set[str] = attrs.field(factory=set, init=False)
    """Connections that bring news of orders, without commands, and are broken. While there is one, no order counts as
    certain but by its end: what the venue answers is true when it answers, and an order is filled a moment later."""
    breaks: int = attrs.field(default=0, init=False)
    """Ends and beginnings of wires after which the venue has to be asked: a round that begins now knows of all."""
    withholds: bool = attrs.field(default=False, init=False)
    """Whether nothing is to be opened: fills may have been missed, and who decides by positions would do so twice."""

    def lane_changed(self, *, up: bool, reason: str) -> None:
        """The command lane opened or ended."""
        self.lane_up = up
        self.lane.notify()
        if not up:
            self.commands.lose_all(f"the command lane ended before an answer: {reason}")
            self._unsee(self.table.open(), reason)
            return
        if (standing := self.table.open()) or self.table.doubtful():
            self._ask()
        for order in standing:
            self.cancels.if_wanted(order)

    def news_ended(self, connections: Collection[str], reason: str) -> None:
        """A wire that brings news of orders, without commands, has ended; it goes on over `connections`.

        Args:
            connections: Those of them that aren't open.
            reason: Why it ended.
        """
        self.dark.update(connections)
        self._unsee(self.table.open(), reason)
        self._ask()

    def news_opened(self, connection: str, *, again: bool) -> None:
        """Such a wire has opened, and had been open `again` or not."""
        if again or connection in self.dark:
            self.dark.discard(connection)
            self._ask()

    def told(self, breaks: int) -> None:
        """All of a round was answered that began when there had been so many `breaks`."""
        if self.withholds and breaks == self.breaks and not self.dark:
            self.withholds = False
            self.lane.notify()

    def seen(self, order: Order, evidence: Evidence) -> Evidence:
        """Give what it comes to that `order` works, by `evidence`: while the wire of its news is broken, to nothing."""
        if not self.dark or not order.is_open or order.state is _CANCEL_SENT:
            return evidence
        order.lost_at = self.now() if order.lost_at is None else order.lost_at
        return _UNSEEN

    def may_open(self) -> bool:
        """Whether orders can be sent that open something."""
        return self.lane_up and not self.withholds

    def _unsee(self, orders: Iterable[Order], reason: str) -> None:
        for order in orders:
            if not order.state.doubtful:  # Both of its wires may end at once: that is told once.
                order.learn(_UNSEEN, order.reason or f"its wire ended: {reason}")
            order.wire_ended(self.now())

    def _ask(self) -> None:
        self.breaks += 1
        self.withholds = True
        self.doubt(0.0)
