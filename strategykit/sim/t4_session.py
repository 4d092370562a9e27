"""One client's connection to the simulated T4 venue: who it is, what it was told, what it listens to."""

from __future__ import annotations

import attrs

from strategykit.sim.served import Outlet
from strategykit.sim.t4_config import T4User
from strategykit.venues.t4.proto import enums_pb2 as enums

__all__ = ["DepthWish", "T4Session"]


@attrs.define(eq=False)
class DepthWish:
    """A depth subscription, and what it waits for."""

    buffer: enums.DepthBuffer
    levels: enums.DepthLevels
    due: int = 0
    """When the next book may be sent, nanoseconds UTC."""
    dirty: bool = False
    """Whether the book changed since the last one was sent."""
    best: tuple[float | None, float | None] = (None, None)
    """Best bid and offer as last sent."""


@attrs.define(eq=False, kw_only=True)
class T4Session:
    """A connection; `user` is None until it has logged in."""

    outlet: Outlet
    heard: int
    """When its last message came, nanoseconds UTC."""
    spoken: int
    """When it was last sent one."""
    session_id: str = ""
    user: T4User | None = None
    app: str = ""
    format: enums.PriceFormat = enums.PRICE_FORMAT_DECIMAL
    depth: dict[str, DepthWish] = attrs.field(factory=dict)
    """By market id."""
    by_order: set[str] = attrs.field(factory=set)
    accounts: dict[str, enums.UPLMode] = attrs.field(factory=dict)
    """Subscribed ones."""
    defined: set[str] = attrs.field(factory=set)
    """Markets whose details it was sent."""
    silent_until: int = 0
    """Until then it is sent no heartbeats."""
    closed: bool = False

    def send(self, frame: bytes, now: int) -> None:
        """Queue one message, if it is still there."""
        if not self.closed:
            self.spoken = now
            self.outlet.send(frame)

    def end(self, frame: bytes | None, reason: str) -> None:
        """Say goodbye and close; nothing goes out after."""
        if frame is not None:
            self.outlet.send(frame)
        self.closed = True
        self.outlet.close(1000, reason)
