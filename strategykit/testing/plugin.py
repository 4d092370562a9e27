"""The pytest plugin: strategies under fault scripts and seeds. It is there wherever strategykit and pytest are.

::

    @pytest.mark.strategykit_faults(seeds=50, faults=20, venue="alor", seconds=60)
    def test_it_never_sells_what_it_doesnt_have(strategykit_world):
        outcome = strategykit_world(Bracket(instrument="SBER"))

        assert outcome.positions["SBER"] >= 0

The function is run once a seed. When it fails, it is run again with ever fewer faults, and what is reported is the
failure with the smallest script, the script, and how to play it again. It has to be a plain ``def`` that makes its
strategy itself; other fixtures are made once for all seeds.

This module imports nothing of the library until a test needs it: pytest loads it in every run.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial, wraps
from inspect import iscoroutinefunction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from strategykit.model.events import BookSnapshot, Quote, Trade
    from strategykit.model.instruments import Instrument
    from strategykit.strategy import Strategy
    from strategykit.testing.campaign import FaultPlan, Trial
    from strategykit.testing.drive import Outcome

__all__ = [
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_pyfunc_call",
    "strategykit_market",
    "strategykit_tape",
    "strategykit_world",
]

MARKER: Final = "strategykit_faults"

_PLAN: Final = pytest.StashKey["FaultPlan"]()
_TRIAL: Final = pytest.StashKey["Trial"]()


# Fixtures


@pytest.fixture
def strategykit_world(request: pytest.FixtureRequest) -> Callable[..., Outcome]:
    """Run a strategy as a live run does, against a simulated venue, in virtual time: ``strategykit_world(strategy)``.

    Under the marker ``strategykit_faults`` venue, seconds, seed and faults are the marker's; without it nothing breaks,
    unless ``faults=[…]`` says so. Further arguments are those of `run_in_world`, such as ``rate=10.0``.
    """
    trial = _trial_of(request)

    def run(strategy: Strategy, **world: Any) -> Outcome:
        return trial.run(strategy, **world)

    return run


@pytest.fixture
def strategykit_market(request: pytest.FixtureRequest) -> Callable[..., list[Trade | Quote | BookSnapshot]]:
    """Generate a market for `run_strategy`: ``strategykit_market("SBER", seconds=60)`` gives events.

    Under the marker its seed is the one that is tried. Further arguments are those of `make_market`.
    """
    trial = _trial_of(request)

    def make(instrument: str | Instrument, **how: Any) -> list[Trade | Quote | BookSnapshot]:
        from strategykit.testing.generated import make_market

        return make_market(instrument, **{"seed": trial.seed, **how})

    return make


@pytest.fixture
def strategykit_tape(request: pytest.FixtureRequest) -> Callable[..., Outcome]:
    """Run a strategy on a recording: ``strategykit_tape("tapes/monday", strategy)``.

    The path is seen from the test's folder. Further arguments are those of `run_on_tape`.
    """
    folder = request.path.parent

    def run(path: Path | str, strategy: Strategy, **how: Any) -> Outcome:
        from strategykit.testing.outings import run_on_tape

        return run_on_tape(strategy, folder / path, **how)

    return run


def _trial_of(request: pytest.FixtureRequest) -> Trial:
    from strategykit.testing.campaign import Trial

    stash = request.node.stash
    if _TRIAL not in stash:
        stash[_TRIAL] = Trial(stash.get(_PLAN, None))
    trial: Trial = stash[_TRIAL]
    return trial


# Hooks


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("strategykit", "strategies under fault scripts")
    group.addoption("--strategykit-seeds", type=int, metavar="N", help="try N seeds, whatever the markers say")
    group.addoption("--strategykit-seed", type=int, metavar="N", help="try only this seed")
    group.addoption(
        "--strategykit-script", type=Path, metavar="FILE", help="play this fault script, with the seed that it names"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{MARKER}(seeds=50, faults=20, venue='alor', seconds=60): run the test once a seed, with a fault script drawn"
        " by it, and find the smallest script with which it fails",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    marked = [(item, marker) for item in items if (marker := item.get_closest_marker(MARKER)) is not None]
    if not marked:
        return
    from strategykit.errors import ConfigError

    wrong = []
    for item, marker in marked:
        try:
            item.stash[_PLAN] = _plan(config, item, marker)
        except ConfigError as exc:
            wrong.append(f"{item.nodeid}: {exc}")
    if wrong:
        raise pytest.UsageError(*wrong)


def _plan(config: pytest.Config, item: pytest.Item, marker: pytest.Mark) -> FaultPlan:
    import attrs

    from strategykit.errors import ConfigError
    from strategykit.testing.campaign import read_marker, read_script

    if not isinstance(item, pytest.Function) or iscoroutinefunction(item.obj):
        raise ConfigError(f"{MARKER} is for plain functions: a world has an event loop of its own; write def")
    if not {"strategykit_world", "strategykit_market"} & set(item.fixturenames):
        raise ConfigError(f"{MARKER} changes nothing here; ask for strategykit_world or strategykit_market")
    plan = read_marker(marker.args, marker.kwargs)
    seeds, seed = config.getoption("--strategykit-seeds"), config.getoption("--strategykit-seed")
    script = config.getoption("--strategykit-script")
    if seeds is not None:
        if seeds < 1:
            raise ConfigError(f"--strategykit-seeds {seeds}: give a whole number from 1")
        plan = attrs.evolve(plan, seeds=seeds)
    if script is not None:
        written, faults = read_script(script)
        plan = attrs.evolve(plan, seed=written, script=faults)
    return plan if seed is None else attrs.evolve(plan, seed=seed)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    plan = pyfuncitem.stash.get(_PLAN, None)
    if plan is None:
        return (yield)
    from strategykit.testing.campaign import try_seeds

    test, trial = pyfuncitem.obj, pyfuncitem.stash[_TRIAL]

    def tell(seed: int, words: str) -> None:
        again = f'pytest "{pyfuncitem.nodeid}" --strategykit'
        words += f"\nThe whole of it again: {again}-seed {seed}"
        if "{" in words:
            words += f"\nOnly what is needed, with the line above in a file: {again}-script FILE"
        pyfuncitem.add_report_section("call", "strategykit", words + "\n")

    @wraps(test)
    def all_seeds(**arguments: object) -> None:
        try_seeds(trial, plan, partial(test, **arguments), tell)

    pyfuncitem.obj = all_seeds
    try:
        return (yield)
    finally:
        pyfuncitem.obj = test
