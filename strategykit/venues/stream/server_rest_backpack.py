"""Rows of the REST answers of Backpack and of the seed's server. Source: stream protocol sheet, sections 3.3 and 4."""

from __future__ import annotations

from strategykit.model.instruments import Instrument
from strategykit.venues.stream.server_backpack import write_naive
from strategykit.venues.stream.server_values import BookState, Candle, Day, Mark, Print
from strategykit.venues.stream.server_wording import Row

__all__ = [
    "depth_row",
    "kline_row",
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
    tick, lot = f"{instrument.tick:f}", f"{instrument.lot:f}"
    return {
        "symbol": instrument.symbol,
        "baseSymbol": base,
        "quoteSymbol": quote,
        "marketType": "PERP" if perpetual else "SPOT",
        "filters": {
            "price": {"minPrice": tick, "maxPrice": None, "tickSize": tick},
            "quantity": {"minQuantity": lot, "maxQuantity": None, "stepSize": lot},
        },
        "orderBookState": "Open",
        "createdAt": "2025-01-21T06:34:54.691858",
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
    row: Row = {
        "start": write_naive(candle.open_time, between=" "),
        "end": write_naive(candle.close_time + 1, between=" "),
    }
    return row | _bar(candle) | {"quoteVolume": candle.quote_volume, "trades": str(candle.trades)}


def ticker_row(day: Day) -> Row:
    """Word a ticker; the seed's server has the same members."""
    return {"symbol": day.symbol, "high": day.high, "low": day.low, "volume": day.volume} | {
        "firstPrice": day.open,
        "lastPrice": day.last,
        "priceChange": day.change,
        "priceChangePercent": f"{float(day.percent) / 100:.6f}",
        "quoteVolume": day.quote_volume,
        "trades": str(day.trades),
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
