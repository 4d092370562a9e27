"""The contract that every venue's language fulfils. A dialect is pure: bytes and values in, bytes and values out."""

from __future__ import annotations

import enum
from collections.abc import Collection, Hashable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

import attrs

from strategykit.model.event_class import value
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.model.orders import AmendOrder, CancelOrder, OrderType, VenueCommand
from strategykit.venues.asks import (
    Ask,
    AskAccount,
    AskBars,
    AskBook,
    AskInstrument,
    AskInstruments,
    AskOrders,
    AskPastTrades,
    AskPositions,
    AskStopOrders,
    AskTrades,
    HttpRequest,
)
from strategykit.venues.streams import PRIVATE, Stream, StreamKind

if TYPE_CHECKING:
    from strategykit.venues.subscriptions import Subscription, Subscriptions

__all__ = [
    "LOGIN",
    "Answer",
    "Ask",
    "AskAccount",
    "AskBars",
    "AskBook",
    "AskInstrument",
    "AskInstruments",
    "AskOrders",
    "AskPastTrades",
    "AskPositions",
    "AskStopOrders",
    "AskTrades",
    "Asking",
    "Confirmed",
    "Cursor",
    "Decoded",
    "Dialect",
    "ErrorClass",
    "Frame",
    "HttpRequest",
    "LaneSpec",
    "Leaving",
    "Limits",
    "Need",
    "Offers",
    "OrderReply",
    "Refusal",
    "Reply",
    "Resubscribe",
    "SessionOver",
]

LOGIN = "login-"
"""How the guids of logins and renewals begin: no order command or subscription has one like it."""

Frame = str | bytes
"""One WebSocket message: a text, or bytes for a binary one."""


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
    """Such as ``"market"``, ``"orders"`` or ``"commands"``."""
    path: str
    """Path of the WebSocket endpoint, such as ``"/ws"``."""
    max_connections: int
    """How many of this lane we open at the most; one that replaces another doesn't count."""
    ping_every: float | None
    """Seconds between our WebSocket pings; None: the venue isn't pinged."""
    pong_within: float = 5.0
    """Seconds until an unanswered ping means that the wire is dead."""
    beat_every: float | None = None
    """Seconds between heartbeat messages of ours; None: the venue wants none."""
    silence_within: float | None = None
    """Seconds without any message of the venue after which the wire is dead; None: it may be silent."""
    messages: tuple[int, float] | None = None
    """At most so many messages from us in so many seconds; more wait for their turn. None: no such limit."""
    asks_again: bool = False
    """Whether a stream can be asked for once more at any time without harm. Then one that falls silent is, and all are
    when data come that nobody ever wanted: the venue may have forgotten what was asked."""
    asks_unseen: bool = False
    """Whether a stream of which nothing comes is ended and asked for once more, after longer and longer pauses: a venue
    that answers no requests may have overlooked the first."""
    life: float | None = None
    """Seconds after which the venue ends a connection; it is replaced before that. None: it may live on."""
    renews: bool = True
    """Whether a session that was logged in dies with its token, and so logs in again with each newer one."""
    displaces: bool = False
    """Whether a login ends the session that is open for the same user already."""


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


@value()
class Reply:
    """The venue's answer to any other request: an order command, a login, a ping, an unsubscribe."""

    guid: str
    code: int
    message: str
    ok: bool
    venue_order_id: str | None = None
    secrets: tuple[str, ...] = attrs.field(default=(), repr=False)
    """Texts of a login's reply that nobody may see: they are hidden before it is recorded."""


@attrs.frozen(slots=True)
class OrderReply:
    """The venue's answer to a command about an order that it has, where it may name the order and not the command."""

    venue_order_id: str
    to: type[AmendOrder | CancelOrder]
    guid: str | None
    """The command's, where the venue carries it back. A yes that carries none, or a no, is for the one that waits."""
    code: int
    message: str
    ok: bool
    quantity: Decimal | None = None
    """Lots that the order has now in all, those filled before included; None where the venue doesn't say."""


@attrs.frozen(slots=True)
class Answer:
    """What a frame says in answer to asks of one kind, where `Dialect.request` names a stream that answers."""

    kind: type[Ask]
    of: str
    """Account, or instrument."""
    rows: tuple[Event | Instrument, ...]


@attrs.frozen(slots=True)
class Leaving:
    """The venue will soon end this connection: another takes over first, so that nothing is lost."""

    reason: str


@attrs.frozen(slots=True)
class SessionOver:
    """The venue ends this session; `Dialect.classify` of `code` says whether another may be opened."""

    code: int
    message: str


@attrs.frozen(slots=True)
class Resubscribe:
    """Something of the subscription `guid` was missed: it has to be asked for anew, and its gap told."""

    guid: str
    reason: str


@attrs.frozen(slots=True)
class Need:
    """The cursor of `guid` can't go on without an answer over HTTP; `asker` gets it, in its place among the frames."""

    guid: str
    ask: Ask
    asker: Asking


Decoded = Event | Confirmed | Refusal | Reply | OrderReply | Answer | Leaving | SessionOver | Resubscribe | Need


