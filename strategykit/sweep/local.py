"""Batches in processes of this machine. One that is killed takes nothing with it: its batch is done again, in parts."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Final, Protocol

import attrs

from strategykit.sweep.work import Outcome, Task, as_plain, run_batch, run_plain

__all__ = ["TRIES", "Batch", "Workers", "run_here", "run_in_processes", "what_is_left"]

TRIES: Final = 3
"""Times that a set is begun, where its worker dies each time."""


@attrs.define(eq=False)
class Batch:
    """Some sets of parameters that are run in one pass."""

    task: Task
    sets: Sequence[dict[str, str]]
    tries: int = 0
    """Times that it was begun; for a part of a batch whose worker died, that counts as one."""


class Workers(Protocol):
    """Runs batches and tells what they came to, batch by batch."""

    def __call__(self, batches: Sequence[Batch], told: Callable[[Batch, list[Outcome]], None]) -> None: ...


def run_here(batches: Sequence[Batch], told: Callable[[Batch, list[Outcome]], None]) -> None:
    """Run them in this process."""
    for batch in batches:
        told(batch, run_batch(batch.task, batch.sets))


def run_in_processes(
    batches: Sequence[Batch], told: Callable[[Batch, list[Outcome]], None], *, processes: int, tries: int = TRIES
) -> None:
    """Run them in processes of their own.

    When one dies, nobody knows whose batch it was: those that were being run are run again, one at a time, and one
    that kills its worker then in halves, down to the set which does it. After `tries` times that is told of the set.
    """
    waiting, suspects = deque(batches), deque[Batch]()
    while waiting or suspects:
        suspects.extend(_run_pool(waiting, suspects, told, processes, tries))


def _run_pool(
    waiting: deque[Batch],
    suspects: deque[Batch],
    told: Callable[[Batch, list[Outcome]], None],
    processes: int,
    tries: int,
) -> list[Batch]:
    """Run until all is done or a process dies; give the batches that were being run then."""
    pool = ProcessPoolExecutor(
        min(processes, len(waiting) + len(suspects)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_end_with_parent,
    )
    flying: list[Batch] = []
    futures: dict[Future[list[dict[str, Any]]], Batch] = {}

    def begin(batch: Batch) -> None:
        batch.tries += 1
        flying.append(batch)
        futures[pool.submit(run_plain, as_plain(batch.task), batch.sets)] = batch

    try:
        while waiting or suspects or futures:
            if suspects and not futures:
                begin(suspects.popleft())
            while waiting and len(futures) < processes and not any(batch.tries > 1 for batch in flying):
                begin(waiting.popleft())
            for future in wait(futures, return_when=FIRST_COMPLETED).done:
                batch = futures.pop(future)
                told(batch, [Outcome(**row) for row in future.result()])
                flying.remove(batch)
    except BrokenProcessPool:
        return what_is_left(flying[0], told, tries) if len(flying) == 1 else flying
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return []


def what_is_left(batch: Batch, told: Callable[[Batch, list[Outcome]], None], tries: int) -> list[Batch]:
    """Give what is to be run of a batch whose worker died while nothing else was being run.

    That is both halves; of a single set, the set, unless it was begun `tries` times: then it is told of.
    """
    if len(batch.sets) > 1:
        middle = len(batch.sets) // 2
        return [Batch(batch.task, sets, tries=1) for sets in (batch.sets[:middle], batch.sets[middle:])]
    if batch.tries < tries:
        return [batch]
    error = f"not run: its worker died {batch.tries} times"
    told(batch, [Outcome(parameters=dict(values), error=error) for values in batch.sets])
    return []


def _end_with_parent() -> None:
    """Have this process end when the one that wants its outcomes does, however that ends."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
