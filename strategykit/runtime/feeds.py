"""A strategy's own view of the streams that it declared: what came last, who listens, who waits."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Generic, Protocol, TypeVar

import attrs
import trio

from strategykit.errors import StrategyError
from strategykit.indicators import Condition, Latest
from strategykit.model.book import Book
from strategykit.model.events import (
    AssetUpdate,
    Bar,
    BookDelta,
    BookSnapshot,
    ByOrderDelta,
    ByOrderSnapshot,
    Event,
    Gap,
    Quote,
    Rate,
    Stale,
    Ticker,
    Trade,
    VenueError,
    Volume,
)
from strategykit.runtime.mailbox import MAILBOX, Mailbox, in_async_for
from strategykit.runtime.waking import Signal, Wakes
from strategykit.venues.streams import Stream
from strategykit.venues.subscriptions import MOST_GAPS

__all__ = ["MARKET", "BarFeed", "BookFeed", "Feed", "FeedOwner", "QuoteFeed", "TradeFeed"]

E = TypeVar("E")

MARKET: Final = frozenset(
    {Trade, Quote, BookSnapshot, BookDelta, ByOrderSnapshot, ByOrderDelta, Bar, Ticker, Rate, Volume, AssetUpdate}
)
"""Events that nobody but their subscribers gets."""

HELD: Final = 1_000
"""Bars kept for indicators that are made later; more if more history was asked for."""


def _nothing() -> None:
    """Nobody keeps routes."""


def _ignore(_: object) -> None:
    """Nobody wants it."""


class FeedOwner(Protocol):
    """The strategy, as its feeds call it."""

    def feed_gap(self, feed: Feed[Any], gap: Gap) -> None: ...
    def feed_stale(self, feed: Feed[Any], stale: Stale) -> None: ...
    def feed_full(self, feed: Feed[Any], error: StrategyError) -> None: ...


@attrs.define(eq=False)
class _Waiting:
    """A task that waits for a condition over some feeds."""

    condition: Condition
    feeds: tuple[Feed[Any], ...]
    signal: Signal
    tell: bool
    met: bool = False
    words: str = ""

    def look(self) -> None:
        if not self.met and self.condition.now:
            self.met = True
            if self.tell:
                self.words = self.condition.words()
            self.leave()
            self.signal.notify()

    def leave(self) -> None:
        for feed in self.feeds:
            if self in feed.waiting:
                feed.waiting.remove(self)
                feed.rerouted()


class Feed(Generic[E]):
    """One declared stream of one running strategy."""

    conflate = False
    """Whether an ``async for`` that lags sees only the latest event."""
    chooses = False
    """Whether `take` passes over some events, so that it alone may set `last`."""

    def __init__(
        self,
        name: str,
        stream: Stream,
        *,
        wakes: Wakes,
        owner: FeedOwner,
        handler: Callable[[Any], None] | None,
        keep: int = 0,
    ) -> None:
        self.name = name
        """The attribute under which the strategy declared it."""
        self.stream = stream
        self.guid = ""
        """The subscription that carries it; several strategies may share one."""
        self.last: E | None = None
        self.gaps: deque[Gap] = deque(maxlen=MOST_GAPS)
        """The newest."""
        self.held: deque[E] = deque(maxlen=keep)
        self.waiting: list[_Waiting] = []
        self.rerouted: Callable[[], None] = _nothing
        """Called when `quick` would give something else; the router sets it."""
        self._wakes = wakes
        self._owner = owner
        self._handler = handler
        self._listeners: list[Callable[[E], None]] = []
        self._boxes: list[weakref.ref[Mailbox[E]]] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {self.stream.label}>"

    @property
    def instrument(self) -> str | None:
        return self.stream.instrument

    @property
    def title(self) -> str:
        """What conditions call it."""
        return f"{self.instrument} {self.name}" if self.instrument else self.name

    def listen(self, callback: Callable[[E], None]) -> None:
        """Call back with every event that is held, oldest first, and from then on with each new one."""
        for item in self.held:
            callback(item)
        self.watch(callback)

    def watch(self, callback: Callable[[E], None]) -> None:
        """Call back with each new event until `unwatch`."""
        self._listeners.append(callback)
        self.rerouted()

    def unwatch(self, callback: Callable[[E], None]) -> None:
        """Stop calling back; nothing if it isn't watching."""
        if callback in self._listeners:
            self._listeners.remove(callback)
            self.rerouted()

    def __aiter__(self) -> AsyncIterator[E]:
        box: Mailbox[E] = Mailbox(self._wakes, self, hidden=in_async_for())
        self._boxes = [ref for ref in self._boxes if ref() is not None]
        self._boxes.append(weakref.ref(box))
        self.rerouted()
        return box

    async def wait_for(self, condition: Condition, feeds: tuple[Feed[Any], ...], *, tell: bool = False) -> str:
        """Return once `condition` holds; it is looked at now and after each event of `feeds`.

        Give how it read then, if `tell`; else nothing.
        """
        if condition.now:
            words = condition.words() if tell else ""
            await trio.lowlevel.checkpoint()
            return words
        waiting = _Waiting(condition, feeds, Signal(self._wakes), tell)
        for feed in feeds:
            feed.waiting.append(waiting)
            feed.rerouted()
        try:
            await waiting.signal.until(lambda: waiting.met)
        finally:
            waiting.leave()
        return waiting.words

    def deliver(self, event: Event) -> None:
        """Take an event of the subscription. For the router."""
        if type(event) is Gap:
            self.gap(event)
        elif type(event) is Stale:
            self._owner.feed_stale(self, event)
        elif type(event) is not VenueError:  # The run notes those: a handler of bars has no use for one.
            self.take(event)  # type: ignore[arg-type]  # the subscription's kind says what comes

    def quick(self) -> Callable[[E], None]:
        """Give the least to be called with each event; `rerouted` tells when it changes.

        The caller sets `last` first, unless this feed `chooses`.
        """
        if self.held.maxlen or self._listeners or self._boxes or self.waiting or type(self).take is not Feed.take:
            return self.take
        return self._handler or _ignore

    def alone(self) -> Mailbox[E] | None:
        """Give the ``async for`` that gets the events, if nothing else does."""
        if self.held.maxlen or self._listeners or self._handler or self.waiting or type(self).take is not Feed.take:
            return None
        boxes: list[Mailbox[E] | None] = [ref() for ref in self._boxes if ref() is not None]
        return boxes[0] if len(boxes) == 1 else None

    def gap(self, gap: Gap) -> None:
        self.gaps.append(gap)
        self._owner.feed_gap(self, gap)

    def mute(self) -> None:
        """Call the strategy's handler no more: it has failed, or is gone."""
        self._handler = None
        self.rerouted()

    def overflowed(self) -> None:
        """A mailbox is full, and nothing may be dropped: the strategy has to go."""
        error = StrategyError(
            f"{self.stream.label}: the strategy is {MAILBOX} events behind in an `async for`; use a handler for what "
            "comes this fast, or a stream of which the latest is enough"
        )
        self._owner.feed_full(self, error)

    def take(self, event: E) -> None:
        """Hand one event to everyone: indicators first, then the handler, then those who wait."""
        self.last = event
        if self.held.maxlen:
            self.held.append(event)
        self._tell(event)

    def _tell(self, event: E) -> None:
        if self._listeners:
            for listener in tuple(self._listeners):
                listener(event)
        if self._handler is not None:
            self._handler(event)
        if self._boxes:
            for ref in self._boxes:
                box = ref()
                if box is not None:
                    box.put(event)
        if self.waiting:
            for waiting in tuple(self.waiting):
                waiting.look()


