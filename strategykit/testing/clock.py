"""Time that jumps: a live run's own clock, on a wall clock that moves only when everybody waits."""

from __future__ import annotations

from typing import Final

import trio

from strategykit.runtime.clock import NEVER, WallClock

__all__ = ["VirtualClock", "VirtualWall"]

_STEP: Final = 1_000
"""Nanoseconds that a look at the clock takes, so that two things that happen one after the other have two times."""

_PATIENCE: Final = 0.02
"""Real seconds to wait for a thread at a time, or for what else comes from outside the loop."""


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

    While one of Trio's threads is at work the clock stands still: its work takes no time.

    Args:
        wall: What jumps.
    """

    __slots__ = ("_limiter", "_virtual")

    def __init__(self, wall: VirtualWall) -> None:
        super().__init__(wall)
        self._virtual = wall
        self._limiter: trio.CapacityLimiter | None = None

    def before_run(self) -> None:
        """For Trio, which calls it once the loop is there."""
        self._limiter = trio.to_thread.current_default_thread_limiter()

    def deadline_to_sleep_time(self, deadline: float) -> float:
        seconds = super().deadline_to_sleep_time(deadline)
        if not seconds:
            return 0.0
        if self._limiter is not None and self._limiter.borrowed_tokens:
            return _PATIENCE
        due = self._due(deadline)
        if due == NEVER:
            return _PATIENCE
        self._virtual.now = max(self._virtual.now, due)
        return 0.0
