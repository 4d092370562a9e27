"""Columns as Parquet keeps them, and back: prices as decimals, times as timestamps, so that other programs see what is
meant, and each number as few bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from strategykit.archive.arrow import np, pa, pc, pq
from strategykit.archive.fields import CAME, TIE, Field, Form, fields_of
from strategykit.archive.rows import TEXT, Needs, Rows, plain_schema
from strategykit.errors import TapeError

__all__ = ["Layout", "plain_rows"]

_PRECISION: Final = 18
"""Digits that 64 bits hold; others read such decimals as whole numbers with a scale."""

_UNITS: Final[Mapping[int, str]] = {1_000_000: "ms", 1_000: "us", 1: "ns"}
_NANOSECONDS: Final = {name: nanoseconds for nanoseconds, name in _UNITS.items()}

_WHOLE: Final = ("DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT", "PLAIN")
_BINARY: Final = ("BYTE_STREAM_SPLIT", "PLAIN")
_TEXTS: Final = ("DELTA_BYTE_ARRAY", "PLAIN")

_WORTH: Final = 1_000
"""Rows from which on it is worth while to try which encoding is best."""

_LEVEL: Final = 12
"""Of zstd: 19 gains 1 % of trades, and takes three times as long."""


@attrs.frozen
class _Column:
    name: str
    field: Field | None
    """None: it tells ties."""
    type: Any


@attrs.define(eq=False)
class Layout:
    """How the rows of one class are stored, all of them alike, so that their files can be read as one table."""

    columns: list[_Column]
    _encodings: dict[str, str] | None = None

    @classmethod
    def of(cls, needs: Needs) -> Layout:
        """Find the layout that loses nothing. Columns that hold nothing are left out."""
        columns: list[_Column] = []
        for field in (*fields_of(needs.kind), CAME):
            for name in (field.name, field.name + TEXT) if field.form is Form.NAME else (field.name,):
                seen = needs.columns.get(name)
                if seen is not None and seen.used:
                    columns.append(_Column(name, field, _stored_type(field, name, seen)))
        if needs.tied:
            columns.append(_Column(TIE, None, pa.int32()))
        return cls(columns)

    @property
    def schema(self) -> Any:
        return pa.schema([pa.field(column.name, column.type) for column in self.columns])

    def store(self, rows: Rows) -> Any:
        """Give rows as they are stored: a `pyarrow.Table`."""
        arrays = [_store(rows.column(column.name), column.type) for column in self.columns]
        return pa.table(arrays, schema=self.schema)

    def options(self, sample: Any) -> dict[str, Any]:
        """Give what `pyarrow.parquet` is told, with the encodings that suit `sample` best; it is looked at once."""
        if self._encodings is None:
            self._encodings = {column.name: _best(sample, column) for column in self.columns}
        encodings = {_path(column): self._encodings[column.name] for column in self.columns}
        by_table = [path for path, encoding in encodings.items() if encoding == "DICTIONARY"]
        return {
            "use_dictionary": by_table or False,
            "column_encoding": {path: encoding for path, encoding in encodings.items() if path not in by_table} or None,
            **_PARQUET,
        }


_PARQUET: Final[Mapping[str, Any]] = {
    "compression": "zstd",
    "compression_level": _LEVEL,
    "store_decimal_as_integer": True,
    "store_schema": False,  # It would say how pyarrow had it in memory, to whoever reads.
    "write_page_checksum": True,
    "version": "2.6",
}


def _stored_type(field: Field, name: str, seen: Any) -> Any:
    match field.form:
        case Form.NUMBER | Form.NUMBERS:
            places = seen.decimals()
            number = pa.float64() if places is None else pa.decimal64(_PRECISION, places)
            return pa.list_(number) if field.form is Form.NUMBERS else number
        case Form.TIME:
            return pa.timestamp(_UNITS[seen.unit])
        case Form.SIDE:
            return pa.string()
        case Form.NAME:
            return pa.string() if name.endswith(TEXT) else pa.int64()
        case Form.COUNT:
            return pa.int64()
        case Form.FLAG:
            return pa.bool_()
        case Form.WORDS:
            return pa.string()
        case Form.NAMES:
            return pa.list_(pa.string())


def _path(column: _Column) -> str:
    return f"{column.name}.list.element" if pa.types.is_list(column.type) else column.name


def _store(values: Any, kind: Any) -> Any:
    if pa.types.is_list(kind):
        return pa.ListArray.from_arrays(values.offsets, _store(values.values, kind.value_type))
    if pa.types.is_decimal(kind):
        numbers = values.fill_null(0.0).to_numpy(zero_copy_only=False)
        whole = np.rint(numbers * 10.0**kind.scale).astype(np.int64)
        return pa.Array.from_buffers(kind, len(values), [_validity(values), pa.py_buffer(whole)])
    if pa.types.is_timestamp(kind):
        whole = values.fill_null(0).to_numpy() // _NANOSECONDS[kind.unit]
        return pa.Array.from_buffers(kind, len(values), [_validity(values), pa.py_buffer(whole)])
    if pa.types.is_int8(values.type):
        return pc.if_else(pc.equal(values, 1), "buy", "sell")
    return values


def _validity(values: Any) -> Any:
    """Give which are known, a bit each, for an array made anew."""
    if not values.null_count:
        return None
    known = pc.is_valid(values).to_numpy(zero_copy_only=False)
    return pa.py_buffer(np.packbits(known, bitorder="little"))


def _best(sample: Any, column: _Column) -> str:
    """Try the encodings that all readers know on a sample; give the one that makes it smallest."""
    inner = column.type.value_type if pa.types.is_list(column.type) else column.type
    if pa.types.is_boolean(inner):
        return "PLAIN"
    if pa.types.is_string(inner):
        candidates = (*_TEXTS, "DICTIONARY")
    else:
        candidates = (*(_BINARY if pa.types.is_floating(inner) else _WHOLE), "DICTIONARY")
    if len(sample) < _WORTH:
        return candidates[0]
    sizes = {encoding: _size(sample.select([column.name]), _path(column), encoding) for encoding in candidates}
    return min(candidates, key=lambda encoding: sizes[encoding])


def _size(table: Any, path: str, encoding: str) -> int:
    sink = pa.BufferOutputStream()
    by_table = encoding == "DICTIONARY"
    column_encoding = None if by_table else {path: encoding}
    pq.write_table(table, sink, use_dictionary=by_table, column_encoding=column_encoding, **_PARQUET)
    return int(sink.getvalue().size)


def plain_rows(kind: type, table: Any, where: str) -> Rows:
    """Give what was stored as it was in memory, whichever of the columns there are.

    Args:
        kind: The class of the events.
        table: A `pyarrow.Table` or `RecordBatch` as Parquet gives it.
        where: Begins what an error says.

    Raises:
        TapeError: A column is missing, or holds what none of its name does.
    """
    schema = plain_schema(kind)
    needed = {field.name for field in fields_of(kind) if not field.optional}
    arrays = []
    for item in schema:
        place = table.schema.get_field_index(item.name)
        if place < 0:
            if item.name in needed:
                raise TapeError(f"{where}: column {item.name!r} is missing")
            empty = pa.nulls(len(table), item.type)
            arrays.append(pa.array(np.zeros(len(table), np.int32)) if item.name == TIE else empty)
            continue
        values = table.column(place)
        values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        try:
            arrays.append(_plain(values, item.type))
        except (pa.ArrowException, ValueError, TypeError) as exc:
            raise TapeError(f"{where}: column {item.name!r} is {values.type}: {exc}") from exc
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _plain(values: Any, wanted: Any) -> Any:
    kind = values.type
    if pa.types.is_list(wanted) and pa.types.is_list(kind):
        return pa.ListArray.from_arrays(values.offsets, _plain(values.values, wanted.value_type))
    if pa.types.is_decimal(kind) and wanted == pa.float64():
        numbers = _whole_of(values) / 10.0**kind.scale
        return pa.Array.from_buffers(wanted, len(values), [_validity(values), pa.py_buffer(numbers)])
    if pa.types.is_timestamp(kind) and wanted == pa.int64():
        whole = values.cast(pa.int64())
        factor = _NANOSECONDS[kind.unit]
        return whole if factor == 1 else pc.multiply_checked(whole, factor)
    if pa.types.is_string(kind) and wanted == pa.int8():
        known = pc.is_in(values, pa.array(["buy", "sell"]), skip_nulls=True)
        if not pc.all(pc.or_(known, pc.is_null(values)), min_count=0).as_py():
            raise ValueError("a side is 'buy' or 'sell'")
        return pc.if_else(pc.equal(values, "buy"), pa.scalar(1, pa.int8()), pa.scalar(-1, pa.int8()))
    if kind != wanted:
        raise ValueError(f"{wanted} is meant")
    return values


def _whole_of(values: Any) -> Any:
    """Give the whole numbers behind decimals of 64 bits, which Parquet's reader gives as ones of 128."""
    words = values.type.bit_width // 64
    if words not in (1, 2) or values.type.precision > _PRECISION:
        raise ValueError(f"decimals of at most {_PRECISION} digits are meant")
    whole = np.frombuffer(values.buffers()[1], np.int64)[values.offset * words : (values.offset + len(values)) * words]
    return np.ascontiguousarray(whole[::words])
