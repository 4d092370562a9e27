"""Best bid and ask, and small books."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

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
