"""Clients that others wrote make books, trades and bars of the simulated Backpack, and they are the venue's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from strategykit.sim.server_stream import open_simulated_stream
from strategykit.sim.stream_config import StreamVenueConfig

pytestmark = pytest.mark.interop

TRADES, BARS, BOOKS = 20, 3, 20
"""The least that a client has to understand in its six seconds; it is shown about three times as much."""


@pytest.mark.parametrize("client", ["ccxt==4.5.90"], indirect=True)
async def test_ccxt_keeps_books_trades_and_bars(
    client: Callable[..., Any],
    simulated: Callable[..., Any],
    watched: Callable[..., Any],
) -> None:
    async with simulated("backpack") as url, watched(url, "/api/v1/depth", "SOL_USDC") as venue:
        told = await client("ccxt_client.py", "backpack", "SOL/USDC", url)
        rows = await venue.get("/api/v1/trades", symbol="SOL_USDC", limit=1000)
        kept = await venue.get("/api/v1/klines", symbol="SOL_USDC", interval="1m", limit=10)

    venue.check_books(told["books"], at_least=BOOKS)
    assert told["snapshots"] == 1
    sides = {True: "sell", False: "buy"}
    actual = {row["id"]: [float(row["price"]), float(row["quantity"]), sides[row["isBuyerMaker"]]] for row in rows}
    venue.check_trades(told["trades"], actual, at_least=TRADES)
    assert told["markets"] == ["BTC/USDC", "ETH/USDC", "SOL/USDC", "SOL/USDC:USDC"]
    assert told["precision"] == {"price": 0.01, "amount": 0.1}
    bars = [[float(row[name]) for name in ("open", "high", "low", "close", "volume")] for row in kept]
    assert len(told["history"]) == 3
    assert all(values in bars for _, *values in told["history"][:-1])
    assert told["bars"]
    assert told["recent"] == 20
    assert told["tickers"]
    assert all(name == "SOL/USDC" and low <= last <= high for name, last, high, low in told["tickers"])
    assert told["day"] == sorted(told["day"])


@pytest.mark.parametrize("client", ["backpack-exchange-sdk==1.1.4"], indirect=True)
async def test_the_sdk_reads_every_public_stream(
    client: Callable[..., Any],
    simulated: Callable[..., Any],
    watched: Callable[..., Any],
) -> None:
    async with simulated("backpack") as url, watched(url, "/api/v1/depth", "SOL_USDC") as venue:
        told = await client("backpack_sdk_client.py", url)
        rows = await venue.get("/api/v1/trades", symbol="SOL_USDC", limit=1000)
        kept = await venue.get("/api/v1/klines", symbol="SOL_USDC", interval="1s", limit=100)

    venue.check_books(told["books"], at_least=BOOKS)
    actual = {row["id"]: [float(row["price"]), float(row["quantity"]), row["isBuyerMaker"]] for row in rows}
    venue.check_trades(told["trades"], actual, at_least=TRADES)
    assert told["late"] == 0
    names = ("open", "high", "low", "close", "volume")
    bars = {row["start"].replace(" ", "T"): [float(row[name]) for name in names] for row in kept if row["open"]}
    assert len(told["bars"]) >= BARS
    assert told["bars"] == {start: bars[start] for start in told["bars"]}
    assert len(told["tops"]) >= BOOKS // 2
    assert all(float(bid) < float(ask) for bid, ask in told["tops"])
    assert {name for name, _ in told["tickers"]} == {"SOL_USDC"}
    assert told["markets"] == ["BTC_USDC", "ETH_USDC", "SOL_USDC", "SOL_USDC_PERP"]
    assert told["recent"] == sorted(told["recent"], reverse=True)
    assert (len(told["recent"]), told["status"]) == (20, "Ok")
    assert told["day"] == sorted(told["day"])
    assert set(told["days"]) == set(told["markets"])
    assert told["past"]


@pytest.mark.parametrize(
    ("client", "script"),
    [
        ("ccxt==4.5.90", ["ccxt_client.py", "backpack", "SOL/USDC"]),
        ("backpack-exchange-sdk==1.1.4", ["backpack_sdk_client.py"]),
    ],
    indirect=["client"],
)
async def test_clients_answer_pings_as_the_venue_wants_it(client: Callable[..., Any], script: list[str]) -> None:
    """The SDK sends each answer twice."""
    async with open_simulated_stream("backpack", StreamVenueConfig(ping_every=0.5, pong_within=1.0)) as venue:
        told = await client(*script, venue.url)

    assert len(told["trades"]) >= TRADES
    first = int(told["trades"][0][0])
    assert [int(number) for number, *_ in told["trades"]] == list(range(first, first + len(told["trades"])))
