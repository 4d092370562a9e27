"""Payloads have the members of the protocol sheet, and their types."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from strategykit.model.instruments import Instrument
from strategykit.venues.stream import server_rest_backpack, server_rest_binance
from strategykit.venues.stream.server_backpack import BackpackWording, ReferenceWording, write_naive
from strategykit.venues.stream.server_binance import BinanceWording
from strategykit.venues.stream.server_streams import ChannelKind
from strategykit.venues.stream.server_values import (
    BookState,
    BookUpdate,
    Candle,
    Day,
    Mark,
    OpenInterest,
    Print,
    Top,
)
from strategykit.venues.stream.server_wording import Wording, encode_row, wrap

NOW = 1_748_000_000_456_789_000
THEN = 1_748_000_000_123_456_000

TRADE = Print("SOL_USDC", 512, "96.41", "0.0300", True, THEN)
UPDATE = BookUpdate("SOL_USDC", 7, 9, 6, (("96.40", "1.25"),), (("96.41", "0"),), THEN)
BOOK = BookState("SOL_USDC", 9, (("96.40", "1.25"), ("96.39", "2")), (("96.42", "1"), ("96.43", "3")), THEN)
TOP = Top("SOL_USDC", 9, ("96.40", "1.25"), ("96.42", "1"), THEN)
ONE_SIDED = Top("SOL_USDC", 9, None, None, THEN)
CANDLE = Candle(
    symbol="SOL_USDC",
    interval="1m",
    open_time=1_747_999_980_000_000_000,
    close_time=1_748_000_039_999_999_999,
    open="1",
    high="4",
    low="0.5",
    close="2",
    volume="10",
    quote_volume="20",
    taker_volume="3",
    taker_quote_volume="6",
    first_id=1,
    last_id=3,
    trades=3,
    closed=False,
)
DAY = Day(
    symbol="SOL_USDC",
    window="24hr",
    open_time=NOW - 86_400 * 10**9,
    close_time=NOW,
    open="1",
    high="4",
    low="0.5",
    last="2",
    last_quantity="5",
    change="1",
    percent="100.000",
    weighted="1.5",
    previous_close="1",
    volume="10",
    quote_volume="20",
    first_id=1,
    last_id=3,
    trades=3,
    top=TOP,
)
MARK = Mark("SOL_USDC", "96.41", "96.40", "0.0001", 1_748_016_000_000_000_000)

VALUES: dict[ChannelKind, Any] = {
    ChannelKind.TRADE: TRADE,
    ChannelKind.AGGREGATE_TRADE: TRADE,
    ChannelKind.DEPTH: UPDATE,
    ChannelKind.PARTIAL_DEPTH: BOOK,
    ChannelKind.TOP: TOP,
    ChannelKind.KLINE: CANDLE,
    ChannelKind.TICKER: DAY,
    ChannelKind.MINI_TICKER: DAY,
    ChannelKind.WINDOW_TICKER: DAY,
    ChannelKind.AVERAGE_PRICE: DAY,
    ChannelKind.MARK_PRICE: MARK,
    ChannelKind.OPEN_INTEREST: OpenInterest("SOL_USDC", "5"),
}

SPOT = BinanceWording(microseconds=False, futures=False)
FUTURES = BinanceWording(microseconds=False, futures=True)

MEMBERS = [
    (SPOT, ChannelKind.TRADE, "e E s t p q T m M"),
    (SPOT, ChannelKind.AGGREGATE_TRADE, "e E s a p q f l T m M"),
    (SPOT, ChannelKind.TOP, "u s b B a A"),
    (SPOT, ChannelKind.DEPTH, "e E s U u b a"),
    (SPOT, ChannelKind.PARTIAL_DEPTH, "lastUpdateId bids asks"),
    (SPOT, ChannelKind.KLINE, "e E s k"),
    (SPOT, ChannelKind.MINI_TICKER, "e E s c o h l v q"),
    (SPOT, ChannelKind.TICKER, "e E s p P w x c Q b B a A o h l v q O C F L n"),
    (SPOT, ChannelKind.WINDOW_TICKER, "e E s p P w c o h l v q O C F L n"),
    (SPOT, ChannelKind.AVERAGE_PRICE, "e E s i w T"),
    (FUTURES, ChannelKind.TRADE, "e E T s t p q X m"),
    (FUTURES, ChannelKind.AGGREGATE_TRADE, "e E s a p q f l T m"),
    (FUTURES, ChannelKind.DEPTH, "e E T s U u pu b a"),
    (FUTURES, ChannelKind.PARTIAL_DEPTH, "e E T s U u pu b a"),
    (FUTURES, ChannelKind.TOP, "e u s b B a A T E"),
    (FUTURES, ChannelKind.TICKER, "e E s p P w c Q o h l v q O C F L n"),
    (FUTURES, ChannelKind.MARK_PRICE, "e E s p i P r T"),
    (BackpackWording(), ChannelKind.TRADE, "e E s p q b a t T m"),
    (BackpackWording(), ChannelKind.DEPTH, "e E s a b U u T"),
    (BackpackWording(), ChannelKind.TOP, "e E s a A b B u T"),
    (BackpackWording(), ChannelKind.KLINE, "e E s t T o c h l v n X"),
    (BackpackWording(), ChannelKind.TICKER, "e E s o c h l v V n"),
    (BackpackWording(), ChannelKind.MARK_PRICE, "e E s p f i n T"),
    (BackpackWording(), ChannelKind.OPEN_INTEREST, "e E s o"),
    (ReferenceWording(), ChannelKind.TRADE, "T e m p q s t"),
    (ReferenceWording(), ChannelKind.DEPTH, "a b e s"),
]


@pytest.mark.parametrize(("wording", "kind", "members"), MEMBERS)
def test_payloads_have_the_documented_members(wording: Wording, kind: ChannelKind, members: str) -> None:
    row = wording.words[kind](VALUES[kind], NOW)

    assert set(row) == set(members.split())
    assert json.loads(encode_row(row))


def test_the_sample_of_the_seeds_engine_comes_out_byte_for_byte() -> None:
    words = ReferenceWording().words
    trade = wrap("trade.SOL_USDC", encode_row(words[ChannelKind.TRADE](TRADE, NOW)))
    depth = wrap("depth.SOL_USDC", encode_row(words[ChannelKind.DEPTH](UPDATE, NOW)))

    assert trade == (
        b'{"stream":"trade.SOL_USDC","data":{"T":1748000000123,"e":"trade","m":false,"p":"96.41","q":"0.0300",'
        b'"s":"SOL_USDC","t":512}}'
    )
    assert depth == (
        b'{"stream":"depth.SOL_USDC","data":{"a":[["96.41","0"]],"b":[["96.40","1.25"]],"e":"depth","s":"SOL_USDC"}}'
    )


def test_times_are_in_the_unit_of_the_wire() -> None:
    micro = BinanceWording(microseconds=True, futures=False)

    assert SPOT.words[ChannelKind.TRADE](TRADE, NOW)["T"] == 1_748_000_000_123
    assert micro.words[ChannelKind.TRADE](TRADE, NOW)["T"] == 1_748_000_000_123_456
    assert BackpackWording().words[ChannelKind.TRADE](TRADE, NOW)["E"] == 1_748_000_000_456_789
    assert BackpackWording().words[ChannelKind.MARK_PRICE](MARK, NOW)["n"] == 1_748_016_000_000
    assert SPOT.shutdown(NOW) == {"e": "serverShutdown", "E": 1_748_000_000_456}


def test_bars_of_backpack_have_times_without_a_zone() -> None:
    row = BackpackWording().words[ChannelKind.KLINE](CANDLE, NOW)

    assert (row["t"], row["T"]) == ("2025-05-23T11:33:00", "2025-05-23T11:34:00")
    assert write_naive(CANDLE.open_time, between=" ") == "2025-05-23 11:33:00"


def test_a_side_that_is_empty_is_null_at_backpack_and_zero_at_binance() -> None:
    backpack, binance = (each.words[ChannelKind.TOP](ONE_SIDED, NOW) for each in (BackpackWording(), SPOT))

    assert [backpack[name] for name in "aAbB"] == [None] * 4
    assert [binance[name] for name in "aAbB"] == ["0"] * 4
    assert server_rest_binance.book_top_row(ONE_SIDED)["bidPrice"] == "0"
    assert SPOT.words[ChannelKind.PARTIAL_DEPTH](BOOK, NOW)["lastUpdateId"] == 9


def test_snapshots_over_rest_are_as_each_venue_sorts_and_numbers_them() -> None:
    spot = server_rest_binance.depth_row(BOOK, NOW, futures=False)
    futures = server_rest_binance.depth_row(BOOK, NOW, futures=True)
    backpack = server_rest_backpack.depth_row(BOOK)
    seed = server_rest_backpack.seed_depth_row(BOOK)

    assert spot == {"lastUpdateId": 9, "bids": BOOK.bids, "asks": BOOK.asks}
    assert (futures["E"], futures["T"]) == (1_748_000_000_456, 1_748_000_000_123)
    assert (backpack["lastUpdateId"], backpack["timestamp"]) == ("9", 1_748_000_000_123_456)
    assert [price for price, _ in backpack["bids"]] == ["96.39", "96.40"]
    assert set(seed) == {"bids", "asks"}


def test_rows_over_rest_tell_the_same_as_the_streams() -> None:
    assert server_rest_binance.kline_row(CANDLE)[:6] == [1_747_999_980_000, "1", "4", "0.5", "2", "10"]
    assert server_rest_binance.trade_row(TRADE)["quoteQty"] == "2.89230000"
    assert server_rest_binance.aggregate_row(TRADE)["a"] == 512
    assert server_rest_binance.day_row(DAY)["priceChangePercent"] == "100.000"
    assert server_rest_binance.mark_row(MARK, NOW)["markPrice"] == "96.41"
    assert server_rest_backpack.trade_row(TRADE)["timestamp"] == 1_748_000_000_123
    assert server_rest_backpack.kline_row(CANDLE)["end"] == "2025-05-23 11:34:00"
    assert server_rest_backpack.ticker_row(DAY)["priceChangePercent"] == "1.000000"
    assert server_rest_backpack.mark_row(MARK)["nextFundingTimestamp"] == 1_748_016_000_000
    assert server_rest_backpack.seed_trade_row(TRADE)["trade_id"] == 512
    assert server_rest_backpack.seed_kline_row(CANDLE)["start"] == "1747999980000"


@pytest.mark.parametrize("futures", [False, True])
def test_what_is_listed_says_tick_and_lot(futures: bool) -> None:
    instrument = Instrument("BTCUSDT", Decimal("0.01"), Decimal("0.001"), currency="USDT")
    info = server_rest_binance.exchange_info([instrument], NOW, futures=futures)
    row = info["symbols"][0]
    filters = {each["filterType"]: each for each in row["filters"]}

    assert (row["baseAsset"], row["quoteAsset"]) == ("BTC", "USDT")
    assert filters["PRICE_FILTER"]["tickSize"] == "0.01"
    assert filters["LOT_SIZE"]["stepSize"] == "0.001"
    assert row.get("contractType") == ("PERPETUAL" if futures else None)


@pytest.mark.parametrize(("symbol", "kind"), [("SOL_USDC", "SPOT"), ("SOL_USDC_PERP", "PERP")])
def test_backpacks_markets_say_what_they_are(symbol: str, kind: str) -> None:
    row = server_rest_backpack.market_row(Instrument(symbol, Decimal("0.01"), Decimal("0.1"), currency="USDC"))

    assert (row["marketType"], row["baseSymbol"], row["quoteSymbol"]) == (kind, "SOL", "USDC")
