"""Sessions that cryptofeed recorded of venues that strategykit doesn't speak: what their frames tell, frame by frame.

"This product includes software developed by Bryant Moscon (http://www.bryantmoscon.com/)": the recorded ones.
"""

from __future__ import annotations

import ast
import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.archive.reader import Archive
from strategykit.errors import ConfigError
from strategykit.foreign.cryptofeed import read_bytes_literal
from strategykit.foreign.refusals import RowRefused
from strategykit.model.events import BookDelta, BookSnapshot, Quote, Side, Trade
from strategykit.runtime.importing import ImportPlan, ImportReport, import_files

DATA = Path(os.environ.get("STRATEGYKIT_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
recorded = pytest.mark.skipif(
    not (DATA / "cryptofeed").is_dir(), reason=f"recordings are absent: no {DATA}; set STRATEGYKIT_DATA to their folder"
)
START = 1_618_677_817
MS = 1_000_000


def bring_in(paths: list[Path], to: Path, **more: Any) -> tuple[ImportReport, list[Any]]:
    report = import_files(ImportPlan(format="cryptofeed", paths=paths, to=to, **more))
    return report, list(Archive.open(to).events())


def session(tmp_path: Path, host: str, *frames: Any) -> Path:
    lines = [f"wss://{host}/ws <-> {START}.5", f'wss://{host}/ws <- {START}.5: {{"subscribe":1}}']
    lines += [
        f"{START + 1 + place}.25: {frame if isinstance(frame, str) else json.dumps(frame)}"
        for place, frame in enumerate(frames)
    ]
    path = tmp_path / "VENUE.ws.1.0"
    path.write_text("\n".join(lines))
    return path


def test_coinbase(tmp_path: Path) -> None:
    common = {"product_id": "BTC-USD", "time": "2021-04-17T16:43:37.075687Z"}
    path = session(
        tmp_path,
        "ws-feed.pro.coinbase.com",
        {"type": "subscriptions"},
        {
            "type": "snapshot",
            "product_id": "BTC-USD",
            "bids": [["9", "1"], ["10", "2"], ["8", "0"]],
            "asks": [["11", "3"]],
        },
        common | {"type": "l2update", "changes": [["sell", "11", "0"], ["buy", "10.5", "4"]]},
        common | {"type": "ticker", "best_bid": "10", "best_ask": "11", "price": "10.5"},
        common | {"type": "last_match", "side": "buy", "size": "0.5", "price": "10", "trade_id": 7},
        common | {"type": "match", "side": "sell", "size": "0.5", "price": "10", "trade_id": 8},
    )

    report, (book, change, quote, past, trade) = bring_in([path], tmp_path / "a")

    assert (report.made, report.refused) == ("archive", 0)
    assert isinstance(book, BookSnapshot)
    assert (book.bid_prices, book.ask_sizes, book.receive_time) == ((10.0, 9.0), (3.0,), (START + 2) * 10**9 + 250 * MS)
    assert isinstance(change, BookDelta)
    assert (change.bid_prices, change.ask_sizes) == ((10.5,), (0.0,))
    assert change.event_time == START * 10**9 + 75_687_000
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.ask, quote.last) == (10.0, 11.0, 10.5)
    assert (past.side, past.snapshot) == (Side.SELL, True)  # The side is that of the order that rested.
    assert (trade.side, trade.snapshot, trade.trade_id) == (Side.BUY, False, 8)


def test_kraken(tmp_path: Path) -> None:
    path = session(
        tmp_path,
        "ws.kraken.com",
        {"event": "systemStatus"},
        [1, {"as": [["11", "3", "1618677816.5"]], "bs": [["10", "2", "1618677816.5"]]}, "book-1000", "XBT/USD"],
        [
            1,
            {"a": [["11", "0", "1618677817.5"]]},
            {"b": [["10", "1", "1618677818.25"]], "c": "1"},
            "book-1000",
            "XBT/USD",
        ],
        [2, {"a": ["11", 3, "3.5"], "b": ["10", 2, "2.5"], "c": ["10.5", "1"]}, "ticker", "XBT/USD"],
        [
            3,
            [["10.5", "0.25", "1618677817.125", "s", "l", ""], ["10.6", "1", "1618677817.25", "b", "m", ""]],
            "trade",
            "XBT/USD",
        ],
    )

    _, (book, change, quote, sold, bought) = bring_in([path], tmp_path / "a")

    assert (book.bid_prices, book.ask_prices, book.snapshot) == ((10.0,), (11.0,), True)
    assert (change.bid_sizes, change.ask_sizes, change.event_time) == ((1.0,), (0.0,), 1_618_677_818_250 * MS)
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size, quote.last) == (10.0, 2.5, 11.0, 3.5, 10.5)
    assert (sold.side, bought.side, bought.price) == (Side.SELL, Side.BUY, 10.6)


