"""Interrupting a strategy that holds the thread: one that blocks hurts itself, not those beside it.

Trio can't take the thread away from a task. A second thread looks at what is running; if the same step of the same
strategy is still there after the limit, it has the main thread interrupted by a signal, whose handler raises
`StrategyBlocked` there, inside the strategy's own code. Python runs such a handler between two instructions, and in
the midst of `time.sleep` and of other calls that a signal interrupts; a C function that never returns is out of reach.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import Final

import attrs
import trio

from strategykit.errors import StrategyBlocked

__all__ = ["INTERRUPT", "LIMIT", "StepWatch", "Watchdog", "watched"]

LIMIT: Final = 1.0
"""Seconds that a strategy may hold the thread. ALOR's buffer of 5,000 messages lasts as long at 5,000 a second."""

INTERRUPT: Final = signal.SIGUSR2
"""What interrupts. SIGUSR1 is people's, to pull the kill switch."""

_LOOK_EVERY: Final = 0.1
"""Seconds between two looks."""

_OURS: Final = ("trio._core", "strategykit.runtime.clock", "strategykit.runtime.turns", "strategykit.runtime.watchdog")
"""Modules in which nobody may be interrupted."""

_SPARED: Final = ("trio.", "strategykit.")
"""Packages in which a strategy isn't interrupted at first: what they have begun, such as an order, they should finish.
Strategies' own modules are loaded under names that don't begin so."""

_LOOKS: Final = 3
"""How often the same step must be met, however long ago it began: where the whole machine stands still for a while, the
step is met once when it goes on, and nobody has held anything."""

_SPARING: Final = 20
"""Looks for which it is tried to meet the strategy in its own code."""


@attrs.define(eq=False)
class Watchdog:
    """Watches the steps of strategies. Only one can watch at a time, and only in the main thread."""

    limit: float = LIMIT
    running: object = attrs.field(default=None, init=False)
    """The task, or the receiver of an event, that has the thread now; None: no strategy's."""
    step: int = attrs.field(default=0, init=False)
    """Counts steps, so that two looks can tell whether it is still the same one."""
    _over: int = attrs.field(default=-1, init=False)
    _spared: int = attrs.field(default=0, init=False)

    def enter(self, what: object) -> None:
        """A strategy's code is about to get the thread: a task's step, or a handler."""
        self.step += 1
        self.running = what

    def leave(self) -> None:
        """It has given it back."""
        self.running = None

    @contextmanager
    def watching(self) -> Generator[None]:
        """Watch while the block runs; does nothing outside the main thread, where no signal arrives."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        stop = threading.Event()
        before = signal.signal(INTERRUPT, self._interrupt)
        thread = threading.Thread(target=self._look, args=(stop,), name="watchdog", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            signal.signal(INTERRUPT, before)

    def _look(self, stop: threading.Event) -> None:
        seen, since, met = -1, 0.0, 0
        while not stop.wait(_LOOK_EVERY):
            step = self.step
            met += 1
            if self.running is None or step != seen:
                seen, since, met = step, time.monotonic(), 0
            elif met >= _LOOKS and time.monotonic() - since >= self.limit:
                # Again at every look: the strategy may have caught the first one, or been where it can't be raised.
                self._over = step
                signal.pthread_kill(threading.main_thread().ident or 0, INTERRUPT)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of handlers
        if self.running is None or self._over != self.step or not trio.lowlevel.in_trio_task():
            return
        # Between Trio and the strategy, an error would hit the run: Trio takes an instrument that raises for broken.
        module = "" if frame is None else f"{frame.f_globals.get('__name__')}."
        if module.startswith(_OURS):
            return
        if module.startswith(_SPARED) and self._spared < _SPARING:
            self._spared += 1
            return
        self._spared = 0
        name = getattr(self.running, "name", "") or "a handler"
        raise StrategyBlocked(
            f"{name} held the thread for over {self.limit:g} s; what takes long belongs in a task that "
            "waits, or in another process"
        )


class StepWatch(trio.abc.Instrument):
    """Tells a watchdog of each step of the tasks in `home` and below. For a run whose clock doesn't: in a replay, where
    a million events a second count, nobody else asks which task is whose.
    """

    def __init__(self, watchdog: Watchdog, home: trio.Nursery) -> None:
        self._watchdog = watchdog
        self._home = home
        self._members: set[trio.lowlevel.Task] = set()

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        nursery = task.parent_nursery
        if nursery is not None and (nursery is self._home or nursery.parent_task in self._members):
            self._members.add(task)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task in self._members:
            self._watchdog.enter(task)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if self._watchdog.running is task:  # It may have exited: no member any more.
            self._watchdog.leave()

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        self._members.discard(task)


_UNWATCHED: Final = nullcontext()


def watched(watchdog: Watchdog | None, what: object) -> AbstractContextManager[None]:
    """Watch a block in which handlers of strategies are called, with news of orders or bars of the past."""
    return _UNWATCHED if watchdog is None else _watched(watchdog, what)


@contextmanager
def _watched(watchdog: Watchdog, what: object) -> Generator[None]:
    watchdog.enter(what)
    try:
        yield
    finally:
        watchdog.leave()
