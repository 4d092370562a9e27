"""CoinAPI's language, client side, as one object. Source: CoinAPI protocol sheet; sections are named where used."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, cast

import attrs
import msgspec

from strategykit.errors import ConfigError, LocalProtocolError
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.model.orders import VenueCommand
from strategykit.venues.coinapi.bars import BarCursor
from strategykit.venues.coinapi.book import BookCursor
from strategykit.venues.coinapi.cursors import CoinCursor
from strategykit.venues.coinapi.http import ask_request, read_answer
from strategykit.venues.coinapi.kept import LevelBook, OrderBook
from strategykit.venues.coinapi.market import AssetCursor, QuoteCursor, RateCursor, TopCursor, VolumeCursor
from strategykit.venues.coinapi.names import DataType, Variant
from strategykit.venues.coinapi.rows import (
    UNREADABLE,
    AssetRow,
    BarRow,
    ErrorRow,
    MarketRow,
    RateRow,
    ReconnectRow,
    TradeRow,
    VolumeRow,
    check_prices,
    nanoseconds,
    read_frame,
    unreadable,
)
from strategykit.venues.coinapi.scope import subscribe_messages, unsubscribe_messages
from strategykit.venues.coinapi.targets import find_target
from strategykit.venues.coinapi.trades import TradeCursor
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
    SessionOver,
)
from strategykit.venues.keyed import hand_to
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import LIVE, Subscription, Subscriptions, SubscriptionState

__all__ = ["BUFFER_FULL", "PERMANENT", "CoinApi"]

TOO_MANY: Final = 429
PERMANENT: Final = 1008
BUFFER_FULL: Final = 1013
"""The venue's errors have no numbers; these are those of the closes that probably follow (section 5)."""

_OVERFLOW: Final = "maximum allowed buffered messages"
"""Part of the only known error that isn't permanent (section 5)."""

_MESSAGES: Final = (9, 10.5)
"""10 hello and subscribe messages in 10 s are allowed (section 4.2). The rest is for those that are slow to arrive."""

_LATER: Final = re.compile("too many|rate limit|try again|temporar|unavailable|overload|internal server", re.IGNORECASE)
"""What no key and no request is to blame for, whatever the text may be: too much, or out of order just now. Messages
that were slow to arrive can come closer together than they left, so that the limit of section 4.2 is met although we
keep to it. Only two texts are known (section 6), and neither is one of these."""

_SILENCE: Final = 15.0
"""Seconds. A heartbeat comes after each second of silence (section 5); our hello may have to wait for its turn."""

_CURSORS: Final[Mapping[DataType, Callable[[str, Stream, str], CoinCursor[Any]]]] = {
    DataType.TRADE: TradeCursor,
    DataType.QUOTE: QuoteCursor,
    DataType.BOOK: lambda guid, _, symbol: BookCursor(guid, symbol, LevelBook),
    DataType.BOOK5: TopCursor,
    DataType.BOOK20: TopCursor,
    DataType.BOOK50: TopCursor,
    DataType.BOOK_L3: lambda guid, _, symbol: BookCursor(guid, symbol, OrderBook),
    DataType.OHLCV: BarCursor,
    DataType.VOLUME: VolumeCursor,
    DataType.EXRATE: RateCursor,
    DataType.ASSET: AssetCursor,
}

_COMMON: Final = frozenset({StreamKind.TRADES, StreamKind.QUOTES, StreamKind.BOOK, StreamKind.BOOK_BY_ORDER})
_V1_ONLY: Final = frozenset({StreamKind.BARS, StreamKind.VOLUME, StreamKind.RATE, StreamKind.ASSET})

_ANY: Final = msgspec.json.Decoder(dict[str, Any])


def _find_variant(value: str) -> Variant:
    if value not in list(Variant):
        raise ConfigError(f"CoinAPI's variant must be one of {', '.join(Variant)}, not {value!r}")
    return Variant(value)


def _check_clock(_: object, __: object, value: str) -> None:
    if value not in ("exchange", "coinapi"):
        raise ConfigError(f"CoinAPI's clock must be 'exchange' or 'coinapi', not {value!r}")


def _check_exchange(dialect: CoinApi, _: object, value: str | None) -> None:
    if value is None:
        return
    if dialect.variant is not Variant.DS:
        raise ConfigError("an exchange is chosen for CoinAPI's DS only; V1 carries all of them")
    if not (value.isascii() and value.isalnum()):
        raise ConfigError(f"an exchange id is letters and digits, such as 'COINBASE', not {value!r}")