def test_okx(tmp_path: Path) -> None:
    def frame(channel: str, row: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"arg": {"channel": channel, "instId": "BTC-USDT"}, "data": [row | {"ts": "1618677817003"}], **more}

    ticker = {"bidPx": "10", "bidSz": "1", "askPx": "", "askSz": "", "last": "10.5"}
    path = session(
        tmp_path,
        "ws.okx.com",
        {"event": "subscribe"},
        frame("books", {"bids": [["10", "1", "0", "1"]], "asks": []}, action="snapshot"),
        frame("books", {"bids": [["10", "0", "0", "0"]], "asks": []}, action="update"),
        frame("tickers", ticker),
        frame("trades", {"px": "10.5", "sz": "3", "side": "buy", "tradeId": "77"}),
    )

    _, (book, change, quote, trade) = bring_in([path], tmp_path / "a")

    assert (book.bid_prices, change.bid_sizes, change.event_time) == ((10.0,), (0.0,), 1_618_677_817_003 * MS)
    assert (quote.bid, quote.ask, quote.ask_size, quote.last) == (10.0, None, None, 10.5)
    assert (trade.trade_id, trade.side, trade.quantity) == ("77", Side.BUY, 3.0)


def test_huobi_packs_its_frames(tmp_path: Path) -> None:
    def frame(value: Any) -> str:
        return repr(gzip.compress(json.dumps(value).encode(), mtime=0))

    trade = {"amount": 2, "ts": 1_618_677_817_003, "id": 9, "price": 0.00002783, "direction": "sell"}
    book = {"bids": [[26.5, 50], [26.4, 1]], "asks": [[26.6, 7]], "ts": 1_618_677_817_003}
    path = session(
        tmp_path,
        "api.hbdm.com",
        frame({"ping": 1}),
        frame({"ch": "market.SHIB-USD.trade.detail", "tick": {"data": [trade]}}),
        frame({"ch": "market.ATOM-USD.depth.step0", "tick": book}),
        frame({"ch": "market.BTT-USDT.trade.detail", "tick": {"data": [trade | {"price": 1e-07}]}}),
        frame({"ch": "market.ATOM-USD.bbo", "tick": book}),
        repr(gzip.compress(b"{}", mtime=0)[:-4]),
        "b'not packed'",
        "b'\\q'",
    )
    told: list[str] = []

    report, (printed, whole, tiny) = bring_in([path], tmp_path / "a", tell=told.append)

    assert isinstance(printed, Trade)
    assert (printed.price, printed.quantity, printed.side, printed.trade_id) == (0.00002783, 2.0, Side.SELL, 9)
    assert (whole.bid_prices, whole.ask_sizes) == ((26.5, 26.4), (7.0,))
    assert tiny.price == 1e-7
    ticks = {symbol: str(known.tick) for symbol, known in Archive.open(tmp_path / "a").instruments.items()}
    assert ticks == {"SHIB-USD": "1E-8", "ATOM-USD": "0.1", "BTT-USDT": "1E-7"}
    assert report.refused == 4
    assert [line.partition(": ")[2].partition(":")[0] for line in told] == [
        "no channel that is known",
        "a frame is cut short, or unpacks to more than 16777216 bytes",
        "a frame can't be unpacked",
        "no bytes as Python writes them",
    ]


