from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.sim_server.conftest import Lab, OpenLab


async def test_commands_need_an_authorisation_that_is_alive(open_lab: OpenLab) -> None:
    async with open_lab(token_life=0.5) as lab, lab.connect("/cws") as client:
        early = await client.order("c1")
        wrong = await client.ask({"opcode": "authorize", "token": "JWT"})
        welcome = await client.authorize()
        done = await client.order("c2")
        while (await client.ask({"opcode": "ping"}))["httpCode"] == 200:
            pass
        late = await client.order("c3")
        client.token = await lab.token()
        await client.authorize()
        again = await client.order("c3")

    assert [reply["httpCode"] for reply in (early, wrong, welcome, done, late, again)] == [401, 401, 200, 200, 401, 200]
    assert early["message"] == late["message"] == "Invalid JWT token!"
    assert welcome["message"] == "The connection has been initialized."
    assert len(lab.venue.exchange.fills("D12345")) >= 2


async def test_the_next_frame_after_a_command_is_its_reply(lab: Lab) -> None:
    async with lab.connect("/cws") as client:
        await client.authorize()
        await client.order("c1", quantity=3)
        await client.order("c2", opcode="create:limit", price=250)

        assert [frame.partition(",")[0] for frame in client.raw] == [
            '{"requestGuid":"ask-1"',
            '{"requestGuid":"c1"',
            '{"requestGuid":"c2"',
        ]


async def test_an_order_can_be_amended_under_a_new_number_and_cancelled(lab: Lab) -> None:
    async with lab.connect("/cws") as client:
        await client.authorize()
        first = await client.order("c1", opcode="create:limit", price=250, quantity=5, comment="mine")
        second = await client.order("c2", opcode="update:limit", orderId=first["orderNumber"], price=249, quantity=3)
        gone = await client.ask(delete("c3", first["orderNumber"]))
        last = await client.ask(delete("c4", second["orderNumber"]))

    assert first["message"] == f"An order '{first['orderNumber']}' has been created."
    assert second["message"] == f"An order has been updated. New order Id is '{second['orderNumber']}'."
    assert second["orderNumber"] != first["orderNumber"]
    assert (gone["httpCode"], "orderNumber" in gone) == (400, False)
    assert last["message"] == f"An order '{second['orderNumber']}' has been deleted."


def delete(guid: str, number: str, **fields: Any) -> dict[str, Any]:
    user = {"portfolio": "D12345"}
    return {"opcode": "delete:limit", "guid": guid, "orderId": number, "exchange": "MOEX", "user": user, **fields}


async def test_a_repeated_command_is_answered_with_the_stored_reply_and_not_executed(lab: Lab) -> None:
    async with lab.connect("/cws") as first:
        await first.authorize()
        once = await first.order("c1")
    async with lab.connect("/cws") as second:
        await second.authorize()
        again = await second.order("c1")
        forced = await second.order("c1", checkDuplicates=False)

    assert again == once
    assert forced["orderNumber"] != once["orderNumber"]
    assert len(lab.venue.exchange.orders("D12345")) == 2
    assert [entry.repeated for entry in lab.venue.log if entry.command] == [False, True, False]


async def test_memory_of_commands_is_bounded(open_lab: OpenLab) -> None:
    async with open_lab(commands_remembered=2) as lab, lab.connect("/cws") as client:
        await client.authorize()
        replies = [await client.order(guid) for guid in ("c1", "c2", "c3", "c1")]

    assert len({reply["orderNumber"] for reply in replies}) == 4


async def test_orders_that_cannot_be_are_refused_and_leave_nothing(lab: Lab) -> None:
    orders: list[tuple[dict[str, Any], int]] = [
        ({"user": {"portfolio": "D999"}}, 403),
        ({"user": {}}, 400),
        ({"quantity": 0}, 400),
        ({"quantity": "many"}, 400),
        ({"instrument": {"symbol": "NOPE", "exchange": "MOEX"}}, 400),
        ({"opcode": "create:limit"}, 400),
        ({"opcode": "create:magic"}, 400),
        ({"opcode": "QuotesSubscribe", "code": "SBER", "exchange": "MOEX"}, 400),
        ({"quantity": 10**9}, 400),
    ]
    async with lab.connect("/cws") as client:
        await client.authorize()
        for number, (fields, code) in enumerate(orders):
            reply = await client.order(f"c{number}", **fields)
            assert reply["httpCode"] == code, fields
            assert reply["message"]

        assert lab.venue.exchange.orders("D12345") == []


async def test_the_log_is_the_whole_truth(lab: Lab) -> None:
    async with lab.connect("/cws") as client:
        await client.authorize()
        done = await client.order("c1", comment="mine")
        await client.order("c2", quantity=0)
    told = (await lab.http.get("/sim/orders")).json()

    assert [(row["guid"], row["action"], row["code"]) for row in told["commands"]] == [
        ("c1", "create", 200),
        ("c2", "create", 400),
    ]
    assert told["commands"][0]["order"] == done["orderNumber"]
    assert told["orders"][0]["client_order_id"] == "mine"
    assert sum(int(fill["quantity"]) for fill in told["fills"]) == 1
    assert {row["instrument"] for row in told["positions"]} >= {"SBER", "RUB"}
    assert [type(entry.event).__name__ for entry in lab.venue.log] == [
        *("NoneType", "OrderUpdate", "Fill", "OrderUpdate"),
        "NoneType",
    ]
