"""Best bid and ask, small books, and figures of the day."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from strategykit.errors import RemoteProtocolError
from strategykit.venues.streams import StreamKind

MS = 1_000_000


def top(number: object, **more: Any) -> dict[str, Any]:
    return {"u": number, "s": "BTCUSDT", "b": "61837.63000000", "B": "3.78", "a": "61837.64000000", "A": "1.5", **more}


def test_a_quote_is_told_as_it_came(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = bench.want(StreamKind.QUOTES, "BTCUSDT")
    assert row.key == "btcusdt@bookTicker"

    (found,) = bench.data(row, top(7))

    assert (found.instrument, found.bid, found.bid_size, found.ask, found.ask_size) == (
        "BTCUSDT",
        61837.63,
        3.78,
        61837.64,
        1.5,
    )
    assert (found.event_time, found.receive_time, found.guid, found.last) == (None, bench.now, row.guid, None)


@pytest.mark.parametrize(
    ("variant", "symbol", "more"),
    [("binance_usdm", "BTCUSDT", {"T": 1_748_000_000_123}), ("backpack", "SOL_USDC", {"T": 1_748_000_000_123_000})],
)
def test_a_quotes_time_is_the_matching_engines(
    desk: Callable[..., Any], variant: str, symbol: str, more: dict[str, int]
) -> None:
    bench = desk(variant)

    (found,) = bench.data(bench.want(StreamKind.QUOTES, symbol), top("7", **more, E=5))

    assert found.event_time == 1_748_000_000_123 * MS


@pytest.mark.parametrize("empty", [None, "0", "0.00000000"])
def test_a_side_can_be_empty(desk: Callable[..., Any], empty: str | None) -> None:
    bench = desk("backpack")

    (found,) = bench.data(bench.want(StreamKind.QUOTES, "SOL_USDC"), top(7, b=empty, B=empty))

    assert (found.bid, found.bid_size, found.ask) == (None, None, 61837.64)


def test_older_quotes_are_repeats(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = bench.want(StreamKind.QUOTES, "BTCUSDT")

    assert [len(bench.data(row, top(number))) for number in (7, 6, 7, 8)] == [1, 0, 0, 1]


def test_after_a_reconnect_whatever_comes_is_news(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = bench.want(StreamKind.QUOTES, "BTCUSDT")
    bench.data(row, top(7))
    bench.cut()

    assert len(bench.data(row, top(3))) == 2


def test_a_venue_that_counts_anew_is_believed_after_a_while(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = bench.want(StreamKind.QUOTES, "BTCUSDT")
    bench.data(row, top(7))

    assert len(bench.data(row, top(3), after=4_999 * MS)) == 0
    assert len(bench.data(row, top(4))) == 1
    assert len(bench.data(row, top(5))) == 1


def test_a_successors_quotes_are_news_at_once(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = bench.want(StreamKind.QUOTES, "BTCUSDT")
    bench.data(row, top(7))
    bench.table.replace("market-0", "market-0~2")

    assert len(bench.data(row, top(9), by="market-0~2")) == 1
    assert row.connection == "market-0~2"
    assert len(bench.data(row, top(8))) == 0


SPOT = {"lastUpdateId": 7, "bids": [["10", "1"], ["9", "2"]], "asks": [["11", "3"]]}
FUTURES = {"e": "depthUpdate", "E": 1, "T": 1_748_000_000_123, "s": "BTCUSDT", "U": 5, "u": 7, "pu": 4} | {
    "b": SPOT["bids"],
    "a": SPOT["asks"],
}


@pytest.mark.parametrize(
    ("variant", "data", "time"), [("binance", SPOT, None), ("binance_usdm", FUTURES, 1_748_000_000_123 * MS)]
)
def test_a_small_book_is_told_whole(
    desk: Callable[..., Any], variant: str, data: dict[str, Any], time: int | None
) -> None:
    bench = desk(variant)
    row = bench.want(StreamKind.BOOK, "BTCUSDT", depth=5)
    assert row.key == "btcusdt@depth5@100ms"

    (found,) = bench.data(row, data)

    assert (found.bid_prices, found.bid_sizes, found.ask_prices, found.ask_sizes) == (
        (10.0, 9.0),
        (1.0, 2.0),
        (11.0,),
        (3.0,),
    )
    assert (found.event_time, found.sequence, found.snapshot, found.guid) == (time, 7, True, row.guid)


def test_only_the_first_small_book_after_subscribing_is_a_snapshot(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = bench.want(StreamKind.BOOK, "BTCUSDT", depth=20)
    first = bench.data(row, SPOT)
    second = bench.data(row, SPOT | {"lastUpdateId": 8})
    assert bench.data(row, SPOT | {"lastUpdateId": 8}) == []
    bench.cut()
    gap, third = bench.data(row, SPOT | {"lastUpdateId": 8})

    assert [book.snapshot for book in (*first, *second, third)] == [True, False, True]
    assert gap.reason == "cut"


def test_a_successors_small_books_are_news_at_once(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = bench.want(StreamKind.BOOK, "BTCUSDT", depth=10)
    bench.data(row, SPOT)
    bench.table.replace("market-0", "market-0~2")

    assert len(bench.data(row, SPOT | {"lastUpdateId": 9}, by="market-0~2")) == 1
    assert row.connection == "market-0~2"


NOW_MS = 1_748_000_000_000
FIGURES = {"o": "150.00", "c": "153.00", "h": "160.10", "l": "149.99", "v": "1200.5", "n": 321}
DAYS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "seed": ("SOL_USDC", "ticker.SOL_USDC", {"e": "ticker", "E": NOW_MS * 1_000, "V": "180000.25", **FIGURES}),
    "backpack": ("SOL_USDC", "ticker.SOL_USDC", {"e": "ticker", "E": NOW_MS * 1_000, "V": "180000.25", **FIGURES}),
    "binance": ("SOLUSDT", "solusdt@ticker", {"e": "24hrTicker", "E": NOW_MS, "q": "180000.25", "Q": "9", **FIGURES}),
    "binance_usdm": ("SOLUSDT", "solusdt@ticker", {"e": "24hrTicker", "E": NOW_MS, "q": "180000.25", **FIGURES}),
}


@pytest.mark.parametrize("variant", DAYS)
def test_a_ticker_is_told_as_it_came(desk: Callable[..., Any], variant: str) -> None:
    bench = desk(variant)
    symbol, name, data = DAYS[variant]
    row = bench.want(StreamKind.TICKER, symbol)
    assert row.key == name

    (found,) = bench.data(row, data)

    assert (found.instrument, found.last, found.open, found.high, found.low) == (symbol, 153.0, 150.0, 160.1, 149.99)
    assert (found.volume, found.turnover, found.trades) == (1200.5, 180000.25, 321)
    assert (found.event_time, found.receive_time, found.guid) == (NOW_MS * MS, bench.now, row.guid)
    assert found.change == pytest.approx(0.02)


@pytest.mark.parametrize("nothing", [None, "0", "0.00000000"])
def test_prices_of_a_day_without_trades_are_unknown(desk: Callable[..., Any], nothing: str | None) -> None:
    bench = desk("backpack")
    prices = dict.fromkeys("ochl", nothing)

    (found,) = bench.data(bench.want(StreamKind.TICKER, "SOL_USDC"), {**prices, "v": "0", "V": "0", "n": 0, "E": 5})

    assert (found.last, found.open, found.high, found.low, found.change) == (None,) * 5
    assert (found.volume, found.turnover, found.trades) == (0.0, 0.0, 0)


def test_the_seeds_relatives_leave_things_out(desk: Callable[..., Any]) -> None:
    """Theirs carry no time either: each one is taken for news. Source: stream protocol sheet, section 3.4."""
    bench = desk("seed")
    row = bench.want(StreamKind.TICKER, "SOL_USDC")
    data = {"e": "ticker", "c": "153", "h": "160", "l": "150", "v": "7", "V": "8", "s": "SOL_USDC", "id": 3}

    (found,) = bench.data(row, data)

    assert (found.last, found.open, found.trades, found.event_time) == (153.0, None, None, None)
    assert len(bench.data(row, data)) == 1


def test_a_ticker_whose_low_is_above_its_high_cant_be_read(desk: Callable[..., Any]) -> None:
    bench = desk("backpack")
    row = bench.want(StreamKind.TICKER, "SOL_USDC")

    with pytest.raises(RemoteProtocolError, match="low is above its high"):
        bench.data(row, {"c": "2", "h": "1", "l": "3"})


def test_older_tickers_are_repeats_until_a_reconnect(desk: Callable[..., Any]) -> None:
    bench = desk()
    _, _, data = DAYS["binance"]
    row = bench.want(StreamKind.TICKER, "SOLUSDT")
    assert [len(bench.data(row, data | {"E": NOW_MS + late})) for late in (1_000, 0, 1_000, 2_000)] == [1, 0, 0, 1]
    bench.cut()

    gap, again = bench.data(row, data)

    assert (gap.reason, again.last) == ("cut", 153.0)


def test_a_successors_tickers_are_news_at_once(desk: Callable[..., Any]) -> None:
    bench = desk()
    _, _, data = DAYS["binance"]
    row = bench.want(StreamKind.TICKER, "SOLUSDT")
    bench.data(row, data)
    bench.table.replace("market-0", "market-0~2")

    assert len(bench.data(row, data | {"E": NOW_MS + 1_000}, by="market-0~2")) == 1
    assert row.connection == "market-0~2"
