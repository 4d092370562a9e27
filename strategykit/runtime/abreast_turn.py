"""One run's part in a stretch of events that several runs get: what it does by itself, and when it needn't."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import length_hint
from typing import Any

import attrs

from strategykit.columns.merging import Stretch
from strategykit.runtime.clock import ReplayClock
from strategykit.runtime.column_replay import ByEvent
from strategykit.runtime.courses import delays_market
from strategykit.runtime.driver import Driver
from strategykit.runtime.lanes import Lane
from strategykit.runtime.prices import LastPrices
from strategykit.runtime.turn import Turn
from strategykit.sim.recorded import RecordedMarket

__all__ = ["SharedEvents", "TurnOfOne"]


@attrs.frozen(eq=False)
class SharedEvents:
    """The events of a stretch, built once for all runs."""

    stretch: Stretch
    times: list[int]
    codes: list[int]
    """The part of each; empty where there is one part."""
    events: list[Any]
    guid: str
    """What the first part's events have as theirs."""

    @classmethod
    def build(cls, stretch: Stretch, guids: Sequence[str]) -> SharedEvents:
        """Build them, `guids` being those of the parts."""
        times: list[int] = stretch.times.tolist()
        if stretch.order is None:
            return cls(stretch, times, [], list(stretch.parts[0][1].build(guids[0], times)), guids[0])
        codes: list[int] = stretch.order.tolist()
        rows = [columns.build(guid) for guid, (_, columns) in zip(guids, stretch.parts, strict=True)]
        return cls(stretch, times, codes, list(map(next, map(rows.__getitem__, codes))), guids[0])


class TurnOfOne(ByEvent):
    """A run in one stretch."""

    def __init__(
        self,
        driver: Driver,
        clock: ReplayClock,
        marks: LastPrices,
        lanes: Sequence[Lane],
        *,
        shared: SharedEvents,
        markets: dict[str, RecordedMarket],
    ) -> None:
        Turn.__init__(self, driver, clock, marks, lanes, shared.stretch, shared.times, shared.codes)
        self._all = shared.events
        self._guid = shared.guid
        self._odd = any(self.is_odd(columns) for _, columns in self.parts)
        self.markets = markets
        """Those that this run's exchange shares with others; empty while it goes by its own."""
        self.restless = 0
        """How often it had something to do between two events lately."""

    async def play_between(self, position: int, stop: int) -> None:
        """Have this run alone get the events from `position` up to, but without, `stop`, with all that follows."""
        self.keep_apart()
        if all(lane.over for lane in self.lanes):
            if self._due() <= self.times[stop - 1]:
                await self.driver.advance(self.times[stop - 1])
            self._look(position)
            return
        while position < stop:
            limit = min(await self.ready(position), stop)
            self._ticks = iter(self.times[position:limit])
            self._coded = iter(self.codes[position:limit])
            self._events = iter(self._all[position:limit])
            await self._run(limit - position)
            position = limit - length_hint(self._ticks)
        await self.quiet()

    def may_share(self, position: int, stop: int) -> bool:
        """Whether nothing but its handlers has to see the events up to `stop`."""
        engine = self.engine
        if self._odd or engine.watchers or delays_market(engine) or self._due() <= self.times[stop - 1]:
            return False
        self._look(position)
        return not any(lane.live or lane.over for lane in self.lanes)

    def follow(self, markets: Mapping[str, RecordedMarket]) -> None:
        """Go by what is known already to others of markets that show the same to everyone."""
        for symbol, market in markets.items():
            if self.markets.get(symbol) is not market:
                self.markets[symbol] = market
                self._watch(symbol, market)

    def keep_apart(self) -> None:
        """Go by its own knowledge again: of what others see next, it has seen nothing yet."""
        for symbol, market in self.markets.items():
            self._watch(symbol, market.twin())
        self.markets.clear()

    def known(self) -> dict[str, RecordedMarket]:
        """Give what its exchange knows of the markets of this stretch."""
        paper = self.engine.paper
        symbols = [lane.row.stream.instrument or "" for lane in self.lanes]
        return {} if paper is None else {symbol: paper.markets[symbol] for symbol in symbols if symbol in paper.markets}

    def came(self, position: int) -> None:
        """Account for the events before `position`."""
        self._account(position)

    def look(self, position: int) -> None:
        self._look(position)

    def _watch(self, symbol: str, market: RecordedMarket) -> None:
        paper = self.engine.paper
        assert paper is not None
        paper.watch(symbol, market)
        for lane in self.lanes:
            if lane.row.stream.instrument == symbol and not lane.live and not lane.over:
                lane.watch(market)
