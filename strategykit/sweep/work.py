"""What a worker does: a batch of parameter sets, in one pass over the data, down to their figures."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from strategykit.archive.reader import Archive
from strategykit.errors import StrategykitError
from strategykit.model.codec import from_dict, make_converter, to_dict
from strategykit.model.risk_limits import DEFAULT_PLAN, RiskPlan
from strategykit.report.facts import RunFacts
from strategykit.report.result import Result
from strategykit.runtime.abreast import backtest_abreast
from strategykit.runtime.bench import BacktestPlan
from strategykit.runtime.column_source import ColumnSource
from strategykit.runtime.load import load_strategy, make_strategy
from strategykit.runtime.report import RunReport
from strategykit.sim.models.fill_models import DEFAULT_MODELS, FillModels
from strategykit.strategy import Strategy
from strategykit.sweep.window import WindowOfColumns

__all__ = ["Outcome", "Task", "as_plain", "resident", "run_batch", "run_plain"]


@attrs.frozen(kw_only=True)
class Task:
    """What all sets have in common. It goes to other processes: data go as names of files."""

    file: str
    """The strategy's."""
    data: str
    """An archive's folder."""
    cache: str | None = None
    """Folder of what has been unpacked of it, to be mapped into memory."""
    fixed: Mapping[str, str] = attrs.field(factory=dict)
    """Parameters that are the same in all sets."""
    cash: Decimal = Decimal(1_000_000)
    models: FillModels = DEFAULT_MODELS
    limits: RiskPlan = DEFAULT_PLAN
    seed: int | None = None
    window: tuple[int, int] | None = None
    """First nanosecond that counts, and first that doesn't any more; None: all of the data."""
    memory: int | None = None
    """Bytes that a batch may come to need: one that needs more is run in halves. None: whatever it takes."""


@attrs.frozen(kw_only=True)
class Outcome:
    """What one set of parameters came to."""

    parameters: Mapping[str, str]
    metrics: Mapping[str, float | None] = attrs.field(factory=dict)
    """See `strategykit.report.summary.METRICS`; in the currency with the most fills."""
    digest: str = ""
    """SHA-256 over events, commands, orders and fills."""
    error: str = ""
    """Why there are no figures, or what went wrong on the way to them."""
    warnings: tuple[str, ...] = ()
    """On what the figures depend that the data don't tell."""

    @property
    def whole(self) -> bool:
        """Whether it was run to the end."""
        return bool(self.digest)


def run_batch(task: Task, sets: Sequence[Mapping[str, str]]) -> list[Outcome]:
    """Run sets of parameters side by side; an outcome each, in their order.

    Raises:
        TapeError: The data can't be read.
        StrategyError: The strategy's file can't be used.
    """
    cls = load_strategy(task.file)
    source: ColumnSource = Archive.open(task.data, cache=None if task.cache is None else Path(task.cache))
    if task.window is not None:
        source = WindowOfColumns(source, *task.window)
    return [outcome for values in _run(task, cls, source, sets) for outcome in values]


class _TooMuch(Exception):
    """A batch needs more memory than it may."""


def _run(
    task: Task, cls: type[Strategy], source: ColumnSource, sets: Sequence[Mapping[str, str]]
) -> Iterator[list[Outcome]]:
    began = resident()

    def look(_: float) -> None:
        if task.memory is not None and len(sets) > 1 and resident() - began > task.memory:
            raise _TooMuch

    makers = [partial(_plan, task, cls, source, values) for values in sets]
    reports: list[RunReport | StrategykitError] = []
    try:
        reports = backtest_abreast(source, makers, on_progress=look)
    except* _TooMuch:
        """The halves are run below, when what this has left is gone."""
    if reports or not sets:
        yield [_outcome(values, report) for values, report in zip(sets, reports, strict=True)]
        return
    gc.collect()
    middle = len(sets) // 2
    for half in (sets[:middle], sets[middle:]):
        yield from _run(task, cls, source, half)


def resident() -> int:
    """Give the bytes of memory that this process takes; 0 where the system doesn't tell."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def as_plain(task: Task) -> dict[str, Any]:
    """Give what all sets have in common as values for JSON, to be sent to another process."""
    return to_dict(make_converter(), task, Task)


def run_plain(task: Mapping[str, Any], sets: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Do the same where the task came as `as_plain` gives it; outcomes are given likewise."""
    whole: Task = from_dict(make_converter(), task, Task)
    return [attrs.asdict(outcome) for outcome in run_batch(whole, sets)]


def _plan(task: Task, cls: type[Strategy], source: ColumnSource, values: Mapping[str, str]) -> BacktestPlan:
    return BacktestPlan(
        source=source,
        strategies=[(cls.__name__, make_strategy(cls, {**task.fixed, **values}))],
        cash=task.cash,
        models=task.models,
        limits=task.limits,
        seed=task.seed,
        collect=True,
    )


def _outcome(values: Mapping[str, str], report: RunReport | StrategykitError) -> Outcome:
    if isinstance(report, StrategykitError):
        return Outcome(parameters=dict(values), error=f"{type(report).__name__}: {report}")
    assert report.collected is not None
    found = Result(RunFacts(kind="backtest", source="", digest=report.digest), report.collected).metrics()
    return Outcome(
        parameters=dict(values),
        metrics={name: _plain(value) for name, value in found.items()},
        digest=report.digest,
        error="; ".join(item.error for item in report.strategies if item.error),
        warnings=tuple(report.warnings),
    )


def _plain(value: Any) -> float | None:
    return None if value is None else int(value) if isinstance(value, int) else float(value)
