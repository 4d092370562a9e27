"""The way of one stream's events through a replay of columns: who gets them, and what is to be accounted for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from strategykit.columns.columns import Columns
from strategykit.model.events import Bar, BookSnapshot, ByOrderSnapshot, Event, Quote, Ticker, Trade
from strategykit.runtime.engine import Engine
from strategykit.runtime.feeds import Feed
from strategykit.runtime.prices import LastPrices
from strategykit.runtime.run_digest import RunDigest
from strategykit.venues.subscriptions import Subscription, SubscriptionState

__all__ = ["Lane", "Way", "last_priced"]

Way = tuple[Any, Callable[[Any], None], Feed[Any]]
"""What keeps the last event, what is called with each, and whose strategy is stopped if that raises."""


class _Nowhere:
    """Keeps the last event for nobody: of bars, the feed itself chooses which it shows."""

    __slots__ = ("last",)


_NOWHERE: Final = _Nowhere()

_PRICED: Final = frozenset({Trade, Quote, Bar, Ticker, BookSnapshot, ByOrderSnapshot})


def _ignore(_: object) -> None:
    """Nobody needs it."""


class Lane:
    """One stream that somebody wants.

    Args:
        engine: Of the run.
        row: Its subscription.
        digest: Takes what was told.
    """

    __slots__ = ("_digest", "_engine", "_known", "_live", "_paper", "left", "meet", "row", "ways")

    def __init__(self, engine: Engine, row: Subscription, digest: RunDigest) -> None:
        self.row = row
        """Its guid is in every event."""
        self.ways: Sequence[Way] = ()
        """To each feed that wants it."""
        self.left = False
        """Whether nobody wants it any more."""
        self.meet: Callable[[Any], object] = _ignore
        """Shows an event to the paper exchange."""
        self._engine = engine
        self._digest = digest
        self._known: object = None
        self._paper: object = None
        self._live = False

    @property
    def paced(self) -> bool:
        """Whether events reach strategies later than the exchange: then they go the long way, one by one."""
        paper = self._engine.paper
        return paper is not None and paper.delays_market

    def look(self) -> None:
        """See who wants the events now, and whether orders may meet them."""
        engine = self._engine
        self.left = self.row.guid not in engine.routes
        known = engine.quick(self.row.guid)
        if known is not self._known:
            self._known = known
            self.ways = [(_NOWHERE if feed.chooses else feed, call, feed) for feed, call in known]
        paper, symbol = engine.paper, self.row.stream.instrument
        if paper is None or symbol not in paper.markets:
            self.meet = _ignore
            return
        live = not paper.idle(symbol)
        if live != self._live or paper is not self._paper:
            self._live, self._paper = live, paper
            self.meet = self._show if live else paper.markets[symbol].note

    def _show(self, event: Event) -> None:
        engine = self._engine
        if engine.paper is not None and (told := engine.paper.on_event(event, event.receive_time)):
            engine.local.extend(told)
            engine.poke()

    def came(self, count: int, time: int) -> None:
        """Account for `count` events, the last of them at `time`."""
        row = self.row
        if row.state is not SubscriptionState.ACTIVE:
            self._engine.table.datum(row, time)
        row.data += count
        row.last_time = time

    def fold(self, columns: Columns) -> None:
        """Take what was told into the digest."""
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
