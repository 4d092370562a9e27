from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import ConfigError
from strategykit.venues.stream.server_requests import (
    BadRequest,
    GetProperty,
    ListSubscriptions,
    SetProperty,
    Subscribe,
    Unsubscribe,
    decode_request,
    encode_error,
    encode_result,
)
from strategykit.venues.stream.server_variants import SERVER_VARIANTS, find_server_variant

SEED, BACKPACK, BINANCE = (SERVER_VARIANTS[name] for name in ("seed", "backpack", "binance"))

VOID = [
    "{}",
    "[]",
    "no json",
    '{"method":"subscribe","params":["trade.SOL_USDC"],"id":1}',
    '{"method":"SUBSCRIBE","params":["trade.SOL_USDC"],"id":"1"}',
    '{"method":"SUBSCRIBE","params":["trade.SOL_USDC"],"id":1.0}',
    '{"method":"SUBSCRIBE","params":["trade.SOL_USDC"],"id":true}',
    '{"method":"SUBSCRIBE","params":["trade.SOL_USDC"],"id":null}',
    '{"method":"SUBSCRIBE","params":["trade.SOL_USDC"]}',
    '{"method":"SUBSCRIBE","params":"trade.SOL_USDC","id":1}',
    '{"method":"SUBSCRIBE","params":{"0":"trade.SOL_USDC"},"id":1}',
    '{"method":"SUBSCRIBE","params":["trade.SOL_USDC",5],"id":1}',
    '{"method":"SUBSCRIBE","params":[],"id":1}',
    '{"method":"SUBSCRIBE","params":["trade.SOL_USDC"],"id":1,"id":2}',
    '{"method":"SUBSCRIBE","method":"SUBSCRIBE","params":["trade.SOL_USDC"],"id":1}',
    b'{"method":"SUBSCRIBE","params":["trade.SOL_USDC"],"id":1}',
    "[" * 100_000,
    '{"method":"SUBSCRIBE","params":["trade.SOL_USDC"],"id":NaN}',
    '{"method":"SUBSCRIBE","params":["trade.SOL_USDC"],"id":' + "9" * 5000 + "}",
]
"""Frames that the seed's server says nothing to. Source: stream protocol sheet, sections 2 and 6."""

TAKEN = [
    '{"method":"SUBSCRIBE","params":["trade.SOL_USDC"],"id":0}',
    '{"method":"SUBSCRIBE","params":["trade.SOL_USDC"],"id":4294967295}',
    '  {"method":"SUBSCRIBE","params":["trade.SOL_USDC"],"id":1}\n',
    '{"method":"SUBSCRIBE","params":["trade.SOL_USDC"],"id":1,"more":{"a":[1]},"more":2}',
]


@pytest.mark.parametrize("quirks", [False, True])
@pytest.mark.parametrize("frame", VOID, ids=range(len(VOID)))
def test_the_seeds_server_ignores_what_it_cannot_read(frame: str | bytes, quirks: bool) -> None:
    request = decode_request(frame, SEED, quirks=quirks)

    assert isinstance(request, BadRequest)
    assert encode_error(request, SEED) is None


@pytest.mark.parametrize("quirks", [False, True])
@pytest.mark.parametrize("frame", TAKEN)
def test_the_seeds_server_takes_what_it_should(frame: str, quirks: bool) -> None:
    request = decode_request(frame, SEED, quirks=quirks)

    assert isinstance(request, Subscribe)
    assert request.names == ("trade.SOL_USDC",)


@pytest.mark.parametrize("number", [-1, 4_294_967_296])
def test_only_the_reference_implementation_wants_an_unsigned_id_of_32_bits(number: int) -> None:
    frame = json.dumps({"method": "UNSUBSCRIBE", "params": ["trade.SOL_USDC"], "id": number})

    assert isinstance(decode_request(frame, SEED), Unsubscribe)
    assert isinstance(decode_request(frame, SEED, quirks=True), BadRequest)


def test_only_the_first_stream_of_a_frame_counts_at_the_reference_implementation() -> None:
    frame = json.dumps({"method": "SUBSCRIBE", "params": ["trade.SOL_USDC", "depth.SOL_USDC"], "id": 1})

    assert decode_request(frame, SEED) == Subscribe(("trade.SOL_USDC", "depth.SOL_USDC"), 1)
    assert decode_request(frame, SEED, quirks=True) == Subscribe(("trade.SOL_USDC",), 1)


@pytest.mark.parametrize(
    ("fields", "request_id"),
    [({}, None), ({"id": 3}, 3), ({"id": None}, None), ({"id": {}}, None), ({"id": 2.5}, None)],
)
def test_backpack_needs_no_id(fields: dict[str, Any], request_id: int | None) -> None:
    frame = json.dumps({"method": "SUBSCRIBE", "params": ["depth.SOL_USDC", "trade.SOL_USDC"], **fields})

    assert decode_request(frame, BACKPACK) == Subscribe(("depth.SOL_USDC", "trade.SOL_USDC"), request_id)


