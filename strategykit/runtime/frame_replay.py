"""A tape's inputs for a backtest. What needs no more than to be decoded and told is dispatched on the way.

The order of everything is that of a live run: what is due up to an input's time first, then what the input says, event
by event, then the tasks that it woke.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from strategykit.model.codec import make_converter
from strategykit.model.events import Event
from strategykit.net.connection import CLOSED_BY_US
from strategykit.net.inbox import Input, InputKind
from strategykit.runtime.clock import ReplayClock
from strategykit.runtime.courses import Course, delays_market, ignore, slow
from strategykit.runtime.engine import Engine
from strategykit.runtime.feeds import MARKET
from strategykit.runtime.prices import LastPrices
from strategykit.runtime.recorded import ARRIVED, TEXT, TapeWires, input_of
from strategykit.runtime.run_digest import RunDigest
from strategykit.tape.format import text_of
from strategykit.tape.reader import Tape
from strategykit.tape.segment import RawRecord
from strategykit.venues.dialect import AskBook, AskPastTrades
from strategykit.venues.streams import PRIVATE

__all__ = ["FrameReplay"]


class _Watched(Course):
    """The course of a stream whose events a digest takes."""

    __slots__ = ("_digest", "tell")

    def __init__(self, engine: Engine, clock: ReplayClock, digest: RunDigest, event: Event) -> None:
        super().__init__(engine, clock, event.guid, event.instrument)
        self._digest = digest
        self.tell: Callable[[Any], object] = ignore
        """Takes each event that strategies are told."""

    def look(self) -> None:
        super().look()
        row = self._engine.table.by_guid.get(self._guid)
        self.tell = ignore if self.left or row is None else self._digest.of(row)


@attrs.define(eq=False, kw_only=True)
class FrameReplay:
    """The inputs of a tape's market data, for one backtest."""

    tape: Tape
    engine: Engine
    clock: ReplayClock
    wires: TapeWires
    """Has the answers to what strategies ask."""
    digest: RunDigest
    marks: LastPrices
    """Gets the last price of each instrument. Both are the engine's watchers, too, for what doesn't go by courses."""
    on_progress: Callable[[float], None]
    """Takes the part that is done, 0 to 1."""
    frames: Counter[str] = attrs.field(factory=Counter, init=False)
    """How many came by each connection."""
    opened: Counter[str] = attrs.field(factory=Counter, init=False)
    """How often each connection was opened."""
    _courses: dict[str, _Watched] = attrs.field(factory=dict, init=False)
    _converter: Any = attrs.field(factory=make_converter, init=False)

    def inputs(self) -> Iterator[Input | None]:
        """Yield what goes the long way, for `Driver.replay`: None says that there is something to be done before more.

        The long way is for all but market data, for what something else is due before, and for exchanges that show
        strategies the market with a delay.
        """
        contents = self.wires.contents
        carrying = {self.engine.dialect.lane(row.stream) for row in contents.rows if row.stream.kind not in PRIVATE}
        span = max(contents.last - contents.first, 1)
        for chunk in self.tape.chunks():
            yield from self._dispatched(chunk, carrying)
            self.on_progress(min(max((chunk[-1][2] - contents.first) / span, 0.0), 1.0))
        self.on_progress(1.0)

    def _dispatched(self, chunk: list[RawRecord], carrying: set[str]) -> Iterator[Input | None]:
        clock, engine, wires, market, marks = self.clock, self.engine, self.wires, MARKET, self.marks
        names, frames, early, decode, local = self.tape.names, self.frames, wires.early, engine.decode, engine.local
        opened, looked = self.opened, dict[str, _Watched]()
        due, quick = self._look(looked)
        for raw in chunk:
            while early:
                yield early.popleft()
                due, quick = self._look(looked)
            kind, _, time, number, body = raw
            if kind not in ARRIVED or time >= due or not quick:
                item = self._passed(raw, carrying)
                if item is not None:
                    yield item
                    due, quick = self._look(looked)
                continue
            name = names[number]
            if name not in opened:
                continue
            frames[name] += 1
            if time > wires.now:  # noqa: PLR1730 - `max` is a call a frame
                wires.now = time
            if time > clock.reading:  # noqa: PLR1730 - as above
                clock.reading = time
            thing: Any
            for thing in decode(text_of(body) if kind == TEXT else body, name, time):
                if clock.woken or type(thing) not in market:
                    engine.take(thing, time, name)
                    continue
                course = looked.get(thing.guid)
                if course is None:
                    course = looked[thing.guid] = self._course(thing)
                course.tell(thing)
                marks(thing)
                course.meet(thing)
                for sink, call, feed in course.ways:  # As `Course.give` does, without a call.
                    sink.last = thing
                    try:
                        # Only at the first of them is it sure that nobody has been woken.
                        (slow(sink, call, feed) if clock.woken else call)(thing)  # type: ignore[redundant-expr]
                    except engine.failures as exc:  # A strategy's boundary: whatever it raises stops it alone.
                        engine.supervisor().raised(feed, exc)
            if clock.woken or local:
                yield None
                due, quick = self._look(looked)

    def _passed(self, raw: RawRecord, carrying: set[str]) -> Input | None:
        """Give a record as an input, if it has to do with the market."""
        item = input_of(self.tape.record(raw), self._converter)
        if not isinstance(item, Input):
            return None
        name = item.connection
        if item.kind is InputKind.OPENED:
            if item.payload not in carrying:
                return None
            self.opened[name] += 1
        elif item.kind is InputKind.ANSWER:
            if not isinstance(item.ask, AskBook | AskPastTrades):
                return None  # Strategies that run on the tape ask for themselves.
        elif name not in self.opened or item.kind is InputKind.CONTROL:
            return None
        elif item.kind is InputKind.CLOSED and item.payload == CLOSED_BY_US:
            return None  # The recording ended there; the market didn't.
        elif item.kind is InputKind.FRAME:
            self.frames[name] += 1
        self.wires.now = max(self.wires.now, item.receive_time)
        return item

    def _look(self, looked: dict[str, _Watched]) -> tuple[int, bool]:
        """Say when something else is to happen, and whether events may go by courses; forget what was `looked` at."""
        looked.clear()
        paper = self.engine.paper  # It is made once the instruments are known, by the first inputs.
        if paper is None:
            return self.clock.due, False
        answer = paper.due()
        due = self.clock.due if answer is None else min(self.clock.due, answer)
        return due, not delays_market(self.engine)

    def _course(self, event: Event) -> _Watched:
        course = self._courses.get(event.guid)
        if course is None:
            course = self._courses[event.guid] = _Watched(self.engine, self.clock, self.digest, event)
        course.look()
        return course
