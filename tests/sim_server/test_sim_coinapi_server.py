from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from strategykit.errors import ConfigError
from strategykit.model.events import Event, Side, Trade
from strategykit.sim.coinapi_config import SIMULATED_KEY, CoinApiVenueConfig, default_coinapi_instruments
from strategykit.sim.served import ServerLimits
from strategykit.sim.server_coinapi import open_simulated_coinapi

KRAKEN = "KRAKEN_SPOT_ETH_EUR"
FEW = {KRAKEN: default_coinapi_instruments()[KRAKEN]}


@asynccontextmanager
async def connect(port: int, path: str = "/v1/") -> AsyncGenerator[WebSocketConnection]:
    # The library leaves the socket open when the server closes, so it is ours to close.
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream, trio.open_nursery() as nursery:
        websocket = await wrap_client_stream(nursery, stream, "127.0.0.1", path)
        try:
            yield websocket
        finally:
            with trio.move_on_after(1, shield=True):
                await websocket.aclose()
            nursery.cancel_scope.cancel()


async def next_of(websocket: WebSocketConnection, *types: str) -> dict[str, Any]:
    while True:
        text: dict[str, Any] = json.loads(await websocket.get_message())
        if text["type"] in types:
            return text


def hello(*types: str, **fields: Any) -> str:
    return json.dumps({"type": "hello", "subscribe_data_type": types, "apikey": SIMULATED_KEY, **fields})


async def test_a_plain_client_gets_a_snapshot_and_a_plain_http_client_the_same_book() -> None:
    with trio.fail_after(20):
        async with open_simulated_coinapi("v1", CoinApiVenueConfig(instruments=FEW, actions_per_second=0)) as server:
            async with connect(server.port, "/") as websocket:
                await websocket.send_message(hello("book", subscribe_filter_symbol_id=[KRAKEN]))
                snapshot = await next_of(websocket, "book")
            async with httpx.AsyncClient(base_url=server.url, timeout=5, verify=False) as http:
                answer = await http.get(f"/v1/orderbooks/{KRAKEN}/current", headers={"X-CoinAPI-Key": SIMULATED_KEY})
            book = answer.json()

    assert (book["asks"], book["bids"]) == (snapshot["asks"], snapshot["bids"])


async def test_faults_are_commanded_over_http_and_a_reconnect_closes() -> None:
    with trio.fail_after(20):
        async with (
            open_simulated_coinapi("ds", CoinApiVenueConfig(instruments=FEW)) as server,
            connect(server.port, f"/md/ws-ds-kraken/APIKEY-{SIMULATED_KEY}") as websocket,
            httpx.AsyncClient(base_url=server.url, timeout=5, verify=False) as http,
        ):
            await websocket.send_message(hello("book5", subscribe_filter_symbol_id=["ETH-EUR"]))
            await next_of(websocket, "book5")
            told = await http.post("/sim/faults", json={"fault": "reconnect", "seconds": 0.1})
            notice = await next_of(websocket, "reconnect")
            with pytest.raises(ConnectionClosed) as closed:
                await next_of(websocket, "nothing")

    assert told.json() == {"hit": 1}
    assert notice["within_seconds"] == 0
    assert closed.value.reason is not None
    assert closed.value.reason.code == 1001


async def test_a_client_that_reads_late_finds_the_documented_error_and_the_close() -> None:
    config = CoinApiVenueConfig(
        instruments=FEW, actions_per_second=400, max_queue=100, limits=ServerLimits(max_unread=1), hellos_per_window=0
    )
    with trio.fail_after(20):
        async with open_simulated_coinapi("v1", config) as server, connect(server.port) as websocket:
            await websocket.send_message(hello("book50", "book5", "book", subscribe_filter_asset_id=["ETH"]))
            await next_of(websocket, "book5")
            # Its wire holds no more: whatever comes now waits in the venue.
            session = next(iter(server.peers))
            server.faults.stall(seconds=0.5)
            while not session.ended:  # noqa: ASYNC110 - there's no event to wait for
                await trio.sleep(0.01)
            error = await next_of(websocket, "error")
            with pytest.raises(ConnectionClosed) as closed:
                await next_of(websocket, "nothing")

    assert error["message"] == "Reached maximum allowed buffered messages for this connection."
    assert closed.value.reason is not None
    assert closed.value.reason.code == 1013


async def test_a_recording_is_played_at_its_own_pace() -> None:
    events: list[tuple[int, Event]] = [
        (number * 1_000_000, Trade(KRAKEN, 2600.0 + number, 1.0, Side.BUY, number, None, 0, "")) for number in range(3)
    ]

    async def recorded() -> AsyncGenerator[tuple[int, Event]]:
        await ready.wait()
        for each in events:
            yield each

    ready = trio.Event()
    config = CoinApiVenueConfig(instruments=FEW, source=recorded())
    with trio.fail_after(20):
        async with open_simulated_coinapi("v1", config) as server, connect(server.port) as websocket:
            await websocket.send_message(hello("trade", heartbeat=True))
            await next_of(websocket, "hearbeat")
            ready.set()
            prices = [(await next_of(websocket, "trade"))["price"] for _ in events]

    assert prices == [2600.0, 2601.0, 2602.0]


async def test_there_are_two_variants() -> None:
    with pytest.raises(ConfigError, match="v1, ds"):
        async with open_simulated_coinapi("v2"):
            pass
