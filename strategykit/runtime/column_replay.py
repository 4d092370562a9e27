"""Replay of columns: events are built a chunk at a time, and given to whoever wants them at their own times.

The order of everything is that of `Driver.replay_events`: deadlines up to an event's time first, then the paper
exchange, then feeds in the order in which they were asked for, then the tasks that it woke.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import itemgetter, length_hint
from typing import Any, Final

import attrs

from strategykit.columns.merging import Stretch
from strategykit.model.events import Event
from strategykit.runtime.clock import NEVER, ReplayClock
from strategykit.runtime.courses import Way, delays_market
from strategykit.runtime.driver import Driver
from strategykit.runtime.feeds import MARKET
from strategykit.runtime.lanes import Lane, last_priced
from strategykit.runtime.prices import LastPrices

__all__ = ["ColumnReplay", "Turn"]

_EVENT: Final = itemgetter(1)

Raised = Callable[[object, BaseException], None]


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
        for stretch in stretches:
            await _ByEvent(self.driver, self.clock, self.marks, self.lanes, stretch).play()
            if all(lane.left for lane in self.lanes):
                return


class Turn:
    """One stretch of events, while it is replayed, and what all ways of doing that have in common."""

    def __init__(self, driver: Driver, clock: ReplayClock, marks: LastPrices, lanes: Sequence[Lane], stretch: Stretch):
        self.driver, self.clock, self.engine = driver, clock, driver.engine
        self.parts = stretch.parts
        self.lanes = [lanes[place] for place, _ in stretch.parts]
        """Of each part."""
        self.times: list[int] = stretch.times.tolist()
        self.order = stretch.order
        self.codes: list[int] = [] if stretch.order is None else stretch.order.tolist()
        """The part of each event; empty where there is one part."""
        self._marks = marks
        self._told = 0
        """Events that have been accounted for."""
        self._ended: dict[int, int] = {}
        """Parts that nobody wanted any more after so many rows."""

    async def quiet(self) -> None:
        if self.clock.woken or self.driver.wakes or self.engine.local:
            await self.driver.quiet()

    async def ready(self, position: int) -> int:
        """Have all happen that comes before the event at `position`; give how far the next ones may go on."""
        await self.quiet()
        times, due = self.times, self._due()
        if times[position] >= due:
            self._account(position)
            await self.driver.advance(times[position])
            due = self._due()
        self._look(position)
        return len(times) if times[-1] < due else bisect_left(times, due, position)

    async def end(self) -> None:
        """Account for all of it."""
        await self.quiet()
        self._look(len(self.times))
        self._account(len(self.times))
        newest: list[tuple[int, int, Event]] = []
        for part, (lane, (_, columns)) in enumerate(zip(self.lanes, self.parts, strict=True)):
            told = columns.rows(0, self._ended.get(part, len(columns)))
            if len(told):
                lane.fold(told)
                event = last_priced(told)
                if event is not None:
                    newest.append((event.receive_time, part, event))
        for _, _, event in sorted(newest, key=lambda item: item[:2]):
            self._marks(event)

    def raised(self, receive: object, error: BaseException) -> None:
        self.engine.supervisor().raised(receive, error)

    def _due(self) -> int:
        paper = self.engine.paper
        answer = None if paper is None else paper.due()
        return self.clock.due if answer is None else min(self.clock.due, answer)

    def _look(self, position: int) -> None:
        for part, lane in enumerate(self.lanes):
            lane.look()
            if lane.left and part not in self._ended:
                self._ended[part] = self._rows_of(part, 0, position)

    def _rows_of(self, part: int, start: int, stop: int) -> int:
        """Count a part's events between two positions."""
        return self.codes[start:stop].count(part) if self.codes else stop - start

    def _account(self, position: int) -> None:
        """Tell each lane what came since."""
        start, self._told = self._told, position
        if position > start:
            for part, lane in enumerate(self.lanes):
                count = self._rows_of(part, start, position)
                if count and part not in self._ended:
                    lane.came(count, self.times[position - 1])


class _ByEvent(Turn):
    """Each event by itself."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._odd = any(columns.kind not in MARKET for _, columns in self.parts)
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
                _the_long_way(((time, event) for time, _, event in coded), clock, engine.route, engine.local)
            else:
                _many_lanes(coded, self.lanes, clock, failures, self.raised)
            return
        batch = islice(zip(self._ticks, self._events, strict=False), most)
        if self._odd or engine.watchers or delays_market(engine):
            _the_long_way(batch, clock, engine.route, engine.local)
        elif len(first.ways) == 1:
            _one_way(batch, first.meet, first.ways[0], clock, failures, self.raised)
            if self.driver.wakes:
                events, kind = map(_EVENT, batch), self.parts[0][1].kind
                with first.pumping(clock, events, kind=kind, due=NEVER) as pump:
                    await self.driver.quiet(pumping=pump is not None)
        else:
            _many_ways(batch, first.meet, first.ways, clock, failures, self.raised)


# The hot loops. Each returns as soon as the clock is poked, or a task woken: something comes before the next event.
# A `try` costs nothing where nothing is raised.


def _one_way(
    batch: Iterator[tuple[int, Any]],
    meet: Callable[[Any], object],
    way: Way,
    clock: ReplayClock,
    failures: tuple[type[BaseException], ...],
    raised: Raised,
) -> None:
    sink, call, feed = way
    for time, event in batch:
        clock.reading = time
        meet(event)
        sink.last = event
        try:
            call(event)
        except failures as exc:  # A strategy's boundary: whatever it raises stops it alone.
            raised(feed, exc)
        if clock.woken:
            return


def _many_ways(
    batch: Iterator[tuple[int, Any]],
    meet: Callable[[Any], object],
    ways: Sequence[Way],
    clock: ReplayClock,
    failures: tuple[type[BaseException], ...],
    raised: Raised,
) -> None:
    for time, event in batch:
        clock.reading = time
        meet(event)
        for sink, call, feed in ways:
            sink.last = event
            try:
                call(event)
            except failures as exc:  # As above.
                raised(feed, exc)
        if clock.woken:
            return


def _many_lanes(
    batch: Iterator[tuple[int, int, Any]],
    lanes: Sequence[Lane],
    clock: ReplayClock,
    failures: tuple[type[BaseException], ...],
    raised: Raised,
) -> None:
    for time, code, event in batch:
        lane = lanes[code]
        clock.reading = time
        lane.meet(event)
        for sink, call, feed in lane.ways:
            sink.last = event
            try:
                call(event)
            except failures as exc:  # As above.
                raised(feed, exc)
        if clock.woken:
            return


def _the_long_way(
    batch: Iterator[tuple[int, Any]], clock: ReplayClock, route: Callable[[Any], None], local: Sequence[Any]
) -> None:
    """Events that aren't market data alone, or that a model holds back: the engine knows what to do."""
    for time, event in batch:
        clock.reading = time
        route(event)
        if clock.woken or local:
            return
