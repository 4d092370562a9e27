"""Replay of columns: events are built a chunk at a time, and given to whoever wants them at their own times.

The order of everything is that of `Driver.replay_events`: deadlines up to an event's time first, then the paper
exchange, then feeds in the order in which they were asked for, then the tasks that it woke.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import itemgetter, length_hint
from typing import Any, Final

import attrs

from strategykit.columns.merging import Stretch
from strategykit.model.events import Event
from strategykit.runtime.batch_replay import ByPiece
from strategykit.runtime.clock import ReplayClock
from strategykit.runtime.courses import NOWHERE, Show, delays_market
from strategykit.runtime.driver import Driver
from strategykit.runtime.hot_loops import give_lanes, give_long, give_one, give_ways
from strategykit.runtime.lanes import Lane
from strategykit.runtime.prices import LastPrices
from strategykit.runtime.turn import Turn

__all__ = ["ByEvent", "ColumnReplay"]

_EVENT: Final = itemgetter(1)


@attrs.define(eq=False, kw_only=True)
class ColumnReplay:
    """Moves one run through columns."""

    driver: Driver
    clock: ReplayClock
    lanes: Sequence[Lane]
    """In the order of the streams that are merged."""
    marks: LastPrices
    """Gets the last price of each instrument."""

    async def replay(self, stretches: Iterable[Stretch]) -> None:
        """Give all events their turn. An event that wakes nobody costs no checkpoint."""
        await self.driver.quiet()
        for lane in self.lanes:
            lane.look()
        for stretch in stretches:
            batches = any(self.lanes[place].batchers for place, _ in stretch.parts)
            turn = (ByPiece if batches else ByEvent)(self.driver, self.clock, self.marks, self.lanes, stretch)
            await turn.play()
            if all(lane.left for lane in self.lanes):
                return


class ByEvent(Turn):
    """Each event by itself."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._odd = any(self.is_odd(columns) for _, columns in self.parts)
        self._guid = self.lanes[0].row.guid
        """What the first part's events have as theirs."""
        self._ticks = iter(self.times)
        self._coded = iter(self.codes)
        if self.order is None:
            self._events: Iterator[Event] = self.parts[0][1].build(self.lanes[0].row.guid, self.times)
        else:
            rows = [columns.build(lane.row.guid) for lane, (_, columns) in zip(self.lanes, self.parts, strict=True)]
            self._events = map(next, map(rows.__getitem__, self.codes))

    async def play(self) -> None:
        while left := length_hint(self._ticks):
            position = len(self.times) - left
            await self._run(await self.ready(position) - position)
        await self.end()

    async def _run(self, most: int) -> None:
        """Give the next events their turn, `most` of them, or until something is to be done before the next."""
        engine, clock, first, failures = self.engine, self.clock, self.lanes[0], self.engine.failures
        if self.codes:
            coded = islice(zip(self._ticks, self._coded, self._events, strict=False), most)
            if self._odd or engine.watchers or delays_market(engine):
                give_long(((time, event) for time, _, event in coded), clock, engine.route, engine.local)
            else:
                lanes = [(*self._shown(part), lane.ways) for part, lane in enumerate(self.lanes)]
                give_lanes(coded, lanes, clock, failures, self.raised, self.settled)
            return
        batch = islice(zip(self._ticks, self._events, strict=False), most)
        if self._odd or engine.watchers or delays_market(engine):
            give_long(batch, clock, engine.route, engine.local)
        elif len(first.ways) == 1:
            give_one(batch, self._shown(0), first.ways[0], clock, failures, self.raised, self.settled)
            if self.driver.wakes and self.parts[0][1].came is None:
                pump = first.open_pump(map(_EVENT, batch), guid=self._guid, kind=self.parts[0][1].kind)
                await self.driver.quiet(pumping=pump is not None)
                if pump is not None:
                    left = pump.close()
                    assert left is None, f"{left!r} isn't of the one stream that there is"
        else:
            give_ways(batch, self._shown(0), first.ways, clock, failures, self.raised, self.settled)

    def _shown(self, part: int) -> Show:
        """Give how the exchange learns of a part's events."""
        lane = self.lanes[part]
        newest = lane.newest(self.parts[part][1].kind)
        return (NOWHERE, lane.meet) if newest is None else (newest, None)
