"""The family's language, client side, as one object. Source: stream protocol sheet; sections are named where used."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, cast
from zlib import crc32

import attrs
import msgspec

from strategykit.errors import ConfigError, LocalProtocolError
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.model.orders import VenueCommand
from strategykit.venues.dialect import (
    Ask,
    Decoded,
    ErrorClass,
    Frame,
    HttpRequest,
    LaneSpec,
    Leaving,
    Limits,
    Offers,
    Refusal,
    Reply,
)
from strategykit.venues.keyed import hand_out, hand_to_all
from strategykit.venues.stream.asking import StreamCursor
from strategykit.venues.stream.bars import BarCursor
from strategykit.venues.stream.book import BookCursor
from strategykit.venues.stream.http import ask_request, read_answer
from strategykit.venues.stream.market import PartialCursor, QuoteCursor, TickerCursor
from strategykit.venues.stream.names import SHUTDOWN, partial_levels, stream_name
from strategykit.venues.stream.rows import UNREADABLE, unreadable
from strategykit.venues.stream.trades import TradeCursor
from strategykit.venues.stream.variants import VARIANTS, Variant, find_variant
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import LIVE, Subscription, Subscriptions, SubscriptionState

__all__ = ["StreamFamily"]

_CONNECTIONS: Final = 4
"""Each carries a thousand streams; Binance counts attempts, 300 in five minutes from one address."""

_BEGINNING: Final = '{"stream":"'
"""How all servers of the family that were seen begin their messages."""

_NOTED: Final = 40
"""Characters of a frame by which its stream is known again. They hold nearly every stream's name, and little more, so
that a stream's frames mostly begin alike."""

_MOST_NOTED: Final = 4_096
"""Beginnings, in case that they don't."""

_ACTIVE: Final = SubscriptionState.ACTIVE

_NONE: Final = msgspec.Raw()


class _Error(msgspec.Struct, gc=False):
    code: int = 0
    message: str = ""
    msg: str = ""


class _Envelope(msgspec.Struct, gc=False):
    """Any frame."""

    stream: str | None = None
    data: msgspec.Raw = _NONE
    e: str | None = None
    id: int | str | None = None
    code: int | None = None
    msg: str = ""
    error: _Error | None = None
    result: msgspec.Raw = _NONE


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)


def _positive(_: object, attribute: attrs.Attribute[Any], value: Decimal) -> None:
    if not value.is_finite() or value <= 0:
        raise ConfigError(f"the seed's {attribute.name} must be above 0, not {value}")


def _check_trades(family: StreamFamily, _: object, value: str) -> None:
    words = ("trade", "aggTrade") if family.variant.language == "binance" else ("trade",)
    if value not in words:
        raise ConfigError(f"{family.variant.name} has trades as {' or '.join(words)}, not {value!r}")


def _find(variant: Variant | str) -> Variant:
    return find_variant(variant) if isinstance(variant, str) else variant


