from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.secret import Secret
from strategykit.venues.coinapi.names import DataType, Variant
from strategykit.venues.coinapi.server_keys import read_credentials
from strategykit.venues.coinapi.server_requests import (
    BadRequest,
    Hello,
    Limits,
    Request,
    Subscribe,
    Unsubscribe,
    decode_request,
)
from strategykit.venues.coinapi.server_scope import Filters

KEY = "73034021-0ebc-493d-8a00-e0f138111f41"


def read(variant: Variant = Variant.V1, **fields: Any) -> Request:
    asked = {"type": "hello", "subscribe_data_type": ["trade"], **fields}
    return decode_request(json.dumps(asked), variant)


def good(variant: Variant = Variant.V1, **fields: Any) -> Hello | Subscribe | Unsubscribe:
    request = read(variant, **fields)
    assert not isinstance(request, BadRequest), request.message
    return request


def bad(variant: Variant = Variant.V1, **fields: Any) -> str:
    request = read(variant, **fields)
    assert isinstance(request, BadRequest)
    return request.message


def test_the_documented_hello_is_read() -> None:
    request = good(
        heartbeat=True,
        subscribe_data_type=["quote", "book5"],
        subscribe_filter_symbol_id=["KRAKEN_SPOT_ETH_EUR", "SOL-USD"],
        subscribe_filter_asset_id=["ETH", "SOL/USD"],
        subscribe_update_limit_ms_quote=250,
        subscribe_update_limit_ms_book_snapshot=1000,
    )

    assert request == Hello(
        frozenset({DataType.QUOTE, DataType.BOOK5}),
        Filters(frozenset({"KRAKEN_SPOT_ETH_EUR", "SOL-USD"}), assets=frozenset({"ETH", "SOL/USD"})),
        Limits(quote=250_000_000, book=1_000_000_000),
        True,
        None,
    )


@pytest.mark.parametrize(("word", "kind"), [("hello", Hello), ("subscribe", Subscribe), ("unsubscribe", Unsubscribe)])
def test_three_kinds_of_message_are_known(word: str, kind: type) -> None:
    assert type(read(type=word)) is kind


@pytest.mark.parametrize("nothing", [None, []])
def test_null_and_empty_filters_are_as_if_absent(nothing: object) -> None:
    members = [f"subscribe_filter_{name}_id" for name in ("symbol", "exchange", "asset", "period")]

    asked: dict[str, Any] = dict.fromkeys(members, nothing)

    assert good(**asked) == good()


def test_null_limits_are_as_if_absent_and_zero_is_no_limit() -> None:
    assert good(subscribe_update_limit_ms_quote=None) == good()
    assert good(subscribe_update_limit_ms_quote=0).limits == Limits(quote=0)


def test_unknown_members_are_ignored() -> None:
    assert good(subscribe_filter_moon_id=["X"], nested={"a": [1, None]}) == good()


def test_ds_ignores_the_key_and_the_filters_that_it_does_not_have() -> None:
    asked: dict[str, Any] = {
        "apikey": KEY,
        "subscribe_filter_exchange_id": ["KRAKEN"],
        "subscribe_filter_period_id": ["1MIN"],
    }

    assert good(Variant.DS, **asked) == good(Variant.DS)
    assert good(**asked).key == Secret(KEY)


def test_an_empty_key_is_none() -> None:
    assert good(apikey="").key is None
    assert good(apikey=None).key is None


@pytest.mark.parametrize("data_type", ["book", "book5", "book20", "book50"])
@pytest.mark.parametrize("variant", Variant)
def test_books_need_a_filter(variant: Variant, data_type: str) -> None:
    assert bad(variant, subscribe_data_type=[data_type]) == f"Invalid message: {data_type} requires a filter"
    assert "requires" in bad(
        variant, subscribe_data_type=["trade", data_type], type="subscribe", subscribe_filter_symbol_id=[]
    )
    assert good(variant, subscribe_data_type=[data_type], subscribe_filter_asset_id=["ETH"]).types == {data_type}
    assert good(variant, subscribe_data_type=[data_type], type="unsubscribe").types == {data_type}


def test_books_by_order_and_trades_need_no_filter() -> None:
    assert good(subscribe_data_type=["book_l3", "trade"]).filters.empty


def test_periods_are_no_filter_of_a_book() -> None:
    assert "requires" in bad(subscribe_data_type=["book5"], subscribe_filter_period_id=["1MIN"])


def test_rates_need_assets() -> None:
    assert "asset" in bad(subscribe_data_type=["exrate"], subscribe_filter_symbol_id=["KRAKEN"])
    assert good(subscribe_data_type=["exrate"], subscribe_filter_asset_id=["ETH"]).types == {DataType.EXRATE}


