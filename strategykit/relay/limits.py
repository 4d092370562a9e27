"""What the clients of a relay may use up, and what becomes of one that wants more."""

from __future__ import annotations

import attrs

from strategykit.sim.http_calls import HttpLimits

__all__ = ["RelayLimits"]


@attrs.frozen(kw_only=True)
class RelayLimits:
    """What clients may use up."""

    clients: int = 2_000
    """WebSockets open at a time; beyond, an upgrade is answered with 429."""
    connections: int = 2_500
    """TCP connections, whatever they are for; beyond, they are closed at once."""
    subscriptions: int = 1_024
    """A client; more are refused."""
    message_bytes: int = 65_536
    """Of a client's message; a longer one closes with 1009."""
    messages: tuple[int, float] = (1_500, 100.0)
    """A client's messages, pings too: so many at once, and so many a second; more close with 1008."""
    queue: tuple[int, int] = (1_000, 1 << 20)
    """Messages, and bytes, that wait for one client; beyond, of books, quotes and forming bars only the latest."""
    kept: tuple[int, int] = (8_000, 8 << 20)
    """The same for what can't be left out, trades and closed bars; beyond, the client is closed with 1008."""
    stall: float = 15.0
    """Seconds in which a client takes a piece of 64 KiB, or is closed."""
    silent: float = 120.0
    """Seconds without a sign of a client, which is pinged halfway, after which it is closed."""
    http: HttpLimits = attrs.field(factory=lambda: HttpLimits(head_bytes=16_384, body_bytes=16_384))
