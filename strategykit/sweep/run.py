"""From what is wanted to what came out: a sweep as the command line has it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import attrs

from strategykit.errors import ConfigError
from strategykit.runtime.load import load_strategy
from strategykit.sweep.axes import read_axes
from strategykit.sweep.forward import read_splits, walk_forward_over
from strategykit.sweep.local import Workers, run_here, run_in_processes
from strategykit.sweep.results import Sweep
from strategykit.sweep.search import search
from strategykit.sweep.space import MOST_SETS, Space
from strategykit.sweep.sweeping import BATCH, Objective, Progress, Sweeping, open_sweep
from strategykit.sweep.work import Outcome, Task

__all__ = ["Choice", "run_sweep"]


@attrs.frozen(kw_only=True)
class Choice:
    """Which sets of parameters are tried: all combinations, unless `random` or `optuna` says how many."""

    axes: Sequence[str] = ()
    """Such as ``"fast=5..50:5"``; none: every range that the strategy declares."""
    where: Sequence[str] = ()
    """Conditions, such as ``"fast < slow"``."""
    random: int | None = None
    optuna: int | None = None
    seed: int = 0
    """Of what is drawn."""
    most: int = MOST_SETS


def run_sweep(
    task: Task,
    choice: Choice,
    *,
    objective: Objective | None = None,
    walk_forward: str | None = None,
    out: Path | None = None,
    processes: int = 1,
    on: str | None = None,
    batch: int = BATCH,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_data: Callable[[float], None] = lambda _: None,
) -> Sweep:
    """Run a strategy with many sets of parameters.

    A script that wants several processes begins with ``if __name__ == "__main__":``, as it is imported by each.

    Args:
        task: The strategy, the data, and what is assumed.
        choice: Which sets are tried.
        objective: What is best; None: the highest Sharpe ratio.
        walk_forward: ``"train=10d,test=2d"`` or a number of splits: the best set of each window is run on the next.
        out: A folder from which the sweep goes on if it is begun again; None: nothing is kept.
        processes: At a time, on this machine.
        on: ``"dask"`` or ``"dask://host:port"``; None: processes of this machine.
        batch: Sets in one pass over the data, at most.
        on_progress: Told after each set.
        on_data: Takes the part of a tape that has been read, 0 to 1.

    Raises:
        ConfigError: A range, a condition or a parameter is wrong.
        StrategyError: The strategy's file can't be used, or all sets want a stream that isn't recorded.
        TapeError: The data can't be read.
        ResultError: What comes out can't be kept.
    """
    cls, objective = load_strategy(task.file), objective or Objective()
    axes = read_axes(cls, choice.axes, listed=choice.random is None and choice.optuna is None)
    space = Space(strategy=cls, axes=axes, fixed=task.fixed, where=choice.where, most=choice.most)
    sets = [] if choice.optuna is not None else _chosen(space, choice)
    if choice.optuna is not None and not 1 <= choice.optuna <= choice.most:
        raise ConfigError(f"--optuna {choice.optuna:,}: at least 1 set, and at most {choice.most:,}")
    if task.memory is None:
        task = attrs.evolve(task, memory=_memory() // processes)
    with open_sweep(
        task,
        out=out,
        workers=_workers(on, processes),
        parts=processes,
        objective=objective,
        batch=batch,
        on_progress=on_progress,
        on_data=on_data,
    ) as sweeping:
        trial = partial(_try, sweeping, space, sets, choice)
        splits = [] if walk_forward is None else read_splits(walk_forward, sweeping.archive)
        if splits:
            count = choice.optuna or len(sets)
            sweeping.expect(len(splits) * (count + 1))
            forward = walk_forward_over(sweeping, splits, trial)
            return Sweep(cls.__name__, str(task.data), axes, objective, forward[-1].tried, forward)
        sweeping.expect(choice.optuna or len(sets))
        return Sweep(cls.__name__, str(task.data), axes, objective, trial(None))


def _chosen(space: Space, choice: Choice) -> list[dict[str, str]]:
    return space.grid() if choice.random is None else space.draw(choice.random, choice.seed)


def _try(
    sweeping: Sweeping, space: Space, sets: Sequence[dict[str, str]], choice: Choice, window: tuple[int, int] | None
) -> list[Outcome]:
    if choice.optuna is None:
        return sweeping.run(sets, window)
    return search(sweeping, space, choice.optuna, seed=choice.seed, window=window)


def _memory() -> int:
    """Give half of this machine's memory, in bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _workers(on: str | None, processes: int) -> Workers:
    if on is None:
        return run_here if processes == 1 else partial(run_in_processes, processes=processes)
    if on == "dask" or on.startswith("dask://"):
        from strategykit.sweep.on_dask import run_on_dask

        return partial(run_on_dask, address=on.removeprefix("dask").removeprefix("://") or None, processes=processes)
    raise ConfigError(f"--on {on}: there is dask for this machine, and dask://HOST:PORT for a scheduler elsewhere")
