"""``strategykit lookahead``: whether a strategy decides by what it can't know yet."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import attrs
from cyclopts import App, Parameter

from strategykit.cli._assumed import named
from strategykit.cli._flags import about, add_parameters, named_strategy
from strategykit.cli._progress import show_progress
from strategykit.cli._screen import FAILURE, OK, print_json, print_line
from strategykit.cli._session import check_seed
from strategykit.cli._table import Column, print_table
from strategykit.cli._words import counted, when
from strategykit.config_models import load_models

if TYPE_CHECKING:
    from strategykit.parity.lookahead import CutResult, LookAheadReport
    from strategykit.strategy import Strategy

__all__ = ["register"]

_EXAMPLES: Final = """\
Examples:
  strategykit lookahead cross.py --tape tapes/20260312-091507 --instrument SBER
  strategykit lookahead session.toml --tape archives/sber --cuts 20"""


def register(app: App, tokens: Sequence[str]) -> None:
    """Add the command to the program, with the parameters of the strategy that `tokens` name."""
    cls = named_strategy(tokens, "lookahead")
    command = add_parameters(_lookahead, cls)
    app.command(command, name="lookahead", help=about(_lookahead, cls), help_epilogue=_EXAMPLES)


def _lookahead(
    what: Annotated[str, Parameter(help="strategy file, sample:NAME, or session file", metavar="FILE")],
    /,
    *,
    tape: Annotated[Path, Parameter(help="folder of the recording, a tape or an archive")],
    cuts: Annotated[int, Parameter(help="runs on data that end earlier; each takes half a run's time on average")] = 8,
    models: Annotated[
        Path | None, Parameter(help="TOML file of fill models; default: the session's [models]", metavar="FILE")
    ] = None,
    seed: Annotated[int | None, Parameter(help="of random numbers; default: the recording's")] = None,
    json: Annotated[bool, Parameter(negative="", show_default=False, help="print JSON instead of tables")] = False,
    params: Mapping[str, object],
) -> int:
    """Run strategies on a recording, and again on data that end earlier: up to each end, orders must be the same.

    Where they aren't, the first one that differs is shown. Files of the recording that a strategy opens by itself are
    found, too. Exit code 1: something was found.
    """
    from strategykit.parity.lookahead import look_ahead
    from strategykit.runtime.bench import BacktestPlan
    from strategykit.runtime.load import find_strategy, load_strategy, make_strategy
    from strategykit.runtime.recordings import open_recording

    wanted = named(what, params, purpose="look at")
    specs = wanted.strategies
    check_seed(seed)
    source, dialect = open_recording(tape)
    classes: list[type[Strategy]] = []

    def make() -> list[tuple[str, Strategy]]:
        # Loaded while files are watched, and once: what a class keeps from one run to the next is to be seen.
        classes.extend(load_strategy(spec.file) for spec in specs[len(classes) :])
        return [(spec.name, make_strategy(cls, spec.params)) for spec, cls in zip(specs, classes, strict=True)]

    with show_progress() as progress:
        began = time.monotonic()
        report = look_ahead(
            BacktestPlan(
                source=source,
                dialect=dialect,
                strategies=(),
                models=wanted.models if models is None else load_models(models),
                limits=wanted.limits,
                seed=seed,
            ),
            make,
            path=tape,
            code=[find_strategy(spec.file) for spec in specs],
            cuts=cuts,
            on_progress=lambda part: progress.show(time.monotonic() - began, f"{part:.0%} of {cuts + 1} runs"),
        )
    if json:
        print_json({"ok": report.ok, **attrs.asdict(report)})
    else:
        _show(report)
    return OK if report.ok else FAILURE


def _show(report: LookAheadReport) -> None:
    differing = [cut for cut in report.cuts if cut.difference is not None]
    print_table(
        "First orders that differ (times in UTC)",
        [
            "data end",
            "strategy",
            Column("order", right=True),
            "time",
            Column("on all data", words=True),
            Column("on those up to the end", words=True),
            Column("differ", words=True),
        ],
        [_row(cut) for cut in differing],
    )
    for path in report.reads:
        print_line(f"a strategy opened {path}, a file of the recording, by itself")
    for path in report.opened:
        print_line(
            f"{path}, a file of the recording, was opened while they ran, by a library or a process of theirs; "
            "or by another program: then try again without it"
        )
    if report.unwatched:
        print_line(f"files that libraries open without Python weren't seen: {report.unwatched}")
    for line in report.errors:
        print_line(f"failed on all data: {line}")
    if any(cut.repeats is False for cut in differing):
        print_line("a second run on all data decided otherwise, too: memory of a former run, a clock, or chance")
    if not report.decisions:
        print_line("it sent no orders: there was nothing to compare")
    compared = max((cut.compared for cut in report.cuts), default=0)
    print_line(
        f"{_verdict(report, found=bool(differing))}: {len(report.cuts) - len(differing)} of "
        f"{counted(len(report.cuts), 'cut')} equal, up to {compared} of "
        f"{counted(report.decisions, 'order command')} compared"
    )


def _verdict(report: LookAheadReport, *, found: bool) -> str:
    if report.ok:
        return "no look-ahead found"
    if found or report.reads or report.opened:
        return "look-ahead, or something else that isn't in the data"
    return "no look-ahead found before it failed"


def _row(cut: CutResult) -> tuple[object, ...]:
    found = cut.difference
    assert found is not None
    fields = ", ".join(found.fields) if found.whole and found.cut else "missing"
    return (
        when(cut.last),
        found.strategy,
        found.number,
        when(found.time),
        _words(found.whole),
        _words(found.cut),
        fields,
    )


def _words(facts: Mapping[str, Any] | None) -> str:
    if facts is None:
        return "none"
    command = facts["command"]
    request = command.get("request", {})
    price = "the market" if request.get("price") is None else request["price"]
    parts = (request.get("side"), request.get("quantity"), request.get("instrument"))
    return " ".join(str(part) for part in (command["type"], *parts, "at", price, "on", when(facts["time"])) if part)
