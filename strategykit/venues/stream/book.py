"""Whole books: changes by WebSocket, joined to a snapshot by HTTP. Source: stream protocol sheet, sections 3 to 5."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from strategykit.model.events import BookDelta, BookSnapshot
from strategykit.venues.asks import AskBook
from strategykit.venues.dialect import Decoded, Need, Reply
from strategykit.venues.stream.asking import MOST_HELD, Answer, Rows, make_gap
from strategykit.venues.stream.market import sides
from strategykit.venues.stream.rows import BookRow, Level, Reader, nanoseconds, reader
from strategykit.venues.stream.variants import Variant
from strategykit.venues.streams import Stream

__all__ = ["BookCursor"]

_BOOK: Final[Reader[BookRow]] = reader(BookRow)

_USUAL: Final = 1_000
"""Levels a side of a snapshot where that is enough: Binance counts a larger one as five calls."""

_PAUSES: Final = (0, 0, 0, 1_000_000_000, 5_000_000_000, 30_000_000_000)
"""Nanoseconds before each next try to get a snapshot that the changes lead on from; the last one is repeated."""

_AT_MOST_EVERY: Final = 1_000_000_000
"""Nanoseconds from one snapshot to the next that is asked for: a stream full of holes mustn't flood the venue."""

_WHOLE: Final = 1 << 30
"""Levels of a snapshot that a venue never cuts."""


class BookCursor:
    """One book. Told are a snapshot, then changes; after a hole, a gap and a snapshot again.

    Changes are kept until the snapshot has come. Those that it holds already only matter beyond its last level, where
    it says nothing. Without numbers (the seed's server) all that came is applied: totals are absolute, so that
    whichever was first, the book is right from each level's next change on.
    """

    def __init__(self, guid: str, stream: Stream, variant: Variant) -> None:
        self._guid = guid
        self._stream = stream
        wanted = max(_USUAL, stream.depth or 0)
        self._limit = next((most for most in variant.books if most >= wanted), max(variant.books, default=_WHOLE))
        self.read = _BOOK
        self._whole = False
        """Whether a snapshot has been told, and all changes since."""
        self._last: int | None = None
        """The number of the last change told, where they have numbers."""
        self._heard: int | None = None
        self._buffer: list[BookRow] = []
        self._asked = False
        self._number = 0
        self._tries = 0
        self._again_at = 0
        """No snapshot is asked for before, nanoseconds UTC."""

    def reconnected(self) -> None:
        self._begin_anew()
        self._tries = self._again_at = 0

    def follows(self, row: BookRow) -> bool:
        newest = self._last if self._whole else self._buffer[-1].u if self._buffer else None
        return newest is None or row.before is None or row.before <= newest

    def take(self, row: BookRow, now: int) -> Sequence[Decoded]:
        if not self._whole:
            return self._wait(row, now)
        before, last = row.before, self._last
        if row.u is not None and last is not None:
            if row.u <= last:
                return ()
            if before is not None and before > last:
                reason = f"changes of the book after {last}, up to {before}, are missing"
                gap = make_gap(self._guid, self._stream, self._heard, now, reason)
                self._begin_anew()
                return (gap, *self._wait(row, now))
        return (self._tell(row, now),)

    def _begin_anew(self) -> None:
        self._whole, self._asked, self._last = False, False, None
        self._buffer = []

    def _wait(self, row: BookRow, now: int) -> Sequence[Decoded]:
        buffer = self._buffer
        if buffer and (not self.follows(row) or len(buffer) >= MOST_HELD):
            buffer.clear()  # No snapshot can join what lies before a hole to what lies after it.
        if not buffer or row.u is None or buffer[-1].u is None or row.u > buffer[-1].u:
            buffer.append(row)
        self._heard = now
        return () if self._asked or now < self._again_at else (self._ask(),)

    def _ask(self) -> Need:
        self._asked = True
        self._number += 1
        ask = AskBook(instrument=self._stream.instrument or "", depth=self._limit, number=self._number)
        return Need(self._guid, ask, Answer(self._number, lambda: self._number if self._asked else -1, self._answered))

    def _answered(self, rows: Rows | None, reason: str, now: int) -> Sequence[Decoded]:
        self._asked = False
        book = next((row for row in rows or () if isinstance(row, BookSnapshot)), None)
        if book is None:
            return (*self._put_off(now), Reply(self._guid, 0, f"{self._stream.label}: no snapshot: {reason}", ok=False))
        number = book.sequence
        later = self._buffer if number is None else [row for row in self._buffer if row.u is None or row.u > number]
        if number is not None and later and later[0].before is not None and later[0].before > number:
            return self._put_off(now)
        older = self._buffer[: len(self._buffer) - len(later)]
        told: list[Decoded] = [self._snapshot(book, older, now), *(self._tell(row, now) for row in later)]
        self._whole, self._tries, self._buffer = True, 0, []
        self._heard, self._again_at = now, now + _AT_MOST_EVERY
        if not later:
            self._last = number
        return told

    def _put_off(self, now: int) -> Sequence[Decoded]:
        """Ask once more, now or with one of the next changes."""
        pause = _PAUSES[min(self._tries, len(_PAUSES) - 1)]
        self._tries += 1
        self._again_at = now + pause
        return () if pause else (self._ask(),)

    def _snapshot(self, book: BookSnapshot, older: Sequence[BookRow], now: int) -> BookSnapshot:
        """Give a snapshot, with what earlier changes said of levels beyond its last one."""
        bids, asks = _fold(row.b for row in older), _fold(row.a for row in older)
        below = book.bid_prices[-1] if len(book.bid_prices) >= self._limit else None
        above = book.ask_prices[-1] if len(book.ask_prices) >= self._limit else None
        more_bids = [] if below is None else sorted((price for price in bids if price < below), reverse=True)
        more_asks = [] if above is None else sorted(price for price in asks if price > above)
        return BookSnapshot(
            self._stream.instrument or "",
            (*book.bid_prices, *more_bids),
            (*book.bid_sizes, *(bids[price] for price in more_bids)),
            (*book.ask_prices, *more_asks),
            (*book.ask_sizes, *(asks[price] for price in more_asks)),
            book.event_time,
            now,
            self._guid,
            snapshot=True,
            sequence=book.sequence,
        )

    def _tell(self, row: BookRow, now: int) -> BookDelta:
        self._last, self._heard = row.u, now
        venue_time = row.E if row.T is None else row.T
        time = None if venue_time is None else nanoseconds(venue_time)
        return BookDelta(self._stream.instrument or "", *sides(row), time, now, self._guid, row.u)


def _fold(changes: Iterable[tuple[Level, ...]]) -> dict[float, float]:
    """Give the levels that changes leave, without those they removed."""
    levels: dict[float, float] = {}
    for change in changes:
        levels.update(change)
    return {price: size for price, size in levels.items() if size}
