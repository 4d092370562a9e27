"""Where strategies live: a nursery that outlives the rest of a run, so that one that can't be ended is left behind.

Trio ends a nursery when its tasks have ended, and can't end one that shields itself or swallows its cancellation.
Everything else of the run is therefore closed before: books are compared, the report is made, the tape is sealed.
What is still there then stays where it is for ever, and the run is over.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, nullcontext, suppress
from typing import Final, TypeVar

import trio

from strategykit.errors import StrategyBlocked, StrategykitError, only_error
from strategykit.runtime.clock import ReplayClock, RunClock

__all__ = ["imports_left_alone", "run_with_home"]

T = TypeVar("T")

EMPTY_WITHIN: Final = 0.1
"""Seconds for the tasks that are left at the end of a run to end by themselves."""


COLLECT_AFTER: Final = 100_000
"""Objects more than before, until a replay looks for those that hold each other. What it makes either dies at once or
stays to the end, as orders do: Python's own count has each of them looked at again and again."""


def run_with_home(clock: RunClock, main: Callable[[trio.Nursery], Awaitable[T]]) -> T:
    """Run `main` with a nursery whose tasks are the run's, and return, or raise, when it has ended; whatever is left.

    Raises:
        StrategykitError: The first one that `main` raised.
        StrategyBlocked: `main` raised, and tasks of the nursery wouldn't end.
    """
    done: list[T] = []
    try:
        with _collecting_rarely() if isinstance(clock, ReplayClock) else nullcontext():
            _run(clock, main, done)
    except* StrategykitError as group:
        raise only_error(group) from None
    return done[0]


@contextmanager
def imports_left_alone() -> Generator[None]:
    """Have collections leave alone what there is now: looking at all that was imported takes 30 ms of a live run.

    For programs whose one task is that run. What is dead already is collected before, as it would be left alone, too.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _collecting_rarely() -> Generator[None]:
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], COLLECT_AFTER) if before[0] else 0, *before[1:])  # 0: somebody has switched it off.
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _run(clock: RunClock, main: Callable[[trio.Nursery], Awaitable[T]], done: list[T]) -> None:
    try:
        trio.run(_main, clock, main, done, clock=clock, instruments=[clock], strict_exception_groups=True)
    except trio.TrioInternalError as exc:
        # Were they collected, Python would throw into each of them once more, and tell on stderr how it was ignored.
        threading.Thread(target=_keep, args=(exc,), name="left behind", daemon=True).start()
        if not clock.torn:
            raise
        if not done:
            raise StrategyBlocked("tasks of a strategy wouldn't end; the run was left without them") from None


async def _main(clock: RunClock, main: Callable[[trio.Nursery], Awaitable[T]], done: list[T]) -> None:
    token = trio.lowlevel.current_trio_token()
    leaving = threading.Timer(EMPTY_WITHIN, _tear, (clock, token))
    leaving.daemon = True
    try:
        async with trio.open_nursery() as nursery:
            home = await nursery.start(_open_home, clock)
            try:
                done.append(await main(home))
            finally:
                nursery.cancel_scope.cancel()
                leaving.start()
    finally:
        leaving.cancel()


async def _open_home(clock: RunClock, *, task_status: trio.TaskStatus[trio.Nursery]) -> None:
    clock.adopt()
    async with trio.open_nursery() as home:
        task_status.started(home)
        await trio.sleep_forever()


def _tear(clock: RunClock, token: trio.lowlevel.TrioToken) -> None:
    """Have the loop end at its next pass. In another thread: a replay's own time doesn't move any more."""
    clock.tear()
    with suppress(trio.RunFinishedError, OSError):  # It may have ended just now, and closed what wakes it.
        token.run_sync_soon(int)  # Whatever: it makes the loop pass.


def _keep(_: BaseException) -> None:
    """Hold what is left behind until the process ends."""
    threading.Event().wait()
