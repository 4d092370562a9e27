"""The venue on a real socket, with a plain client."""

from __future__ import annotations

from typing import Any

import httpx
import trio
from trio_websocket import ConnectionClosed, wrap_client_stream

from strategykit.sim.server_t4 import open_simulated_t4
from strategykit.sim.t4_config import T4VenueConfig, default_markets
from strategykit.venues.t4.proto.service_pb2 import ClientMessage, ServerMessage

ES = "XCME_Eq ES (Z26)"


async def test_a_plain_client_logs_in_trades_and_reads_the_venues_own_record() -> None:
    config = T4VenueConfig(markets={ES: default_markets()[ES]})
    with trio.fail_after(10):
        async with (
            open_simulated_t4(config) as venue,
            # The library leaves the socket open when the server closes, so it is ours to close.
            await trio.open_tcp_stream("127.0.0.1", venue.port) as stream,
            trio.open_nursery() as nursery,
        ):
            socket = await wrap_client_stream(nursery, stream, "127.0.0.1", "/v1")

            async def say(**payload: Any) -> None:
                await socket.send_message(ClientMessage(**payload).SerializeToString())

            async def wait(name: str) -> Any:
                while True:
                    frame = await socket.get_message()
                    assert isinstance(frame, bytes)
                    message = ServerMessage.FromString(frame)
                    if message.WhichOneof("payload") == name:
                        return getattr(message, name)

            await say(login_request={"api_key": "simulated-api-key", "price_format": "PRICE_FORMAT_REAL"})
            welcome = await wait("login_response")
            await say(account_subscribe={"subscribe": 2, "subscribe_all_accounts": True})
            await say(
                market_depth_subscribe={
                    "exchange_id": "CME_Eq",
                    "contract_id": "ES",
                    "market_id": ES,
                    "buffer": "DEPTH_BUFFER_ALL",
                    "depth_levels": "DEPTH_LEVELS_NORMAL",
                }
            )
            await wait("market_snapshot")
            await wait("market_depth")
            await say(order_submit={"account_id": "SIM-1", "market_id": ES, "orders": [{"buy_sell": 1, "volume": 1}]})
            update = await wait("order_update_multi")
            while update.updates[0].WhichOneof("payload") != "order_update_trade":
                update = await wait("order_update_multi")

            async with httpx.AsyncClient(base_url=venue.url, verify=False) as http:
                key = {"Authorization": f"Bearer {welcome.authentication_token.token}"}
                exchanges = (await http.get("/markets/exchanges", headers=key)).json()
                record = (await http.get("/sim/orders")).json()
                hit = (await http.post("/sim/faults", json={"fault": "displace"})).json()
                wrong = await http.post("/sim/faults", json={"fault": "reject_login", "arguments": {"result": 0}})
                gone = await wait("login_response")
                try:
                    await wait("heartbeat")
                except ConnectionClosed as exc:
                    closed = exc.reason.code if exc.reason else 0

    assert exchanges[0]["exchangeId"] == "CME_Eq"
    assert [(row["status"], row["filled"]) for row in record["orders"]] == [("filled", 1)]
    assert record["orders"][0]["venue_order_id"] == record["commands"][-1]["unique_id"]
    assert record["commands"][-1]["status"] == "FINISHED"
    assert len(record["fills"]) == len(venue.exchange.fills("SIM-1")) == 1
    assert [entry.change for entry in venue.log][-1] == "TRADE_COMPLETED"
    assert venue.websocket_url == f"ws://127.0.0.1:{venue.port}/v1"
    assert (hit, wrong.status_code, gone.result, closed) == ({"hit": 1}, 400, 6, 1000)


async def test_websockets_elsewhere_are_refused() -> None:
    config = T4VenueConfig(markets={ES: default_markets()[ES]})
    with trio.fail_after(10):
        async with (
            open_simulated_t4(config) as venue,
            await trio.open_tcp_stream("127.0.0.1", venue.port) as stream,
        ):
            await stream.send_all(
                b"GET /v2 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            status = int((await stream.receive_some()).split()[1])

    assert status == 404