@attrs.frozen
class CoinApi:
    """CoinAPI's market data, client side.

    Args:
        variant: ``"v1"``: all venues on one connection; ``"ds"``: one venue a host, with trades, quotes and books only.
        exchange: For DS where one host serves several venues: the one that is meant, such as ``"COINBASE"``.
        clock: Which of the venue's two stamps events have: ``"exchange"``, when it happened on the market, or
            ``"coinapi"``, when CoinAPI had it: then a run's lag is that of the way from there.
    """

    variant: Variant = attrs.field(default=Variant.V1, converter=_find_variant)
    exchange: str | None = attrs.field(default=None, validator=_check_exchange, kw_only=True)
    clock: str = attrs.field(default="exchange", validator=_check_clock, kw_only=True)

    @property
    def name(self) -> str:
        return "coinapi" if self.variant is Variant.V1 else "coinapi-ds"

    @property
    def lanes(self) -> Mapping[str, LaneSpec]:
        """One connection: ordinary plans allow one at a time (section 4.2). Its replacement needs a second for a while.

        Paths: section 1.
        """
        path = "/v1/" if self.variant is Variant.V1 else "/"
        if self.exchange is not None:
            path = f"/md/ws-ds-{self.exchange.lower()}/"
        lane = LaneSpec(
            name="market",
            path=path,
            max_connections=1,
            ping_every=None,
            silence_within=_SILENCE,
            messages=_MESSAGES,
            asks_again=True,
        )
        return {lane.name: lane}

    @property
    def limits(self) -> Limits:
        """Only `unread` is the venue's (section 6); it names no others."""
        return Limits(connections=2, subscriptions=10_000, unread=131_072, frame_bytes=16 * 1_024 * 1_024)

    @property
    def offers(self) -> Offers:
        return Offers(streams=_COMMON | (_V1_ONLY if self.variant is Variant.V1 else frozenset()))

    @property
    def commands(self) -> None:
        """It takes no orders; strategies trade on paper."""

    @property
    def acknowledges(self) -> bool:
        return False

    def lane(self, _: Stream) -> str:
        return "market"

    def key(self, stream: Stream) -> tuple[str, str]:
        return find_target(stream, self.variant).key

    def upgrade_headers(self, _: str, *, token: str) -> Mapping[str, str]:
        """Show the key; whether it is good is found out at the first hello (section 3)."""
        return self.http_headers(token=token)

    def login(self, _: str, *, guid: str, token: str) -> None:
        """The key is shown in the upgrade."""

    def login_reply(self, _: Frame, guid: str) -> None:
        """Nothing is one."""

    def beat(self, _: int) -> Frame:
        raise LocalProtocolError("CoinAPI's heartbeats come from the server alone")

    def cursor(self, guid: str, stream: Stream) -> CoinCursor[Any]:
        target = find_target(stream, self.variant)
        return _CURSORS[target.data_type](guid, stream, target.name)

    def subscribe(
        self,
        new: Sequence[Subscription],
        held: Collection[Subscription],
        *,
        token: str,  # noqa: ARG002 - it travels with the upgrade
    ) -> Sequence[str]:
        return subscribe_messages([row.stream for row in new], [row.stream for row in held], self.variant)

    def unsubscribe(
        self,
        old: Sequence[Subscription],
        held: Collection[Subscription],
        *,
        token: str,  # noqa: ARG002 - it travels with the upgrade
    ) -> Sequence[str]:
        return unsubscribe_messages([row.stream for row in old], [row.stream for row in held], self.variant)

    def decode(self, frame: Frame, table: Subscriptions, *, connection: str, receive_time: int) -> Sequence[Decoded]:
        row = read_frame(frame)
        try:
            match row:
                case str():
                    return ()  # A heartbeat, however it is spelt, or what isn't known here.
                case BarRow():
                    row.time = nanoseconds(row.time_period_start)
                    check_prices(row)
                    return _hand_out(table, DataType.OHLCV, row.symbol_id, row, row.sequence, connection, receive_time)
                case RateRow():
                    row.nanoseconds = nanoseconds(row.time)
                    pair = f"{row.asset_id_base}/{row.asset_id_quote}"
                    return _hand_out(table, DataType.EXRATE, pair, row, None, connection, receive_time)
                case VolumeRow():
                    time = nanoseconds(row.time_coinapi)
                    found: list[Decoded] = []
                    for part in row.volume_by_symbol:
                        if (DataType.VOLUME.value, part.symbol_id) in table.by_key:  # Others come along with it.
                            datum = (row.period_id, time, part)
                            found += _hand_out(
                                table, DataType.VOLUME, part.symbol_id, datum, None, connection, receive_time
                            )
                    return found
                case AssetRow():
                    facts = _ANY.decode(frame)
                    del facts["type"]
                    return _hand_out(table, DataType.ASSET, row.asset_id, (row, facts), None, connection, receive_time)
                case ReconnectRow():
                    seconds = "soon" if row.within_seconds is None else f"within {row.within_seconds:g} s"
                    return (Leaving(f"the venue announced that it closes the connection {seconds}"),)
                case ErrorRow():
                    return self._error(row.message or "", table, connection)
                case _:
                    return self._market(row, table, connection, receive_time)
        except UNREADABLE as exc:
            raise unreadable(frame, exc) from exc

    def command(self, _: VenueCommand) -> Frame:
        raise LocalProtocolError("CoinAPI has market data only; strategies trade on paper there")

    def http_headers(self, *, token: str) -> Mapping[str, str]:
        return {"X-CoinAPI-Key": token} if token else {}

    def request(self, ask: Ask) -> HttpRequest:
        return ask_request(ask)

    def decode_answer(self, ask: Ask, body: bytes, *, receive_time: int) -> Sequence[Event | Instrument]:
        return read_answer(ask, body, clock=self.clock, receive_time=receive_time)

    def classify(self, code: int) -> ErrorClass:
        """Errors are permanent, but for a full buffer; 550 is a single item that isn't known (section 8)."""
        later = code in (TOO_MANY, BUFFER_FULL) or (500 <= code < 600 and code != 550)
        return ErrorClass.RETRY if later else ErrorClass.STOP

    def _market(self, row: MarketRow, table: Subscriptions, connection: str, now: int) -> Sequence[Decoded]:
        row.time = nanoseconds(row.time_exchange)
        if self.clock == "coinapi":
            row.time = nanoseconds(row.time_coinapi)
        if isinstance(row, TradeRow) and not row.price and row.size:
            raise ValueError("a trade at a price of 0")
        kind = cast("str", row.__struct_config__.tag)
        return _hand_out(table, kind, row.symbol_id, row, row.sequence, connection, now)

    def _error(self, message: str, table: Subscriptions, connection: str) -> Sequence[Decoded]:
        if _OVERFLOW in message:
            return (SessionOver(BUFFER_FULL, message),)
        if _LATER.search(message):
            return (SessionOver(TOO_MANY, message),)
        if self.variant is Variant.DS:
            # A bad symbol leaves the connection as it is (section 2); all other errors end it.
            named = set(re.findall(r"[^\s'\",:;()]+", message))
            bad = [row for row in _carried(table, connection) if row.stream.instrument in named]
            if bad:
                return [Refusal(row.guid, PERMANENT, message) for row in bad]
        return (SessionOver(PERMANENT, message),)


def _carried(table: Subscriptions, connection: str) -> list[Subscription]:
    return [row for row in table if connection in (row.connection, row.successor) and row.state in LIVE]


def _hand_out(
    table: Subscriptions, kind: str, name: str, datum: Any, number: int | None, connection: str, now: int
) -> Sequence[Decoded]:
    """Give a datum to the rows that want it, after what has to be told of those before it that are missing."""
    rows = table.by_key.get((str(kind), name))
    if rows is None:
        table.note_unknown((str(kind), name))
        return ()
    found: list[Decoded] = []
    for row in rows:
        cursor: CoinCursor[Any] = row.cursor  # type: ignore[assignment]  # ours
        if connection == row.connection and row.state in LIVE:
            missing = cursor.missing(connection, number)
            if missing and row.state is not SubscriptionState.ASKED and not cursor.overlaps(datum):
                reason = f"{missing} messages of {row.stream.label} are missing before number {number}"
                table.missed(row, now, reason)
                cursor.missing(connection, number)
                cursor.torn()
            if not cursor.wants(datum):
                continue
        elif connection == row.successor and row.state in LIVE:
            cursor.beside(connection, number)
        found += hand_to(table, row, datum, connection=connection, now=now)
    return found
