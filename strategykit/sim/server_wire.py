"""One accepted TCP connection, and what can be done to it on purpose: stalled, muted, reset."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Final, Protocol

import trio

__all__ = ["ByteWire", "Wire"]

_CHUNK: Final = 65_536
"""Bytes a read. Requests are small; this only bounds what one client can bring in at once."""

_SEND_BUFFER: Final = 262_144
"""Bytes that the kernel may hold for a client that doesn't read; what is more than that counts as unread here."""

_ABORT: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, 0 seconds: closing then sends RST instead of FIN."""


class ByteWire(Protocol):
    """What HTTP and WebSockets are served on."""

    muted: bool
    """True: nothing is ever sent."""

    async def receive_some(self) -> bytes:
        """Give the next bytes; ``b""`` when the peer has gone, however it went."""
        ...

    async def send_all(self, data: bytes) -> None:
        """Send.

        Raises:
            trio.BrokenResourceError: The peer has gone.
            trio.ClosedResourceError: This end was closed or reset.
        """
        ...

    async def send_eof(self) -> None:
        """Tell the peer that no more will come, where that can be told."""
        ...

    def reset(self) -> None:
        """Close at once; whoever reads or sends finds the wire closed."""
        ...

    async def aclose(self) -> None:
        """Close. Doesn't block."""
        ...


class Wire:
    """A byte stream under faults. One task reads; several may send, whole pieces, in turn."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.muted = False
        """True: what arrives vanishes and nothing is ever sent, as if the peer's host had gone."""
        self._stream = stream
        self._sending = trio.Lock()
        self._goes_on = 0.0
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)

    async def receive_some(self) -> bytes:
        """Give the next bytes; ``b""`` when the peer has gone, however it went."""
        while True:
            await self._pass_stall()
            try:
                data = await self._stream.receive_some(_CHUNK)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return b""
            await self._pass_stall()  # The stall may have begun while we waited for the bytes.
            if self.muted and data:
                continue
            return bytes(data)

    async def send_all(self, data: bytes) -> None:
        """Send, unless muted.

        Raises:
            trio.BrokenResourceError: The peer has gone.
            trio.ClosedResourceError: This end was closed or reset.
        """
        async with self._sending:
            await self._pass_stall()
            if not self.muted:
                await self._stream.send_all(data)

    async def send_eof(self) -> None:
        """Tell the peer that no more will come; a peer that has gone already is no matter."""
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
            await self._stream.send_eof()

    def stall(self, seconds: float) -> None:
        """Neither read nor write for a while; the connection stays."""
        self._goes_on = max(self._goes_on, trio.current_time() + seconds)

    def reset(self) -> None:
        """Close with RST, at once; whoever reads or sends finds the wire closed."""
        try:
            self._stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        except (OSError, trio.ClosedResourceError):
            return  # It is closed already, or the peer has reset it.
        self._stream.socket.close()

    async def aclose(self) -> None:
        """Close with FIN. Doesn't block."""
        await self._stream.aclose()

    async def _pass_stall(self) -> None:
        while trio.current_time() < self._goes_on:  # noqa: ASYNC110 - the moment is known, and may move on meanwhile
            await trio.sleep_until(self._goes_on)
