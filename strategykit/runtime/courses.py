"""The shortest way of one stream's events to whoever wants them, in runs whose events are at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from strategykit.model.events import Event
from strategykit.runtime.batching import Batcher
from strategykit.runtime.clock import ReplayClock
from strategykit.runtime.engine import Engine
from strategykit.runtime.feeds import MARKET, Feed
from strategykit.runtime.mailbox import Pump
from strategykit.runtime.reel import Reel
from strategykit.sim.recorded import RecordedMarket

__all__ = ["NOWHERE", "Course", "Courses", "Show", "Way", "delays_market", "ignore", "slow"]

Way = tuple[Any, Callable[[Any], None], Feed[Any]]
"""What keeps the last event, what is called with each, and whose strategy is stopped if that raises."""

Show = tuple[Any, Callable[[Any], object] | None]
"""How the exchange learns of events: what holds the newest one, and what is called with each, if that isn't enough."""


class _Nowhere:
    """Keeps the last event for nobody: of bars, the feed itself chooses which it shows."""

    __slots__ = ("last",)


NOWHERE: Final = _Nowhere()


def ignore(_: object) -> None:
    """Nobody needs it."""


def slow(sink: Any, call: Callable[[Any], None], feed: Feed[Any]) -> Callable[[Any], None]:
    """Give what to call in the place of a way that may have changed at this very event: a kill, say, mutes all."""
    return feed.take if sink is feed else call


def delays_market(engine: Engine) -> bool:
    """Whether strategies are told of the market later than the exchange: then each event goes the long way."""
    return engine.paper is not None and engine.paper.delays_market


class Course:
    """Who gets the events of one stream.

    It is right until the clock is poked or a task is woken: whatever changes it does that. Then `look` again.

    Args:
        engine: Of the run.
        clock: Of the run.
        guid: The stream's subscription.
        symbol: What it is about.
    """

    __slots__ = (
        "_clock",
        "_engine",
        "_guid",
        "_known",
        "_market",
        "_symbol",
        "batchers",
        "left",
        "live",
        "meet",
        "ways",
    )

    def __init__(self, engine: Engine, clock: ReplayClock, guid: str, symbol: str | None) -> None:
        self.ways: Sequence[Way] = ()
        """To each feed that wants them, in the order of their asking."""
        self.meet: Callable[[Any], object] = ignore
        """Shows an event to the paper exchange."""
        self.batchers: Sequence[Batcher] = ()
        """What makes batches of them, if batch handlers are all that wants them; one a way."""
        self.left = False
        """Whether nobody wants them any more."""
        self._engine = engine
        self._clock = clock
        self._guid = guid
        self._symbol = symbol
        self._known: object = None
        self._market: RecordedMarket | None = None
        """Of the exchange, as of the last look."""
        self.live = False
        """Whether an order lives that the events may meet."""

    def look(self) -> None:
        """See who wants the events now, and whether orders may meet them."""
        engine = self._engine
        known = engine.quick(self._guid)
        if known is not self._known:
            self._known = known
            self.ways = [(NOWHERE if feed.chooses else feed, call, feed) for feed, call in known]
            owners = [getattr(call, "__self__", None) for _, call, _ in self.ways]
            batchers = [owner for owner in owners if isinstance(owner, Batcher)]
            self.batchers = batchers if len(batchers) == len(owners) else ()
        self.left = self._guid not in engine.routes
        paper, symbol = engine.paper, self._symbol
        if paper is None or symbol is None or symbol not in paper.markets:
            self.meet, self._market, self.live = ignore, None, False
            return
        live = not paper.idle(symbol)
        market = paper.markets[symbol]  # Another one where runs begin or cease to go by the same.
        if live != self.live or market is not self._market:
            self.live, self._market = live, market
            self.meet = self._show if live else market.note

    def newest(self, kind: type[Any]) -> Any:
        """Give what need only hold the newest event; None: `meet` has to see each."""
        market = self._market
        if market is None or self.meet is ignore:
            return NOWHERE
        return None if self.live else market.takes(kind)

    def watch(self, market: RecordedMarket) -> None:
        """Go by another knowledge of the market from now on, while no order lives."""
        self.meet, self._market = market.note, market

    def open_pump(self, events: Iterator[Any], *, guid: str, kind: Any) -> Pump | None:
        """Let the task that waits for the events take the next ones itself, until `close_pump`, if it alone gets them.

        Args:
            events: Where they come from, up to what else is to happen.
            guid: What they have as theirs, the object: runs that share events have equal ones, each its own.
            kind: Their class.
        """
        if len(self.ways) != 1 or self.live or self.ways[0][0] is NOWHERE:
            return None
        box = self.ways[0][2].alone()
        if box is None or not box.hidden:
            return None
        meet = None if self.meet is ignore else self.meet
        box.pump = Pump(self._clock, events, box=box, guid=guid, kind=kind, sink=self.ways[0][0], meet=meet)
        return box.pump

    def give(self, event: Event) -> None:
        """Give an event to everyone."""
        self.meet(event)
        clock = self._clock
        for sink, call, feed in self.ways:
            sink.last = event
            try:
                (slow(sink, call, feed) if clock.woken else call)(event)
            except self._engine.failures as exc:  # A strategy's boundary: whatever it raises stops it alone.
                self._engine.supervisor().raised(feed, exc)

    def _show(self, event: Event) -> None:
        engine, paper = self._engine, self._engine.paper
        if paper is not None:
            due = paper.due()
            engine.local.extend(paper.on_event(event, event.receive_time))
            if engine.local or paper.due() != due:  # What happened may be told later, but before the next event.
                engine.poke()


