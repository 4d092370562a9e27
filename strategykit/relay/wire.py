"""A client's byte stream: a socket, TLS on one, or memory."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from typing import Final

import trio

__all__ = ["ClientWire"]

_CHUNK: Final = 8_192
"""Bytes a read: what a client that floods can have looked at before others get their turn."""

_SEND_BUFFER: Final = 131_072
"""Bytes that the kernel may hold for one client."""

_ABORT: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, 0 seconds: closing then sends RST instead of FIN."""


class ClientWire:
    """One accepted connection. One task reads, one sends.

    Args:
        stream: What bytes go over.
        plain: The same, if they go as they are: then they can be handed to the kernel without waiting.
    """

    def __init__(self, stream: trio.abc.Stream, plain: trio.SocketStream | None = None) -> None:
        self.muted = False
        self._stream = stream
        self._socket = None if plain is None else plain.socket
        if plain is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)

    async def receive_some(self) -> bytes:
        """Give the next bytes; ``b""`` when the peer has gone, however it went."""
        try:
            return bytes(await self._stream.receive_some(_CHUNK))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return b""

    def send_nowait(self, data: bytes) -> int:
        """Hand over what the kernel takes at once; give how many bytes that were. Not while `send_all` waits."""
        if self._socket is None:
            return 0
        try:
            return os.write(self._socket.fileno(), data)
        except OSError:  # Full, or gone: `send_all` finds out which.
            return 0

    async def send_all(self, data: bytes) -> None:
        await self._stream.send_all(data)

    async def send_eof(self) -> None:
        if isinstance(self._stream, trio.abc.HalfCloseableStream):
            with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
                await self._stream.send_eof()

    def reset(self) -> None:
        """Close at once; whoever reads or sends finds the wire closed."""
        if self._socket is not None:
            with contextlib.suppress(OSError):  # It is closed already, or the peer has reset it.
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
                self._socket.close()

    async def aclose(self) -> None:
        await trio.aclose_forcefully(self._stream)