def test_bitmex(tmp_path: Path) -> None:
    when = {"timestamp": "2021-04-17T16:43:37.014Z", "symbol": "X"}
    level = {"symbol": "X", "side": "Buy"}

    def book(action: str, *rows: Any) -> dict[str, Any]:
        return {"table": "orderBookL2", "action": action, "filter": {"symbol": "X"}, "data": rows}

    printed = {"table": "trade", "data": [{**when, "side": "Sell", "size": 52, "price": 1e-05, "trdMatchID": "t"}]}
    path = session(
        tmp_path,
        "www.bitmex.com",
        {"info": "Welcome"},
        book("partial", {**level, "id": 7, "price": 10.5, "size": 3}, {**level, "id": 8, "price": 11, "size": 4}),
        book("update", {**level, "id": 7, "size": 5}),
        book("delete", {**level, "id": 8}),
        book("insert", {**level, "id": 9, "side": "Sell", "price": 12, "size": 1}),
        book("update", {**level, "id": 9, "side": "Sell", "size": 2}),
        {"table": "quote", "action": "insert", "data": [{**when, "bidSize": 7, "bidPrice": 17.2, "askPrice": None}]},
        {**printed, "action": "partial"},
        {**printed, "action": "insert"},
    )

    report, (whole, changed, gone, come, again, quote, past, trade) = bring_in([path], tmp_path / "a")

    assert report.refused == 0
    assert isinstance(whole, BookSnapshot)
    assert (whole.bid_prices, whole.bid_sizes, whole.ask_prices) == ((11.0, 10.5), (4.0, 3.0), ())
    assert isinstance(changed, BookDelta)
    assert (changed.bid_prices, changed.bid_sizes) == ((10.5,), (5.0,))
    assert (gone.bid_prices, gone.bid_sizes) == ((11.0,), (0.0,))
    assert [(each.ask_prices, each.ask_sizes) for each in (come, again)] == [((12.0,), (1.0,)), ((12.0,), (2.0,))]
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (17.2, 7.0, None, None)
    assert isinstance(trade, Trade)
    assert (trade.price, trade.quantity, trade.side, trade.trade_id) == (0.00001, 52.0, Side.SELL, "t")
    assert (past.snapshot, trade.snapshot) == (True, False)
    assert str(Archive.open(tmp_path / "a").instruments["X"].tick) == "0.00001"


def test_bybit(tmp_path: Path) -> None:
    row = {"symbol": "X", "side": "Buy", "price": "10.50", "size": 3}
    book = {"topic": "orderBookL2_25.X", "timestamp_e6": "1618677786598877"}
    changes = {"delete": [{**row, "size": None}], "update": [{**row, "price": 10, "size": 1}], "insert": []}
    path = session(
        tmp_path,
        "stream.bybit.com",
        {"success": True},
        {**book, "type": "snapshot", "data": [row]},
        {**book, "type": "snapshot", "data": {"order_book": [row, {**row, "side": "Sell", "price": "11"}]}},
        {**book, "type": "delta", "data": changes},
        {"topic": "trade.X", "data": [{**row, "trade_time_ms": "1618677780476", "side": "Sell", "trade_id": "a"}]},
    )

    _, (first, second, change, trade) = bring_in([path], tmp_path / "a")

    assert (first.bid_prices, first.ask_prices, first.event_time) == ((10.5,), (), 1_618_677_786_598_877_000)
    assert (second.bid_prices, second.ask_prices) == ((10.5,), (11.0,))
    assert (change.bid_prices, change.bid_sizes) == ((10.5, 10.0), (0.0, 1.0))
    assert (trade.price, trade.quantity, trade.side) == (10.5, 3.0, Side.SELL)
    assert trade.event_time == 1_618_677_780_476 * MS


BOOK_OF_X = {"event": "subscribed", "channel": "book", "chanId": 1, "symbol": "tX", "prec": "P0"}
ODD_CHANNEL = {"event": "subscribed", "channel": "candles", "chanId": 7, "symbol": "tX"}


def test_bitfinex(tmp_path: Path) -> None:
    path = session(
        tmp_path,
        "api.bitfinex.com",
        {"event": "info"},
        BOOK_OF_X,
        {**BOOK_OF_X, "channel": "trades", "chanId": 2},
        {**BOOK_OF_X, "channel": "ticker", "chanId": 3},
        [1, [[10, 2, 5.5], [11, 1, -3]], 1],
        [1, [10, 0, 1], 2],
        [1, [11, 1, -2.5], 3],
        [1, "hb", 4],
        [2, [[2, 1_618_677_816_002, -1.5, 10], [1, 1_618_677_816_001, 2, 9.5]], 5],
        [2, "te", [3, 1_618_677_817_000, 4, 10], 6],
        [2, "tu", [3, 1_618_677_817_000, 4, 10], 7],
        [3, [10, 1.5, 11, 2.5, 0, 0, 10.5, 0, 0, 0], 8],
    )

    report, (whole, gone, changed, first, second, trade, quote) = bring_in([path], tmp_path / "a")

    assert report.refused == 0
    assert (whole.bid_prices, whole.bid_sizes, whole.ask_prices, whole.ask_sizes) == ((10.0,), (5.5,), (11.0,), (3.0,))
    assert (gone.bid_prices, gone.bid_sizes, gone.ask_prices) == ((10.0,), (0.0,), ())
    assert (changed.ask_prices, changed.ask_sizes) == ((11.0,), (2.5,))
    assert [(each.trade_id, each.side, each.quantity, each.snapshot) for each in (first, second, trade)] == [
        (1, Side.BUY, 2.0, True),
        (2, Side.SELL, 1.5, True),
        (3, Side.BUY, 4.0, False),
    ]
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size, quote.last) == (10.0, 1.5, 11.0, 2.5, 10.5)


