"""The two ends of the order gateway: where commands go and wait for answers, and who is told."""

from __future__ import annotations

from typing import Final, Protocol

import attrs
import trio

from strategykit.model.events import Fill
from strategykit.model.orders import Command
from strategykit.runtime.order import Order

__all__ = ["HURRIED_REPLY_WITHIN", "REPLY_WITHIN", "OrderEar", "OrderPort", "Pending"]

REPLY_WITHIN: Final = 5.0
"""Seconds until an unanswered command makes its order doubtful and its wire suspect. ALOR answers in well under 1 s;
a half-open socket was seen to accept writes for a day."""

HURRIED_REPLY_WITHIN: Final = 1.0
"""The same for what is sent while the run is being stopped: a wire that is dead has to be found out soon then."""


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


@attrs.define(eq=False)
class Pending:
    """A command that waits for its answer."""

    order: Order
    command: Command
    answered: trio.Event = attrs.field(factory=trio.Event)