@pytest.mark.parametrize("frame", ["{}", "[1]", "x", b"{}", '{"method":"LOGIN","params":[]}', '{"method":"SUBSCRIBE"}'])
def test_backpack_answers_what_it_cannot_read_with_an_error_object(frame: str | bytes) -> None:
    request = decode_request(frame, BACKPACK)
    assert isinstance(request, BadRequest)
    answer = json.loads(encode_error(request, BACKPACK) or b"")

    assert answer["id"] is None
    assert answer["error"]["code"] == 4000


@pytest.mark.parametrize("number", [1, -(2**63), 2**63 - 1, "a1B2", "x" * 36, None, 1748000000123])
def test_binance_gives_every_allowed_id_back(number: object) -> None:
    frame = json.dumps({"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": number})
    request = decode_request(frame, BINANCE)

    assert isinstance(request, Subscribe)
    assert json.loads(encode_result(None, request.request_id)) == {"result": None, "id": number}


def binance(method: str, *params: object) -> dict[str, object]:
    return {"method": method, "params": list(params), "id": 7}


@pytest.mark.parametrize(
    ("frame", "request_"),
    [
        (binance("UNSUBSCRIBE", "btcusdt@trade"), Unsubscribe(("btcusdt@trade",), 7)),
        (binance("LIST_SUBSCRIPTIONS"), ListSubscriptions(7)),
        ({"method": "LIST_SUBSCRIPTIONS", "id": 7}, ListSubscriptions(7)),
        (binance("SET_PROPERTY", "combined", True), SetProperty(True, 7)),
        (binance("GET_PROPERTY", "combined"), GetProperty(7)),
    ],
)
def test_binance_reads_its_other_methods(frame: dict[str, object], request_: object) -> None:
    assert decode_request(json.dumps(frame), BINANCE) == request_


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("no json", 3),
        ('{"method":', 3),
        ("[]", 2),
        ("5", 2),
        (b"{}", 2),
        ('{"id":1}', 2),
        ({"params": ["btcusdt@trade"], "id": 1}, 2),
        (binance("subscribe", "btcusdt@trade"), 2),
        ({"method": 5, "id": 1}, 2),
        ({"method": "\ud800", "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": "btcusdt@trade", "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": {}, "id": 1}, 2),
        (binance("SUBSCRIBE"), 2),
        (binance("SUBSCRIBE", "btcusdt@trade", 5), 2),
        (binance("SUBSCRIBE", "bтcusdt@trade"), 2),
        (binance("LIST_SUBSCRIPTIONS", "x"), 2),
        (binance("GET_PROPERTY"), 2),
        (binance("GET_PROPERTY", "combined", True), 2),
        (binance("GET_PROPERTY", 5), 2),
        (binance("GET_PROPERTY", "other"), 0),
        (binance("SET_PROPERTY", "combined", "true"), 1),
        (binance("SET_PROPERTY", "combined", 1), 1),
        ({"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": "x" * 37}, 2),
        ({"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": "a-b"}, 2),
        ({"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 1.5}, 2),
        ({"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": True}, 2),
        ({"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 2**63}, 2),
    ],
    ids=str,
)
def test_binance_refuses_with_its_codes(frame: Any, code: int) -> None:
    text = frame if isinstance(frame, str | bytes) else json.dumps(frame)
    request = decode_request(text, BINANCE)

    assert isinstance(request, BadRequest)
    answer = json.loads(encode_error(request, BINANCE) or b"")
    assert answer["code"] == code
    assert answer["msg"]
    assert answer.get("id") in (None, 1, 7)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=4), SCALARS, max_size=2)
METHODS = ["SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY"]
NEAR_VALID = st.fixed_dictionaries(
    {},
    optional={
        "method": st.sampled_from(METHODS) | VALUES,
        "params": st.lists(st.sampled_from(["trade.SOL_USDC", "btcusdt@trade", "combined"]) | SCALARS, max_size=3)
        | VALUES,
        "id": st.integers(-1, 2**64) | VALUES,
        "signature": VALUES,
    },
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(SERVER_VARIANTS.values())), NEAR_VALID, st.booleans())
def test_whatever_is_nearly_a_request_is_read_or_refused(variant: Any, fields: dict[str, Any], quirks: bool) -> None:
    request = decode_request(json.dumps(fields), variant, quirks=quirks)

    if isinstance(request, BadRequest):
        answer = encode_error(request, variant)
        assert (answer is None) == (variant.language == "seed")
        assert answer is None or isinstance(json.loads(answer), dict)
    else:
        assert fields["method"] in METHODS
        assert json.loads(encode_result(None, request.request_id))["result"] is None


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(list(SERVER_VARIANTS.values())), st.text() | st.binary())
def test_whatever_is_no_request_is_refused(variant: Any, frame: str | bytes) -> None:
    assert isinstance(decode_request(frame, variant), BadRequest)


def test_a_variant_that_does_not_exist_is_refused_with_what_does() -> None:
    with pytest.raises(ConfigError, match="seed, backpack, binance, binance_usdm"):
        find_server_variant("kraken")
    assert find_server_variant("seed") is SEED
