"""A sweep: which sets of parameters there are, which of them have been run, and running the others."""

from __future__ import annotations

import itertools
import math
import shutil
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from strategykit.archive.reader import Archive
from strategykit.errors import ConfigError, StrategykitError
from strategykit.report.summary import METRICS
from strategykit.runtime.identity import code_digest, data_digest, parameters_of, program_version, run_identity
from strategykit.runtime.load import load_strategy, make_strategy
from strategykit.runtime.served import refuse_missing
from strategykit.sim.fees import check_fees_of
from strategykit.strategy import Strategy
from strategykit.sweep.data import prepare
from strategykit.sweep.keeping import Kept
from strategykit.sweep.local import Batch, Workers
from strategykit.sweep.work import Outcome, Task
from strategykit.venues.streams import PRIVATE

__all__ = ["BATCH", "Objective", "Progress", "Sweeping", "open_sweep"]

BATCH: Final = 64
"""Sets in one pass, unless fewer fill all processes: enough that building an event costs next to nothing."""


@attrs.frozen
class Objective:
    """What makes one set better than another.

    Raises:
        ConfigError: There is no such figure.
    """

    metric: str = "sharpe"
    smallest: bool = False
    """Whether less is better."""

    def __attrs_post_init__(self) -> None:
        names = [metric.name for metric in METRICS]
        if self.metric not in names:
            raise ConfigError(f"--objective {self.metric}: there is no such figure; there are {', '.join(names)}")

    def rank(self, outcome: Outcome) -> tuple[bool, float]:
        """Give what sorts the best first; what has no such figure comes last."""
        value = outcome.metrics.get(self.metric)
        if value is None or not math.isfinite(value):
            return True, 0.0
        return False, value if self.smallest else -value

    def value(self, outcome: Outcome) -> float | None:
        missing, rank = self.rank(outcome)
        return None if missing else rank if self.smallest else -rank

    def best(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Give outcomes, the best first; those that are alike in the order in which they were tried."""
        return sorted(outcomes, key=self.rank)


@attrs.frozen
class Progress:
    """How far a sweep is."""

    done: int
    total: int
    kept: int
    """Of those done: that had been run before."""
    best: Outcome | None


@attrs.define(eq=False, kw_only=True)
class Sweeping:
    """One sweep; `open_sweep` makes it."""

    task: Task
    """Of all sets; each window has its own."""
    archive: Archive
    workers: Workers
    kept: Kept
    objective: Objective
    parts: int
    """Batches to be made at least, so that every worker gets some."""
    batch: int = BATCH
    on_progress: Callable[[Progress], None] = lambda _: None
    _strategy: type[Strategy]
    _code: str
    _data: str
    _version: str
    _total: int = 0
    _done: int = 0
    _found: int = 0
    _best: Outcome | None = None

    def expect(self, count: int) -> None:
        """Know how many sets are to come in all."""
        self._total += count

    def identity(self, values: Mapping[str, str], window: tuple[int, int] | None = None) -> str:
        """Give the identity of the run with a set of parameters.

        Raises:
            ConfigError: The strategy doesn't take them.
        """
        task = self.task
        return run_identity(
            code=[self._code],
            parameters=[parameters_of(make_strategy(self._strategy, {**task.fixed, **values}))],
            data=self._data,
            models=task.models,
            seed=task.seed,
            cash=task.cash,
            version=self._version,
            limits=task.limits,
            window=window,
        )

    def run(self, sets: Sequence[Mapping[str, str]], window: tuple[int, int] | None = None) -> list[Outcome]:
        """Run sets that haven't been run before; give what each came to, in their order.

        Raises:
            ConfigError: The strategy doesn't take some of them.
            StrategyError: The first sets all want a stream that isn't recorded. Where sets want different ones, that
                is what those come to which can't be run.
            ResultError: What came out can't be kept.
        """
        names = [self.identity(values, window) for values in sets]
        if not self._done:
            self._refuse_missing(sets)
        found: dict[str, Outcome] = {}
        todo: dict[str, dict[str, str]] = {}
        for name, values in zip(names, sets, strict=True):
            outcome = self.kept.get(name)
            if outcome is None:
                todo.setdefault(name, dict(values))
            elif name not in found:
                found[name] = attrs.evolve(outcome, parameters=dict(values))
                self._found += 1
                self._tell(found[name])
        of_set = {tuple(values.items()): name for name, values in todo.items()}

        def told(batch: Batch, outcomes: list[Outcome]) -> None:
            for values, outcome in zip(batch.sets, outcomes, strict=True):
                name = of_set[tuple(values.items())]
                found[name] = outcome
                if outcome.whole:
                    self.kept.put(name, outcome)
                self._tell(outcome)

        if todo:
            self.workers(self._batches(list(todo.values()), window), told)
        return [attrs.evolve(found[name], parameters=dict(values)) for name, values in zip(names, sets, strict=True)]

    def _refuse_missing(self, sets: Sequence[Mapping[str, str]]) -> None:
        """See that some set has its streams, unless they aren't the same ones in all sets."""
        first: StrategykitError | None = None
        for values in sets:
            missing = self._missing(values)
            if missing is None or (first is not None and str(missing) != str(first)):
                return
            first = first or missing
        if first is not None:
            raise first

    def _missing(self, values: Mapping[str, str]) -> StrategykitError | None:
        """Say what a set wants that isn't recorded; None if there is nothing."""
        strategy = make_strategy(self._strategy, {**self.task.fixed, **values})
        public = [stream for stream in self.archive.streams if stream.kind not in PRIVATE]
        try:
            refuse_missing(public, [(self._strategy.__name__, strategy)], self.archive.first, where="the recording")
        except StrategykitError as exc:
            return exc
        return None

    def _batches(self, sets: Sequence[dict[str, str]], window: tuple[int, int] | None) -> list[Batch]:
        """Give batches of one size, as far as that goes, and at least one for each worker."""
        count = max(math.ceil(len(sets) / self.batch), min(self.parts, len(sets)))
        task = attrs.evolve(self.task, window=window)
        ends = [round(len(sets) * number / count) for number in range(count + 1)]
        return [Batch(task, sets[start:stop]) for start, stop in itertools.pairwise(ends)]

    def _tell(self, outcome: Outcome) -> None:
        self._done += 1
        if self._best is None or self.objective.rank(outcome) < self.objective.rank(self._best):
            self._best = outcome
        self.on_progress(Progress(self._done, max(self._total, self._done), self._found, self._best))


@contextmanager
def open_sweep(
    task: Task,
    *,
    out: Path | None,
    workers: Workers,
    parts: int = 1,
    objective: Objective | None = None,
    batch: int = BATCH,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_data: Callable[[float], None] = lambda _: None,
) -> Generator[Sweeping]:
    """Make the data ready, and yield a sweep.

    Args:
        task: What all sets have in common; its data may be a tape, too.
        out: A folder for outcomes and unpacked data, from which the sweep goes on if it is begun again; None: nothing
            is kept.
        workers: What runs batches.
        parts: Batches to be made at least.
        objective: What is best; None: the Sharpe ratio.
        batch: Sets in one pass, at most.
        on_progress: Told after each set.
        on_data: Takes the part of a tape that has been read, 0 to 1.

    Raises:
        TapeError: The data can't be read.
        ConfigError: The models have fees of an instrument that the data don't have.
        StrategyError: The strategy's file can't be used.
        ResultError: The folder can't be made.
    """
    folder = Path(tempfile.mkdtemp(prefix="strategykit-sweep-")) if out is None else out
    try:
        kept = Kept(folder)
        data, version = data_digest(task.data), program_version()
        archive = prepare(Path(task.data), data, version, folder / "data", on_data)
        symbols = [stream.instrument or "" for stream in archive.streams]
        check_fees_of(task.models.fees_of, archive.instruments.values(), where="the recording", symbols=symbols)
        where = attrs.evolve(
            task, data=str(archive.path.resolve()), cache=str((folder / "cache").resolve()), file=_whole(task.file)
        )
        yield Sweeping(
            task=where,
            archive=archive,
            workers=workers,
            kept=kept,
            objective=objective or Objective(),
            parts=parts,
            batch=batch,
            on_progress=on_progress,
            strategy=load_strategy(task.file),
            code=code_digest(task.file),
            data=data,
            version=version,
        )
    finally:
        if out is None:
            shutil.rmtree(folder, ignore_errors=True)


def _whole(file: str) -> str:
    """Give a file's name for processes that may be elsewhere; samples are the same everywhere."""
    return file if file.startswith("sample:") else str(Path(file).resolve())
