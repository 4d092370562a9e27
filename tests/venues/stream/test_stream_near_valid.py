"""Whatever arrives: it is read, counted or unreadable, and what is told is sane; afterwards all goes on as before."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strategykit.errors import RemoteProtocolError
from strategykit.model.events import Bar, BookDelta, BookSnapshot, Quote, Ticker, Trade
from strategykit.venues.asks import Ask, AskBars, AskBook, AskInstrument, AskInstruments, AskPastTrades
from strategykit.venues.stream.dialect import StreamFamily
from strategykit.venues.stream.rows import TradeRow, nanoseconds, reader
from strategykit.venues.streams import StreamKind
from strategykit.venues.subscriptions import Subscription

MINUTE = 60 * 10**9
NOW_MS = 1_748_000_000_000
LAST = (1 << 63) - 1
TRIES = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

SYMBOLS = {"binance": "BTCUSDT", "binance_usdm": "BTCUSDT", "backpack": "SOL_USDC", "seed": "SOL_USDC"}
WANTED: dict[str, list[tuple[StreamKind, dict[str, Any]]]] = {
    "binance": [
        (StreamKind.TRADES, {}),
        (StreamKind.QUOTES, {}),
        (StreamKind.BOOK, {}),
        (StreamKind.BOOK, {"depth": 5}),
        (StreamKind.BARS, {"interval": MINUTE}),
        (StreamKind.TICKER, {}),
    ],
    "seed": [(StreamKind.TRADES, {}), (StreamKind.BOOK, {}), (StreamKind.TICKER, {})],
}
WANTED["binance_usdm"] = WANTED["binance"]
WANTED["backpack"] = [WANTED["binance"][index] for index in (0, 1, 2, 4, 5)]

LEVELS = {"b": [["96.40", "1.25"], ["96.39", "0"]], "a": [["96.41", "0.5"]]}
PRICES = {"o": "96.4", "h": "96.5", "l": "96.3", "c": "96.4", "v": "7"}
TRADE = {"e": "trade", "E": NOW_MS, "s": "X", "t": 7, "p": "96.41", "q": "0.03", "T": NOW_MS, "m": True}
BAR = {"t": NOW_MS - NOW_MS % 60_000, "T": NOW_MS, "s": "X", "i": "1m", **PRICES, "n": 1, "x": False}
DAY = {"e": "ticker", "E": NOW_MS, "s": "X", **PRICES, "V": "700", "n": 9}
DATA: dict[str, list[Any]] = {
    "binance": [
        TRADE,
        {"u": 7, "s": "X", "b": "96.40", "B": "1", "a": "96.41", "A": "2"},
        {"e": "depthUpdate", "E": NOW_MS, "s": "X", "U": 5, "u": 7, **LEVELS},
        {"lastUpdateId": 7, "bids": LEVELS["b"], "asks": LEVELS["a"]},
        {"e": "kline", "E": NOW_MS, "s": "X", "k": BAR},
        DAY | {"e": "24hrTicker", "q": "700", "O": NOW_MS, "C": NOW_MS},
    ],
    "binance_usdm": [
        TRADE | {"a": 7},
        {"e": "bookTicker", "u": 7, "b": "96.40", "B": "1", "a": "96.41", "A": "2", "T": NOW_MS, "E": NOW_MS},
        {"e": "depthUpdate", "E": NOW_MS, "T": NOW_MS, "s": "X", "U": 5, "u": 7, "pu": 4, **LEVELS},
        {"e": "depthUpdate", "E": NOW_MS, "T": NOW_MS, "s": "X", "U": 5, "u": 7, "pu": 4, **LEVELS},
        {"e": "kline", "E": NOW_MS, "s": "X", "k": BAR},
        DAY | {"e": "24hrTicker", "q": "700"},
    ],
    "backpack": [
        TRADE | {"T": NOW_MS * 1_000},
        {"e": "bookTicker", "u": "7", "b": "96.40", "B": "1", "a": None, "A": None, "T": NOW_MS * 1_000},
        {"e": "depth", "E": NOW_MS * 1_000, "s": "X", "U": 5, "u": 7, "T": NOW_MS * 1_000, **LEVELS},
        {
            "e": "kline",
            "E": NOW_MS * 1_000,
            "t": "2024-09-11T12:00:00",
            "T": "2024-09-11T12:01:00",
            **PRICES,
            "X": True,
        },
        DAY | {"E": NOW_MS * 1_000},
    ],
    "seed": [TRADE, {"e": "depth", "s": "X", **LEVELS}, {"e": "ticker", "c": "96.4", "h": "0", "l": None, "id": 1}],
}

PAST = {"id": 3, "price": "1", "qty": "1", "quantity": "1", "time": NOW_MS, "timestamp": NOW_MS, "trade_id": 3}
ANSWERS: list[tuple[str, Ask, Any]] = [
    ("binance", AskBook(instrument="X", depth=5), {"lastUpdateId": 6, "bids": LEVELS["b"], "asks": LEVELS["a"]}),
    ("backpack", AskBook(instrument="X", depth=5), {"lastUpdateId": "6", "bids": LEVELS["b"], "asks": LEVELS["a"]}),
    *((name, AskPastTrades(instrument="X", since=0, until=LAST, count=9), [PAST]) for name in ("binance", "seed")),
    (
        "binance",
        AskBars(instrument="X", interval=MINUTE, count=1, until=LAST),
        [[NOW_MS, "1", "3", "1", "2", "5", 0, "0", 0, "0", "0", "0"]],
    ),
    (
        "backpack",
        AskBars(instrument="X", interval=MINUTE, count=1, until=LAST),
        [{"start": "2024-09-11 12:00:00", "open": "1", "high": "3", "low": "1", "close": "2", "volume": "5"}],
    ),
    (
        "binance",
        AskInstrument(instrument="X"),
        {
            "symbols": [
                {
                    "symbol": "X",
                    "quoteAsset": "USDT",
                    "filters": [
                        {"filterType": "PRICE_FILTER", "tickSize": "0.01"},
                        {"filterType": "LOT_SIZE", "stepSize": "0.1"},
                    ],
                }
            ]
        },
    ),
    (
        "backpack",
        AskInstrument(instrument="X"),
        {
            "symbol": "X",
            "quoteSymbol": "USDC",
            "filters": {"price": {"tickSize": "0.01"}, "quantity": {"stepSize": "0.1"}},
        },
    ),
    ("seed", AskInstrument(instrument="X"), [{"symbol": "X"}]),
    (
        "backpack",
        AskInstruments(),
        [
            {
                "symbol": "X",
                "quoteSymbol": "USDC",
                "filters": {"price": {"tickSize": "0.01"}, "quantity": {"stepSize": "0.1"}},
            }
        ],
    ),
]

NOISE = [
    *("", " ", "null", "true", "0", '""', "[]", "{}", "[{}]", "nul", "{", '{"', "\ufeff{}", "\x00", "pong"),
    *('{"stream":null,"data":null}', '{"stream":"","data":{}}', '{"stream":{},"data":{}}', '{"id":{}}', '{"code":"x"}'),
    *('{"error":5}', '{"error":{"code":1e400}}', '{"code":NaN}', '{"stream":"\ud800","data":{}}', "\ud800"),
    *("[" * 100_000, '{"a":' * 100_000, '{"stream":"x","data":' + "[" * 50_000 + "]" * 50_000 + "}"),
    '{"id":' + "9" * 10_000 + "}",
]

WRONG: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, False, 0, -1, 1, 2**63, -(2**70), 10**300, 1.5, -0.0, 1e308, "", "x", "NaN", "Infinity", "1e999"),
        *("-5", "0" * 5_000, "9" * 10_000, "\x00", "💥", [], [None], [[]], {}, {"a": 1}, "1_000", " 1", "0x10", "١"),
        *(1, 1_000, 253_402_300_800, 10**15, 9_223_372_036_854, 9_223_372_036_855, 9_223_372_036_854_776, "1969-12-31"),
        *(
            "2262-04-12T00:00:00",
            "2024-09-11T12:00:00+05:00",
            [["1", "1"]] * 3,
            [["1", "1", "1"]],
            [[1, 1]],
            [["0", "1"]],
        ),
    ]
)


@st.composite
def spoiled(draw: st.DrawFn, sample: Any) -> str:
    """Spoil a valid message a little: a value, a key, a bite out of the text, or noise in it."""
    value = copy.deepcopy(sample)
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
        literal = draw(st.sampled_from(["NaN", "Infinity", "-Infinity", "1e400", "1E-400", "9" * 5_000]))
        return text.replace(str(NOW_MS), literal, 1).replace('"96.41"', literal, 1)
    if kind == 3:  # All keys twice.
        return text[:-1] + "," + text[1:] if text.startswith("{") and len(text) > 2 else text
    return text


def is_size(number: float | None) -> bool:
    return number is None or (math.isfinite(number) and 0 <= number <= 1e15)


def is_time(time: int | None) -> bool:
    return time is None or 0 <= time <= LAST


def check(things: Sequence[Any]) -> None:
    """Pass what can be traded on."""
    for thing in things:
        numbers: Sequence[float | None] = ()
        if isinstance(thing, Trade):
            numbers = (thing.price, thing.quantity)
            assert thing.price > 0
            assert thing.quantity > 0
        elif isinstance(thing, Quote):
            numbers = (thing.bid, thing.bid_size, thing.ask, thing.ask_size)
            assert thing.bid != 0
            assert thing.ask != 0
        elif isinstance(thing, BookSnapshot | BookDelta):
            numbers = (*thing.bid_prices, *thing.bid_sizes, *thing.ask_prices, *thing.ask_sizes)
            assert all((*thing.bid_prices, *thing.ask_prices))
            assert len(thing.bid_prices) == len(thing.bid_sizes)
        elif isinstance(thing, Bar):
            numbers = (thing.open, thing.high, thing.low, thing.close, thing.volume)
            assert 0 < thing.low <= min(thing.open, thing.close) <= max(thing.open, thing.close) <= thing.high
            assert is_time(thing.open_time)
        elif isinstance(thing, Ticker):
            prices = [price for price in (thing.last, thing.open, thing.high, thing.low) if price is not None]
            assert all(0 < price <= 1e15 for price in prices)
            assert thing.high is None or thing.low is None or thing.low <= thing.high
            numbers = tuple(each / 1e3 for each in (thing.volume, thing.turnover) if each is not None)
            assert thing.trades is None or thing.trades >= 0
            assert thing.change is None or math.isfinite(thing.change)
        assert all(is_size(number) for number in numbers)
        assert is_time(getattr(thing, "event_time", None))


def give(bench: Any, frame: str | bytes) -> None:
    try:
        found = bench.frame(frame)
    except RemoteProtocolError:
        return
    check(found)


CASES = [(variant, index) for variant, wanted in WANTED.items() for index in range(len(wanted))]


@pytest.mark.parametrize(("variant", "index"), CASES)
@settings(TRIES, max_examples=50)
@given(data=st.data())
def test_near_valid_frames(desk: Callable[..., Any], variant: str, index: int, data: st.DataObject) -> None:
    bench = desk(variant)
    kind, more = WANTED[variant][index]
    row = bench.want(kind, SYMBOLS[variant], **more)
    sample = {"stream": row.key, "data": DATA[variant][index]}
    bench.frame(json.dumps(sample, separators=(",", ":")))

    for _ in range(3):
        give(bench, data.draw(spoiled(sample)))

    if bench.needs:
        check(bench.answer(None, "no"))
    check(bench.frame(json.dumps(sample)))
    assert row.data > 0


@TRIES
@given(data=st.data())
def test_near_valid_answers(data: st.DataObject) -> None:
    variant, ask, body = data.draw(st.sampled_from(ANSWERS))
    family = StreamFamily(variant)
    assert family.decode_answer(ask, json.dumps(body).encode(), receive_time=NOW_MS * 10**6)

    text = data.draw(spoiled(body)).encode("utf-8", "surrogatepass")
    try:
        found = family.decode_answer(ask, text, receive_time=NOW_MS * 10**6)
    except RemoteProtocolError:
        return
    check(found)


@pytest.mark.parametrize("variant", SYMBOLS)
@pytest.mark.parametrize("frame", NOISE)
def test_noise(desk: Callable[..., Any], variant: str, frame: str) -> None:
    bench = desk(variant)
    bench.want(StreamKind.TRADES, SYMBOLS[variant])

    give(bench, frame)
    give(bench, frame.encode("utf-8", "surrogatepass"))


@TRIES
@given(frame=st.one_of(st.text(max_size=50), st.binary(max_size=50)))
def test_anything(desk: Callable[..., Any], frame: str | bytes) -> None:
    give(desk(), frame)


@TRIES
@given(
    number=st.decimals(min_value="0.00000001", max_value="999999999", allow_nan=False, allow_infinity=False),
    more=st.text("0123456789", max_size=30),
)
def test_prices_are_the_nearest_double_of_what_was_printed(number: Any, more: str) -> None:
    text = f"{number:f}" + (more if "." in f"{number:f}" else "")
    row = reader(TradeRow)(f'{{"data":{{"t":1,"p":"{text}","q":"1","m":true,"T":1}}}}').data

    assert row.p == float(text)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (0, 0),
        (1_748_000_000_123, 1_748_000_000_123_000_000),
        (1_748_000_000_123_456, 1_748_000_000_123_456_000),
        (9_223_372_036_854, 9_223_372_036_854_000_000),
        (9_223_372_036_854_775, 9_223_372_036_854_775_000),
    ],
)
def test_units_of_times_are_told_by_their_size(time: int, expected: int) -> None:
    assert nanoseconds(time) == expected


ALIKE = ["B", "BT", "BTC", "B" * 21, "B" * 22, "B" * 23, "B" * 24, "B" * 60]
"""Symbols that begin alike, up to beyond what is noted of a frame."""

STEPS = st.tuples(st.sampled_from(["want", "release", "told", "told", "told"]), st.sampled_from(ALIKE))


@TRIES
@given(st.lists(STEPS, min_size=5, max_size=40))
def test_frames_that_are_known_by_their_beginnings_tell_what_they_tell_read_whole(
    desk: Callable[..., Any], steps: list[tuple[str, str]]
) -> None:
    """Text goes by its beginning, where that has been seen before; bytes never do."""
    quick, whole = desk("binance"), desk("binance")
    numbers = dict.fromkeys(ALIKE, 0)
    rows: dict[str, tuple[Subscription, Subscription]] = {}
    for step, symbol in steps:
        if step == "want" and symbol not in rows:
            rows[symbol] = quick.want(StreamKind.TRADES, symbol), whole.want(StreamKind.TRADES, symbol)
        elif step == "release" and symbol in rows:
            for each, row in zip((quick, whole), rows.pop(symbol), strict=True):
                each.table.release(row.guid, "a")
        else:
            numbers[symbol] += 1
            data = TRADE | {"t": numbers[symbol], "p": str(len(symbol))}
            frame = json.dumps({"stream": f"{symbol.lower()}@trade", "data": data}, separators=(",", ":"))

            told, wanted = quick.frame(frame), whole.frame(frame.encode())

            assert list(map(repr, told)) == list(map(repr, wanted))
            assert [event.instrument for event in told] == [symbol] * (symbol in rows)
    assert (quick.table.late, quick.table.foreign) == (whole.table.late, whole.table.foreign)


def test_only_so_many_beginnings_are_noted(desk: Callable[..., Any]) -> None:
    bench = desk("binance")
    bench.want(StreamKind.TRADES, "B")
    for number in range(5_000):
        frame = {"stream": "b@trade", "data": {"t": number} | TRADE | {"t": number}}
        (trade,) = bench.frame(json.dumps(frame, separators=(",", ":")))

    assert isinstance(trade, Trade)
    assert 0 < len(bench.table.beginnings) <= 4_096
