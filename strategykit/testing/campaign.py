"""One test tried with many seeds; where it fails, with less and less of the fault script."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from strategykit.errors import ConfigError
from strategykit.registry.table import find_venue
from strategykit.strategy import Strategy
from strategykit.testing.drive import Outcome
from strategykit.testing.faults import Fault, parse_script, write_script
from strategykit.testing.outings import draw_faults, run_in_world
from strategykit.testing.scripts import shrink_script
from strategykit.testing.world import World

__all__ = ["FaultPlan", "Trial", "read_marker", "read_script", "try_seeds"]

TRIES: Final = 60
"""Runs of the test at the most to make a script smaller."""

_LONGEST: Final = 3600.0
"""Seconds of a world: an hour takes half a minute, and it is run for every seed."""

_FAILURES: Final = (Exception, pytest.fail.Exception)
"""What makes a test fail; skips and Ctrl-C are none."""

_OF_THE_MARKER: Final = ("seed", "faults", "venue", "seconds")


@attrs.frozen(kw_only=True)
class FaultPlan:
    """What ``@pytest.mark.strategykit_faults(…)`` says, and what was added on the command line."""

    seeds: int = 50
    """How many seeds are tried: 1, 2, 3…"""
    faults: int = 20
    """How many faults strike a run; those that undo others come on top."""
    venue: str = "alor"
    seconds: float = 60.0
    """How long the strategy runs, in the world's own time."""
    seed: int | None = None
    """Only this one."""
    script: Sequence[Fault] | None = None
    """Play this one; None: each seed draws its own."""

    @property
    def tried(self) -> Sequence[int]:
        """The seeds."""
        return range(1, self.seeds + 1) if self.seed is None else (self.seed,)


def read_marker(arguments: Sequence[object], named: Mapping[str, object]) -> FaultPlan:
    """Check a marker.

    Raises:
        ConfigError: An argument can't be; it says what would be right.
    """
    known = {"seeds": 50, "faults": 20, "venue": "alor", "seconds": 60}
    shown = ", ".join(f"{name}={value!r}" for name, value in known.items())
    if arguments:
        raise ConfigError(f"strategykit_faults takes arguments by name only, such as strategykit_faults({shown})")
    for name in named:
        if name not in known:
            raise ConfigError(f"strategykit_faults has no {name!r}; it takes {shown}")
    plan: dict[str, Any] = {**known, **named}
    for name, least in (("seeds", 1), ("faults", 0)):
        value = plan[name]
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ConfigError(f"strategykit_faults({name}={value!r}): give a whole number from {least}")
    seconds = plan["seconds"]
    # The other way round "not a number" would pass.
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 5 <= seconds <= _LONGEST:
        raise ConfigError(f"strategykit_faults(seconds={seconds!r}): give seconds from 5 to {_LONGEST:g}")
    if not isinstance(plan["venue"], str):
        raise ConfigError(f"strategykit_faults(venue={plan['venue']!r}): give the name of a venue, such as 'alor'")
    find_venue(plan["venue"])
    return FaultPlan(**plan)


def read_script(path: Path) -> tuple[int, list[Fault]]:
    """Read what a failing test has shown: a seed, and the faults.

    Raises:
        ConfigError: It isn't that.
    """
    example = '{"seed": 1, "faults": [{"at": 5.0, "network": {"what": "reset"}}]}'
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"{path}: can't be read: {exc.strerror or exc}") from exc
    except ValueError as exc:
        raise ConfigError(f"{path}: is no JSON ({exc}); it should be such as {example}") from exc
    if not isinstance(row, dict) or set(row) != {"seed", "faults"} or not isinstance(row["seed"], int):
        raise ConfigError(f"{path}: should be such as {example}")
    return row["seed"], parse_script(row["faults"])


@attrs.define
class Trial:
    """What one run of a test's function goes by: `try_seeds` sets it, the fixtures ask it."""

    plan: FaultPlan | None
    """None: the test has no marker."""
    seed: int = 0
    script: Sequence[Fault] | None = None
    """None until a world has drawn it."""

    def begin(self, seed: int, script: Sequence[Fault] | None) -> None:
        self.seed, self.script = seed, script

    def run(self, strategy: Strategy, **world: Any) -> Outcome:
        """Run a strategy in a world; where there is a marker, in the world that it says."""
        if self.plan is None:
            return run_in_world(strategy, **world)
        for name in _OF_THE_MARKER:
            if name in world:
                raise ConfigError(f"{name} is the marker's: say it in strategykit_faults(…), or leave the marker out")
        world.update(seed=self.seed, venue=self.plan.venue, seconds=float(self.plan.seconds))
        return run_in_world(strategy, faults=self._faults, **world)

    def _faults(self, world: World) -> Sequence[Fault]:
        if self.script is None:
            assert self.plan is not None
            self.script = draw_faults(world, count=self.plan.faults)
        return self.script


def try_seeds(trial: Trial, plan: FaultPlan, test: Callable[[], object], tell: Callable[[int, str], None]) -> None:
    """Run a test with one seed after the other until it fails; then find the smallest script with which it does.

    Where a script is given, that is played, once.

    Args:
        trial: What the test's fixtures go by.
        plan: What to try.
        test: Fails by raising.
        tell: Takes the seed of a failure, and what to say of it.

    Raises:
        BaseException: What the test raised, with the smallest script.
    """
    if plan.script is not None:
        # Played once and no more: somebody is looking for the reason, maybe in a debugger.
        trial.begin(plan.tried[0], plan.script)
        test()
        return
    for seed in plan.tried:
        failure = _attempt(trial, seed, None, test)
        if failure is None:
            continue
        script = trial.script or ()
        smallest = _shrink(trial, script, test, _kind(failure)) if script else []
        tell(seed, _words(seed, smallest, script))
        again = _attempt(trial, seed, smallest, test)
        if again is None:
            tell(seed, "Run once more, it passed: it depends on something else, too, that is no world's.")
        raise again or failure


def _attempt(
    trial: Trial, seed: int, script: Sequence[Fault] | None, test: Callable[[], object]
) -> BaseException | None:
    """Run the test once; give what it failed with."""
    trial.begin(seed, script)
    try:
        test()
    except pytest.xfail.Exception:
        raise
    except _FAILURES as failure:
        return failure
    return None


def _shrink(trial: Trial, script: Sequence[Fault], test: Callable[[], object], kind: object) -> list[Fault]:
    def fails(less: Sequence[Fault]) -> bool:
        failure = _attempt(trial, trial.seed, less, test)
        return failure is not None and _kind(failure) == kind

    return shrink_script(script, fails, most=TRIES)


def _kind(failure: BaseException) -> object:
    """Give what stays the same when numbers change: what was raised, and in which line of the test."""
    trace = failure.__traceback__
    inner = None if trace is None else trace.tb_next  # The first frame is this module's.
    return type(failure), None if inner is None else inner.tb_lineno


def _words(seed: int, smallest: Sequence[Fault], script: Sequence[Fault]) -> str:
    if not smallest:
        return f"It fails with seed {seed}, without any fault."
    row = json.dumps({"seed": seed, "faults": write_script(smallest)}, ensure_ascii=False)
    needed = "1 fault is" if len(smallest) == 1 else f"{len(smallest)} faults are"
    return f"It fails with seed {seed}; {needed} needed, of {len(script)}:\n{row}"
