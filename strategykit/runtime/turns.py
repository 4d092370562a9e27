"""Taking turns: tasks that Trio wakes together go on one after the other, in the order in which they were started.

Trio shuffles tasks that become runnable together: two that sleep until the same moment, all that one cancel reaches,
two that were started by the same line. Whoever decides by such an order decides otherwise in the next run. So every
task of a run that can decide anything is started here. Whenever it is woken, it first waits for its turn, and turns
are given one at a time while no task of the run is runnable. A task that the driver woke alone needs no turn.

Tasks of nurseries that a strategy opens by itself are Trio's own: their order among each other is not promised.
"""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from itertools import count
from operator import itemgetter
from typing import Any, Final, NoReturn, TypeVar

import trio
from trio.lowlevel import Abort, RaiseCancelT, Task, current_task, reschedule, wait_task_rescheduled

from strategykit.errors import StrategyBlocked

__all__ = ["LAST_STEPS", "MOST_STEPS", "Turns", "wake_alone"]

T = TypeVar("T")

MOST_STEPS: Final = 20_000
"""Steps of one task while all others wait for it: about 0.2 s. More is a loop that yields without ever waiting."""

LAST_STEPS: Final = 500
"""Steps more for one that was told so, to clean up without waiting: meanwhile nobody else's orders can be withdrawn."""

_ALONE: Final = object()
"""Left with a task that was woken alone."""


def wake_alone(task: Task) -> None:
    """Wake a task while no other one of the run is runnable: it goes on without a turn. For the driver."""
    reschedule(task)
    task.custom_sleep_data = _ALONE


def _tell_nobody(_: Task) -> None:
    """Nobody looks after the tasks."""


async def _sleep_for_good() -> NoReturn:
    while True:
        await wait_task_rescheduled(lambda _: Abort.FAILED)


class Turns:
    """Who waits for its turn. The clock gives turns: it knows when nobody is runnable."""

    def __init__(self) -> None:
        self.pauses = 0
        """Counts the moments at which every task was blocked; the clock counts."""
        self.parked: Callable[[Task], None] = _tell_nobody
        """Called with a task that gets no more turns: it was told that it blocks, and went on blocking."""
        self._ranks = count()
        self._round: deque[tuple[int, Task]] = deque()
        # Who waits again has to wait for the others of its round: one that yields in a loop starves nobody.
        self._next: list[tuple[int, Task]] = []

    def __bool__(self) -> bool:
        return bool(self._round or self._next)

    def give(self) -> None:
        """Have the next one go on; there must be one."""
        if not self._round:
            self._round.extend(sorted(self._next, key=itemgetter(0)))
            self._next.clear()
        reschedule(self._round.popleft()[1])

    def start(self, nursery: trio.Nursery, function: Callable[..., Any], *arguments: object) -> None:
        """Start a task that takes turns with all others that were started so; those started first come first."""
        nursery.start_soon(self._run, next(self._ranks), function, arguments, name=function)

    async def _run(self, rank: int, function: Callable[..., Any], arguments: tuple[object, ...]) -> None:
        await self._wait(rank)
        coroutine = function(*arguments)
        if not isinstance(coroutine, Coroutine):
            raise TypeError(f"only async functions can be started, not {function!r}")
        await self._drive(rank, coroutine)

    async def _wait(self, rank: int) -> None:
        self._next.append((rank, current_task()))

        def abort(_: RaiseCancelT) -> Abort:
            # The turn comes soon, and with it what the task was woken with; it is cancelled where it waits next.
            return Abort.FAILED

        await wait_task_rescheduled(abort)

    @types.coroutine
    def _drive(self, rank: int, coroutine: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
        """Await `coroutine`; each time that Trio lets it go on, wait for the turn first."""
        task, pauses, steps, told = current_task(), self.pauses, 0, False
        sent: Any = None
        try:
            trap = coroutine.send(None)
            while True:
                sent = yield trap
                if task.custom_sleep_data is _ALONE:
                    task.custom_sleep_data = None
                else:
                    yield from self._wait(rank).__await__()
                if self.pauses != pauses:
                    pauses, steps = self.pauses, 0
                steps += 1
                if steps > MOST_STEPS + LAST_STEPS and told:
                    # As a loop does that catches everything, its own cancellation too. Nothing can end it.
                    self.parked(task)
                    yield from _sleep_for_good().__await__()
                if steps == MOST_STEPS + 1:
                    told = True
                    trap = coroutine.throw(
                        StrategyBlocked(
                            f"{task.name} went on {MOST_STEPS} times without waiting for anything, and nobody else "
                            "could; sleep in the loop, or wait for what it looks for"
                        )
                    )
                else:
                    trap = coroutine.send(sent)
        except StopIteration as stop:
            result: T = stop.value
            return result
