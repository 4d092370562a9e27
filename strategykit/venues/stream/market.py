"""Streams of which each message says all there is to say: best bid and ask, small books, figures of the day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from strategykit.model.events import BookSnapshot, Quote, Ticker
from strategykit.venues.stream.rows import (
    BinanceTickerRow,
    BookRow,
    PartialRow,
    QuoteRow,
    Reader,
    SpotPartialRow,
    TickerRow,
    nanoseconds,
    reader,
)
from strategykit.venues.stream.variants import Variant
from strategykit.venues.streams import Stream

__all__ = ["PartialCursor", "QuoteCursor", "TickerCursor", "sides"]

_QUOTE: Final[Reader[QuoteRow]] = reader(QuoteRow)
_SPOT: Final[Reader[SpotPartialRow]] = reader(SpotPartialRow)
_FUTURES: Final[Reader[PartialRow]] = reader(PartialRow)

_TICKER: Final[Reader[TickerRow]] = reader(TickerRow)
_BINANCE_TICKER: Final[Reader[BinanceTickerRow]] = reader(BinanceTickerRow)

_BELIEVED: Final = 5_000_000_000
"""Nanoseconds for which older numbers are taken for repeats: what goes on longer is a venue that counts anew."""

_NONE: Final[tuple[float, ...]] = ()

Sides = tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...], tuple[float, ...]]


def sides(row: BookRow | PartialRow) -> Sides:
    """Give bid prices and sizes, ask prices and sizes, as they were sent."""
    bids, bid_sizes = zip(*row.b, strict=True) if row.b else (_NONE, _NONE)
    asks, ask_sizes = zip(*row.a, strict=True) if row.a else (_NONE, _NONE)
    return bids, bid_sizes, asks, ask_sizes


class _Newest:
    """Tells news from repeats by their number."""

    __slots__ = ("_last", "_time", "fresh")

    def __init__(self) -> None:
        self._last: int | None = None
        self._time = 0
        self.fresh = True
        """Whether nothing has been told since the (re)connect."""

    def add(self, number: int, now: int) -> bool:
        """Note a number; say whether it is news."""
        if self._last is not None and number <= self._last and not self.fresh and now - self._time < _BELIEVED:
            return False
        self._last, self._time = number, now
        return True


class QuoteCursor:
    """``bookTicker``."""

    __slots__ = ("_guid", "_newest", "_symbol", "read")

    def __init__(self, guid: str, stream: Stream, _: Variant) -> None:
        self._guid = guid
        self._symbol = stream.instrument or ""
        self._newest = _Newest()
        self.read = _QUOTE

    def reconnected(self) -> None:
        self._newest.fresh = True

    def follows(self, _: QuoteRow) -> bool:
        return True

    def take(self, row: QuoteRow, now: int) -> Sequence[Quote]:
        if not self._newest.add(row.u, now):
            return ()
        self._newest.fresh = False
        time = None if row.T is None else nanoseconds(row.T)
        bid, ask = row.b or None, row.a or None
        bid_size, ask_size = row.B if bid else None, row.A if ask else None
        return (Quote(self._symbol, bid, bid_size, ask, ask_size, None, time, now, self._guid),)


class PartialCursor:
    """``depth5``, ``depth10``, ``depth20``."""

    __slots__ = ("_guid", "_newest", "_symbol", "read")

    def __init__(self, guid: str, stream: Stream, variant: Variant) -> None:
        self._guid = guid
        self._symbol = stream.instrument or ""
        self._newest = _Newest()
        self.read: Reader[PartialRow] | Reader[SpotPartialRow] = _FUTURES if variant.rules.futures else _SPOT

    def reconnected(self) -> None:
        self._newest.fresh = True

    def follows(self, _: PartialRow) -> bool:
        return True

    def take(self, row: PartialRow, now: int) -> Sequence[BookSnapshot]:
        if not self._newest.add(row.u, now):
            return ()
        first, self._newest.fresh = self._newest.fresh, False
        venue_time = row.E if row.T is None else row.T
        time = None if venue_time is None else nanoseconds(venue_time)
        return (BookSnapshot(self._symbol, *sides(row), time, now, self._guid, first, row.u),)


class TickerCursor:
    """``ticker``. Only the seed's relatives send it without the time that tells a repeat."""

    __slots__ = ("_guid", "_newest", "_symbol", "read")

    def __init__(self, guid: str, stream: Stream, variant: Variant) -> None:
        self._guid = guid
        self._symbol = stream.instrument or ""
        self._newest = _Newest()
        self.read: Reader[TickerRow] | Reader[BinanceTickerRow] = (
            _BINANCE_TICKER if variant.language == "binance" else _TICKER
        )

    def reconnected(self) -> None:
        self._newest.fresh = True

    def follows(self, _: TickerRow) -> bool:
        return True

    def take(self, row: TickerRow, now: int) -> Sequence[Ticker]:
        if row.E is not None and not self._newest.add(row.E, now):
            return ()
        self._newest.fresh = False
        time = None if row.E is None else nanoseconds(row.E)
        prices = (row.c or None, row.o or None, row.h or None, row.l or None)
        return (Ticker(self._symbol, *prices, row.v, row.turnover, row.n, time, now, self._guid),)
