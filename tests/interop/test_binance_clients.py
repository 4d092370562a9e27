"""Clients that others wrote make books, trades and bars of the simulated Binance, and they are the venue's own."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import trio

from strategykit.sim.server_stream import open_simulated_stream
from strategykit.sim.stream_config import StreamVenueConfig

pytestmark = pytest.mark.interop

TRADES, BARS, BOOKS = 20, 3, 20
"""The least that a client has to understand in its five or six seconds; it is shown about three times as much."""

OPEN, VOLUME = 1, 5
"""Where a row of bars has them, and between them the others."""


async def check(told: dict[str, Any], venue: Any) -> None:
    """Compare what a client of spot says with the venue's HTTP answers."""
    rows = await venue.get("/api/v3/trades", symbol="BTCUSDT", limit=1000)
    actual = {row["id"]: [float(row["price"]), float(row["qty"])] for row in rows}
    venue.check_trades(told["trades"], actual, at_least=TRADES)
    venue.check_books(told["books"], at_least=BOOKS)
    rows = await venue.get("/api/v3/klines", symbol="BTCUSDT", interval="1s", limit=1000)
    bars = {str(row[0]): [float(each) for each in row[OPEN : VOLUME + 1]] for row in rows}
    assert len(told["bars"]) >= BARS
    assert told["bars"] == {start: bars[start] for start in told["bars"]}


def check_joined(changes: list[list[int]], *, at_least: int) -> None:
    """Numbered changes of the book follow on one another."""
    assert len(changes) >= at_least
    assert all(first == before[1] + 1 for before, (first, _) in pairwise(changes))


@pytest.mark.parametrize(
    ("exchange", "venue_name", "symbol", "rest"),
    [
        ("binance", "binance", "BTC/USDT", "/api/v3"),
        ("binanceusdm", "binance-usdm", "BTC/USDT:USDT", "/fapi/v1"),
    ],
)
@pytest.mark.parametrize("client", ["ccxt==4.5.90"], indirect=True)
async def test_ccxt_keeps_books_trades_and_bars(
    client: Callable[..., Any],
    simulated: Callable[..., Any],
    watched: Callable[..., Any],
    exchange: str,
    venue_name: str,
    symbol: str,
    rest: str,
) -> None:
    async with simulated(venue_name) as url, watched(url, f"{rest}/depth", "BTCUSDT") as venue:
        told = await client("ccxt_client.py", exchange, symbol, url)
        rows = await venue.get(f"{rest}/trades", symbol="BTCUSDT", limit=1000)
        kept = await venue.get(f"{rest}/klines", symbol="BTCUSDT", interval="1m", limit=10)

    venue.check_books(told["books"], at_least=BOOKS)
    assert told["snapshots"] == 1
    sides = {True: "sell", False: "buy"}
    actual = {row["id"]: [float(row["price"]), float(row["qty"]), sides[row["isBuyerMaker"]]] for row in rows}
    venue.check_trades(told["trades"], actual, at_least=TRADES)
    assert told["markets"] == [symbol.replace("BTC", base) for base in ("BTC", "ETH", "SOL")]
    assert (told["precision"]["price"], told["precision"]["amount"]) == (0.01, 0.001)
    bars = {row[0]: [float(each) for each in row[OPEN : VOLUME + 1]] for row in kept}
    past = [bar for bar in told["history"][:-1] if bar[0] in bars]
    assert {start: values for start, *values in past} == {start: bars[start] for start, *_ in past}
    assert all(bars[int(start)][0] == values[0] for start, values in told["bars"].items())
    assert told["tickers"]
    assert all(name == symbol and low <= last <= high for name, last, high, low in told["tickers"])


@pytest.mark.parametrize("client", ["python-binance==1.0.37"], indirect=True)
async def test_python_binance_keeps_a_book_from_one_snapshot(
    client: Callable[..., Any],
    simulated: Callable[..., Any],
    watched: Callable[..., Any],
) -> None:
    async with simulated("binance") as url, watched(url, "/api/v3/depth", "BTCUSDT") as venue:
        told = await client("python_binance_client.py", url)
        await check(told, venue)

    assert told["snapshots"] == 1
    assert told["filters"]["PRICE_FILTER"]["tickSize"] == "0.01"
    assert (told["history"], told["average"]) == (10, 5)


