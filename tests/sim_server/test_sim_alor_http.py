from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

import httpx
import trio

from strategykit.sim.http_calls import HttpLimits

if TYPE_CHECKING:
    from tests.sim_server.conftest import Lab, OpenLab

ORDERS = "/commandapi/warptrans/TRADE/v2/client/orders"


async def test_time_and_reference_data_need_no_token(lab: Lab) -> None:
    assert (await lab.http.get("/md/v2/time")).json() > 1_700_000_000
    for path in ("/md/v2/Securities?query=sber", "/md/v2/securities/MOEX/SBER", "/md/v2/Securities/MOEX:SBER/quotes"):
        assert (await lab.http.get(path)).status_code == 200, path
    for path in ("/md/v2/orderbooks/MOEX/SBER", "/md/v2/Clients/MOEX/D12345/orders"):
        assert (await lab.http.get(path)).status_code == 401, path
    bad = await lab.http.get("/md/v2/time", headers={"Authorization": "Bearer JWT"})
    assert bad.status_code == 401


async def test_securities_are_found_by_name_market_and_board(lab: Lab) -> None:
    async def names(**params: Any) -> list[str]:
        rows = (await lab.get("/md/v2/Securities", format="Slim", **params)).json()
        return [row["sym"] for row in rows]

    assert await names(query="sber") == ["SBER"]
    assert await names(sector="FORTS") == []
    assert await names(sector="FOND", limit=1, offset=1) == ["GAZP"]
    assert await names(instrumentGroup="CETS") == []
    row = (await lab.get("/md/v2/Securities/MOEX/SBER")).json()
    assert (row["lotsize"], row["minstep"], row["primary_board"]) == (10, 0.01, "TQBR")
    assert (await lab.get("/md/v2/Securities/MOEX/SBER/availableBoards")).json() == ["TQBR"]
    assert (await lab.get("/md/v2/Securities/MOEX/NOPE")).status_code == 404
    assert (await lab.get("/md/v2/Securities/currencyPairs")).json() == []
    assert (await lab.get("/md/v2/risk/rates", riskCategoryId=1)).json() == {"list": [], "total": 0}


async def test_history_reaches_back_as_far_as_it_must(lab: Lab) -> None:
    now = (await lab.http.get("/md/v2/time")).json()
    query = {"symbol": "SBER", "exchange": "MOEX", "tf": 60}
    part = (await lab.get("/md/v2/history", **query, **{"from": now - 600, "to": now - 300})).json()
    more = (await lab.get("/md/v2/history", **query, **{"from": now, "to": now, "countBack": 7})).json()

    assert [bar["time"] % 60 for bar in part["history"]] == [0] * len(part["history"])
    assert part["prev"] < part["history"][0]["time"]
    assert part["history"][-1]["time"] < part["next"] <= now
    assert len(more["history"]) == 7
    assert more["next"] is None


async def test_history_up_to_a_time_far_ahead_ends_now(lab: Lab) -> None:
    query = {"symbol": "SBER", "exchange": "MOEX", "tf": 60, "from": 0}
    now = (await lab.http.get("/md/v2/time")).json()
    upto_now = (await lab.get("/md/v2/history", **query, to=now)).json()
    far_ahead = (await lab.get("/md/v2/history", **query, to=9_999_999_999)).json()

    assert far_ahead["next"] is None
    assert len(far_ahead["history"]) >= len(upto_now["history"]) > 5
    assert far_ahead["history"][0] == upto_now["history"][0]


async def test_the_book_and_the_trades_can_be_read(lab: Lab) -> None:
    async with lab.connect() as client:
        await client.subscribe("AllTradesGetAndSubscribe", "t", code="SBER")
        trades = [await client.data("t") for _ in range(4)]
    path = "/md/v2/Securities/MOEX/SBER/alltrades"
    book = (await lab.get("/md/v2/orderbooks/MOEX/SBER", depth=3)).json()
    last = (await lab.get(path, descending=True, take=2)).json()
    one = (await lab.get(path, fromId=trades[1]["id"], toId=trades[1]["id"])).json()
    sold = (await lab.get(path, side="sell")).json()
    past = (await lab.get(f"{path}/history", limit=5)).json()

    assert len(book["bids"]) == len(book["asks"]) == 3
    assert last[0]["id"] > last[1]["id"]
    assert [row["id"] for row in one] == [trades[1]["id"]]
    assert {row["side"] for row in sold} <= {"sell"}
    assert past == {"total": 0, "list": []}


