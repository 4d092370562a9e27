"""A network in memory: listeners by port, connections, and what can be done to all of them."""

from __future__ import annotations

import errno
import math
import random
import socket
import ssl
from collections import deque
from collections.abc import Iterable
from itertools import count
from types import TracebackType
from typing import Any, Final, Literal, cast

import attrs
import httpcore
import httpx
import trio
import trio.abc

from strategykit.net.network import Network
from strategykit.testing.sockets import Connection, MemorySocket

__all__ = ["MemoryNetwork", "Refusal"]

Refusal = Literal["refused", "unreachable", "name", "silent"]
"""What can happen instead of a connection: somebody says no, nothing at all is answered, the host's name isn't known,
or a connection is accepted by nobody who could ever answer."""

_FIRST_PORT: Final = 8900
_SYN_WITHIN: Final = 30.0
"""Seconds until an operating system gives a host up that doesn't answer at all."""


class _Listener(trio.abc.Listener[MemorySocket]):
    """Where connections to a port are accepted."""

    def __init__(self, port: int, network: MemoryNetwork) -> None:
        self.port = port
        self.socket = self
        self._network = network
        self.ring, self._calls = trio.open_memory_channel[MemorySocket](1_000)

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    async def accept(self) -> MemorySocket:
        return await self._calls.receive()

    async def aclose(self) -> None:
        self._network.stop_listening(self)
        self.ring.close()
        self._calls.close()
        await trio.lowlevel.checkpoint()


class MemoryNetwork:
    """Connects clients and servers of one process, in whatever time its clock has.

    Args:
        rng: Of latencies.
        latency: Seconds that a piece takes at the least and at the most.

    Attributes:
        connections: Open at one end at least, oldest first.
        opened: How many there have been.
        refuse_until: Until then nobody gets through.
        refusal: What happens meanwhile.
        cuts: For each of the next connections: in which direction it breaks, and after how many bytes.
    """

    def __init__(self, rng: random.Random, *, latency: tuple[float, float] = (0.0002, 0.002)) -> None:
        self.connections: dict[Connection, None] = {}
        self.opened = 0
        self.refuse_until = 0.0
        self.refusal: Refusal = "refused"
        self.cuts: deque[tuple[str, int]] = deque()
        self._rng = rng
        self._latency = latency
        self._listeners: dict[int, _Listener] = {}

    # The doors

    def client(self) -> Network:
        """Give what a run's connections are made by."""
        return Network(
            connect=self._connect,
            transport=lambda: _Transport(self),
            tls=lambda _: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),  # Without certificates, which take long to read.
        )

    async def listen(self, port: int, host: str) -> list[trio.SocketListener]:  # noqa: ARG002 - there is one host
        """Listen on a port; 0: any free one."""
        await trio.lowlevel.checkpoint()
        port = port or next(free for free in count(_FIRST_PORT) if free not in self._listeners)
        listener = self._listeners[port] = _Listener(port, self)
        return [cast("trio.SocketListener", listener)]  # As much of one as servers use.

    def stop_listening(self, listener: _Listener) -> None:
        """Let nobody in there any more."""
        if self._listeners.get(listener.port) is listener:
            del self._listeners[listener.port]

    async def connect(self, port: int) -> MemorySocket:
        """Open a connection to a port.

        Raises:
            OSError: Nobody listens there, or the network lets nobody through.
        """
        await trio.sleep(self._delay())
        if trio.current_time() < self.refuse_until and self.refusal != "silent":
            await self._fail()
        listener = self._listeners.get(port)
        if listener is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        self.opened += 1
        connection = Connection(self.opened, port, latency=self._delay, forget=self._forget)
        self.connections[connection] = None
        if self.cuts:
            direction, size = self.cuts.popleft()
            connection.way("down" if direction == "down" else "up").cut_at = size
        if trio.current_time() < self.refuse_until:
            connection.server.socket.close()
            for way in connection.ways:
                way.stall(math.inf)
        else:
            listener.ring.send_nowait(connection.server)
        return connection.client

    # What is done to it

    def chosen(self, where: str, pick: int | None = None) -> list[Connection]:
        """Give connections.

        Args:
            where: ``"all"``, ``"http"`` (calls), ``"ws"`` (WebSockets), or how the path of its request begins.
            pick: The one of them that this number falls on; None: all.
        """
        found = [connection for connection in self.connections if _is(connection, where)]
        return found if pick is None or not found else [found[pick % len(found)]]

    def heal(self) -> None:
        """Undo what was done, as far as connections can go on."""
        self.refuse_until = 0.0
        self.cuts.clear()
        for connection in self.connections:
            for way in connection.ways:
                way.heal()

    def reset(self) -> None:
        """Break every connection, whatever had been done to it before, and let everybody know."""
        self.heal()
        for connection in list(self.connections):
            connection.reset()

    @property
    def open_clients(self) -> int:
        """How many ends of clients are open."""
        return sum(not connection.client.closed for connection in self.connections)

    async def _connect(self, host: str, port: int) -> trio.SocketStream:  # noqa: ARG002 - there is one host
        return cast("trio.SocketStream", await self.connect(port))

    async def _fail(self) -> None:
        if self.refusal == "name":
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        if self.refusal == "unreachable":
            await trio.sleep(_SYN_WITHIN)
            raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")
        raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")

    def _delay(self) -> float:
        return self._rng.uniform(*self._latency)

    def _forget(self, connection: Connection) -> None:
        self.connections.pop(connection, None)


def _is(connection: Connection, where: str) -> bool:
    match where:
        case "all":
            return True
        case "http":
            return not connection.upgraded
        case "ws":
            return connection.upgraded
        case _:
            return connection.path.startswith(where)


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's own, on other streams. Closed, it can be used again."""

    def __init__(self, network: MemoryNetwork) -> None:
        # Not the base's: that reads certificates, which takes longer than all the calls of a run.
        self._backend = _Backend(network)
        self._pool = self._make()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await super().__aexit__(exc_type, exc_value, traceback)
        self._pool = self._make()

    def _make(self) -> httpcore.AsyncConnectionPool:
        # Connections that are kept expire by real time, if at all: the same schedule would go another way.
        return httpcore.AsyncConnectionPool(
            max_connections=8, max_keepalive_connections=4, keepalive_expiry=None, network_backend=self._backend
        )


@attrs.frozen
class _Backend(httpcore.AsyncNetworkBackend):
    network: MemoryNetwork

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - there is one host
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - httpcore's signature; the program sets none
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        try:
            return _Stream(await self.network.connect(port))
        except OSError as exc:
            raise httpcore.ConnectError(str(exc)) from exc


@attrs.frozen
class _Stream(httpcore.AsyncNetworkStream):
    socket: MemorySocket

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - as above
        try:
            return await self.socket.receive_some(max_bytes)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
            raise httpcore.ReadError(str(exc)) from exc

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - as above
        try:
            if buffer:
                await self.socket.send_all(buffer)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
            raise httpcore.WriteError(str(exc)) from exc

    async def aclose(self) -> None:
        await self.socket.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self.socket.readable if info == "is_readable" else None
