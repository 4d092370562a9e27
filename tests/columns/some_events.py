"""Market data of every class, as Hypothesis draws them and as tests make them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from strategykit.model.events import (
    Bar,
    BookDelta,
    BookSnapshot,
    ByOrderSnapshot,
    Gap,
    Quote,
    Side,
    Ticker,
    Trade,
)
from strategykit.venues.streams import Stream, StreamKind

__all__ = ["TRADES", "anything", "make_trade"]

TRADES = Stream(kind=StreamKind.TRADES, instrument="SBER")

numbers = st.floats(allow_nan=True, allow_infinity=False, width=64)
maybe = st.one_of(st.none(), numbers)
whole = st.integers(-(2**63), 2**63 - 1)
ids = st.one_of(st.none(), whole, st.integers(2**63, 2**64), st.text(max_size=3))
levels = st.lists(numbers, max_size=4).map(tuple)
names = st.lists(st.one_of(st.none(), st.text(max_size=2)), max_size=3).map(tuple)
when = st.one_of(st.none(), whole)

trades = st.builds(
    Trade,
    instrument=st.just("SBER"),
    price=numbers,
    quantity=numbers,
    side=st.sampled_from([None, *Side]),
    trade_id=ids,
    event_time=when,
    receive_time=whole,
    guid=st.just("g"),
    snapshot=st.booleans(),
    open_interest=maybe,
)
quotes = st.builds(
    Quote,
    st.just("SBER"),
    *[maybe] * 5,
    when,
    whole,
    st.just("g"),
    st.booleans(),
    *[maybe] * 6,
)
snapshots = st.builds(
    BookSnapshot, st.just("SBER"), levels, levels, levels, levels, when, whole, st.just("g"), st.booleans(), when
)
deltas = st.builds(BookDelta, st.just("SBER"), levels, levels, levels, levels, when, whole, st.just("g"), when)
by_order = st.builds(
    ByOrderSnapshot,
    *[st.just("SBER"), names, levels, levels, names, levels, levels, when, whole, st.just("g"), st.booleans(), when],
)
bars = st.builds(
    Bar,
    *[st.just("SBER"), whole, whole, numbers, numbers, numbers, numbers, numbers, st.booleans(), when, whole],
    st.just("g"),
    st.booleans(),
)
tickers = st.builds(Ticker, st.just("SBER"), *[maybe] * 6, when, when, whole, st.just("g"))
gaps = st.builds(Gap, st.just("SBER"), whole, whole, st.text(max_size=3), when, whole, st.just("g"))
anything = st.one_of(trades, quotes, snapshots, deltas, by_order, bars, tickers, gaps)


def make_trade(time: int, price: float = 1.0, **more: Any) -> Trade:
    return Trade("SBER", price, 2.0, Side.BUY, time, None, time, "g", **more)
