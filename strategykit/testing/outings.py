"""One strategy on a tape, or in a whole world under faults, and what it did there."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from strategykit.errors import ConfigError, StrategyError
from strategykit.runtime.run import backtest_tape
from strategykit.strategy import Strategy
from strategykit.testing.drive import Outcome, make_outcome
from strategykit.testing.faults import Fault
from strategykit.testing.scripts import draw_script
from strategykit.testing.world import World, run_world

__all__ = ["draw_faults", "run_in_world", "run_on_tape"]

BEGINS: Final = 2.0
"""Seconds in which nothing strikes: a run has to begin before it can be disturbed."""

QUIET_SHARE: Final = 0.2
"""Part of the time, at the end, in which nothing strikes: some mistakes take a while to show."""

_NAME: Final = "strategy"
_OWN: Final = frozenset({"strategies", "rests"})

_UNWANTED: Final = {"coinapi": "COINBASE_SPOT_BTC_USD", "coinapi-ds": "COINBASE_SPOT_BTC_USD"}
"""What nobody wants, where a venue may send it all the same: it comes last, as `draw_script` wants it."""


def run_in_world(
    strategy: Strategy, *, faults: Sequence[Fault] | Callable[[World], Sequence[Fault]] = (), **world: Any
) -> Outcome:
    """Run `strategy` as a live run does, against a simulated venue, in virtual time; give what it did.

    When the time is over all that was broken becomes well, and then it is stopped, as by Ctrl-C. Only the instruments
    of its declarations are listed, unless others are named.

    Args:
        strategy: A new one; it can run once.
        faults: What goes wrong, or what gives that for a world.
        **world: Fields of `World`, such as ``venue``, ``seconds``, ``seed``, ``instruments``, ``rate``, ``latency``.

    Returns:
        What it did. What it raised is in `Outcome.error`; `Outcome.check` raises it.

    Raises:
        ConfigError: A value that can't be.
        StrategykitError: The run didn't come to trading.
    """
    _check_new(strategy)
    fields = {field.name for field in attrs.fields(World)} - _OWN
    for name in world:
        if name not in fields:
            raise ConfigError(f"a world has no {name!r}; there are {', '.join(sorted(fields))}")
    if world.get("instruments") is None:
        world["instruments"] = _instruments_of(strategy, world.get("venue", "alor"))
    made = World(strategies=[(_NAME, strategy)], rests=False, **world)
    made = attrs.evolve(made, faults=faults(made) if callable(faults) else faults)
    outing = run_world(made)
    if outing.run is None or outing.report is None:
        raise outing.error or StrategyError("the run hasn't begun")
    return make_outcome(strategy, outing.run.supervisor.seats[0].failure or outing.error, outing.report.notes)


def run_on_tape(strategy: Strategy, path: Path | str, **how: Any) -> Outcome:
    """Run `strategy` on a recording; orders are answered by a fill model. Give what it did.

    Args:
        strategy: A new one; it can run once.
        path: Of the tape.
        **how: ``models``, ``cash``, ``limits``, ``seed``; see `run_strategy`.

    Returns:
        What it did. `Outcome.error` has what it raised, in the words of the run's report.

    Raises:
        TapeError: The tape isn't there, or is damaged.
        StrategyError: The strategy wants what the tape doesn't have.
    """
    _check_new(strategy)
    report = backtest_tape(path, [(_NAME, strategy)], **how)
    words = report.strategies[0].error
    return make_outcome(strategy, StrategyError(words) if words else None, report.notes)


def draw_faults(world: World, *, count: int) -> list[Fault]:
    """Draw a script for a world by its seed, which leaves its beginning and its end alone."""
    # T4's markets have a name of three parts, of which the venue itself knows the last.
    names = [symbol.rpartition("/")[2] for symbol in world.instruments or ()]
    span = max(0.0, (1 - QUIET_SHARE) * world.seconds - BEGINS)
    rng = random.Random(f"faults {world.venue} {world.seed}")
    script = draw_script(rng, world.venue, instruments=names, count=count, seconds=span)
    return [attrs.evolve(fault, at=round(BEGINS + fault.at, 3)) for fault in script]


def _instruments_of(strategy: Strategy, venue: str) -> list[str]:
    streams = [item.stream(strategy, now=0) for item in strategy.declarations()]
    names = [stream.instrument for stream in streams if stream.instrument is not None]
    if not names:
        raise ConfigError(f"{type(strategy).__name__} declares no stream of an instrument; name some: instruments=[…]")
    return list(dict.fromkeys([*names, *([_UNWANTED[venue]] if venue in _UNWANTED else [])]))


def _check_new(strategy: object) -> None:
    if not isinstance(strategy, Strategy):
        raise ConfigError(f'{strategy!r} is no strategy; make one, such as Cross(instrument="SBER")')
    try:
        strategy.desk  # noqa: B018 - asks whether there is one
    except StrategyError:
        return
    raise ConfigError(f"this {type(strategy).__name__} has run already; make a new one inside the test")
