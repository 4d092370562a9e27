"""Clients that others wrote, and one of the documentation's samples alone, understand the simulated CoinAPI."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncGenerator, Callable
from typing import Any

import attrs
import httpx
import pytest
import trio

from strategykit.sim.coinapi_config import SIMULATED_KEY
from strategykit.sim.server_coinapi import open_simulated_coinapi

ETH = "KRAKEN_SPOT_ETH_EUR"
TRADES, BOOKS = 20, 3
"""The least that has to be understood and compared; over HTTP the venue keeps a book a second."""

pytestmark = pytest.mark.interop


@attrs.frozen
class Rest:
    """The venue's own word, over HTTP."""

    http: httpx.AsyncClient

    async def get(self, path: str, **query: str | int) -> Any:
        answer = await self.http.get(f"/v1{path}", params=query, headers={"X-CoinAPI-Key": SIMULATED_KEY})
        answer.raise_for_status()
        return answer.json()


@pytest.fixture
async def venue(simulated: Callable[..., Any]) -> AsyncGenerator[Rest]:
    async with simulated("coinapi") as url, httpx.AsyncClient(base_url=url, timeout=10) as http:
        rest = Rest(http)
        while len(await rest.get(f"/trades/{ETH}/latest")) < 5:  # noqa: ASYNC110 - it is another process
            await trio.sleep(0.1)
        yield rest


def since() -> str:
    """The day's begin."""
    return f"{dt.datetime.now(dt.UTC):%Y-%m-%d}T00:00:00.0000000Z"


@pytest.mark.parametrize("client", ["websockets==17.4"], indirect=True)
async def test_a_websocket_library_reads_every_type(venue: Rest, client: Callable[..., Any]) -> None:
    told = await client("coinapi_websockets_client.py", str(venue.http.base_url), SIMULATED_KEY)
    rows = await venue.get(f"/trades/{ETH}/latest", limit=100_000)
    books = await venue.get(f"/orderbooks/{ETH}/latest", limit=100_000, limit_levels=5)
    bars = await venue.get(f"/ohlcv/{ETH}/latest", period_id="1SEC", limit=100)

    actual = [[row["uuid"], row["price"], row["size"], row["taker_side"]] for row in reversed(rows)]
    begin = actual.index(told["trades"][0])
    assert len(told["trades"]) >= TRADES
    assert told["trades"] == actual[begin : begin + len(told["trades"])]
    stood = {
        row["time_exchange"]: [[[level["price"], level["size"]] for level in row[side]] for side in ("bids", "asks")]
        for row in books
    }
    both = told["books"].keys() & stood.keys()
    assert len(both) >= BOOKS
    assert {time: told["books"][time] for time in both} == {time: stood[time] for time in both}
    assert all(each in told["books"].values() for each in told["fives"][1:])
    kept = {
        bar["time_period_start"]: [bar[f"price_{name}"] for name in ("open", "high", "low", "close")] for bar in bars
    }
    final = {start: values for start, *values in told["bars"]}
    assert told["periods"] == ["1SEC"]
    assert len(final) >= 3
    done = list(final)[:-1]
    assert {start: final[start] for start in done} == {start: kept[start] for start in done}
    assert all(bid < ask for bid, ask in told["quotes"])
    assert set(told["sequences"]) == {"trade", "quote", "book", "book5", "ohlcv"}
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in told["sequences"].values())
    assert told["symbols"] == [ETH]

    assert told["prefixed"] == ["COINBASE_SPOT_BTC_USD", "COINBASE_SPOT_SOL_USD"]
    assert (told["removed"], told["replaced"], told["rates"]) == (0, ["COINBASE_SPOT_BTC_USD"], 0)
    assert told["by_level"] == told["by_order"]
    assert [len(side) for side in told["by_level"]] == [5, 5]
    assert told["notice"] == [1, True]
    assert told["ended"] == 1001
    assert told["wrong"] == [1008, ["Invalid API key"]]
    code, words = told["unfiltered"]
    assert code == 1008
    assert len(words) == 1


@pytest.mark.parametrize("client", ["coinapi.rest.v1==1.4"], indirect=True)
async def test_the_vendors_rest_package_reads_everything_it_knows(venue: Rest, client: Callable[..., Any]) -> None:
    told = await client("coinapi_rest_client.py", str(venue.http.base_url), SIMULATED_KEY, since())
    listed = [row["symbol_id"] for row in await venue.get("/symbols")]

    assert sorted(told["exchanges"]) == ["BINANCE", "COINBASE", "KRAKEN"]
    assert {"BTC", "ETH", "SOL", "USD", "EUR", "USDT"} == set(told["assets"])
    assert told["symbols"] == told["zipped"] == ["COINBASE_SPOT_BTC_USD", "COINBASE_SPOT_SOL_USD"]
    assert told["rate"]["rate"] == pytest.approx(61_800, rel=0.1)
    assert {row["asset_id_quote"] for row in told["rates"]["rates"]} >= {"USD", "USDT"}
    assert "1MIN" in told["periods"]
    assert [bar["trades_count"] > 0 for bar in told["latest_bars"]] == [True, True, True]
    starts = [bar["time_period_start"] for bar in told["bars"]]
    assert starts == sorted(set(starts))
    assert starts
    for trades in (told["latest_trades"], told["trades"]):
        assert len(trades) == 5
        assert {trade["symbol_id"] for trade in trades} == {ETH}
    assert len(told["all_trades"]) == 5
    assert told["quote"]["bid_price"] < told["quote"]["ask_price"]
    assert told["quotes"] == told["books"] == listed
    assert len(told["all_quotes"]) == 5
    assert len(told["latest_quotes"]) == 5
    assert len(told["past_quotes"]) == 5
    for book in (told["book"], *told["latest_books"]):
        assert book["bids"][0]["price"] < book["asks"][0]["price"]
    assert told["latest_books"]
    assert told["refused"] == 401


@pytest.mark.parametrize("client", ["coinapi-io@1.0.2"], indirect=True)
async def test_the_npm_package_reads_bars_trades_and_books(venue: Rest, client: Callable[..., Any]) -> None:
    # It adds the slash itself, and takes two of them for another path.
    base = str(venue.http.base_url).rstrip("/")
    told = await client("coinapi_io_client.js", base, SIMULATED_KEY, since())

    assert sorted(told["exchanges"]) == ["BINANCE", "COINBASE", "KRAKEN"]
    assert told["symbols"]
    assert told["rate"] == pytest.approx(61_800, rel=0.1)
    assert told["rates"] >= 2
    assert told["bars"]
    assert told["dates"]
    assert len(told["trades"]) == 5
    bid, ask = told["book"]
    assert bid < ask
    assert told["quote"] == ETH


@pytest.mark.parametrize("name", ["COINBASE_SPOT_SOL_USD", "SOL-USD"])
@pytest.mark.parametrize("client", ["websockets==17.4"], indirect=True)
async def test_ds_takes_either_symbology(name: str, client: Callable[..., Any]) -> None:
    async with open_simulated_coinapi("ds") as venue:
        told = await client("coinapi_ds_client.py", venue.url, SIMULATED_KEY, name)

    assert told["symbols"] == ["COINBASE_SPOT_SOL_USD"]
    assert told["sequences"] == [list(range(1, len(each) + 1)) for each in told["sequences"]]
    assert told["error"]
    assert told["after_error"] > 0
