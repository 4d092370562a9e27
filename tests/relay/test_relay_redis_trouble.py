"""A Redis that is away, goes, comes back, changes its password or is too old: a relay's clients stay."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial

import pytest
import trio

from strategykit.errors import ConfigError
from tests.relay.redis_station import Redis, hear, leaves, reachable, refused, running, station, until

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

            found = await hear(client, first, 3.0)
            assert "gap" in found
            assert any("back" in note for note in second.notes)
            assert first.upstream.log == ["+trades SBER"]
            assert first.server.hub.statistics["bus_dropped"] >= 1


async def test_a_redis_that_is_away_at_the_start_is_waited_for(redis: Redis) -> None:
    redis.stop()
    with trio.fail_after(20):
        async with station(redis.url, venue=True) as relay:
            client = await relay.connect()
            await client.subscribe("trade.SBER")
            await relay.noted("the bus is away")
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


async def test_a_password_that_changes_disturbs_nobody_who_is_in_and_keeps_nobody_out_for_good() -> None:
    with running("before") as redis, trio.fail_after(20):
        await reachable(redis)
        async with station(redis.url, venue=True) as first, station(redis.url) as second:
            await first.up(publishes=True)
            client = await second.connect()
            await client.subscribe("trade.SBER")
            before = await hear(client, first, 1.0)
            assert "gap" in before

            assert b"OK" in await redis.command("CONFIG", "SET", "requirepass", "after")
            assert "gap" not in await hear(client, first, 2.0)
            assert first.notes == second.notes == []

            redis.password = "after"
            await redis.command("CLIENT", "KILL", "TYPE", "pubsub")
            await first.noted("the bus doesn't accept the password")
            await second.noted("the bus doesn't accept the password")
            figures = second.server.hub.statistics
            assert (figures["bus_up"], figures["clients"]) == (False, 1)
            assert "password" in figures["bus_trouble"]
            assert "before" not in "".join(first.notes + second.notes)

            await redis.command("CONFIG", "SET", "requirepass", "before")
            await second.up()
            await first.up(publishes=True)
            found = await hear(client, first, 3.0)
            assert "gap" in found, "what may have been missed is told"
            assert sum("password" in note for note in second.notes) == 2, "told once, and once more when it is over"
            assert second.notes[-1].startswith("the bus is back after: the bus doesn't accept the password")
            assert first.upstream.log == ["+trades SBER"], "the venue isn't asked anew"


@pytest.mark.parametrize(
    ("password", "options", "words"),
    [
        ("another", (), "the bus doesn't accept the password"),
        ("right", ("--rename-command", "HELLO", ""), "the bus is no Redis of version 6.2 or later"),
    ],
)
async def test_a_redis_that_comes_back_as_one_that_won_t_do_is_told_once_and_tried_again(
    password: str, options: tuple[str, ...], words: str
) -> None:
    """Those before version 6 don't know HELLO."""
    with running("right") as redis, trio.fail_after(20):
        await reachable(redis)
        async with station(redis.url, venue=True) as relay:
            await relay.up(publishes=True)
            client = await relay.connect()
            await client.subscribe("trade.SBER")
            await hear(client, relay, 1.0)

            redis.stop()
            redis.password, redis.options = password, options
            await relay.down()
            redis.start()
            await relay.noted(words)
            before = relay.bus.statistics["bus_tries"]
            await until(lambda: relay.bus.statistics["bus_tries"] > before + 3)
            assert sum(words in note for note in relay.notes) == 1
            redis.stop()
            redis.password, redis.options = "right", ()
            redis.start()

            assert "gap" in await hear(client, relay, 2.0)
            await relay.noted("the bus is back")


async def test_a_redis_that_was_away_at_the_start_and_won_t_have_us_ends_nothing(redis: Redis) -> None:
    """Clients have come meanwhile; and somebody may be about to set the password."""
    redis.stop()
    with trio.fail_after(20):
        async with station(redis.url) as relay:
            client = await relay.connect()
            await client.subscribe("trade.SBER")
            await relay.noted("the bus is away")

            redis.password = "unknown"
            redis.start()
            await relay.noted("the bus doesn't accept the password")

            await redis.command("CONFIG", "SET", "requirepass", "")
            redis.password = ""
            await relay.up()
            await redis.listened("trade.SBER", by_somebody=True)
            assert relay.server.hub.statistics["clients"] == 1


RIGHTS = ("~strategykit:*", "&*", "+@pubsub", "+@connection", "+eval", "+get", "+set", "+pexpire", "+del")
"""What docs/relay.md says that a relay's user needs."""


async def test_a_user_with_just_the_documented_rights_will_do(redis: Redis) -> None:
    await reachable(redis)
    assert b"OK" in await redis.command("ACL", "SETUSER", "relay", "on", ">pass", *RIGHTS)

    with trio.fail_after(20):
        async with station(f"redis://relay:pass@127.0.0.1:{redis.port}", venue=True) as relay:
            client = await relay.connect()
            await client.subscribe("trade.SBER")
            await hear(client, relay, 1.0)
            assert relay.notes == []


async def test_a_user_who_may_not_do_what_a_relay_does_is_an_error_in_words(redis: Redis) -> None:
    await reachable(redis)
    assert b"OK" in await redis.command("ACL", "SETUSER", "guest", "on", ">pass", *RIGHTS, "-eval")

    with trio.fail_after(20), pytest.raises(ExceptionGroup) as caught:
        await refused(f"redis://guest:pass@127.0.0.1:{redis.port}", venue=True)

    words = "".join(map(str, leaves(caught.value)))
    assert "doesn't allow this user what a relay needs" in words
    assert "pass@" not in words


@pytest.fixture
def old() -> Generator[Redis]:
    with running(options=("--rename-command", "HELLO", "")) as server:
        yield server


async def test_a_server_that_is_too_old_is_an_error_in_words(old: Redis) -> None:
    await reachable(old)

    with trio.fail_after(20), pytest.raises(ExceptionGroup) as caught:
        await refused(old.url)

    assert "no Redis of version 6.2" in "".join(map(str, leaves(caught.value)))


async def test_a_server_that_says_so_in_the_words_of_version_5_is_too_old(nursery: trio.Nursery) -> None:
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
            await relay.noted("the bus is away")