class Cursor(Protocol):
    """Where one subscription stands: what its dialect needs to know of the frames before.

    Kept in the guid table, made by `Dialect.cursor`, and alive across reconnects: that is how replayed rows
    are told from new ones. How frames get into it is its dialect's own business.
    """

    def reconnected(self) -> None:
        """A new connection will replay state: forget what must be rebuilt, keep what tells repeats apart."""
        ...


class Asking(Protocol):
    """A cursor that asks over HTTP, such as one that builds a book from a snapshot and changes."""

    def answered(self, rows: Sequence[Event | Instrument] | None, reason: str, now: int) -> Sequence[Decoded]:
        """Take the rows of the answer, or None and why there is none; give what can be told now, oldest first."""
        ...


@attrs.frozen(kw_only=True)
class Offers:
    """What a venue has, as far as its dialect speaks it."""

    streams: frozenset[StreamKind]
    orders: frozenset[OrderType] = frozenset()
    """Empty: it takes no orders; strategies trade on paper there."""
    links_orders: bool = False
    """Whether it takes groups of linked orders: those that cancel each other, and brackets."""
    day_in_quotes: bool = False
    """Whether its quotes say how the day went so far: open, high, low, last and volume."""

    @property
    def market_data(self) -> list[str]:
        """Give the kinds of streams that are no account's, as `StreamKind` writes them."""
        return [kind.value for kind in StreamKind if kind in self.streams and kind not in PRIVATE]


class Dialect(Protocol):
    """One venue's language, client side."""

    @property
    def name(self) -> str: ...
    @property
    def lanes(self) -> Mapping[str, LaneSpec]: ...
    @property
    def limits(self) -> Limits: ...
    @property
    def offers(self) -> Offers: ...

    @property
    def commands(self) -> str | None:
        """The lane that order commands travel on; None where the venue takes no orders."""
        ...

    @property
    def acknowledges(self) -> bool:
        """Whether the venue answers subscriptions. If not, the first datum confirms, and silence says nothing."""
        ...

    def lane(self, stream: Stream) -> str:
        """Name the lane that carries `stream`."""
        ...

    def key(self, stream: Stream) -> Hashable | None:
        """Give what the venue's data names `stream` by; several streams may share it. None: they carry our guid."""
        ...

    # Words that open a session

    def upgrade_headers(self, lane: str, *, token: str) -> Mapping[str, str]:
        """Give the HTTP headers with which a connection of `lane` is opened."""
        ...

    def login(self, lane: str, *, guid: str, token: str) -> Frame | None:
        """Give the frame that opens a session on `lane`, or None where the lane needs none.

        Its answer is found by `login_reply`. The same frame renews a session before its token dies.
        """
        ...

    def login_reply(self, frame: Frame, guid: str) -> Reply | None:
        """Give the answer to the login `guid` if that is what `frame` is; None if it is anything else, or noise."""
        ...

    def beat(self, now: int) -> Frame:
        """Give our heartbeat, for lanes with `LaneSpec.beat_every`."""
        ...

    # Subscriptions

    def cursor(self, guid: str, stream: Stream) -> Cursor: ...

    def subscribe(self, new: Sequence[Subscription], held: Collection[Subscription], *, token: str) -> Sequence[Frame]:
        """Give the least frames that add `new` to what a connection carries already, `held`.

        Right after a connection has opened, `held` is empty and `new` is everything that it shall carry.
        The cursors in the rows say from where on history is still wanted.

        Raises:
            LocalProtocolError: The venue can't do this; the message says what it could.
        """
        ...

    def unsubscribe(
        self, old: Sequence[Subscription], held: Collection[Subscription], *, token: str
    ) -> Sequence[Frame]:
        """Give the least frames that take `old` away from a connection that goes on to carry `held`."""
        ...

    def decode(self, frame: Frame, table: Subscriptions, *, connection: str, receive_time: int) -> Sequence[Decoded]:
        """Give what one frame says, oldest first; data for a guid that is no longer wanted is counted and dropped.

        Raises:
            RemoteProtocolError: The frame can't be read.
        """
        ...

    # Orders

    def command(self, command: VenueCommand) -> Frame:
        """Give the frame of an order command.

        Raises:
            LocalProtocolError: The venue has no such order, or no groups of linked ones.
        """
        ...

    # HTTP

    def http_headers(self, *, token: str) -> Mapping[str, str]:
        """Give the headers that authorise a call."""
        ...

    def request(self, ask: Ask) -> HttpRequest | Stream | None:
        """Give the HTTP call for `ask`, or the stream that says it: asked for (again), it brings an `Answer`.

        None: it is told along with something else that is asked, so there is nothing to ask, and nothing to answer.

        Raises:
            LocalProtocolError: The venue can't be asked this.
        """
        ...

    def decode_answer(self, ask: Ask, body: bytes, *, receive_time: int) -> Sequence[Event | Instrument]:
        """Read the body of a successful answer to `ask`; rows are marked ``snapshot=True``.

        Raises:
            RemoteProtocolError: It can't be read.
        """
        ...

    def classify(self, code: int) -> ErrorClass:
        """Say what a refusal, an ended session or an HTTP status asks of us. Unknown codes stop and tell."""
        ...
