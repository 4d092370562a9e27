"""T4's language, client side, as one object. Source: T4 protocol sheet; sections are named where they are used."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import attrs
from google.protobuf.message import DecodeError

from strategykit.errors import ConfigError, LocalProtocolError, RemoteProtocolError
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.model.orders import CreateGroup, OrderType, VenueCommand
from strategykit.venues.asks import (
    Ask,
    AskBars,
    AskInstrument,
    AskOrders,
    AskPastTrades,
    AskStopOrders,
    AskTrades,
    HttpRequest,
)
from strategykit.venues.dialect import (
    Decoded,
    ErrorClass,
    Frame,
    LaneSpec,
    Limits,
    Offers,
    Reply,
)
from strategykit.venues.http_tokens import TokenReply
from strategykit.venues.keyed import KeyedCursor
from strategykit.venues.lookups import Lookup
from strategykit.venues.streams import PRIVATE, Stream, StreamKind
from strategykit.venues.subscriptions import Subscription, Subscriptions
from strategykit.venues.t4.bars import BarCursor
from strategykit.venues.t4.by_order import ByOrderCursor
from strategykit.venues.t4.client import encode
from strategykit.venues.t4.commands import encode_command
from strategykit.venues.t4.decoding import Decoder
from strategykit.venues.t4.holdings import MoneyCursor, PositionCursor
from strategykit.venues.t4.linked import encode_linked
from strategykit.venues.t4.listing import browse, look_up
from strategykit.venues.t4.login import FORMATS, Holder, login_frame
from strategykit.venues.t4.names import classify_code, split_market, word
from strategykit.venues.t4.orders import FillCursor, OrderCursor
from strategykit.venues.t4.proto.service_pb2 import ServerMessage
from strategykit.venues.t4.quotes import BookCursor, QuoteCursor, StatusCursor, TradeCursor
from strategykit.venues.t4.rest import bars_request, read_bars, read_trades, trades_request
from strategykit.venues.t4.server_requests import Heartbeat, Request, TokenRequest
from strategykit.venues.t4.subscribing import ACCOUNT_KINDS, BUFFERS, key_of, subscribe, unsubscribe
from strategykit.venues.t4.tokens import find_token, rest_headers

__all__ = ["T4"]

_MILLISECOND: Final = 1_000_000

_CURSORS: Final[Mapping[StreamKind, Callable[[str, Stream], KeyedCursor[Any]]]] = {
    StreamKind.TRADES: TradeCursor,
    StreamKind.BARS: BarCursor,
    StreamKind.INSTRUMENT: StatusCursor,
    StreamKind.ORDERS: OrderCursor,
    StreamKind.FILLS: FillCursor,
    StreamKind.POSITIONS: PositionCursor,
    StreamKind.SUMMARY: MoneyCursor,
}

_MARKET_KINDS: Final = frozenset(
    {
        *(StreamKind.TRADES, StreamKind.QUOTES, StreamKind.BOOK, StreamKind.BOOK_BY_ORDER),
        *(StreamKind.BARS, StreamKind.INSTRUMENT),
    }
)


def _one_of(words: Collection[str]) -> Callable[[T4, attrs.Attribute[str], str], None]:
    def check(_: T4, attribute: attrs.Attribute[str], value: str) -> None:
        if value not in words:
            raise ConfigError(f"T4's {attribute.name} must be one of {', '.join(words)}, not {value!r}")

    return check


@attrs.frozen(kw_only=True)
class T4:
    """One venue's language, client side.

    T4 lets each user be logged in once with each application: a second session displaces the first. So everything
    travels on one connection: market data, the account, and orders. With an application of its own for orders
    (`second_app`, with a licence or an API key of its own) they and the account have a session to themselves,
    which no flood of books delays.

    Instruments are called by all that T4 wants to know of a market: ``"CME_Eq/ES/XCME_Eq ES (Z26)"``. Their prices are
    in `price_format` everywhere, in orders, too.

    Args:
        firm: Of a login by password; empty, like the next two, where an API key is shown.
        username: Who logs in.
        app_name: The application that the licence is for.
        second_app: Name of the application for orders; empty: there is none.
        price_format: ``"real"``, as people write prices; ``"decimal"``, the exchange's raw numbers;
            ``"clearing_decimal"``.
        pace: How books are conflated: ``"slow"``, ``"smart"`` (every change of the best prices), ``"fast"``, ``"all"``.
        implied: Whether lots that are implied by other markets count in books and quotes.
        by_order: Whether books are built from all resting orders, and not taken by price.
        currency: What all markets' money is counted in: T4 doesn't say.
    """

    firm: str = ""
    username: str = ""
    app_name: str = ""
    second_app: str = ""
    price_format: str = attrs.field(default="real", validator=_one_of(FORMATS))
    pace: str = attrs.field(default="smart", validator=_one_of(BUFFERS))
    implied: bool = False
    by_order: bool = False
    currency: str = "USD"
    _decoder: Decoder = attrs.field(
        init=False, default=attrs.Factory(lambda self: Decoder(self.currency), takes_self=True), repr=False, eq=False
    )

    @property
    def name(self) -> str:
        return "t4"

    @property
    def lanes(self) -> Mapping[str, LaneSpec]:
        """Source: sections 1.1 to 1.4.

        Every market and every account begins with a snapshot, quiet ones, too (sections 3.3 and 3.4): where none comes,
        the request was overlooked.
        """
        names = ("market", "orders") if self.second_app else ("session",)
        return {
            name: LaneSpec(
                name=name,
                path="/v1",
                max_connections=1,
                ping_every=None,
                beat_every=20.0,
                silence_within=60.0,
                asks_unseen=True,
                renews=False,
                displaces=True,
            )
            for name in names
        }

    @property
    def limits(self) -> Limits:
        """None are published (section 5.2): the numbers of subscriptions and of bytes are ours."""
        return Limits(connections=len(self.lanes), subscriptions=10_000, unread=4_000, frame_bytes=16 * 1024 * 1024)

    @property
    def offers(self) -> Offers:
        streams = _MARKET_KINDS | frozenset(ACCOUNT_KINDS)
        return Offers(streams=streams, orders=frozenset(OrderType), links_orders=True, day_in_quotes=True)

    @property
    def commands(self) -> str:
        return "orders" if self.second_app else "session"

    @property
    def acknowledges(self) -> bool:
        """Data is the acknowledgement (section 3.3)."""
        return False

    def lane(self, stream: Stream) -> str:
        return self.commands if stream.kind in PRIVATE or not self.second_app else "market"

    def key(self, stream: Stream) -> tuple[str, str]:
        return key_of(stream, by_order=self.by_order)

    def upgrade_headers(self, lane: str, *, token: str) -> Mapping[str, str]:  # noqa: ARG002 - the first message says it
        return {}

    def login(self, lane: str, *, guid: str, token: str) -> bytes:  # noqa: ARG002 - its answer names no guid
        holder = Holder(firm=self.firm, username=self.username, app_name=self.app_name)
        second = bool(self.second_app) and lane == self.commands
        if second:
            holder = attrs.evolve(holder, app_name=self.second_app)
        return login_frame(token, holder, price_format=self.price_format, second=second)

    def login_reply(self, frame: Frame, guid: str) -> Reply | None:
        """Give the first answer that there is: the session says nothing else before it."""
        try:
            message = _open(frame)
        except RemoteProtocolError:
            return None  # It is told where frames are decoded.
        if message.WhichOneof("payload") != "login_response":
            return None
        found = message.login_response
        words = found.error_message or word("LoginResult", found.result)
        token = found.authentication_token.token
        return Reply(guid, found.result, words, not found.result, secrets=(token,) if token else ())

    def beat(self, now: int) -> bytes:
        return encode(Heartbeat(now // _MILLISECOND))

    def cursor(self, guid: str, stream: Stream) -> KeyedCursor[Any]:
        """Make the cursor of a stream.

        Raises:
            LocalProtocolError: T4 has no such stream.
        """
        if stream.kind is StreamKind.QUOTES:
            return QuoteCursor(guid, stream, implied=self.implied)
        if stream.kind is StreamKind.BOOK_BY_ORDER or (stream.kind is StreamKind.BOOK and self.by_order):
            return ByOrderCursor(guid, stream)
        if stream.kind is StreamKind.BOOK:
            return BookCursor(guid, stream, implied=self.implied)
        if stream.kind not in _CURSORS:
            raise LocalProtocolError(f"T4 has no stream of {stream.kind.value}")
        return _CURSORS[stream.kind](guid, stream)

    def subscribe(
        self,
        new: Sequence[Subscription],
        held: Collection[Subscription],
        *,
        token: str,  # noqa: ARG002 - the session is logged in
    ) -> Sequence[bytes]:
        return subscribe(new, held, pace=self.pace)

    def unsubscribe(
        self,
        old: Sequence[Subscription],
        held: Collection[Subscription],
        *,
        token: str,  # noqa: ARG002 - the session is logged in
    ) -> Sequence[bytes]:
        return unsubscribe(old, held)

    def decode(self, frame: Frame, table: Subscriptions, *, connection: str, receive_time: int) -> Sequence[Decoded]:
        message = _open(frame)
        kind = message.WhichOneof("payload")
        if kind is None:
            return ()  # One that is newer than we are (section 2).
        try:
            return self._decoder.decode(kind, getattr(message, kind), table, connection, receive_time)
        except (ValueError, ArithmeticError) as exc:
            raise RemoteProtocolError(f"a {kind} that can't be: {exc}", frame=frame) from exc

    def command(self, command: VenueCommand) -> bytes:
        return encode_linked(command) if isinstance(command, CreateGroup) else encode_command(command)

    def encode(self, request: Request) -> bytes:
        """Word any request that T4 knows, for what has no verb here: batches of several groups, conditions."""
        return encode(request)

    def token_request(self, guid: str) -> bytes:
        """Charts go with a token of the session, whose price format they are in then (section 1.5)."""
        return encode(TokenRequest(guid))

    def token_reply(self, frame: Frame) -> TokenReply | None:
        return find_token(frame)

    def http_headers(self, *, token: str) -> Mapping[str, str]:
        return rest_headers(token)

    def request(self, ask: Ask) -> HttpRequest | Stream | None:
        """Definitions and orders come by streams (sections 3.3 and 3.4); charts over HTTP.

        An account's beginning tells its orders with their fills, so these aren't asked for by themselves.
        """
        match ask:
            case AskBars():
                return bars_request(ask)
            case AskPastTrades():
                return trades_request(ask)
            case AskInstrument():
                split_market(ask.instrument)
                return Stream(kind=StreamKind.INSTRUMENT, instrument=ask.instrument, exchange=ask.exchange)
            case AskOrders():
                return Stream(kind=StreamKind.ORDERS, account=ask.account, exchange=ask.exchange)
            case AskTrades() | AskStopOrders():
                return None
            case _:
                raise LocalProtocolError(f"T4 can't be asked {type(ask).__name__}: its streams tell it")

    def decode_answer(self, ask: Ask, body: bytes, *, receive_time: int) -> Sequence[Event | Instrument]:
        if isinstance(ask, AskBars):
            return read_bars(ask, body, receive_time=receive_time)
        if isinstance(ask, AskPastTrades):
            return read_trades(ask, body, receive_time=receive_time)
        raise RemoteProtocolError(f"T4 answers no {type(ask).__name__} over HTTP", frame=body)

    def browse(self, text: str) -> Lookup:
        return browse(text)

    def look_up(self, symbol: str) -> Lookup:
        return look_up(symbol)

    def classify(self, code: int) -> ErrorClass:
        return classify_code(code)


def _open(frame: Frame) -> ServerMessage:
    if isinstance(frame, str):
        raise RemoteProtocolError("a text message; T4 speaks binary ones", frame=frame)
    try:
        return ServerMessage.FromString(frame)
    except DecodeError as exc:
        raise RemoteProtocolError("this isn't a message of T4's", frame=frame) from exc
