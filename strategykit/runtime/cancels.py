"""Withdrawing orders: as soon as that can be asked for, as often as it takes, and where one would become too much."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from strategykit.model.orders import CancelOrder, Evidence, OrderState
from strategykit.runtime.in_flight import InFlight
from strategykit.runtime.order import Order

__all__ = ["Cancels"]

_TRIES: Final = 50
"""Cancels of one order; more means that it and the venue disagree."""

_CANT_GO: Final = (OrderState.INTENT, OrderState.SENT, OrderState.CANCEL_SENT)
"""Not accepted yet as far as anybody told, or asked to go already."""


@attrs.define(eq=False, kw_only=True)
class Cancels:
    """Sees to it that what is to go goes."""

    commands: InFlight
    lane_up: Callable[[], bool]
    contradict: Callable[[str], None]
    """Takes a line about an order that doesn't go."""

    def ask(self, order: Order) -> None:
        """Withdraw `order`; while the lane is down or its number unknown, as soon as that changes."""
        if not order.is_open or order.state is OrderState.CANCEL_SENT:
            return
        order.cancel_wanted = True
        self.if_wanted(order)

    def excess(self, order: Order) -> None:
        """Withdraw `order` if it could become more than was asked for: lots were filled while it was amended.

        Not by another amend, which would place lots anew, and could be overtaken by fills again. An amend that is on
        its way already may take the excess back, so its answer is waited for.
        """
        if order.is_open and not order.cancel_wanted and order.amending is None and order.excess:
            order.cancel_wanted = True
            order.reason = (
                f"withdrawn: {order.excess} lots were filled while its limit was amended, and it could have become "
                f"more than {order.quantity}"
            )
            self.if_wanted(order)

    def if_wanted(self, order: Order) -> None:
        """Withdraw it if it is to go, and if that can be asked for now."""
        number = order.venue_order_id
        if not order.cancel_wanted or number is None or not order.is_open:
            return
        if order.state in _CANT_GO or order.ending is not None or not self.lane_up():
            return
        if order.amending is not None and order.amend_lost_at is None:
            return  # Its answer tells which number to withdraw; a lost one isn't waited for.
        if self.commands.find(number, CancelOrder) is None:  # One at a time, whatever is known of the order.
            self.send(order, number)

    def send_back(self, order: Order, number: str) -> None:
        """Have the venue withdraw an order that it didn't have, as far as we had been told; until it says so."""
        if self.lane_up() and self.commands.find(number, CancelOrder) is None:
            self.send(order, number)

    def send(self, order: Order, number: str) -> None:
        """Have the venue withdraw what it has as `number`."""
        if order.cancels == _TRIES:
            order.cancel_wanted = False
            self.contradict(f"{order.client_order_id}: gave up cancelling after {_TRIES} tries")
            return
        cancel = CancelOrder(guid=order.next_guid("c"), venue_order_id=number, request=order.request)
        if self.commands.send(order, cancel):
            order.cancels += 1
            order.learn(Evidence.CANCEL_LEFT)
