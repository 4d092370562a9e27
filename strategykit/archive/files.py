"""From piles of events to Parquet, a file a day; a file a year where there is little."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
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

_MOST_DAYS: Final = 62
_FEW_ROWS: Final = 2_000
"""A day, on average: with fewer, over more days than `_MOST_DAYS`, there is a file a year."""

_ROWS: Final = 131_072
"""A group, at the most: what is read at a time, and what statistics are kept for."""

_BYTES: Final = 32 << 20
"""A group, in memory, at about: rows of books are long."""


def store(pile: Pile, folder: Path, name: str) -> Iterator[FileEntry]:
    """Store a pile in the folder `name` of `folder`, which is made; give each file once it is whole."""
    (folder / name).mkdir(parents=True)
    layout = Layout.of(pile.needs)
    period = _year if _is_sparse(pile) else _day
    pieces = _Pieces(pile, period)
    while (now := pieces.period()) is not None:
        yield _write(folder, f"{name}/{now[0]}.parquet", layout, _groups(pieces, now))


Period = tuple[str, int]
"""Name of a file, and the nanosecond at which its time is over."""


def _is_sparse(pile: Pile) -> bool:
    """Whether a file a day would be many files of few rows each, as of daily bars."""
    days = (pile.last - pile.first) // DAY + 1
    return days > _MOST_DAYS and pile.needs.rows < _FEW_ROWS * days


def _day(time: int) -> Period:
    day = time // DAY
    return f"{datetime.fromtimestamp(day * 86_400, UTC):%Y-%m-%d}", (day + 1) * DAY


def _year(time: int) -> Period:
    year = datetime.fromtimestamp(time // DAY * 86_400, UTC).year
    return f"{year:04d}", int(datetime(year + 1, 1, 1, tzinfo=UTC).timestamp()) * 10**9


@attrs.define(eq=False)
class _Pieces:
    """Rows of a pile, of one file's time each."""

    pile: Pile
    _period: Callable[[int], Period]
    _rest: Rows | None = None
    _source: Iterator[Rows] = attrs.field(
        init=False, default=attrs.Factory(lambda self: self.pile.read(), takes_self=True)
    )

    def period(self) -> Period | None:
        """Give the one that the next row is in."""
        if self._rest is None:
            self._rest = next(self._source, None)
        return None if self._rest is None else self._period(int(times_of(self._rest)[0]))

    def take(self, now: Period) -> Rows | None:
        """Give the next rows of `now`; None if there are no more."""
        if self.period() != now or self._rest is None:
            return None
        rows = self._rest
        count = int(np.searchsorted(times_of(rows), now[1], side="left"))
        self._rest = rows.slice(count) if count < len(rows) else None
        return rows.slice(0, count)


def _groups(pieces: _Pieces, now: Period) -> Iterator[Any]:
    held: list[Rows] = []
    while (rows := pieces.take(now)) is not None:
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
