"""One stretch of one stream, column by column, and the events that it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import repeat
from typing import Any, Final

import attrs
import numpy as np
from numpy.typing import NDArray

from strategykit.columns.building import made
from strategykit.columns.fields import GIVEN, field_types
from strategykit.columns.values import Column, length_of, sliced, values_of
from strategykit.model.events import Event
from strategykit.venues.streams import Stream

__all__ = ["CHUNK", "Columns"]

CHUNK: Final = 8_192
"""Events that are built at a time: as many as stay in the processor's cache."""


@attrs.frozen(eq=False, kw_only=True)
class Columns:
    """Events of one stream and one class, in the order in which they came.

    Raises:
        ValueError: A field is missing or isn't one of the class, columns differ in length, or time goes back.
    """

    stream: Stream
    kind: type[Any]
    """Class of the events."""
    arrays: Mapping[str, Column]
    """By field: all of the event's but `instrument` and `guid`. `receive_time` is an array of int64, never going back.

    A float field that may be None has NaN for it; numbers with holes are `Holed`, few different values `Coded`, the
    levels of books `Ragged`. What isn't a column is the value of all rows.
    """
    instrument: str | None = None
    """Of all of them; None: the stream's."""
    ties: NDArray[np.int32] | None = None
    """Whose turn it is among events of one time, of all streams that are kept together; None: nothing says so."""
    came: NDArray[np.int64] | None = None
    """What events have as receive time, where some were held back and told later, at what stands in `times`; None: all
    were told as they came."""

    def __attrs_post_init__(self) -> None:
        wanted = [name for name in field_types(self.kind) if name not in GIVEN]
        if set(wanted) != set(self.arrays):
            wrong = ", ".join(sorted(set(wanted) ^ set(self.arrays)))
            raise ValueError(f"columns of {self.kind.__name__}: missing, or not one of its fields: {wrong}")
        times = self.arrays["receive_time"]
        if not isinstance(times, np.ndarray) or times.dtype != np.int64:
            raise ValueError("receive_time has to be an array of int64")
        for name, column in (*self.arrays.items(), ("ties", self.ties), ("came", self.came)):
            if length_of(column) not in (None, len(times)):
                raise ValueError(f"{name} has {length_of(column)} rows, and receive_time has {len(times)}")
        if len(times) > 1 and bool((times[1:] < times[:-1]).any()):
            row = int(np.argmax(times[1:] < times[:-1])) + 1
            raise ValueError(f"{self.stream.label}: row {row} came before the row above it; sort them by receive_time")

    @classmethod
    def of(cls, stream: Stream, kind: type[Any], **arrays: Column) -> Columns:
        """Make columns of some fields; the others are what the class has by default, or None where they may be.

        Raises:
            ValueError: As of the class; or a field has to be given.
        """
        for item in attrs.fields(kind):
            if item.name in arrays or item.name in GIVEN:
                continue
            if item.default is not attrs.NOTHING:
                arrays[item.name] = item.default
            elif type(None) in field_types(kind)[item.name]:
                arrays[item.name] = None
        return cls(stream=stream, kind=kind, arrays=arrays)

    def __len__(self) -> int:
        return len(self.times)

    @property
    def times(self) -> NDArray[np.int64]:
        """When each was told, nanoseconds UTC."""
        times: NDArray[np.int64] = self.arrays["receive_time"]
        return times

    @property
    def symbol(self) -> str | None:
        """What all of them are about."""
        return self.stream.instrument if self.instrument is None else self.instrument

    def rows(self, start: int, stop: int) -> Columns:
        """Give those from `start` up to, but without, `stop`; nothing is copied, and nothing checked again."""
        part = object.__new__(Columns)
        rows = slice(start, stop)
        arrays = {name: sliced(column, rows) for name, column in self.arrays.items()}
        facts = {"stream": self.stream, "kind": self.kind, "arrays": arrays, "instrument": self.instrument}
        for name, value in (*facts.items(), ("ties", sliced(self.ties, rows)), ("came", sliced(self.came, rows))):
            object.__setattr__(part, name, value)
        return part

    def build(self, guid: str, times: list[int] | None = None) -> Iterator[Event]:
        """Give all of them as events that came by subscription `guid`; their values are made ready at once.

        Args:
            guid: Of the subscription.
            times: When each came, for whoever has that list already.
        """
        given = {"instrument": self.symbol, "guid": guid}
        lists: list[Any] = []
        for name, allowed in field_types(self.kind).items():
            if name == "receive_time":
                if self.came is not None:
                    times = self.came.tolist()
                lists.append(self.times.tolist() if times is None else times)
                continue
            column = given[name] if name in given else self.arrays[name]
            values = values_of(column, holes=type(None) in allowed)
            lists.append(repeat(column) if values is None else values)
        return made(self.kind, lists)

    def events(self, guid: str) -> Iterator[Event]:
        """Give all of them as events that came by subscription `guid`, made in chunks."""
        for start in range(0, len(self), CHUNK):
            yield from self.rows(start, start + CHUNK).build(guid)
