from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import trio

if TYPE_CHECKING:
    from tests.sim_server.conftest import Lab, OpenLab

SLIM: dict[str, Any] = {"format": "Slim", "frequency": 10}


def payload(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    body: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return body


async def test_a_token_names_three_portfolios_an_agreement(open_lab: OpenLab) -> None:
    async with open_lab(agreements=("111", "222"), token_life=600) as lab:
        claims = payload(await lab.token())

    assert claims["agreements"] == "111 222"
    assert claims["portfolios"] == "D111 G111 75111 D222 G222 75222"
    assert claims["sub"] == "P12345"
    assert 600 <= claims["exp"] - claims["iat"] <= 601


async def test_a_token_can_be_limited_to_portfolios(lab: Lab) -> None:
    token = await lab.token(allowedPortfolios=["D12345"])
    async with lab.connect(token=token) as client:
        allowed = await client.subscribe("OrdersGetAndSubscribeV2", "a", portfolio="D12345")
        denied = await client.subscribe("OrdersGetAndSubscribeV2", "b", portfolio="G12345")

    assert payload(token)["portfolios"] == "D12345"
    assert (allowed["httpCode"], denied["httpCode"]) == (200, 403)


async def test_a_wrong_refresh_token_is_forbidden(lab: Lab) -> None:
    assert (await lab.http.post("/refresh", json={"token": "wrong"})).status_code == 403
    assert (await lab.http.post("/refresh?token=wrong")).status_code == 403
    assert (await lab.http.post("/refresh", json={})).status_code == 400
    assert (await lab.http.post("/refresh?token=simulated-refresh-token")).status_code == 200


async def test_replies_begin_with_the_guid_and_data_end_with_it(lab: Lab) -> None:
    async with lab.connect() as client:
        await client.subscribe("OrderBookGetAndSubscribe", "book;1", code="SBER", depth=2, **SLIM)
        await client.data("book;1")

        assert client.raw[0] == '{"requestGuid":"book;1","httpCode":200,"message":"Handled successfully"}'
        assert client.raw[1].startswith('{"data":{"b":[')
        assert client.raw[1].endswith(',"guid":"book;1"}')


async def test_a_book_begins_with_its_state_and_keeps_its_depth_and_pace(lab: Lab) -> None:
    async with lab.connect() as client:
        await client.subscribe("OrderBookGetAndSubscribe", "b", code="SBER", depth=3, format="Slim", frequency=200)
        first = await client.data("b")
        began = trio.current_time()
        later = [await client.data("b") for _ in range(3)]

        assert trio.current_time() - began >= 0.45
        assert first["h"] is True
        assert [book["h"] for book in later] == [False] * 3
        assert all(len(book["b"]) <= 3 and len(book["a"]) <= 3 for book in [first, *later])
        assert all(book["b"][0]["p"] < book["a"][0]["p"] for book in later)


async def test_trades_come_each_once_after_as_many_past_ones_as_were_asked_for(lab: Lab) -> None:
    async with lab.connect() as client:
        await client.subscribe("AllTradesGetAndSubscribe", "warm", code="SBER", depth=0, format="Simple")
        for _ in range(5):
            await client.data("warm")
        await client.subscribe("AllTradesGetAndSubscribe", "t", code="SBER", depth=4, format="Slim")
        trades = [await client.data("t") for _ in range(12)]

        assert [trade["h"] for trade in trades] == [True] * 4 + [False] * 8
        assert len({trade["id"] for trade in trades}) == 12
        assert {trade["s"] for trade in trades} <= {"buy", "sell"}


async def test_bars_replay_history_and_then_the_forming_one(lab: Lab) -> None:
    now = int((await lab.http.get("/md/v2/time")).text)
    async with lab.connect() as client:
        await client.subscribe("BarsGetAndSubscribe", "b", code="GAZP", tf="1", **SLIM, **{"from": now - 30})
        seen: dict[int, dict[str, Any]] = {}
        order: list[int] = []
        while not order or order[-1] < now + 2:
            bar = await client.data("b")
            seen[bar["t"]] = bar
            order.append(bar["t"])
        answer = await lab.get(
            "/md/v2/history", symbol="GAZP", exchange="MOEX", tf="1", format="Slim", **{"from": now - 30, "to": now + 1}
        )

        assert order == sorted(order)
        assert len(order) > len(seen), "the forming bar is told as it forms"
        # The stream's last word on a bar is the bar that history shows.
        assert [seen[bar["t"]] for bar in answer.json()["h"] if bar["t"] in seen] == [
            bar for bar in answer.json()["h"] if bar["t"] in seen
        ]
        assert len(answer.json()["h"]) >= 20


async def test_bars_without_history_are_only_live_ones(lab: Lab) -> None:
    async with lab.connect() as client:
        await client.subscribe("BarsGetAndSubscribe", "b", code="GAZP", tf=60, skipHistory="true", **{"from": 0})
        bar = await client.data("b")
        now = int((await lab.http.get("/md/v2/time")).text)

        assert now - 120 <= bar["time"] <= now


async def test_every_other_stream_begins_with_its_state(lab: Lab) -> None:
    streams: list[tuple[str, dict[str, Any], str]] = [
        ("QuotesSubscribe", {"code": "GAZP", "format": "Heavy"}, "lastPrice"),
        ("InstrumentsGetAndSubscribeV2", {"code": "GAZP"}, "tradingStatus"),
        ("PositionsGetAndSubscribeV2", {"portfolio": "D12345"}, "qtyUnits"),
        ("SummariesGetAndSubscribeV2", {"portfolio": "D12345"}, "buyingPower"),
        ("RisksGetAndSubscribe", {"portfolio": "D12345"}, "riskStatus"),
        ("SpectraRisksGetAndSubscribe", {"portfolio": "7512345"}, "moneyFree"),
    ]
    async with lab.connect() as client:
        for opcode, fields, key in streams:
            assert (await client.subscribe(opcode, opcode, **fields))["httpCode"] == 200
            assert key in await client.data(opcode)


async def test_orders_fills_positions_and_money_tell_of_an_order(lab: Lab) -> None:
    async with lab.connect() as client, lab.connect("/cws") as commands:
        await commands.authorize()
        for guid, opcode in (
            ("o", "OrdersGetAndSubscribeV2"),
            ("f", "TradesGetAndSubscribeV2"),
            ("p", "PositionsGetAndSubscribeV2"),
            ("s", "SummariesGetAndSubscribeV2"),
        ):
            await client.subscribe(opcode, guid, portfolio="D12345", skipHistory=True)
        reply = await commands.order("c1", quantity=2, comment="strat-7")

        working = await client.data("o")
        fill = await client.data("f")
        filled = await client.data("o", lambda order: order["status"] == "filled")
        position = await client.data("p", lambda row: row["symbol"] == "SBER")
        summary = await client.data("s")
        assert reply["orderNumber"] == working["id"] == filled["id"] == fill["orderno"]
        assert (working["status"], working["existing"], working["comment"]) == ("working", False, "strat-7")
        assert filled["filledQtyBatch"] == 2
        assert fill["qtyUnits"] == fill["qty"] * 10
        assert (position["qtyUnits"], position["lotSize"]) == (20, 10)
        assert summary["buyingPower"] < 1_000_000


async def test_order_statuses_limit_only_what_is_replayed(lab: Lab) -> None:
    async with lab.connect() as client, lab.connect("/cws") as commands:
        await commands.authorize()
        done = await commands.order("c1")
        rest = await commands.order("c2", opcode="create:limit", price=250)
        await client.subscribe("OrdersGetAndSubscribeV2", "o", portfolio="D12345", orderStatuses=["working"])
        replayed = await client.data("o")
        await commands.order("c3")
        live = await client.data("o", lambda order: order["status"] == "filled")

        assert (replayed["id"], replayed["existing"]) == (rest["orderNumber"], True)
        assert live["existing"] is False
        assert live["id"] not in {done["orderNumber"], rest["orderNumber"]}


async def test_stop_orders_have_a_stream_of_their_own_in_two_forms(lab: Lab) -> None:
    async with lab.connect() as client, lab.connect("/cws") as commands:
        await commands.authorize()
        await client.subscribe("StopOrdersGetAndSubscribeV2", "new", portfolio="D12345")
        await client.subscribe("StopOrdersGetAndSubscribe", "old", portfolio="D12345")
        reply = await commands.order(
            "c1", opcode="create:stopLimit", side="sell", price=250, triggerPrice=251, condition="LessOrEqual",
            stopEndUnixTime=0,
        )  # fmt: skip
        assert reply["httpCode"] == 200, reply
        stop = await client.data("new")
        legacy = await client.data("old")

        assert (stop["id"], stop["stopPrice"], stop["type"]) == (reply["orderNumber"], 251, "stoplimit")
        assert "protectingSeconds" not in legacy
        assert legacy["id"] in {stop["id"], int(stop["id"])}


async def test_unsubscribing_ends_a_stream_and_of_nothing_is_no_fault(lab: Lab) -> None:
    async with lab.connect() as client:
        await client.subscribe("OrderBookGetAndSubscribe", "b", code="SBER", **SLIM)
        await client.data("b")
        ended = await client.ask({"opcode": "unsubscribe", "guid": "b"})
        client.kept.clear()
        unknown = await client.ask({"opcode": "unsubscribe", "guid": "never"})
        with trio.move_on_after(0.2):
            await client.data("b")
            raise AssertionError("data after the end")

        assert (ended["httpCode"], unknown["httpCode"]) == (200, 200)


async def test_a_strict_venue_knows_what_it_never_had(open_lab: OpenLab) -> None:
    async with open_lab(unknown_guid_code=404) as lab, lab.connect() as client:
        assert (await client.ask({"opcode": "unsubscribe", "guid": "never"}))["httpCode"] == 404


async def test_the_same_guid_again_replaces_the_subscription(lab: Lab) -> None:
    async with lab.connect() as client:
        await client.subscribe("QuotesSubscribe", "x", code="SBER", **SLIM)
        await client.data("x")
        await client.subscribe("QuotesSubscribe", "x", code="GAZP", **SLIM)
        client.kept.clear()
        symbols = {(await client.data("x"))["sym"] for _ in range(5)}

        assert symbols == {"GAZP"}
        assert lab.venue.statistics["connections"][0]["subscriptions"] == 1


async def test_data_can_come_before_the_acknowledgement(open_lab: OpenLab) -> None:
    async with open_lab(acknowledge_first=False) as lab, lab.connect() as client:
        await client.subscribe("OrderBookGetAndSubscribe", "b", code="SBER")

        assert client.raw[0].startswith('{"data":')
        assert client.raw[1].startswith('{"requestGuid":"b"')


async def test_requests_on_the_data_socket_are_answered_with_a_code(lab: Lab) -> None:
    requests: list[tuple[dict[str, Any], int]] = [
        ({"token": ""}, 401),
        ({"token": "JWT"}, 401),
        ({"code": "NOPE"}, 404),
        ({"exchange": "NYSE"}, 404),
        ({"depth": 51}, 400),
        ({"opcode": "ClustersGetAndSubscribe", "tf": "60", "from": 0}, 400),
        ({"opcode": "Nonsense"}, 400),
        ({"opcode": "authorize"}, 400),
        ({"opcode": "ping", "token": "JWT"}, 401),
        ({"opcode": "ping"}, 200),
        ({"opcode": "unsubscribe", "token": "JWT"}, 401),
    ]
    async with lab.connect() as client:
        for fields, code in requests:
            reply = await client.ask(
                {"opcode": "OrderBookGetAndSubscribe", "code": "SBER", "exchange": "MOEX", **fields}
            )
            assert reply["httpCode"] == code, fields
            assert code != 401 or reply["message"] == "Invalid JWT token!"


async def test_an_expired_token_subscribes_to_nothing_but_streams_go_on(open_lab: OpenLab) -> None:
    async with open_lab(token_life=0.5) as lab, lab.connect() as client:
        await client.subscribe("OrderBookGetAndSubscribe", "b", code="SBER", **SLIM)
        while (await client.ask({"opcode": "ping"}))["httpCode"] == 200:
            pass
        client.kept.clear()

        assert (await client.subscribe("QuotesSubscribe", "q", code="SBER"))["httpCode"] == 401
        assert (await client.data("b"))["h"] is False


NOISE: list[str | bytes] = [
    "",
    "null",
    "[]",
    "{",
    "\ufeff{}",
    '{"opcode":NaN}',
    '{"guid":1e400}',
    "[" * 100_000,
    '{"a":' * 50_000,
    '{"guid":"\\ud800"}',
    '{"guid":' + "9" * 10_000 + "}",
    '{"opcode":"ping","guid":null,"token":{}}',
    b"\x00\xff",
    b"{}",
    "\x00",
    json.dumps({"opcode": "x" * 100_000, "guid": "y" * 100_000}),
]


async def test_whatever_a_client_sends_it_is_answered_and_others_are_undisturbed(lab: Lab) -> None:
    async with lab.connect() as client, lab.connect("/cws") as commands, lab.connect() as other:
        await other.subscribe("OrderBookGetAndSubscribe", "b", code="SBER", **SLIM)
        for message in NOISE:
            for noisy in (client, commands):
                await noisy.websocket.send_message(message)
                assert (await noisy.next())["httpCode"] == 400, message[:100]
            await other.data("b")
        assert (await client.ask({"opcode": "ping"}))["httpCode"] == 200


async def test_halting_shows_in_the_stream_and_refuses_orders(lab: Lab) -> None:
    async with lab.connect() as client, lab.connect("/cws") as commands:
        await commands.authorize()
        await client.subscribe("InstrumentsGetAndSubscribeV2", "i", code="SBER")
        await client.data("i")
        await lab.fault("halt", instrument="SBER")
        halted = await client.data("i")
        refused = await commands.order("c1")
        lab.venue.faults.resume("SBER")
        resumed = await client.data("i")

        assert (halted["tradingStatus"], resumed["tradingStatus"]) == (2, 17)
        assert refused["httpCode"] == 400
        assert Decimal((await commands.order("c2"))["orderNumber"]) > 0
