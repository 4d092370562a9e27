"""Drives a simulated venue with the package ccxt: what ccxt.pro makes of trades, books, bars and tickers.

Usage: python ccxt_client.py EXCHANGE SYMBOL BASE_URL, with a Python that has ccxt and needs nothing of ours.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import ccxt.pro  # type: ignore[import-not-found]  # in an environment of its own

SECONDS = 6.0


def open_exchange(name: str, base: str) -> Any:
    exchange = getattr(ccxt.pro, name)({"newUpdates": True})
    socket = base.replace("http", "ws")
    if name == "backpack":
        exchange.urls["api"] = {"public": base, "private": base, "ws": {"public": socket, "private": socket}}
        return exchange
    market = "spot" if name == "binance" else "linear"
    rest = {"public": "/api/v3", "private": "/api/v3", "v1": "/api/v1"} if market == "spot" else {}
    futures = {"fapiPublic": "/fapi/v1", "fapiPublicV2": "/fapi/v2", "fapiPublicV3": "/fapi/v3"}
    exchange.urls["api"] |= {each: base + path for each, path in (rest | futures).items()}
    exchange.urls["api"]["ws"][market] = f"{socket}/ws"
    exchange.has["fetchCurrencies"] = False
    exchange.options["fetchMarkets"] = {"types": [market]}
    return exchange


async def main(name: str, symbol: str, base: str) -> None:
    exchange = open_exchange(name, base)
    books: dict[str, Any] = {}
    trades: list[Any] = []
    bars: dict[str, Any] = {}
    tickers: list[Any] = []
    snapshots = 0
    fetch = exchange.fetch_order_book

    async def count_snapshots(*arguments: Any, **options: Any) -> Any:
        nonlocal snapshots
        snapshots += 1
        return await fetch(*arguments, **options)

    exchange.fetch_order_book = exchange.fetchOrderBook = count_snapshots
    until = time.monotonic() + SECONDS

    async def watch_books() -> None:
        while time.monotonic() < until:
            book = await exchange.watch_order_book(symbol)
            sides = (book["bids"], book["asks"])
            books[str(book["nonce"])] = [[list(level[:2]) for level in side[:5]] for side in sides]

    async def watch_trades() -> None:
        while time.monotonic() < until:
            new = await exchange.watch_trades(symbol)
            trades.extend([trade["id"], trade["price"], trade["amount"], trade["side"]] for trade in new)

    async def watch_bars() -> None:
        while time.monotonic() < until:
            for start, *values in await exchange.watch_ohlcv(symbol, "1m"):
                bars[str(start)] = values

    async def watch_tickers() -> None:
        while time.monotonic() < until:
            ticker = await exchange.watch_ticker(symbol)
            tickers.append([ticker["symbol"], ticker["last"], ticker["high"], ticker["low"]])

    try:
        markets = await exchange.load_markets()
        print(json.dumps({"markets": sorted(markets), "precision": exchange.market(symbol)["precision"]}))
        await asyncio.gather(watch_books(), watch_trades(), watch_bars(), watch_tickers())
        shown = exchange.fetch_ohlcv(symbol, "1m", limit=3)
        print(json.dumps({"history": await shown, "recent": len(await exchange.fetch_trades(symbol, limit=20))}))
        day = await exchange.fetch_ticker(symbol)
        print(json.dumps({"day": [day[each] for each in ("low", "last", "high")]}))
    finally:
        await exchange.close()
    print(json.dumps({"books": books, "trades": trades, "bars": bars, "tickers": tickers, "snapshots": snapshots}))


asyncio.run(main(*sys.argv[1:]))
