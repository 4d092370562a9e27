"""Everything a strategy can be told, one class each.

Prices and sizes of market data are `float` (the nearest double to what was printed); what is counted as
money (orders, fills, fees, positions, cash) is `Decimal`. Times are `int` nanoseconds since 1970, UTC.
"""

from __future__ import annotations

import enum
from decimal import Decimal

from strategykit.model.event_class import Side, event
from strategykit.model.market_events import (
    AssetUpdate,
    Bar,
    BookDelta,
    BookSnapshot,
    ByOrderDelta,
    ByOrderSnapshot,
    Quote,
    Rate,
    Ticker,
    Trade,
    Volume,
)

__all__ = [
    "AccountUpdate",
    "AssetUpdate",
    "Bar",
    "BookDelta",
    "BookSnapshot",
    "ByOrderDelta",
    "ByOrderSnapshot",
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
    "Rate",
    "Side",
    "Stale",
    "Ticker",
    "Trade",
    "VenueError",
    "VenueStatus",
    "Volume",
    "event",
]


class OrderStatus(enum.Enum):
    """What a venue says of one of its orders. `model.orders.OrderState` is what we know of ours."""

    WORKING = "working"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"

    __hash__ = object.__hash__  # See `Side`.


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
    group: str | None = None
    """Name of the group that it was placed in, such as a bracket's, where the venue carries it back."""


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
    | ByOrderSnapshot
    | ByOrderDelta
    | Bar
    | Ticker
    | Rate
    | Volume
    | AssetUpdate
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
