"""Whether a strategy knows what it can't know yet: run again on data that end earlier, it has to decide the same.

A difference in what it decided before a cut can only come of what lies behind the cut, or of something that isn't in
the data at all: memory of a former run, a clock, chance.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import attrs

from strategykit.disk import in_words
from strategykit.errors import ConfigError, TapeError
from strategykit.model.codec import make_converter
from strategykit.parity.cut import cut_off
from strategykit.parity.openings import link_aside, recorded_files, watch_openings
from strategykit.parity.watching import watch_files
from strategykit.runtime.backtest import backtest
from strategykit.runtime.bench import BacktestPlan
from strategykit.runtime.decisions import Decision, DecisionLog
from strategykit.runtime.recorded import scan
from strategykit.runtime.recording import command_facts
from strategykit.runtime.recordings import open_recording
from strategykit.strategy import Strategy
from strategykit.tape.reader import Tape

__all__ = ["CutResult", "DecisionDifference", "LookAheadReport", "look_ahead"]

MOST_CUTS: Final = 1_000


@attrs.frozen(kw_only=True)
class DecisionDifference:
    """The first decision that came out otherwise on less data."""

    number: int
    """Which decision of the run it is, counted from 1."""
    time: int
    """When it was made first, nanoseconds UTC."""
    strategy: str
    whole: Mapping[str, Any] | None
    """The order command, on all data; None: there was none."""
    cut: Mapping[str, Any] | None
    """On those up to the cut; None: there was none."""

    @property
    def fields(self) -> Sequence[str]:
        """Name what differs."""
        one, other = _flat(self.whole), _flat(self.cut)
        return [key for key in dict.fromkeys([*one, *other]) if one.get(key) != other.get(key)]


@attrs.frozen(kw_only=True)
class CutResult:
    """One run on data that end earlier."""

    last: int
    """When the last data came that it had, nanoseconds UTC."""
    compared: int
    """Decisions of the whole run up to there."""
    difference: DecisionDifference | None
    repeats: bool | None = None
    """Whether a second run on all data decided as the first one; None where nothing differed, and nobody tried."""


@attrs.frozen(kw_only=True)
class LookAheadReport:
    """What came of the check."""

    decisions: int
    """Of the run on all data."""
    cuts: Sequence[CutResult]
    reads: Sequence[str]
    """Files of the recording that the strategies opened by themselves."""
    opened: Sequence[str]
    """Those that were opened while they ran, and not by Python: by a library of theirs, or a process that they began;
    it may have been a program that has nothing to do with it."""
    unwatched: str
    """Why openings that aren't by Python weren't seen; empty: they were."""
    errors: Sequence[str]
    """Strategies that failed on all data, a sentence each: what they would have done later isn't known."""

    @property
    def ok(self) -> bool:
        return not (self.reads or self.opened or self.errors) and all(cut.difference is None for cut in self.cuts)


def look_ahead(
    plan: BacktestPlan,
    make: Callable[[], Sequence[tuple[str, Strategy]]],
    *,
    path: Path,
    code: Sequence[Path],
    cuts: int = 8,
    on_progress: Callable[[float], None] = lambda _: None,
) -> LookAheadReport:
    """Run strategies on all of a recording, then up to several of the moments at which they decided something.

    They run on the recording under another name, which they can't know: whoever opens it under its own isn't the run.

    Args:
        plan: The backtest; its strategies are left aside.
        make: Makes the strategies anew for each run; of classes that stay, so that what they keep in them is seen.
        path: Of the recording.
        code: The strategies' files.
        cuts: How many shorter runs; all of them together take about half as long as so many whole ones.
        on_progress: Told the part that is done.

    Raises:
        ConfigError: There are too few or too many cuts.
        TapeError: The recording is damaged.
        StrategyError: A strategy wants a stream that the recording doesn't have.
    """
    if not 1 <= cuts <= MOST_CUTS:
        raise ConfigError(f"the number of cuts must be 1 to {MOST_CUTS}, not {cuts}")
    with _apart(plan, path) as (apart, opened, unwatched), watch_files(path, code) as reads:
        first, last = _bounds(apart)
        cost, done = 1 + cuts / 2, 0.0
        others: dict[str, None] = {}

        def run(until: int | None) -> tuple[DecisionLog, Sequence[str]]:
            nonlocal done
            part = 1.0 if until is None else (until - first) / max(last - first, 1)
            begun, log = done, DecisionLog(through=until)
            report = backtest(
                attrs.evolve(
                    apart,
                    strategies=make(),
                    source=apart.source if until is None else cut_off(apart.source, until),
                    decisions=log,
                    on_progress=lambda its: on_progress(min((begun + its * part) / cost, 1.0)),
                )
            )
            done += part
            others.update(dict.fromkeys(opened()))
            return log, [f"{one.name}: {one.error}" for one in report.strategies if one.error]

        whole, errors = run(None)
        results: list[CutResult] = []
        for until in _places(whole, first, last, cuts):
            log, _ = run(until)
            results.append(_compared(whole, log, until))
        if any(result.difference is not None for result in results):
            again, _ = run(None)
            repeats = _compared(whole, again, last).difference is None
            results = [
                result if result.difference is None else attrs.evolve(result, repeats=repeats) for result in results
            ]
    on_progress(1.0)
    return LookAheadReport(
        decisions=len(whole.decisions),
        cuts=tuple(results),
        reads=tuple(reads.found),
        opened=tuple(file for file in others if file not in reads.found),
        unwatched=unwatched,
        errors=tuple(errors),
    )


