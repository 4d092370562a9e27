"""Where columns come from: an archive on the disk, or whatever else has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import attrs

from strategykit.columns.columns import Columns
from strategykit.errors import ConfigError
from strategykit.model.instruments import Instrument
from strategykit.runtime.simulate import stream_guid
from strategykit.venues.streams import Stream

__all__ = ["ColumnSource", "MemoryColumns"]


class ColumnSource(Protocol):
    """Market data as columns. An `Archive` is one."""

    @property
    def streams(self) -> Sequence[Stream]:
        """In the order in which events of one time come, where nothing else tells it."""
        ...

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """Reference data of what can be traded, by symbol."""
        ...

    @property
    def first(self) -> int:
        """When a run on it begins, nanoseconds UTC: not after the first event."""
        ...

    @property
    def last(self) -> int:
        """When it ends: not before the last event."""
        ...

    @property
    def seed(self) -> int:
        """Of ids and random numbers, unless another is given; with `clock_origin`, those of the tape it was made of."""
        ...

    @property
    def clock_origin(self) -> int: ...

    def guid(self, stream: Stream) -> str:
        """Give the subscription that a stream's events come by."""
        ...

    def chunks(self, stream: Stream, *, since: int | None = None, until: int | None = None) -> Iterator[Columns]:
        """Give a stream's events, oldest first; those received at or after `since`, and before `until`."""
        ...


@attrs.frozen(eq=False)
class MemoryColumns:
    """Columns that are at hand, such as those made of arrays in a notebook.

    Args:
        columns: By stream, oldest first.
        instruments: Reference data by symbol.
        seed: Of ids and random numbers.

    Raises:
        ConfigError: There isn't a single event.
    """

    columns: Mapping[Stream, Sequence[Columns]]
    instruments: Mapping[str, Instrument]
    seed: int = 0

    def __attrs_post_init__(self) -> None:
        if not any(len(each) for parts in self.columns.values() for each in parts):
            raise ConfigError("there are no events in these columns")

    @property
    def streams(self) -> Sequence[Stream]:
        return tuple(self.columns)

    @property
    def first(self) -> int:
        return min(int(each.times[0]) for parts in self.columns.values() for each in parts if len(each))

    @property
    def last(self) -> int:
        return max(int(each.times[-1]) for parts in self.columns.values() for each in parts if len(each))

    @property
    def clock_origin(self) -> int:
        return self.first

    def guid(self, stream: Stream) -> str:
        return stream_guid(stream.kind, stream.instrument or "", stream.interval)

    def chunks(self, stream: Stream, *, since: int | None = None, until: int | None = None) -> Iterator[Columns]:
        for columns in self.columns[stream]:
            start = 0 if since is None else int(columns.times.searchsorted(since))
            stop = len(columns) if until is None else int(columns.times.searchsorted(until))
            if start < stop:
                yield columns.rows(start, stop)
