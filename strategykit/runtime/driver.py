"""The one task that moves a run: it hands inputs to the engine and wakes tasks, one at a time, in between."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol

import attrs
import trio

from strategykit.model.events import Event
from strategykit.net.inbox import Inbox, Input
from strategykit.runtime.clock import NEVER, ReplayClock, RunClock, WallClock
from strategykit.runtime.courses import Courses
from strategykit.runtime.engine import Engine
from strategykit.runtime.reel import Reel
from strategykit.runtime.waking import Doorbell, Wakes

__all__ = ["HURRIED", "LEAVE_WITHIN", "SLICE", "SLICE_TAKES", "Driver", "Marks", "next_slice"]

SLICE: Final = 256
"""Inputs dispatched at the most before readers and writers get their turn."""

SLICE_TAKES: Final = 1_000_000
"""Nanoseconds that a slice should take. An order waits for up to three of them on its way: until the end of the
journal's sync is heard of, until the task that writes goes on, and until that has the wire."""

HURRIED: Final = 16
"""Inputs of a slice, at the most, while an order is on its way to the wire."""

LEAVE_WITHIN: Final = 600_000_000_000
"""Nanoseconds for `finish`: what strategies get to leave after the last input; one that never does is left then."""


class Marks(Protocol):
    """Where the readings of the clock are kept."""

    def mark(self, reading: int, count: int) -> None: ...


def next_slice(size: int, count: int, took: int) -> int:
    """Give how many inputs a slice may have, when `count` of at most `size` took `took` nanoseconds.

    A mark tells the number before the first of them is dispatched, so that it can't depend on how long they take.
    """
    if took > SLICE_TAKES:
        return max(count // 2, 1)
    return min(size * 2, SLICE) if count == size else size


@attrs.define(eq=False, kw_only=True)
class Driver:
    """Moves one run."""

    engine: Engine
    clock: RunClock
    wakes: Wakes

    async def quiet(self, *, pumping: bool = False) -> None:
        """Return when all that follows from what has happened so far has happened, at this reading.

        Args:
            pumping: Whether the task that is woken may take the next events itself, each with all that follows.
        """
        clock, wakes, engine = self.clock, self.wakes, self.engine
        queue, local = wakes.queue, engine.local
        wakes.flush()
        if not (queue and clock.calm):
            await clock.settle()
        while True:
            if wakes.batches:
                wakes.flush()
            if local:
                engine.take(local.popleft(), clock.reading, "")
            elif queue:
                wakes.wake_next()
                if pumping and isinstance(clock, ReplayClock):
                    await clock.settle_one()
            elif not clock.woken:
                return
            if clock.woken:
                await clock.settle()

    async def advance(self, time: int) -> None:
        """Pass every deadline up to `time`, one at a time, with all that follows from each; then read `time`."""
        clock, paper = self.clock, self.engine.paper
        await self.quiet()
        while True:
            due = clock.next_due()
            answer = None if paper is None else paper.due()
            if answer is not None and answer <= min(due, time) and paper is not None:
                clock.reading = max(clock.reading, answer)
                self.engine.local.extend(paper.run_due(clock.reading))
                await self.quiet()
                continue
            if due > time:
                break
            await clock.step(due)
            await self.quiet()
        clock.reading = max(clock.reading, time)

    async def dispatch(self, item: Input) -> None:
        """Hand over one input, with all that follows from it."""
        self.engine.process(item)
        if self.clock.woken or self.wakes or self.engine.local:
            await self.quiet()

    async def follow(
        self,
        inbox: Inbox,
        bell: Doorbell,
        clock: WallClock,
        marks: Marks,
        done: trio.Event,
        *,
        hurried: Callable[[], bool] = lambda: False,
    ) -> None:
        """Dispatch what comes, in slices, until `done`; each slice has one reading of the clock, kept as a mark.

        Slices are short where inputs take long, and while `hurried` says that an order is on its way to the wire.

        Whoever sets `done` rings the bell. A slice that has begun is dispatched to its end, and a last mark tells how
        far time went: a re-run stops there, too.
        """
        waiting, size = inbox.waiting, SLICE
        while not done.is_set():
            if not waiting and not self.wakes and not self.engine.local:
                await self._wait(bell)
            else:
                await trio.lowlevel.checkpoint()
            await self.advance(clock.wall())
            count = min(len(waiting), size, HURRIED if hurried() else SLICE)
            if not count:
                continue
            marks.mark(clock.reading, count)
            began = clock.wall()
            for _ in range(count):
                await self.dispatch(inbox.take())
            size = next_slice(size, count, clock.wall() - began)
        marks.mark(clock.reading, 0)

    async def _wait(self, bell: Doorbell) -> None:
        """Return at the bell, or when the paper exchange has something to do: an order arrives, news of one do."""
        due = None if self.engine.paper is None else self.engine.paper.due()
        if due is None:
            await bell.wait()
        else:
            with trio.move_on_after(max(due - self.clock.reading, 0) * 1e-9):
                await bell.wait()

    async def replay(self, items: Iterable[Input | None], clock: ReplayClock) -> None:
        """Dispatch inputs at their own times. An input that wakes nobody costs no checkpoint.

        Args:
            items: May dispatch some by themselves; None says that one of those woke somebody.
            clock: Of the run.
        """
        engine, wakes = self.engine, self.wakes
        process, local = engine.process, engine.local
        await self.quiet()
        for item in items:
            if item is not None:
                # The exchange is made once the instruments are known, by the first inputs.
                time, paper = item.receive_time, engine.paper
                if time >= clock.due or (paper is not None and (answer := paper.due()) is not None and answer <= time):
                    await self.advance(time)
                elif time > clock.reading:
                    clock.reading = time
                process(item)
            if clock.woken or wakes or local:
                await self.quiet()

    async def replay_events(self, events: Iterable[Event], clock: ReplayClock) -> None:
        """Route events at their own times, oldest first, with nothing to decode."""
        engine, courses = self.engine, Courses(self.engine, clock, Reel(events))
        await self.quiet()
        while True:
            answer = None if engine.paper is None else engine.paper.due()
            due = clock.due if answer is None else min(clock.due, answer)
            event = courses.run(due)
            if event is not None:
                await self.advance(event.receive_time)
                courses.give(event)
            elif not (clock.woken or engine.local or self.wakes):
                return
            if self.wakes:
                pump = courses.open_pump(due)
                await self.quiet(pumping=pump is not None)
                if pump is not None:
                    courses.close_pump(pump)
            elif clock.woken or engine.local:
                await self.quiet()

    async def finish(self, done: trio.Event, *, within: int = NEVER) -> None:
        """Let time run, with no more inputs, until `done`, or for `within` ns: tasks end by deadlines of their own."""
        await self.quiet()
        last = self.clock.reading + within
        while not done.is_set() and self.clock.reading < last:
            answer = None if self.engine.paper is None else self.engine.paper.due()
            due = min(self.clock.next_due(), NEVER if answer is None else answer)
            if due == NEVER or due > last:
                return
            await self.advance(due)

    async def finish_by(self, done: trio.Event, last: int) -> None:
        """As `finish`, but not beyond `last`: what the recorded run did later, nobody knows."""
        await self.quiet()
        if not done.is_set():
            await self.advance(last)

    async def rerun(self, slices: Iterator[tuple[int, list[Input]]]) -> None:
        """Dispatch recorded slices at their recorded readings."""
        for reading, items in slices:
            await self.advance(reading)
            for item in items:
                await self.dispatch(item)
