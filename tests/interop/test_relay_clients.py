"""Clients of Backpack that others wrote know nothing of the relay before it, and understand what the venue says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

pytestmark = pytest.mark.interop

TRADES, BARS, BOOKS = 20, 3, 20
"""The least that a client has to understand in its six seconds; it is shown about three times as much."""

SIDES = {True: "sell", False: "buy"}


def check_run(told: Sequence[Sequence[Any]], actual: Sequence[Sequence[Any]]) -> None:
    """Make sure that trades are those of the venue, in its order, none missing, numbered one by one by the relay."""
    first = int(told[0][0])
    assert [int(number) for number, *_ in told] == list(range(first, first + len(told)))
    values = [list(trade) for _, *trade in told]
    starts = range(len(actual) - len(values) + 1)
    assert any(list(map(list, actual[start : start + len(values)])) == values for start in starts)


def count_common(told: dict[str, Any], actual: dict[str, Any]) -> int:
    """Count the books that the venue had, too, whatever their numbers: five levels a side tell one from the next."""
    return sum(book in actual.values() for book in told.values())


@pytest.mark.parametrize("client", ["ccxt==4.5.90"], indirect=True)
async def test_ccxt_loads_markets_and_keeps_books_trades_and_bars_through_a_relay(
    client: Callable[..., Any],
    simulated: Callable[..., Any],
    relayed: Callable[..., Any],
    watched: Callable[..., Any],
) -> None:
    async with (
        simulated("backpack") as url,
        watched(url, "/api/v1/depth", "SOL_USDC") as venue,
        relayed("backpack", url, "--variant", "backpack") as relay,
    ):
        told = await client("ccxt_client.py", "backpack", "SOL/USDC", relay)
        rows = await venue.get("/api/v1/trades", symbol="SOL_USDC", limit=1000)
        kept = await venue.get("/api/v1/klines", symbol="SOL_USDC", interval="1m", limit=10)
        statistics = await venue.get("/sim/statistics")

    assert told["markets"] == ["BTC/USDC", "ETH/USDC", "SOL/USDC", "SOL/USDC:USDC"]
    assert told["precision"] == {"price": 0.01, "amount": 0.1}
    assert count_common(told["books"], venue.books) >= BOOKS
    assert told["snapshots"] == 1
    assert len(told["trades"]) >= TRADES
    check_run(
        told["trades"],
        [(float(row["price"]), float(row["quantity"]), SIDES[row["isBuyerMaker"]]) for row in reversed(rows)],
    )
    bars = [[float(row[name]) for name in ("open", "high", "low", "close", "volume")] for row in kept]
    assert told["history"]
    assert all(values in bars for _, *values in told["history"][:-1])
    assert told["bars"]
    assert told["recent"] == 20
    assert told["tickers"]
    assert all(name == "SOL/USDC" and low <= last <= high for name, last, high, low in told["tickers"])
    assert told["day"] == sorted(told["day"])
    assert len(statistics["connections"]) == 1


@pytest.mark.parametrize("client", ["backpack-exchange-sdk==1.1.4"], indirect=True)
async def test_the_sdk_reads_every_public_stream_through_a_relay(
    client: Callable[..., Any],
    simulated: Callable[..., Any],
    relayed: Callable[..., Any],
    watched: Callable[..., Any],
) -> None:
    async with (
        simulated("backpack") as url,
        watched(url, "/api/v1/depth", "SOL_USDC") as venue,
        relayed("backpack", url, "--variant", "backpack") as relay,
    ):
        told = await client("backpack_sdk_client.py", relay)
        rows = await venue.get("/api/v1/trades", symbol="SOL_USDC", limit=1000)
        kept = await venue.get("/api/v1/klines", symbol="SOL_USDC", interval="1s", limit=100)

    assert told["markets"] == ["BTC_USDC", "ETH_USDC", "SOL_USDC", "SOL_USDC_PERP"]
    assert count_common(told["books"], venue.books) >= BOOKS
    assert len(told["trades"]) >= TRADES
    check_run(
        told["trades"],
        [(float(row["price"]), float(row["quantity"]), row["isBuyerMaker"]) for row in reversed(rows)],
    )
    assert told["late"] == 0
    names = ("open", "high", "low", "close", "volume")
    bars = {row["start"].replace(" ", "T"): [float(row[name]) for name in names] for row in kept if row["open"]}
    assert len(told["bars"]) >= BARS
    assert told["bars"] == {start: bars[start] for start in told["bars"]}
    assert len(told["tops"]) >= BOOKS // 2
    assert all(float(bid) < float(ask) for bid, ask in told["tops"])
    assert {name for name, _ in told["tickers"]} == {"SOL_USDC"}
    assert told["recent"] == sorted(told["recent"], reverse=True)
    assert (len(told["recent"]), told["status"]) == (20, "Ok")
    assert told["day"] == sorted(told["day"])
    assert told["days"] == ["SOL_USDC"]
    assert told["past"]
    assert told["assets"] == []
