"""A relay on a port: TLS, the access token, who may be served, and clients that don't read, on real sockets."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import trio.lowlevel
from trio_websocket import open_websocket_url

from strategykit.errors import ConfigError
from strategykit.relay.bus import LocalBus
from strategykit.relay.limits import RelayLimits
from strategykit.relay.server import RelayPlan, RelayServer, open_relay
from strategykit.relay.source import Source
from strategykit.secret import Secret
from tests.relay.conftest import HANDSHAKE, Reader, Upstream, masked

TLS = Path(__file__).parents[1] / "net" / "tls"
CERTIFICATE, KEY = TLS / "localhost.pem", TLS / "localhost.key"


@asynccontextmanager
async def serving(**plan: Any) -> AsyncGenerator[tuple[RelayServer, Upstream]]:
    upstream = Upstream()
    bus = LocalBus(lambda publish: Source(upstream, publish, exchange=None, now=lambda: upstream.now))
    with trio.fail_after(20):
        async with open_relay(bus, RelayPlan(**plan)) as server:
            yield server, upstream


async def test_a_token_is_asked_of_everybody_and_everything_but_health() -> None:
    async with serving(token=Secret("geheim")) as (server, upstream), httpx.AsyncClient(base_url=server.url) as http:
        url = server.url.replace("http", "ws")
        async with await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2])) as stream:
            await stream.send_all(HANDSHAKE)
            assert b"401" in await stream.receive_some()
        wrong = {"Authorization": "Bearer falsch"}
        assert (await http.get("/statistics", headers=wrong)).status_code == 401
        assert (await http.get("/metrics")).status_code == 401
        assert (await http.get("/health")).status_code == 200
        right = {"Authorization": "Bearer geheim"}
        assert (await http.get("/statistics", headers=right)).json()["refused"] == 1
        async with open_websocket_url(
            url, extra_headers=[(b"Authorization", b"Bearer geheim")], message_queue_size=10_000
        ) as websocket:
            client = Reader(websocket)
            await client.subscribe("trade.SBER")
            upstream.trade()

            assert (await client.next())["stream"] == "trade.SBER"


async def test_over_tls_all_is_as_without() -> None:
    trusted = ssl.create_default_context(cafile=str(CERTIFICATE))
    async with serving(certificate=CERTIFICATE, key=KEY, host="localhost") as (server, upstream):
        assert server.url.startswith("https://localhost:")
        async with open_websocket_url(
            server.url.replace("http", "ws"), ssl_context=trusted, message_queue_size=10_000
        ) as websocket:
            client = Reader(websocket)
            await client.subscribe("trade.SBER")
            for price in range(500):
                upstream.trade(float(price + 1))

            assert [(await client.next())["data"]["p"] for _ in range(500)] == [str(n + 1) for n in range(500)]


async def test_who_speaks_no_tls_where_it_is_wanted_is_hung_up_on() -> None:
    async with serving(certificate=CERTIFICATE, key=KEY) as (server, _):
        async with await trio.open_tcp_stream("127.0.0.1", int(server.url.rpartition(":")[2])) as stream:
            await stream.send_all(HANDSHAKE)

            with contextlib.suppress(trio.BrokenResourceError):
                while await stream.receive_some():
                    pass
        assert server.hub.statistics["accepted"] == 0


async def stopped(server: RelayServer, name: str) -> trio.SocketStream:
    """Connect a client that subscribes and then reads nothing, with a small buffer of its own."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    plain.setblocking(False)
    wire = trio.socket.from_stdlib_socket(plain)
    await wire.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
    stream = trio.SocketStream(wire)
    await stream.send_all(HANDSHAKE)
    while b"\r\n\r\n" not in await stream.receive_some():
        pass
    await stream.send_all(masked(json.dumps({"method": "SUBSCRIBE", "params": [name], "id": 1}).encode()))
    while name not in server.hub.routes:  # noqa: ASYNC110 - it is on its way
        await trio.sleep(0.001)
    return stream


ROUNDS = 8_000
"""Of a trade and a quote: more than the kernel and the relay keep together for one who doesn't read."""


async def test_a_socket_that_isn_t_read_costs_no_more_than_its_limits_and_others_nothing() -> None:
    limits = RelayLimits(queue=(100, 1 << 20), kept=(2_000, 1 << 20))
    async with serving(limits=limits) as (server, upstream):
        trades, quotes = await stopped(server, "trade.SBER"), await stopped(server, "bookTicker.SBER")
        async with open_websocket_url(server.url.replace("http", "ws"), message_queue_size=10_000) as websocket:
            client = Reader(websocket)
            await client.subscribe("trade.SBER")
            fast = list(server.hub.clients)[-1]

            for number in range(ROUNDS):
                upstream.trade(float(number + 1))
                upstream.quote(float(number + 1))
                while fast.depth > 50:  # noqa: ASYNC110 - the one that reads mustn't be the slow one
                    await trio.sleep(0.001)

            heard = [(await client.next())["data"]["p"] for _ in range(ROUNDS)]
            assert heard == [str(number + 1) for number in range(ROUNDS)]
        assert server.hub.statistics["queue_most"] <= 102
        while len(server.hub.clients) > 1:  # noqa: ASYNC110 - a closing that nobody answers takes its time
            await trio.sleep(0.01)
        figures = server.hub.statistics
        assert figures["left_out"] > 1_000
        assert any(why.startswith("too slow") for why in figures["ended"])
        await trio.aclose_forcefully(trades)
        await trio.aclose_forcefully(quotes)


async def test_so_many_connections_are_taken_at_the_most() -> None:
    async with serving(limits=RelayLimits(connections=1)) as (server, _):
        port = int(server.url.rpartition(":")[2])
        first = await trio.open_tcp_stream("127.0.0.1", port)
        await first.send_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in await first.receive_some()
        async with await trio.open_tcp_stream("127.0.0.1", port) as second:
            assert await second.receive_some() == b""

        assert server.hub.statistics["refused"] == 1
        await first.aclose()


async def test_a_port_that_is_taken_is_an_error_in_words() -> None:
    async with serving() as (server, _):
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port} can't be listened on"):
            async with serving(port=port):
                pass


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"host": "0.0.0.0"}, "needs TLS"),
        ({"host": "0.0.0.0", "token": Secret("x")}, "needs TLS"),
        ({"host": "192.0.2.1", "certificate": CERTIFICATE, "key": KEY}, "needs an access token"),
        ({"certificate": CERTIFICATE}, "belong together"),
        ({"port": 70_000}, "0 to 65535"),
        ({"variant": "binance"}, "seed or backpack"),
        ({"certificate": KEY, "key": KEY}, "can't be used for TLS"),
    ],
)
def test_what_would_be_open_to_everybody_or_can_t_be_is_refused(plan: dict[str, Any], words: str) -> None:
    upstream = Upstream()
    bus = LocalBus(lambda publish: Source(upstream, publish, exchange=None, now=lambda: upstream.now))

    with pytest.raises(ConfigError, match=words):
        RelayServer(bus, RelayPlan(**plan))


def test_beyond_the_loopback_with_tls_and_a_token_is_fine() -> None:
    RelayPlan(host="0.0.0.0", certificate=CERTIFICATE, key=KEY, token=Secret("x")).check()


async def test_a_call_after_the_end_is_told_so() -> None:
    upstream = Upstream()
    bus = LocalBus(lambda publish: Source(upstream, publish, exchange=None, now=lambda: upstream.now))

    assert (await bus.call("/api/v1/time", {})).status == 503
