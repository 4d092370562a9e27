"""What a relay of this project speaks: Backpack's words, and three things more.

It asks for a token; it tells holes in what it knows by a member ``gap`` in the envelope of the next message, on any
stream; and it tells all that is known of an instrument, since it stands before venues of every kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import cattrs
import msgspec

from strategykit.errors import ConfigError
from strategykit.model.codec import make_converter
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.venues.dialect import Ask, AskInstrument, AskInstruments, Decoded, Frame
from strategykit.venues.listed import read_listed
from strategykit.venues.stream.dialect import StreamFamily
from strategykit.venues.stream.rows import UNREADABLE, unreadable
from strategykit.venues.stream.variants import VARIANTS, Variant
from strategykit.venues.subscriptions import LIVE, Subscriptions

__all__ = ["RELAYED", "Relayed"]

RELAYED: Final[Variant] = attrs.evolve(
    VARIANTS["backpack"],
    rules=attrs.evolve(VARIANTS["backpack"].rules, name="relay"),
    ws="",
    http="",
    odd='"\\',  # T4's markets are called as "CME_Eq/ES/XCME_Eq ES (Z26)".
)

_BEGINNING: Final = '{"stream":"'
_GAP: Final = '","gap":'


class _Hole(msgspec.Struct):
    reason: str


class _Marked(msgspec.Struct):
    stream: str
    gap: _Hole


class _Described(msgspec.Struct):
    instrument: dict[str, Any] | None = None


_MARKED: Final = msgspec.json.Decoder(_Marked)
_DESCRIBED: Final = msgspec.json.Decoder(_Described)
_LISTED: Final = msgspec.json.Decoder(list[_Described])
_CONVERTER: Final = make_converter()


def _authorised(token: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _structured(described: dict[str, Any]) -> Instrument:
    try:
        return _CONVERTER.structure(described, Instrument)
    except (*UNREADABLE, cattrs.BaseValidationError, ConfigError) as exc:
        raise unreadable(msgspec.json.encode(described), exc) from exc


@attrs.frozen
class Relayed(StreamFamily):
    """A relay's language, client side; its variant is `RELAYED`."""

    def upgrade_headers(self, _: str, *, token: str) -> Mapping[str, str]:
        return _authorised(token)

    def http_headers(self, *, token: str) -> Mapping[str, str]:
        return _authorised(token)

    def decode(self, frame: Frame, table: Subscriptions, *, connection: str, receive_time: int) -> Sequence[Decoded]:
        if type(frame) is str and frame.startswith(_BEGINNING):
            end = frame.find('"', len(_BEGINNING))
            if frame.startswith(_GAP, end):
                self._open_gaps(frame, table, connection, receive_time)
        return super().decode(frame, table, connection=connection, receive_time=receive_time)

    def decode_answer(self, ask: Ask, body: bytes, *, receive_time: int) -> Sequence[Event | Instrument]:
        if isinstance(ask, AskInstrument | AskInstruments):
            try:
                told = _LISTED.decode(body) if isinstance(ask, AskInstruments) else [_DESCRIBED.decode(body)]
                described = [row.instrument for row in told if row.instrument is not None]
                if described:
                    return read_listed(described, _structured)
            except UNREADABLE as exc:
                raise unreadable(body, exc) from exc
        return super().decode_answer(ask, body, receive_time=receive_time)

    def _open_gaps(self, frame: str, table: Subscriptions, connection: str, now: int) -> None:
        """Note that something is missing before this message; the gap is told with it."""
        try:
            marked = _MARKED.decode(frame)
        except UNREADABLE as exc:
            raise unreadable(frame, exc) from exc
        for row in table.by_key.get(marked.stream, ()):
            if row.state in LIVE and row.connection == connection:
                table.missed(row, now, marked.gap.reason)
