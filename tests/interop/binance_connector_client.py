"""Drives the simulated Binance with the package binance-connector: raw streams, lists, pings, REST calls.

Usage: python binance_connector_client.py BASE_URL, with a Python that has binance-connector and needs nothing of ours.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from binance.spot import Spot  # type: ignore[import-not-found]  # in an environment of its own
from binance.websocket.spot.websocket_stream import SpotWebsocketStreamClient  # type: ignore[import-not-found]

SECONDS = 5.0
SYMBOL = "BTCUSDT"


def main(base: str) -> None:
    books: dict[str, Any] = {}
    trades: list[Any] = []
    bars: dict[str, Any] = {}
    changes: list[Any] = []
    answers: list[Any] = []
    pongs: list[Any] = []

    def take(_: Any, text: str) -> None:
        data = json.loads(text)
        if "result" in data:
            answers.append(data["result"])
        elif "lastUpdateId" in data:
            sides = ([[float(each) for each in level] for level in data[side]] for side in ("bids", "asks"))
            books[str(data["lastUpdateId"])] = list(sides)
        elif data["e"] == "trade":
            trades.append([data["t"], float(data["p"]), float(data["q"])])
        elif data["e"] == "depthUpdate":
            changes.append([data["U"], data["u"]])
        elif data["k"]["x"]:
            bars[str(data["k"]["t"])] = [float(data["k"][name]) for name in "ohlcv"]

    address = base.replace("http", "ws")
    client = SpotWebsocketStreamClient(stream_url=address, on_message=take, on_pong=lambda *_: pongs.append(1))
    client.trade(SYMBOL)
    client.kline(SYMBOL, "1s")
    client.partial_book_depth(SYMBOL, level=5, speed=100)
    client.diff_book_depth(SYMBOL, speed=100)
    time.sleep(1.2)  # Five messages a second are allowed.
    client.ping()
    client.list_subscribe()
    time.sleep(SECONDS)
    client.trade(SYMBOL, action="UNSUBSCRIBE")
    client.list_subscribe()
    time.sleep(0.5)
    client.stop()
    rest = Spot(base_url=base)
    listed = [each["symbol"] for each in rest.exchange_info()["symbols"]]
    print(json.dumps({"listed": listed, "klines": len(rest.klines(SYMBOL, "1s", limit=5)), "time": rest.time()}))
    print(json.dumps({"books": books, "trades": trades, "bars": bars, "changes": changes}))
    print(json.dumps({"answers": answers, "pongs": len(pongs)}))


main(*sys.argv[1:])
