"""Watching a run's order books: each has to be one that can be, all the time, and whole at the end."""

from __future__ import annotations

from collections.abc import Iterable

from strategykit.model.book import Book
from strategykit.model.events import BookDelta, BookSnapshot, Event, Gap
from strategykit.venues.streams import StreamKind
from strategykit.venues.subscriptions import Subscription

__all__ = ["BookWatch"]


class BookWatch:
    """Folds every book of a run, and looks at each state of it. One of the engine's watchers."""

    def __init__(self) -> None:
        self._books: dict[str, Book] = {}
        self._crossed: dict[str, int] = {}

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, BookSnapshot | BookDelta):
            book = self._books.setdefault(event.guid, Book(event.instrument))
        elif isinstance(event, Gap) and event.guid in self._books:
            book = self._books[event.guid]
        else:
            return
        book.apply(event)
        if book.crossed:
            self._crossed[event.guid] = self._crossed.get(event.guid, 0) + 1

    def problems(self, rows: Iterable[Subscription]) -> list[str]:
        """Say what isn't as it should be about those of `rows` that are books, a line each."""
        lines = []
        for row in rows:
            if row.stream.kind is not StreamKind.BOOK:
                continue
            book = self._books.get(row.guid)
            if book is None:
                lines.append(f"{row.stream.label}: there never was one")
            elif book.best_bid is None or book.best_ask is None:
                lines.append(f"{row.stream.label}: isn't whole at the end")
            if count := self._crossed.get(row.guid, 0):
                lines.append(f"{row.stream.label}: bids stood above offers {count} times")
        return lines
