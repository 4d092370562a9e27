"""The dialect of data that are events already: nothing to encode, nothing to decode, and no wire."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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
    Frame,
    HttpRequest,
    LaneSpec,
    Limits,
    Offers,
    Reply,
)
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import Subscription, Subscriptions

__all__ = ["Direct"]

_LIMITS: Final = Limits(connections=1, subscriptions=100_000, unread=0, frame_bytes=0)


class _Still:
    """The cursor of a stream whose events are made already."""

    def reconnected(self) -> None:
        """Nothing is ever lost."""


@attrs.frozen
class Direct:
    """The dialect of a venue that speaks in events."""

    history: Sequence[Bar]
    offers: Offers = attrs.field(default=Offers(streams=frozenset(StreamKind)))

    name = "direct"
    lanes: Mapping[str, LaneSpec] = attrs.field(factory=dict, init=False)
    limits: Limits = attrs.field(
        default=Limits(connections=1, subscriptions=100_000, unread=0, frame_bytes=0), init=False
    )

    commands = None
    acknowledges = True

    def lane(self, stream: Stream) -> str:
        return "market"

    def key(self, stream: Stream) -> None:
        """Events carry guids."""

    def upgrade_headers(self, lane: str, *, token: str) -> Mapping[str, str]:
        return {}

    def login(self, lane: str, *, guid: str, token: str) -> Frame | None:
        return None

    def login_reply(self, frame: Frame, guid: str) -> Reply | None:
        return None

    def beat(self, now: int) -> Frame:
        raise LocalProtocolError("a simulation has no wire")

    def cursor(self, guid: str, stream: Stream) -> Cursor:
        return _Still()

    def subscribe(self, new: Sequence[Subscription], held: Collection[Subscription], *, token: str) -> Sequence[Frame]:
        raise LocalProtocolError("a simulation has no wire")

    def unsubscribe(
        self, old: Sequence[Subscription], held: Collection[Subscription], *, token: str
    ) -> Sequence[Frame]:
        raise LocalProtocolError("a simulation has no wire")

    def decode(self, frame: Frame, table: Subscriptions, *, connection: str, receive_time: int) -> Sequence[Decoded]:
        raise LocalProtocolError("a simulation has no frames")

    def command(self, command: object) -> Frame:
        raise LocalProtocolError("a simulation has no wire")

    def http_headers(self, *, token: str) -> Mapping[str, str]:
        return {}

    def request(self, ask: Ask) -> HttpRequest:
        raise LocalProtocolError("a simulation has no HTTP")

    def decode_answer(self, ask: Ask, body: bytes, *, receive_time: int) -> Sequence[Event | Instrument]:
        if isinstance(ask, AskBars):
            return [bar for bar in self.history if bar.instrument == ask.instrument and bar.interval == ask.interval]
        return []

    def classify(self, code: int) -> ErrorClass:
        return ErrorClass.STOP