async def test_orders_by_http_are_placed_once_amended_and_cancelled(lab: Lab) -> None:
    headers = {"Authorization": f"Bearer {await lab.token()}", "X-REQID": "D12345;1795255198630"}
    body = {
        "side": "buy",
        "quantity": 1,
        "price": 250,
        "instrument": {"symbol": "SBER", "exchange": "MOEX"},
        "user": {"portfolio": "D12345"},
    }
    where = {"portfolio": "D12345", "exchange": "MOEX"}

    async def call(method: str, path: str, request: str = "", **more: Any) -> httpx.Response:
        sent = {**headers, "X-REQID": request or "x"}
        answer: httpx.Response = await lab.http.request(method, ORDERS + path, headers=sent, **more)
        return answer

    placed = await call("POST", "/actions/limit", "D12345;1", json=body)
    again = await call("POST", "/actions/limit", "D12345;1", json=body)
    number = placed.json()["orderNumber"]
    amended = await call("PUT", f"/actions/limit/{number}", "D12345;2", json={**body, "price": 249})
    newer = amended.json()["orderNumber"]
    refused = await call("POST", "/actions/limit", "D12345;3", json={**body, "price": 1})
    row = (await lab.get(f"/md/v2/Clients/MOEX/D12345/orders/{newer}")).json()
    cancelled = await call("DELETE", f"/{newer}", params=where)
    missing = await call("DELETE", f"/{newer}", params={**where, "jsonResponse": True})
    none = await call("DELETE", "/all", params=where)
    await call("POST", "/actions/limit", "D12345;4", json=body)
    every = await call("DELETE", "/all", params={**where, "jsonResponse": True})

    assert placed.json() == {"message": "success", "orderNumber": number}
    assert (again.status_code, again.json()["oldResponse"]) == (400, {"statusCode": 200, "body": placed.json()})
    assert (row["id"], row["price"], row["status"]) == (newer, 249, "working")
    assert (refused.status_code, refused.json()["code"]) == (400, "BadRequest")
    assert cancelled.text == "success"
    assert (missing.status_code, missing.json()["code"]) == (400, "OrderToCancelNotFound (404)")
    assert (none.status_code, none.json()["code"]) == (400, "OrderToCancelNotFound")
    assert every.json() == {"message": "success"}
    assert (await lab.get("/md/v2/Clients/MOEX/D12345/orders/1")).status_code == 404


async def test_what_an_order_would_cost_is_estimated(lab: Lab) -> None:
    headers = {"Authorization": f"Bearer {await lab.token()}"}
    body = {"portfolio": "D12345", "ticker": "SBER", "exchange": "MOEX", "price": 100, "lotQuantity": 3}
    one = (await lab.http.post(f"{ORDERS}/estimate", json=body, headers=headers)).json()
    many = (await lab.http.post(f"{ORDERS}/estimate/all", json=[body, body], headers=headers)).json()
    wrong = await lab.http.post(f"{ORDERS}/estimate/all", json=[{**body, "ticker": "NOPE"}], headers=headers)

    assert (one["quantityToBuy"], one["orderEvaluation"]) == (1000, 3000)
    assert many == [one, one]
    assert wrong.status_code == 404


async def test_a_portfolio_shows_what_was_traded(lab: Lab) -> None:
    async with lab.connect("/cws") as commands:
        await commands.authorize()
        await commands.order("c1")
    base = "/md/v2/Clients/MOEX/D12345"

    assert len((await lab.get(f"{base}/trades")).json()) == 1
    assert (await lab.get(f"{base}/GAZP/trades")).json() == []
    assert (await lab.get(f"{base}/stoporders")).json() == []
    assert (await lab.get(f"{base}/positions/SBER")).json()["qtyUnits"] == 10
    assert [row["symbol"] for row in (await lab.get(f"{base}/positions", withoutCurrency=True)).json()] == ["SBER"]
    assert {row["portfolio"] for row in (await lab.get("/md/v2/Clients/P12345/positions")).json()} >= {"D12345"}
    assert (await lab.get(f"{base}/summary", format="Slim")).json()["bp"] < 1_000_000
    assert (await lab.get(f"{base}/risk")).json()["riskStatus"] == "Ok"
    assert (await lab.get(f"{base}/fortsrisk")).json()["portfolio"] == "D12345"
    assert (await lab.get("/md/v2/Stats/MOEX/D12345/history/trades")).json() == []


