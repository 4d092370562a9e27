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
    order: NDArray[np.uint8] | None
    """For each event, in order, the part that it is the next row of; None where there is one part only."""

    def __len__(self) -> int:
        return sum(len(columns) for _, columns in self.parts)


def merge(streams: Sequence[Iterable[Columns]]) -> Iterator[Stretch]:
    """Give the events of all streams, oldest first by `receive_time`, a stretch at a time.

    Events of one time come in the order of `streams`, those of one stream in its own. No more than a chunk of each
    stream is held.

    Args:
        streams: At most 255, the columns of each in the order of time.

    Raises:
        ValueError: A stream's time goes back from one of its chunks to the next.
    """
    sources = [_rows(chunks) for chunks in streams]
    heads = [next(source, None) for source in sources]
    while True:
        # The stream whose head ends first: all of it goes out, and of the others what comes before that end.
        ends = [(int(head.times[-1]), place) for place, head in enumerate(heads) if head is not None]
        if not ends:
            return
        end, first = min(ends)
        parts: list[tuple[int, Columns]] = []
        for place, head in enumerate(heads):
            if head is None:
                continue
            # At the end's own moment, those after it in the order wait: its next chunk may begin at that moment, too.
            count = int(np.searchsorted(head.times, end, side="right" if place <= first else "left"))
            if count:
                parts.append((place, head.rows(0, count)))
            heads[place] = next(sources[place], None) if count == len(head) else head.rows(count, len(head))
        yield Stretch(parts, _order([columns.times for _, columns in parts]))


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


def _order(times: list[NDArray[np.int64]]) -> NDArray[np.uint8] | None:
    if len(times) == 1:
        return None
    whose = np.repeat(np.arange(len(times), dtype=np.uint8), [len(part) for part in times])
    return whose[np.argsort(np.concatenate(times), kind="stable")]