class TradeFeed(Feed[Trade]):
    """Public trades."""

    @property
    def price(self) -> Latest:
        return Latest(self, "price")


class QuoteFeed(Feed[Quote]):
    """Best bid and ask."""

    conflate = True

    @property
    def bid(self) -> Latest:
        return Latest(self, "bid")

    @property
    def ask(self) -> Latest:
        return Latest(self, "ask")


class BookFeed(Feed[BookSnapshot]):
    """An order book, kept whole in `book`; what is told are its states, to the depth wanted, even of changes."""

    conflate = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.book = Book(self.stream.instrument or "")

    def take(self, event: BookSnapshot | BookDelta) -> None:
        self.book.apply(event)
        self._show(event)

    def _show(self, event: BookSnapshot | BookDelta) -> None:
        """Tell the state that the book is in after `event`."""
        depth = self.stream.depth
        if type(event) is BookSnapshot and (
            depth is None or max(len(event.bid_prices), len(event.ask_prices)) <= depth
        ):
            super().take(event)
        elif self.book.invalid:
            self.last = None  # Changes to what isn't known.
        else:
            super().take(self.book.snapshot(event, depth))

    def gap(self, gap: Gap) -> None:
        self.book.apply(gap)
        super().gap(gap)

    @property
    def bid(self) -> Latest:
        """The best bid, for conditions."""
        return Latest(self, "bid")

    @property
    def ask(self) -> Latest:
        """The best ask, for conditions."""
        return Latest(self, "ask")

    @property
    def best_bid(self) -> float | None:
        return self.book.best_bid

    @property
    def best_ask(self) -> float | None:
        return self.book.best_ask

    @property
    def mid(self) -> float | None:
        return self.book.mid


class BarFeed(Feed[Bar]):
    """Closed bars, with history in front where it was asked for."""

    chooses = True

    def __init__(self, *args: Any, history: int = 0, show_forming: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, keep=max(HELD, history), **kwargs)
        self.history = history
        """Bars wanted before the first live one."""
        self.forming: Bar | None = None
        """The bar of the interval that is running."""
        self.seam: int | None = None
        """Opening time of the first live bar; what is older came as history. None until there is one."""
        self.warm = history == 0
        """Whether the history has come, or has been given up."""
        self._show_forming = show_forming
        self._early: list[Bar] = []
        self._until = -1

    @property
    def close(self) -> Latest:
        return Latest(self, "close")

    def take(self, event: Bar) -> None:
        if not event.closed:
            self.forming = event
            if self._show_forming and self.warm:
                self.last = event
                self._tell(event)
            return
        if not self.warm:
            self._early.append(event)
            return
        if event.open_time <= self._until:
            return  # Told before: by the history, or on the other side of a reconnect.
        if event.snapshot and self.seam is None:
            self._remember(event)
            return
        self._until = event.open_time
        if self.seam is None:
            self.seam = event.open_time
        super().take(event)

    def warmed(self, bars: list[Bar]) -> None:
        """Join history to what came live meanwhile: oldest first, each interval once, then on as usual."""
        for bar in sorted(bars, key=lambda bar: bar.open_time)[-self.history :]:
            if bar.closed and bar.open_time > self._until:
                self._remember(bar)
        self.warm = True
        early, self._early = self._early, []
        for bar in early:
            self.take(bar)

    def _remember(self, bar: Bar) -> None:
        """Show a past bar to indicators only: a handler or a waiting task would take it for news."""
        self._until = bar.open_time
        self.last = bar
        self.held.append(bar)
        for listener in tuple(self._listeners):
            listener(bar)