def test_kucoin(tmp_path: Path) -> None:
    match = {"symbol": "X", "side": "sell", "size": "2", "price": "0.0000001", "tradeId": "t"}
    best = {"bestBid": "1", "bestBidSize": "2", "bestAsk": "1.5", "bestAskSize": "3", "price": "1.2"}
    message = {"type": "message"}
    path = session(
        tmp_path,
        "push-private.kucoin.com",
        {"id": "1", "type": "welcome"},
        {**message, "topic": "/market/match:X", "data": {**match, "time": "1618677817739050725"}},
        {**message, "topic": "/market/ticker:X", "data": {**best, "time": 1_618_677_817_000}},
        {**message, "topic": "/market/level2:X", "data": {}},
        {**message, "topic": "/market/candles:X_1min", "data": {}},
    )

    report, (trade, quote) = bring_in([path], tmp_path / "a")

    assert report.refused == 0
    assert (trade.price, trade.side, trade.event_time) == (1e-7, Side.SELL, 1_618_677_817_739_050_725)
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size, quote.last) == (1.0, 2.0, 1.5, 3.0, 1.2)


@pytest.mark.parametrize(
    ("host", "frame"),
    [
        ("ws-feed.pro.coinbase.com", {"type": "nothing", "time": "2021-04-17T16:43:37Z"}),
        ("ws-feed.pro.coinbase.com", {"type": "match", "time": "2021-04-17T16:43:37"}),
        ("ws-feed.pro.coinbase.com", {"type": "match", "time": "soon"}),
        (
            "ws-feed.pro.coinbase.com",
            {"type": "l2update", "time": "2021-04-17T16:43:37Z", "changes": [["buy", "nan", "1"]]},
        ),
        ("ws-feed.pro.coinbase.com", []),
        ("ws.kraken.com", [1, [["1", "-1", "1618677817", "b"]], "trade", "X"]),
        ("ws.kraken.com", [1, [["1", "1", "1", "b"]], "trade", "X"]),
        ("ws.kraken.com", [1, [["1", "1", "1618677817", "x"]], "trade", "X"]),
        ("ws.kraken.com", [1, {}, "spread", "X"]),
        ("ws.kraken.com", [1, {}, "book-10", "X"]),
        ("ws.okx.com", {"arg": {"channel": "trades", "instId": "X"}, "data": [{"ts": "1", "px": "0", "sz": "1"}]}),
        ("ws.okx.com", {"arg": {"channel": "odd", "instId": "X"}, "data": [{"ts": "1"}]}),
        ("api.hbdm.com", {"ch": "market"}),
        ("www.bitmex.com", {"table": "odd", "action": "insert", "data": []}),
        ("www.bitmex.com", {"table": "quote", "action": "insert", "data": [{"symbol": "X", "timestamp": "soon"}]}),
        (
            "www.bitmex.com",
            {"table": "orderBookL2", "action": "update", "data": [{"symbol": "Y", "id": 1, "side": "Buy", "size": 1}]},
        ),
        (
            "www.bitmex.com",
            {"table": "orderBookL2", "action": "update", "data": [{"symbol": "X", "id": 9, "side": "Buy", "size": 1}]},
        ),
        (
            "www.bitmex.com",
            {"table": "orderBookL2", "action": "swap", "data": [{"symbol": "X", "id": 1, "side": "Buy", "size": 1}]},
        ),
        ("stream.bybit.com", {"topic": "odd.X", "data": []}),
        ("stream.bybit.com", {"topic": "trade.X", "data": [{"symbol": "X", "side": "Up", "trade_time_ms": 1}]}),
        ("stream.bybit.com", {"topic": "trade.X"}),
        ("api.bitfinex.com", [5, [1, 1, 1], 3]),
        ("api.bitfinex.com", [1, [1, "x", 1], 3]),
        ("api.bitfinex.com", [1, [{}, 1, 1], 3]),
        ("api.bitfinex.com", {"event": "subscribed", "channel": "book", "chanId": 2, "symbol": "Y", "prec": "R0"}),
        ("api.bitfinex.com", [7, [1, 1, 1], 3]),
        ("push-private.kucoin.com", {"type": "message", "topic": "/odd:X", "data": {}}),
        (
            "push-private.kucoin.com",
            {
                "type": "message",
                "topic": "/market/ticker:X",
                "data": {
                    "bestBid": "-1",
                    "bestBidSize": "1",
                    "bestAsk": "2",
                    "bestAskSize": "1",
                    "price": "1",
                    "time": 1_618_677_817_000,
                },
            },
        ),
        ("api.hbdm.com", "not JSON"),
    ],
)
def test_a_frame_that_cant_be_read_is_told_with_its_place(host: str, frame: Any, tmp_path: Path) -> None:
    good: dict[str, Any] = {
        "ws-feed.pro.coinbase.com": {"type": "snapshot", "product_id": "X", "bids": [["1", "1"]], "asks": []},
        "ws.kraken.com": [1, {"bs": [["10", "2", "1618677816.5"]]}, "book-10", "X"],
        "ws.okx.com": {
            "arg": {"channel": "trades", "instId": "X"},
            "data": [{"ts": "1618677817000", "px": "1", "sz": "1", "side": "buy", "tradeId": "1"}],
        },
        "api.hbdm.com": {"ch": "market.X.depth.step0", "tick": {"ts": 1_618_677_817_000, "bids": [[1, 1]]}},
        "www.bitmex.com": {
            "table": "orderBookL2",
            "action": "partial",
            "filter": {"symbol": "X"},
            "data": [{"symbol": "X", "id": 1, "side": "Buy", "size": 1, "price": 1}],
        },
        "stream.bybit.com": {
            "topic": "trade.X",
            "data": [
                {
                    "symbol": "X",
                    "side": "Buy",
                    "price": "1",
                    "size": 1,
                    "trade_time_ms": 1_618_677_817_000,
                    "trade_id": "1",
                }
            ],
        },
        "api.bitfinex.com": [1, [[1, 1, 1]], 1],
        "push-private.kucoin.com": {
            "type": "message",
            "topic": "/market/match:X",
            "data": {
                "symbol": "X",
                "side": "buy",
                "price": "1",
                "size": "1",
                "time": "1618677817000000000",
                "tradeId": "1",
            },
        },
    }
    told: list[str] = []
    # What begins a session stands before the frame that is wrong, so that its line is known.
    before = [BOOK_OF_X, ODD_CHANNEL] if host == "api.bitfinex.com" else []

    report, events = bring_in([session(tmp_path, host, *before, good[host], frame)], tmp_path / "a", tell=told.append)

    assert (len(events), report.refused, len(told)) == (1, 1, 1)
    assert f"VENUE.ws.1.0:{4 + len(before)}: " in told[0]


