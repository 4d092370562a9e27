from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.venues.stream.server_streams import Channel, ChannelKind, read_stream_name
from strategykit.venues.stream.server_variants import SERVER_VARIANTS

SYMBOLS = frozenset({"SOL_USDC", "SPCX.US_USDC", "BTCUSDT"})
MS = 1_000_000
SECOND = 1_000 * MS


def read(variant: str, name: str) -> Channel | None:
    return read_stream_name(name, SERVER_VARIANTS[variant], SYMBOLS)


@pytest.mark.parametrize(
    ("variant", "name", "kind", "every"),
    [
        ("seed", "trade.SOL_USDC", ChannelKind.TRADE, 0),
        ("seed", "depth.SOL_USDC", ChannelKind.DEPTH, 0),
        ("seed", "ticker.SOL_USDC", ChannelKind.TICKER, SECOND),
        ("backpack", "bookTicker.SPCX.US_USDC", ChannelKind.TOP, 0),
        ("backpack", "depth.SPCX.US_USDC", ChannelKind.DEPTH, 0),
        ("backpack", "depth.200ms.SPCX.US_USDC", ChannelKind.DEPTH, 200 * MS),
        ("backpack", "depth.1000ms.SOL_USDC", ChannelKind.DEPTH, SECOND),
        ("backpack", "kline.1month.SOL_USDC", ChannelKind.KLINE, SECOND),
        ("backpack", "markPrice.SOL_USDC", ChannelKind.MARK_PRICE, SECOND),
        ("backpack", "openInterest.SOL_USDC", ChannelKind.OPEN_INTEREST, 60 * SECOND),
        ("backpack", "liquidation", ChannelKind.SILENT, 0),
        ("binance", "btcusdt@trade", ChannelKind.TRADE, 0),
        ("binance", "btcusdt@aggTrade", ChannelKind.AGGREGATE_TRADE, 0),
        ("binance", "btcusdt@bookTicker", ChannelKind.TOP, 0),
        ("binance", "btcusdt@depth", ChannelKind.DEPTH, SECOND),
        ("binance", "btcusdt@depth@100ms", ChannelKind.DEPTH, 100 * MS),
        ("binance", "btcusdt@depth20@100ms", ChannelKind.PARTIAL_DEPTH, 100 * MS),
        ("binance", "btcusdt@kline_1s", ChannelKind.KLINE, SECOND),
        ("binance", "btcusdt@kline_1M", ChannelKind.KLINE, 2 * SECOND),
        ("binance", "btcusdt@kline_1d@+08:00", ChannelKind.KLINE, 2 * SECOND),
        ("binance", "btcusdt@miniTicker", ChannelKind.MINI_TICKER, SECOND),
        ("binance", "!miniTicker@arr", ChannelKind.MINI_TICKER, SECOND),
        ("binance", "btcusdt@ticker", ChannelKind.TICKER, SECOND),
        ("binance", "btcusdt@ticker_4h", ChannelKind.WINDOW_TICKER, SECOND),
        ("binance", "!ticker_1d@arr", ChannelKind.WINDOW_TICKER, SECOND),
        ("binance", "btcusdt@avgPrice", ChannelKind.AVERAGE_PRICE, SECOND),
        ("binance", "btcusdt@blockTrade", ChannelKind.SILENT, 0),
        ("binance_usdm", "btcusdt@depth", ChannelKind.DEPTH, 250 * MS),
        ("binance_usdm", "btcusdt@depth@0ms", ChannelKind.DEPTH, 0),
        ("binance_usdm", "btcusdt@markPrice", ChannelKind.MARK_PRICE, 3 * SECOND),
        ("binance_usdm", "!markPrice@arr@1s", ChannelKind.MARK_PRICE, SECOND),
        ("binance_usdm", "!ticker@arr", ChannelKind.TICKER, SECOND),
        ("binance_usdm", "!bookTicker", ChannelKind.TOP, 0),
    ],
)
def test_names_say_what_comes_and_how_often(variant: str, name: str, kind: ChannelKind, every: int) -> None:
    channel = read(variant, name)

    assert channel is not None
    assert (channel.kind, channel.every) == (kind, every)


def test_names_say_levels_and_intervals() -> None:
    partial, bars = read("binance", "btcusdt@depth10"), read("backpack", "kline.5m.SPCX.US_USDC")

    assert partial is not None
    assert bars is not None
    assert (partial.symbol, partial.levels) == ("BTCUSDT", 10)
    assert (bars.symbol, bars.interval) == ("SPCX.US_USDC", "5m")


@pytest.mark.parametrize(
    ("variant", "name"),
    [
        *(
            ("seed", name)
            for name in ("trade.sol_usdc", "trade.SOL_USDC.x", "kline.SOL_USDC", "trade", "", "trade.", "SOL_USDC")
        ),
        *(("seed", name) for name in ("trade@SOL_USDC", "Trade.SOL_USDC", "depth.200ms.SOL_USDC", "trade. SOL_USDC")),
        *(("backpack", name) for name in ("trade.NOPE", "depth.5ms.SOL_USDC", "depth..SOL_USDC", "depth.200ms.NOPE")),
        *(
            ("backpack", name)
            for name in ("kline.SOL_USDC", "kline.7m.SOL_USDC", "book.SOL_USDC", "account.orderUpdate")
        ),
        *(("backpack", name) for name in ("liquidation.SOL_USDC", "", ".", "depth")),
        *(
            ("binance", name)
            for name in ("BTCUSDT@trade", "btcusdt@TRADE", "btcusdt", "btcusdt@", "nope@trade", "0", "")
        ),
        *(
            ("binance", name)
            for name in ("btcusdt@depth@", "btcusdt@depth@5ms", "btcusdt@depth7", "btcusdt@depthx@100ms")
        ),
        *(
            ("binance", name)
            for name in ("btcusdt@kline_7m", "btcusdt@ticker_2h", "!ticker@arr", "!ticker_2h@arr", "!")
        ),
        *(("binance", name) for name in ("btcusdt@markPrice", "!ticker_1h", "btcuſdt@trade")),
        *(("binance_usdm", name) for name in ("btcusdt@avgPrice", "btcusdt@ticker_1h", "btcusdt@kline_1s", "!x@arr")),
        ("binance_usdm", "btcusdt@kline_1d@+08:00"),
    ],
)
def test_other_names_are_no_streams(variant: str, name: str) -> None:
    assert read(variant, name) is None


PARTS = st.sampled_from(
    [
        "trade",
        "depth",
        "ticker",
        "kline",
        "200ms",
        "1m",
        "SOL_USDC",
        "BTCUSDT",
        "btcusdt",
        "!",
        "arr",
        "@",
        ".",
        "_",
        "100ms",
        "5",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(SERVER_VARIANTS)), st.lists(PARTS | st.text(max_size=2), max_size=7).map("".join))
def test_whatever_the_name_it_is_a_stream_of_a_listed_symbol_or_none(variant: str, name: str) -> None:
    channel = read(variant, name)

    assert channel is None or channel.symbol in SYMBOLS | {""}