@pytest.mark.parametrize("client", ["python-binance==1.0.37"], indirect=True)
async def test_python_binance_sees_that_a_change_is_missing(
    client: Callable[..., Any],
    simulated: Callable[..., Any],
    watched: Callable[..., Any],
) -> None:

    async def lose_one() -> None:
        while not (await venue.get("/sim/statistics"))["channels"]:  # noqa: ASYNC110 - it is another process
            await trio.sleep(0.05)
        await trio.sleep(2)
        await venue.fault("skip", instrument="BTCUSDT", count=1)

    async with (
        simulated("binance") as url,
        watched(url, "/api/v3/depth", "BTCUSDT") as venue,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(lose_one)
        told = await client("python_binance_client.py", url)
        await check(told, venue)

    assert told["snapshots"] == 2


@pytest.mark.parametrize("client", ["binance-connector==3.13.0"], indirect=True)
async def test_binance_connector_reads_raw_streams_and_lists(
    client: Callable[..., Any],
    simulated: Callable[..., Any],
    watched: Callable[..., Any],
) -> None:
    async with simulated("binance") as url, watched(url, "/api/v3/depth", "BTCUSDT") as venue:
        told = await client("binance_connector_client.py", url)
        await check(told, venue)

    check_joined(told["changes"], at_least=BOOKS)
    kept = ["btcusdt@kline_1s", "btcusdt@depth5@100ms", "btcusdt@depth@100ms"]
    assert told["answers"] == [None, None, None, None, ["btcusdt@trade", *kept], None, kept]
    assert told["pongs"] == 1
    assert told["listed"] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert told["klines"] == 5


@pytest.mark.parametrize("client", ["unicorn-binance-websocket-api==2.16.1"], indirect=True)
async def test_unicorn_subscribes_to_more_on_the_same_connection(
    client: Callable[..., Any],
    simulated: Callable[..., Any],
    watched: Callable[..., Any],
) -> None:
    async with simulated("binance") as url, watched(url, "/api/v3/depth", "BTCUSDT") as venue:
        told = await client("unicorn_binance_client.py", url)
        await check(told, venue)

    check_joined(told["changes"], at_least=BOOKS // 2)
    assert (told["reconnects"], told["status"]) == (0, "running")


@pytest.mark.parametrize("client", ["@binance/connector@3.6.1"], indirect=True)
async def test_the_npm_connector_reads_combined_streams(
    client: Callable[..., Any],
    simulated: Callable[..., Any],
    watched: Callable[..., Any],
) -> None:
    async with simulated("binance") as url, watched(url, "/api/v3/depth", "BTCUSDT") as venue:
        told = await client("binance_connector_client.js", url)
        await check(told, venue)

    check_joined(told["changes"], at_least=BOOKS)
    assert told["answers"] == [None, None]
    assert told["closed"] == 1000
    assert (told["klines"], told["top"]) == (5, "BTCUSDT")


@pytest.mark.parametrize("client", ["binance@3.6.5"], indirect=True)
async def test_the_npm_package_binance_formats_what_it_gets(
    client: Callable[..., Any],
    simulated: Callable[..., Any],
    watched: Callable[..., Any],
) -> None:
    async with simulated("binance") as url, watched(url, "/api/v3/depth", "BTCUSDT") as venue:
        told = await client("binance_npm_client.js", url)
        await check(told, venue)

    assert (told["answers"], told["reconnects"], told["exceptions"]) == (1, 0, [])
    assert told["klines"] == 5


@pytest.mark.parametrize(
    ("client", "script"),
    [
        ("ccxt==4.5.90", ["ccxt_client.py", "binance", "BTC/USDT"]),
        ("python-binance==1.0.37", ["python_binance_client.py"]),
        ("binance-connector==3.13.0", ["binance_connector_client.py"]),
        ("unicorn-binance-websocket-api==2.16.1", ["unicorn_binance_client.py"]),
        ("@binance/connector@3.6.1", ["binance_connector_client.js"]),
        ("binance@3.6.5", ["binance_npm_client.js"]),
    ],
    indirect=["client"],
)
async def test_clients_answer_pings_as_the_venue_wants_it(
    client: Callable[..., Any],
    script: list[str],
) -> None:
    """Some send an empty pong beside the answer."""
    often = StreamVenueConfig(ping_every=0.5, pong_within=1.0, messages_per_second=50)
    async with open_simulated_stream("binance", often) as venue:
        told = await client(*script, venue.url)

    assert len(told["trades"]) >= TRADES
    first = int(told["trades"][0][0])
    assert [int(number) for number, *_ in told["trades"]] == list(range(first, first + len(told["trades"])))
