"""The ends of the order gateway: where commands go and wait for answers, who is told, and who writes it down."""

from __future__ import annotations

from typing import Protocol

from strategykit.model.events import Fill, OrderUpdate
from strategykit.model.orders import Command, VenueCommand
from strategykit.runtime.order import Order
from strategykit.venues.dialect import OrderReply, Reply

__all__ = ["News", "OrderEar", "OrderJournal", "OrderPort"]

News = OrderUpdate | Fill | Reply | OrderReply
"""What a venue says about an order."""


class OrderPort(Protocol):
    """The way to where orders are answered: a live venue, a simulated one, or a recording."""

    def command(self, strategy: str, command: VenueCommand) -> bool:
        """Send at once, without blocking; False if nothing can have left."""
        ...

    def suspect(self, reason: str) -> None:
        """The command lane didn't answer in time: have it dropped and opened anew."""
        ...


class OrderEar(Protocol):
    """A strategy, as the gateway tells it what happened."""

    def order_changed(self, order: Order) -> None: ...
    def order_filled(self, order: Order, fill: Fill) -> None: ...


class OrderJournal(Protocol):
    """What is written down of orders, before anything comes of it."""

    def intend(self, order: Order, command: Command) -> None:
        """A command is about to be sent.

        Raises:
            JournalError: It can't be written down. Never raised for a cancel.
        """
        ...

    def unsent(self, command: Command, reason: str) -> None:
        """Nothing of a command that was intended has left."""
        ...

    def heard(self, order: Order, news: News) -> None:
        """The venue said something about an order of ours; nothing has come of it yet."""
        ...

    def learnt(self, order: Order) -> None:
        """Something about the order has changed; nobody has been told yet."""
        ...
