"""Waking tasks one at a time, in a stated order: Trio shuffles tasks that become runnable together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import attrs
import trio
from trio.lowlevel import Abort, RaiseCancelT, Task, current_task, reschedule, wait_task_rescheduled

from strategykit.runtime.turns import wake_alone

__all__ = ["Doorbell", "Signal", "Wakes"]


@attrs.define(eq=False)
class Doorbell:
    """Wake the one task that waits for work; rings that find nobody waiting are remembered."""

    _task: Task | None = attrs.field(default=None, init=False)
    _rung: bool = attrs.field(default=False, init=False)

    def ring(self) -> None:
        task, self._task = self._task, None
        if task is None:
            self._rung = True
        else:
            reschedule(task)

    async def wait(self) -> None:
        """Return once it has been rung since the last return."""
        if self._rung:
            await trio.lowlevel.checkpoint()
            self._rung = False
            return
        self._task = current_task()

        def abort(_: RaiseCancelT) -> Abort:
            self._task = None
            return Abort.SUCCEEDED

        await wait_task_rescheduled(abort)


@attrs.define(eq=False)
class _Waiter:
    task: Task | None


@attrs.define(eq=False)
class Wakes:
    """Who is to be woken, in the order in which their news came. The driver wakes them, one after the other."""

    ring: Callable[[], None]
    """Called when the first one is added, so that the driver looks."""
    queue: deque[_Waiter] = attrs.field(factory=deque, init=False)
    batches: list[Callable[[], None]] = attrs.field(factory=list, init=False)
    """To be handed over before anybody is woken."""

    def __bool__(self) -> bool:
        return bool(self.queue or self.batches)

    def add_batch(self, flush: Callable[[], None]) -> None:
        """Have `flush` called before anybody is woken: a batch of events has begun."""
        self.batches.append(flush)
        self.ring()

    def flush(self) -> None:
        """Have all batches handed over, in the order in which they began."""
        while self.batches:
            batches, self.batches = self.batches, []
            for flush in batches:
                flush()

    def add(self, waiter: _Waiter) -> None:
        self.queue.append(waiter)
        if len(self.queue) == 1:
            self.ring()

    def wake_next(self) -> None:
        """Make the oldest one runnable, unless it was cancelled meanwhile."""
        task = self.queue.popleft().task
        if task is not None:
            wake_alone(task)


@attrs.define(eq=False)
class Signal:
    """Something that changes, and tasks that wait for a change. Nothing is lost between a look and a wait."""

    wakes: Wakes
    waiters: list[_Waiter] | None = attrs.field(default=None, init=False)
    """Who waits now: where nobody does, `notify` does nothing."""

    def notify(self) -> None:
        """Have everyone who waits now woken, in the order in which they began to wait."""
        if self.waiters:
            waiters, self.waiters = self.waiters, None
            for waiter in waiters:
                self.wakes.add(waiter)

    async def wait(self) -> None:
        """Return after the next `notify`."""
        waiter = _Waiter(current_task())
        if self.waiters is None:
            self.waiters = []
        self.waiters.append(waiter)

        def abort(_: RaiseCancelT) -> Abort:
            # It stands in our list, or already in the queue of the woken: there it is passed over.
            waiter.task = None
            if self.waiters and waiter in self.waiters:
                self.waiters.remove(waiter)
            return Abort.SUCCEEDED

        await wait_task_rescheduled(abort)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once `condition` holds, looked at now and after every `notify`. A checkpoint in any case."""
        if condition():
            await trio.lowlevel.checkpoint()
            return
        while not condition():
            await self.wait()
