"""One channel on the clients' side: who listens, what came last, and what a slow client gets in place of all of it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from strategykit.relay.channels import Word, read_channel
from strategykit.relay.wording import Hole, mark, prefix
from strategykit.sim.server_websocket import text_frame

if TYPE_CHECKING:
    from strategykit.relay.client import Client

__all__ = ["Message", "Route"]

_REMEMBERED: Final = 1_000
"""Changes of a book that one message can sum up for a slow client; one that missed more gets a hole."""

_CLOSED: Final = b'"X":true}'


class _Depth(msgspec.Struct):
    e: str
    E: int
    s: str
    a: list[tuple[str, str]]
    b: list[tuple[str, str]]
    U: int
    u: int
    T: int


class _Changes(msgspec.Struct):
    data: _Depth
    gap: Hole | None = None


_DECODE: Final = msgspec.json.Decoder(_Changes).decode
_ENCODE: Final = msgspec.json.Encoder().encode


class Message:
    """One message on its way to all clients of a channel, encoded once."""

    __slots__ = ("frame", "kept", "marked", "number")

    def __init__(self, frame: bytes, number: int, *, kept: bool, marked: bool) -> None:
        self.frame = frame
        self.number = number
        """Counted on this route."""
        self.kept = kept
        """Whether no client may miss it; of others, the latest will do."""
        self.marked = marked
        """Whether it tells a hole."""


class Route:
    """One channel and its clients.

    Args:
        name: The channel's; one that `read_channel` knows.
    """

    def __init__(self, name: str) -> None:
        channel = read_channel(name)
        assert channel is not None
        self.name = name
        self.word = channel.word
        self.clients: dict[Client, None] = {}
        """In the order in which they came."""
        self.delivered = 0
        self._prefix = prefix(name)
        self._latest = b""
        self._latest_frame = b""
        self._changes: deque[bytes] = deque(maxlen=_REMEMBERED)
        self._hole: Hole | None = None
        self._summed: tuple[int, int, bytes] = (0, 0, b"")

    def missed(self, hole: Hole) -> None:
        """Have the next message tell a hole."""
        self._hole = self._hole or hole

    def take(self, message: bytes) -> Message | None:
        """Take what came for this channel; None if it can't be one of its messages."""
        if not message.startswith(self._prefix) or not message.endswith(b"}"):
            return None
        if self._hole is not None:
            message, self._hole = mark(message, self.name, self._hole), None
        self.delivered += 1
        self._latest, self._latest_frame = message, text_frame(message)
        if self.word is Word.DEPTH:
            self._changes.append(message)
        return Message(
            self._latest_frame,
            self.delivered,
            kept=self.word is Word.TRADE or (self.word is Word.BARS and _CLOSED in message),
            marked=message.startswith(b'"gap"', len(self._prefix)),
        )

    @property
    def greeting(self) -> bytes | None:
        """Give the frame that shows a new client how things are; None where that isn't for a message to say."""
        return self._latest_frame if self._latest and self.word not in (Word.TRADE, Word.DEPTH) else None

    def catch_up(self, first: int, *, marked: bool) -> bytes:
        """Give one frame in place of all messages from the `first` one on; `marked` if one of them told a hole."""
        if self.word is Word.DEPTH:
            if self._summed[:2] != (first, self.delivered):
                self._summed = (first, self.delivered, self._sum(first))
            return self._summed[2]
        hole = Hole("told in a message that was left out")
        return text_frame(mark(self._latest, self.name, hole)) if marked else self._latest_frame

    def _sum(self, first: int) -> bytes:
        count = self.delivered - first + 1
        if count > len(self._changes):
            return self._latest_frame  # Its number shows the hole.
        try:
            parts = [_DECODE(part) for part in list(self._changes)[-count:]]
        except msgspec.MsgspecError:
            return self._latest_frame  # Somebody else's words, on a shared bus.
        newest = parts[-1].data
        asks: dict[str, str] = {}
        bids: dict[str, str] = {}
        for part in parts:
            asks.update(part.data.a)
            bids.update(part.data.b)
        newest.a, newest.b, newest.U = list(asks.items()), list(bids.items()), parts[0].data.U
        message = b"".join((self._prefix, b'"data":', _ENCODE(newest), b"}"))
        hole = next((part.gap for part in parts if part.gap is not None), None)
        return text_frame(message if hole is None else mark(message, self.name, hole))
