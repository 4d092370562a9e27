"""A part of a recording, as if there were no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs

from strategykit.columns.columns import Columns
from strategykit.model.instruments import Instrument
from strategykit.runtime.column_source import ColumnSource
from strategykit.venues.streams import Stream

__all__ = ["WindowOfColumns"]


@attrs.frozen(eq=False)
class WindowOfColumns:
    """What was received at or after `since`, and before `until`, nanoseconds UTC."""

    whole: ColumnSource
    since: int
    until: int

    @property
    def path(self) -> Path | str:
        return str(getattr(self.whole, "path", ""))

    @property
    def streams(self) -> Sequence[Stream]:
        return self.whole.streams

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return self.whole.instruments

    @property
    def first(self) -> int:
        return max(self.since, self.whole.first)

    @property
    def last(self) -> int:
        return min(self.until - 1, self.whole.last)

    @property
    def seed(self) -> int:
        return self.whole.seed

    @property
    def clock_origin(self) -> int:
        return self.whole.clock_origin

    def guid(self, stream: Stream) -> str:
        return self.whole.guid(stream)

    def chunks(self, stream: Stream, *, since: int | None = None, until: int | None = None) -> Iterator[Columns]:
        return self.whole.chunks(
            stream,
            since=self.since if since is None else max(since, self.since),
            until=self.until if until is None else min(until, self.until),
        )
