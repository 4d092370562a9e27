"""Relays that share a feed by a real Redis server, which the tests start themselves."""

from __future__ import annotations

import json
from collections.abc import Generator

import attrs
import pytest
import trio

from strategykit.errors import ConfigError
from strategykit.relay.redis_bus import check_redis_url
from tests.relay.conftest import NOON
from tests.relay.redis_station import SOON, Redis, hear, running, station, until

# coredis leaves streams of its own to the garbage collector when a connection can't be opened.
pytestmark = [
    pytest.mark.usefixtures("leftovers"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def redis() -> Generator[Redis]:
    with running() as server:
        yield server


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
        timing = attrs.evolve(SOON, keep_for=0.2)
        async with station(redis.url, venue=True, timing=timing) as first, station(redis.url) as second:
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
                await redis.command("SET", "strategykit:publisher", "somebody else")
                await until(lambda: any("stands by" in note for note in one.notes))
                assert one.upstream.log == ["+trades SBER", "-trades SBER"]

                await redis.command("DEL", "strategykit:publisher")
                await until(lambda: first.bus.publishes or second.bus.publishes)

                again = first if first.bus.publishes else second
                after = await hear(client, again, 9.0)
                assert after["data"]["t"] > before["data"]["t"]  # type: ignore[index]


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


async def test_a_burst_that_the_bus_can_t_take_is_dropped_whole_and_told(redis: Redis) -> None:
    with trio.fail_after(20):
        async with station(redis.url, venue=True) as relay:
            await relay.up(publishes=True)
            client = await relay.connect()
            await client.subscribe("trade.SBER")
            await hear(client, relay, 1.0)

            for number in range(2, 30_000):
                relay.upstream.trade(float(number))

            assert relay.server.hub.statistics["bus_dropped"] == 20_001
            while (found := await client.next())["data"]["p"] == "1":
                pass
            assert found["gap"] == {"reason": "the bus is too slow"}
            assert float(found["data"]["p"]) > 20_000


async def test_a_channel_that_the_venue_has_no_room_for_is_named(redis: Redis) -> None:
    with trio.fail_after(20):
        async with station(redis.url, venue=True) as first, station(redis.url) as second:
            first.upstream.full = True
            client = await second.connect()
            await client.subscribe("trade.SBER")

            await until(lambda: first.server.hub.statistics["impossible"] == ["trade.SBER: every connection is full"])
            assert first.server.hub.statistics["upstream_refusals"] == 1
