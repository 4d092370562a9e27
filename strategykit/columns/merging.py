"""Several streams as one, by the time at which their events came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from strategykit.columns.columns import CHUNK, Columns

__all__ = ["Stretch", "merge"]


@attrs.frozen(eq=False)
class Stretch:
    """Consecutive events of several streams: the rows of each, and whose turn is when."""

    parts: Sequence[tuple[int, Columns]]
    """Place of the stream among those that were merged, and its rows; no part is empty."""
    times: NDArray[np.int64]
    """When each event came, in order."""
    order: NDArray[np.intp] | None
    """For each event, in order, the part that it is the next row of; None where there is one part only."""

    def __len__(self) -> int:
        return len(self.times)


def merge(streams: Sequence[Iterable[Columns]]) -> Iterator[Stretch]:
    """Give the events of all streams, oldest first by `receive_time`, a stretch at a time.

    Events of one time come in the order of their `ties`, where there are any; then in the order of `streams`, and
    those of one stream in its own. No more than a chunk of each stream is held.

    Args:
        streams: The columns of each, in the order of time.

    Raises:
        ValueError: A stream's time goes back from one of its chunks to the next.
    """
    heads = [_Head(_rows(chunks)) for chunks in streams]
    while True:
        live = [(place, head) for place, head in enumerate(heads) if head.rows is not None]
        if len(live) < 2:
            for place, head in live:
                yield from (_stretch([(place, rows)]) for rows in head.rest())
            return
        # The stream whose head ends first: what comes before that end goes out. At the end's own moment all heads
        # may have events, and the chunks after them, too.
        end = min(head.end for _, head in live)
        for side in ("left", "right"):
            parts = [(place, rows) for place, head in live for rows in head.take(end, right=side == "right")]
            if parts:
                yield _stretch(parts)


class _Head:
    """What comes next of one stream."""

    def __init__(self, source: Iterator[Columns]) -> None:
        self._source = source
        self.rows = next(source, None)

    @property
    def end(self) -> int:
        assert self.rows is not None
        return int(self.rows.times[-1])

    def take(self, end: int, *, right: bool) -> Iterator[Columns]:
        """Take out the rows before `end`; `right`: up to it, however many chunks that are."""
        while self.rows is not None:
            rows = self.rows
            count = int(np.searchsorted(rows.times, end, side="right" if right else "left"))
            if count:
                yield rows.rows(0, count)
            if count < len(rows):
                self.rows = rows.rows(count, len(rows)) if count else rows
                return
            self.rows = next(self._source, None)

    def rest(self) -> Iterator[Columns]:
        while self.rows is not None:
            yield self.rows
            self.rows = next(self._source, None)


def _rows(chunks: Iterable[Columns]) -> Iterator[Columns]:
    """Give columns of 8,192 rows at most, none of them empty, after a look that time doesn't go back between them."""
    last: int | None = None
    for columns in chunks:
        if not len(columns):
            continue
        if last is not None and int(columns.times[0]) < last:
            raise ValueError(
                f"{columns.stream.label}: a chunk begins at {int(columns.times[0])}, before the end of the one above "
                f"it, {last}"
            )
        last = int(columns.times[-1])
        for start in range(0, len(columns), CHUNK):
            yield columns if len(columns) <= CHUNK else columns.rows(start, min(start + CHUNK, len(columns)))


def _stretch(parts: list[tuple[int, Columns]]) -> Stretch:
    if len(parts) == 1:
        return Stretch(parts, parts[0][1].times, None)
    whose = np.repeat(np.arange(len(parts)), [len(columns) for _, columns in parts])
    times = np.concatenate([columns.times for _, columns in parts])
    if all(columns.ties is None for _, columns in parts):
        order = np.argsort(times, kind="stable")
    else:
        nothing = np.zeros(len(times), dtype=np.int32)
        ties = [nothing[: len(columns)] if columns.ties is None else columns.ties for _, columns in parts]
        order = np.lexsort((np.concatenate(ties), times))
    return Stretch(parts, times[order], whose[order])
