"""Orders: what is asked for, what is known, and the table of how knowledge changes.

The rules are RELIABILITY section 1: only the venue's evidence ends an order; whatever leaves doubt makes it
`UNKNOWN`; fills before the acknowledgement or after a cancel are legal.
"""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import Final

import attrs

from strategykit.errors import LocalProtocolError
from strategykit.model.event_class import value
from strategykit.model.events import Side

__all__ = [
    "TRANSITIONS",
    "AmendOrder",
    "CancelOrder",
    "Command",
    "CreateGroup",
    "CreateOrder",
    "Evidence",
    "GroupKind",
    "OrderRequest",
    "OrderState",
    "OrderType",
    "TimeInForce",
    "VenueCommand",
    "next_state",
    "single_order",
]


class OrderType(enum.Enum):
    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"

    __hash__ = object.__hash__  # See `Side`.


class TimeInForce(enum.Enum):
    DAY = "day"
    IMMEDIATE_OR_CANCEL = "immediate_or_cancel"
    FILL_OR_KILL = "fill_or_kill"
    GOOD_TILL_CANCELLED = "good_till_cancelled"
    AT_THE_CLOSE = "at_the_close"
    POST_ONLY = "post_only"

    __hash__ = object.__hash__  # See `Side`.


@value(kw_only=True)
class OrderRequest:
    """One intent to trade, whole before it is sent. Its `client_order_id` is made once and never reused."""

    client_order_id: str
    account: str
    instrument: str
    side: Side
    quantity: Decimal
    """Lots, above 0."""
    type: OrderType = OrderType.MARKET
    price: Decimal | None = None
    """Limit per unit; needed by LIMIT and STOP_LIMIT, None for the others."""
    stop_price: Decimal | None = None
    """Trigger; needed by STOP and STOP_LIMIT. A buy fires at or above it, a sell at or below it."""
    time_in_force: TimeInForce = TimeInForce.DAY
    board: str | None = None
    display_quantity: Decimal | None = None
    """Visible lots of an iceberg."""
    display_variance: int | None = None
    """Per cent by which the visible part varies."""
    expire_time: int | None = None
    """Nanoseconds UTC at which the order lapses; None: when its `time_in_force` says. Some venues have it for stops
    alone."""
    protect_seconds: int | None = None
    allow_margin: bool = False
    trail: Decimal | None = None
    """Makes a STOP that trails: how far, per unit, its trigger stays at most behind the best price since it was placed.
    Only paper exchanges have it."""
    active: bool = True
    """False makes a dormant stop, for a bracket group."""
    check_duplicates: bool = True


@value(kw_only=True)
class CreateOrder:
    """Place `request`. The `guid` names this command and is the same on every retry of it."""

    guid: str
    request: OrderRequest


@attrs.frozen(kw_only=True)
class AmendOrder:
    """Replace the order `venue_order_id` by `request`. The venue may give it a new number."""

    guid: str
    venue_order_id: str
    request: OrderRequest
    """Its quantity are the lots that are to be open from then on."""
    filled: Decimal = Decimal(0)
    """Lots filled under that number, as far as is known: some venues count them as part of an order's quantity."""


@attrs.frozen(kw_only=True)
class CancelOrder:
    """Withdraw what is unfilled of the order `venue_order_id`."""

    guid: str
    venue_order_id: str
    request: OrderRequest
    """The order's own, so that the dialect knows its type, instrument and account."""


Command = CreateOrder | AmendOrder | CancelOrder
"""About one order."""


class GroupKind(enum.Enum):
    """How the venue links the orders of a group."""

    ONE_CANCELS_OTHER = "one_cancels_other"
    """All work at once; what is filled of one is taken from the others."""
    BRACKET = "bracket"
    """The first is an entry. The others, its exits, are held until it is filled, and then cancel each other."""
    OFFSET_BRACKET = "offset_bracket"
    """The same, with the exits' prices as signed differences from the price at which the entry is filled."""

    @property
    def has_entry(self) -> bool:
        return self is not GroupKind.ONE_CANCELS_OTHER


