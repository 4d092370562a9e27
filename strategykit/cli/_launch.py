"""Where the command line hands over: each function shows progress and calls what does the work.

The work is imported when it's wanted: `--help` needn't wait for all of the house.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import trio

from strategykit.cli._progress import show_progress
from strategykit.cli._words import counted
from strategykit.config import Session, StrategySpec, VenuePlan
from strategykit.doctor.findings import Finding
from strategykit.model.risk_limits import DEFAULT_PLAN, RiskPlan
from strategykit.runtime.live import Progress
from strategykit.runtime.load import load_strategy, make_strategy
from strategykit.runtime.report import RunReport
from strategykit.runtime.rerun import RerunReport
from strategykit.sim.models.fill_models import FillModels
from strategykit.venues.lookups import Listed

if TYPE_CHECKING:
    from strategykit.runtime.clearing import Cleared
    from strategykit.runtime.demo import DemoReport

__all__ = [
    "BacktestSettings",
    "in_words",
    "launch_clearing",
    "launch_demo",
    "launch_doctor",
    "launch_instruments",
    "launch_record",
    "launch_replay",
    "launch_rerun",
    "launch_run",
    "replay_identity",
]


@attrs.frozen(kw_only=True)
class BacktestSettings:
    """What a backtest assumes."""

    cash: Decimal
    models: FillModels
    seed: int | None
    limits: RiskPlan = DEFAULT_PLAN
    """Of risk."""


def launch_run(session: Session, *, live: bool, paper: bool = False, collect: bool = False) -> RunReport:
    from strategykit.runtime.home import imports_left_alone
    from strategykit.runtime.run import run_session

    with show_progress() as progress, imports_left_alone():
        return run_session(
            session,
            live=live,
            paper=paper,
            collect=collect,
            on_progress=lambda now: progress.show(now.elapsed, in_words(now)),
        )


def launch_clearing(folder: Path, venue: VenuePlan, reason: str, say: Callable[[str], None]) -> Cleared:
    """Withdraw what a run that is gone has left on the account whose journal is in `folder`."""
    from strategykit.runtime.clearing import Clearing
    from strategykit.tape.redact import Redactor
    from strategykit.wall import wall_time

    redactor = Redactor()

    def tell(line: str) -> None:
        say(redactor.words(line))

    with redactor.errors():
        cleared = Clearing(
            folder=folder.resolve(),
            venue=venue,
            by="kill",
            who="this command",
            wall=wall_time(),
            say=tell,
            warn=tell,
            redactor=redactor,
        ).run(reason)
    return attrs.evolve(cleared, trouble=redactor.words(cleared.trouble))


def launch_record(session: Session) -> RunReport:
    """Record the session's streams, and those that its strategies declare."""
    from strategykit.wall import wall_time

    now = wall_time()()
    strategies = [make_strategy(load_strategy(spec.file), spec.params) for spec in session.strategies]
    declared = [item.stream(strategy, now=now) for strategy in strategies for item in strategy.declarations()]
    streams = tuple(dict.fromkeys([*session.record, *declared]))
    return launch_run(attrs.evolve(session, strategies=(), record=streams), live=False)


def launch_replay(
    tape: Path,
    specs: Sequence[StrategySpec],
    settings: BacktestSettings,
    *,
    cache: Path | None = None,
    collect: bool = False,
) -> RunReport:
    from strategykit.runtime.run import backtest_tape

    strategies = [(spec.name, make_strategy(load_strategy(spec.file), spec.params)) for spec in specs]
    with show_progress() as progress:
        began = time.monotonic()
        return backtest_tape(
            tape,
            strategies,
            models=settings.models,
            cash=settings.cash,
            limits=settings.limits,
            seed=settings.seed,
            cache=cache,
            collect=collect,
            on_progress=lambda part: progress.show(time.monotonic() - began, f"{part:.0%} of the tape"),
        )


def replay_identity(tape: Path, specs: Sequence[StrategySpec], settings: BacktestSettings) -> str:
    """Give the identity of what `launch_replay` would run."""
    from strategykit.runtime.identity import code_digest, data_digest, parameters_of, program_version, run_identity

    return run_identity(
        code=[code_digest(spec.file) for spec in specs],
        parameters=[parameters_of(make_strategy(load_strategy(spec.file), spec.params)) for spec in specs],
        data=data_digest(tape),
        models=settings.models,
        seed=settings.seed,
        cash=settings.cash,
        version=program_version(),
        limits=settings.limits,
    )


def launch_rerun(tape: Path) -> RerunReport:
    from strategykit.runtime.run import rerun_tape

    return rerun_tape(tape)


def launch_doctor(session: Session, *, login: bool = False) -> list[Finding]:
    """Knock at the venue's doors."""
    from strategykit.doctor.doors import venue_doors
    from strategykit.doctor.instruments import instruments_of
    from strategykit.doctor.network import knock
    from strategykit.wall import wall_time

    wanted = instruments_of(session, wall_time()())
    return trio.run(
        partial(knock, venue_doors(session.venue, instruments=wanted, login=login)), strict_exception_groups=True
    )


def launch_instruments(session: Session, text: str) -> Sequence[Listed]:
    """Ask the venue what it lists."""
    from strategykit.doctor.doors import venue_doors
    from strategykit.doctor.network import find_instruments

    return trio.run(partial(find_instruments, venue_doors(session.venue), text), strict_exception_groups=True)


def in_words(progress: Progress) -> str:
    """Write where a run stands, in one line."""
    wires = progress.connections
    wrong = [f"{name} {state}" for name, state in wires.items() if state != "open"]
    counts = {"event": progress.events, "order": progress.orders, "fill": progress.fills}
    parts = [counted(count, one) for one, count in counts.items()]
    if progress.doubtful:
        parts[1] += f" ({progress.doubtful} in doubt)"
    up = f"{len(wires) - len(wrong)} of " if wrong else ""
    state = [f"{up}{counted(len(wires), 'connection')} open", *wrong]
    return f"{', '.join(parts)}; {', '.join(state)}"


def launch_demo(tapes: Path, *, venue: str, seconds: float, seed: int | None) -> DemoReport:
    """Run the demonstration; the recording gets a new folder in `tapes`."""
    from strategykit.runtime.demo import run_demo
    from strategykit.runtime.run import tape_name

    with show_progress() as progress:
        return run_demo(
            venue=venue,
            tape=tapes / tape_name(["demo"]),
            seconds=seconds,
            seed=seed,
            on_progress=lambda now: progress.show(now.elapsed, in_words(now)),
            on_news=progress.tell,
        )
