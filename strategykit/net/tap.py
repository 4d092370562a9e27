"""Where plain messages leave the byte stream before trio-websocket sees them: the quick way for busy wires.

The library takes some 20 µs a message, most of it for a parser that knows all of RFC 6455 and for handing each message
from task to task. Nearly all that a venue sends is of one simple form: a text, whole in one frame, unmasked. Such
messages are cut out of the stream here, many at a time. All else goes to the library, in its order: the upgrade, pings
and pongs one by one; and at the first frame that isn't of the simple form, that frame and everything after it.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from typing import Final

import trio
import trio.abc

from strategykit.errors import ConnectionLost

__all__ = ["MAX_OPENING", "Sieve", "Tap"]

MAX_OPENING: Final = 256 * 1024
"""Bytes that a venue may send until the upgrade is through; header fields and a page that explains a refusal."""

_CROWDED: Final = 256
"""Messages that may wait to be taken before no more is read from the stream."""

_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")
_UPGRADED: Final = b"HTTP/1.1 101"
_UTF8: Final = codecs.getincrementaldecoder("utf-8")

# First bytes of frames that are whole (RFC 6455, section 5.2).
_TEXT: Final = 0x81
_MESSAGES: Final = frozenset({_TEXT, 0x82})
_PINGS: Final = frozenset({0x89, 0x8A})
"""And pongs."""


class Sieve:
    """Parts a venue's bytes into simple messages and the rest. Pure.

    Args:
        frame_bytes: A frame with more is left to the library, which refuses it.

    Attributes:
        messages: Those cut out and not taken yet.
        off: Whether everything goes to the library from now on.
    """

    def __init__(self, frame_bytes: int) -> None:
        self.messages: deque[str | bytes] = deque()
        self.off = False
        self._limit = frame_bytes
        self._head: bytearray | None = bytearray()
        """The answer to the upgrade as far as it has come; None once it is through."""
        self._begun = bytearray()
        """A frame that hasn't come whole."""
        self._needed = 0
        """Bytes of it without which looking at it again is no use: it may come a byte at a time."""
        self._text: codecs.IncrementalDecoder | None = None
        """Of the payload of a text that hasn't come whole: like the library, we wait for no end of what is none."""

    def feed(self, data: bytes | bytearray) -> bytes | bytearray:
        """Take what the stream brought; give what the library is to get of it, if anything."""
        if self.off:
            return data
        if self._head is None:
            return self._part(data)
        head = self._head
        before = len(head)
        head += data
        end = _BLANK_LINE.search(head, max(0, before - 3))
        if end is None:
            return data
        self._head = None
        if end.group() != b"\r\n\r\n" or not head.startswith(_UPGRADED):
            self.off = True
            return data
        cut = end.end() - before
        return bytes(data[:cut]) + self._part(data[cut:])

    def _part(self, data: bytes | bytearray) -> bytes:
        begun = self._begun
        if begun:
            begun += data
            if len(begun) < self._needed and self._may_be_text(data):
                return b""
            incomplete, data = len(begun) < self._needed, bytes(begun)
            begun.clear()
            self._text = None
            if incomplete:
                return self._leave(bytearray(), data, 0)
        messages, limit = self.messages, self._limit
        passed = bytearray()
        at, end, needed = 0, len(data), 2
        while end - at >= 2:
            kind, size = data[at], data[at + 1]
            begin = at + 2
            if kind in _MESSAGES:
                if size > 125:
                    width = 2 if size == 126 else 8
                    if begin + width > end and size < 128:
                        needed = 2 + width
                        break
                    begin += width
                    size = _long_size(data, at, width) if size < 128 else -1
                stop = begin + size
                if not 0 <= size <= limit:
                    return self._leave(passed, data, at)
                if stop > end:
                    needed = stop - at
                    self._text = _UTF8() if kind == _TEXT else None
                    if not self._may_be_text(data[begin:]):
                        return self._leave(passed, data, at)
                    break
                if kind == _TEXT:
                    try:
                        messages.append(data[begin:stop].decode())
                    except UnicodeDecodeError:
                        return self._leave(passed, data, at)
                else:
                    messages.append(bytes(data[begin:stop]))
            elif kind in _PINGS and size < 126:
                stop = begin + size
                if stop > end:
                    needed = stop - at
                    break
                passed += data[at:stop]
            else:
                return self._leave(passed, data, at)
            at = stop
        if at < end:
            begun += data[at:]
            self._needed = needed
        return bytes(passed)

    def _may_be_text(self, more: bytes | bytearray) -> bool:
        try:
            if self._text is not None:
                self._text.decode(more)
        except UnicodeDecodeError:
            return False
        return True

    def _leave(self, passed: bytearray, data: bytes | bytearray, at: int) -> bytes:
        self.off = True
        passed += data[at:]
        return bytes(passed)


def _long_size(data: bytes | bytearray, at: int, width: int) -> int:
    """Read a length of 2 or 8 bytes; -1 if it isn't written in the shortest form, which is an error."""
    size = int.from_bytes(data[at + 2 : at + 2 + width], "big")
    return size if size >= (126 if width == 2 else 65_536) else -1


class Tap(trio.abc.Stream):
    """The stream under trio-websocket. It also gives up if the venue talks on and on before the upgrade is through.

    Args:
        stream: Connected, encrypted if need be.
        frame_bytes: See `Sieve`.
    """

    def __init__(self, stream: trio.abc.Stream, frame_bytes: int) -> None:
        self._stream = stream
        self._sieve = Sieve(frame_bytes)
        self._allowed: float = MAX_OPENING
        self._news = trio.lowlevel.ParkingLot()
        self._room = trio.lowlevel.ParkingLot()
        self._ended = False

    def opened(self) -> None:
        """Lift the limit of the opening."""
        self._allowed = float("inf")

    def end(self) -> None:
        """No more messages come this way: the library says what has happened."""
        self._ended = True
        self._news.unpark_all()

    def discard(self) -> None:
        """We are closing: nobody takes messages any more, and those to come mustn't hold up the answer to our close."""
        self._sieve.messages = deque(maxlen=0)
        self._room.unpark_all()

    async def next(self) -> str | bytes | None:
        """Give the next message; None if the library has it, or knows why there is none.

        While messages are at hand this is no checkpoint.
        """
        sieve = self._sieve
        while not sieve.messages:
            if self._ended or sieve.off:
                return None
            await self._news.park()
        message = sieve.messages.popleft()
        if not sieve.messages:
            self._room.unpark_all()
        return message

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Give the library what is for it."""
        sieve = self._sieve
        while True:
            while len(sieve.messages) > _CROWDED:
                await self._room.park()
            data = await self._stream.receive_some(max_bytes)
            self._allowed -= len(data)
            if self._allowed < 0:
                raise ConnectionLost(f"sent more than {MAX_OPENING} bytes without answering the upgrade")
            passed = sieve.feed(data)
            if sieve.messages or sieve.off:
                self._news.unpark_all()
            if passed or not data:
                return passed

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()
