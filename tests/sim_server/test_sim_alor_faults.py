from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio
from trio_websocket import ConnectionClosed

if TYPE_CHECKING:
    from strategykit.sim.faults import Lane
    from tests.sim_server.conftest import Lab, OpenLab

SLIM: dict[str, Any] = {"format": "Slim", "frequency": 10}


async def market(client: Any) -> None:
    await client.subscribe("OrderBookGetAndSubscribe", "b", code="SBER", **SLIM)


async def orders(client: Any) -> None:
    await client.subscribe("OrdersGetAndSubscribeV2", "o", portfolio="D12345")


def buy(guid: str) -> dict[str, Any]:
    return {
        "opcode": "create:market",
        "guid": guid,
        "side": "buy",
        "quantity": 1,
        "instrument": {"symbol": "SBER", "exchange": "MOEX"},
        "user": {"portfolio": "D12345"},
    }


async def ended(client: Any) -> int:
    """Wait for the end; 1006 if there was no close frame."""
    code: int = await client.closed()
    return code


async def test_the_eleventh_connection_is_refused_and_a_place_comes_free_again(open_lab: OpenLab) -> None:
    async with open_lab(max_connections=3) as lab, contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(lab.connect(path)) for path in ("/ws", "/cws", "/ws")]
        status = await lab.knock()
        await clients[0].websocket.aclose()
        await lab.until(lambda: len(lab.venue.peers) < 3)
        async with lab.connect():
            pass

    assert status == 429
    assert lab.venue.statistics["refused"] == 1


async def test_one_subscription_too_many_is_refused(open_lab: OpenLab) -> None:
    async with open_lab(max_subscriptions=2) as lab, lab.connect() as client:
        codes = [
            (await client.subscribe("QuotesSubscribe", guid, code="SBER"))["httpCode"] for guid in ("a", "b", "c", "b")
        ]

    assert codes == [200, 200, 429, 200]


async def test_a_client_that_reads_nothing_is_hung_up_on_and_others_are_undisturbed(open_lab: OpenLab) -> None:
    async with open_lab(max_unread=100, actions_per_second=1000) as lab, lab.connect() as other:
        await market(other)
        slow = await trio.open_tcp_stream("127.0.0.1", lab.venue.port)
        async with slow:
            slow.setsockopt(6, 10, 1)  # A small window, so that the venue's buffers fill and not the machine's.
            await slow.send_all(handshake())
            for number in range(100):
                await slow.send_all(frame(await lab.token(), number))
            await lab.until(lambda: len(lab.venue.peers) == 2)
            peer = list(lab.venue.peers.values())[1]
            while not peer.ending:
                await other.data("b")

    assert peer.ending == "more than 100 unread messages"


def handshake() -> bytes:
    return (
        b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )


def frame(token: str, number: int) -> bytes:
    request = {"opcode": "OrderBookGetAndSubscribe", "code": "SBER", "exchange": "MOEX", "depth": 50, "frequency": 10}
    text = json.dumps({**request, "guid": f"g{number}", "token": token}).encode()
    return b"\x81\xfe" + len(text).to_bytes(2, "big") + bytes(4) + text


@pytest.mark.parametrize("over_http", [True, False])
@pytest.mark.parametrize(
    ("lane", "hit"),
    [("market", {"market"}), ("orders", {"orders"}), ("ws", {"market", "orders"}), ("cws", {"commands"})],
)
async def test_a_fault_hits_the_lane_that_it_names(lab: Lab, lane: Lane, hit: set[str], over_http: bool) -> None:
    async with lab.connect() as first, lab.connect() as second, lab.connect("/cws") as third:
        await market(first)
        await orders(second)
        count = (
            (await lab.fault("drop", lane=lane, code=1012))["hit"]
            if over_http
            else lab.venue.faults.drop(lane, code=1012)
        )
        for client, name in ((first, "market"), (second, "orders"), (third, "commands")):
            if name in hit:
                assert await ended(client) == 1012
            else:
                assert (await client.ask({"opcode": "ping"}))["httpCode"] in (200, 401)

    assert count == len(hit)


async def test_a_reset_ends_without_a_close_frame(lab: Lab) -> None:
    async with lab.connect() as client:
        await lab.fault("reset", lane="all")
        assert await ended(client) == 1006


async def test_a_stall_delays_everything_and_loses_nothing(lab: Lab) -> None:
    async with lab.connect() as client:
        await client.subscribe("AllTradesGetAndSubscribe", "t", code="SBER")
        await client.data("t")
        began = trio.current_time()
        lab.venue.faults.stall("market", seconds=0.4)
        assert (await client.ask({"opcode": "ping"}))["httpCode"] == 200
        waited = trio.current_time() - began
        seen = [frame["data"]["id"] for frame in client.kept if "data" in frame]

    assert waited >= 0.39
    assert len(seen) == len(set(seen))