@attrs.frozen
class StreamFamily:
    """One venue's language, client side: market data only.

    Args:
        variant: Which venue, or its name in `VARIANTS`.
        trades: By which stream trades come: ``"trade"``, or Binance's ``"aggTrade"``. Default: the venue's usual one.
        tick: Smallest step of prices, where the venue doesn't say, which only the seed's server doesn't.
        lot: Units a lot, there.
    """

    variant: Variant = attrs.field(default=VARIANTS["binance"], converter=_find)
    trades: str = attrs.field(validator=_check_trades, kw_only=True)
    tick: Decimal = attrs.field(default=Decimal("0.01"), validator=_positive, kw_only=True)
    lot: Decimal = attrs.field(default=Decimal("0.001"), validator=_positive, kw_only=True)

    @trades.default
    def _usual_trades(self) -> str:
        return self.variant.trades

    @property
    def name(self) -> str:
        return self.variant.name

    @property
    def lanes(self) -> Mapping[str, LaneSpec]:
        variant = self.variant
        return {
            "market": LaneSpec(
                name="market",
                path=variant.path,
                max_connections=_CONNECTIONS,
                ping_every=variant.ping_every,
                pong_within=10.0,
                messages=variant.rate,
                asks_unseen=True,
                life=variant.rules.life or None,
            )
        }

    @property
    def limits(self) -> Limits:
        """Where the venue publishes none, they are ours: the family's usual ones."""
        return Limits(
            connections=2 * _CONNECTIONS,
            subscriptions=self.variant.rules.max_streams or 1_024,
            unread=5_000,
            frame_bytes=16 * 1_024 * 1_024,
        )

    @property
    def offers(self) -> Offers:
        return Offers(streams=self.variant.streams)

    @property
    def commands(self) -> None:
        """It takes no orders; strategies trade on paper."""

    @property
    def acknowledges(self) -> bool:
        """Only Binance says that it has read a request, and it says so of streams that it doesn't have, too."""
        return False

    def lane(self, _: Stream) -> str:
        return "market"

    def key(self, stream: Stream) -> str:
        """Give the stream's name: several rows share it if they differ in what the venue knows nothing of."""
        return stream_name(self.variant, self.trades, stream)

    def upgrade_headers(self, _: str, *, token: str) -> Mapping[str, str]:  # noqa: ARG002 - all of it is public
        return {}

    def login(self, _: str, *, guid: str, token: str) -> None:
        """There is no session to open."""

    def login_reply(self, _: Frame, guid: str) -> None:
        """Nothing is one."""

    def beat(self, _: int) -> Frame:
        raise LocalProtocolError(f"{self.name} has no heartbeat message")

    def cursor(self, guid: str, stream: Stream) -> StreamCursor:
        variant = self.variant
        match stream.kind:
            case StreamKind.TRADES:
                return TradeCursor(guid, stream, variant, self.trades)
            case StreamKind.QUOTES:
                return QuoteCursor(guid, stream, variant)
            case StreamKind.TICKER:
                return TickerCursor(guid, stream, variant)
            case StreamKind.BARS:
                return BarCursor(guid, stream, variant)
            case StreamKind.BOOK if partial_levels(variant, stream) is not None:
                return PartialCursor(guid, stream, variant)
            case _:
                return BookCursor(guid, stream, variant)

    def subscribe(
        self,
        new: Sequence[Subscription],
        held: Collection[Subscription],
        *,
        token: str,  # noqa: ARG002 - all of it is public
    ) -> Sequence[str]:
        """Name each stream once, however many rows want it: the reference server would send it twice (section 2)."""
        there = {row.key for row in held}
        return self._frames("SUBSCRIBE", (self.key(row.stream) for row in new if row.key not in there))

    def unsubscribe(
        self,
        old: Sequence[Subscription],
        held: Collection[Subscription],
        *,
        token: str,  # noqa: ARG002 - all of it is public
    ) -> Sequence[str]:
        there = {row.key for row in held}
        return self._frames("UNSUBSCRIBE", (self.key(row.stream) for row in old if row.key not in there))

    def decode(self, frame: Frame, table: Subscriptions, *, connection: str, receive_time: int) -> Sequence[Decoded]:
        if type(frame) is str:
            rows = table.beginnings.get(frame[:_NOTED]) or _find_rows(frame, table)
            if rows:
                row = rows[0]
                cursor: Any = row.cursor  # A `StreamCursor`; `cast` is a call, and nothing here is as hot.
                try:
                    datum = cursor.read(frame).data
                except UNREADABLE:
                    pass  # What is wrong with it is found below.
                else:
                    if (
                        row.state is _ACTIVE
                        and row.gap_since is None
                        and row.connection == connection
                        and len(rows) == 1
                    ):  # As `hand_to_all` does, without a call.
                        row.last_time = receive_time
                        row.data += 1
                        return cursor.take(datum, receive_time)  # type: ignore[no-any-return]  # as above
                    return hand_to_all(table, rows, datum, connection=connection, now=receive_time)
        return self._decode_by_members(frame, table, connection, receive_time)

    def command(self, _: VenueCommand) -> Frame:
        raise LocalProtocolError(f"{self.name} is spoken for market data only; strategies trade on paper there")

    def http_headers(self, *, token: str) -> Mapping[str, str]:  # noqa: ARG002 - all of it is public
        return {}

    def request(self, ask: Ask) -> HttpRequest:
        return ask_request(ask, self.variant, trades=self.trades)

    def decode_answer(self, ask: Ask, body: bytes, *, receive_time: int) -> Sequence[Event | Instrument]:
        steps = (self.tick, self.lot)
        return read_answer(ask, body, self.variant, trades=self.trades, steps=steps, receive_time=receive_time)

    def classify(self, code: int) -> ErrorClass:
        """Too many calls may be repeated later; 418, Binance's ban for going on all the same, may not."""
        return ErrorClass.RETRY if code == 429 or 500 <= code < 600 else ErrorClass.STOP

    def _frames(self, method: str, names: Iterable[str]) -> list[str]:
        wanted, together = list(dict.fromkeys(names)), self.variant.together
        parts = [wanted[start : start + together] for start in range(0, len(wanted), together)]
        return [msgspec.json.encode({"method": method, "params": part, "id": _number(part)}).decode() for part in parts]

    def _decode_by_members(self, frame: Frame, table: Subscriptions, connection: str, now: int) -> Sequence[Decoded]:
        try:
            found = _ENVELOPE.decode(frame)
            if found.e == "serverShutdown" or found.stream == SHUTDOWN:
                return (Leaving("the venue announced that it closes the connection"),)
            if found.stream is not None and found.data is not _NONE:
                rows = table.by_key.get(found.stream)
                if rows is None:
                    table.note_unknown(found.stream)
                    return ()
                datum = cast("StreamCursor", rows[0].cursor).read(frame).data
                return hand_out(table, found.stream, datum, connection=connection, now=now)
        except UNREADABLE as exc:
            raise unreadable(frame, exc) from exc
        if found.error is not None:
            error = found.error
            return (_refusal(table, connection, found.id, error.code, error.message or error.msg),)
        if found.code is not None:
            return (_refusal(table, connection, found.id, found.code, found.msg),)
        if found.id is None and found.result is _NONE:
            raise unreadable(frame, "neither data of a stream nor an answer")
        return ()  # Binance has read a request; whether there is such a stream, only its data say.


