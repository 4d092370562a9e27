"""Channels: what clients subscribe to, by the names that the seed's server and Backpack gave them."""

from __future__ import annotations

import enum
from typing import Final

import attrs

from strategykit.venues.stream.server_variants import SERVER_VARIANTS
from strategykit.venues.streams import Stream, StreamKind

__all__ = ["Channel", "Word", "read_channel"]

_RULES: Final = SERVER_VARIANTS["backpack"]
_LONGEST: Final = 100
_ODD: Final = frozenset('"\\/@*?[] ')
"""Signs that no symbol has; some of them mean something to Redis or in JSON."""


class Word(enum.Enum):
    """The kind of a channel, as its name begins."""

    TRADE = "trade"
    DEPTH = "depth"
    QUOTE = "bookTicker"
    TICKER = "ticker"
    BARS = "kline"


_KINDS: Final = {
    Word.TRADE: StreamKind.TRADES,
    Word.DEPTH: StreamKind.BOOK,
    Word.QUOTE: StreamKind.QUOTES,
    Word.TICKER: StreamKind.QUOTES,
    Word.BARS: StreamKind.BARS,
}


@attrs.frozen
class Channel:
    """One channel."""

    name: str
    """As clients write it, ``"kline.1m.SBER"``."""
    word: Word
    symbol: str
    interval: int | None = None
    """Nanoseconds a bar."""
    frequency: int | None = None
    """Nanoseconds between changes of a book, at the least."""

    def stream(self, exchange: str | None) -> Stream:
        """Give what has to be subscribed to at the venue for it."""
        return Stream(
            kind=_KINDS[self.word],
            instrument=self.symbol,
            exchange=exchange,
            interval=self.interval,
            frequency=self.frequency or None,
            skip_history=self.word is Word.TRADE,
        )


def read_channel(name: str) -> Channel | None:
    """Read a name; None: it isn't one of a channel.

    Symbols may hold dots themselves, so the kind is split off the left. Source: stream protocol sheet, section 4.
    """
    if len(name) > _LONGEST or not name.isascii() or not name.isprintable() or not _ODD.isdisjoint(name):
        return None
    kind, _, rest = name.partition(".")
    try:
        word = Word(kind)
    except ValueError:
        return None
    interval = frequency = None
    first, _, symbol = rest.partition(".")
    if word is Word.BARS:
        interval = _RULES.intervals.get(first)
        if interval is None:
            return None
    elif word is Word.DEPTH and first and symbol and first in _RULES.depth_speeds:
        frequency = _RULES.depth_speeds[first]
    else:
        symbol = rest
    return Channel(name, word, symbol, interval, frequency) if symbol else None
