"""From piles of events to Parquet, a file a day."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import attrs

from strategykit.archive.arrow import np, pa, pq
from strategykit.archive.manifest import FileEntry, digest_of
from strategykit.archive.piles import Pile
from strategykit.archive.rows import Rows, times_of
from strategykit.archive.stored import Layout

__all__ = ["DAY", "store"]

DAY: Final = 86_400 * 10**9
"""Nanoseconds."""

_ROWS: Final = 131_072
"""A group, at the most: what is read at a time, and what statistics are kept for."""

_BYTES: Final = 32 << 20
"""A group, in memory, at about: rows of books are long."""


def store(pile: Pile, folder: Path, name: str) -> Iterator[FileEntry]:
    """Store a pile in the folder `name` of `folder`, which is made; give each file once it is whole."""
    (folder / name).mkdir(parents=True)
    layout = Layout.of(pile.needs)
    for day, groups in _days(pile):
        yield _write(folder, f"{name}/{day}.parquet", layout, groups)


def _days(pile: Pile) -> Iterator[tuple[str, Iterator[Any]]]:
    """Give the groups of rows of each day. They have to be taken before the next day is asked for."""
    pieces = _Pieces(pile)
    while (day := pieces.day()) is not None:
        yield f"{datetime.fromtimestamp(day * 86_400, UTC):%Y-%m-%d}", _groups(pieces, day)


@attrs.define(eq=False)
class _Pieces:
    """Rows of a pile, of one day each."""

    pile: Pile
    _rest: Rows | None = None
    _source: Iterator[Rows] = attrs.field(init=False, default=attrs.Factory(lambda self: self.pile.read(), True))

    def day(self) -> int | None:
        """Give the day that is next, counted from 1970."""
        if self._rest is None:
            self._rest = next(self._source, None)
        return None if self._rest is None else int(times_of(self._rest)[0]) // DAY

    def take(self, day: int) -> Rows | None:
        """Give the next rows of `day`; None if there are no more."""
        if self.day() != day or self._rest is None:
            return None
        rows = self._rest
        count = int(np.searchsorted(times_of(rows), (day + 1) * DAY, side="left"))
        self._rest = rows.slice(count) if count < len(rows) else None
        return rows.slice(0, count)


def _groups(pieces: _Pieces, day: int) -> Iterator[Any]:
    held: list[Rows] = []
    while (rows := pieces.take(day)) is not None:
        held.append(rows)
        if sum(map(len, held)) >= _ROWS or sum(each.nbytes for each in held) >= _BYTES:
            yield _joined(held)
            held = []
    if held:
        yield _joined(held)


def _joined(held: list[Rows]) -> Rows:
    return pa.Table.from_batches(held).combine_chunks().to_batches()[0]


def _write(folder: Path, name: str, layout: Layout, groups: Iterator[Rows]) -> FileEntry:
    path = folder / name
    count, first, last = 0, 0, 0
    with ExitStack() as stack:
        file = stack.enter_context(path.open("xb"))
        writer: Any = None
        for rows in groups:
            table = layout.store(rows)
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(file, layout.schema, **layout.options(table)))
                first = int(times_of(rows)[0])
            writer.write_table(table, row_group_size=len(table))
            count += len(table)
            last = int(times_of(rows)[-1])
        writer.close()
        file.flush()
        os.fsync(file.fileno())
    return FileEntry(path=name, rows=count, first=first, last=last, bytes=path.stat().st_size, sha256=digest_of(path))
