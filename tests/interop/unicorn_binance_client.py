"""Drives the simulated Binance with the package unicorn-binance-websocket-api: streams as its UnicornFy words them.

Trades come as they are: UnicornFy 0.17.2 wants the order ids in them that Binance documents no more.

Usage: python unicorn_binance_client.py BASE_URL, with a Python that has the package and needs nothing of ours.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from unicorn_binance_websocket_api import (  # type: ignore[import-not-found]  # in an environment of its own
    BinanceWebSocketApiManager,
)

SECONDS = 6.0


async def main(base: str) -> None:
    address = base.replace("http", "ws") + "/"
    manager = BinanceWebSocketApiManager(
        exchange="binance.com", websocket_base_uri=address, warn_on_update=False, output_default="UnicornFy"
    )
    books: dict[str, Any] = {}
    trades: list[Any] = []
    bars: dict[str, Any] = {}
    changes: list[Any] = []
    manager.create_stream(["trade"], ["btcusdt"], output="dict")
    stream = manager.create_stream(["kline_1s", "depth5@100ms"], ["btcusdt"])
    later = False
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        data = manager.pop_stream_data_from_stream_buffer()
        if not data:
            await asyncio.sleep(0.01)
            continue
        kind = data.get("event_type")
        if data.get("data", {}).get("e") == "trade":
            trade = data["data"]
            trades.append([trade["t"], float(trade["p"]), float(trade["q"])])
        elif kind == "kline" and data["kline"]["is_closed"]:
            bar = data["kline"]
            names = ("open_price", "high_price", "low_price", "close_price", "base_volume")
            bars[str(bar["kline_start_time"])] = [float(bar[name]) for name in names]
        elif kind == "depth":
            sides = ([[float(each) for each in level] for level in data[side]] for side in ("bids", "asks"))
            books[str(data["last_update_id"])] = list(sides)
        elif kind == "depthUpdate":
            changes.append([data["first_update_id_in_event"], data["final_update_id_in_event"]])
        if not later and until - time.monotonic() < SECONDS / 2:
            manager.subscribe_to_stream(stream, channels=["depth@100ms"])
            later = True
    info = manager.get_stream_info(stream)
    manager.stop_manager()
    print(json.dumps({"books": books, "trades": trades, "bars": bars, "changes": changes}))
    print(json.dumps({"reconnects": info["reconnects"], "status": info["status"]}))


asyncio.run(main(*sys.argv[1:]))
