"""ALOR's language, client side, as one object. Source: ALOR protocol sheet; sections are named where they are used."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, cast

import attrs
import msgspec

from strategykit.errors import ConfigError, LocalProtocolError, RemoteProtocolError
from strategykit.model.events import Event, OrderUpdate
from strategykit.model.instruments import Instrument
from strategykit.model.orders import OrderType, VenueCommand, single_order
from strategykit.venues.alor.bars import BarCursor
from strategykit.venues.alor.commands import encode_command
from strategykit.venues.alor.holdings import AccountCursor, PositionCursor
from strategykit.venues.alor.http import ask_request, read_answer
from strategykit.venues.alor.http_orders import cancel_request, read_order_answer
from strategykit.venues.alor.market import BookCursor, QuoteCursor, TradeCursor
from strategykit.venues.alor.names import MIN_FREQUENCY
from strategykit.venues.alor.orders import FillCursor, OrderCursor
from strategykit.venues.alor.parsing import UNREADABLE, FrameCursor, unreadable
from strategykit.venues.alor.status import ClusterCursor, InstrumentCursor
from strategykit.venues.alor.subscribing import (
    encode_authorize,
    encode_ping,
    encode_subscribe,
    encode_unsubscribe,
)
from strategykit.venues.dialect import (
    Ask,
    Confirmed,
    Decoded,
    ErrorClass,
    Frame,
    HttpRequest,
    LaneSpec,
    Limits,
    Offers,
    Refusal,
    Reply,
)
from strategykit.venues.streams import Stream, StreamKind, usual_lane
from strategykit.venues.subscriptions import LIVE, Subscription, Subscriptions, SubscriptionState

__all__ = ["Alor"]

_ACTIVE: Final = SubscriptionState.ACTIVE

_CURSORS: Final[Mapping[StreamKind, Callable[[str, Stream, str], FrameCursor]]] = {
    StreamKind.TRADES: TradeCursor,
    StreamKind.QUOTES: QuoteCursor,
    StreamKind.BOOK: BookCursor,
    StreamKind.BARS: BarCursor,
    StreamKind.CLUSTERS: ClusterCursor,
    StreamKind.INSTRUMENT: InstrumentCursor,
    StreamKind.ORDERS: OrderCursor,
    StreamKind.STOP_ORDERS: OrderCursor,
    StreamKind.FILLS: FillCursor,
    StreamKind.POSITIONS: PositionCursor,
    StreamKind.SUMMARY: AccountCursor,
    StreamKind.RISK: AccountCursor,
    StreamKind.SPECTRA_RISK: AccountCursor,
}

_MARKET_CONNECTIONS: Final = 7
"""With one for orders and one for commands that makes 9 of the 10 allowed: one is left for a reconnect that overlaps.
Whether the two sockets share the limit isn't known; assumed (section 6.1)."""


_NO_DATA: Final = msgspec.Raw()


class _Envelope(msgspec.Struct, gc=False, rename={"request_guid": "requestGuid", "code": "httpCode"}):
    """Any frame. Keys are looked for by name: their order varies (section 8, point 12)."""

    request_guid: str | None = None
    code: int | None = None
    message: str | None = None
    order_number: str | int | None = msgspec.field(name="orderNumber", default=None)
    guid: str | None = None
    data: msgspec.Raw = _NO_DATA


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)


def _check_format(_: Alor, __: attrs.Attribute[str], value: str) -> None:
    if value not in MIN_FREQUENCY:
        raise ConfigError(f"an ALOR format must be one of {', '.join(MIN_FREQUENCY)}, not {value!r}")


