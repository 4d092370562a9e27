"""Whole books, by level and by order: a snapshot, then changes. Source: CoinAPI protocol sheet, sections 5 and 8."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from strategykit.venues.asks import AskBook
from strategykit.venues.coinapi.cursors import CoinCursor
from strategykit.venues.coinapi.kept import Kept
from strategykit.venues.coinapi.rows import BookRow, OrdersRow
from strategykit.venues.coinapi.targets import ALL_LEVELS
from strategykit.venues.dialect import Decoded, Need, Resubscribe
from strategykit.venues.keyed import Answer, Rows

__all__ = ["BookCursor"]

MOST_HELD: Final = 10_000
"""Messages that wait for an answer; when there are more, the book is subscribed to anew."""

_TRIES: Final = 3
"""Answers without what came live before it is left at that: HTTP may know of a change later than the stream."""

_AT_MOST_EVERY: Final = 1_000_000_000
"""Nanoseconds between two holes that are asked about: a stream full of them mustn't cost credits without end."""


class BookCursor(CoinCursor[Any]):
    """One whole book.

    After a hole the book of REST takes its place, and the messages since then change it. REST's has a time and no
    number. It is taken if it is as new as the first message after the hole and says the same as all that came up to its
    time: then nothing is missing between the two. If no such answer can be had, the book is subscribed to anew.

    While another connection takes over, its book is kept beside, until it has got as far as this one: it goes on from
    there, whole.

    Args:
        guid: Of the subscription.
        symbol: Its id.
        make: `LevelBook` or `OrderBook`.
    """

    def __init__(self, guid: str, symbol: str, make: Callable[[str, str], Kept[Any]]) -> None:
        super().__init__(guid, symbol)
        self._make = make
        self._book: Kept[Any] | None = None
        """None before the snapshot: what comes before it changes nothing (section 5)."""
        self._newest = ""
        """Time of the newest message in it."""
        self._beside: Kept[Any] | None = None
        """The book of a connection that is taking over."""
        self._turned = False
        """Whether that has become this one, and nothing was told of it."""
        self._held: list[Any] | None = None
        """What came since a hole, while an answer is waited for."""
        self._joined: int | None = None
        """Time of the answer that the book was made of: some of what comes may be in it already."""
        self._told = 0
        """Time of the newest thing that was told: an answer that is older would lead back."""
        self._number_asked = 0
        self._tries = 0
        self._again_at = 0
        """A hole before this isn't asked about, nanoseconds UTC."""

    def reconnected(self) -> None:
        super().reconnected()
        self._book = self._beside = self._held = self._joined = None
        self._turned = False
        self._number_asked += 1

    def torn(self) -> None:
        self._held = []

    def torn_beside(self) -> None:
        """It has to begin with a snapshot again; without one, the old connection goes on until it ends."""
        self._beside = None

    def wants(self, row: BookRow | OrdersRow) -> bool:
        return self._book is not None or self._held is not None or row.is_snapshot is True

    def follows(self, row: BookRow | OrdersRow) -> bool:
        if row.is_snapshot:
            self._beside = self._make(self.symbol, self.guid)
        if self._beside is None:
            return False
        self._beside.put(row)
        if self._book is not None and row.time_coinapi < self._newest:
            return False
        self._book, self._beside, self._turned = self._beside, None, True
        return True

    def take(self, row: BookRow | OrdersRow, now: int) -> Sequence[Decoded]:
        self._newest = max(self._newest, row.time_coinapi)
        turned, self._turned = self._turned, False
        book = self._book
        if row.is_snapshot and not turned:
            book = self._book = self._make(self.symbol, self.guid)
            book.put(row)
            turned = True
        if book is None:
            return self._hold(row, now)
        if turned:
            self._held = self._joined = None
            self._told = row.time
            return (book.whole(row.time, row.sequence, now),)
        if self._joined is not None:
            if row.time > self._joined:
                self._joined = None
            elif book.repeatable and book.holds((row,)):
                return ()
            elif row.time < self._joined or not book.repeatable:
                return self._begin_anew("it isn't known whether a change is in the book that HTTP gave")
        self._told = max(self._told, row.time)
        told = book.change(row, now)
        return () if told is None else (told,)

    def _hold(self, row: BookRow | OrdersRow, now: int) -> Sequence[Decoded]:
        held = self._held
        assert held is not None  # Else it isn't wanted.
        held.append(row)
        if len(held) > MOST_HELD:
            return self._begin_anew(f"more than {MOST_HELD} messages came while HTTP was asked for the book")
        if len(held) > 1:
            return ()
        if now < self._again_at:
            return self._begin_anew("HTTP was asked for the book a moment ago")
        self._again_at, self._tries = now + _AT_MOST_EVERY, 0
        return (self._ask(),)

    def _ask(self) -> Need:
        self._number_asked += 1
        self._tries += 1
        by_order = self._make(self.symbol, self.guid).by_order
        ask = AskBook(instrument=self.symbol, depth=ALL_LEVELS, number=self._number_asked, by_order=by_order)
        return Need(self.guid, ask, Answer(self._number_asked, lambda: self._number_asked, self._answered))

    def _answered(self, rows: Rows | None, reason: str, now: int) -> Sequence[Decoded]:
        held = self._held
        if held is None:
            return ()  # A snapshot came first.
        book = self._make(self.symbol, self.guid)
        time = book.fill(rows or ())
        if time is None:
            return self._begin_anew(f"HTTP gives no book: {reason}")
        count = max((number for number, row in enumerate(held, 1) if row.time <= time), default=0)
        if not count or time < self._told or not book.holds(held[:count]):
            return (
                (self._ask(),) if self._tries < _TRIES else self._begin_anew("HTTP's book isn't as new as the stream")
            )
        self._book, self._held, self._joined = book, None, None if held[count:] else time
        self._told = max(time, *(row.time for row in held))
        told: list[Decoded] = [book.whole(time, held[count - 1].sequence, now)]
        for row in held[count:]:
            change = book.change(row, now)
            told += [] if change is None else [change]
        return told

    def _begin_anew(self, why: str) -> Sequence[Decoded]:
        self._book = self._held = self._joined = None
        self._number_asked += 1
        return (Resubscribe(self.guid, f"{why}, so {self.symbol} is subscribed to anew"),)