def _find_rows(frame: str, table: Subscriptions) -> list[Subscription] | None:
    """Give the rows of the stream that a frame begins with; note its beginning, if it has the whole of the name.

    The list is the table's own, and empty when the stream has ended: then the next frame asks here again.
    """
    if not frame.startswith(_BEGINNING):
        return None
    end = frame.find('"', len(_BEGINNING))
    rows = table.by_key.get(frame[len(_BEGINNING) : end])
    if rows is not None and 0 < end < _NOTED:
        if len(table.beginnings) >= _MOST_NOTED:
            table.beginnings.clear()
        table.beginnings[frame[:_NOTED]] = rows
    return rows


def _number(names: Sequence[str]) -> int:
    """Give a request's number. It follows from the names alone, so that whoever gets it back can tell which they were.

    The seed's reference server wants 32 bits without a sign (section 2).
    """
    return crc32("/".join(names).encode())


def _refusal(
    table: Subscriptions, connection: str, number: int | str | None, code: int, message: str
) -> Refusal | Reply:
    """Give what a refused request was about, if that can be told: by its number, or because only one is open."""
    asked = [row for row in table if connection in (row.connection, row.successor) and row.state in LIVE]
    meant = [row for row in asked if row.key is not None and _number([str(row.key)]) == number]
    waiting = [row for row in asked if row.state is SubscriptionState.ASKED]
    if not meant and number is None and len(waiting) == 1:
        meant = waiting
    return Refusal(meant[0].guid, code, message) if meant else Reply("", code, message, ok=False)
