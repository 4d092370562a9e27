"""A result's tables: their columns, and how other libraries get them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

import pyarrow as pa

from strategykit.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

__all__ = ["TABLES", "Kind", "TableName", "as_arrow", "as_columns", "as_pandas", "as_polars"]

Kind = Literal["time", "duration", "text", "money", "number", "flag"]

TableName = Literal["orders", "fills", "trips", "positions", "equity", "prices", "gaps"]

TABLES: Final[Mapping[TableName, Mapping[str, Kind]]] = {
    "orders": {
        "order": "text",
        "strategy": "text",
        "instrument": "text",
        "side": "text",
        "type": "text",
        "quantity": "money",
        "price": "money",
        "stop_price": "money",
        "state": "text",
        "filled": "money",
        "reason": "text",
        "placed": "time",
        "answered": "time",
        "ended": "time",
        "decision_price": "number",
    },
    "fills": {
        "time": "time",
        "event_time": "time",
        "strategy": "text",
        "instrument": "text",
        "side": "text",
        "price": "money",
        "quantity": "money",
        "fee": "money",
        "fee_currency": "text",
        "order": "text",
        "trade_id": "text",
        "mark": "number",
    },
    "trips": {
        "strategy": "text",
        "instrument": "text",
        "currency": "text",
        "side": "text",
        "lots": "money",
        "entry_time": "time",
        "entry_price": "money",
        "exit_time": "time",
        "exit_price": "money",
        "open": "flag",
        "pnl": "money",
        "fees": "money",
        "net": "money",
        "other_fees": "text",
        "duration": "duration",
        "worst": "number",
        "best": "number",
        "entry_order": "text",
        "exit_order": "text",
    },
    "positions": {"time": "time", "strategy": "text", "instrument": "text", "lots": "money"},
    "equity": {"time": "time", "strategy": "text", "currency": "text", "pnl": "number", "gross": "number"},
    "prices": {"time": "time", "instrument": "text", "price": "number"},
    "gaps": {"instrument": "text", "stream": "text", "since": "time", "until": "time", "reason": "text"},
}
"""Every table with its columns. ``"money"`` is exact."""

_TYPES: Final = {
    "time": pa.timestamp("ns", tz="UTC"),
    "duration": pa.duration("ns"),
    "text": pa.string(),
    "number": pa.float64(),
    "flag": pa.bool_(),
}
_EMPTY: Final = pa.decimal128(38, 9)
"""Of a column of amounts in which there is none."""


def as_arrow(name: TableName, columns: Mapping[str, Sequence[Any]]) -> pa.Table:
    """Give a table of a result as pyarrow's. Amounts are decimals with as many digits as they need."""
    return pa.table({column: _array(columns[column], kind) for column, kind in TABLES[name].items()})


def _array(values: Sequence[Any], kind: Kind) -> pa.Array:
    if kind != "money":
        return pa.array(values, type=_TYPES[kind], from_pandas=kind == "number")  # NaN is null there.
    found = pa.array(values)
    return found.cast(_EMPTY) if pa.types.is_null(found.type) else found


def as_columns(name: TableName, table: pa.Table) -> dict[str, list[Any]]:
    """Give back what `as_arrow` was given, NaN where there was none among numbers.

    Raises:
        KeyError: A column is missing.
        TypeError: A column isn't what it should be.
    """
    columns: dict[str, list[Any]] = {}
    for column, kind in TABLES[name].items():
        found = table.column(column)
        if kind == "money":
            if not (pa.types.is_decimal(found.type)):
                raise TypeError(f"column {column!r} holds {found.type}, and should hold decimals")
        elif found.type != _TYPES[kind]:
            raise TypeError(f"column {column!r} holds {found.type}, and should hold {_TYPES[kind]}")
        if kind in ("time", "duration"):
            found = found.cast(pa.int64())
        values = found.to_pylist()
        columns[column] = [float("nan") if value is None else value for value in values] if kind == "number" else values
    return columns


def as_polars(name: TableName, table: pa.Table) -> pl.DataFrame:
    """Give a table as polars has it: amounts as doubles.

    Raises:
        ConfigError: Polars isn't installed.
    """
    try:
        import polars as pl
    except ImportError as exc:
        raise ConfigError(f"{name} as polars' frame needs {exc.name}: pip install 'strategykit[notebook]'") from exc
    frame = pl.from_arrow(_with_doubles(name, table))
    assert isinstance(frame, pl.DataFrame)
    return frame


def as_pandas(name: TableName, table: pa.Table) -> pd.DataFrame:
    """Give a table as pandas has it: amounts as doubles.

    Raises:
        ConfigError: Pandas isn't installed.
    """
    try:
        import pandas  # noqa: F401, ICN001 - what pyarrow is about to import, asked for by us, so that we can say so
    except ImportError as exc:
        raise ConfigError(f"{name} as pandas' frame needs {exc.name}: pip install 'strategykit[notebook]'") from exc
    frame: pd.DataFrame = _with_doubles(name, table).to_pandas()
    return frame


def _with_doubles(name: TableName, table: pa.Table) -> pa.Table:
    for n, (column, kind) in enumerate(TABLES[name].items()):
        if kind == "money":
            table = table.set_column(n, column, table.column(column).cast(pa.float64()))
    return table
