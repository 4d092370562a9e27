"""What a simulated venue is to the server that puts it on a socket: sessions, messages, HTTP calls, time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import attrs

from strategykit.sim.alor_market import VenueMarket
from strategykit.sim.faults import FaultCommand
from strategykit.sim.http_calls import HttpAnswer, HttpCall, HttpLimits

__all__ = ["Outlet", "ServedVenue", "ServerLimits"]

S = TypeVar("S")


@attrs.frozen(kw_only=True)
class ServerLimits:
    """What clients may use up, whatever the venue."""

    max_connections: int = 1_000
    """WebSockets open at a time; beyond, an upgrade is answered with 429."""
    max_unread: int = 5_000
    """Messages waiting for one client; beyond, it is hung up on with 1008."""
    max_message: int = 1_048_576
    """Bytes of a client's message."""
    http: HttpLimits = attrs.field(factory=HttpLimits)


class Outlet(Protocol):
    """One client's way out. Nothing here waits; what can't leave yet is queued, and its queue is bounded."""

    def send(self, message: str | bytes) -> None:
        """Queue one message: a text, or bytes for a binary one."""
        ...

    def send_block(self, messages: Sequence[str | bytes]) -> None:
        """Queue several that count as one: a snapshot mustn't fill a fresh client's buffer."""
        ...

    def send_encoded(self, text: bytes) -> None:
        """Queue one text message that is UTF-8 already, as a message for many clients is."""
        ...

    def send_encoded_block(self, texts: Sequence[bytes]) -> None:
        """Queue several such that count as one."""
        ...

    def ping(self, payload: bytes) -> None:
        """Queue a ping of at most 125 bytes; the answer shows in `pong`."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close after what is queued, with a closing handshake."""
        ...

    @property
    def waiting(self) -> int:
        """Messages not yet handed to the socket."""
        ...

    @property
    def received(self) -> int:
        """What the client has sent so far: messages, pings and pongs."""
        ...

    @property
    def pong(self) -> bytes | None:
        """Payload of its latest pong that answers a ping; None before the first."""
        ...


class ServedVenue(Protocol[S]):
    """A venue without its socket. Pure: every call is told the time, nanoseconds UTC, which never goes back.

    `S` is what the venue keeps of one connection; it is hashable, by identity.
    """

    @property
    def name(self) -> str: ...

    @property
    def statistics(self) -> Mapping[str, Any]:
        """Counts so far, for ``GET /sim/statistics``."""
        ...

    @property
    def market(self) -> VenueMarket:
        """What is traded there."""
        ...

    @property
    def orders(self) -> Mapping[str, object]:
        """What it knows of orders, for ``GET /sim/orders``: lists of rows under ``orders``, ``fills``, ``positions``
        and ``commands``; nothing where there are no orders. Each row of ``orders`` has ``account``, ``venue_order_id``,
        ``filled``, and ``status`` as `OrderStatus` has it.
        """
        ...

    @property
    def own_faults(self) -> Collection[str]:
        """Names of the faults that `fault` knows."""
        ...

    def admit(self, call: HttpCall, now: int) -> HttpAnswer | None:
        """Look at a WebSocket upgrade: None lets it in, an answer refuses it."""
        ...

    def open_session(self, call: HttpCall, outlet: Outlet, now: int) -> S:
        """Let a connection in; `call` is its upgrade, with path, query and headers."""
        ...

    def close_session(self, session: S, now: int) -> None:
        """A connection has ended, however; all it held ends with it."""
        ...

    def lane(self, session: S) -> str:
        """Name what the session is used for, as faults choose it: ``"market"``, ``"orders"`` or ``"commands"``."""
        ...

    def subscriptions(self, session: S) -> Collection[str]:
        """Name what it is subscribed to, in the venue's words."""
        ...

    def receive(self, session: S, message: str | bytes, now: int) -> None:
        """Take one message of a client, whatever it is."""
        ...

    def advance(self, now: int) -> None:
        """Let the market go on until `now`; send what has become due."""
        ...

    def answer(self, call: HttpCall, now: int) -> HttpAnswer:
        """Answer one HTTP request."""
        ...

    def forget_orders(self, now: int) -> None:
        """Begin again with untouched accounts, as after a restart that lost them; its sessions are gone, too."""
        ...

    def heal(self) -> None:
        """Call off all that was still to go wrong."""
        ...

    def fault(self, command: FaultCommand, now: int) -> int:
        """Do one of `own_faults`; give how many connections or streams it hit.

        Raises:
            ConfigError: It can't be done as asked; the message says why.
        """
        ...