async def test_a_half_open_connection_takes_all_and_gives_nothing(lab: Lab) -> None:
    async with lab.connect() as client:
        await market(client)
        await lab.fault("half_open", lane="market")
        with trio.move_on_after(0.3) as silence:
            # What was under way may still come; a pong may not.
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.websocket.ping, b"anyone?")
                await client.send({"opcode": "ping", "guid": "late", "token": client.token})
                await client.wait(lambda frame: frame.get("requestGuid") == "late")

        assert silence.cancelled_caught
        assert lab.venue.statistics["connections"] == []
        async with lab.connect() as fresh:
            await market(fresh)
        await client.websocket._stream.aclose()


async def test_garbage_is_sent_as_it_is(lab: Lab) -> None:
    async with lab.connect() as client:
        for frame in (None, "", '{"data":{}}', "[]"):
            await lab.fault("garbage", lane="market", frame=frame)
            got = await client.websocket.get_message()
            assert got == ('{"data":{"p":12.3,,"guid":' if frame is None else frame)
        assert (await client.ask({"opcode": "ping"}))["httpCode"] == 200


async def test_raw_garbage_breaks_the_protocol(lab: Lab) -> None:
    async with lab.connect() as client:
        lab.venue.faults.garbage("market", frame=b"\xff\xff\xff")
        with pytest.raises(ConnectionClosed):
            await client.next()


async def test_acknowledgements_can_be_late_missing_or_double(lab: Lab) -> None:
    async with lab.connect() as client:
        await lab.fault("late_acknowledgement", seconds=0.3)
        await lab.fault("missing_acknowledgement")
        await lab.fault("duplicate_acknowledgement")
        began = trio.current_time()
        for guid in ("late", "missing", "double", "plain"):
            request = {"opcode": "QuotesSubscribe", "guid": guid, "code": "SBER", "exchange": "MOEX"}
            await client.send({**request, "token": client.token})
        acknowledged: list[str] = []
        streams: set[str] = set()
        while "late" not in acknowledged:
            frame = await client.next()
            if "requestGuid" in frame:
                acknowledged.append(frame["requestGuid"])
            else:
                streams.add(frame["guid"])

    assert acknowledged == ["double", "double", "plain", "late"]
    assert trio.current_time() - began >= 0.29
    assert streams == {"late", "missing", "double", "plain"}


async def test_replies_to_commands_can_be_late_missing_or_double_but_orders_are_placed(lab: Lab) -> None:
    async with lab.connect("/cws") as client:
        await client.authorize()
        await lab.fault("late_reply", seconds=0.2)
        await lab.fault("missing_reply")
        await lab.fault("duplicate_reply")
        for guid in ("late", "missing", "double"):
            await client.send(buy(guid))
        replies = [(await client.next())["requestGuid"] for _ in range(3)]

    assert replies == ["double", "double", "late"]
    assert len(lab.venue.exchange.orders("D12345")) == 3


async def test_a_late_answer_to_a_client_that_has_gone_is_dropped(lab: Lab) -> None:
    async with lab.connect() as client:
        lab.venue.faults.late_acknowledgement(0.1)
        await client.send({"opcode": "unsubscribe", "guid": "x", "token": client.token})
        await client.ask({"opcode": "ping"})
    await trio.sleep(0.15)

    async with lab.connect() as fresh:
        assert (await fresh.ask({"opcode": "ping"}))["httpCode"] == 200


async def test_a_fill_can_be_told_twice_and_counts_once_at_the_venue(lab: Lab) -> None:
    async with lab.connect() as client, lab.connect("/cws") as commands:
        await commands.authorize()
        await client.subscribe("TradesGetAndSubscribeV2", "f", portfolio="D12345")
        await lab.fault("duplicate_fill")
        await commands.order("c1")
        fills = [await client.data("f"), await client.data("f")]
        await commands.order("c2")
        third = await client.data("f")

    assert fills[0] == fills[1]
    assert third["id"] != fills[0]["id"]
    assert len(lab.venue.exchange.fills("D12345")) == 2


@pytest.mark.parametrize("forget", [False, True])
async def test_a_restart_drops_everyone_refuses_for_a_while_and_keeps_orders_unless_told(
    lab: Lab, forget: bool
) -> None:
    token = await lab.token()
    async with lab.connect("/cws", token=token) as commands, lab.connect(token=token) as client:
        await commands.authorize()
        first = await commands.order("c1")
        await market(client)
        await lab.fault("restart", seconds=0.2, forget_orders=forget)
        assert [await ended(client), await ended(commands)] == [1006, 1006]
    with pytest.raises(OSError, match="all attempts to connect"):
        await trio.open_tcp_stream("127.0.0.1", lab.venue.port)
    began = trio.current_time()
    while True:
        try:
            async with lab.connect("/cws", token=token) as again:
                await again.authorize()
                reply = await again.order("c1")
                break
        except OSError:
            await trio.sleep(0.02)

    assert trio.current_time() - began >= 0.1
    assert reply["httpCode"] == 200, "tokens outlive a restart"
    assert len(lab.venue.exchange.orders("D12345")) == 1
    assert [entry.repeated for entry in lab.venue.log if entry.command] == [False, not forget]
    assert (reply["orderNumber"] == first["orderNumber"]) is not forget, "no number is given twice"


