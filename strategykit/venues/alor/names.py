"""The words of the protocol: formats, opcodes, enumerations, limits and reply texts.

Enumerations are compared without regard to case and emitted in the forms given here.
Source: ALOR protocol sheet, sections 2.2 to 2.4, 3.13, 4.2, 4.4 and 6.1.
"""

from __future__ import annotations

from typing import Final

from strategykit.model.events import OrderStatus, Side
from strategykit.model.orders import OrderType, TimeInForce
from strategykit.venues.streams import StreamKind

__all__ = [
    "ACTIONS",
    "DEFAULT_BOOK_DEPTH",
    "DEFAULT_FREQUENCY",
    "FORMATS",
    "HANDLED",
    "INITIALIZED",
    "INVALID_TOKEN",
    "LEGACY_STOP_ORDERS",
    "MAX_BOOK_DEPTH",
    "MAX_COMMENT",
    "MAX_PAST_TRADES",
    "MAX_PROTECTING_SECONDS",
    "MIN_FREQUENCY",
    "NANOS",
    "OPCODES",
    "ORDER_TYPES",
    "SIDES",
    "STATUSES",
    "STATUS_WORDS",
    "TIMES_IN_FORCE",
    "TRADES_ALIAS",
    "order_created",
    "order_deleted",
    "order_updated",
]

NANOS: Final = 1_000_000_000

FORMATS: Final = {"simple": "Simple", "slim": "Slim", "heavy": "Heavy"}

OPCODES: Final = {
    StreamKind.TRADES: "AllTradesGetAndSubscribe",
    StreamKind.QUOTES: "QuotesSubscribe",
    StreamKind.BOOK: "OrderBookGetAndSubscribe",
    StreamKind.BARS: "BarsGetAndSubscribe",
    StreamKind.CLUSTERS: "ClustersGetAndSubscribe",
    StreamKind.INSTRUMENT: "InstrumentsGetAndSubscribeV2",
    StreamKind.ORDERS: "OrdersGetAndSubscribeV2",
    StreamKind.STOP_ORDERS: "StopOrdersGetAndSubscribeV2",
    StreamKind.FILLS: "TradesGetAndSubscribeV2",
    StreamKind.POSITIONS: "PositionsGetAndSubscribeV2",
    StreamKind.SUMMARY: "SummariesGetAndSubscribeV2",
    StreamKind.RISK: "RisksGetAndSubscribe",
    StreamKind.SPECTRA_RISK: "SpectraRisksGetAndSubscribe",
}

TRADES_ALIAS: Final = "AllTradesSubscribe"
"""Whether it replays history isn't known; taken as the same operation. Source: section 2.3."""

LEGACY_STOP_ORDERS: Final = "StopOrdersGetAndSubscribe"
"""Deprecated, with another payload. Source: section 3.12."""

SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL}

ORDER_TYPES: Final = {
    "market": OrderType.MARKET,
    "limit": OrderType.LIMIT,
    "stop": OrderType.STOP,
    "stoplimit": OrderType.STOP_LIMIT,
}

ACTIONS: Final = {
    OrderType.MARKET: "market",
    OrderType.LIMIT: "limit",
    OrderType.STOP: "stop",
    OrderType.STOP_LIMIT: "stopLimit",
}
"""As opcodes and HTTP paths spell them."""

STATUSES: Final = {
    "working": OrderStatus.WORKING,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELLED,
    "rejected": OrderStatus.REJECTED,
}

STATUS_WORDS: Final = {
    **{status: word for word, status in STATUSES.items()},
    # The venue has no word for it: what lapses shows as cancelled.
    OrderStatus.EXPIRED: "canceled",
}

TIMES_IN_FORCE: Final = {
    "oneday": TimeInForce.DAY,
    "immediateorcancel": TimeInForce.IMMEDIATE_OR_CANCEL,
    "fillorkill": TimeInForce.FILL_OR_KILL,
    "attheclose": TimeInForce.AT_THE_CLOSE,
    "goodtillcancelled": TimeInForce.GOOD_TILL_CANCELLED,
    "bookorcancel": TimeInForce.POST_ONLY,
}

MIN_FREQUENCY: Final = {"Slim": 10, "Simple": 25, "Heavy": 500}
"""Milliseconds."""

DEFAULT_FREQUENCY: Final = 175
"""Milliseconds."""

DEFAULT_BOOK_DEPTH: Final = 20
MAX_BOOK_DEPTH: Final = 50
MAX_PAST_TRADES: Final = 5_000
MAX_COMMENT: Final = 100
"""Characters."""
MAX_PROTECTING_SECONDS: Final = 300

HANDLED: Final = "Handled successfully"
INVALID_TOKEN: Final = "Invalid JWT token!"  # noqa: S105 - a text of the venue, no secret
INITIALIZED: Final = "The connection has been initialized."


def order_created(number: str) -> str:
    return f"An order '{number}' has been created."


def order_updated(number: str) -> str:
    return f"An order has been updated. New order Id is '{number}'."


def order_deleted(number: str) -> str:
    return f"An order '{number}' has been deleted."
