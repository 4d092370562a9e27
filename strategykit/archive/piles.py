"""Events on their way into an archive: in memory first, then in a plain file for each stream and class."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from strategykit.archive.arrow import ipc, pa
from strategykit.archive.rows import Needs, Rows, plain_schema, rows_of
from strategykit.model.events import Event

__all__ = ["NO_TIME", "Pile"]

NO_TIME: Final = -(1 << 63)
"""Before all times."""


@attrs.define(eq=False)
class Pile:
    """The events of one class and one stream."""

    stream: int
    """Number of the stream."""
    needs: Needs
    """What those on the disk need."""
    path: Path
    events: list[Event] = attrs.field(factory=list)
    """Those in memory."""
    times: list[int] = attrs.field(factory=list)
    """When these came."""
    ties: list[int] = attrs.field(factory=list)
    first: int = NO_TIME
    """When the oldest of all came."""
    last: int = NO_TIME
    """When the newest did."""

    def put(self, event: Event, time: int, tie: int) -> int:
        """Take the next one; give how many are in memory now."""
        self.events.append(event)
        self.times.append(time)
        self.ties.append(tie)
        self.first = time if self.first == NO_TIME else self.first
        self.last = time
        return len(self.times)

    def spill(self) -> int:
        """Put what is in memory on the disk; give how many events that were.

        Raises:
            TapeError: One can't be kept.
        """
        count = len(self.events)
        if count:
            rows = rows_of(self.needs.kind, self.events, self.times, self.ties)
            self.needs.see(rows)
            with self.path.open("ab") as file:
                file.write(rows.serialize())
            self.events, self.times, self.ties = [], [], []
        return count

    def read(self) -> Iterator[Rows]:
        """Give all that is on the disk, oldest first, piece by piece."""
        schema = plain_schema(self.needs.kind)
        with pa.memory_map(str(self.path)) as file:
            size = file.size()
            while file.tell() < size:
                yield ipc.read_record_batch(ipc.read_message(file), schema)
