from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.venues.coinapi.names import HEARTBEATS, PERIODS, DataType
from strategykit.venues.coinapi.server import HEARTBEAT, encode_error, encode_item, encode_reconnect, frame_item
from strategykit.venues.coinapi.server_items import BookItem, Level, NamedBar, TradeItem
from strategykit.venues.coinapi.times import read_time, write_date, write_time

SEVEN_EIGHT_NINE = 1_714_979_289_123_456_700
TEXT = "2024-05-06T07:08:09.1234567Z"

TRADE = TradeItem("KRAKEN_SPOT_ETH_EUR", TEXT, TEXT, "5f0a7c1e-30b1-4a5f-9f0e-0c6f1c5b7a11", 2895.41, 0.0375, "SELL")


def test_a_trade_is_worded_as_documented() -> None:
    assert json.loads(frame_item(DataType.TRADE, encode_item(TRADE), 17)) == {
        "type": "trade",
        "symbol_id": "KRAKEN_SPOT_ETH_EUR",
        "sequence": 17,
        "time_exchange": TEXT,
        "time_coinapi": TEXT,
        "uuid": "5f0a7c1e-30b1-4a5f-9f0e-0c6f1c5b7a11",
        "price": 2895.41,
        "size": 0.0375,
        "taker_side": "SELL",
    }


def test_rest_has_the_same_item_without_type_and_sequence() -> None:
    streamed = json.loads(frame_item(DataType.TRADE, encode_item(TRADE), 17))

    assert {key: streamed[key] for key in streamed if key not in ("type", "sequence")} == json.loads(encode_item(TRADE))


def test_numbers_are_the_shortest_that_say_what_was_meant() -> None:
    book = BookItem("A", TEXT, TEXT, is_snapshot=False, asks=(Level(0.1, 0),), bids=())

    words = json.loads(frame_item(DataType.BOOK, encode_item(book), 1), parse_float=Decimal)

    assert words["asks"] == [{"price": Decimal("0.1"), "size": 0}]
    assert words["bids"] == []
    assert words["is_snapshot"] is False


def test_a_type_without_numbers_has_no_sequence() -> None:
    assert "sequence" not in json.loads(frame_item(DataType.EXRATE, b'{"rate":1.5}', None))


def test_an_empty_bar_has_nulls() -> None:
    bar = NamedBar(TEXT, TEXT, None, None, None, None, None, None, 0.0, 0, symbol_id="A", period_id="1MIN")

    assert json.loads(encode_item(bar))["price_open"] is None


def test_the_heartbeat_is_spelt_as_the_venue_spells_it() -> None:
    assert json.loads(HEARTBEAT) == {"type": "hearbeat"}
    assert {"hearbeat", "heartbeat"} == HEARTBEATS


def test_an_error_and_a_reconnect_are_worded_as_documented() -> None:
    assert json.loads(encode_error('a "word"')) == {"type": "error", "message": 'a "word"'}
    assert json.loads(encode_reconnect(10, now=SEVEN_EIGHT_NINE)) == {
        "type": "reconnect",
        "within_seconds": 10,
        "before_time": "2024-05-06T07:08:19.1234567Z",
    }


@given(st.integers(0, 9_000_000_000_000_000_000))
@settings(max_examples=100, deadline=None)
def test_times_come_back_to_the_100_nanoseconds(time: int) -> None:
    text = write_time(time)

    assert read_time(text) == time - time % 100
    assert len(text) == 28
    assert text.startswith(write_date(time))


@pytest.mark.parametrize(
    ("text", "time"),
    [
        (TEXT, SEVEN_EIGHT_NINE),
        ("2024-05-06T07:08:09.123456789", SEVEN_EIGHT_NINE + 89),
        ("2024-05-06T07:08:09.+00:00", SEVEN_EIGHT_NINE - 123_456_700),
        ("2024-05-06T07:08:09+0000", SEVEN_EIGHT_NINE - 123_456_700),
        ("2024-05-06 07:08", SEVEN_EIGHT_NINE - 9_123_456_700),
        ("2024-05-06T07", 1_714_978_800_000_000_000),
        ("2024-05-06", 1_714_953_600_000_000_000),
    ],
)
def test_times_of_any_precision_are_read(text: str, time: int) -> None:
    assert read_time(text) == time


@pytest.mark.parametrize(
    "text",
    [
        *("", "2024", "2024-13-01", "2024-02-30", "2024-05-06T24:00", "1969-12-31", "2262-01-01", "now"),
        *("2024-05-06T07:08:09.1234567890Z", "2024-05-06T07:08:09+02:00", "٢٠٢٤-05-06"),
    ],
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert read_time(text) is None


def test_periods_have_their_lengths() -> None:
    assert (PERIODS["1SEC"], PERIODS["5MIN"], PERIODS["12HRS"]) == (10**9, 300 * 10**9, 43_200 * 10**9)
    assert PERIODS["10DAY"] == 10 * PERIODS["1DAY"]
