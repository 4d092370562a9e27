"""The run's time: one frozen reading at a time, the same discipline live and in replay.

Trio asks this clock what time it is. While a slice of inputs is dispatched, or any task of the run is runnable,
the reading stands still. It moves when nobody is runnable (to the next deadline, or to the wall clock if that is
earlier) and when the driver begins a slice (through every deadline that is due, one at a time, then to the slice's
own time). So whatever tasks decide depends on the readings alone, and a tape that keeps them can be re-run.

Only public Trio interfaces are used: `trio.abc.Clock`, `trio.abc.Instrument`, `trio.lowlevel`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import trio
from trio.lowlevel import Abort, RaiseCancelT, Task, current_task, reschedule, wait_task_rescheduled

from strategykit.errors import StrategyBlocked
from strategykit.runtime.turns import Turns
from strategykit.runtime.watchdog import Watchdog

__all__ = ["NEVER", "ReplayClock", "RunClock", "WallClock"]

NEVER: Final = (1 << 63) - 1
"""Nanoseconds: a time that doesn't come."""

_FAR: Final = 1e9
"""Seconds, some 30 years: beyond it a float doesn't tell one nanosecond from another."""


def _in_task() -> bool:
    """Say whether a task runs now; Trio's own loop asks for the time between tasks, too."""
    try:
        current_task()
    except RuntimeError:
        return False
    return True


class RunClock(trio.abc.Clock, trio.abc.Instrument):
    """What both clocks share: the reading, and which tasks of the run are runnable.

    Pass it to `trio.run` twice: as ``clock`` and in ``instruments``.
    """

    # Slots: the hot loop reads these a million times a second, and Trio's look at its instruments slows a dict down.
    __slots__ = ("_asking", "_driver", "_parked", "reading", "start", "torn", "turns", "woken")

    def __init__(self, start: int) -> None:
        self.start = start
        """Nanoseconds UTC at which Trio's time is 0."""
        self.reading = start
        """Nanoseconds UTC; what `now` of every strategy says."""
        self.woken = False
        """Whether a task has become runnable since the driver last settled."""
        self.turns = Turns()
        """In which order tasks that were woken together go on."""
        self.torn = False
        """Whether the loop was made to end with tasks left in it."""
        self._asking = False
        self._driver: Task | None = None
        self._parked: Task | None = None

    def poke(self) -> None:
        """Have the driver look: something is to be done at this reading."""
        self.woken = True

    def deadline_moved(self) -> None:
        """Have the driver look at the deadlines of all tasks, too."""
        self.poke()

    def start_clock(self) -> None:
        """Nothing to do: the reading is given."""

    def current_time(self) -> float:
        if self._asking:
            return 0.0
        if self.torn:
            raise StrategyBlocked("this run was left")
        return (self.reading - self.start) * 1e-9

    def adopt(self) -> None:
        """Count the current task, and all that it will start, as tasks of the run: `settle` waits for them."""

    def tear(self) -> None:
        """Have Trio's loop end at its next pass, whatever tasks are left in it: `trio.run` raises `TrioInternalError`.

        Trio has no way to leave without a task that can't be ended; it does ask the clock in each pass.
        """
        self.torn = True

    def time_at(self, time: int) -> float:
        """Give Trio's time for `time` nanoseconds UTC, for ``trio.sleep_until``."""
        return (time - self.start) * 1e-9

    def reading_at(self, time: int) -> int:
        """Give what the clock reads when it meets a deadline that was set for `time`."""
        return self._due(self.time_at(time))

    def _due(self, deadline: float) -> int:
        if deadline == math.inf:
            return NEVER
        # A quarter of a nanosecond of slack: deadlines are sums of floats, and noise mustn't cost a whole one.
        due = self.start + math.ceil(deadline * 1e9 - 0.25)
        # Exactly the reading at which Trio will find it passed. One too early, and a reading steps beyond the time up
        # to which deadlines were passed: a re-run, told that reading, would pass more of them.
        while (due - self.start) * 1e-9 < deadline < _FAR:
            due += 1
        return due

    def _step_to(self, deadline: float, due: int) -> None:
        """Read at least `deadline`, exactly `due` if that is enough: floats round."""
        self.reading = max(self.reading, due)
        while self.current_time() < deadline:
            self.reading += 1

    def _next_deadline(self) -> float:
        """Give the earliest deadline of any task, by Trio's time."""
        # Trio tells how long it is until then. Asked at time 0, that is the deadline itself, not rounded.
        self._asking = True
        try:
            return trio.lowlevel.current_statistics().seconds_to_next_deadline
        finally:
            self._asking = False

    async def _park(self) -> None:
        self._parked = current_task()

        def abort(_: RaiseCancelT) -> Abort:
            self._parked = None
            return Abort.SUCCEEDED

        await wait_task_rescheduled(abort)

    @property
    def calm(self) -> bool:
        """Whether no task of the run can go on."""
        raise NotImplementedError

    async def settle(self) -> None:
        """Let the run's tasks go on until each is blocked. For the driver only."""
        raise NotImplementedError

    def next_due(self) -> int:
        """Give the earliest deadline of any task, nanoseconds UTC; `NEVER` if there is none."""
        raise NotImplementedError

    async def step(self, due: int) -> None:
        """Read `due`, let Trio fire the deadlines that this reaches, and settle. For the driver only."""
        raise NotImplementedError


