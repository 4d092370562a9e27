"""What is asked over HTTP, and what the answers say."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from strategykit.errors import LocalProtocolError, RemoteProtocolError
from strategykit.model.events import Bar, BookSnapshot, Side, Trade
from strategykit.model.instruments import Instrument
from strategykit.venues.asks import (
    Ask,
    AskAccount,
    AskBars,
    AskBook,
    AskInstrument,
    AskInstruments,
    AskOrders,
    AskPastTrades,
    AskPositions,
    AskTrades,
)
from strategykit.venues.stream.dialect import StreamFamily

MS = 1_000_000
MINUTE = 60_000 * MS
NOW = 1_748_000_000_000 * MS
D = Decimal

BOOK = AskBook(instrument="BTCUSDT", depth=1_000)
PAST = AskPastTrades(instrument="BTCUSDT", since=0, until=NOW + 1, count=100)
BARS = AskBars(instrument="BTCUSDT", interval=MINUTE, count=3, until=NOW)
LISTED = AskInstrument(instrument="BTCUSDT")


def call(variant: str, ask: Ask, **options: Any) -> tuple[str, dict[str, str]]:
    request = StreamFamily(variant, **options).request(ask)
    assert request.method == "GET"
    return request.path, dict(request.query)


def read(variant: str, ask: Ask, value: object, **options: Any) -> Sequence[Any]:
    body = value if isinstance(value, bytes) else msgspec.json.encode(value)
    return StreamFamily(variant, **options).decode_answer(ask, body, receive_time=NOW)


@pytest.mark.parametrize(
    ("variant", "ask", "path", "query"),
    [
        ("binance", BOOK, "/api/v3/depth", {"limit": "1000"}),
        ("binance_usdm", BOOK, "/fapi/v1/depth", {"limit": "1000"}),
        ("binance_coinm", BOOK, "/dapi/v1/depth", {"limit": "1000"}),
        ("backpack", BOOK, "/api/v1/depth", {"limit": "1000"}),
        ("seed", BOOK, "/api/v1/depth", {}),
        ("binance", PAST, "/api/v3/trades", {"limit": "1000"}),
        ("binance_usdm", PAST, "/fapi/v1/aggTrades", {"limit": "1000"}),
        ("backpack", PAST, "/api/v1/trades", {"limit": "1000"}),
        ("seed", PAST, "/api/v1/trades", {}),
        ("binance", BARS, "/api/v3/klines", {"interval": "1m", "limit": "3", "endTime": "1747999999999"}),
        (
            "backpack",
            BARS,
            "/api/v1/klines",
            {"interval": "1m", "startTime": "1747999820", "endTime": "1747999999"},
        ),
        ("binance", LISTED, "/api/v3/exchangeInfo", {}),
        ("backpack", LISTED, "/api/v1/market", {}),
        ("seed", LISTED, "/api/v1/tickers", {}),
    ],
)
def test_calls(variant: str, ask: Ask, path: str, query: dict[str, str]) -> None:
    assert call(variant, ask) == (path, {"symbol": "BTCUSDT", **query})


def test_aggregates_are_asked_for_where_they_are_streamed() -> None:
    assert call("binance", PAST, trades="aggTrade")[0] == "/api/v3/aggTrades"
    assert call("binance_usdm", PAST, trades="trade")[0] == "/fapi/v1/trades"


def test_no_more_bars_are_asked_for_than_the_venue_gives() -> None:
    many = AskBars(instrument="BTCUSDT", interval=MINUTE, count=99_999, until=NOW)

    assert call("binance", many)[1]["limit"] == "1000"
    assert call("backpack", many)[1]["startTime"] == str((NOW - 1_000 * MINUTE) // 10**9)


@pytest.mark.parametrize("ask", [AskOrders, AskTrades, AskPositions, AskAccount])
def test_there_are_no_accounts(ask: Any) -> None:
    with pytest.raises(LocalProtocolError, match="market data only"):
        call("binance", ask(account="A"))
    with pytest.raises(LocalProtocolError, match="isn't asked for"):
        read("binance", ask(account="A"), {})


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (AskBars(instrument="SOL_USDC", interval=MINUTE, count=1, until=1), "no bars of 60 s; it has none"),
        (AskBook(instrument="SOL USDC", depth=1), "no instrument 'SOL USDC'"),
        (AskBook(instrument="", depth=1), "no instrument ''"),
    ],
)
def test_what_the_seed_cant_be_asked(ask: Ask, words: str) -> None:
    with pytest.raises(LocalProtocolError, match=words):
        call("seed", ask)


def test_a_book_is_read_best_first() -> None:
    levels = {"lastUpdateId": "77", "bids": [["9", "1"], ["8", "0"], ["10", "2"]], "asks": [["12", "1"], ["11", "2"]]}
    (book,) = read("backpack", BOOK, levels | {"timestamp": 1_748_000_000_000_000})

    assert isinstance(book, BookSnapshot)
    assert (book.bid_prices, book.bid_sizes) == ((10.0, 9.0), (2.0, 1.0))
    assert (book.ask_prices, book.ask_sizes) == ((11.0, 12.0), (2.0, 1.0))
    assert (book.sequence, book.event_time, book.snapshot) == (77, NOW, True)


def test_a_book_may_have_no_number_and_no_time() -> None:
    (book,) = read("seed", BOOK, {"bids": [], "asks": []})

    assert (book.sequence, book.event_time) == (None, None)


def test_futures_say_when_a_book_was_so() -> None:
    (book,) = read("binance_usdm", BOOK, {"lastUpdateId": 1, "E": 5, "T": 1_748_000_000_000, "bids": [], "asks": []})

    assert book.event_time == NOW


TIME = NOW // MS
TRADES: dict[str, list[dict[str, Any]]] = {
    "binance": [{"id": 7, "price": "1.5", "qty": "2", "time": TIME, "isBuyerMaker": True, "isBestMatch": True}],
    "binance_usdm": [{"a": 7, "p": "1.5", "q": "2", "f": 1, "l": 2, "T": TIME, "m": True}],
    "backpack": [{"id": 7, "price": "1.5", "quantity": "2", "timestamp": TIME, "isBuyerMaker": True}],
    "seed": [{"trade_id": 7, "market": "X", "price": "1.5", "quantity": "2", "timestamp": TIME}],
}


@pytest.mark.parametrize("variant", TRADES)
def test_past_trades(variant: str) -> None:
    (trade,) = read(variant, PAST, TRADES[variant])

    assert isinstance(trade, Trade)
    assert (trade.instrument, trade.price, trade.quantity, trade.trade_id) == ("BTCUSDT", 1.5, 2.0, 7)
    assert (trade.event_time, trade.snapshot) == (NOW, True)
    assert trade.side is (None if variant == "seed" else Side.SELL), "the seed's server doesn't say who took"


def test_past_trades_are_the_newest_of_the_time_asked_for() -> None:
    rows = [
        {"id": number, "price": "1", "qty": "1", "time": 100 + number, "isBuyerMaker": False} for number in range(9)
    ]
    ask = AskPastTrades(instrument="BTCUSDT", since=102 * MS, until=107 * MS, count=3)

    assert [trade.trade_id for trade in read("binance", ask, rows[::-1])] == [4, 5, 6]
    assert [trade.side for trade in read("binance", ask, rows[:3])] == [Side.BUY]
    assert read("binance", ask, [{**rows[3], "qty": "0"}]) == []


def kline(opened: int) -> list[Any]:
    return [opened // MS, "2", "3", "1", "2.5", "7", 0, "0", 0, "0", "0", "0"]


def test_bars() -> None:
    rows = read("binance", BARS, [kline(NOW - MINUTE // 2), kline(NOW - 2 * MINUTE), kline(NOW - MINUTE), kline(NOW)])

    assert [(bar.open_time, bar.closed) for bar in rows] == [
        (NOW - 2 * MINUTE, True),
        (NOW - MINUTE, True),
        (NOW - MINUTE // 2, False),
    ]
    bar = rows[0]
    assert isinstance(bar, Bar)
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (2.0, 3.0, 1.0, 2.5, 7.0)
    assert (bar.interval, bar.snapshot) == (MINUTE, True)


@pytest.mark.parametrize("between", ["T", " "])
def test_backpacks_bars(between: str) -> None:
    prices = {"open": "2", "high": "3", "low": "1", "close": "2.5"}
    row = {"start": f"2024-09-11{between}12:00:00", "end": "x", **prices, "volume": "7", "trades": "3"}

    (bar,) = read("backpack", BARS, [row, row | {"open": None}])

    assert bar.open_time == 1_726_056_000 * 10**9
    assert (bar.open, bar.volume) == (2.0, 7.0)
    assert read("backpack", BARS, [row | {"volume": None}])[0].volume == 0.0


def listed(symbol: str = "BTCUSDT", tick: Any = "0.01000000", step: Any = "0.00001000") -> dict[str, Any]:
    filters = [{"filterType": "PRICE_FILTER", "tickSize": tick}, {"filterType": "LOT_SIZE", "stepSize": step}]
    return {"symbols": [{"symbol": symbol, "quoteAsset": "USDT", "filters": [*filters, {"filterType": "NOTIONAL"}]}]}


def test_an_instrument_of_binance() -> None:
    (found,) = read("binance", LISTED, listed())

    assert found == Instrument(
        "BTCUSDT",
        D("0.01"),
        D("0.00001"),
        currency="USDT",
        exchange="BINANCE",
        time_zone="UTC",
        counts_units=True,
    )
    assert read("binance", LISTED, listed("ETHUSDT")) == []


def test_an_instrument_of_backpack() -> None:
    filters = {"price": {"tickSize": "0.01", "minPrice": "0.01"}, "quantity": {"stepSize": "0.1"}}
    market = {"symbol": "SOL_USDC", "baseSymbol": "SOL", "quoteSymbol": "USDC", "filters": filters}

    (found,) = read("backpack", AskInstrument(instrument="SOL_USDC"), market)

    assert (found.tick, found.lot, found.currency, found.exchange) == (D("0.01"), D("0.1"), "USDC", "BACKPACK")
    assert read("backpack", LISTED, market) == []


def test_an_instrument_of_the_seed_has_the_steps_that_were_chosen() -> None:
    ask, body = AskInstrument(instrument="SOL_USDC"), [{"symbol": "SOL_USDC"}, {"symbol": "BTC_USDT"}]

    (found,) = read("seed", ask, body, tick=D("0.05"), lot=D("0.5"))

    assert (found.symbol, found.tick, found.lot, found.currency) == ("SOL_USDC", D("0.05"), D("0.5"), "USDC")
    assert read("seed", LISTED, body) == []


ALL = AskInstruments()


def backpacks(symbol: str, tick: str = "0.01") -> dict[str, Any]:
    filters = {"price": {"tickSize": tick}, "quantity": {"stepSize": "0.1"}}
    return {"symbol": symbol, "quoteSymbol": "USDC", "filters": filters}


@pytest.mark.parametrize(
    ("variant", "path", "body", "symbols"),
    [
        (
            "binance",
            "/api/v3/exchangeInfo",
            {"symbols": [*listed()["symbols"], *listed("X")["symbols"]]},
            ["BTCUSDT", "X"],
        ),
        (
            "backpack",
            "/api/v1/markets",
            [backpacks("SOL_USDC"), backpacks("SOL_USDC_PERP")],
            ["SOL_USDC", "SOL_USDC_PERP"],
        ),
        ("seed", "/api/v1/tickers", [{"symbol": "SOL_USDC"}, {"symbol": "BTC_USDT"}], ["SOL_USDC", "BTC_USDT"]),
        ("seed", "/api/v1/tickers", [], []),
    ],
)
def test_all_that_is_listed_can_be_asked_for(variant: str, path: str, body: Any, symbols: list[str]) -> None:
    assert call(variant, ALL) == (path, {})
    assert [found.symbol for found in read(variant, ALL, body)] == symbols


def test_what_is_listed_without_a_tick_doesnt_hide_the_rest() -> None:
    binance = {"symbols": [*listed("NEW", tick="0")["symbols"], *listed()["symbols"]]}

    assert [found.symbol for found in read("binance", ALL, binance)] == ["BTCUSDT"]
    assert [found.symbol for found in read("backpack", ALL, [{"symbol": "ODD"}, backpacks("OK")])] == ["OK"]


@pytest.mark.parametrize(
    ("variant", "ask", "body"),
    [
        ("binance", ALL, {"symbols": listed(tick="0")["symbols"]}),
        ("backpack", ALL, [backpacks("X", tick="0"), {}]),
        ("backpack", ALL, {}),
        ("seed", ALL, {}),
        ("binance", BOOK, b""),
        ("binance", BOOK, b"[]"),
        ("binance", BOOK, {"lastUpdateId": 1, "bids": [["0", "1"]], "asks": []}),
        ("binance", BOOK, {"lastUpdateId": 1, "bids": [["1", "-1"]], "asks": []}),
        ("binance", BOOK, {"lastUpdateId": 1, "bids": [["nan", "1"]], "asks": []}),
        ("binance", BOOK, b"[" * 100_000),
        ("binance", PAST, {"code": -1121, "msg": "Invalid symbol."}),
        ("binance", PAST, [{"id": 7, "price": "1e400", "qty": "2", "time": 1}]),
        ("binance", BARS, [["2", "3"]]),
        ("binance", BARS, [[1, "9", "3", "1", "2.5", "7", 0, "0", 0, "0", "0", "0"]]),
        (
            "backpack",
            BARS,
            [{"start": "yesterday", "open": None, "high": None, "low": None, "close": None, "volume": "1"}],
        ),
        (
            "backpack",
            BARS,
            [{"start": "1969-01-01", "open": None, "high": None, "low": None, "close": None, "volume": "1"}],
        ),
        ("binance", LISTED, listed(tick="0.00000000")),
        ("binance", LISTED, listed(tick="NaN")),
        ("binance", LISTED, listed(step=None)),
        ("binance", LISTED, {"symbols": [{"symbol": "BTCUSDT", "quoteAsset": "USDT", "filters": []}]}),
        ("seed", AskInstrument(instrument="X"), {"symbol": "X"}),
    ],
)
def test_answers_that_cant_be_read(variant: str, ask: Ask, body: object) -> None:
    with pytest.raises(RemoteProtocolError, match="can't be read"):
        read(variant, ask, body)
