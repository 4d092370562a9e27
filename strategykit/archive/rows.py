"""Events as plain columns in memory, and what they would need on the disk to lose nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from strategykit.archive.arrow import np, pa, pc
from strategykit.archive.fields import CAME, TIE, Field, Form, fields_of
from strategykit.errors import TapeError
from strategykit.model.events import Event, Side

__all__ = ["MOST_PLACES", "TEXT", "Needs", "Rows", "plain_schema", "rows_of", "times_of"]

Rows = Any
"""A `pyarrow.RecordBatch` of `plain_schema`."""

TEXT: Final = "_text"
"""Ends the name of the column for those names that are texts, where others are numbers."""

MOST_PLACES: Final = 12
"""Decimal places up to which numbers are stored as whole ones."""

_EXACT: Final = float(1 << 53)
_TYPES: Final[Mapping[Form, Any]] = {
    Form.NUMBER: pa.float64(),
    Form.TIME: pa.int64(),
    Form.COUNT: pa.int64(),
    Form.FLAG: pa.bool_(),
    Form.SIDE: pa.int8(),
    Form.WORDS: pa.string(),
    Form.NUMBERS: pa.list_(pa.float64()),
    Form.NAMES: pa.list_(pa.string()),
}
_SIGNS: Final[Mapping[Side | None, int | None]] = {Side.BUY: 1, Side.SELL: -1, None: None}


def plain_schema(kind: type) -> Any:
    """Give the columns of a class as they are in memory: sides are +1 and -1, times nanoseconds."""
    columns = []
    for field in fields_of(kind):
        if field.form is Form.NAME:
            columns += [pa.field(field.name, pa.int64()), pa.field(field.name + TEXT, pa.string())]
        else:
            columns.append(pa.field(field.name, _TYPES[field.form]))
    return pa.schema([*columns, pa.field(CAME.name, pa.int64()), pa.field(TIE, pa.int32())])


def rows_of(kind: type, events: Sequence[Event], times: Sequence[int], ties: Sequence[int]) -> Rows:
    """Give events of one class as columns; `times` are when they were told.

    Raises:
        TapeError: A value can't be kept: it isn't a number, or is too large a one.
    """
    schema = plain_schema(kind)
    columns: list[Any] = []
    try:
        for field in fields_of(kind):
            values: Sequence[Any] = (
                times if field.name == "receive_time" else [getattr(event, field.name) for event in events]
            )
            if field.form is Form.NAME:
                columns.append([value if isinstance(value, int) else None for value in values])
                columns.append([value if isinstance(value, str) else None for value in values])
            elif field.form is Form.SIDE:
                columns.append([_SIGNS[value] for value in values])
            else:
                columns.append(values)
        came = [
            None if event.receive_time == time else event.receive_time
            for event, time in zip(events, times, strict=True)
        ]
        arrays = [pa.array(values, item.type) for values, item in zip((*columns, came, ties), schema, strict=True)]
    except (pa.ArrowException, TypeError, ValueError, OverflowError, KeyError) as exc:
        raise TapeError(f"{kind.__name__} can't be kept: {exc}") from exc
    rows = pa.RecordBatch.from_arrays(arrays, schema=schema)
    check_numbers(kind, rows)
    return rows


def check_numbers(kind: type, rows: Rows) -> None:
    """Pass rows whose numbers are some, and which lack none that they need.

    Raises:
        TapeError: One isn't, or is missing.
    """
    for field in fields_of(kind):
        column = rows.column(field.name)
        if column.null_count and not field.optional:
            raise TapeError(f"{kind.__name__}.{field.name} of a row is missing")
        numbers = column.flatten() if field.form is Form.NUMBERS else column
        if field.form is Form.NUMBERS and numbers.null_count:
            raise TapeError(f"{kind.__name__}.{field.name} of a row lacks a number")
        if field.form in (Form.NUMBER, Form.NUMBERS) and len(numbers):
            known = pc.is_finite(pc.drop_null(numbers))
            if not pc.all(known, min_count=0).as_py():
                raise TapeError(f"{kind.__name__}.{field.name} of a row is no number to compute with")


def times_of(rows: Rows) -> Any:
    """Give the receive times, as numpy's."""
    return rows.column("receive_time").to_numpy()


@attrs.define(eq=False)
class _Column:
    """What one column has needed so far."""

    used: bool = False
    """Whether it has held anything but None."""
    places: int | None = 0
    """Decimal places; None: more than can be kept as whole numbers."""
    largest: float = 0.0
    unit: int = 1_000_000
    """Nanoseconds of which all its times are multiples: those of a millisecond, or less."""

    def decimals(self) -> int | None:
        """Give the decimal places that all of it can be written with, exactly; None: it stays binary."""
        fits = self.places is not None and self.largest * 10.0**self.places < _EXACT
        return self.places if fits else None


@attrs.define(eq=False)
class Needs:
    """What the rows of one class have needed so far, by column: `see` them all before the first is written."""

    kind: type
    columns: dict[str, _Column] = attrs.field(factory=dict)
    rows: int = 0
    tied: bool = False

    def see(self, rows: Rows) -> None:
        """Note what `rows` need."""
        self.rows += len(rows)
        self.tied = self.tied or bool(pc.any(pc.not_equal(rows.column(TIE), 0)).as_py())
        for field in (*fields_of(self.kind), CAME):
            for name in (field.name, field.name + TEXT) if field.form is Form.NAME else (field.name,):
                values = rows.column(name)
                column = self.columns.setdefault(name, _Column())
                if values.null_count < len(values):
                    column.used = True
                    _see(field, column, values)


def _see(field: Field, column: _Column, values: Any) -> None:
    match field.form:
        case Form.NUMBER | Form.NUMBERS:
            flat = values.flatten() if field.form is Form.NUMBERS else values
            _see_numbers(column, pc.drop_null(flat).to_numpy(zero_copy_only=False))
        case Form.TIME:
            times = pc.drop_null(values).to_numpy()
            while column.unit > 1 and np.any(times % column.unit):
                column.unit //= 1_000
        case _:
            """It is stored as it is."""


def _see_numbers(column: _Column, values: Any) -> None:
    if column.places is None or not len(values):
        return
    column.largest = max(column.largest, float(np.max(np.abs(values))))
    places = column.places
    left = values
    while True:
        left = left[~exact(left, places)]
        if not len(left):
            column.places = places
            return
        if places == MOST_PLACES:
            column.places = None
            return
        places += 1


def exact(values: Any, places: int) -> Any:
    """Say of each number whether a whole one, divided by ``10 ** places``, gives it back to the last bit."""
    power = 10.0**places
    with np.errstate(over="ignore"):
        scaled = np.rint(values * power)
    fits = np.abs(scaled) < _EXACT
    whole = np.where(fits, scaled, 0.0).astype(np.int64)
    return fits & ((whole / power).view(np.int64) == values.view(np.int64))
