"""What the cursors of the family share: an answer that is waited for, and a hole that is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import attrs

from strategykit.model.events import Event, Gap
from strategykit.model.instruments import Instrument
from strategykit.venues.dialect import Decoded
from strategykit.venues.keyed import KeyedCursor
from strategykit.venues.stream.rows import Framed
from strategykit.venues.streams import Stream

__all__ = ["ASK_EVERY", "MOST_HELD", "Answer", "Rows", "StreamCursor", "make_gap"]

ASK_EVERY: Final = 10_000_000_000
"""Nanoseconds: a hole that comes sooner after another was asked about is told and not filled."""

MOST_HELD: Final = 20_000
"""Messages held back behind a question; when there are more, it goes on without the answer."""

Rows = Sequence[Event | Instrument]


class StreamCursor(KeyedCursor[Any], Protocol):
    """A cursor of any of the family's streams."""

    def read(self, frame: str | bytes, /) -> Framed[Any]:
        """Read a data frame, whole.

        Raises:
            msgspec.MsgspecError: It can't be read; other errors of `UNREADABLE`, too.
        """
        ...


@attrs.frozen(eq=False)
class Answer:
    """Hands an answer to who asked, unless it has asked for something else since."""

    number: int
    current: Callable[[], int]
    """Gives the number of the question that is waited for."""
    take: Callable[[Rows | None, str, int], Sequence[Decoded]]

    def answered(self, rows: Rows | None, reason: str, now: int) -> Sequence[Decoded]:
        return self.take(rows, reason, now) if self.number == self.current() else ()


def make_gap(guid: str, stream: Stream, since: int | None, now: int, reason: str) -> Gap:
    """Make the gap that a cursor found inside its stream; `since` is the last moment at which it was whole."""
    began = now if since is None else min(since, now)
    return Gap(stream.instrument, began, now, reason, None, now, guid)
