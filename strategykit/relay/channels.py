"""Channels: what clients subscribe to, by the names that the seed's server and Backpack gave them."""

from __future__ import annotations

import enum
from typing import Final

import attrs

from strategykit.errors import LocalProtocolError
from strategykit.venues.dialect import Offers
from strategykit.venues.stream.server_variants import SERVER_VARIANTS
from strategykit.venues.streams import Stream, StreamKind

__all__ = ["Channel", "Word", "is_symbol", "read_channel"]

_RULES: Final = SERVER_VARIANTS["backpack"]
_LONGEST: Final = 100
_DAY: Final = 86_400 * 10**9
_ODD: Final = frozenset('"\\*?[]')
"""Signs that no symbol has, and that mean something in JSON, or to Redis."""


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
    Word.TICKER: StreamKind.TICKER,
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

    def stream(self, exchange: str | None, offers: Offers) -> Stream:
        """Give what has to be subscribed to for it, at a venue that `offers` this much.

        Raises:
            LocalProtocolError: It doesn't say how the day went, by whatever stream.
        """
        kind, interval = _KINDS[self.word], self.interval
        if kind is StreamKind.TICKER and kind not in offers.streams:
            if offers.day_in_quotes:
                kind = StreamKind.QUOTES
            elif StreamKind.BARS in offers.streams:  # Bars that are built here of trades would begin in mid-day.
                kind, interval = StreamKind.BARS, _DAY
            else:
                raise LocalProtocolError("the venue doesn't say how the day went")
        return Stream(
            kind=kind,
            instrument=self.symbol,
            exchange=exchange,
            interval=interval,
            frequency=self.frequency or None,
            skip_history=self.word is Word.TRADE,
        )


def is_symbol(text: str) -> bool:
    """Whether a symbol, or the name of a channel, can be this."""
    return 0 < len(text) <= _LONGEST and text.isascii() and text.isprintable() and _ODD.isdisjoint(text)


def read_channel(name: str) -> Channel | None:
    """Read a name; None: it isn't one of a channel.

    Symbols may hold dots themselves, so the kind is split off the left. Source: stream protocol sheet, section 4.
    """
    if not is_symbol(name):
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