async def test_other_peoples_portfolios_are_forbidden(lab: Lab) -> None:
    assert (await lab.get("/md/v2/Clients/MOEX/D999/orders")).status_code == 403
    assert (await lab.get("/md/v2/Clients/P999/positions")).status_code == 403


async def test_order_groups_are_refused(lab: Lab) -> None:
    assert (await lab.get("/commandapi/api/orderGroups")).json()["status"] == 400


async def raw(lab: Lab, data: bytes) -> bytes:
    """What the server says to some bytes, until it hangs up or its answer is whole."""
    stream = await trio.open_tcp_stream("127.0.0.1", lab.venue.port)
    got = b""
    async with stream, trio.open_nursery() as nursery:

        async def send() -> None:
            with contextlib.suppress(trio.BrokenResourceError):  # It may have heard enough before all is said.
                await stream.send_all(data)

        nursery.start_soon(send)
        with contextlib.suppress(trio.BrokenResourceError):
            while part := await stream.receive_some():
                got += part
                head, _, body = got.partition(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head)
                if length is not None and (len(body) >= int(length[1]) or data.startswith(b"HEAD")):
                    break
        nursery.cancel_scope.cancel()
    return got


UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
CLOSE = b"Connection: close\r\n"


HOSTILE: list[tuple[bytes, int]] = [
    (b"NONSENSE\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 10_000 + b"\r\n", 431),
    (b"POST /refresh HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2_000_000, 413),
    (b"POST /refresh HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n" + CLOSE + b"\r\n\xff\x00{", 400),
    (b"GET /x HTTP/1.1\r\nHost: x\r\n" + CLOSE + b"\r\n", 404),
    (b"GET /md/v2/time?" + b"a=1&" * 200 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"HEAD /md/v2/time HTTP/1.1\r\nHost: x\r\n" + CLOSE + b"\r\n", 404),
    (b"GET /md/v2/time HTTP/1.0\r\n\r\n", 200),
    (UPGRADE.replace(b"/ws", b"/other").replace(b"Host", CLOSE + b"Host", 1), 404),
    (UPGRADE.replace(b"Version: 13", b"Version: 8"), 426),
    (UPGRADE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"!!!!"), 400),
    (UPGRADE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"c2hvcnQ="), 400),
    (UPGRADE.replace(b"GET", b"POST"), 400),
    (UPGRADE.replace(b"Connection: Upgrade", b"Connection: keep-alive"), 400),
]


async def test_whatever_comes_over_http_gets_a_status(lab: Lab) -> None:
    for data, status in HOSTILE:
        got = await raw(lab, data)
        assert got.startswith(f"HTTP/1.1 {status} ".encode()), (data[:100], got[:200])

    assert (await lab.http.get("/md/v2/time")).status_code == 200


async def test_a_body_can_wait_for_the_servers_consent(lab: Lab) -> None:
    head = b"POST /refresh HTTP/1.1\r\nHost: x\r\nContent-Length: 35\r\nExpect: 100-continue\r\n" + CLOSE + b"\r\n"
    stream = await trio.open_tcp_stream("127.0.0.1", lab.venue.port)
    async with stream:
        await stream.send_all(head)
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 100 ")
        await stream.send_all(b'{"token":"simulated-refresh-token"}')
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 200 ")


async def test_an_idle_or_dawdling_client_is_let_go(open_lab: OpenLab) -> None:
    async with open_lab(http=HttpLimits(idle=0.2, request_within=0.1)) as lab:
        assert await raw(lab, b"") == b""
        assert await raw(lab, b"GET / HTT") == b""


async def test_faults_that_cannot_be_are_refused(lab: Lab) -> None:
    for body in (
        {"fault": "explode"},
        {"fault": "drop", "lane": "nowhere"},
        {"fault": "drop", "code": 1005},
        {"fault": "stall", "seconds": -1},
        {"fault": "refuse_upgrades", "status": 200},
        {"fault": "halt", "instrument": "NOPE"},
        {},
    ):
        answer = await lab.http.post("/sim/faults", json=body)
        assert answer.status_code == 400, body
        assert answer.json()["message"]
