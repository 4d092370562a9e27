"""Limits inside a run: where their prices come from, who turns their days, and who looks while nobody trades."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from math import inf, isfinite
from typing import Any, Final

import attrs
import trio

from strategykit.runtime.carried import Carried
from strategykit.runtime.clock import RunClock
from strategykit.runtime.feeds import BookFeed, Feed
from strategykit.runtime.prices import LastPrices
from strategykit.runtime.risk import Risk
from strategykit.sim.paper import PaperExchange
from strategykit.sim.recorded import exact

__all__ = ["LossWatch", "Marks", "hold_carried", "keep_days"]

_SECOND: Final = 1_000_000_000

_PAUSES: Final = (
    (Decimal("0.001"), 10 * _SECOND),
    (Decimal("0.01"), 60 * _SECOND),
    (Decimal("0.1"), 600 * _SECOND),
    (Decimal(1), 14_400 * _SECOND),
)
"""What part of its worth what is held has to lose for the limit to be met, at the most, and the nanoseconds until a
replay looks again: each look leaves its hot loop, and costs as much there as hundreds of events."""

_LONGEST: Final = 86_400 * _SECOND
"""Where it has to lose more than all that it is worth."""

_AFTER_A_FILL: Final = 600 * _SECOND
"""In a replay, at the latest: what is held has changed, and with it how near the limit is."""


@attrs.frozen(eq=False, kw_only=True)
class Marks:
    """Gives last prices when asked; nothing is done at an event that isn't done anyway.

    First comes what no strategy can write: the paper exchange, and what watches the run. Where both know nothing,
    because there has been no event yet or the stream is one of changes to a book, the strategies' own streams tell.
    """

    watched: LastPrices
    paper: Callable[[], PaperExchange | None]
    feeds: Callable[[str], Iterable[Feed[Any]]]
    """Gives every strategy's streams of an instrument."""

    def __call__(self, symbol: str) -> Decimal | None:
        paper = self.paper()
        market = None if paper is None else paper.markets.get(symbol)
        mark = None if market is None else market.mark
        if mark is not None:
            return mark
        price = self.watched.told.get(symbol)
        if price is None:
            price = next((found for found in map(_price_in, self.feeds(symbol)) if found is not None), None)
        if price is None:
            price = self.watched.middles.get(symbol)
        return None if price is None or not isfinite(price) else exact(price)


def _price_in(feed: Feed[Any]) -> float | None:
    if isinstance(feed, BookFeed):
        return feed.mid
    seen = LastPrices()
    if feed.last is not None:  # History, too: strategies decide by it before the first live event.
        seen(feed.last)
    return next(iter(seen.told.values()), None)


async def keep_days(risk: Risk, clock: RunClock) -> None:
    """Begin each day of the limits when it begins, with the prices of that moment, until cancelled."""
    end = risk.begin_day(clock.reading)
    while True:
        await trio.sleep_until(clock.time_at(end))
        # Deadlines are floats: one that lies far ahead may be met some nanoseconds too early.
        end = risk.begin_day(max(end, clock.reading))


@attrs.define(eq=False, kw_only=True)
class LossWatch:
    """Judges the day's loss while something is held, though nobody places an order: prices alone may go too far."""

    risk: Risk
    clock: RunClock
    closely: bool
    """Whether to look once a second: where money can be lost, and in re-runs of that. Else as near as the limit is."""
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)

    def traded(self) -> None:
        """A fill has left something to be held: look soon."""
        due = self.clock.time_at(self.clock.reading + (_SECOND if self.closely else _AFTER_A_FILL))
        if due < self._scope.deadline:
            self._scope.deadline = due
            self.clock.deadline_moved()

    async def keep(self) -> None:
        """Look, until cancelled; while nothing is held, only `traded` wakes it."""
        while True:
            now = self.clock.reading
            room, tomorrow = self.risk.look(now), self.risk.begin_day(now)
            # A new day forgives, and counts anew: soon after it has begun, the limit may be near.
            due = inf if room is None else self.clock.time_at(min(now + self._pause(room), tomorrow + _SECOND))
            with trio.CancelScope(deadline=due) as self._scope:
                await trio.sleep_forever()

    def _pause(self, room: Decimal) -> int:
        if self.closely:
            return _SECOND
        return next((pause for part, pause in _PAUSES if room <= part), _LONGEST)


def hold_carried(risk: Risk, carried: Carried, now: int) -> None:
    """Have every strategy of the run before hold what it held when that ended, and have lost what it lost today.

    That holds for those that don't run again, too: the account is all of them.
    """
    names = [item.strategy for item in carried.positions] + [item.strategy for item in carried.orders]
    for name in dict.fromkeys(names):
        held = {item.instrument.symbol: item.quantity for item in carried.positions if item.strategy == name}
        risk.hold(name, held, now)
    for result in carried.results:
        risk.earned(result.strategy, result.currency, result.amount, time=result.begin, now=now)
    for trip in carried.trips:
        risk.stopped(trip, now)