class Courses:
    """The courses of all streams whose events come one by one, and the hot loop over them.

    Args:
        engine: Of the run.
        clock: Of the run.
        events: All of them.
    """

    def __init__(self, engine: Engine, clock: ReplayClock, events: Reel) -> None:
        self._engine = engine
        self._clock = clock
        self._events = events
        self._courses: dict[str, Course] = {}
        self._latest: Event | None = None
        """The last one that was given, if the clock was poked, or a task woken, at it."""

    def run(self, due: int) -> Event | None:
        """Give events their turn until there are no more, or something is to be done before the next one.

        Events of one stream mostly follow each other, so the course is looked up only where the stream changes.

        Args:
            due: Nanoseconds UTC: when something else is to happen first.

        Returns:
            The first event that isn't before `due`. None: the clock was poked, a task woken, or there are no more.
        """
        clock, engine, market = self._clock, self._engine, MARKET
        events = self._events.before(due)
        if engine.watchers or delays_market(engine):
            return self._run_long(events)
        looked: dict[str, Course] = {}
        guid: object = None  # Of the stream that the events come by at present, if it has one course and
        noted: object = None  # the exchange needn't see them; or need only note them.
        kind: object = None
        meet: Callable[[Any], object] = ignore
        sink: Any = NOWHERE
        feed: Feed[Any] | None = None
        call: Callable[[Any], None] = ignore
        for event in events:
            clock.reading = event.receive_time
            if event.guid is guid and type(event) is kind:
                sink.last = event
                try:
                    call(event)
                except engine.failures as exc:  # A strategy's boundary: whatever it raises stops it alone.
                    engine.supervisor().raised(feed, exc)
            elif event.guid is noted and type(event) is kind:
                meet(event)
                sink.last = event
                try:
                    call(event)
                except engine.failures as exc:  # As above.
                    engine.supervisor().raised(feed, exc)
            elif type(event) in market:
                course = looked.get(event.guid)
                if course is None:
                    course = looked[event.guid] = self._look(event)
                guid, noted, kind, meet = None, None, type(event), course.meet
                if len(course.ways) == 1:
                    sink, call, feed = course.ways[0]
                    guid, noted = (event.guid, None) if meet is ignore else (None, event.guid)
                course.give(event)
            else:
                engine.route(event)
            if clock.woken:
                self._latest = event
                return None
        self._latest = None
        return self._events.next()

    def give(self, event: Event) -> None:
        """Give one event its turn, whatever is due."""
        self._clock.reading = event.receive_time
        self._latest = event
        if type(event) not in MARKET or self._engine.watchers or delays_market(self._engine):
            self._engine.route(event)
        else:
            self._look(event).give(event)

    def open_pump(self, due: int) -> Pump | None:
        """Let the task that waits for the events of the stream at hand take the next ones, if it alone gets them.

        Args:
            due: As for `run`.

        Returns:
            What it takes them with, for `close_pump`.
        """
        latest = self._latest
        course = None if latest is None or self._engine.watchers else self._courses.get(latest.guid)
        if latest is None or course is None:
            return None
        return course.open_pump(self._events.before(due), guid=latest.guid, kind=type(latest))

    def close_pump(self, pump: Pump) -> None:
        event = pump.close()
        if event is not None:
            self._events.put_back(event)

    def _run_long(self, events: Iterable[Event]) -> Event | None:
        """Do the same where each event goes through the engine: it is watched, or held back for a while."""
        clock, engine = self._clock, self._engine
        for event in events:
            clock.reading = event.receive_time
            engine.route(event)
            if clock.woken or engine.local:
                return None
        return self._events.next()

    def _look(self, event: Event) -> Course:
        course = self._courses.get(event.guid)
        if course is None:
            course = self._courses[event.guid] = Course(self._engine, self._clock, event.guid, event.instrument)
        course.look()
        return course
