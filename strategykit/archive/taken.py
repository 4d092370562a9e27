"""From rows to the columns that a replay takes."""

from __future__ import annotations

from typing import Any

from strategykit.archive.arrow import np, pc
from strategykit.archive.fields import CAME, TIE, Field, Form, fields_of
from strategykit.archive.rows import TEXT, Rows
from strategykit.columns.columns import Columns
from strategykit.columns.values import Coded, Column, Holed, Ragged
from strategykit.model.events import Event, Side
from strategykit.venues.streams import Stream

__all__ = ["columns_of_rows"]

_SIDES = (None, Side.BUY, Side.SELL)


def columns_of_rows(stream: Stream, kind: type[Event], rows: Rows) -> Columns:
    """Give rows as columns; numbers aren't copied, where none is missing.

    Raises:
        ValueError: Time goes back.
    """
    arrays = {field.name: _column(field, rows) for field in fields_of(kind)}
    ties = rows.column(TIE).to_numpy()
    return Columns(
        stream=stream,
        kind=kind,
        arrays=arrays,
        instrument=stream.instrument,
        ties=ties if ties.any() else None,
        came=_came(rows.column(CAME.name), arrays["receive_time"]),
    )


def _came(came: Any, told: Any) -> Any:
    if came.null_count == len(came):
        return None
    return np.where(pc.is_valid(came).to_numpy(zero_copy_only=False), came.fill_null(0).to_numpy(), told)


def _column(field: Field, rows: Rows) -> Column:
    values = rows.column(field.name)
    match field.form:
        case Form.NAME:
            return _names(values, rows.column(field.name + TEXT))
        case Form.NUMBERS | Form.NAMES:
            return Ragged(_elements(field.form, values), values.offsets.to_numpy().astype(np.int64))
        case _ if len(values) and values.null_count == len(values):
            return None
        case Form.NUMBER:
            return values.to_numpy(zero_copy_only=False)
        case Form.SIDE:
            signs = values.fill_null(0).to_numpy()
            return Coded(np.where(signs < 0, np.int8(2), signs), _SIDES)
        case Form.WORDS:
            return _words(values)
        case _:
            return _whole(field, values)


def _whole(field: Field, values: Any) -> Column:
    """Give times, counts and flags: one value where all are alike."""
    if not values.null_count:
        array = values.to_numpy(zero_copy_only=False)
        alike = field.name != "receive_time" and len(array) and bool((array == array[0]).all())
        return array[0].item() if alike else array
    filled = values.fill_null(False if field.form is Form.FLAG else 0)
    return Holed(filled.to_numpy(zero_copy_only=False), pc.is_valid(values).to_numpy(zero_copy_only=False))


def _elements(form: Form, values: Any) -> Any:
    if form is Form.NUMBERS:
        return values.values.to_numpy(zero_copy_only=False)
    return _objects(values.values.to_pylist())


def _names(numbers: Any, texts: Any) -> Column:
    if numbers.null_count == len(numbers):
        return None if texts.null_count == len(texts) and len(texts) else _objects(texts.to_pylist())
    if texts.null_count < len(texts):
        both = zip(numbers.to_pylist(), texts.to_pylist(), strict=True)
        return _objects([text if number is None else number for number, text in both])
    if not numbers.null_count:
        return numbers.to_numpy()
    return Holed(numbers.fill_null(0).to_numpy(), pc.is_valid(numbers).to_numpy(zero_copy_only=False))


def _words(values: Any) -> Column:
    coded = values.dictionary_encode()
    codes = coded.indices.fill_null(len(coded.dictionary)).to_numpy()
    return Coded(codes, (*coded.dictionary.to_pylist(), None))


def _objects(values: list[Any]) -> Any:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