class ReplayClock(RunClock):
    """Time that only the driver moves: no wall clock, no waiting.

    The driver's hot loop sets `reading` itself, compares with `due` and looks at `woken`: no call per event.
    """

    __slots__ = ("_firing", "due", "moved", "runnable")

    def __init__(self, start: int) -> None:
        super().__init__(start)
        self.due = NEVER
        """The earliest deadline of any task, as of the last `settle`."""
        self.moved = True
        """Whether a deadline may have been moved since then."""
        self._firing = False
        self.runnable = True
        """Whether a task has become runnable since the last `settle`; a poke makes none so."""

    def deadline_to_sleep_time(self, deadline: float) -> float:
        # Trio calls this when no task is runnable: everybody is blocked, and this is the earliest deadline.
        if self.turns:
            self.turns.give()
            return 0.0
        self.turns.pauses += 1
        due, task = self._due(deadline), self._parked
        firing, self._firing = self._firing, False
        if task is None and due == NEVER:
            return math.inf
        # Without a driver, such as at the very end of a run, time moves by itself: clean-up has deadlines.
        if task is None or (firing and due <= self.reading):
            self._step_to(deadline, due)
            return 0.0
        self.due = due
        self._parked = None
        self.woken = self.runnable = self.moved = False
        reschedule(task)
        return 0.0

    def current_time(self) -> float:
        if not self.moved and not self._asking and _in_task():
            # Whoever asks sets a deadline, mostly, and the driver has to know of it before the next event.
            self.woken = self.moved = True
        return super().current_time()

    def deadline_moved(self) -> None:
        self.woken = self.moved = True

    def task_scheduled(self, task: Task) -> None:
        if task is not self._driver:
            self.woken = self.runnable = True

    @property
    def calm(self) -> bool:
        return not self.runnable

    async def settle(self) -> None:
        if not self.runnable:
            # Nobody but the driver has anything to do, and it goes on. Only a deadline may have been moved meanwhile.
            if self.moved:
                self.due, self.moved = self._due(self._next_deadline()), False
            if self.due > self.reading:
                self.woken = False
                return
        await self._settle()

    async def settle_one(self) -> None:
        """Do the same after one task was woken: `woken` is False unless another becomes runnable meanwhile."""
        self.woken = False
        await self._settle()

    async def _settle(self) -> None:
        self._driver = current_task()
        await self._park()
        while self.woken:  # A deadline was due at once: it was met in the same pass in which we were woken.
            await self._park()

    def next_due(self) -> int:
        return self.due

    async def step(self, due: int) -> None:
        self.reading = max(self.reading, due)
        self._firing = True
        await self._settle()


class WallClock(RunClock):
    """Time that follows `wall`, one reading at a time.

    Args:
        wall: Nanoseconds UTC now; must not go back (a monotonic clock plus an origin).
        watchdog: Told of every step that a task of the run takes.
    """

    __slots__ = ("_idle", "_members", "_next", "_runnable", "_watchdog", "wall")

    def __init__(self, wall: Callable[[], int], watchdog: Watchdog | None = None) -> None:
        super().__init__(wall())
        self.wall = wall
        self._watchdog = watchdog
        self._members: set[Task] = set()
        self._runnable: set[Task] = set()
        self._idle: float | None = None
        self._next = math.inf

    def adopt(self) -> None:
        self._members.add(current_task())

    def deadline_to_sleep_time(self, deadline: float) -> float:
        # Nobody is runnable, so time may move: `after_io_wait` moves it once the real wait is over.
        if self.turns:
            self.turns.give()
            return 0.0
        self.turns.pauses += 1
        due = self._due(deadline)
        if due <= self.reading:
            self._step_to(deadline, due)
            return 0.0
        self._idle = deadline
        if due == NEVER:
            return math.inf
        return max(0.0, (due - self.wall()) * 1e-9)

    def after_io_wait(self, timeout: float) -> None:  # noqa: ARG002 - Trio calls it so
        deadline, self._idle = self._idle, None
        if deadline is None:
            return
        now, due = self.wall(), self._due(deadline)
        if now >= due:
            self._step_to(deadline, due)
        else:
            self.reading = max(self.reading, now)

    def task_spawned(self, task: Task) -> None:
        nursery = task.parent_nursery
        if nursery is not None and nursery.parent_task in self._members:
            self._members.add(task)

    def task_scheduled(self, task: Task) -> None:
        if task in self._members:
            self._runnable.add(task)
            self.woken = True

    def before_task_step(self, task: Task) -> None:
        self._runnable.discard(task)
        if self._watchdog is not None and task in self._members:
            self._watchdog.enter(task)

    def after_task_step(self, task: Task) -> None:
        if self._watchdog is not None and self._watchdog.running is task:  # It may have exited: no member any more.
            self._watchdog.leave()
        if self._runnable:
            return
        if self.turns:
            self.turns.give()
        elif self._parked is not None:
            parked, self._parked = self._parked, None
            self.turns.pauses += 1
            reschedule(parked)

    def task_exited(self, task: Task) -> None:
        self._members.discard(task)
        self._runnable.discard(task)

    @property
    def calm(self) -> bool:
        return not (self._runnable or self.turns)

    async def settle(self) -> None:
        while self._runnable or self.turns:
            await self._park()
        self.woken = False

    def next_due(self) -> int:
        self._next = self._next_deadline()
        return self._due(self._next)

    async def step(self, due: int) -> None:
        # Not beyond a deadline that has passed already, such as one set just now: Trio meets it in its next pass.
        self._step_to(self._next, due)
        await trio.lowlevel.checkpoint()
        await self.settle()
