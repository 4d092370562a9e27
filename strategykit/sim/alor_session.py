"""One client's connection to the simulated venue, as the venue knows it: no socket in here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from strategykit.sim.tokens import Claims

if TYPE_CHECKING:
    from strategykit.sim.alor_streams import Subscriber

__all__ = ["Session"]


@attrs.define(eq=False, kw_only=True)
class Session:
    """A connection that was let in."""

    path: str
    """``"/ws"`` or ``"/cws"``."""
    send: Callable[[bytes], None]
    """Queues one text message. Never blocks."""
    send_block: Callable[[list[bytes]], None]
    """Queues several as one."""
    subscriptions: dict[str, Subscriber] = attrs.field(factory=dict)
    """Live ones, by guid."""
    private: int = 0
    """How many of them show an account."""
    claims: Claims | None = None
    """On /cws: what its token said when it was authorised."""
    closed: bool = False

    @property
    def lane(self) -> str:
        """``"commands"``, ``"orders"`` if it carries a private subscription, else ``"market"``."""
        if self.path == "/cws":
            return "commands"
        return "orders" if self.private else "market"