def test_lines_that_are_twice_are_told(tmp_path: Path) -> None:
    told: list[str] = []
    trades = [[3, [["10.5", f"{size}", "1618677817.125", "s", "l", ""]], "trade", "XBT/USD"] for size in (1, 2)]
    path = session(tmp_path, "ws.kraken.com", *trades)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[-1]]))

    report, found = bring_in([path], tmp_path / "archive", tell=told.append)

    assert (len(found), report.refused) == (2, 1)
    assert told[0].endswith(":5: a row above it has its time, and is the same; each once would be right")


def test_only_the_symbol_that_is_meant_is_taken(tmp_path: Path) -> None:
    frames = [{"type": "snapshot", "product_id": name, "bids": [["1", "1"]], "asks": []} for name in ("X", "Y")]
    path = session(tmp_path, "ws-feed.pro.coinbase.com", *frames)

    report, _ = bring_in([path], tmp_path / "a", symbol="Y")

    assert [stream.instrument for stream in report.streams] == ["Y"]


def test_other_venues_are_refused_with_those_that_are_read(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"sessions of www\.gemini\.com aren't read; those of stream\.binance\.com, ws-feed"
    ):
        bring_in([session(tmp_path, "www.gemini.com", {})], tmp_path / "a")


@settings(max_examples=150, deadline=None)
@given(value=st.binary(max_size=40))
def test_bytes_are_read_as_python_writes_them(value: bytes) -> None:
    assert read_bytes_literal(repr(value)) == value


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=12).map(lambda text: f"b'{text}'") | st.text(max_size=12))
def test_nothing_else_is_taken_for_bytes(text: str) -> None:
    try:
        found = read_bytes_literal(text)
    except RowRefused:
        return
    assert repr(found)[2:-1].replace("\\'", "'") == text[2:-1].replace("\\'", "'").replace('\\"', '"') or "\\" in text