@contextmanager
def _apart(plan: BacktestPlan, path: Path) -> Iterator[tuple[BacktestPlan, Callable[[], Sequence[str]], str]]:
    """Give the plan with the recording under another name, who tells which files were opened, or why nobody does."""
    # Strategies may lie beside what they are run on; to load them is no look-ahead.
    files = [file for file in recorded_files(path) if file.suffix not in {".py", ".pyc"}]
    own = getattr(plan.source, "path", None)
    aside = path
    with ExitStack() as stack:
        try:
            if own is not None and os.path.realpath(own) == os.path.realpath(path):
                aside = stack.enter_context(link_aside(path))
            opened = stack.enter_context(watch_openings(files))
        except OSError as exc:
            yield plan, list, in_words(exc, path)
            return
        try:
            yield plan if aside is path else attrs.evolve(plan, source=open_recording(aside)[0]), opened, ""
        except TapeError as exc:
            raise TapeError(str(exc).replace(str(aside), str(path))) from exc


def _bounds(plan: BacktestPlan) -> tuple[int, int]:
    if isinstance(plan.source, Tape):
        contents = scan(plan.source)
        return contents.first, contents.last
    return plan.source.first, plan.source.last


def _places(whole: DecisionLog, first: int, last: int, cuts: int) -> list[int]:
    """Give where to cut: at moments of decisions, as evenly among them as can be; evenly in time if there are none."""
    times = list(dict.fromkeys(decision.time for decision in whole.decisions))
    if not times:
        return [first + (last - first) * at // (cuts + 1) for at in range(1, cuts + 1)]
    chosen = [times[at * len(times) // (cuts + 1)] for at in range(1, cuts + 1)]
    return [max(at, first) for at in dict.fromkeys(chosen)]


def _compared(whole: DecisionLog, log: DecisionLog, until: int) -> CutResult:
    """Compare what was decided while the shorter run had data."""
    end = until if log.until is None else log.until
    expected = [decision for decision in whole.decisions if decision.time <= end]
    converter = make_converter()
    difference = None
    for number, (one, other) in enumerate(zip_longest(expected, log.decisions)):
        if one != other:
            difference = _difference(number + 1, one, other, converter)
            break
    return CutResult(last=until, compared=len(expected), difference=difference)


def _difference(number: int, one: Decision | None, other: Decision | None, converter: Any) -> DecisionDifference:
    there = [decision for decision in (one, other) if decision is not None]
    earliest = min(there, key=lambda decision: decision.time)
    return DecisionDifference(
        number=number,
        time=earliest.time,
        strategy=earliest.strategy,
        whole=_facts(one, converter),
        cut=_facts(other, converter),
    )


def _facts(decision: Decision | None, converter: Any) -> Mapping[str, Any] | None:
    if decision is None:
        return None
    return {"time": decision.time, **command_facts(decision.strategy, decision.command, converter)}


def _flat(facts: Mapping[str, Any] | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in (facts or {}).items():
        inner = _flat(value) if isinstance(value, Mapping) else {key: value}
        found.update({f"order_{name}" if name in found else name: each for name, each in inner.items()})
    return found
