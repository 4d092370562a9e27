"""Recordings that end earlier than they do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from strategykit.model.instruments import Instrument
from strategykit.runtime.column_source import ColumnSource
from strategykit.tape.reader import Tape
from strategykit.tape.segment import RawRecord
from strategykit.venues.streams import Stream

if TYPE_CHECKING:
    from strategykit.columns.columns import Columns

__all__ = ["CutColumns", "CutTape", "cut_off"]


class CutTape(Tape):
    """A tape up to, and with, what came at `last`, nanoseconds UTC."""

    def __init__(self, path: Path, last: int) -> None:
        self._last = last
        super().__init__(path)

    def chunks(self, *, bodies: bool = True) -> Iterator[list[RawRecord]]:
        for chunk in super().chunks(bodies=bodies):
            beyond = next((at for at, (_, _, time, _, _) in enumerate(chunk) if time > self._last), None)
            if beyond is not None:
                if beyond:
                    yield chunk[:beyond]
                return
            yield chunk


@attrs.frozen(eq=False)
class CutColumns:
    """Columns up to, and with, what came at `until`, nanoseconds UTC."""

    source: ColumnSource
    until: int

    @property
    def streams(self) -> Sequence[Stream]:
        return self.source.streams

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return self.source.instruments

    @property
    def first(self) -> int:
        return self.source.first

    @property
    def last(self) -> int:
        return min(self.until, self.source.last)

    @property
    def seed(self) -> int:
        return self.source.seed

    @property
    def clock_origin(self) -> int:
        return self.source.clock_origin

    def guid(self, stream: Stream) -> str:
        return self.source.guid(stream)

    def chunks(self, stream: Stream, *, since: int | None = None, until: int | None = None) -> Iterator[Columns]:
        end = self.until + 1
        return self.source.chunks(stream, since=since, until=end if until is None else min(end, until))


def cut_off(source: Tape | ColumnSource, last: int) -> CutTape | CutColumns:
    """Give a recording without what came after `last`."""
    return CutTape(source.path, last) if isinstance(source, Tape) else CutColumns(source, last)
