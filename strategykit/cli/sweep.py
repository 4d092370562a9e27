"""``strategykit sweep``: a strategy with many sets of parameters."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App, Parameter

from strategykit.cli._assumed import Cash, FeeRate, Latency, Rule, assumed, cash_of
from strategykit.cli._flags import about, add_parameters, named_strategy
from strategykit.cli._keep import need_libraries
from strategykit.cli._progress import show_progress
from strategykit.cli._screen import FAILURE, OK, print_json, print_line
from strategykit.cli._session import check_seed, is_strategy
from strategykit.cli._table import Column, print_table
from strategykit.cli._words import counted
from strategykit.errors import ConfigError
from strategykit.sim.models.fill_models import DEFAULT_MODELS

if TYPE_CHECKING:
    from strategykit.sweep.results import Sweep
    from strategykit.sweep.sweeping import Progress as Far

__all__ = ["register"]

_EXAMPLES: Final = """\
Examples:
  strategykit sweep cross.py --tape tapes/20260312-091507 --instrument SBER \\
      --param fast=5..50:5 --param slow=20,30,40 --where "fast < slow" --out sweeps/cross
  strategykit sweep cross.py --tape sber --instrument SBER --random 200 --seed 1 \\
      --param fast --param stop=log:0.001..0.1
  strategykit sweep cross.py --tape sber --instrument SBER --optuna 200 --objective pnl
  strategykit sweep cross.py --tape sber --instrument SBER --param fast --param slow \\
      --walk-forward train=10d,test=2d --report cross.html
  strategykit sweep cross.py --tape sber --instrument SBER --param fast --on dask"""

_SHOWN: Final = ("pnl", "sharpe", "max_drawdown", "trades", "fees")
"""Figures in the table besides the objective."""


def register(app: App, tokens: Sequence[str]) -> None:
    """Add the command to the program, with the parameters of the strategy that `tokens` name."""
    cls = named_strategy(tokens, "sweep")
    app.command(add_parameters(_sweep, cls), name="sweep", help=about(_sweep, cls), help_epilogue=_EXAMPLES)


def _sweep(
    what: Annotated[str, Parameter(help="strategy file, or sample:NAME", metavar="FILE")],
    /,
    *,
    tape: Annotated[Path, Parameter(help="folder of the recording: a tape, or an archive")],
    param: Annotated[
        tuple[str, ...],
        Parameter(help="NAME=LOW..HIGH:STEP, NAME=A,B,C, NAME=log:LOW..HIGH:COUNT, or NAME: its declared range"),
    ] = (),
    where: Annotated[tuple[str, ...], Parameter(help='condition on parameters, such as "fast < slow"')] = (),
    random: Annotated[int | None, Parameter(help="draw so many sets instead of trying all", metavar="N")] = None,
    optuna: Annotated[int | None, Parameter(help="have optuna search with so many sets", metavar="N")] = None,
    seed: Annotated[int | None, Parameter(help="of draws, and of the runs; default: 0, and the recording's")] = None,
    objective: Annotated[str, Parameter(help="figure that decides which set is best")] = "sharpe",
    minimise: Annotated[bool, Parameter(negative="", show_default=False, help="the smallest is best")] = False,
    walk_forward: Annotated[
        str | None,
        Parameter(help="choose in one window, report on the next: train=10d,test=2d, or the number of splits"),
    ] = None,
    out: Annotated[
        Path | None, Parameter(help="folder for what comes out; begun again, a sweep goes on there", metavar="DIR")
    ] = None,
    report: Annotated[Path | None, Parameter(help="page to be made: one HTML file", metavar="FILE")] = None,
    best: Annotated[int, Parameter(help="sets in the table", metavar="N")] = 10,
    processes: Annotated[int | None, Parameter(help="at a time; default: one a processor", metavar="N")] = None,
    on: Annotated[str | None, Parameter(help="dask, or dask://HOST:PORT of a scheduler")] = None,
    batch: Annotated[int, Parameter(help="sets in one pass over the data, at most", metavar="N")] = 64,
    most: Annotated[int, Parameter(help="combinations, at most", metavar="N")] = 100_000,
    cash: Cash = "1000000",
    models: Annotated[Path | None, Parameter(help="TOML file of fill models", metavar="FILE")] = None,
    fee_rate: FeeRate = None,
    rule: Rule = None,
    latency: Latency = None,
    json: Annotated[bool, Parameter(negative="", show_default=False, help="print JSON instead of tables")] = False,
    params: Mapping[str, object],
) -> int:
    """Run a strategy with many sets of parameters on a recording, and tell which did best."""
    if not is_strategy(what):
        raise ConfigError(f"{what}: a sweep is of one strategy; name its file, such as cross.py, or sample:NAME")
    if random is not None and optuna is not None:
        raise ConfigError("--random and --optuna are two ways to choose; leave one out")
    for flag, number in (("--best", best), ("--batch", batch), ("--processes", processes), ("--most", most)):
        if number is not None and number < 1:
            raise ConfigError(f"{flag} {number}: should be a whole number, at least 1")
    check_seed(seed)
    need_libraries()
    from strategykit.sweep.run import Choice, run_sweep
    from strategykit.sweep.sweeping import Objective
    from strategykit.sweep.work import Task

    if report is not None and report.is_dir():
        raise ConfigError(f"--report {report}: is a folder; name an HTML file to be made")
    task = Task(
        file=what,
        data=str(tape),
        fixed={name: str(value) for name, value in params.items()},
        cash=cash_of(cash),
        models=assumed(DEFAULT_MODELS, models, fee_rate, rule, latency),
        seed=seed,
    )
    choice = Choice(axes=param, where=where, random=random, optuna=optuna, seed=seed or 0, most=most)
    with show_progress() as progress:
        began = time.monotonic()
        found = run_sweep(
            task,
            choice,
            objective=Objective(objective, minimise),
            walk_forward=walk_forward,
            out=out,
            processes=processes or os.cpu_count() or 1,
            on=on,
            batch=batch,
            on_progress=lambda far: progress.show(time.monotonic() - began, _far(far, objective)),
            on_data=lambda part: progress.show(time.monotonic() - began, f"{part:.0%} of the tape read"),
        )
    if json:
        print_json(found.as_json())
    else:
        _show(found, best)
    if report is not None:
        found.save_html(report)
        if not json:
            print_line(f"page: {report}")
    return OK if found.outcomes and not found.failed else FAILURE


def _far(far: Far, objective: str) -> str:
    bar = "█" * (20 * far.done // far.total)
    best = "" if far.best is None else f"; best {objective} {_figure(far.best.metrics.get(objective))}"
    again = f", {far.kept} of them before" if far.kept else ""
    return f"{bar:░<20} {far.done} of {counted(far.total, 'run')}{again}{best}"


def _show(sweep: Sweep, best: int) -> None:
    names = [sweep.objective.metric, *(name for name in _SHOWN if name != sweep.objective.metric)]
    for title, rows in sweep.tables(best, names):
        head, *lines = rows
        print_table(title, [Column(text, right=True) for text in head], lines)
    for line in sweep.lines():
        print_line(line)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:z,.4g}"
