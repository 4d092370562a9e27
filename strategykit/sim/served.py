"""What a simulated venue is to the server that puts it on a socket: sessions, messages, HTTP calls, time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from strategykit.sim.faults import FaultCommand
from strategykit.sim.http_calls import HttpAnswer, HttpCall

__all__ = ["Outlet", "ServedVenue"]

S = TypeVar("S")


class Outlet(Protocol):
    """One client's way out. Nothing here waits; what can't leave yet is queued, and its queue is bounded."""

    def send(self, message: str | bytes) -> None:
        """Queue one message: a text, or bytes for a binary one."""
        ...

    def send_block(self, messages: Sequence[str | bytes]) -> None:
        """Queue several that count as one: a snapshot mustn't fill a fresh client's buffer."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close after what is queued, with a closing handshake."""
        ...

    @property
    def waiting(self) -> int:
        """Messages not yet handed to the socket."""
        ...


class ServedVenue(Protocol[S]):
    """A venue without its socket. Pure: every call is told the time, nanoseconds UTC, which never goes back.

    `S` is what the venue keeps of one connection.
    """

    @property
    def name(self) -> str: ...

    @property
    def statistics(self) -> Mapping[str, Any]:
        """Counts so far, for ``GET /sim/statistics``."""
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

    def receive(self, session: S, message: str | bytes, now: int) -> None:
        """Take one message of a client, whatever it is."""
        ...

    def advance(self, now: int) -> None:
        """Let the market go on until `now`; send what has become due."""
        ...

    def answer(self, call: HttpCall, now: int) -> HttpAnswer:
        """Answer one HTTP request."""
        ...

    def fault(self, command: FaultCommand, now: int) -> int | None:
        """Do a fault that only this venue has; give how many it hit, None if it has no such fault.

        Raises:
            ConfigError: It can't be done as asked; the message says why.
        """
        ...
