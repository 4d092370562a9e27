"""Everything a strategy can be told, one class each.

Prices and sizes of market data are `float` (the nearest double to what was printed); what is counted as
money (orders, fills, fees, positions, cash) is `Decimal`. Times are `int` nanoseconds since 1970, UTC.
"""

from __future__ import annotations

import enum
import sys
from decimal import Decimal
from typing import Final, TypeVar, dataclass_transform

import attrs

__all__ = [
    "AccountUpdate",
    "Bar",
    "BookDelta",
    "BookSnapshot",
    "ConnectionDown",
    "ConnectionUp",
    "Event",
    "Fill",
    "Gap",
    "InstrumentUpdate",
    "OrderStatus",
    "OrderUpdate",
    "PositionUpdate",
    "Quote",
    "Side",
    "Stale",
    "Trade",
    "VenueError",
    "VenueStatus",
    "event",
]

T = TypeVar("T")

_FROZEN: Final = sys.flags.dev_mode
"""A frozen attrs class costs three times as much to build, so only ``python -X dev`` really freezes events."""


@dataclass_transform(frozen_default=True, field_specifiers=(attrs.field,))
def event(cls: type[T]) -> type[T]:
    """Make an event class: slots, no weak references, positional, compared by identity, frozen to type checkers."""
    return attrs.define(cls, slots=True, eq=False, weakref_slot=False, frozen=_FROZEN)


class Side(enum.Enum):
    """Direction of an order, fill or aggressor."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderStatus(enum.Enum):
    """What a venue says of one of its orders. `model.orders.OrderState` is what we know of ours."""

    WORKING = "working"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"


@event
class Trade:
    """One trade that the venue printed."""

    instrument: str
    """Symbol on the venue, such as ``"SBER"``."""
    price: float
    """Per unit, in the instrument's quote currency."""
    quantity: float
    """Size in lots, above 0; the direction is `side`. Sizes are in units where `Instrument.counts_units` says so."""
    side: Side | None
    """Who crossed the spread, where the venue says so."""
    trade_id: str | int | None
    """The venue's number of it; unique per instrument where present."""
    event_time: int | None
    """When the venue says it happened."""
    receive_time: int
    """When its frame arrived."""
    guid: str
    """The subscription it came by."""
    snapshot: bool = False
    """True for a past trade, replayed by the venue on subscribing; never one that was delivered before."""
    open_interest: float | None = None


@event
class Quote:
    """Best bid and ask, and the day so far where the venue sends it along."""

    instrument: str
    bid: float | None
    bid_size: float | None
    """Lots at the best bid."""
    ask: float | None
    ask_size: float | None
    last: float | None
    """Price of the last trade."""
    event_time: int | None
    receive_time: int
    guid: str
    snapshot: bool = False
    open: float | None = None
    high: float | None = None
    low: float | None = None
    previous_close: float | None = None
    volume: float | None = None
    """Traded today, as the venue counts it."""
    open_interest: float | None = None


@event
class BookSnapshot:
    """A whole order book to the depth asked for; it replaces what was known."""

    instrument: str
    bid_prices: tuple[float, ...]
    """Highest first; parallel to `bid_sizes`."""
    bid_sizes: tuple[float, ...]
    """Lots."""
    ask_prices: tuple[float, ...]
    """Lowest first; parallel to `ask_sizes`."""
    ask_sizes: tuple[float, ...]
    event_time: int | None
    receive_time: int
    guid: str
    snapshot: bool = False
    """True for the first state after subscribing."""
    sequence: int | None = None  # The venue's number of the last change in it, where it numbers them.


@event
class BookDelta:
    """Changed levels of a book; a size of 0 removes its level."""

    instrument: str
    bid_prices: tuple[float, ...]
    bid_sizes: tuple[float, ...]
    ask_prices: tuple[float, ...]
    ask_sizes: tuple[float, ...]
    event_time: int | None
    receive_time: int
    guid: str
    sequence: int | None = None


@event
class Bar:
    """Open, high, low, close and volume of one interval, which is `interval` nanoseconds long."""

    instrument: str
    open_time: int
    """Start of the interval, nanoseconds UTC."""
    interval: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    closed: bool
    """False while the interval is still forming: a later bar of the same `open_time` replaces this one."""
    event_time: int | None
    receive_time: int
    guid: str
    snapshot: bool = False
    """True for history, loaded or replayed on subscribing."""


