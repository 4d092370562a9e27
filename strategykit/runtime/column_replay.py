"""Replay of columns: events are built a chunk at a time, and given to whoever wants them at their own times.

The order of everything is that of `Driver.replay_events`: deadlines up to an event's time first, then the paper
exchange, then feeds in the order in which they were asked for, then the tasks that it woke.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import length_hint
from typing import Any

import attrs

from strategykit.columns.merging import Stretch
from strategykit.model.events import Event
from strategykit.runtime.clock import ReplayClock
from strategykit.runtime.courses import Way, delays_market
from strategykit.runtime.driver import Driver
from strategykit.runtime.feeds import MARKET
from strategykit.runtime.lanes import Lane, last_priced
from strategykit.runtime.prices import LastPrices

__all__ = ["ColumnReplay"]

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
            await _Turn(self, stretch).play()
            if all(lane.left for lane in self.lanes):
                return


class _Turn:
    """One stretch of events, while it is replayed."""

    def __init__(self, replay: ColumnReplay, stretch: Stretch) -> None:
        self._driver, self._clock = replay.driver, replay.clock
        self._engine = replay.driver.engine
        self._marks = replay.marks
        self._parts = stretch.parts
        self._lanes = [replay.lanes[place] for place, _ in stretch.parts]
        self._odd = any(columns.kind not in MARKET for _, columns in stretch.parts)
        self._times: list[int] = stretch.times.tolist()
        self._ticks = iter(self._times)
        if stretch.order is None:
            self._codes = [0] * 0
            self._events: Iterator[Event] = stretch.parts[0][1].build(self._lanes[0].row.guid, self._times)
        else:
            self._codes = stretch.order.tolist()
            rows = [columns.build(lane.row.guid) for lane, (_, columns) in zip(self._lanes, stretch.parts, strict=True)]
            self._events = map(next, map(rows.__getitem__, self._codes))
        self._coded = iter(self._codes)
        self._told = 0
        """Events that have been accounted for."""
        self._ended: dict[int, int] = {}
        """Parts that nobody wanted any more after so many rows."""

    async def play(self) -> None:
        driver, clock, engine, times = self._driver, self._clock, self._engine, self._times
        count = len(times)
        position = 0
        while position < count:
            if clock.woken or driver.wakes or engine.local:
                await driver.quiet()
            time, due = times[position], self._due()
            if time >= due:
                self._account(position)
                await driver.advance(time)
                due = self._due()
            for lane in self._lanes:
                lane.look()
            self._note_ends(position)
            stop = count if times[-1] < due else bisect_left(times, due, position)
            self._run(stop - position)
            position = count - length_hint(self._ticks)
        if clock.woken or driver.wakes or engine.local:
            await driver.quiet()
        for lane in self._lanes:
            lane.look()
        self._note_ends(count)
        self._account(count)
        self._fold()

    def _due(self) -> int:
        paper = self._engine.paper
        answer = None if paper is None else paper.due()
        return self._clock.due if answer is None else min(self._clock.due, answer)

    def _run(self, most: int) -> None:
        """Give the next events their turn, `most` of them, or until something is to be done before the next."""
        engine = self._engine
        first = self._lanes[0]
        if self._odd or engine.watchers or delays_market(engine):
            _the_long_way(
                islice(zip(self._ticks, self._events, strict=False), most), self._clock, engine.route, engine.local
            )
            return

        def raised(receive: object, error: BaseException) -> None:
            engine.supervisor().raised(receive, error)

        if self._codes:
            coded = islice(zip(self._ticks, self._coded, self._events, strict=False), most)
            _many_lanes(coded, self._lanes, self._clock, engine.failures, raised)
        elif len(first.ways) == 1:
            batch = islice(zip(self._ticks, self._events, strict=False), most)
            _one_way(batch, first.meet, first.ways[0], self._clock, engine.failures, raised)
        else:
            batch = islice(zip(self._ticks, self._events, strict=False), most)
            _many_ways(batch, first.meet, first.ways, self._clock, engine.failures, raised)

    def _rows_of(self, part: int, start: int, stop: int) -> int:
        """Count a part's events between two positions."""
        return self._codes[start:stop].count(part) if self._codes else stop - start

    def _account(self, position: int) -> None:
        """Tell each lane what came since."""
        start, self._told = self._told, position
        if position > start:
            for part, lane in enumerate(self._lanes):
                count = self._rows_of(part, start, position)
                if count and part not in self._ended:
                    lane.came(count, self._times[position - 1])

    def _note_ends(self, position: int) -> None:
        for part, lane in enumerate(self._lanes):
            if lane.left and part not in self._ended:
                self._ended[part] = self._rows_of(part, 0, position)

    def _fold(self) -> None:
        """Take all that was told into the digest and the last prices."""
        newest: list[tuple[int, int, Event]] = []
        for part, (lane, (_, columns)) in enumerate(zip(self._lanes, self._parts, strict=True)):
            told = columns.rows(0, self._ended.get(part, len(columns)))
            if len(told):
                lane.fold(told)
                event = last_priced(told)
                if event is not None:
                    newest.append((event.receive_time, part, event))
        for _, _, event in sorted(newest, key=lambda item: item[:2]):
            self._marks(event)


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
