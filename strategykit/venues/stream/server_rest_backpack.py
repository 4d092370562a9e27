"""Rows of the REST answers of Backpack and of the seed's server. Source: stream protocol sheet, sections 3.3 and 4."""

from __future__ import annotations

from decimal import Decimal

from strategykit.model.instruments import Instrument
from strategykit.venues.stream.server_backpack import write_naive
from strategykit.venues.stream.server_values import BookState, Candle, Day, Mark, Print
from strategykit.venues.stream.server_wording import Row

__all__ = [
    "bar_row",
    "day_row",
    "depth_row",
    "kline_row",
    "listed_row",
    "mark_row",
    "market_row",
    "seed_depth_row",
    "seed_kline_row",
    "seed_trade_row",
    "ticker_row",
    "trade_row",
]

_MS = 1_000_000


def market_row(instrument: Instrument) -> Row:
    base, quote, *perpetual = instrument.symbol.split("_")
    row = listed_row(
        instrument.symbol, base, quote, tick=instrument.tick, step=instrument.lot, perpetual=bool(perpetual)
    )
    return row | {"createdAt": "2025-01-21T06:34:54.691858"}


def listed_row(symbol: str, base: str, quote: str, *, tick: Decimal, step: Decimal, perpetual: bool) -> Row:
    """Word a market: what is traded for what, and the steps of its prices and quantities."""
    price, quantity = f"{tick:f}", f"{step:f}"
    return {
        "symbol": symbol,
        "baseSymbol": base,
        "quoteSymbol": quote,
        "marketType": "PERP" if perpetual else "SPOT",
        "filters": {
            "price": {"minPrice": price, "maxPrice": None, "tickSize": price},
            "quantity": {"minQuantity": quantity, "maxQuantity": None, "stepSize": quantity},
        },
        "orderBookState": "Open",
        "visible": True,
    }


def depth_row(book: BookState) -> Row:
    """Word a snapshot: both sides ascending, the number as text, the time in microseconds."""
    return {
        "asks": book.asks,
        "bids": book.bids[::-1],
        "lastUpdateId": str(book.last),
        "timestamp": book.time // 1_000,
    }


def trade_row(trade: Print) -> Row:
    return {
        "id": trade.trade_id,
        "price": trade.price,
        "quantity": trade.quantity,
        "quoteQuantity": f"{float(trade.price) * float(trade.quantity):.8f}",
        "timestamp": trade.time // _MS,
        "isBuyerMaker": trade.buyer_is_maker,
    }


def kline_row(candle: Candle) -> Row:
    prices = (candle.open, candle.high, candle.low, candle.close)
    row = bar_row(candle.open_time, candle.close_time + 1, prices, candle.volume)
    return row | {"quoteVolume": candle.quote_volume, "trades": str(candle.trades)}


def bar_row(begin: int, end: int, prices: tuple[str, str, str, str], volume: str) -> Row:
    """Word a bar: open, high, low and close. What it came to in money, and how many trades, isn't always known."""
    row: Row = {"start": write_naive(begin, between=" "), "end": write_naive(end, between=" ")}
    row |= zip(("open", "high", "low", "close"), prices, strict=True)
    return row | {"volume": volume, "quoteVolume": None, "trades": None}


def ticker_row(day: Day) -> Row:
    """Word a ticker; the seed's server has the same members."""
    return day_row(
        day.symbol,
        first=day.open,
        last=day.last,
        high=day.high,
        low=day.low,
        change=day.change,
        ratio=float(day.percent) / 100,
        volume=day.volume,
        quote_volume=day.quote_volume,
        trades=day.trades,
    )


def day_row(
    symbol: str,
    *,
    first: str | None,
    last: str | None,
    high: str | None,
    low: str | None,
    change: str | None,
    ratio: float | None,
    volume: str | None,
    quote_volume: str | None,
    trades: int | None,
) -> Row:
    """Word the figures of a day; `ratio` is the change as a part of the first price."""
    return {"symbol": symbol, "high": high, "low": low, "volume": volume} | {
        "firstPrice": first,
        "lastPrice": last,
        "priceChange": change,
        "priceChangePercent": None if ratio is None else f"{ratio:.6f}",
        "quoteVolume": quote_volume,
        "trades": None if trades is None else str(trades),
    }


def mark_row(mark: Mark) -> Row:
    return {
        "symbol": mark.symbol,
        "markPrice": mark.price,
        "indexPrice": mark.index,
        "fundingRate": mark.funding,
        "nextFundingTimestamp": mark.next_funding // _MS,
    }


def seed_depth_row(book: BookState) -> Row:
    """Word a snapshot: both sides ascending, and no number."""
    return {"bids": book.bids[::-1], "asks": book.asks}


def seed_trade_row(trade: Print) -> Row:
    return {
        "trade_id": trade.trade_id,
        "market": trade.symbol,
        "price": trade.price,
        "quantity": trade.quantity,
        "user_id": "crowd",
        "other_user_id": "crowd",
        "order_id": str(trade.trade_id),
        "timestamp": trade.time // _MS,
    }


def seed_kline_row(candle: Candle) -> Row:
    row: Row = _bar(candle) | {"quote_volume": candle.quote_volume, "trades": str(candle.trades)}
    return row | {"start": str(candle.open_time // _MS), "end": str((candle.close_time + 1) // _MS)}


def _bar(candle: Candle) -> Row:
    row = {"open": candle.open, "high": candle.high, "low": candle.low, "close": candle.close}
    return row | {"volume": candle.volume}
