"""Drives the simulated Backpack with the package backpack-exchange-sdk; keeps a book by the venue's documented rules.

Usage: python backpack_sdk_client.py BASE_URL, with a Python that has the package and needs nothing of ours.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import websocket  # type: ignore[import-not-found]  # in an environment of its own
from backpack_exchange_sdk.public import PublicClient  # type: ignore[import-not-found]
from backpack_exchange_sdk.websocket import WebSocketClient  # type: ignore[import-not-found]

SECONDS = 6.0
SYMBOL = "SOL_USDC"
BAR = ("open", "high", "low", "close", "volume")


def main(base: str) -> None:
    # The SDK's address is fixed, and its constructor connects.
    app, address = websocket.WebSocketApp, base.replace("http", "ws")
    websocket.WebSocketApp = lambda url, **callbacks: app(
        url.replace("wss://ws.backpack.exchange", address), **callbacks
    )
    got: dict[str, list[Any]] = {name: [] for name in ("trade", "depth", "bookTicker", "kline", "ticker")}
    client = WebSocketClient()
    for name, events in got.items():
        stream = f"{name}.1s.{SYMBOL}" if name == "kline" else f"{name}.{SYMBOL}"
        client.subscribe([stream], events.append)
    public = PublicClient(base_url=base + "/")
    time.sleep(1)
    snapshot = public.get_depth(SYMBOL)
    time.sleep(SECONDS)
    recent = [each["id"] for each in public.get_recent_trades(SYMBOL, 20)]
    client.unsubscribe([f"trade.{SYMBOL}"])
    time.sleep(0.5)
    heard = len(got["trade"])
    time.sleep(0.5)
    trades = [[each["t"], float(each["p"]), float(each["q"]), each["m"]] for each in got["trade"]]
    bars = {
        each["t"]: [float(each[name]) for name in "ohlcv"]
        for each in got["kline"]
        if each["X"] and each["o"] is not None
    }
    books = list(keep_book(snapshot, got["depth"]))
    tops = [[each["b"], each["a"]] for each in got["bookTicker"]]
    print(json.dumps({"trades": trades, "bars": bars, "books": dict(books), "late": len(trades) - heard}))
    print(json.dumps({"tops": tops, "tickers": [[each["s"], each["c"]] for each in got["ticker"]]}))
    markets = [each["symbol"] for each in public.get_markets()]
    print(json.dumps({"markets": markets, "recent": recent, "status": public.get_status()["status"]}))
    day, days = public.get_ticker(SYMBOL), [each["symbol"] for each in public.get_tickers()]
    print(json.dumps({"day": [float(day[name]) for name in ("low", "lastPrice", "high")], "days": days}))
    past = public.get_klines(SYMBOL, "1m", int(time.time()) - 300)
    print(json.dumps({"past": [[float(each[name]) for name in BAR] for each in past], "assets": public.get_assets()}))


def keep_book(snapshot: dict[str, Any], changes: list[dict[str, Any]]) -> Any:
    """Yield the number and five levels a side after each change."""
    number = int(snapshot["lastUpdateId"])
    sides = {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}
    assert changes[0]["U"] <= number + 1, "the snapshot is older than what was heard"
    for change in changes:
        if change["u"] <= number:
            continue
        assert change["U"] == number + 1, "a change is missing"
        number = change["u"]
        for name, side in sides.items():
            for price, quantity in change[name]:
                side[price] = quantity
                if float(quantity) == 0:
                    del side[price]
        bids, asks = ([[float(each) for each in level] for level in side.items()] for side in sides.values())
        yield str(number), [sorted(bids, reverse=True)[:5], sorted(asks)[:5]]


main(*sys.argv[1:])
