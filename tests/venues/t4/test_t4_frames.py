"""Every documented frame: the client's half writes those of clients and reads those of servers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from strategykit.errors import LocalProtocolError
from strategykit.model.events import BookSnapshot, Quote, Side
from strategykit.model.orders import CreateOrder, OrderRequest, OrderType
from strategykit.venues.dialect import Reply, SessionOver
from strategykit.venues.t4.client import encode
from strategykit.venues.t4.dialect import T4
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto.service_pb2 import ServerMessage
from strategykit.venues.t4.server import decode_request
from strategykit.venues.t4.server_requests import (
    BadRequest,
    Heartbeat,
    Login,
    Pull,
    PullOrders,
    Revise,
    ReviseOrders,
    Submission,
    SubscribeAccounts,
    SubscribeDepth,
    Ticket,
    TokenRequest,
)

FRAMES: Final = json.loads((Path(__file__).parents[2] / "data" / "t4" / "frames.json").read_text())["frames"]
CLIENTS: Final = {row["name"]: bytes.fromhex(row["hex"]) for row in FRAMES if row["from"] == "client"}
SERVERS: Final = {row["name"]: bytes.fromhex(row["hex"]) for row in FRAMES if row["from"] == "server"}

MARKET: Final = {"exchange_id": "CME_Eq", "contract_id": "ES", "market_id": "M1"}
NOBODY: Final = {"firm": "", "username": "", "password": "", "app_name": "", "app_license": ""}
WRITTEN: Final[dict[str, Any]] = {
    "heartbeat": Heartbeat(1_700_000_000_000),
    "login, api_key": Login(api_key="KEY", price_format=enums.PRICE_FORMAT_DECIMAL, **NOBODY),
    "login, firm": Login(
        api_key="",
        firm="F",
        username="u",
        password="p",
        app_name="a",
        app_license="l",
        price_format=enums.PRICE_FORMAT_REAL,
    ),
    "token request": TokenRequest("r1"),
    "depth CME_Eq / ES / M1, SMART_TRADE": SubscribeDepth(
        **MARKET, buffer=enums.DEPTH_BUFFER_SMART_TRADE, levels=enums.DEPTH_LEVELS_NORMAL
    ),
    "depth CME_Eq / ES / M1, SMART, ALL": SubscribeDepth(
        **MARKET, buffer=enums.DEPTH_BUFFER_SMART, levels=enums.DEPTH_LEVELS_ALL
    ),
    "depth off": SubscribeDepth(
        **MARKET, buffer=enums.DEPTH_BUFFER_NO_SUBSCRIPTION, levels=enums.DEPTH_LEVELS_UNDEFINED
    ),
    "account subscribe": SubscribeAccounts(
        subscribe=enums.ACCOUNT_SUBSCRIBE_TYPE_ALL_UPDATES,
        all_accounts=True,
        accounts=(),
        upl_mode=enums.UPL_MODE_AVERAGE,
    ),
    "submit": Submission(
        account_id="A1",
        market_id="M1",
        link=enums.ORDER_LINK_NONE,
        manual=False,
        tickets=(
            Ticket(
                buy_sell=enums.BUY_SELL_SELL,
                price_type=enums.PRICE_TYPE_LIMIT,
                time_type=enums.TIME_TYPE_NORMAL,
                volume=2,
                limit_price=Decimal("5954.50"),
                tag="t1",
            ),
        ),
    ),
    "revise": ReviseOrders(
        account_id="A1",
        market_id="M1",
        revisions=(Revise(unique_id="U1", volume=3, limit_price=Decimal("5954.25")),),
    ),
    "pull": PullOrders(account_id="A1", market_id="M1", pulls=(Pull("U1"),)),
}


def frame_called(begin: str, frames: dict[str, bytes]) -> bytes:
    (found,) = [frame for name, frame in frames.items() if name.startswith(begin)]
    return found


@pytest.mark.parametrize("begin", WRITTEN)
def test_what_clients_are_documented_to_send_is_written_byte_by_byte(begin: str) -> None:
    frame = frame_called(begin, CLIENTS)

    assert encode(WRITTEN[begin]) == frame
    assert decode_request(frame) == WRITTEN[begin]


def test_all_documented_frames_are_tried() -> None:
    assert len(WRITTEN) == len(CLIENTS)
    assert len(SERVERS) == 4


def test_an_order_is_worded_as_the_documented_one() -> None:
    request = OrderRequest(
        client_order_id="t1",
        account="A1",
        instrument="CME_Eq/ES/M1",
        side=Side.SELL,
        quantity=Decimal(2),
        type=OrderType.LIMIT,
        price=Decimal("5954.50"),
    )

    assert T4().command(CreateOrder(guid="t1", request=request)) == frame_called("submit", CLIENTS)


def test_a_heartbeat_is_told_in_milliseconds() -> None:
    assert T4().beat(1_700_000_000_000_999_999) == frame_called("heartbeat", CLIENTS)


def test_a_welcome_is_the_logins_answer_and_nothing_else(bench: Any) -> None:
    frame = frame_called("login OK", SERVERS)

    reply = bench.dialect.login_reply(frame, "login-1")
    assert isinstance(reply, Reply)
    assert (reply.guid, reply.ok, reply.code) == ("login-1", True, 0)
    assert bench.hear_frame(frame) == []


def test_any_other_result_ends_the_session(bench: Any) -> None:
    frame = frame_called("login result", SERVERS)

    reply = bench.dialect.login_reply(frame, "login-1")
    assert (reply.ok, reply.code, reply.message) == (False, -1, "unknown")
    assert bench.hear_frame(frame) == [SessionOver(-1, "unknown")]


def test_the_documented_book_is_read(bench: Any) -> None:
    bench.want("quotes", "CME_Eq/ES/M1")
    bench.want("book", "CME_Eq/ES/M1")

    quote, book = bench.hear_frame(frame_called("depth M1", SERVERS))

    assert isinstance(quote, Quote)
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (5954.25, 3.0, 5954.5, 2.0)
    assert isinstance(book, BookSnapshot)
    assert (book.bid_prices, book.ask_prices, book.event_time) == ((5954.25,), (5954.5,), None)


def test_the_documented_order_update_is_read(bench: Any) -> None:
    bench.want("orders", account="A1")

    found: Sequence[Any] = bench.hear_frame(frame_called("multi", SERVERS))

    # It says neither side nor tag, so nothing can be told of the order before its beginning is known.
    assert [type(thing).__name__ for thing in found] == ["Resubscribe"]


def test_what_no_client_sends_cant_be_worded() -> None:
    with pytest.raises(LocalProtocolError, match="BadRequest isn't sent"):
        encode(BadRequest("nothing"))
    with pytest.raises(LocalProtocolError, match="can't be written"):
        encode(Heartbeat(2**70))


def test_messages_that_are_newer_than_we_are_say_nothing(bench: Any) -> None:
    assert bench.hear_frame(b"") == []
    assert bench.hear_frame(bytes.fromhex("ca3e0178")) == []
    assert bench.hear(account_currency={"currency": "EUR"}) == []
    assert bench.dialect.login_reply(ServerMessage(heartbeat={}).SerializeToString(), "g") is None
    assert bench.dialect.login_reply("text", "g") is None
