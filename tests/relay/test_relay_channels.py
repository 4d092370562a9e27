"""Names of channels."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import LocalProtocolError
from strategykit.relay.channels import Channel, Word, read_channel
from strategykit.venues.dialect import Offers
from strategykit.venues.streams import Stream, StreamKind

MINUTE = 60 * 10**9
ALL = Offers(streams=frozenset(StreamKind))
ES = "CME_Eq/ES/XCME_Eq ES (Z26)"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("trade.SBER", Channel("trade.SBER", Word.TRADE, "SBER")),
        ("depth.SOL_USDC", Channel("depth.SOL_USDC", Word.DEPTH, "SOL_USDC")),
        ("depth.SPCX.US_USDC", Channel("depth.SPCX.US_USDC", Word.DEPTH, "SPCX.US_USDC")),
        ("depth.200ms.X", Channel("depth.200ms.X", Word.DEPTH, "X", None, 200_000_000)),
        ("bookTicker.Si-12.26", Channel("bookTicker.Si-12.26", Word.QUOTE, "Si-12.26")),
        ("ticker.X", Channel("ticker.X", Word.TICKER, "X")),
        ("kline.1m.A.B", Channel("kline.1m.A.B", Word.BARS, "A.B", MINUTE)),
        ("trade.CME_Eq/ES/XCME_Eq ES (Z26)", Channel(f"trade.{ES}", Word.TRADE, ES)),
        ("bookTicker.SOL/USD", Channel("bookTicker.SOL/USD", Word.QUOTE, "SOL/USD")),
    ],
)
def test_a_name_is_split_off_the_left(name: str, expected: Channel) -> None:
    assert read_channel(name) == expected


@pytest.mark.parametrize(
    "name",
    [
        *("", "trade", "trade.", "kline.X", "kline.7m.X", "kline.1m.", "Trade.X", "depth.", "nonsense.X", "trade X"),
        *('trade."X', "trade.X*", "trade.[X]", "trade.\\X", "trade.Ж", "trade.X\n", "trade." + "X" * 100, "trade@X"),
    ],
)
def test_what_isn_t_a_name_is_none(name: str) -> None:
    assert read_channel(name) is None


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=120))
def test_whatever_comes_as_a_name_is_a_channel_of_that_name_or_none(name: str) -> None:
    channel = read_channel(name)

    assert channel is None or (channel.name == name and channel.symbol and name.endswith(channel.symbol))


def test_a_channel_says_what_to_ask_the_venue_for() -> None:
    bars, ticker = read_channel("kline.1m.SBER"), read_channel("ticker.SBER")

    assert bars is not None
    assert ticker is not None
    asked = Stream(kind=StreamKind.BARS, instrument="SBER", exchange="MOEX", interval=MINUTE)
    assert bars.stream("MOEX", ALL) == asked
    assert ticker.stream(None, ALL) == Stream(kind=StreamKind.TICKER, instrument="SBER")
    few = frozenset({StreamKind.QUOTES, StreamKind.BARS})
    day = Stream(kind=StreamKind.BARS, instrument="SBER", interval=1_440 * MINUTE)
    assert ticker.stream(None, Offers(streams=few, day_in_quotes=True)) == Stream(
        kind=StreamKind.QUOTES, instrument="SBER"
    )
    assert ticker.stream(None, Offers(streams=few)) == day
    with pytest.raises(LocalProtocolError, match="how the day went"):
        ticker.stream(None, Offers(streams=frozenset({StreamKind.QUOTES, StreamKind.TRADES})))