@pytest.mark.parametrize("name", ["ohlcv", "exrate", "asset", "exchange", "symbol", "volume"])
def test_ds_has_no_aggregates_and_no_metadata(name: str) -> None:
    assert bad(Variant.DS, subscribe_data_type=[name], subscribe_filter_asset_id=["X"])
    assert good(subscribe_data_type=[name], subscribe_filter_asset_id=["X"]).types == {name}


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "ping"},
        {"type": None},
        {"type": ["hello"]},
        {"subscribe_data_type": []},
        {"subscribe_data_type": None},
        {"subscribe_data_type": "trade"},
        {"subscribe_data_type": ["trade", "TRADE"]},
        {"subscribe_data_type": [{"a": 1}]},
        {"subscribe_filter_symbol_id": "KRAKEN"},
        {"subscribe_filter_symbol_id": ["KRAKEN", 1]},
        {"subscribe_filter_symbol_id": {}},
        {"subscribe_filter_symbol_id": [str(number) for number in range(100_001)]},
        {"subscribe_update_limit_ms_quote": -1},
        {"subscribe_update_limit_ms_quote": 1.5},
        {"subscribe_update_limit_ms_quote": "250"},
        {"subscribe_update_limit_ms_quote": True},
        {"subscribe_update_limit_ms_quote": 10**30},
        {"heartbeat": "true"},
        {"apikey": 5},
    ],
)
def test_what_is_wrong_is_refused(fields: dict[str, Any]) -> None:
    assert bad(**fields).startswith("Invalid message: ")


@pytest.mark.parametrize("message", ["", "{", "[]", "1", "null", "[" * 100_000, '{"type":"hello"', b"{}", "{} {}"])
def test_what_is_no_json_object_is_refused(message: str | bytes) -> None:
    assert isinstance(decode_request(message, Variant.V1), BadRequest)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["trade", "book", "hello"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=5,
)
MEMBERS = st.sampled_from(
    [
        *("type", "apikey", "heartbeat", "subscribe_data_type", "subscribe_filter_symbol_id"),
        *("subscribe_filter_exchange_id", "subscribe_filter_asset_id", "subscribe_filter_period_id"),
        *("subscribe_update_limit_ms_quote", "subscribe_update_limit_ms_book_snapshot"),
        *("subscribe_update_limit_ms_exrate", "other"),
    ]
)


@given(st.dictionaries(MEMBERS, VALUES, max_size=3), st.sampled_from(Variant))
@settings(max_examples=150, deadline=None)
def test_near_valid_messages_are_read_or_refused_and_never_show_a_key(fields: dict[str, Any], variant: Variant) -> None:
    request = read(variant, **{"apikey": KEY, **fields})

    assert isinstance(request, Hello | Subscribe | Unsubscribe | BadRequest)
    assert KEY not in repr(request)


@given(st.text(), st.integers(0, 80))
@settings(max_examples=100, deadline=None)
def test_damaged_messages_are_read_or_refused(noise: str, at: int) -> None:
    whole = '{"type":"hello","heartbeat":true,"subscribe_data_type":["trade"],"apikey":null}'

    assert decode_request(whole[:at] + noise + whole[at:], Variant.V1) is not None


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    ("path", "query", "headers"),
    [
        ("/v1/", {}, {"x-coinapi-key": KEY}),
        ("/v1/", {"apikey": KEY}, {}),
        ("/v1/", {"ApiKey": KEY}, {}),
        (f"/v1/APIKEY-{KEY}", {}, {}),
        (f"/v1/APIKEY-{KEY}/", {}, {}),
        ("/v1", {}, {"authorization": KEY}),
        ("/v1", {}, {"authorization": basic(f"coinapi:{KEY}")}),
        ("/v1", {"apikey": KEY}, {"authorization": "Bearer e30.e30.c2ln"}),
        ("/v1", {}, {"authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/20240506/x/s3/aws4_request, Signature=1"}),
    ],
)
def test_a_key_is_found_wherever_it_may_stand(path: str, query: dict[str, str], headers: dict[str, str]) -> None:
    found = read_credentials(path, query, headers)

    assert found.keys == (Secret(KEY),)
    assert found.path.rstrip("/") == "/v1"
    assert KEY not in repr(found)


def test_a_key_may_be_the_whole_path() -> None:
    assert read_credentials(f"/APIKEY-{KEY}", {}, {}).path == "/"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Basic !!"},
        {"authorization": "Basic " + base64.b64encode(b"\xff\xfe").decode()},
        {"authorization": basic(f"somebody:{KEY}")},
        {"authorization": "Bearer e30"},
        {"authorization": "AWS4-HMAC-SHA256 nonsense"},
        {"x-coinapi-key": "  "},
    ],
)
def test_what_is_no_key_is_none(headers: dict[str, str]) -> None:
    assert read_credentials("/v1/", {}, headers).keys == ()
