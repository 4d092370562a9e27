"""A tape's inputs for a backtest. What needs no more than to be decoded and told is dispatched on the way.

The order of everything is that of a live run: what is due up to an input's time first, then what the input says, event
by event, then the tasks that it woke.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs

from strategykit.errors import RemoteProtocolError
from strategykit.model.codec import make_converter
from strategykit.model.events import Event, Trade
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
from strategykit.venues.dialect import AskBook, AskPastTrades, Frame
from strategykit.venues.streams import PRIVATE

__all__ = ["FrameReplay"]

_STEP: Final = 0.005
"""Part of the tape after which progress is told again."""

_ALWAYS: Final = -(1 << 63)
"""No time on a tape is before it."""


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
        span, told = max(contents.last - contents.first, 1), 0.0
        for chunk in self.tape.chunks():
            yield from self._dispatched(chunk, carrying)
            self.digest.settle()
            part = min(max((chunk[-1][2] - contents.first) / span, 0.0), 1.0)
            if part >= told:  # Who shows it may take longer than a chunk does.
                self.on_progress(part)
                told = part + _STEP
        self.on_progress(1.0)

    def _dispatched(  # noqa: C901 - each part of its own would be a call a frame
        self, records: list[RawRecord], carrying: set[str]
    ) -> Iterator[Input | None]:
        clock, engine, wires, market, told = self.clock, self.engine, self.wires, MARKET, self.marks.told
        names, frames, early, local, table = self.tape.names, self.frames, wires.early, engine.local, engine.table
        decode, looked = engine.dialect.decode, dict[str, _Watched]()
        due = self._look(looked)
        lately, name, came = -1, "", 0  # The connection of the last frame, and how many have come by it in a row.
        guid: Any = None  # Of the last event, and
        course: Any = None  # its course; both are looked up again when anything else may have happened.
        for kind, seq, time, number, body in records:
            while early:
                yield early.popleft()
                due, guid = self._look(looked), None
            if time >= due or kind not in ARRIVED:
                item = self._passed((kind, seq, time, number, body), carrying)
                lately = -1
                if item is not None:
                    yield item
                    due, guid = self._look(looked), None
                continue
            if number != lately:
                if came:
                    frames[name] += came
                name, came = names[number], 0
                if name not in self.opened:
                    lately = -1
                    continue
                lately = number
            came += 1
            if time > wires.now:  # noqa: PLR1730 - `max` is a call a frame
                wires.now = time
            if time > clock.reading:  # noqa: PLR1730 - as above
                clock.reading = time
            frame: Frame = body
            if kind == TEXT:
                frame = body.decode() if body.isascii() else text_of(body)
            things: Any
            try:
                things = decode(frame, table, connection=name, receive_time=time)
            except RemoteProtocolError as exc:
                things = engine.unread(exc, name, time)
            for thing in things:
                if clock.woken or type(thing) not in market:
                    engine.take(thing, time, name)
                    continue
                if thing.guid is not guid:
                    guid = thing.guid
                    course = looked.get(guid) or self._course(thing, looked)
                course.tell(thing)
                if type(thing) is Trade:
                    told[thing.instrument] = thing.price  # As the watcher does, without a call.
                else:
                    self.marks(thing)
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
                due, guid = self._look(looked), None
        if came:
            frames[name] += came

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

    def _look(self, looked: dict[str, _Watched]) -> int:
        """Say from when on records go the long way; forget what was `looked` at."""
        looked.clear()
        paper = self.engine.paper  # It is made once the instruments are known, by the first inputs.
        if paper is None:
            return _ALWAYS
        if delays_market(self.engine):
            return _ALWAYS
        answer = paper.due()
        return self.clock.due if answer is None else min(self.clock.due, answer)

    def _course(self, event: Event, looked: dict[str, _Watched]) -> _Watched:
        course = self._courses.get(event.guid)
        if course is None:
            course = self._courses[event.guid] = _Watched(self.engine, self.clock, self.digest, event)
        course.look()
        looked[event.guid] = course
        return course
