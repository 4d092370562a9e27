"""Rows of Binance's REST answers, spot and USD-M futures. Source: stream protocol sheet, sections 5 and 7."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from strategykit.model.instruments import Instrument
from strategykit.venues.stream.server_values import BookState, Candle, Day, Mark, Print, Top
from strategykit.venues.stream.server_wording import Row

__all__ = [
    "aggregate_row",
    "book_top_row",
    "day_row",
    "depth_row",
    "exchange_info",
    "kline_row",
    "mark_row",
    "trade_row",
]

_MS = 1_000_000
_FAR = 4_133_404_800_000
"""Delivery of a perpetual future: the year 2100."""


def exchange_info(instruments: Iterable[Instrument], now: int, *, futures: bool) -> Row:
    """Word what is listed, with the filters that clients read tick and lot from."""
    rows = [_symbol_row(instrument, futures=futures) for instrument in instruments]
    info: Row = {"timezone": "UTC", "serverTime": now // _MS, "rateLimits": [], "exchangeFilters": [], "symbols": rows}
    if futures:
        info["assets"] = [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "0"}]
    return info


def depth_row(book: BookState, now: int, *, futures: bool) -> Row:
    row: Row = {"lastUpdateId": book.last}
    if futures:
        row |= {"E": now // _MS, "T": book.time // _MS}
    return row | {"bids": book.bids, "asks": book.asks}


def kline_row(candle: Candle) -> list[Any]:
    return [
        candle.open_time // _MS,
        candle.open,
        candle.high,
        candle.low,
        candle.close,
        candle.volume,
        candle.close_time // _MS,
        candle.quote_volume,
        candle.trades,
        candle.taker_volume,
        candle.taker_quote_volume,
        "0",
    ]


def trade_row(trade: Print) -> Row:
    return {
        "id": trade.trade_id,
        "price": trade.price,
        "qty": trade.quantity,
        "quoteQty": f"{float(trade.price) * float(trade.quantity):.8f}",
        "time": trade.time // _MS,
        "isBuyerMaker": trade.buyer_is_maker,
        "isBestMatch": True,
    }


def aggregate_row(trade: Print) -> Row:
    number, maker = trade.trade_id, trade.buyer_is_maker
    row: Row = {"a": number, "p": trade.price, "q": trade.quantity, "f": number, "l": number}
    return row | {"T": trade.time // _MS, "m": maker, "M": True}


def book_top_row(top: Top) -> Row:
    (bid, bid_size), (ask, ask_size) = top.bid or ("0", "0"), top.ask or ("0", "0")
    return {"symbol": top.symbol, "bidPrice": bid, "bidQty": bid_size, "askPrice": ask, "askQty": ask_size}


def day_row(day: Day) -> Row:
    return book_top_row(day.top) | {
        "priceChange": day.change,
        "priceChangePercent": day.percent,
        "weightedAvgPrice": day.weighted,
        "prevClosePrice": day.previous_close,
        "lastPrice": day.last,
        "lastQty": day.last_quantity,
        "openPrice": day.open,
        "highPrice": day.high,
        "lowPrice": day.low,
        "volume": day.volume,
        "quoteVolume": day.quote_volume,
        "openTime": day.open_time // _MS,
        "closeTime": day.close_time // _MS,
        "firstId": day.first_id,
        "lastId": day.last_id,
        "count": day.trades,
    }


def mark_row(mark: Mark, now: int) -> Row:
    return {
        "symbol": mark.symbol,
        "markPrice": mark.price,
        "indexPrice": mark.index,
        "estimatedSettlePrice": mark.price,
        "lastFundingRate": mark.funding,
        "nextFundingTime": mark.next_funding // _MS,
        "interestRate": "0.00010000",
        "time": now // _MS,
    }


def _symbol_row(instrument: Instrument, *, futures: bool) -> Row:
    symbol, quote = instrument.symbol, instrument.currency
    base = symbol.removesuffix(quote)
    tick, lot = f"{instrument.tick:f}", f"{instrument.lot:f}"
    row: Row = {
        "symbol": symbol,
        "status": "TRADING",
        "baseAsset": base,
        "baseAssetPrecision": 8,
        "quoteAsset": quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "9000", "stepSize": lot},
            {"filterType": "MARKET_LOT_SIZE", "minQty": lot, "maxQty": "9000", "stepSize": lot},
        ],
    }
    if futures:
        return row | {
            "pair": symbol,
            "contractType": "PERPETUAL",
            "deliveryDate": _FAR,
            "onboardDate": 0,
            "marginAsset": quote,
            "pricePrecision": _places(tick),
            "quantityPrecision": _places(lot),
            "underlyingType": "COIN",
            "timeInForce": ["GTC", "IOC", "FOK"],
        }
    permissions = {"permissions": ["SPOT"], "permissionSets": [["SPOT"]]}
    return row | permissions | {"isSpotTradingAllowed": True, "isMarginTradingAllowed": False, "icebergAllowed": True}


def _places(text: str) -> int:
    return len(text.partition(".")[2])
