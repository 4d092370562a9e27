"""One client's connection to a simulated stream venue: what it listens to, and whether it keeps the rules."""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs

from strategykit.sim.served import Outlet
from strategykit.venues.stream.server_variants import ServerVariant

__all__ = ["StreamSession"]

_SECOND: Final = 1_000_000_000
_POLICY: Final = 1008
_AWAY: Final = 1001


@attrs.define(eq=False, kw_only=True)
class StreamSession:
    """A connection that was let in."""

    outlet: Outlet
    opened: int
    """Nanoseconds UTC."""
    combined: bool = True
    """Whether payloads come in an envelope."""
    microseconds: bool = False
    names: dict[str, int] = attrs.field(factory=dict)
    """Streams held, and how often each message of one is sent: once, but where a server counts double requests."""
    closes: int | None = None
    """When it is to be ended, if that has been said."""
    ended: bool = False
    _counted: int = 0
    _heard: deque[int] = attrs.field(factory=deque)
    _pings: dict[bytes, int] = attrs.field(factory=dict)
    _next_ping: int | None = None

    def end(self, code: int, reason: str) -> None:
        """Hang up."""
        self.ended = True
        self.outlet.close(code, reason)

    def check(self, variant: ServerVariant, now: int) -> None:
        """Hang up on who breaks a rule or is due; send a ping that is due."""
        if self.ended:
            return
        if self.closes is not None and now >= self.closes:
            self.end(_AWAY, "the server restarts")
        elif variant.life and now - self.opened >= variant.life * _SECOND:
            self.end(_AWAY, f"{variant.life:g} s are over")
        elif self._is_noisy(variant, now):
            self.end(_POLICY, f"more than {variant.messages_per_second} messages a second")
        elif variant.ping_every:
            self._keep_alive(variant, now)

    def _is_noisy(self, variant: ServerVariant, now: int) -> bool:
        """Count what came since the last look, pings and pongs too."""
        received = self.outlet.received
        self._heard.extend([now] * (received - self._counted))
        self._counted = received
        while self._heard and self._heard[0] <= now - _SECOND:
            self._heard.popleft()
        return 0 < variant.messages_per_second < len(self._heard)

    def _keep_alive(self, variant: ServerVariant, now: int) -> None:
        pong = self.outlet.pong
        if pong is not None and pong in self._pings:
            # It answers the older ones, too.
            sent = list(self._pings)
            for payload in sent[: sent.index(pong) + 1]:
                del self._pings[payload]
        oldest = next(iter(self._pings.values()), now)
        if now - oldest >= variant.pong_within * _SECOND:
            self.end(_POLICY, f"no pong in {variant.pong_within:g} s")
            return
        period = int(variant.ping_every * _SECOND)
        if self._next_ping is None:
            self._next_ping = self.opened + period
        if now >= self._next_ping:
            self._next_ping = max(self._next_ping + period, now)
            payload = str(now // 1_000_000).encode()
            self._pings[payload] = now
            self.outlet.ping(payload)
