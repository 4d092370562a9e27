"""Columns into the hashes that `digest` keeps a field, with numpy: exactly what single values would have done."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from strategykit.columns.digest import ABSENT, FAR, WHOLE, FieldHash, far_text, mark_of
from strategykit.columns.values import Coded, Column, Holed, Ragged, length_of

__all__ = ["hash_column"]

_PLAIN: Final = 1 << 62
"""Between numbers smaller than this, differences fit in 64 bits."""


def hash_column(field: FieldHash, column: Column, count: int, allowed: frozenset[Any]) -> None:
    """Hash the values of `count` rows."""
    if isinstance(column, Ragged):
        whole = column.packed()
        _whole(field, np.diff(whole.offsets))
        hash_column(field, whole.values, len(whole.values), frozenset({float}))
    elif isinstance(column, Coded) and WHOLE not in (marks := list(map(mark_of, column.values))):
        field.marks(np.array(marks, dtype=np.uint8)[column.codes].tobytes())
    elif isinstance(column, Holed):
        _holed(field, column.values, column.present)
    elif isinstance(column, np.ndarray) and column.dtype.kind == "f":
        missing = np.isnan(column) if type(None) in allowed else None
        _holed(field, column, None if missing is None or not missing.any() else ~missing)
    elif isinstance(column, np.ndarray) and column.dtype.kind in "iub":
        _holed(field, column, None)
    elif length_of(column) is not None:
        field.take(column.tolist())
    elif (mark := mark_of(column)) != WHOLE:
        field.marked(mark, count)
    else:
        field.take([column] * count)


def _holed(field: FieldHash, values: NDArray[Any], present: NDArray[np.bool_] | None) -> None:
    if values.dtype.kind == "b":
        marks = values.astype(np.uint8) + np.uint8(ABSENT[False])
        field.marks((marks if present is None else np.where(present, marks, np.uint8(ABSENT[None]))).tobytes())
        return
    if present is None:
        field.marked(WHOLE, len(values))
    else:
        field.marks(np.where(present, np.uint8(WHOLE), np.uint8(ABSENT[None])).astype(np.uint8).tobytes())
        values = values[present]
    if values.dtype.kind == "f":
        field.floats(np.ascontiguousarray(values, dtype="<f8").data)
    else:
        _whole(field, values)


def _whole(field: FieldHash, numbers: NDArray[Any]) -> None:
    if not len(numbers):
        return
    lowest, highest = int(numbers.min()), int(numbers.max())
    if not (min(lowest, field.last) > -_PLAIN and max(highest, field.last) < _PLAIN):
        field.whole(numbers.tolist())
        return
    steps = np.diff(numbers.astype(np.int64, copy=False), prepend=np.int64(field.last))
    field.last = int(numbers[-1])
    far = (steps <= FAR) | (steps >= -FAR)
    if far.any():
        field.steps(np.where(far, FAR, steps).astype("<i4").tobytes(), far_text(steps[far].tolist()))
    else:
        field.steps(steps.astype("<i4").tobytes(), b"")
