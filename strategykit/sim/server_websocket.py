"""The server's end of one WebSocket: a bounded queue outward, a callback inward, control frames in between.

It stands on wsproto's connection, not on trio-websocket's: a server that breaks wires on purpose must be able to close
while pings are under way, write many frames at a time, and send bytes that no library would send.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import trio
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.utilities import LocalProtocolError

from strategykit.sim.server_wire import ByteWire

__all__ = ["WebSocketPeer", "binary_frame", "text_frame"]

_BATCH: Final = 131_072
"""Bytes handed to the socket at a time: few system calls, and a stall or reset bites soon."""

_HARD_LIMIT: Final = 8
"""Times the unread limit: where a burst between two checks is cut off, to bound memory."""


def text_frame(payload: bytes) -> bytes:
    """Wrap a text in a frame as servers send it: whole and unmasked."""
    return _frame(0x81, payload)


def binary_frame(payload: bytes) -> bytes:
    """Wrap a binary message in a frame, likewise."""
    return _frame(0x82, payload)


def _frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65_536:
        return bytes((first, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload


class WebSocketPeer:
    """One client that has been let in.

    Args:
        wire: Its connection, after the 101.
        unread: Messages that may wait for it; `check_unread` hangs up beyond.
        max_message: Bytes of the largest message taken from it.
        close_within: Seconds for a closing handshake; a client that takes longer is reset.
    """

    def __init__(self, wire: ByteWire, *, unread: int, max_message: int, close_within: float = 2.0) -> None:
        self.wire = wire
        self.sent = 0
        """Messages handed to the socket."""
        self.received = 0
        """Messages taken from it."""
        self.controls = 0
        """Pings and pongs taken from it."""
        self.pong: bytes | None = None
        """Payload of its latest pong that answers a ping; some clients send an empty one beside each."""
        self._pings: dict[bytes, None] = {}
        self.ending = ""
        """Why it is being closed; empty while it isn't."""
        self._unread = unread
        self._max_message = max_message
        self._close_within = close_within
        self._protocol = Connection(ConnectionType.SERVER)
        self._waiting: deque[bytes] = deque()
        self._more = trio.Event()
        self._scope = trio.CancelScope()
        self._parts: list[str | bytes] = []
        self._size = 0

    @property
    def waiting(self) -> int:
        """Messages not yet handed to the socket."""
        return len(self._waiting)

    def send_nowait(self, payload: bytes) -> None:
        """Queue one text message."""
        self.send_raw_nowait(text_frame(payload))

    def send_block_nowait(self, payloads: Sequence[bytes]) -> None:
        """Queue several text messages that count as one: replayed history mustn't fill a fresh client's buffer."""
        if payloads:
            self.send_raw_nowait(b"".join(map(text_frame, payloads)))

    def send_raw_nowait(self, frame: bytes) -> None:
        """Queue bytes as they are, well-formed or not."""
        if self.ending or self.wire.muted:
            return
        self._waiting.append(frame)
        self._more.set()
        if len(self._waiting) > self._unread * _HARD_LIMIT:
            self._overflow()

    def ping_nowait(self, payload: bytes) -> None:
        """Queue a ping, ahead of messages; `pong` shows the answer."""
        if not self.ending and not self.wire.muted:
            self._pings[payload] = None
            self._send_control(self._protocol.send(Ping(payload)))

    def check_unread(self) -> None:
        """Hang up if too much waits. Call it between bursts, when the writer has had its turn."""
        if len(self._waiting) > self._unread and not self.ending:
            self._overflow()

    def close_nowait(self, code: int, reason: str) -> None:
        """Begin the closing handshake, after what is queued; a peer that doesn't play along is reset."""
        if not self.ending:
            self._end(code, reason)

    def reset(self) -> None:
        """Cut the wire with RST."""
        self.ending = self.ending or "reset"
        self.wire.reset()
        self._scope.cancel()

    async def run(self, on_message: Callable[[str | bytes], None], *, first: bytes = b"") -> None:
        """Carry messages until either side has closed; then the wire is closed too.

        Args:
            on_message: Called with each whole message; it may queue answers.
            first: Bytes that came along with the upgrade request.
        """
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write)
                    await self._read(on_message, first)
                    self._more.set()
            if self._scope.cancelled_caught:
                self.wire.reset()
        finally:
            await self.wire.aclose()

    async def _read(self, on_message: Callable[[str | bytes], None], first: bytes) -> None:
        data = first or await self.wire.receive_some()
        while data:
            self._protocol.receive_data(data)
            for event in self._protocol.events():
                if isinstance(event, TextMessage | BytesMessage):
                    message = self._gather(event)
                    if message is not None and not self.ending:
                        self.received += 1
                        on_message(message)
                elif isinstance(event, Ping):
                    self._answer_ping(event)
                elif isinstance(event, Pong):
                    self._on_pong(event)
                elif isinstance(event, CloseConnection):
                    self._on_close(event)
            if self._protocol.state is ConnectionState.CLOSED:
                break  # Both have said goodbye; what follows a close frame is nobody's.
            data = await self.wire.receive_some()
        self.ending = self.ending or "the peer hung up"
        self._scope.deadline = min(self._scope.deadline, trio.current_time() + self._close_within)

    def _gather(self, event: TextMessage | BytesMessage) -> str | bytes | None:
        """Collect the parts of one message; None until it is whole, and for one that is too long."""
        if self.ending:
            return None
        self._size += len(event.data)
        if self._size > self._max_message:
            self._parts.clear()
            self._end(1009, f"a message over {self._max_message} bytes")
            return None
        if event.data:  # A million empty fragments must cost nothing.
            self._parts.append(bytes(event.data) if isinstance(event, BytesMessage) else event.data)
        if not event.message_finished:
            return None
        parts, self._parts, self._size = self._parts, [], 0
        if isinstance(event, BytesMessage):
            return b"".join(part for part in parts if isinstance(part, bytes))
        return "".join(part for part in parts if isinstance(part, str))

    def _answer_ping(self, event: Ping) -> None:
        self.controls += 1
        if not self.ending:
            self._send_control(self._protocol.send(event.response()))

    def _on_pong(self, event: Pong) -> None:
        self.controls += 1
        payload = bytes(event.payload)
        if payload in self._pings:
            self.pong = payload
            while next(iter(self._pings)) != payload:  # Those before it are answered by it, too.
                del self._pings[next(iter(self._pings))]
            del self._pings[payload]

    def _send_control(self, frame: bytes) -> None:
        # They go first: a client that is slow with its data isn't dead.
        self._waiting.appendleft(frame)
        self.sent -= 1  # It travels with the messages, but isn't one.
        self._more.set()

    def _on_close(self, event: CloseConnection) -> None:
        """The peer closes, answers our close, or broke the protocol (wsproto then names the code to close with)."""
        if self._protocol.state is ConnectionState.CLOSED:
            self._scope.cancel()
            return
        code = event.code if event.code not in (1005, 1006, 1015) else 1000
        self._end(
            code, "the peer closed" if self._protocol.state is ConnectionState.REMOTE_CLOSING else str(event.reason)
        )

    def _overflow(self) -> None:
        self._waiting.clear()
        self._end(1008, f"more than {self._unread} unread messages")

    def _end(self, code: int, reason: str) -> None:
        try:
            frame = self._protocol.send(CloseConnection(code=code, reason=reason[:120]))
        except LocalProtocolError:
            frame = b""  # A close frame has gone out before.
        self.ending = reason
        self._waiting.append(frame)
        self._scope.deadline = trio.current_time() + self._close_within
        self._more.set()

    async def _write(self) -> None:
        waiting = self._waiting
        try:
            while True:
                while waiting:
                    batch, size = [], 0
                    while waiting and size < _BATCH:
                        batch.append(waiting.popleft())
                        size += len(batch[-1])
                    await self.wire.send_all(b"".join(batch))
                    self.sent += len(batch)
                if self.ending:
                    break
                self._more = trio.Event()
                await self._more.wait()
            await self.wire.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.ending = self.ending or "the wire broke"
            self._scope.cancel()
