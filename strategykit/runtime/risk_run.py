"""Limits inside a run: where their prices come from, and who turns their days."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from math import isfinite
from typing import Any

import attrs
import trio

from strategykit.runtime.carried import Carried
from strategykit.runtime.clock import RunClock
from strategykit.runtime.feeds import BookFeed, Feed
from strategykit.runtime.prices import LastPrices
from strategykit.runtime.risk import Risk
from strategykit.sim.paper import PaperExchange
from strategykit.sim.recorded import exact

__all__ = ["Marks", "hold_carried", "keep_days"]


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
