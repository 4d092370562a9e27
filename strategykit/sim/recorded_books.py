"""The books of a recording, each kept whole through its changes, so that they can be served."""

from __future__ import annotations

from typing import Final

import attrs

from strategykit.model.book import Book
from strategykit.model.by_order import BookByOrder
from strategykit.model.events import BookDelta, BookSnapshot, ByOrderDelta, ByOrderSnapshot, Side

__all__ = ["BookEvent", "RecordedBook"]

BookEvent = BookSnapshot | BookDelta | ByOrderSnapshot | ByOrderDelta

_SILENT: Final = 5_000_000_000
"""Nanoseconds without a change after which a book is taken to have ended, and a shallower one of its instrument to be
what there is."""


@attrs.define(eq=False)
class RecordedBook:
    """One instrument's book, of as many as were recorded of it: the deepest that is still told.

    One and the same book may be recorded to several depths, each by a subscription of its own. To mix them would make
    a book that never was.
    """

    symbol: str
    now: int
    """When this begins, nanoseconds UTC."""
    _books: dict[str, Book] = attrs.field(factory=dict, init=False)
    """By subscription."""
    _orders: dict[str, BookByOrder] = attrs.field(factory=dict, init=False)
    """Those that are told order by order."""
    _served: str | None = attrs.field(default=None, init=False)
    """The subscription whose book it is now."""
    _state: BookSnapshot = attrs.field(init=False)
    _outdated: bool = attrs.field(default=False, init=False)
    """Whether `_state` is from before the newest change."""
    _untold: bool = attrs.field(default=False, init=False)

    @_state.default
    def _nothing(self) -> BookSnapshot:
        return BookSnapshot(self.symbol, (), (), (), (), None, self.now, "")

    def take(self, event: BookEvent, now: int) -> BookSnapshot | BookDelta | None:
        """Fold an event in; give what it means for the book, level by level, or None if it is of another one.

        Args:
            event: Carries the guid of its subscription; what is given doesn't.
            now: Nanoseconds UTC.
        """
        guid = event.guid
        told = self._by_level(event)
        if told is None:
            return None
        book = self._books.get(guid)
        if book is None:
            book = self._books[guid] = Book(self.symbol)
        book.apply(told)
        if book.invalid:
            return None  # Changes to what isn't known.
        switched = self._served != guid
        if switched and not self._gives_way(book, now):
            return None
        self._served, self.now = guid, now
        self._outdated = self._untold = True
        return self.state if switched else told

    @property
    def state(self) -> BookSnapshot:
        """The book as it stands, whole."""
        if self._outdated and self._served is not None:
            book = self._books[self._served]
            sides = (*book.side(Side.BUY), *book.side(Side.SELL))
            self._state = BookSnapshot(self.symbol, *sides, book.event_time, self.now, "")
            self._outdated = False
        return self._state

    def news(self) -> BookSnapshot | None:
        """Give the book, if it is another one than when this was last called."""
        if not self._untold:
            return None
        self._untold = False
        return self.state

    def _by_level(self, event: BookEvent) -> BookSnapshot | BookDelta | None:
        if isinstance(event, BookSnapshot | BookDelta):
            return event
        if event.guid not in self._orders:
            self._orders[event.guid] = BookByOrder(self.symbol)
        return self._orders[event.guid].apply(event)

    def _gives_way(self, other: Book, now: int) -> bool:
        """Say whether another book is the better one to serve."""
        if self._served is None or now - self.now > _SILENT:
            return True
        return _levels(other) > _levels(self._books[self._served])


def _levels(book: Book) -> int:
    return sum(len(book.side(side)[0]) for side in Side)
