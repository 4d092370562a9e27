"""The server that puts any simulated venue on a socket, and the stream venues on it; plain clients, real sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import httpx
import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from strategykit.errors import ConfigError
from strategykit.model.events import Event, Side, Trade
from strategykit.sim.exchange import SimulatedExchange
from strategykit.sim.faults import FaultCommand
from strategykit.sim.http_calls import HttpAnswer, HttpCall, json_answer
from strategykit.sim.served import Outlet, ServerLimits
from strategykit.sim.server import SimulatedServer, open_simulated
from strategykit.sim.server_recording import play
from strategykit.sim.server_stream import open_simulated_stream
from strategykit.sim.stream_config import StreamVenueConfig, default_stream_instruments
from strategykit.venues.stream.server_variants import SERVER_VARIANTS

SOL = {"SOL_USDC": default_stream_instruments(SERVER_VARIANTS["backpack"])["SOL_USDC"]}
BTC = {"BTCUSDT": default_stream_instruments(SERVER_VARIANTS["binance"])["BTCUSDT"]}


@attrs.define(eq=False)
class Session:
    outlet: Outlet


class EchoVenue:
    """It gives messages back, each in a block with its length, and knows one fault."""

    name = "echo"
    own_faults = ("whisper",)
    statistics: Mapping[str, Any] = {"echoes": 0}
    orders: Mapping[str, object] = {"orders": [], "fills": [], "positions": [], "commands": []}

    def __init__(self) -> None:
        self.market = SimulatedExchange({}, seed=0, start=0, accounts={})
        self.sessions: list[Session] = []
        self.forgotten = False

    def admit(self, call: HttpCall, now: int) -> HttpAnswer | None:
        return None if call.path == "/echo" else json_answer(403, {})

    def open_session(self, call: HttpCall, outlet: Outlet, now: int) -> Session:
        self.sessions.append(Session(outlet))
        return self.sessions[-1]

    def close_session(self, session: Session, now: int) -> None:
        self.sessions.remove(session)

    def lane(self, session: Session) -> str:
        return "market"

    def subscriptions(self, session: Session) -> Sequence[str]:
        return ()

    def receive(self, session: Session, message: str | bytes, now: int) -> None:
        session.outlet.send_block([])
        session.outlet.send_block([message, str(len(message))])

    def advance(self, now: int) -> None: ...

    def answer(self, call: HttpCall, now: int) -> HttpAnswer:
        return json_answer(200, {"path": call.path, "now": now})

    def forget_orders(self, now: int) -> None:
        self.forgotten = True

    def heal(self) -> None: ...

    def fault(self, command: FaultCommand, now: int) -> int:
        for session in self.sessions:
            session.outlet.send(str(command.arguments["words"]))
            session.outlet.send_encoded(b"encoded")
            session.outlet.send_encoded_block([b"one", b"two"])
        return len(self.sessions)


@asynccontextmanager
async def connect(server: SimulatedServer[Any], path: str = "/") -> AsyncGenerator[WebSocketConnection]:
    # The library leaves the socket open when the server closes or refuses, so it is ours to close.
    stream = await trio.open_tcp_stream("127.0.0.1", server.port)
    async with stream, trio.open_nursery() as nursery:
        websocket = await wrap_client_stream(nursery, stream, "127.0.0.1", path)
        try:
            yield websocket
        finally:
            with trio.move_on_after(1, shield=True):
                await websocket.aclose()
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_http(server: SimulatedServer[Any]) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=5, verify=False) as http:
        yield http


@pytest.fixture(autouse=True)
async def all_is_over_in_time() -> AsyncIterator[None]:
    with trio.fail_after(20):
        yield


@pytest.fixture
async def echo() -> AsyncIterator[SimulatedServer[Session]]:
    async with open_simulated(EchoVenue()) as server:
        yield server


async def test_texts_and_binary_messages_go_both_ways(echo: SimulatedServer[Session]) -> None:
    async with connect(echo, "/echo") as client:
        got: list[str | bytes] = []
        for message in ("text", b"\x00\xff"):
            await client.send_message(message)
            got += [await client.get_message(), await client.get_message()]

    assert got == ["text", "4", b"\x00\xff", "2"]


async def test_garbage_can_be_binary(echo: SimulatedServer[Session]) -> None:
    async with connect(echo, "/echo") as client, open_http(echo) as http:
        body = {"fault": "garbage", "binary": "00ff10"}
        assert (await http.post("/sim/faults", json=body)).json() == {"hit": 1}
        assert await client.get_message() == b"\x00\xff\x10"
        refused = await http.post("/sim/faults", json={"fault": "garbage", "binary": "0x"})

    assert refused.status_code == 400


async def test_a_venue_has_faults_of_its_own(echo: SimulatedServer[Session]) -> None:
    async with connect(echo, "/echo") as client, open_http(echo) as http:
        body = {"fault": "whisper", "arguments": {"words": "psst"}}
        assert (await http.post("/sim/faults", json=body)).json() == {"hit": 1}
        got = [await client.get_message() for _ in range(4)]
        refused = await http.post("/sim/faults", json={"fault": "explode"})

    assert got == ["psst", "encoded", "one", "two"]
    assert refused.status_code == 400
    assert (
        "there are: drop, fail_calls, garbage, half_open, refuse_upgrades, reset, restart, stall, whisper"
        in refused.text
    )


async def test_pings_of_the_venue_are_answered_and_counted(echo: SimulatedServer[Session]) -> None:
    async with connect(echo, "/echo") as client:
        await client.send_message("hello")
        await client.get_message()
        outlet = next(iter(echo.peers)).outlet
        assert (outlet.pong, outlet.received) == (None, 1)
        outlet.ping(b"123")
        while outlet.pong is None:  # noqa: ASYNC110 - it shows only inside the venue
            await trio.sleep(0.005)
        await client.ping(b"back")

    assert (outlet.pong, outlet.received, outlet.waiting) == (b"123", 3, 0)
    outlet.ping(b"to nobody")
    assert outlet.waiting == 0


async def test_a_pong_nobody_asked_for_hides_no_answer(echo: SimulatedServer[Session]) -> None:
    """Clients of Binance send an empty one right after each answer."""
    async with connect(echo, "/echo") as client:
        outlet = next(iter(echo.peers)).outlet
        outlet.ping(b"1")
        outlet.ping(b"2")
        while outlet.pong != b"2":  # noqa: ASYNC110 - it shows only inside the venue
            await trio.sleep(0.005)
        await client.pong(b"")
        await client.pong(b"1")
        await client.ping(b"all are read")

    assert (outlet.pong, outlet.received) == (b"2", 5)


async def test_orders_statistics_and_calls_are_the_venues(echo: SimulatedServer[Session]) -> None:
    async with connect(echo, "/echo"), open_http(echo) as http:
        orders = (await http.get("/sim/orders")).json()
        statistics = (await http.get("/sim/statistics")).json()
        other = (await http.get("/other")).json()

    assert orders == EchoVenue.orders
    assert (statistics["venue"], statistics["echoes"], len(statistics["connections"])) == ("echo", 0, 1)
    assert other["path"] == "/other"


async def test_a_venue_is_told_of_a_restart_that_loses_its_orders() -> None:
    venue = EchoVenue()
    async with open_simulated(venue) as server, connect(server, "/echo") as client:
        server.faults.restart(0.0, forget_orders=True)
        with pytest.raises(ConnectionClosed):
            await client.get_message()

    assert venue.forgotten
    assert venue.sessions == []


async def test_one_connection_too_many_is_refused() -> None:
    async with open_simulated(EchoVenue(), limits=ServerLimits(max_connections=1)) as server, connect(server, "/echo"):
        stream = await trio.open_tcp_stream("127.0.0.1", server.port)
        async with stream:
            await stream.send_all(
                b"GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            answer = await stream.receive_some()

    assert answer.startswith(b"HTTP/1.1 429 ")


async def until(client: WebSocketConnection, stream: str) -> dict[str, Any]:
    """Give the first datum of a stream."""
    while True:
        frame = json.loads(await client.get_message())
        if frame.get("stream") == stream:
            data: dict[str, Any] = frame["data"]
            return data


@pytest.mark.parametrize("variant", ["seed", "backpack"])
async def test_a_generic_client_gets_trades(variant: str) -> None:
    config = StreamVenueConfig(instruments=SOL, actions_per_second=500)
    async with open_simulated_stream(variant, config) as server, connect(server, "/ws") as client:
        await client.send_message('{"method":"SUBSCRIBE","params":["trade.SOL_USDC"],"id":1}')
        data = await until(client, "trade.SOL_USDC")

    assert data["s"] == "SOL_USDC"


@pytest.mark.parametrize("variant", ["binance", "binance_usdm"])
async def test_a_generic_client_syncs_a_book(variant: str) -> None:
    config = StreamVenueConfig(instruments=BTC, actions_per_second=500)
    async with (
        open_simulated_stream(variant, config) as server,
        connect(server, "/stream?streams=btcusdt%40depth@100ms") as client,
        open_http(server) as http,
    ):
        first = await until(client, "btcusdt@depth@100ms")
        rest = SERVER_VARIANTS[variant].rest
        snapshot = (await http.get(f"{rest}/depth", params={"symbol": "BTCUSDT"})).json()
        later = first
        while later["u"] <= snapshot["lastUpdateId"]:
            later = await until(client, "btcusdt@depth@100ms")

    assert first["U"] <= snapshot["lastUpdateId"] + 1
    assert later["U"] == snapshot["lastUpdateId"] + 1


async def test_a_bar_in_another_time_zone_can_be_asked_for_in_the_address() -> None:
    config = StreamVenueConfig(instruments=BTC)
    async with (
        open_simulated_stream("binance", config) as server,
        connect(server, "/stream?streams=btcusdt@kline_1d@+08:00") as client,
    ):
        await client.send_message('{"method":"LIST_SUBSCRIPTIONS","id":1}')
        assert json.loads(await client.get_message())["result"] == ["btcusdt@kline_1d@+08:00"]


def recording() -> list[tuple[int, Event]]:
    """A trade every 10 ms, for 20 s."""
    times = [(n, 10_000_000 * n) for n in range(1, 2_000)]
    return [(time, Trade("BTCUSDT", 100.0 + n, 1.0, Side.BUY, n, time, 0, "")) for n, time in times]


async def async_recording(count: int) -> AsyncGenerator[tuple[int, Event]]:
    for item in recording()[:count]:
        yield item
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("live", [False, True])
async def test_a_recording_is_played_at_its_own_pace(live: bool) -> None:
    config = StreamVenueConfig(instruments=BTC, source=async_recording(2_000) if live else recording())
    async with (
        open_simulated_stream("binance", config) as server,
        connect(server, "/stream?streams=btcusdt@trade") as client,
    ):
        first = await until(client, "btcusdt@trade")
        second = await until(client, "btcusdt@trade")

    assert float(second["p"]) == float(first["p"]) + 1
    assert 9 <= second["T"] - first["T"] <= 11


@pytest.mark.parametrize("live", [False, True])
async def test_a_recording_is_fed_with_its_times_moved_to_now(live: bool) -> None:
    fed: list[tuple[Event, int, int]] = []
    items = async_recording(50) if live else recording()[:50]
    await play(items, lambda *told: fed.append(told), now=lambda: 5_000_000_000, speed=1000.0)

    assert len(fed) == 50
    assert [shift for _, _, shift in fed[:2]] == [4_990_000_000, 4_980_010_000]


async def test_a_venue_that_is_not_of_the_family_is_refused() -> None:
    with pytest.raises(ConfigError, match="no stream venue 'alor'"):
        async with open_simulated_stream("alor"):
            pass
