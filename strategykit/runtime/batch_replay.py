"""A stretch of columns that batch handlers want: they get the columns, and no event is built for them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from strategykit.columns.columns import Columns
from strategykit.model.events import Event
from strategykit.runtime.courses import delays_market
from strategykit.runtime.lanes import Lane
from strategykit.runtime.turn import Turn

__all__ = ["ByPiece"]


class ByPiece(Turn):
    """Consecutive events of one stream at a time. Where an order lives, the exchange sees each event by itself, and a
    batch ends at news of it; while none does, the last one tells it all.
    """

    _taken: list[int]
    """Rows that were given, of each part."""

    async def play(self) -> None:
        self._taken = [0] * len(self.parts)
        for part, start, stop in self._pieces():
            position = start
            while position < stop:
                limit = min(await self.ready(position), stop)
                position += self._give(part, position, limit)
        await self.end()

    def _pieces(self) -> Iterator[tuple[int, int, int]]:
        """Give part, beginning and end of each run of events of one part that strategies want.

        What comes in between for the exchange alone belongs to the run.
        """
        if self.order is None:
            yield 0, 0, len(self.times)
            return
        wanted = np.array([not lane.left for lane in self.lanes])
        places = np.flatnonzero(wanted[self.order])
        if not len(places):
            yield self.codes[0], 0, len(self.times)
            return
        parts = self.order[places]
        first = np.flatnonzero(np.diff(parts, prepend=-1))
        starts = [0, *places[first[1:]].tolist()]
        yield from zip(parts[first].tolist(), starts, [*starts[1:], len(self.times)], strict=True)

    def _give(self, part: int, position: int, limit: int) -> int:
        """Give a lane its events, until something is to be done before the next; say how many were passed."""
        engine, clock, lane = self.engine, self.clock, self.lanes[part]
        watched = bool(engine.watchers) or delays_market(engine)
        batches = bool(lane.batchers) and not watched and not self.is_odd(self.parts[part][1])
        alone = self.order is None or bool((self.order[position:limit] == part).all())
        first = self._taken[part]
        if batches and alone and not lane.live:
            mine = self.parts[part][1].rows(first, first + limit - position)
            if self._needs_only_last(mine):
                self._taken[part] += len(mine)
                self._hand(lane, mine)
                return len(mine)
        codes = self.codes[position:limit] or [part] * (limit - position)
        counts = {code: codes.count(code) for code in dict.fromkeys(codes)}
        rows = {code: self.parts[code][1].rows(self._taken[code], self._taken[code] + n) for code, n in counts.items()}
        built = {code: each.build(self.lanes[code].row.guid) for code, each in rows.items()}
        passed = 0
        for code, time in zip(codes, self.times[position:limit], strict=True):
            event = next(built[code])
            clock.reading = time
            if watched or self.is_odd(rows[code]):
                engine.route(event)
            elif batches and code == part:
                lane.meet(event)
            else:
                self.lanes[code].give(event)
            passed += 1
            if clock.woken or engine.local:
                break
        for code in counts:
            self._taken[code] += codes[:passed].count(code)
        if batches and self._taken[part] > first:
            self._hand(lane, self.parts[part][1].rows(first, self._taken[part]), noted=True)
        return passed

    def _needs_only_last(self, rows: Columns) -> bool:
        """Whether the exchange knows all that it needs from the last of these, while no order lives."""
        return rows.arrays.get("snapshot") is False

    def _hand(self, lane: Lane, rows: Columns, *, noted: bool = False) -> None:
        """Hand a batch over."""
        last: Event = next(rows.rows(len(rows) - 1, len(rows)).build(lane.row.guid))
        self.clock.reading = max(self.clock.reading, int(rows.times[-1]))
        if not noted:
            lane.meet(last)
        for (sink, _, _), batcher in zip(lane.ways, lane.batchers, strict=True):
            sink.last = last
            batcher.hand(rows, lane.row.guid)
