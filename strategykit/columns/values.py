"""Columns whose values aren't plain numbers: few different ones, ones with holes, and ones of many numbers each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

__all__ = ["Coded", "Column", "Holed", "Ragged", "length_of", "sliced", "values_of"]


@attrs.frozen(eq=False)
class Coded:
    """Values of which there are few different ones, such as sides: a small number a row, and what each means."""

    codes: NDArray[Any]
    """Integers: places in `values`."""
    values: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: slice) -> Coded:
        return Coded(self.codes[rows], self.values)

    def tolist(self) -> list[Any]:
        table = np.empty(len(self.values), dtype=object)
        table[:] = self.values
        result: list[Any] = table[self.codes].tolist()
        return result


@attrs.frozen(eq=False)
class Holed:
    """Numbers of which some are missing, where NaN can't say so: integers, flags."""

    values: NDArray[Any]
    present: NDArray[np.bool_]
    """False where the value is None; what `values` has there means nothing."""

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice) -> Holed:
        return Holed(self.values[rows], self.present[rows])

    def tolist(self) -> list[Any]:
        plain = self.values.tolist()
        return [value if there else None for value, there in zip(plain, self.present.tolist(), strict=True)]


@attrs.frozen(eq=False)
class Ragged:
    """A tuple a row, such as the prices of a book's levels: all their elements in a row, and where each row ends."""

    values: NDArray[Any]
    """Numbers, or objects for names of orders."""
    offsets: NDArray[np.int64]
    """One more than there are rows: row i is ``values[offsets[i]:offsets[i + 1]]``."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, rows: slice) -> Ragged:
        start, stop, step = rows.indices(len(self))
        if step != 1:
            raise ValueError("rows of many values are taken without gaps")
        return Ragged(self.values, self.offsets[start : max(stop, start) + 1])

    def packed(self) -> Ragged:
        """Give the same with nothing before the first row or behind the last one."""
        first, last = int(self.offsets[0]), int(self.offsets[-1])
        if first == 0 and last == len(self.values):
            return self
        return Ragged(self.values[first:last], self.offsets - first)

    def tolist(self) -> list[tuple[Any, ...]]:
        whole = self.packed()
        values, ends = whole.values.tolist(), whole.offsets.tolist()
        return [tuple(values[start:end]) for start, end in pairwise(ends)]

    @classmethod
    def of(cls, rows: Sequence[Sequence[Any]], dtype: Any = np.float64) -> Ragged:
        """Lay rows of values end to end."""
        offsets = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum([len(row) for row in rows], out=offsets[1:])
        values = np.empty(int(offsets[-1]), dtype=dtype)
        values[:] = [value for row in rows for value in row]
        return cls(values, offsets)


Column = Any
"""What a field of many events is: an array (objects, too), `Coded`, `Holed`, `Ragged`, or one value for all of them.

A float field that may be None has NaN for it. None for all is the value None.
"""

_MANY = (np.ndarray, Coded, Holed, Ragged)


def length_of(column: Column) -> int | None:
    """Give how many rows a column has; None for one value that stands for any number of them."""
    return len(column) if isinstance(column, _MANY) else None


def sliced(column: Column, rows: slice) -> Column:
    """Give some rows of a column; no copies."""
    return column[rows] if isinstance(column, _MANY) else column


def values_of(column: Column, *, holes: bool) -> list[Any] | None:
    """Give a column's values as Python objects; None for one value that stands for all.

    Args:
        column: A column.
        holes: Whether NaN means None.
    """
    if not isinstance(column, _MANY):
        return None
    if holes and isinstance(column, np.ndarray) and column.dtype.kind == "f":
        missing = np.isnan(column)
        if missing.any():
            objects = column.astype(object)
            objects[missing] = None
            result: list[Any] = objects.tolist()
            return result
    values: list[Any] = column.tolist()
    return values
