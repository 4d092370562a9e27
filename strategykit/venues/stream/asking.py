"""What the cursors of the family share: how they read, how much they hold back, and how a hole is told."""

from __future__ import annotations

from typing import Any, Final, Protocol

from strategykit.model.events import Gap
from strategykit.venues.keyed import Answer, KeyedCursor, Rows
from strategykit.venues.stream.rows import Framed
from strategykit.venues.streams import Stream

__all__ = ["ASK_EVERY", "MOST_HELD", "Answer", "Rows", "StreamCursor", "make_gap"]

ASK_EVERY: Final = 10_000_000_000
"""Nanoseconds: a hole inside a stream that comes sooner after another was asked about is told and not filled."""

MOST_HELD: Final = 20_000
"""Messages held back behind a question; when there are more, it goes on without the answer."""


class StreamCursor(KeyedCursor[Any], Protocol):
    """A cursor of any of the family's streams."""

    def read(self, frame: str | bytes, /) -> Framed[Any]:
        """Read a data frame, whole.

        Raises:
            msgspec.MsgspecError: It can't be read; other errors of `UNREADABLE`, too.
        """
        ...


def make_gap(guid: str, stream: Stream, since: int | None, now: int, reason: str) -> Gap:
    """Make the gap that a cursor found inside its stream; `since` is the last moment at which it was whole."""
    began = now if since is None else min(since, now)
    return Gap(stream.instrument, began, now, reason, None, now, guid)
