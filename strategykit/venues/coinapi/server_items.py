"""What the venue tells, item by item, as it stands in REST answers; the stream adds type and sequence.

Source: CoinAPI protocol sheet, sections 5 and 8.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = [
    "AssetItem",
    "Bar",
    "BookItem",
    "ExchangeItem",
    "Item",
    "Level",
    "NamedBar",
    "Order",
    "OrderBookItem",
    "OrderChange",
    "OrderChangesItem",
    "OrdersItem",
    "QuoteItem",
    "RateItem",
    "SymbolItem",
    "TakerSide",
    "TopBookItem",
    "TradeItem",
    "UpdateType",
    "VolumeItem",
    "VolumeRow",
]

TakerSide = Literal["BUY", "SELL", "BUY_ESTIMATED", "SELL_ESTIMATED", "UNKNOWN"]

UpdateType = Literal["ADD", "UPDATE", "SUBTRACT", "MATCH", "DELETE"]
"""A new order; its new size; less by a size; less by a size that traded; gone."""

RateType = Literal["BASE_QUOTE_ISOLATED", "BASE_ALL_CROSSES_TO_REF", "BASE_AND_QUOTE_TO_REF"]


class Item(msgspec.Struct, frozen=True):
    """One of them. Times are texts with seven fractional digits, sizes count base units."""


class _Timed(Item, frozen=True):
    symbol_id: str
    time_exchange: str
    """By the venue's clock."""
    time_coinapi: str
    """When CoinAPI had it."""


class TradeItem(_Timed, frozen=True):
    uuid: str
    price: float
    size: float
    """0: a marker, not a trade."""
    taker_side: TakerSide


class QuoteItem(_Timed, frozen=True):
    ask_price: float | None
    ask_size: float | None
    """0: unknown."""
    bid_price: float | None
    bid_size: float | None


class Level(msgspec.Struct, frozen=True):
    price: float
    size: float
    """Total of the level; 0: the level is gone."""


class TopBookItem(_Timed, frozen=True):
    """The best levels, whole."""

    asks: tuple[Level, ...]
    """Lowest first."""
    bids: tuple[Level, ...]
    """Highest first."""


class BookItem(_Timed, frozen=True):
    """All levels, or those that changed."""

    is_snapshot: bool
    asks: tuple[Level, ...]
    bids: tuple[Level, ...]


class Order(msgspec.Struct, frozen=True):
    id: str | None
    """None: the entry is a whole level, of a venue that doesn't show its orders."""
    price: float
    size: float


class OrderChange(msgspec.Struct, frozen=True):
    id: str | None
    price: float
    size: float
    update_type: UpdateType


class OrderBookItem(_Timed, frozen=True):
    """REST's book by order."""

    asks: tuple[Order, ...]
    bids: tuple[Order, ...]


class OrdersItem(_Timed, frozen=True):
    """A whole book by order, as the stream has it."""

    is_snapshot: bool
    asks: tuple[Order, ...]
    bids: tuple[Order, ...]


class OrderChangesItem(_Timed, frozen=True):
    """What changed in a book by order."""

    is_snapshot: bool
    asks: tuple[OrderChange, ...]
    bids: tuple[OrderChange, ...]


class Bar(Item, frozen=True):
    """As REST has it, for one symbol and period that were asked for."""

    time_period_start: str
    """Inclusive."""
    time_period_end: str
    """Exclusive."""
    time_open: str | None
    """Of the first trade; None, as the prices: there was none."""
    time_close: str | None
    price_open: float | None
    price_high: float | None
    price_low: float | None
    price_close: float | None
    volume_traded: float
    trades_count: int


class NamedBar(Bar, frozen=True, kw_only=True):
    """As the stream has it."""

    symbol_id: str
    period_id: str


class RateItem(Item, frozen=True):
    asset_id_base: str
    asset_id_quote: str
    rate_type: RateType
    time: str
    rate: float


class VolumeRow(msgspec.Struct, frozen=True):
    symbol_id: str
    asset_id_base: str
    asset_id_quote: str
    volume_base: float
    volume_quote: float


class VolumeItem(Item, frozen=True):
    period_id: str
    time_coinapi: str
    volume_by_symbol: tuple[VolumeRow, ...]


class _Covered(Item, frozen=True, kw_only=True):
    """From when to when there are data."""

    data_quote_start: str
    data_quote_end: str
    data_orderbook_start: str
    data_orderbook_end: str
    data_trade_start: str
    data_trade_end: str


class AssetItem(_Covered, frozen=True, kw_only=True):
    asset_id: str
    name: str
    type_is_crypto: Literal[0, 1]
    data_symbols_count: int
    volume_1hrs_usd: float
    volume_1day_usd: float
    volume_1mth_usd: float
    price_usd: float | None


class ExchangeItem(_Covered, frozen=True, kw_only=True):
    exchange_id: str
    website: str
    name: str
    data_start: str
    """A date."""
    data_end: str
    data_symbols_count: int
    volume_1hrs_usd: float
    volume_1day_usd: float
    volume_1mth_usd: float


class SymbolItem(_Covered, frozen=True, kw_only=True):
    symbol_id: str
    exchange_id: str
    symbol_type: Literal["SPOT"]
    asset_id_base: str
    asset_id_quote: str
    volume_1hrs: float
    volume_1hrs_usd: float
    volume_1day: float
    volume_1day_usd: float
    volume_1mth: float
    volume_1mth_usd: float
    price: float | None
    symbol_id_exchange: str
    asset_id_base_exchange: str
    asset_id_quote_exchange: str
    price_precision: float
    size_precision: float
