"""One stretch of columns that is being replayed: what comes before each event, and what is accounted for."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from strategykit.columns.columns import Columns
from strategykit.columns.merging import Stretch
from strategykit.model.events import Event, Fill, OrderUpdate
from strategykit.runtime.clock import ReplayClock
from strategykit.runtime.driver import Driver
from strategykit.runtime.feeds import MARKET
from strategykit.runtime.lanes import Lane, last_priced
from strategykit.runtime.prices import LastPrices

__all__ = ["Turn"]


class Turn:
    """One stretch of events, while it is replayed, and what all ways of doing that have in common."""

    def __init__(
        self,
        driver: Driver,
        clock: ReplayClock,
        marks: LastPrices,
        lanes: Sequence[Lane],
        stretch: Stretch,
        times: list[int] | None = None,
        codes: list[int] | None = None,
    ) -> None:
        self.driver, self.clock, self.engine = driver, clock, driver.engine
        self.parts = stretch.parts
        self.lanes = [lanes[place] for place, _ in stretch.parts]
        """Of each part."""
        self.times: list[int] = stretch.times.tolist() if times is None else times
        self.order = stretch.order
        self.codes: list[int] = codes or ([] if stretch.order is None else stretch.order.tolist())
        """The part of each event; empty where there is one part."""
        self._marks = marks
        self._until = 0
        """What is due next, as of the last look: events before that may follow each other without another."""
        self._told = 0
        """Events that have been accounted for."""
        self._ended: dict[int, int] = {}
        """Parts that nobody wanted any more after so many rows."""

    async def quiet(self) -> None:
        if self.clock.woken or self.driver.wakes or self.engine.local:
            await self.driver.quiet()

    async def ready(self, position: int) -> int:
        """Have all happen that comes before the event at `position`; give how far the next ones may go on."""
        if self.clock.woken or self.engine.local or self.driver.wakes:
            await self.driver.quiet()
        times, due = self.times, self._due()
        if times[position] >= due:
            self._look(position)
            self._account(position)
            await self.driver.advance(times[position])
            due = self._due()
        self._look(position)
        self._until = due
        return len(times) if times[-1] < due else bisect_left(times, due, position)

    def settled(self) -> bool:
        """Do all that follows from the last event, if no task has to; say whether the next may follow at once.

        Most orders end so: their news are told to handlers, and who gets the next event, and how, is as it was.
        """
        clock, engine, wakes = self.clock, self.engine, self.driver.wakes
        local = engine.local
        while not (wakes.queue or wakes.batches or clock.moved or clock.runnable):
            if local:
                thing = local.popleft()
                if type(thing) is OrderUpdate or type(thing) is Fill:  # As `take` does: nearly all are.
                    engine.route(thing)
                else:
                    engine.take(thing, clock.reading, "")
                continue
            if clock.due <= clock.reading or self._due() < self._until:
                return False
            clock.woken = False
            return not self._changes()
        return False

    def _changes(self) -> bool:
        """Look who gets the next events; say whether anything is different."""
        changed = False
        for lane in self.lanes:
            ways, meet, left = lane.ways, lane.meet, lane.left
            lane.look()
            if lane.ways is not ways or lane.left is not left or (lane.meet is not meet and lane.meet != meet):
                changed = True
        return changed

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
            elif not lane.wanted and len(columns):  # Only the exchange gets it; open positions are valued by it, too.
                lane.came(len(columns), int(columns.times[-1]))
                told = columns
            event = last_priced(told) if len(told) else None
            if event is not None:
                newest.append((event.receive_time, self._last_of(part), event))
        for _, _, event in sorted(newest, key=lambda item: item[:2]):
            self._marks(event)

    def is_odd(self, columns: Columns) -> bool:
        """Whether these aren't market data alone: the engine knows what to do with them."""
        return columns.kind not in MARKET

    def raised(self, receive: object, error: BaseException) -> None:
        self.engine.supervisor().raised(receive, error)

    def _due(self) -> int:
        paper = self.engine.paper
        return self.clock.due if paper is None else min(self.clock.due, paper.agenda.next)

    def _look(self, position: int) -> None:
        for part, lane in enumerate(self.lanes):
            lane.look()
            if lane.left and part not in self._ended:
                self._ended[part] = self._rows_of(part, 0, position)
                count = self._rows_of(part, self._told, position)
                if count:
                    lane.came(count, self.times[position - 1])

    def _rows_of(self, part: int, start: int, stop: int) -> int:
        """Count a part's events between two positions."""
        return self.codes[start:stop].count(part) if self.codes else stop - start

    def _last_of(self, part: int) -> int:
        """Give the position of a part's last event."""
        return len(self.codes) - self.codes[::-1].index(part) if self.codes else 0

    def _account(self, position: int) -> None:
        """Tell each lane what came since."""
        start, self._told = self._told, position
        if position > start:
            for part, lane in enumerate(self.lanes):
                count = self._rows_of(part, start, position)
                if count and part not in self._ended:
                    lane.came(count, self.times[position - 1])
