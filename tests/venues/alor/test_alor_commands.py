"""Order commands in the client's words, and the server's reading of them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import LocalProtocolError
from strategykit.model.event_class import altered
from strategykit.model.events import Side
from strategykit.model.orders import AmendOrder, CancelOrder, Command, CreateOrder, OrderRequest, OrderType, TimeInForce
from strategykit.venues.alor.dialect import Alor
from strategykit.venues.alor.http_orders import cancel_all_request, order_request, read_order_answer
from strategykit.venues.alor.server import OrderCommand, decode_request
from strategykit.venues.alor.server_http import decode_http
from strategykit.venues.alor.server_requests import CancelAll, HttpCommand
from strategykit.venues.dialect import HttpRequest, Reply

LIMIT = OrderRequest(
    client_order_id="c-1",
    account="D12345",
    instrument="GAZP",
    side=Side.BUY,
    quantity=Decimal(5),
    type=OrderType.LIMIT,
    price=Decimal("128.340"),
)
STOP = altered(LIMIT, type=OrderType.STOP_LIMIT, stop_price=Decimal(130))
CANCEL_TYPES = list(OrderType)


def sent(command: Command) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(Alor().command(command))
    return fields


def created(**changes: Any) -> dict[str, Any]:
    return sent(CreateOrder(guid="g", request=altered(LIMIT, **changes)))


exact = st.integers(1, 10**24).map(lambda number: Decimal(number).scaleb(-12))
whole = st.integers(1, 10**12).map(Decimal)
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100)


@st.composite
def requests(draw: st.DrawFn) -> OrderRequest:
    kind = draw(st.sampled_from(OrderType))
    priced = kind in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    stop = kind in (OrderType.STOP, OrderType.STOP_LIMIT)
    shown = draw(st.none() | whole) if priced else None
    return OrderRequest(
        client_order_id=draw(st.just("") | words),
        account=draw(words),
        instrument=draw(words),
        side=draw(st.sampled_from(Side)),
        quantity=draw(whole),
        type=kind,
        price=draw(exact) if priced else None,
        stop_price=draw(exact) if stop else None,
        # A stop order's own form has no such field.
        time_in_force=TimeInForce.DAY if kind is OrderType.STOP else draw(st.sampled_from(TimeInForce)),
        board=draw(st.none() | words),
        display_quantity=shown,
        display_variance=None if shown is None else draw(st.none() | st.integers(1, 100)),
        expire_time=draw(st.none() | st.integers(1, 4 * 10**9).map(lambda s: s * 10**9)) if stop else None,
        protect_seconds=draw(st.none() | st.integers(1, 300)) if stop else None,
        allow_margin=draw(st.booleans()),
        active=draw(st.booleans()) if stop else True,
        check_duplicates=draw(st.booleans()),
    )


@given(request=requests())
@settings(max_examples=100, deadline=None)
def test_whatever_order_is_sent_arrives_as_it_is(request: OrderRequest) -> None:
    command = CreateOrder(guid="g", request=request)
    by_socket = decode_request(Alor().command(command))
    assert by_socket == OrderCommand(guid="g", command=command, check_duplicates=request.check_duplicates)

    call = order_request(command, exchange="MOEX", board=None)
    by_http = served(call)
    # HTTP has no such switch: a repeated X-REQID is never executed.
    repeated = CreateOrder(guid="g", request=altered(request, check_duplicates=True))
    assert by_http == HttpCommand(command=repeated)


def served(call: HttpRequest) -> object:
    body = (call.body or "").encode()
    return decode_http(call.method, call.path, call.query, call.headers, body)


@given(request=requests())
@settings(max_examples=50, deadline=None)
def test_whatever_amendment_is_sent_arrives_as_it_is(request: OrderRequest) -> None:
    """But for what an update can't change."""
    command = AmendOrder(guid="g", venue_order_id="58", request=request)
    arrived = decode_request(Alor().command(command))

    assert isinstance(arrived, OrderCommand)
    keeps_tif = request.type in (OrderType.MARKET, OrderType.STOP_LIMIT)
    expected = altered(
        request,
        display_variance=None,
        time_in_force=request.time_in_force if keeps_tif else TimeInForce.DAY,
    )
    assert arrived.command == AmendOrder(guid="g", venue_order_id="58", request=expected)
    by_http = served(order_request(command, exchange="MOEX", board=None))
    assert isinstance(by_http, HttpCommand)
    assert isinstance(by_http.command, AmendOrder)
    assert by_http.command.venue_order_id == "58"


