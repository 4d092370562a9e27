"""Drives the simulated Binance with the package python-binance: its book cache, multiplexed streams, REST calls.

Usage: python python_binance_client.py BASE_URL, with a Python that has python-binance and needs nothing of ours.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from binance import AsyncClient, BinanceSocketManager  # type: ignore[import-not-found]  # in an environment of its own
from binance.ws.depthcache import DepthCacheManager  # type: ignore[import-not-found]

SECONDS = 6.0
SYMBOL = "BTCUSDT"


class CountingCache(DepthCacheManager):  # type: ignore[misc]  # what can't be imported is Any
    snapshots = 0

    async def _init_cache(self) -> None:
        self.snapshots += 1
        await super()._init_cache()


async def main(base: str) -> None:
    AsyncClient.API_URL = f"{base}/api"
    BinanceSocketManager.STREAM_URL = base.replace("http", "ws") + "/"
    client = await AsyncClient.create()
    sockets = BinanceSocketManager(client)
    info = await client.get_symbol_info(SYMBOL)
    print(json.dumps({"filters": {each["filterType"]: each for each in info["filters"]}}))
    books: dict[str, Any] = {}
    trades: list[Any] = []
    bars: dict[str, Any] = {}
    until = time.monotonic() + SECONDS

    async def keep_book() -> int:
        async with CountingCache(client, SYMBOL, bm=sockets, ws_interval=100) as cache:
            while time.monotonic() < until:
                book = await cache.recv()
                books[str(cache._last_update_id)] = [book.get_bids()[:5], book.get_asks()[:5]]
            return int(cache.snapshots)

    async def read_streams() -> None:
        async with sockets.multiplex_socket(["btcusdt@trade", "btcusdt@kline_1s"]) as stream:
            while time.monotonic() < until:
                data = (await stream.recv())["data"]
                if data["e"] == "trade":
                    trades.append([data["t"], float(data["p"]), float(data["q"])])
                elif data["k"]["x"]:
                    bars[str(data["k"]["t"])] = [float(data["k"][name]) for name in "ohlcv"]

    snapshots, _ = await asyncio.gather(keep_book(), read_streams())
    history = await client.get_historical_klines(SYMBOL, "1m", int(time.time() * 1000) - 600_000)
    print(json.dumps({"history": len(history), "average": (await client.get_avg_price(symbol=SYMBOL))["mins"]}))
    print(json.dumps({"books": books, "snapshots": snapshots, "trades": trades, "bars": bars}))
    await client.close_connection()


asyncio.run(main(*sys.argv[1:]))