@attrs.frozen(kw_only=True)
class CreateGroup:
    """Place `requests`, which the venue links: all of them or none."""

    guid: str
    """Names this command, and the group from then on."""
    kind: GroupKind
    requests: tuple[OrderRequest, ...]
    """Two or more, of one account and one instrument."""

    @property
    def creates(self) -> tuple[CreateOrder, ...]:
        """The orders, each as if it were placed by itself: so they are written down, and so each is answered."""
        return tuple(CreateOrder(guid=request.client_order_id, request=request) for request in self.requests)


VenueCommand = CreateOrder | AmendOrder | CancelOrder | CreateGroup
"""Whatever a venue is sent."""


def single_order(command: VenueCommand, venue: str) -> Command:
    """Give a command that is about one order; for venues that link none.

    Raises:
        LocalProtocolError: It is about a group.
    """
    if isinstance(command, CreateGroup):
        raise LocalProtocolError(f"{venue} takes no groups of linked orders")
    return command


class OrderState(enum.Enum):
    """What we know of one of our orders."""

    INTENT = "intent"
    """Decided and recorded; nothing has left."""
    SENT = "sent"
    WORKING = "working"
    PARTIAL = "partial"
    CANCEL_SENT = "cancel_sent"
    CANCEL_UNKNOWN = "cancel_unknown"
    """A cancel went out and its answer was lost; the order may live or not."""
    UNKNOWN = "unknown"
    """It may exist or not: an answer was lost. Ended only by the venue's word."""
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"

    terminal: bool
    """Whether nothing more can happen to the order but late news of fills."""
    doubtful: bool
    """Whether the venue has to be asked."""

    def __init__(self, word: str) -> None:
        self.terminal = word in ("filled", "cancelled", "rejected", "expired")
        self.doubtful = word in ("unknown", "cancel_unknown")

    __hash__ = object.__hash__  # See `Side`.


class Evidence(enum.Enum):
    """What can happen to an order, or be learnt of it."""

    LEFT = "left"
    """The bytes were handed to the wire."""
    NEVER_LEFT = "never_left"
    """We know that no byte left: the lane was down."""
    ACCEPTED = "accepted"
    """The venue numbered it, or shows it working with nothing filled."""
    REFUSED = "refused"
    PART_FILLED = "part_filled"
    ALL_FILLED = "all_filled"
    CANCEL_LEFT = "cancel_left"
    CANCEL_REFUSED = "cancel_refused"
    """The venue refused to cancel; the order's own state comes by its stream."""
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    ANSWER_LOST = "answer_lost"
    """The wire broke or the deadline passed before an answer."""
    UNSEEN = "unseen"
    """The wire that carried its news has ended, or the program that read them: anything may have happened since."""
    NOT_FOUND = "not_found"
    """An authoritative query, after the venue's propagation delay, doesn't know it."""

    __hash__ = object.__hash__  # See `Side`.