@pytest.mark.parametrize("kind", CANCEL_TYPES)
def test_a_cancel_names_the_order_its_account_and_its_type(kind: OrderType) -> None:
    cancel = CancelOrder(guid="g", venue_order_id="58", request=altered(LIMIT, type=kind))
    opcode = {"stop_limit": "stopLimit"}.get(kind.value, kind.value)
    assert sent(cancel) == {
        "opcode": f"delete:{opcode}",
        "guid": "g",
        "orderId": "58",
        "exchange": "MOEX",
        "user": {"portfolio": "D12345"},
        "checkDuplicates": True,
    }
    arrived = decode_request(json.dumps(sent(cancel)))
    assert isinstance(arrived, OrderCommand)
    assert isinstance(arrived.command, CancelOrder)
    assert (arrived.command.venue_order_id, arrived.command.request.type) == ("58", kind)

    by_http = served(order_request(cancel, exchange="MOEX", board=None))
    assert isinstance(by_http, HttpCommand)
    assert isinstance(by_http.command, CancelOrder)
    stop = kind in (OrderType.STOP, OrderType.STOP_LIMIT)
    assert by_http.command.request.type is (OrderType.STOP if stop else OrderType.LIMIT)


def test_prices_are_sent_with_just_their_digits() -> None:
    frame = Alor().command(CreateOrder(guid="g", request=LIMIT))
    assert '"price":128.340,' in frame
    tiny = altered(LIMIT, price=Decimal("1E-8"), quantity=Decimal("1E+3"))
    assert '"quantity":1000,"price":0.00000001,' in Alor().command(CreateOrder(guid="g", request=tiny))


def test_a_trigger_fires_on_touching() -> None:
    buy, sell = (sent(CreateOrder(guid="g", request=altered(STOP, side=side))) for side in Side)
    assert (buy["condition"], sell["condition"]) == ("moreorequal", "lessorequal")
    assert (buy["triggerPrice"], buy["stopEndUnixTime"], buy["activate"]) == (130, 0, True)
    ending = altered(STOP, expire_time=1_773_306_907_999_999_999)
    assert sent(CreateOrder(guid="g", request=ending))["stopEndUnixTime"] == 1_773_306_907


def test_orders_name_the_board_or_take_the_dialects() -> None:
    command = CreateOrder(guid="g", request=LIMIT)
    instrument = json.loads(Alor(exchange="SPBX", board="SPBX").command(command))["instrument"]
    assert instrument == {"symbol": "GAZP", "exchange": "SPBX", "instrumentGroup": "SPBX"}
    assert created(board="TQBR")["instrument"]["instrumentGroup"] == "TQBR"
    assert "comment" not in created(client_order_id="")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"quantity": Decimal("1.5")}, "quantity of 1.5 lots"),
        ({"quantity": Decimal(0)}, "quantity of 0 lots"),
        ({"quantity": Decimal("NaN")}, "quantity of NaN lots"),
        ({"display_quantity": Decimal(-1)}, "visible quantity of -1 lots"),
        ({"price": None}, "a limit order needs a price"),
        ({"price": Decimal("Infinity")}, "price of Infinity is no number"),
        ({"stop_price": Decimal(1)}, "a limit order has no stop price"),
        ({"type": OrderType.MARKET}, "a market order has no price"),
        ({"type": OrderType.STOP_LIMIT}, "a stop_limit order needs a stop price"),
        ({"client_order_id": "x" * 101}, "101 characters: it travels as the comment, which has at most 100"),
        (
            {"type": OrderType.MARKET, "price": None, "display_quantity": Decimal(1)},
            "a market order can't be an iceberg",
        ),
        ({"protect_seconds": 5}, "only stops have"),
        ({"active": False}, "only stops have"),
        ({"type": OrderType.STOP_LIMIT, "stop_price": Decimal(1), "protect_seconds": 301}, "301 protecting seconds"),
    ],
)
def test_what_the_venue_has_no_form_for_is_not_sent(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(LocalProtocolError, match=words):
        created(**changes)


# Answers over HTTP


@pytest.mark.parametrize(
    ("status", "body", "reply"),
    [
        (200, b"success", Reply("g", 200, "success", True)),
        (200, b'"success"', Reply("g", 200, "success", True)),
        (200, b'{"message":"success","orderNumber":58}', Reply("g", 200, "success", True, "58")),
        (400, b"Order was canceled", Reply("g", 400, "Order was canceled", False)),
        (400, b"\xff", Reply("g", 400, "\ufffd", False)),
        (401, b"", Reply("g", 401, "", False)),
        (400, b'{"oldResponse":{"statusCode":400,"body":{}}}', Reply("g", 400, "", False)),
        (400, b'{"oldResponse":{"body":{"orderNumber":"5"}}}', Reply("g", 200, "", True, "5")),
        (400, b'{"message":"m","oldResponse":{}}', Reply("g", 400, "m", False)),
        (500, b'{"code":5,"message":"m"}', Reply("g", 500, "5: m", False)),
    ],
)
def test_answers_to_orders_are_read_whatever_their_form(status: int, body: bytes, reply: Reply) -> None:
    assert read_order_answer("g", status, body) == reply


def test_everything_can_be_cancelled_in_one_call() -> None:
    call = cancel_all_request("D12345", exchange="MOEX", stops=True)
    assert served(call) == CancelAll(account="D12345", exchange="MOEX", stops=True, json=True)
