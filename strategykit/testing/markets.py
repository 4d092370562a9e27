"""Small markets for tests, made from lists of prices. `run_strategy` takes their events, of several if need be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from strategykit.model.bars import interval as parse_interval
from strategykit.model.events import Bar, BookSnapshot, Quote, Side, Trade
from strategykit.runtime.simulate import stream_guid
from strategykit.venues.streams import StreamKind

__all__ = ["START", "make_bars", "make_books", "make_quotes", "make_trades"]

START: Final = 1_767_225_600_000_000_000
"""1 January 2026, 00:00 UTC, in nanoseconds."""


def make_bars(
    instrument: str, closes: Iterable[float], *, interval: str = "1m", start: int = START, width: float = 0.0
) -> list[Bar]:
    """Make closed bars, one after the other; each opens where the last one closed.

    Args:
        instrument: Symbol.
        closes: Closing prices.
        interval: Length of each bar, such as ``"1m"``.
        start: Opening time of the first bar, nanoseconds UTC. It arrives when it closes.
        width: How far high and low lie beyond open and close.
    """
    length = parse_interval(interval)
    bars: list[Bar] = []
    last: float | None = None
    for number, close in enumerate(closes):
        opened = close if last is None else last
        opens = start + number * length
        bars.append(
            Bar(
                instrument,
                opens,
                length,
                opened,
                max(opened, close) + width,
                min(opened, close) - width,
                close,
                100.0,
                True,
                opens + length,
                opens + length,
                stream_guid(StreamKind.BARS, instrument, length),
            )
        )
        last = close
    return bars


def make_trades(
    instrument: str, prices: Iterable[float], *, every: float = 1.0, start: int = START, quantity: float = 1.0
) -> list[Trade]:
    """Make trades `every` seconds; a rise is a buy, a fall a sell.

    Args:
        instrument: Symbol.
        prices: One a trade.
        every: Seconds from one to the next.
        start: Time of the first one, nanoseconds UTC.
        quantity: Lots of each.
    """
    guid = stream_guid(StreamKind.TRADES, instrument)
    trades: list[Trade] = []
    last: float | None = None
    for number, price in enumerate(prices):
        time = start + int(number * every * 1e9)
        side = Side.SELL if last is not None and price < last else Side.BUY
        trades.append(Trade(instrument, price, quantity, side, number + 1, time, time, guid))
        last = price
    return trades


def make_quotes(
    instrument: str,
    bids: Iterable[float],
    *,
    spread: float,
    every: float = 1.0,
    start: int = START,
    size: float = 100.0,
) -> list[Quote]:
    """Make quotes, one after the other.

    Args:
        instrument: Symbol.
        bids: Best bids; the ask is `spread` above.
        spread: From bid to ask, in the currency of the price.
        every: Seconds from one to the next.
        start: Time of the first one, nanoseconds UTC.
        size: Lots on either side.
    """
    guid = stream_guid(StreamKind.QUOTES, instrument)
    quotes: list[Quote] = []
    for number, bid in enumerate(bids):
        time = start + int(number * every * 1e9)
        quotes.append(Quote(instrument, bid, size, bid + spread, size, None, time, time, guid))
    return quotes


def make_books(
    instrument: str,
    mids: Iterable[float],
    *,
    spread: float,
    step: float = 0.01,
    levels: int = 5,
    size: float = 100.0,
    every: float = 1.0,
    start: int = START,
) -> list[BookSnapshot]:
    """Make order books, one after the other.

    Args:
        instrument: Symbol.
        mids: Middles between best bid and best ask.
        spread: From best bid to best ask, in the currency of the price.
        step: From one level to the next.
        levels: Levels a side.
        size: Lots a level.
        every: Seconds from one to the next.
        start: Time of the first one, nanoseconds UTC.
    """
    guid = stream_guid(StreamKind.BOOK, instrument)
    sizes = (size,) * levels
    books: list[BookSnapshot] = []
    for number, mid in enumerate(mids):
        time = start + int(number * every * 1e9)
        # Decimal places that no market has would make prices which lie between two ticks.
        bids = tuple(round(mid - spread / 2 - level * step, 9) for level in range(levels))
        asks = tuple(round(mid + spread / 2 + level * step, 9) for level in range(levels))
        books.append(BookSnapshot(instrument, bids, sizes, asks, sizes, time, time, guid, number == 0))
    return books
