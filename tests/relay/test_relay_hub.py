"""What clients ask for and get, over memory streams, with clients that others wrote."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from strategykit.venues.streams import StreamKind
from tests.relay.conftest import Open, Relay, masked, read_all, unframed

TRADES = StreamKind.TRADES


async def test_a_message_goes_to_all_who_subscribed_and_to_nobody_else(relay: Relay) -> None:
    first, second, third = [await relay.connect() for _ in range(3)]
    await first.subscribe("trade.SBER")
    await second.subscribe("trade.SBER", "trade.GAZP")
    await third.subscribe("trade.GAZP")

    relay.upstream.trade(101.5)
    relay.upstream.trade(7.0, symbol="GAZP")

    one, other = await first.next(), await second.next()
    assert one == other
    assert one["stream"] == "trade.SBER"
    assert one["data"]["p"] == "101.5"
    assert (await second.next()) == (await third.next())


async def test_the_venue_is_asked_once_for_a_channel_and_told_once_that_nobody_wants_it(relay: Relay) -> None:
    first, second = await relay.connect(), await relay.connect()

    await first.subscribe("trade.SBER")
    await second.subscribe("trade.SBER")
    await first.subscribe("trade.SBER")
    await first.unsubscribe("trade.SBER")
    assert relay.upstream.log == ["+trades SBER"]
    await second.unsubscribe("trade.SBER")
    await second.unsubscribe("trade.SBER")

    assert relay.upstream.log == ["+trades SBER", "-trades SBER"]


async def test_a_closing_handshake_is_answered_and_all_that_the_client_held_ends(relay: Relay) -> None:
    client = await relay.connect()
    await client.subscribe("trade.SBER", "depth.SBER")

    await client.websocket.aclose(4001, "done")
    await wait_all_tasks_blocked()

    assert client.websocket.closed is not None
    assert client.websocket.closed.code == 4001
    assert relay.upstream.log == ["+trades SBER", "+book SBER", "-trades SBER", "-book SBER"]
    assert relay.server.hub.statistics["clients"] == 0


async def test_a_client_that_vanishes_leaves_nothing_behind(relay: Relay) -> None:
    stream = await relay.slow("trade.SBER")

    await stream.aclose()
    await wait_all_tasks_blocked()

    assert relay.upstream.log == ["+trades SBER", "-trades SBER"]
    assert relay.server.hub.routes == {}


BAD: list[str | bytes] = [
    *("{}", "[]", "no json", '{"method":"subscribe","params":["trade.X"],"id":1}'),
    *('{"method":"SUBSCRIBE","params":["trade.X"]}', '{"method":"SUBSCRIBE","params":"trade.X","id":1}'),
    *('{"method":"SUBSCRIBE","params":["trade.X",5],"id":1}', '{"method":"SUBSCRIBE","params":["nonsense"],"id":1}'),
    *('{"method":"SUBSCRIBE","params":["trade.Ж"],"id":1}', "[" * 5_000, '"\\ud800"', b"\x00\xff"),
]


async def test_what_can_t_be_read_is_ignored_and_counted(relay: Relay) -> None:
    client = await relay.connect()

    for message in BAD:
        await client.websocket.send_message(message)
    await client.subscribe("trade.SBER")
    relay.upstream.trade()

    assert (await client.next())["stream"] == "trade.SBER"
    assert relay.server.hub.statistics["invalid"] == len(BAD)


async def test_backpack_s_clients_need_no_id_and_are_told_what_is_wrong(open_it: Open) -> None:
    async with open_it("backpack") as relay:
        client = await relay.connect()
        await client.websocket.send_message('{"method":"SUBSCRIBE","params":["trade.SBER","nonsense"]}')

        refusal = await client.next()
        relay.upstream.trade()

        assert refusal["error"]["code"] == 4006
        assert (await client.next())["stream"] == "trade.SBER"


async def test_what_the_venue_doesn_t_have_is_refused_and_can_be_asked_for_again(open_it: Open) -> None:
    async with open_it("backpack") as relay:
        client = await relay.connect()
        relay.upstream.full = True
        await client.send("SUBSCRIBE", "trade.SBER")
        assert "every connection is full" in (await client.next())["error"]["message"]

        relay.upstream.full = False
        await client.subscribe("trade.SBER")

        assert relay.upstream.log == ["+trades SBER"]


async def test_a_client_has_so_many_subscriptions_at_the_most(open_it: Open) -> None:
    async with open_it("backpack", subscriptions=2) as relay:
        client = await relay.connect()

        await client.send("SUBSCRIBE", "trade.A", "trade.B", "trade.C")

        assert "2 subscriptions are the most" in (await client.next())["error"]["message"]
        assert len(relay.server.hub.routes) == 2


async def test_who_comes_later_is_shown_how_things_are(relay: Relay) -> None:
    first, second = await relay.connect(), await relay.connect()
    await first.subscribe("bookTicker.SBER", "trade.SBER")
    relay.upstream.quote(99.0)
    relay.upstream.trade()
    relay.upstream.quote(98.0)

    await second.subscribe("bookTicker.SBER", "trade.SBER")

    assert (await second.next())["data"]["b"] == "98"
    relay.upstream.trade(55.0)
    assert (await second.next())["data"]["p"] == "55"


async def test_a_hole_at_the_venue_is_told_with_the_next_message_of_each_channel(relay: Relay) -> None:
    client = await relay.connect()
    await client.subscribe("trade.SBER", "bookTicker.SBER")
    relay.upstream.trade()
    relay.upstream.quote()
    before = [await client.next(), await client.next()]

    relay.upstream.gap(TRADES)
    relay.upstream.gap(StreamKind.QUOTES)
    relay.upstream.trade()
    relay.upstream.quote()
    after = [await client.next(), await client.next()]

    assert [message["gap"]["reason"] for message in after] == ["the wire broke"] * 2
    assert after[0]["data"]["t"] == before[0]["data"]["t"] + 2


async def test_messages_of_a_bus_that_can_t_be_messages_of_their_channel_reach_nobody(relay: Relay) -> None:
    client = await relay.connect()
    await client.subscribe("trade.SBER")
    hub = relay.server.hub
    for message in (b"", b'{"stream":"trade.GAZP","data":{}}', b'{"stream":"trade.SBER",\xff}', b"x" * (5 << 20)):
        hub.deliver("trade.SBER", message)
    hub.deliver("trade.LKOH", b"{}")
    hub.deliver("trade.SBER", '{"stream":"trade.SBER","data":"Ж"}'.encode())

    assert (await client.next())["data"] == "Ж"
    assert hub.statistics["bus_invalid"] == 4
    assert hub.statistics["unwanted"] == 1


async def test_a_bus_that_was_away_is_told_as_a_hole(relay: Relay) -> None:
    client = await relay.connect()
    await client.subscribe("trade.SBER")
    relay.upstream.trade()
    await client.next()

    relay.server.hub.missed("the bus was away")
    relay.upstream.trade()
    relay.upstream.trade()

    assert (await client.next())["gap"] == {"reason": "the bus was away"}
    assert "gap" not in await client.next()


# Slow clients


async def fill(relay: Relay, count: int) -> None:
    for number in range(count):
        relay.upstream.quote(10.0 + number)
        relay.upstream.book({1.0 + number: 1.0}, {100.0: 1.0 + number})
        if number % 10 == 9:
            await wait_all_tasks_blocked()


async def test_a_slow_client_gets_the_latest_quote_and_one_sum_of_a_book_s_changes(
    open_it: Open, autojump_clock: object
) -> None:
    async with open_it(queue=(30, 1 << 20)) as relay:
        slow = await relay.slow("bookTicker.SBER", "depth.SBER")
        fast = await relay.connect()
        await fast.subscribe("bookTicker.SBER", "depth.SBER")

        await fill(relay, 200)
        got = unframed(await read_all(slow))

        everything = [await fast.next() for _ in range(400)]
        assert len(got) < 100
        for stream in ("bookTicker.SBER", "depth.SBER"):
            mine = [message["data"] for message in got if message["stream"] == stream]
            all_of_it = [message["data"] for message in everything if message["stream"] == stream]
            assert mine[-1]["u"] == all_of_it[-1]["u"]
        changes = [message["data"] for message in got if message["stream"] == "depth.SBER"]
        assert all(later["U"] == earlier["u"] + 1 for earlier, later in itertools.pairwise(changes))
        assert folded(changes) == {"200": "1"}


def folded(changes: list[dict[str, Any]]) -> dict[str, str]:
    bids: dict[str, str] = {}
    for change in changes:
        bids.update(change["b"])
    return {price: size for price, size in bids.items() if size != "0"}


async def test_a_hole_that_a_slow_client_was_not_shown_is_told_in_what_stands_for_it(
    open_it: Open, autojump_clock: object
) -> None:
    async with open_it(queue=(3, 1 << 20)) as relay:
        slow = await relay.slow("bookTicker.SBER", "depth.SBER")
        await fill(relay, 20)
        relay.upstream.gap(StreamKind.QUOTES)
        relay.upstream.gap(StreamKind.BOOK)
        await fill(relay, 20)

        got = unframed(await read_all(slow))

        holes = [message["stream"] for message in got[2:] if "gap" in message]
        assert sorted(set(holes)) == ["bookTicker.SBER", "depth.SBER"]


async def test_a_client_too_slow_for_trades_is_closed_with_a_reason_and_others_get_them_all(
    open_it: Open, autojump_clock: object
) -> None:
    async with open_it(queue=(5, 1 << 20), kept=(50, 1 << 20)) as relay:
        slow, fast = await relay.slow("trade.SBER"), await relay.connect()
        await fast.subscribe("trade.SBER")

        for number in range(200):
            relay.upstream.trade(1.0 + number)
            if number % 20 == 19:
                await wait_all_tasks_blocked()

        prices = [(await fast.next())["data"]["p"] for _ in range(200)]
        end = await read_all(slow)
        assert prices == [str(1 + number) for number in range(200)]
        assert b"too slow: over 50 messages" in end
        assert len(unframed(end)) < 60


async def test_a_client_that_takes_nothing_for_a_while_is_cut(open_it: Open, autojump_clock: object) -> None:
    async with open_it(stall=5.0) as relay:
        await relay.slow("trade.SBER")
        relay.upstream.trade()
        began = trio.current_time()

        while relay.server.hub.clients:  # noqa: ASYNC110 - nothing tells of the last one
            await trio.sleep(0.5)

        assert 4.9 < trio.current_time() - began < 6
        assert relay.server.hub.statistics["ended"] == {"it took nothing for 5 s": 1}
        assert relay.upstream.log[-1] == "-trades SBER"


async def test_a_client_that_is_silent_is_pinged_and_one_that_doesn_t_answer_is_cut(
    open_it: Open, autojump_clock: object
) -> None:
    async with open_it(silent=40.0, stall=1_000.0) as relay:
        alive = await relay.connect()
        await relay.slow("trade.SBER")

        await trio.sleep(300)

        assert list(relay.server.hub.statistics["ended"]) == ["it was silent for 40 s"]
        await alive.subscribe("trade.SBER")
        assert relay.upstream.log == ["+trades SBER", "-trades SBER", "+trades SBER"]


# Clients that want too much


async def test_a_message_that_is_too_long_closes_its_client_alone(open_it: Open) -> None:
    async with open_it(message_bytes=1_000) as relay:
        other, bad = await relay.connect(), await relay.connect()
        await other.subscribe("trade.SBER")

        await bad.websocket.send_message("x" * 1_048_576)

        assert (await bad.closing())[0] == 1009
        relay.upstream.trade()
        assert (await other.next())["stream"] == "trade.SBER"


@pytest.mark.parametrize("first", [0x81, 0x89, 0x8A, 0x01], ids=["texts", "pings", "pongs", "fragments"])
async def test_who_sends_ten_thousand_frames_at_once_is_cut_alone(open_it: Open, first: int) -> None:
    async with open_it(messages=(100, 10.0)) as relay:
        other, bad = await relay.connect(), await relay.slow("trade.GAZP")
        await other.subscribe("trade.SBER")

        frames = masked(b"{}", first) + masked(b"", 0x00) * 99 if first == 0x01 else masked(b"{}", first) * 100
        with trio.move_on_after(5), contextlib.suppress(trio.BrokenResourceError):
            for _ in range(100):
                await bad.send_all(frames)

        relay.upstream.trade()
        assert (await other.next())["stream"] == "trade.SBER"
        await wait_all_tasks_blocked()
        assert list(relay.server.hub.statistics["ended"]) == ["more than 10 messages a second"]
        assert relay.server.hub.statistics["frames_in"] < 150


async def test_so_many_clients_are_served_at_the_most(open_it: Open) -> None:
    async with open_it(clients=1) as relay:
        await relay.connect()
        stream = relay.dial()
        await stream.send_all(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        await stream.send_all(b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")

        assert b"429" in await stream.receive_some()
        assert relay.server.hub.statistics["refused"] == 1


async def test_a_handshake_that_is_wrong_is_refused(relay: Relay) -> None:
    stream = relay.dial()
    await stream.send_all(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")

    assert b"426" in await stream.receive_some()


# HTTP


async def test_counts_can_be_read_as_text_and_as_json(relay: Relay) -> None:
    client = await relay.connect()
    await client.subscribe("trade.SBER", "bookTicker.SBER")
    relay.upstream.trade()
    await client.next()
    gone = await relay.connect()
    await gone.websocket.aclose()

    status, text = await relay.get("/metrics")
    _, figures = await relay.get("/statistics")

    assert status == 200
    lines = text.splitlines()
    assert {"strategykit_relay_clients 1", "strategykit_relay_subscriptions 2"} <= set(lines)
    assert 'strategykit_relay_ended{reason="the peer closed"} 1' in lines
    assert figures["published"] == 1
    assert figures["upstream_lag_p50"] == 0
    assert figures["bus"] == "in-process"


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/health", 200), ("GET", "/nowhere", 404), ("POST", "/statistics", 405)]
)
async def test_http_is_answered_whatever_is_asked(relay: Relay, method: str, path: str, status: int) -> None:
    stream = relay.dial()

    await stream.send_all(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())

    assert int((await stream.receive_some()).split()[1]) == status


async def test_a_relay_that_leaves_says_goodbye(relay: Relay) -> None:
    client = await relay.connect()
    await client.subscribe("trade.SBER")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(relay.server.leave)
        ending = await client.closing()

    assert ending == (1001, "the relay is leaving")
    assert relay.upstream.log == ["+trades SBER", "-trades SBER"]
