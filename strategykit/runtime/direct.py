"""The dialect of data that are events already: nothing to encode, nothing to decode, and no wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from strategykit.errors import LocalProtocolError
from strategykit.model.events import Bar, Event
from strategykit.model.instruments import Instrument
from strategykit.venues.dialect import (
    Ask,
    AskBars,
    Cursor,
    Decoded,
    ErrorClass,
    HttpRequest,
    LaneSpec,
    Limits,
    Reply,
)
from strategykit.venues.streams import Stream
from strategykit.venues.subscriptions import Subscriptions

__all__ = ["Direct"]

_LIMITS: Final = Limits(connections=1, subscriptions=100_000, unread=0, frame_bytes=0)


class _Still:
    """The cursor of a stream whose events are made already."""

    def decode(self, frame: str | bytes, receive_time: int) -> Sequence[Event]:
        raise LocalProtocolError("a simulation has no frames")

    def reconnected(self) -> None:
        """Nothing is ever lost."""


@attrs.frozen
class Direct:
    """The dialect of a venue that speaks in events."""

    history: Sequence[Bar]

    name = "direct"
    lanes: Mapping[str, LaneSpec] = attrs.field(factory=dict, init=False)
    limits: Limits = attrs.field(
        default=Limits(connections=1, subscriptions=100_000, unread=0, frame_bytes=0), init=False
    )

    def login(self, lane: str, *, guid: str, token: str) -> str | None:
        return None

    def subscribe(self, guid: str, stream: Stream, cursor: Cursor, *, token: str) -> str:
        raise LocalProtocolError("a simulation has no wire")

    def unsubscribe(self, guid: str, *, token: str) -> str:
        raise LocalProtocolError("a simulation has no wire")

    def command(self, command: object) -> str:
        raise LocalProtocolError("a simulation has no wire")

    def cursor(self, guid: str, stream: Stream) -> Cursor:
        return _Still()

    def decode(self, frame: str | bytes, table: Subscriptions, *, receive_time: int) -> Sequence[Decoded]:
        raise LocalProtocolError("a simulation has no frames")

    def decode_reply(self, frame: str | bytes) -> Reply | None:
        return None

    def request(self, ask: Ask) -> HttpRequest:
        raise LocalProtocolError("a simulation has no HTTP")

    def decode_answer(self, ask: Ask, body: bytes, *, receive_time: int) -> Sequence[Event | Instrument]:
        if isinstance(ask, AskBars):
            return [bar for bar in self.history if bar.instrument == ask.instrument and bar.interval == ask.interval]
        return []

    def classify(self, code: int) -> ErrorClass:
        return ErrorClass.STOP
