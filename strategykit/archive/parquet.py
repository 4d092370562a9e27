"""Reading one Parquet file, which isn't trusted, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from strategykit.archive.arrow import pa, pq
from strategykit.archive.rows import Rows, check_numbers
from strategykit.archive.stored import plain_rows
from strategykit.disk import shown
from strategykit.errors import TapeError

__all__ = ["open_parquet", "read_parquet", "row_groups"]

_MOST_UNPACKED: Final = 1 << 30
"""Bytes that a group of rows may say that it unpacks to; writers stay far below."""

_MOST_ROWS: Final = 1 << 24
"""In a group: a few bytes can stand for any number of equal rows."""


_DAMAGED: Final = (pa.ArrowException, OSError, ValueError, OverflowError, TypeError, KeyError)
"""What reading a damaged file can raise: names in it that aren't text, among others."""


def open_parquet(path: Path) -> Any:
    """Open a file; give the `pyarrow.parquet.ParquetFile`.

    Raises:
        TapeError: It is no Parquet, cut short, or can't be read.
    """
    try:
        return pq.ParquetFile(path, page_checksum_verification=True)
    except FileNotFoundError as exc:
        raise TapeError(f"{shown(path)}: there is no such file") from exc
    except _DAMAGED as exc:
        raise TapeError(f"{shown(path)} can't be read: {_first_line(exc)}") from exc


def row_groups(path: Path, file: Any, columns: list[str] | None = None) -> Iterator[Any]:
    """Give a file's groups of rows as tables.

    Raises:
        TapeError: One is damaged, or would fill the memory.
    """
    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        where = f"{shown(path)}, row group {number}"
        if group.total_byte_size > _MOST_UNPACKED or group.num_rows > _MOST_ROWS:
            size = f"{group.total_byte_size} bytes, {group.num_rows} rows"
            raise TapeError(f"{where} unpacks to {size}; at most {_MOST_UNPACKED} and {_MOST_ROWS} are taken")
        try:
            yield file.read_row_group(number, columns=columns, use_threads=False)
        except _DAMAGED as exc:
            raise TapeError(f"{where} can't be read: {_first_line(exc)}") from exc


def read_parquet(path: Path, kind: type, rows: int) -> Iterator[Rows]:
    """Give the rows of a file of an archive, which has to have as many as `rows`.

    Raises:
        TapeError: It is damaged, or isn't such a file.
    """
    with open_parquet(path) as file:
        if file.metadata.num_rows != rows:
            raise TapeError(f"{shown(path)} has {file.metadata.num_rows} rows; the manifest says {rows}")
        for number, table in enumerate(row_groups(path, file)):
            found = plain_rows(kind, table, f"{shown(path)}, row group {number}")
            check_numbers(kind, found)
            if len(found):
                yield found


def _first_line(exc: BaseException) -> str:
    return str(exc).partition("\n")[0]
