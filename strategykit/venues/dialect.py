"""The contract that every venue's language fulfils. A dialect is pure: bytes and values in, bytes and values out."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import attrs

from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.model.orders import Command
from strategykit.venues.streams import Stream

if TYPE_CHECKING:
    from strategykit.venues.subscriptions import Subscriptions

__all__ = [
    "Ask",
    "AskAccount",
    "AskBars",
    "AskInstrument",
    "AskOrders",
    "AskPositions",
    "AskStopOrders",
    "AskTrades",
    "Confirmed",
    "Cursor",
    "Decoded",
    "Dialect",
    "ErrorClass",
    "HttpRequest",
    "LaneSpec",
    "Limits",
    "Refusal",
    "Reply",
]


class ErrorClass(enum.Enum):
    """What a venue's refusal code asks of us."""

    RETRY = "retry"
    """It may work later: back off and try again."""
    REFRESH = "refresh"
    """The token is dead: get a new one, once, and try again."""
    STOP = "stop"
    """It will never work like this: tell, and stop."""


@attrs.frozen(kw_only=True)
class LaneSpec:
    """One kind of connection that the venue offers."""

    name: str
    """``"market"``, ``"orders"`` or ``"commands"``."""
    path: str
    """Path of the WebSocket endpoint, such as ``"/ws"``."""
    max_connections: int
    """How many of this lane we open at the most."""
    ping_every: float
    """Seconds between our WebSocket pings."""
    pong_within: float
    """Seconds until an unanswered ping means that the wire is dead."""


@attrs.frozen(kw_only=True)
class Limits:
    """What the venue allows; enforced here, before it enforces them there."""

    connections: int
    """All lanes together."""
    subscriptions: int
    """A connection."""
    unread: int
    """Messages that the venue buffers for a slow client before it hangs up."""
    frame_bytes: int
    """The largest frame we accept."""


@attrs.frozen(slots=True)
class Confirmed:
    """The venue accepted the subscription `guid`."""

    guid: str


@attrs.frozen(slots=True)
class Refusal:
    """The venue refused the subscription `guid`."""

    guid: str
    code: int
    message: str


@attrs.frozen(slots=True)
class Reply:
    """The venue's answer to any other request: an order command, a login, a ping, an unsubscribe."""

    guid: str
    code: int
    message: str
    ok: bool
    venue_order_id: str | None = None


Decoded = Event | Confirmed | Refusal | Reply


class Cursor(Protocol):
    """Where one subscription stands: what decoding its frames needs to know of the frames before.

    Kept in the guid table, made by `Dialect.cursor`, and alive across reconnects: that is how replayed rows
    are told from new ones.
    """

    def decode(self, frame: str | bytes, receive_time: int) -> Sequence[Event]:
        """Give the events of one data frame, oldest first.

        Raises:
            RemoteProtocolError: The frame can't be read.
        """
        ...

    def reconnected(self) -> None:
        """A new connection will replay state: forget what must be rebuilt, keep what tells repeats apart."""
        ...


@attrs.frozen(kw_only=True)
class AskBars:
    """History bars: at least `count` of them that began before `until`."""

    instrument: str
    interval: int
    count: int
    until: int
    exchange: str | None = None
    board: str | None = None


@attrs.frozen(kw_only=True)
class AskOrders:
    """All orders of the account that the venue still shows."""

    account: str
    exchange: str | None = None


@attrs.frozen(kw_only=True)
class AskStopOrders:
    """All stop orders of the account; a venue that keeps them among the others answers with an empty list."""

    account: str
    exchange: str | None = None


@attrs.frozen(kw_only=True)
class AskTrades:
    """The account's fills of this session."""

    account: str
    exchange: str | None = None


@attrs.frozen(kw_only=True)
class AskPositions:
    account: str
    exchange: str | None = None


@attrs.frozen(kw_only=True)
class AskAccount:
    """Money and margin."""

    account: str
    exchange: str | None = None


@attrs.frozen(kw_only=True)
class AskInstrument:
    """Reference data: tick, lot, currency."""

    instrument: str
    exchange: str | None = None


Ask = AskBars | AskOrders | AskStopOrders | AskTrades | AskPositions | AskAccount | AskInstrument


@attrs.frozen(kw_only=True)
class HttpRequest:
    """One HTTP call, without its authorisation: that is added where the bytes leave."""

    method: str
    path: str
    query: Mapping[str, str] = attrs.field(factory=dict)
    body: str | None = attrs.field(default=None, repr=False)
    """Not shown: that of a call to a token service holds the credential."""
    headers: Mapping[str, str] = attrs.field(factory=dict)


class Dialect(Protocol):
    """One venue's language, client side."""

    @property
    def name(self) -> str: ...
    @property
    def lanes(self) -> Mapping[str, LaneSpec]: ...
    @property
    def limits(self) -> Limits: ...

    def login(self, lane: str, *, guid: str, token: str) -> str | None:
        """Give the frame that opens a session on `lane`, or None where the lane needs none.

        Its answer is a `Reply` with the same guid. The same frame renews a session before its token dies.
        """
        ...

    def subscribe(self, guid: str, stream: Stream, cursor: Cursor, *, token: str) -> str:
        """Give the frame that asks for `stream`; `cursor` says from where on history is still wanted.

        Raises:
            LocalProtocolError: The venue can't do this; the message says what it could.
        """
        ...

    def unsubscribe(self, guid: str, *, token: str) -> str: ...

    def command(self, command: Command) -> str:
        """Give the frame of an order command.

        Raises:
            LocalProtocolError: The venue has no such order.
        """
        ...

    def cursor(self, guid: str, stream: Stream) -> Cursor: ...

    def decode(self, frame: str | bytes, table: Subscriptions, *, receive_time: int) -> Sequence[Decoded]:
        """Give what one frame says, oldest first; data for a guid that is no longer wanted is counted and dropped.

        Raises:
            RemoteProtocolError: The frame can't be read.
        """
        ...

    def decode_reply(self, frame: str | bytes) -> Reply | None:
        """Read a service reply; None if the frame is data. For logins, before any table exists."""
        ...

    def request(self, ask: Ask) -> HttpRequest:
        """Give the HTTP call for `ask`."""
        ...

    def decode_answer(self, ask: Ask, body: bytes, *, receive_time: int) -> Sequence[Event | Instrument]:
        """Read the body of a successful answer to `ask`; rows are marked ``snapshot=True``.

        Raises:
            RemoteProtocolError: It can't be read.
        """
        ...

    def classify(self, code: int) -> ErrorClass:
        """Say what a refusal or HTTP status code asks of us. Unknown codes stop and tell."""
        ...