def _table() -> dict[tuple[OrderState, Evidence], OrderState]:
    s, e = OrderState, Evidence
    table: dict[tuple[OrderState, Evidence], OrderState] = {
        (s.INTENT, e.LEFT): s.SENT,
        (s.INTENT, e.NEVER_LEFT): s.REJECTED,
        # Whoever recorded the intent died before saying whether it left.
        (s.INTENT, e.ANSWER_LOST): s.UNKNOWN,
        (s.SENT, e.NEVER_LEFT): s.REJECTED,
        (s.SENT, e.ANSWER_LOST): s.UNKNOWN,
        (s.UNKNOWN, e.NOT_FOUND): s.REJECTED,
        (s.UNKNOWN, e.ANSWER_LOST): s.UNKNOWN,
        (s.CANCEL_SENT, e.UNSEEN): s.CANCEL_UNKNOWN,
        (s.CANCEL_UNKNOWN, e.UNSEEN): s.CANCEL_UNKNOWN,
        (s.WORKING, e.ANSWER_LOST): s.WORKING,
        (s.PARTIAL, e.ANSWER_LOST): s.PARTIAL,
        (s.WORKING, e.CANCEL_LEFT): s.CANCEL_SENT,
        (s.PARTIAL, e.CANCEL_LEFT): s.CANCEL_SENT,
        (s.UNKNOWN, e.CANCEL_LEFT): s.CANCEL_UNKNOWN,
        (s.CANCEL_UNKNOWN, e.CANCEL_LEFT): s.CANCEL_SENT,
        (s.CANCEL_SENT, e.CANCEL_LEFT): s.CANCEL_SENT,
        (s.CANCEL_SENT, e.ANSWER_LOST): s.CANCEL_UNKNOWN,
        (s.CANCEL_UNKNOWN, e.ANSWER_LOST): s.CANCEL_UNKNOWN,
        (s.CANCEL_SENT, e.CANCEL_REFUSED): s.CANCEL_UNKNOWN,
        (s.CANCEL_UNKNOWN, e.CANCEL_REFUSED): s.CANCEL_UNKNOWN,
        # News that was overtaken: a fill or a cancel came by the stream before the reply to the command did.
        (s.CANCEL_UNKNOWN, e.NOT_FOUND): s.CANCEL_UNKNOWN,
    }
    live = (s.INTENT, s.SENT, s.WORKING, s.PARTIAL, s.CANCEL_SENT, s.CANCEL_UNKNOWN, s.UNKNOWN)
    for state in live:
        table[state, e.ALL_FILLED] = s.FILLED
        table[state, e.CANCELLED] = s.CANCELLED
        table[state, e.EXPIRED] = s.EXPIRED
        # A reply may say yes and the exchange no: its own rejection comes by the stream, in any live state.
        table[state, e.REFUSED] = s.REJECTED
        keeps = state is s.CANCEL_SENT
        table[state, e.PART_FILLED] = state if keeps else s.PARTIAL
        table[state, e.ACCEPTED] = state if keeps or state is s.PARTIAL else s.WORKING
    # A cancelled order can turn out filled by a fill that was on its way: legal, and it stays ended.
    for state in (s.FILLED, s.CANCELLED, s.REJECTED, s.EXPIRED):
        for late in (e.PART_FILLED, e.ACCEPTED, e.ANSWER_LOST, e.CANCEL_REFUSED, e.LEFT, e.CANCEL_LEFT):
            table[state, late] = state
        # Venues tell an end twice: by the stream and in the answer, and again when they replay after a reconnect.
        for again in (e.EXPIRED, e.REFUSED, e.NOT_FOUND, e.UNSEEN):
            table[state, again] = state
        table[state, e.ALL_FILLED] = s.FILLED
        table[state, e.CANCELLED] = s.FILLED if state is s.FILLED else state
    for state in (s.INTENT, s.SENT, s.WORKING, s.PARTIAL, s.UNKNOWN):
        table[state, e.UNSEEN] = s.UNKNOWN
    for state in (s.WORKING, s.PARTIAL, s.UNKNOWN):
        table[state, e.LEFT] = state
        # The stream told how the order stands before the refusal of its cancel came.
        table[state, e.CANCEL_REFUSED] = state
    return table


TRANSITIONS: Final = _table()
"""``{(state, evidence): state}``. What isn't in it can't happen; `next_state` raises."""


def next_state(state: OrderState, evidence: Evidence) -> OrderState:
    """Look up where `evidence` takes an order.

    Raises:
        LocalProtocolError: The pair isn't in `TRANSITIONS`.
    """
    try:
        return TRANSITIONS[state, evidence]
    except KeyError:
        raise LocalProtocolError(f"an order that is {state.value} can't have {evidence.value!r} happen to it") from None
