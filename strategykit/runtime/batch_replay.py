"""A stretch of columns that batch handlers want: they get the columns, and no event is built for them."""

from __future__ import annotations

from collections.abc import Iterator
from operator import length_hint

import numpy as np

from strategykit.columns.columns import Columns
from strategykit.model.events import Event
from strategykit.runtime.courses import delays_market
from strategykit.runtime.hot_loops import give_long, give_ways
from strategykit.runtime.lanes import Lane
from strategykit.runtime.turn import Turn

__all__ = ["ByPiece"]


class ByPiece(Turn):
    """Consecutive events of one stream at a time."""

    async def play(self) -> None:
        taken = [0] * len(self.parts)
        for part, start, stop in self._pieces():
            position = start
            while position < stop:
                limit = min(await self.ready(position), stop)
                first = taken[part]
                rows = self.parts[part][1].rows(first, first + limit - position)
                count = self._give(self.lanes[part], rows)
                position += count
                taken[part] += count
        await self.end()

    def _pieces(self) -> Iterator[tuple[int, int, int]]:
        """Give part, beginning and end of each run of events of one part."""
        if self.order is None:
            yield 0, 0, len(self.times)
            return
        starts = [0, *(np.flatnonzero(np.diff(self.order)) + 1).tolist()]
        for start, stop in zip(starts, [*starts[1:], len(self.times)], strict=True):
            yield self.codes[start], start, stop

    def _give(self, lane: Lane, rows: Columns) -> int:
        """Give a lane its events, until something is to be done before the next; say how many they were."""
        engine, clock = self.engine, self.clock
        watched = engine.watchers or delays_market(engine)
        if lane.batchers and not watched:
            return self._hand(lane, rows)
        times = rows.times.tolist()
        ticks = iter(times)
        batch = zip(ticks, rows.build(lane.row.guid, times), strict=False)
        if watched or self.is_odd(rows):
            give_long(batch, clock, engine.route, engine.local)
        else:
            give_ways(batch, lane.meet, lane.ways, clock, engine.failures, self.raised)
        return len(times) - length_hint(ticks)

    def _hand(self, lane: Lane, rows: Columns) -> int:
        """Hand a batch over. Where an order lives, the exchange sees each event, and the batch ends at news of it."""
        clock, count = self.clock, len(rows)
        last: Event | None = None
        if lane.live or rows.arrays.get("snapshot") is not False:
            count = 0
            for event in rows.build(lane.row.guid):
                clock.reading = event.receive_time
                lane.meet(event)
                count, last = count + 1, event
                if clock.woken:
                    break
            rows = rows.rows(0, count)
        else:  # While none lives, the exchange needs but the last one.
            last = next(rows.rows(count - 1, count).build(lane.row.guid))
            lane.meet(last)
        clock.reading = int(rows.times[-1])
        for (sink, _, _), batcher in zip(lane.ways, lane.batchers, strict=True):
            sink.last = last
            batcher.hand(rows, lane.row.guid)
        return count
