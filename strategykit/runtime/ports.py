"""The two ends of the order gateway: where commands go and wait for answers, and who is told."""

from __future__ import annotations

from typing import Protocol

from strategykit.model.events import Fill
from strategykit.model.orders import Command
from strategykit.runtime.order import Order

__all__ = ["OrderEar", "OrderPort"]


class OrderPort(Protocol):
    """The way to where orders are answered: a live venue, a simulated one, or a recording."""

    def command(self, strategy: str, command: Command) -> bool:
        """Send at once, without blocking; False if nothing can have left."""
        ...

    def suspect(self, reason: str) -> None:
        """The command lane didn't answer in time: have it dropped and opened anew."""
        ...


class OrderEar(Protocol):
    """A strategy, as the gateway tells it what happened."""

    def order_changed(self, order: Order) -> None: ...
    def order_filled(self, order: Order, fill: Fill) -> None: ...
