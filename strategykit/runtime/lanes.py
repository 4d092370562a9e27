"""One stream's events in a replay of columns: their course, and what is accounted for chunk by chunk."""

from __future__ import annotations

from typing import Final

from strategykit.columns.columns import Columns
from strategykit.model.events import Bar, BookSnapshot, ByOrderSnapshot, Event, Quote, Ticker, Trade
from strategykit.runtime.clock import ReplayClock
from strategykit.runtime.courses import Course, ignore
from strategykit.runtime.engine import Engine
from strategykit.runtime.feeds import MARKET
from strategykit.runtime.prices import LastPrices
from strategykit.runtime.run_digest import RunDigest
from strategykit.venues.subscriptions import Subscription, SubscriptionState

__all__ = ["Lane", "last_priced"]

_PRICED: Final = frozenset({Trade, Quote, Bar, Ticker, BookSnapshot, ByOrderSnapshot})


class Lane(Course):
    """One stream that a strategy wants, or that says something of what strategies trade: then the exchange gets it.

    Args:
        engine: Of the run.
        clock: Of the run.
        row: Its subscription.
        digest: Takes what was told.
    """

    __slots__ = ("_digest", "row", "wanted")

    def __init__(self, engine: Engine, clock: ReplayClock, row: Subscription, digest: RunDigest) -> None:
        super().__init__(engine, clock, row.guid, row.stream.instrument)
        self.row = row
        self.wanted = False
        """Whether a strategy has ever wanted it."""
        self._digest = digest

    def look(self) -> None:
        Course.look(self)  # `super` takes longer.
        if not self.left:
            self.wanted = True
        elif self.wanted:  # As by a venue that was told so: nothing of it comes any more, to nobody.
            self.meet = ignore

    @property
    def over(self) -> bool:
        """Whether it need not be read any more."""
        return self.left and self.wanted

    def came(self, count: int, time: int) -> None:
        """Account for `count` events, the last of them at `time`."""
        row = self.row
        if row.state not in (SubscriptionState.ACTIVE, SubscriptionState.ENDED):
            self._engine.table.datum(row, time)
        row.data += count
        row.last_time = time

    def fold(self, columns: Columns) -> None:
        """Take what was told into the digest: market data, as of tapes."""
        if columns.kind in MARKET:
            self._digest.take_columns(self.row, columns)


def last_priced(columns: Columns) -> Event | None:
    """Give the last of these events that tells a price; None if none does."""
    if columns.kind not in _PRICED:
        return None
    count = len(columns)
    for size in (1, 64, count):
        for event in reversed(list(columns.rows(max(count - size, 0), count).build(""))):
            seen = LastPrices()
            seen(event)
            if seen.prices:
                return event
    return None