async def test_upgrades_can_be_refused_with_a_status(lab: Lab) -> None:
    await lab.fault("refuse_upgrades", seconds=60, status=503)
    status = await lab.knock()
    lab.venue.faults.refuse_upgrades(0)
    async with lab.connect():
        pass

    assert status == 503


async def test_upgrades_can_be_left_without_an_answer(lab: Lab) -> None:
    lab.venue.faults.refuse_upgrades(60)
    stream = await trio.open_tcp_stream("127.0.0.1", lab.venue.port)
    async with stream:
        await stream.send_all(handshake())
        with trio.move_on_after(0.2) as silence:
            await stream.receive_some()

    assert silence.cancelled_caught
    assert (await lab.http.get("/md/v2/time")).status_code == 200


async def test_what_a_client_said_before_it_was_forgotten_begins_nothing(lab: Lab) -> None:
    async with lab.connect() as client:
        session = next(iter(lab.venue.peers))
        lab.venue.faults.half_open()
        request = {"opcode": "QuotesSubscribe", "guid": "x", "code": "SBER", "exchange": "MOEX", "token": client.token}
        lab.venue._receive(session, json.dumps(request))

        assert session.subscriptions == {}
        assert lab.venue.statistics["topics"] == 0
        await client.websocket._stream.aclose()


async def test_revoked_tokens_are_worthless_and_new_ones_are_good(lab: Lab) -> None:
    async with lab.connect() as client, lab.connect("/cws") as commands:
        await commands.authorize()
        await lab.fault("revoke_tokens")
        replies = [await client.ask({"opcode": "ping"}), await commands.order("c1")]
        client.token = commands.token = await lab.token()
        replies += [await client.ask({"opcode": "ping"}), await commands.authorize(), await commands.order("c1")]

    assert [reply["httpCode"] for reply in replies] == [401, 401, 200, 200, 200]


async def test_statistics_can_be_read_over_http(lab: Lab) -> None:
    async with lab.connect() as client:
        await orders(client)
        told = (await lab.http.get("/sim/statistics")).json()

    assert told["connections"] == [
        {"path": "/ws", "lane": "orders", "subscriptions": 1, "sent": 1, "received": 1, "waiting": 0}
    ]
    assert (told["accepted"], told["tokens"]) == (1, 1)


async def test_what_the_venue_ignores_is_neither_done_nor_answered(lab: Lab) -> None:
    async with lab.connect("/cws") as client, lab.connect() as data:
        await lab.fault("ignored_command")
        await lab.fault("ignored_request")
        await client.authorize()
        await client.send(buy("ignored"))
        await client.send(buy("done"))
        await data.send({"opcode": "ping", "guid": "ignored", "token": data.token})
        await data.send({"opcode": "ping", "guid": "answered", "token": data.token})
        answered = [(await one.next())["requestGuid"] for one in (client, data)]

    assert answered == ["done", "answered"]
    assert len(lab.venue.exchange.orders("D12345")) == 1


async def test_fills_and_changes_of_orders_can_be_told_late(lab: Lab) -> None:
    async with lab.connect("/cws") as client, lab.connect() as data:
        await client.authorize()
        await orders(data)
        await data.subscribe("TradesGetAndSubscribeV2", "f", portfolio="D12345")
        await lab.fault("late_fill", seconds=0.2)
        await lab.fault("late_order_update", seconds=0.1)
        await client.send(buy("a"))
        told = [(await data.next())["guid"] for _ in range(3)]

    assert told == ["o", "o", "f"]


async def test_calls_fail_for_a_while(lab: Lab) -> None:
    await lab.fault("fail_calls", count=2, status=429)
    async with httpx.AsyncClient(base_url=lab.venue.url) as http:
        got = [(await http.get("/md/v2/time")).status_code for _ in range(3)]

    assert got == [429, 429, 200]


async def test_the_venue_withdraws_orders_and_stops_as_nobody_has_asked_for(lab: Lab) -> None:
    async with lab.connect("/cws") as client, lab.connect() as data:
        await client.authorize()
        await client.order("rests", opcode="create:limit", side="buy", price=250)
        stop = {"side": "sell", "price": 250, "triggerPrice": 251, "condition": "LessOrEqual", "stopEndUnixTime": 0}
        await client.order("sleeps", opcode="create:stopLimit", **stop)
        asked = len((await lab.http.get("/sim/orders")).json()["commands"])
        await orders(data)
        await lab.fault("withdraw_orders")
        told = await data.data("o", lambda row: row["status"] == "canceled")
        report = (await lab.http.get("/sim/orders")).json()

    assert told["price"] == 250
    assert [row["status"] for row in report["orders"]] == ["cancelled", "cancelled"]
    assert len(report["commands"]) == asked == 2
