"""Whatever arrives: the client half raises `RemoteProtocolError` or nothing, and a row takes no harm by it."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import RemoteProtocolError
from strategykit.venues.asks import Ask, AskBars, AskBook, AskInstrument, AskPastTrades
from strategykit.venues.coinapi.dialect import CoinApi
from strategykit.venues.streams import StreamKind

START = 1_714_979_280_000_000_000
MINUTE = 60_000_000_000
TRIES = settings(max_examples=100, deadline=None)
TIME = "2024-05-06T07:08:09.1234567Z"
ETH = "KRAKEN_SPOT_ETH_EUR"

_STAMPS = {"symbol_id": ETH, "sequence": 5, "time_exchange": TIME, "time_coinapi": TIME}
_LEVELS = {"asks": [{"price": 2895.9, "size": 0}], "bids": [{"price": 2895.4, "size": 0.9}]}
_ORDERS = {
    "asks": [{"id": "a", "price": 151.2, "size": 3, "update_type": "ADD"}],
    "bids": [{"id": None, "price": 151.1, "size": 0.5, "update_type": "MATCH"}],
}
_BAR = {
    "time_period_start": "2024-05-06T07:08:00.0000000Z",
    "time_period_end": "2024-05-06T07:09:00.0000000Z",
    "time_open": TIME,
    "time_close": TIME,
    "price_open": 2894.9,
    "price_high": 2896,
    "price_low": 2894.9,
    "price_close": 2895.4,
    "volume_traded": 12.75,
    "trades_count": 31,
}
_TRADE = {"uuid": "5F0a", "price": 2895.41, "size": 0.0375, "taker_side": "SELL"}
FRAMES: list[dict[str, Any]] = [
    {"type": "trade", **_STAMPS, **_TRADE},
    {"type": "quote", **_STAMPS, "ask_price": 2895.5, "ask_size": 1.25, "bid_price": 2895.4, "bid_size": 0.4},
    *({"type": "book", **_STAMPS, "is_snapshot": snapshot, **_LEVELS} for snapshot in (True, False)),
    {"type": "book5", **_STAMPS, **_LEVELS},
    {"type": "book20", **_STAMPS, **_LEVELS},
    *({"type": "book_l3", **_STAMPS, "is_snapshot": snapshot, **_ORDERS} for snapshot in (True, False)),
    {"type": "ohlcv", "symbol_id": ETH, "sequence": 4, "period_id": "1MIN", **_BAR},
    {
        "type": "exrate",
        "asset_id_base": "SOL",
        "asset_id_quote": "USD",
        "rate_type": "BASE_ALL_CROSSES_TO_REF",
        "time": TIME,
        "rate": 151.23456789,
    },
    {
        "type": "volume",
        "period_id": "1DAY",
        "time_coinapi": TIME,
        "volume_by_symbol": [
            {"symbol_id": ETH, "asset_id_base": "E", "asset_id_quote": "U", "volume_base": 1, "volume_quote": 2}
        ],
    },
    {"type": "asset", "asset_id": "SOL", "name": "Solana", "type_is_crypto": 1, "price_usd": None},
    {"type": "hearbeat"},
    {"type": "reconnect", "within_seconds": 10, "before_time": TIME},
    {"type": "error", "message": f"Invalid symbol: {ETH}"},
]
WANTED: list[tuple[StreamKind, str, dict[str, Any]]] = [
    (StreamKind.TRADES, ETH, {}),
    (StreamKind.TRADES, ETH, {"depth": 5}),
    (StreamKind.QUOTES, ETH, {}),
    (StreamKind.BOOK, ETH, {}),
    (StreamKind.BOOK, ETH, {"depth": 5}),
    (StreamKind.BOOK, ETH, {"depth": 20, "frequency": 10**9}),
    (StreamKind.BOOK_BY_ORDER, ETH, {}),
    (StreamKind.BARS, ETH, {"interval": MINUTE}),
    (StreamKind.BARS, ETH, {"interval": MINUTE, "since": START - MINUTE}),
    (StreamKind.QUOTES, "SOL/USD", {}),
    (StreamKind.RATE, "SOL/USD", {}),
    (StreamKind.VOLUME, ETH, {}),
    (StreamKind.ASSET, "SOL", {}),
]
ASKS: list[Ask] = [
    AskBars(instrument=ETH, interval=MINUTE, count=2, until=START),
    AskPastTrades(instrument=ETH, since=0, until=START, count=2),
    AskBook(instrument=ETH, depth=5),
    AskBook(instrument=ETH, depth=5, by_order=True),
    AskInstrument(instrument=ETH),
]
_STAMPED = {name: value for name, value in _STAMPS.items() if name != "sequence"}
BODIES: list[Any] = [
    [_BAR, _BAR],
    [{**_STAMPED, **_TRADE}, {**_STAMPED, **_TRADE, "uuid": "b"}],
    {**_STAMPED, **_LEVELS},
    {**_STAMPED, "asks": [{"id": "a", "price": 2, "size": 1}], "bids": [{"id": None, "price": 1, "size": 1}]},
    [
        {
            "symbol_id": ETH,
            "exchange_id": "KRAKEN",
            "asset_id_quote": "EUR",
            "price_precision": 0.01,
            "size_precision": 1,
        }
    ],
    {"error": "no"},
]

NOISE = [
    *("", " ", "null", "true", "0", '""', "[]", "[{}]", "nul", "{", '{"', "\ufeff{}", "\x00", "pong"),
    *('{"type":null}', '{"type":"trade"}', '{"type":{}}', '{"type":"trade","type":"quote"}', '{"type":"\\ud800"}'),
    *('{"a":Infinity}', '{"type":"error","message":5}', '{"type":"error","message":NaN}', '{"type":01}', '{"a":1}x'),
    *('{"type":"reconnect","within_seconds":"x"}', '{"type":"reconnect","within_seconds":1e400}', "\ud800"),
    *("[" * 100_000, '{"a":' * 100_000, '{"type":"x","a":' + "[" * 50_000 + "]" * 50_000 + "}"),
    '{"type":"trade","sequence":' + "9" * 10_000 + "}",
    '{"type":"asset","asset_id":"SOL","a":' + "[" * 50_000 + "]" * 50_000 + "}",
]

WRONG: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, False, 0, -1, 1, 2**63, -(2**70), 10**300, 1.5, -0.0, 1e308, "", "x", "NaN", "Infinity", "1e999"),
        *("-5", "BUY", "DELETE", "0" * 5_000, "\x00", "💥", [], [None], [[]], {}, {"a": 1}, "2026-13-45T99:99:99Z"),
        *("1e99999999999999999999", "2024-05-06T07:08:09", "9999-12-31T23:59:59.9999999Z", TIME + "Z"),
    ]
)


@st.composite
def mutated(draw: st.DrawFn, samples: list[Any]) -> str:
    """Spoil a valid message a little: a value, a key, a bite out of the text, or noise in it."""
    value = json.loads(json.dumps(draw(st.sampled_from(samples))))
    for _ in range(draw(st.integers(0, 3))):
        place = value
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
                place = place[key]
                continue
            if isinstance(place, dict) and draw(st.integers(0, 3)) == 0:
                del place[key]
            else:
                place[key] = copy.deepcopy(draw(WRONG))  # Later rounds may change it in place.
            break
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=draw(st.booleans()))
    kind, at = draw(st.integers(0, 9)), draw(st.integers(0, len(text)))
    if kind == 0:
        return text[:at]
    if kind == 1:
        return text[:at] + draw(st.text(max_size=5)) + text[at:]
    if kind == 2:
        literal = draw(st.sampled_from(["NaN", "Infinity", "1e400", "-1e400", "1E-400", "9" * 5_000]))
        return text.replace("2895.4", literal, 1).replace("12.75", literal, 1)
    return text


@given(data=st.data(), variant=st.sampled_from(["v1", "ds"]))
@TRIES
def test_near_valid_frames_never_break_the_client(make_lab: Any, data: st.DataObject, variant: str) -> None:
    lab = make_lab(CoinApi(variant))
    for kind, instrument, more in WANTED:
        if kind in lab.dialect.offers.streams and not (variant == "ds" and "/" in instrument):
            lab.want(kind, instrument, **more)
    for _ in range(4):
        step = data.draw(st.integers(0, 9))
        if step == 0:
            lab.lose()
        elif step == 1:
            lab.table.replace("market-0", "market-0~2")
        elif step == 2 and lab.needs:
            lab.answer(None, "no")
        by = data.draw(st.sampled_from(["market-0", "market-0~2"]))
        text = data.draw(mutated(FRAMES))
        for frame in (text, text.encode("utf-8", "surrogatepass")):
            with suppress(RemoteProtocolError):
                lab.feed(frame, by)


@pytest.mark.parametrize("noise", NOISE, ids=range(len(NOISE)))
def test_noise_is_nothing_or_an_error(make_lab: Any, noise: str) -> None:
    lab = make_lab()
    lab.want(StreamKind.TRADES)
    lab.want(StreamKind.ASSET, "SOL")

    for frame in (noise, noise.encode("utf-8", "surrogatepass"), b"\xff" + noise.encode("utf-8", "surrogatepass")):
        with suppress(RemoteProtocolError):
            assert not [thing for thing in lab.feed(frame) if type(thing).__name__ == "Trade"]


@given(body=mutated([body if isinstance(body, dict | list) else [body] for body in BODIES]), ask=st.sampled_from(ASKS))
@TRIES
def test_near_valid_answers_never_break_the_client(body: str, ask: Ask) -> None:
    with suppress(RemoteProtocolError):
        CoinApi().decode_answer(ask, body.encode("utf-8", "surrogatepass"), receive_time=START)


@given(frames=st.lists(mutated(FRAMES), max_size=4))
@TRIES
def test_what_cant_be_read_takes_nothing_from_what_can(make_lab: Any, brief: Any, frames: list[str]) -> None:
    lab = make_lab()
    lab.want(StreamKind.QUOTES, "OTHER_SPOT_A_B")
    for frame in frames:
        with suppress(RemoteProtocolError):
            lab.feed(frame)

    assert brief(lab.feed(lab.frame("quote", "OTHER_SPOT_A_B", bid_price=1))) == ["Quote"]