@event
class InstrumentUpdate:
    """Trading status and limits. Complete: the dialect merges partial updates before it yields this."""

    instrument: str
    trading_status: int | None
    """The venue's code; `trading` says what matters."""
    trading: bool | None
    """Whether orders are matched now; None where the venue doesn't say."""
    status_text: str | None
    price_min: Decimal | None
    price_max: Decimal | None
    margin_buy: Decimal | None
    margin_sell: Decimal | None
    event_time: int | None
    receive_time: int
    guid: str
    exchange: str | None = None
    board: str | None = None
    margin_synthetic: Decimal | None = None
    theoretical_price: Decimal | None = None
    theoretical_price_limit: Decimal | None = None
    volatility: Decimal | None = None


@event
class OrderUpdate:
    """The venue's word on one order."""

    instrument: str
    venue_order_id: str
    client_order_id: str | None
    """Ours, where the venue carries it back; None for orders that others placed."""
    status: OrderStatus
    side: Side
    quantity: Decimal
    """Lots ordered."""
    filled: Decimal
    """Lots filled so far."""
    price: Decimal | None
    """Limit, per unit; None for a market order."""
    event_time: int | None
    receive_time: int
    guid: str
    snapshot: bool = False
    account: str | None = None
    stop_price: Decimal | None = None
    """Trigger of a stop order; None for any other."""
    linked_order_id: str | None = None
    """For a triggered stop: the number of the order it became."""
    reason: str | None = None
    """Why it was refused or ended, in the venue's words."""
    display_quantity: Decimal | None = None
    """Visible part of an iceberg, lots."""


@event
class Fill:
    """One execution of one of the account's orders. It counts once, however often the venue tells it."""

    instrument: str
    trade_id: str
    venue_order_id: str
    client_order_id: str | None
    side: Side
    quantity: Decimal
    """Lots, above 0."""
    price: Decimal
    fee: Decimal | None
    """In `fee_currency`; None where the venue doesn't say."""
    fee_currency: str | None
    event_time: int | None
    receive_time: int
    guid: str
    snapshot: bool = False
    account: str | None = None


@event
class PositionUpdate:
    """The venue's count of one holding."""

    instrument: str
    quantity: Decimal
    """Lots for an instrument, money for a currency row; negative is short."""
    average_price: Decimal | None
    open_pnl: Decimal | None
    day_pnl: Decimal | None
    event_time: int | None
    receive_time: int
    guid: str
    snapshot: bool = False
    account: str | None = None
    is_currency: bool = False
    lot: Decimal | None = None
    """Units a lot, as this row says it."""


@event
class AccountUpdate:
    """Money and margin of one account; what the venue's message lacks is None."""

    instrument: None
    account: str
    source: str
    """Which of the venue's messages: ``"summary"``, ``"risk"`` or ``"spectra_risk"``."""
    equity: Decimal | None
    buying_power: Decimal | None
    cash: Decimal | None
    initial_margin: Decimal | None
    minimum_margin: Decimal | None
    profit: Decimal | None
    """Today."""
    fees: Decimal | None
    status: str | None
    """The venue's word for it, such as ``"Demand"``."""
    event_time: int | None
    receive_time: int
    guid: str
    by_currency: tuple[tuple[str, Decimal], ...] = ()
    """Buying power a currency."""


@event
class VenueStatus:
    """Something the venue said about itself, such as a session state."""

    instrument: str | None
    status: str
    event_time: int | None
    receive_time: int
    guid: str


@event
class Gap:
    """Data of one subscription may be missing between two times; told before the next datum."""

    instrument: str | None
    since: int
    """The last moment at which the stream was known whole."""
    until: int
    """When it was whole again."""
    reason: str
    event_time: int | None
    receive_time: int
    guid: str


@event
class Stale:
    """A subscription has been silent for longer than its freshness limit; told once a silence."""

    instrument: str | None
    silent_for: int
    """Nanoseconds."""
    event_time: int | None
    receive_time: int
    guid: str


@event
class ConnectionUp:
    """A connection is open and logged in."""

    instrument: None
    connection: str
    """Its name, such as ``"market-0"``; a reconnect keeps the name."""
    lane: str
    event_time: int | None
    receive_time: int
    guid: str = ""


@event
class ConnectionDown:
    """A connection has ended."""

    instrument: None
    connection: str
    lane: str
    reason: str
    event_time: int | None
    receive_time: int
    guid: str = ""


@event
class VenueError:
    """The venue refused or reported something that no waiting request owns."""

    instrument: str | None
    code: int
    message: str
    event_time: int | None
    receive_time: int
    guid: str


Event = (
    Trade
    | Quote
    | BookSnapshot
    | BookDelta
    | Bar
    | InstrumentUpdate
    | OrderUpdate
    | Fill
    | PositionUpdate
    | AccountUpdate
    | VenueStatus
    | Gap
    | Stale
    | ConnectionUp
    | ConnectionDown
    | VenueError
)