@attrs.frozen
class Alor:
    """One venue's language, client side.

    Args:
        exchange: Where streams and orders name none: ``"MOEX"`` or ``"SPBX"``.
        format: ``"Slim"`` is the shortest and has the least `frequency`; ``"Simple"`` and ``"Heavy"`` carry more.
        board: Where streams and orders name none; None: each instrument's primary one.
    """

    exchange: str = "MOEX"
    format: str = attrs.field(default="Slim", validator=_check_format)
    board: str | None = None

    @property
    def name(self) -> str:
        return "alor"

    @property
    def lanes(self) -> Mapping[str, LaneSpec]:
        """Market data and notifications never share a connection (section 6.5)."""
        return {
            name: LaneSpec(name=name, path=path, max_connections=most, ping_every=5.0, pong_within=5.0)
            for name, path, most in (
                ("market", "/ws", _MARKET_CONNECTIONS),
                ("orders", "/ws", 1),
                ("commands", "/cws", 1),
            )
        }

    @property
    def limits(self) -> Limits:
        """Source: section 6.1; the size of a frame is ours."""
        return Limits(connections=10, subscriptions=5_000, unread=5_000, frame_bytes=1_048_576)

    @property
    def offers(self) -> Offers:
        return Offers(streams=frozenset(_CURSORS), orders=frozenset(OrderType), day_in_quotes=True)

    @property
    def commands(self) -> str:
        return "commands"

    @property
    def acknowledges(self) -> bool:
        return True

    def lane(self, stream: Stream) -> str:
        return usual_lane(stream)

    def key(self, _: Stream) -> None:
        """Data carry our guids."""

    def upgrade_headers(self, _: str, *, token: str) -> Mapping[str, str]:  # noqa: ARG002 - tokens travel in requests
        return {}

    def login(self, lane: str, *, guid: str, token: str) -> str | None:
        """Give the frame that authorises a command socket; the others take a token with every request."""
        return encode_authorize(guid, token=token) if lane == "commands" else None

    def login_reply(self, frame: Frame, guid: str) -> Reply | None:
        try:
            found = _open(frame)
            reply = None if found is None or found.request_guid != guid else _reply(frame, found)
        except RemoteProtocolError:
            return None  # It is told where frames are decoded.
        return reply

    def beat(self, _: int) -> Frame:
        """There are no heartbeats; the optional ping is `ping`."""
        raise LocalProtocolError("ALOR has no heartbeat message")

    def subscribe(
        self,
        new: Sequence[Subscription],
        held: Collection[Subscription],  # noqa: ARG002 - each stream is asked for by itself
        *,
        token: str,
    ) -> Sequence[str]:
        return [
            encode_subscribe(
                row.guid,
                row.stream,
                row.cursor,
                token=token,
                style=self.format,
                exchange=self.exchange,
                board=self.board,
            )
            for row in new
        ]

    def unsubscribe(
        self,
        old: Sequence[Subscription],
        held: Collection[Subscription],  # noqa: ARG002 - each stream ends by itself
        *,
        token: str,
    ) -> Sequence[str]:
        return [encode_unsubscribe(row.guid, token=token) for row in old]

    def ping(self, guid: str, *, token: str) -> str:
        """Give the application's ping; its answer is a `Reply`. Off unless somebody asks: it isn't documented."""
        return encode_ping(guid, token=token)

    def command(self, command: VenueCommand) -> str:
        return encode_command(single_order(command, "ALOR"), exchange=self.exchange, board=self.board)

    def cursor(self, guid: str, stream: Stream) -> FrameCursor:
        make = _CURSORS.get(stream.kind)
        if make is None:
            raise LocalProtocolError(f"ALOR has no stream of the kind {stream.kind.value}")
        return make(guid, stream, self.format)

    def decode(
        self,
        frame: Frame,
        table: Subscriptions,
        *,
        connection: str,  # noqa: ARG002 - a guid says enough
        receive_time: int,
    ) -> Sequence[Decoded]:
        # Data frames end in ``"guid":"…"}``. Our guids have 36 characters; whatever isn't found so is looked at by key.
        # What ends like this and is no data frame fails to decode, and then is looked at by key too.
        row = table.by_guid.get(frame[-38:-2])  # type: ignore[arg-type]  # bytes just aren't found
        if row is not None and row.state is _ACTIVE and row.gap_since is None:
            try:
                events: Sequence[Decoded] = row.cursor.decode(frame, receive_time)  # type: ignore[attr-defined]  # ours
            except RemoteProtocolError:
                return self._decode_by_key(frame, table, receive_time)
            row.last_time = receive_time
            row.data += 1
            return events
        return self._decode_by_key(frame, table, receive_time)

    def http_headers(self, *, token: str) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {token}"}

    def request(self, ask: Ask) -> HttpRequest:
        return ask_request(ask, exchange=self.exchange, board=self.board, style=self.format)

    def decode_answer(self, ask: Ask, body: bytes, *, receive_time: int) -> Sequence[Event | Instrument]:
        return read_answer(ask, body, receive_time=receive_time, style=self.format)

    def cancel_request(self, order: OrderUpdate, *, account: str, stop: bool) -> HttpRequest:
        """Source: section 5.3."""
        return cancel_request(order.venue_order_id, account, exchange=self.exchange, stop=stop)

    def read_cancel(self, status: int, body: bytes) -> Reply:
        return read_order_answer("", status, body)

    def classify(self, code: int) -> ErrorClass:
        """Source: sections 2.4 and 5."""
        if code == 401:
            return ErrorClass.REFRESH
        return ErrorClass.RETRY if code == 429 or 500 <= code < 600 else ErrorClass.STOP

    def _decode_by_key(self, frame: str | bytes, table: Subscriptions, now: int) -> Sequence[Decoded]:
        found = _open(frame)
        if found is None:
            return ()
        if found.request_guid is not None:
            return _answered(_reply(frame, found), table)
        if found.guid is None or found.data is _NO_DATA:
            raise unreadable(frame, "neither a reply nor data with a guid")
        row = table.by_guid.get(found.guid)
        if row is None:
            table.note_unknown(found.guid)
            return ()
        return _data(frame, row, table, now)


def _open(frame: str | bytes) -> _Envelope | None:
    """Look at a frame's outer keys; None for the bare text ``pong``, which one client has seen (section 2.3)."""
    try:
        return _ENVELOPE.decode(frame)
    except UNREADABLE as exc:
        if frame in ("pong", b"pong"):
            return None
        raise unreadable(frame, exc) from exc


def _reply(frame: str | bytes, found: _Envelope) -> Reply:
    if found.request_guid is None or found.code is None:
        raise unreadable(frame, "a reply without httpCode")
    number = found.order_number
    return Reply(
        found.request_guid,
        found.code,
        found.message or "",
        200 <= found.code < 300,
        None if number is None else str(number),
    )


def _answered(reply: Reply, table: Subscriptions) -> Sequence[Decoded]:
    row = table.by_guid.get(reply.guid)
    if row is None:
        return (reply,)
    if row.state not in LIVE:
        table.late += 1  # An answer to a request of a connection that has gone, or a second refusal.
        return ()
    return (Confirmed(reply.guid) if reply.ok else Refusal(reply.guid, reply.code, reply.message),)


def _data(frame: str | bytes, row: Subscription, table: Subscriptions, now: int) -> Sequence[Decoded]:
    if row.state not in LIVE:
        table.late += 1
        return ()
    # Data may come before the acknowledgement (section 8, point 2).
    events = cast("FrameCursor", row.cursor).decode(frame, now)
    row.data += 1
    gap = table.datum(row, now)
    return events if gap is None else (gap, *events)
