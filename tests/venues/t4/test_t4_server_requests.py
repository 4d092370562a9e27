"""Whatever a client sends is a request or a `BadRequest`; nothing of it raises."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto.service_pb2 import ClientMessage
from strategykit.venues.t4.server import decode_request
from strategykit.venues.t4.server_requests import (
    Activation,
    BadRequest,
    Batch,
    CreateStrategy,
    Heartbeat,
    Login,
    Pull,
    PullOrders,
    Request,
    Revise,
    ReviseOrders,
    Submission,
    SubscribeAccounts,
    SubscribeByOrder,
    SubscribeDepth,
    Ticket,
    TokenRequest,
)

FRAMES: Final = [
    bytes.fromhex(row["hex"])
    for row in json.loads((Path(__file__).parents[2] / "data" / "t4" / "frames.json").read_text("utf-8"))["frames"]
    if row["from"] == "client"
]


def read(**payload: Any) -> Request:
    return decode_request(ClientMessage(**payload).SerializeToString())


def test_documented_frames_are_read() -> None:
    heartbeat, key, name, token, depth, every, off, accounts, submit, revise, pull = map(decode_request, FRAMES)

    assert heartbeat == Heartbeat(1_700_000_000_000)
    assert key == Login(
        api_key="KEY",
        firm="",
        username="",
        password="",
        app_name="",
        app_license="",
        price_format=enums.PRICE_FORMAT_DECIMAL,
    )
    assert isinstance(name, Login)
    assert (name.firm, name.username, name.app_name, name.price_format) == ("F", "u", "a", enums.PRICE_FORMAT_REAL)
    assert token == TokenRequest("r1")
    market = {"exchange_id": "CME_Eq", "contract_id": "ES", "market_id": "M1"}
    assert depth == SubscribeDepth(**market, buffer=enums.DEPTH_BUFFER_SMART_TRADE, levels=enums.DEPTH_LEVELS_NORMAL)
    assert every == SubscribeDepth(**market, buffer=enums.DEPTH_BUFFER_SMART, levels=enums.DEPTH_LEVELS_ALL)
    assert isinstance(off, SubscribeDepth)
    assert (off.buffer, off.levels) == (enums.DEPTH_BUFFER_NO_SUBSCRIPTION, enums.DEPTH_LEVELS_UNDEFINED)
    assert accounts == SubscribeAccounts(
        subscribe=enums.ACCOUNT_SUBSCRIBE_TYPE_ALL_UPDATES,
        all_accounts=True,
        accounts=(),
        upl_mode=enums.UPL_MODE_AVERAGE,
    )
    sell = Ticket(
        buy_sell=enums.BUY_SELL_SELL,
        price_type=enums.PRICE_TYPE_LIMIT,
        time_type=enums.TIME_TYPE_NORMAL,
        volume=2,
        limit_price=Decimal("5954.50"),
        tag="t1",
    )
    assert submit == Submission(
        account_id="A1", market_id="M1", link=enums.ORDER_LINK_NONE, manual=False, tickets=(sell,)
    )
    change = Revise(unique_id="U1", volume=3, limit_price=Decimal("5954.25"))
    assert revise == ReviseOrders(account_id="A1", market_id="M1", revisions=(change,))
    assert pull == PullOrders(account_id="A1", market_id="M1", pulls=(Pull("U1"),))


def test_other_requests_are_read() -> None:
    watch = read(market_by_order_subscribe={"market_id": "M1", "subscribe": True})
    assert watch == SubscribeByOrder(exchange_id="", contract_id="", market_id="M1", subscribe=True)
    assert read(create_uds={"request_id": "u1"}) == CreateStrategy("u1")
    assert read(order_batch={"batch_id": "b", "submissions": [{}]}) == Batch(
        batch_id="b",
        submissions=(Submission(account_id="", market_id="", link=enums.ORDER_LINK_NONE, manual=False, tickets=()),),
    )


def test_conditions_are_read_and_an_empty_one_is_legal() -> None:
    whole = {
        "submit_time": {"seconds": 5, "nanos": 700},
        "cancel_delay_ms": -1,
        "mode": 2,
        "price": {"value": "1.5"},
        "volume": 3,
        "bid_offer": -1,
        "queue_submit": True,
    }
    request = read(order_submit={"orders": [{"activation_data": whole}, {"activation_data": {}}, {}]})

    assert isinstance(request, Submission)
    assert [ticket.activation for ticket in request.tickets] == [
        Activation(
            submit_time=5_000_000_700,
            cancel_delay_ms=-1,
            mode=enums.MARKET_MODE_OPEN,
            price=Decimal("1.5"),
            volume=3,
            bid_offer=enums.BID_OFFER_OFFER,
            queue_submit=True,
        ),
        Activation(),
        None,
    ]


@pytest.mark.parametrize("text", ["abc", "NaN", "Infinity", "1e400", "1e16", "1e-20", "1" * 41, "1,5", "٣x"])
def test_prices_that_are_none_are_told_with_the_order(text: str) -> None:
    price = {"value": text}
    order = {"limit_price": price, "activation_data": {"price": price}}
    submit, revise = (
        read(order_submit={"orders": [order]}),
        read(order_revise={"revisions": [{"unique_id": "U", "trail_price": price}]}),
    )

    assert isinstance(submit, Submission)
    assert isinstance(revise, ReviseOrders)
    assert "limit_price" in submit.tickets[0].fault
    assert "; price" in submit.tickets[0].fault
    assert "trail_price" in revise.revisions[0].fault
    assert submit.tickets[0].limit_price is None


def test_a_price_without_text_is_no_price() -> None:
    request = read(order_submit={"orders": [{"limit_price": {}}]})

    assert isinstance(request, Submission)
    assert (request.tickets[0].limit_price, request.tickets[0].fault) == (None, "")


def varint(number: int) -> bytes:
    parts = []
    while number > 127:
        parts.append(number % 128 | 128)
        number //= 128
    return bytes([*parts, number])


@pytest.mark.parametrize(
    "frame",
    [
        "text",
        "",
        b"",
        b"\x12",
        b"\x12\xff",
        b"\xff" * 11,
        b"\x0a" + varint(2**31 - 1),
        b"\x0a" + varint(2**64 - 1),
        b"\x12\x02\x0a\x01\xff",
        b"\x12\x03\x0a\x01\xff",
        b"\x0b" * 200,
        b"\x0b" * 5_000 + b"\x0c" * 5_000,
        b"\x07\x00",
        b"\x00\x01",
        bytes.fromhex("ca3e0178"),
        bytes.fromhex("0d00000000"),
    ],
    ids=lambda frame: repr(frame[:12]),
)
def test_what_says_nothing_is_a_bad_request(frame: str | bytes) -> None:
    assert isinstance(decode_request(frame), BadRequest)


def test_of_several_payloads_the_last_one_counts() -> None:
    assert decode_request(FRAMES[3] + FRAMES[0]) == decode_request(FRAMES[0])


def test_unknown_fields_and_numbers_are_kept_or_ignored() -> None:
    request = read(market_depth_subscribe={"buffer": -7, "depth_levels": 77})
    later = decode_request(FRAMES[4][:2] + bytes([FRAMES[4][2] + 3]) + FRAMES[4][3:] + b"\xf8\x7f\x01")

    assert isinstance(request, SubscribeDepth)
    assert (request.buffer, request.levels) == (-7, 77)
    assert later == decode_request(FRAMES[4])


@settings(max_examples=150, deadline=None)
@given(frame=st.sampled_from(FRAMES), data=st.data())
def test_near_valid_frames_never_raise(frame: bytes, data: st.DataObject) -> None:
    changed = bytearray(frame[: data.draw(st.integers(0, len(frame)))])
    for _ in range(data.draw(st.integers(0, 4))):
        if changed:
            changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    changed += data.draw(st.binary(max_size=8))

    assert isinstance(decode_request(bytes(changed)), get_args(Request))


@settings(max_examples=100, deadline=None)
@given(frame=st.binary(max_size=200))
def test_bytes_never_raise(frame: bytes) -> None:
    assert isinstance(decode_request(frame), get_args(Request))


def test_no_credential_is_shown() -> None:
    request = read(login_request={"api_key": "KEY1", "password": "WORD2", "app_license": "LICENCE3"})

    assert not [secret for secret in ("KEY1", "WORD2", "LICENCE3") if secret in repr(request)]