@pytest.mark.parametrize(
    "text", ["b'a' + b'b'", "b'\\u1234'", "b'", "''", "b'a'.hex()", "__import__('os')", "b'\n'", "b\"a'"]
)
def test_expressions_arent_carried_out(text: str) -> None:
    with pytest.raises(RowRefused):
        read_bytes_literal(text)


@recorded
@pytest.mark.parametrize(
    ("venue", "files", "books", "trades", "quotes"),
    [
        ("KRAKEN", "*", 4_279, 10, 18),
        ("OKX", "*", 290, 74, 28),
        ("COINBASE", "ws*", 9_729, 107, 107),
        ("BITMEX", "*", 1_979, 27, 436),
        ("BYBIT", "*", 4_278, 251, 0),
        ("BITFINEX", "*", 1_600, 210, 21),
        ("KUCOIN", "*", 0, 18, 830),
    ],
)
def test_the_counts_are_those_that_cryptofeed_published(
    venue: str, files: str, books: int, trades: int, quotes: int, tmp_path: Path
) -> None:
    paths = sorted((DATA / "cryptofeed").glob(f"{venue}.{files}.gz"))

    report = import_files(ImportPlan(format="cryptofeed", paths=paths, to=tmp_path / "a"))

    assert (report.refused, report.messages) == (0, books + trades + quotes)
    rows: dict[str, int] = {}
    for entry in Archive.open(tmp_path / "a").manifest.streams:
        rows[entry.stream.kind.value] = rows.get(entry.stream.kind.value, 0) + entry.rows
    published = {"book": books, "trades": trades, "quotes": quotes}
    assert rows == {kind: count for kind, count in published.items() if count}


def columns(levels: list[list[float]]) -> Iterator[tuple[float, ...]]:
    return (tuple(map(float, each)) for each in zip(*levels, strict=True))


@recorded
def test_huobis_packed_frames_are_read_to_the_last_level(tmp_path: Path) -> None:
    """cryptofeed published 2,862 books and 25 trades of 2,913 frames; what each tells is read here by other means.

    Ticks aren't read from the venue's list, though it is there: the prices tell them as fine.
    """
    paths = sorted((DATA / "cryptofeed").glob("HUOBI_SWAP.*.gz"))
    frames: list[Any] = []
    for path in paths:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            texts = (line.rstrip("\n").partition(": ")[2] for line in lines)
            frames += [json.loads(gzip.decompress(ast.literal_eval(text))) for text in texts if text.startswith("b")]
    told = [(frame["ch"].split(".")[1], frame["tick"]) for frame in frames if "ch" in frame]
    books = [(name, tick) for name, tick in told if "data" not in tick]
    trades = [(name, row) for name, tick in told for row in tick.get("data", ())]
    assert (len(frames), len(books), len(trades)) == (2_913, 2_862, 25)

    report, events = bring_in(paths, tmp_path / "a")

    assert (report.refused, report.messages, len(events)) == (0, 2_887, 2_887)
    assert Counter(
        (event.instrument, event.event_time, event.trade_id, event.price, event.quantity, event.side)
        for event in events
        if isinstance(event, Trade)
    ) == Counter(
        (name, row["ts"] * MS, row["id"], row["price"], row["amount"], Side(row["direction"])) for name, row in trades
    )
    assert Counter(
        (event.instrument, event.event_time, event.bid_prices, event.bid_sizes, event.ask_prices, event.ask_sizes)
        for event in events
        if isinstance(event, BookSnapshot)
    ) == Counter((name, tick["ts"] * MS, *columns(tick["bids"]), *columns(tick["asks"])) for name, tick in books)
    with gzip.open(paths[0], "rt", encoding="utf-8") as lines:
        lists = [line.partition(": ")[2].partition(" header:")[0] for line in lines if " -> " in line]
    listed = {row["contract_code"]: row["price_tick"] for text in lists for row in json.loads(text)["data"]}
    ticks = {name: float(known.tick) for name, known in Archive.open(tmp_path / "a").instruments.items()}
    assert len(ticks) == 10
    assert ticks == {name: listed[name] for name in ticks}
