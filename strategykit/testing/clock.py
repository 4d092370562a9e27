"""Time that jumps: a live run's own clock, on a wall clock that moves only when everybody waits."""

from __future__ import annotations

import time
from typing import Final

import trio
import trio._core._run as trio_loop

from strategykit.runtime.clock import NEVER, WallClock

__all__ = ["VirtualClock", "VirtualWall"]

_STEP: Final = 1_000
"""Nanoseconds that a look at the clock takes, so that two things that happen one after the other have two times."""

_PATIENCE: Final = 0.02
"""Real seconds to wait for what comes from outside the loop at a time."""

_THREAD_WITHIN: Final = 1.0
"""Real seconds within which a thread has usually done its work."""


class VirtualWall:
    """A wall clock that is told what time it is.

    Args:
        start: Nanoseconds UTC.
    """

    def __init__(self, start: int) -> None:
        self.now = start

    def __call__(self) -> int:
        """Read the clock, which takes a microsecond."""
        self.now += _STEP
        return self.now


class VirtualClock(WallClock):
    """The clock of live runs, whose wall clock jumps to the next deadline as soon as no task can go on.

    While one of Trio's threads is at work clock and tasks stand still: its work takes no time, and what it comes to is
    there at the same step each time.

    Args:
        wall: What jumps.
    """

    __slots__ = ("_busy", "_limiter", "_virtual")

    def __init__(self, wall: VirtualWall) -> None:
        super().__init__(wall)
        self._virtual = wall
        self._limiter: trio.CapacityLimiter | None = None
        self._busy = 0

    def before_run(self) -> None:
        """For Trio, which calls it once the loop is there."""
        self._limiter = trio.to_thread.current_default_thread_limiter()

    def before_io_wait(self, timeout: float) -> None:  # noqa: ARG002 - Trio calls it so
        """For Trio, which calls it at every pass: let threads come to their ends before."""
        busy = 0 if self._limiter is None else self._limiter.borrowed_tokens
        # A thread begins at the step after its token was taken.
        begun, self._busy = min(busy, self._busy), busy
        if not begun:
            return
        # Where threads leave what they came to, or ask the loop for something; there is no public way to see it.
        left = trio_loop.GLOBAL_RUN_CONTEXT.runner.entry_queue
        until = time.monotonic() + _THREAD_WITHIN
        while len(left.queue) < begun and time.monotonic() < until:
            time.sleep(0.0001)
        with left.lock:
            """By now whoever left something has rung the bell, too."""

    def deadline_to_sleep_time(self, deadline: float) -> float:
        before = self._virtual.now
        seconds = super().deadline_to_sleep_time(deadline)
        if not seconds:
            return 0.0
        if self._limiter is not None and self._limiter.borrowed_tokens:
            self._virtual.now, self._idle = before, None  # However often the loop looks whether it is done.
            return _PATIENCE
        due = self._due(deadline)
        if due == NEVER:
            return _PATIENCE
        self._virtual.now = max(self._virtual.now, due)
        return 0.0
