"""From events to columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

import numpy as np

from strategykit.columns.columns import CHUNK, Columns
from strategykit.columns.fields import GIVEN, field_types
from strategykit.columns.values import Coded, Column, Holed, Ragged
from strategykit.model.events import Event
from strategykit.venues.streams import Stream

__all__ = ["columns_of", "columns_of_all"]

_FEW: Final = 32
"""Different values that are worth a code each."""

_DTYPES: Final[dict[Any, Any]] = {float: np.float64, int: np.int64, bool: np.bool_}


def columns_of_all(stream: Stream, events: Iterable[Event]) -> Iterator[Columns]:
    """Give events of one stream as columns, in their order: a new one for each other class, and after every 8,192."""
    for _, alike in groupby(events, key=lambda event: (type(event), event.instrument)):
        chunk: list[Event] = []
        for event in alike:
            chunk.append(event)
            if len(chunk) == CHUNK:
                yield columns_of(stream, chunk)
                chunk = []
        if chunk:
            yield columns_of(stream, chunk)


def columns_of(stream: Stream, events: list[Event]) -> Columns:
    """Give events of one stream, one class and one instrument as columns; there must be one event at the least.

    They stand in the order in which they were told: one that came before the one above it was held back.

    Raises:
        ValueError: They are of several classes or instruments.
    """
    kind: Any = type(events[0])
    if len(set(map(type, events))) > 1:
        raise ValueError(f"{stream.label}: events of several classes don't make one set of columns")
    symbols = {event.instrument for event in events}
    if len(symbols) > 1:
        raise ValueError(f"{stream.label}: events of several instruments don't make one set of columns")
    came = np.array([event.receive_time for event in events], dtype=np.int64)
    arrays: dict[str, Column] = {}
    for name, allowed in field_types(kind).items():
        if name == "receive_time":
            arrays[name] = np.maximum.accumulate(came)
        elif name not in GIVEN:
            arrays[name] = _column(list(map(attrgetter(name), events)), allowed)
    held_back = bool((came < arrays["receive_time"]).any())
    return Columns(stream=stream, kind=kind, arrays=arrays, instrument=symbols.pop(), came=came if held_back else None)


def _column(values: list[Any], allowed: frozenset[Any]) -> Column:
    kinds = set(map(type, values))
    if kinds == {tuple}:
        parts = {type(part) for value in values for part in value}
        return Ragged.of(values, np.float64 if parts <= {float} else object)
    first = values[0]
    if len(kinds) == 1 and values.count(first) == len(values) and not _signed_zero(first):
        return first
    present = kinds - {type(None)}
    dtype = _DTYPES.get(next(iter(present))) if len(present) == 1 else None
    if dtype is None or (dtype is np.int64 and not _fits(values)):
        return _few(values) if present.isdisjoint({int, float, bool}) else _objects(values)
    if present == kinds:
        array = np.array(values, dtype=dtype)
        if dtype is np.float64 and type(None) in allowed and bool(np.isnan(array).any()):
            return Holed(array, np.ones(len(array), dtype=np.bool_))  # NaN alone would mean None.
        return array
    there = np.array([value is not None for value in values], dtype=np.bool_)
    filled = np.array([0 if value is None else value for value in values], dtype=dtype)
    if dtype is np.float64 and not bool(np.isnan(filled).any()):
        filled[~there] = np.nan
        return filled
    return Holed(filled, there)


def _signed_zero(value: object) -> bool:
    """Whether it equals something that it isn't: 0.0 and -0.0."""
    return isinstance(value, float) and value == 0.0


def _fits(values: list[Any]) -> bool:
    return all(value is None or -(1 << 63) <= value < 1 << 63 for value in values)


def _few(values: list[Any]) -> Column:
    known: dict[Any, int] = {}
    codes = [known.setdefault(value, len(known)) for value in values]
    return Coded(np.array(codes, dtype=np.int8), tuple(known)) if len(known) <= _FEW else _objects(values)


def _objects(values: list[Any]) -> Column:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
