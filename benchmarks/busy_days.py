"""Archives of as many trades as one likes, made quickly: the same minutes again and again, each time later.

The archive's own writer takes events one by one, and packs them as tightly as it can: some minutes for 20 million.
Here NumPy makes groups of rows, as large as the writer's, and they are packed less. A reader does the same with both.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.peers.course import FIRST, SYMBOL, Trades, make_trades
from strategykit.archive.files import DAY
from strategykit.archive.manifest import MANIFEST, FileEntry, Manifest, Source, StreamEntry, digest_of, named
from strategykit.archive.rows import Needs, plain_schema
from strategykit.archive.stored import Layout
from strategykit.model.events import Trade
from strategykit.model.instruments import Instrument
from strategykit.venues.streams import Stream, StreamKind

__all__ = ["write_archive"]

GROUP: Final = 131_072
"""Rows of a group, as the writer has them."""

GROUPS: Final = 40
"""Of a day: some five million trades."""

_MIDNIGHT: Final = FIRST // DAY * DAY


def write_archive(folder: Path, count: int) -> int:
    """Write an archive of `count` trades, or up to a group more; give how many."""
    part = make_trades(min(GROUP, count))
    groups, stream = -(-count // len(part.times)), Stream(kind=StreamKind.TRADES, instrument=SYMBOL)
    layout, files = Layout.of(_needs(part)), list[FileEntry]()
    for first in range(0, groups, GROUPS):
        files.append(_write(folder, named([stream])[0], layout, part, range(first, min(first + GROUPS, groups))))
    manifest = Manifest(
        strategykit_version="",
        source=Source(format="made", names=["made"]),
        venue="alor",
        clock_origin=files[0].first,
        first=files[0].first,
        last=files[-1].last,
        instruments=[Instrument(SYMBOL)],
        streams=[StreamEntry(stream=stream, guid="trades", files={Trade.__name__: files})],
    )
    (folder / MANIFEST).write_bytes(manifest.encode())
    return groups * len(part.times)


def _needs(part: Trades) -> Needs:
    needs = Needs(Trade)
    for number in (0, 1):  # Other groups need no more digits than these.
        needs.see(_rows(part, number))
    return needs


def _rows(part: Trades, number: int) -> Any:
    """Give the group of that number."""
    begin = _MIDNIGHT + number // GROUPS * DAY + number % GROUPS * (DAY // GROUPS)
    times = part.times - FIRST + begin
    known = {
        "price": part.prices,
        "quantity": part.quantities.astype(np.float64),
        "side": np.where(part.buys, 1, -1).astype(np.int8),
        "trade_id": np.arange(len(times)) + number * len(times),
        "event_time": times,
        "receive_time": times,
        "snapshot": np.zeros(len(times), dtype=np.bool_),
        "tie": np.zeros(len(times), dtype=np.int32),
    }
    schema = plain_schema(Trade)
    arrays = [pa.array(known[item.name]) if item.name in known else pa.nulls(len(times), item.type) for item in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _write(folder: Path, name: str, layout: Layout, part: Trades, numbers: range) -> FileEntry:
    """Write one day."""
    tables = _tables(layout, part, numbers)
    head, times = next(tables)
    day = datetime.fromtimestamp(times[0] // 10**9, UTC)
    path = folder / name / Trade.__name__ / f"{day:%Y-%m-%d}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {**layout.options(head), "compression_level": 1}
    last = times[-1]
    with pq.ParquetWriter(path, layout.schema, **options) as writer:
        writer.write_table(head, row_group_size=len(head))
        for table, others in tables:
            writer.write_table(table, row_group_size=len(table))
            last = others[-1]
    return FileEntry(
        path=path.relative_to(folder).as_posix(),
        rows=len(numbers) * len(part.times),
        first=int(times[0]),
        last=int(last),
        bytes=path.stat().st_size,
        sha256=digest_of(path),
    )


def _tables(layout: Layout, part: Trades, numbers: range) -> Iterator[tuple[Any, Any]]:
    """Give groups as they are stored, and their times."""
    for number in numbers:
        rows = _rows(part, number)
        yield layout.store(rows), rows.column("receive_time").to_numpy()
