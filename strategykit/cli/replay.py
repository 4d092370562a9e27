"""``strategykit replay``: strategies on a tape, or the recorded run again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import attrs
from cyclopts import App, Parameter

from strategykit.cli._assumed import Cash, FeeRate, Latency, Rule, assumed, cash_of, named
from strategykit.cli._flags import about, add_parameters, named_strategy
from strategykit.cli._keep import Keeping
from strategykit.cli._launch import BacktestSettings, launch_replay, launch_rerun, replay_identity
from strategykit.cli._report import print_run, run_as_json, show_run
from strategykit.cli._screen import FAILURE, OK, print_json, print_line
from strategykit.cli._session import check_seed
from strategykit.cli._table import Column, print_table
from strategykit.errors import ConfigError
from strategykit.runtime.rerun import CommandDifference, RerunReport

__all__ = ["print_rerun", "register", "rerun_in_words"]

_EXAMPLES: Final = """\
Examples:
  strategykit replay cross.py --tape tapes/20260312-091507 --instrument SBER
  strategykit replay session.toml --tape tapes/20260312-091507 --latency 50ms
  strategykit replay cross.py --tape tapes/20260312-091507 --instrument SBER \\
      --out results/cross --report cross.html
  strategykit replay cross.py --tape archives/march --instrument SBER --cache cache
  strategykit replay --rerun tapes/20260312-091507"""

_SAID: Final = ("type", "side", "quantity", "instrument", "price")
"""What is told of a command in any case."""

_SHOWN: Final = 10
"""Differences that are shown; more of them rarely say more."""


def register(app: App, tokens: Sequence[str]) -> None:
    """Add the command to the program, with the parameters of the strategy that `tokens` name."""
    cls = named_strategy(tokens, "replay")
    app.command(add_parameters(_replay, cls), name="replay", help=about(_replay, cls), help_epilogue=_EXAMPLES)


def _replay(
    what: Annotated[
        str | None, Parameter(help="strategy file, sample:NAME, or session file; none with --rerun", metavar="FILE")
    ] = None,
    /,
    *,
    tape: Annotated[Path | None, Parameter(help="folder of the recording")] = None,
    rerun: Annotated[Path | None, Parameter(help="run this recorded run again, and compare its orders")] = None,
    cash: Cash = "1000000",
    models: Annotated[
        Path | None, Parameter(help="TOML file of fill models; default: the session's [models]", metavar="FILE")
    ] = None,
    fee_rate: FeeRate = None,
    rule: Rule = None,
    latency: Latency = None,
    seed: Annotated[int | None, Parameter(help="of random numbers; default: the tape's")] = None,
    cache: Annotated[
        Path | None, Parameter(help="folder for what is unpacked of an archive, for the next run on it", metavar="DIR")
    ] = None,
    out: Annotated[
        Path | None, Parameter(help="new folder for the result, which `strategykit report` shows", metavar="DIR")
    ] = None,
    report: Annotated[Path | None, Parameter(help="page to be made: one HTML file", metavar="FILE")] = None,
    orders: Annotated[
        bool, Parameter(negative="", show_default=False, help="print a table of the orders, too")
    ] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False, help="print JSON instead of tables")] = False,
    params: Mapping[str, object],
) -> int:
    """Run strategies on a recording, in the recording's own time; a fill model answers their orders."""
    if rerun is not None:
        if what is not None or tape is not None:
            raise ConfigError("--rerun runs what the tape itself holds; leave the strategy and --tape out")
        if cache is not None:
            raise ConfigError("--rerun takes a tape; --cache is for archives")
        if out is not None or report is not None:
            raise ConfigError("--rerun compares, and leaves no result; --out and --report are for --tape")
        return print_rerun(launch_rerun(rerun), json=json, orders=orders)
    if what is None:
        raise ConfigError("name a strategy to replay, or a recorded run by --rerun PATH")
    if tape is None:
        raise ConfigError("--tape is missing; name the folder of a recording")
    wanted = named(what, params, purpose="replay")
    check_seed(seed)
    settings = BacktestSettings(
        cash=cash_of(cash),
        models=assumed(wanted.models, models, fee_rate, rule, latency),
        seed=seed,
        limits=wanted.limits,
    )
    keeping = Keeping(out=out, page=report, quiet=json)
    keeping.check()
    identity = replay_identity(tape, wanted.strategies, settings) if keeping.wanted else ""
    found = launch_replay(tape, wanted.strategies, settings, cache=cache, collect=keeping.wanted)
    try:
        return print_run(found, json=json, orders=orders)
    finally:
        keeping.keep(found, kind="backtest", source=str(tape), models=settings.models, seed=seed, identity=identity)


def print_rerun(report: RerunReport, *, json: bool, orders: bool = False) -> int:
    """Print how a re-run compares, and give the exit code."""
    if json:
        facts = {"ok": report.ok, "digest_equal": report.digest_equal, "run": run_as_json(report.run)}
        print_json({**attrs.asdict(report, recurse=True), **facts})
        return OK if report.ok else FAILURE
    show_run(report.run, orders=orders)
    print_table(
        "Differences",
        ["strategy", Column("command", right=True), Column("recorded", words=True), Column("again", words=True)],
        [_row(difference) for difference in report.differences[:_SHOWN]],
    )
    if report.cut:
        print_line("the tape ends before its run did; what the strategies do beyond its end isn't compared")
    for line in rerun_in_words(report):
        print_line(line)
    return OK if report.ok else FAILURE


def rerun_in_words(report: RerunReport) -> list[str]:
    """Say how a re-run compares, in two lines."""
    commands = f"re-run: {report.equal} of {report.recorded} outgoing order commands equal"
    match report.digest_equal:
        case True:
            digest = "re-run: digest equal"
        case False:
            digest = (
                f"re-run: digest differs, events, orders or fills came out otherwise: recorded {report.recorded_digest}"
            )
        case None:
            digest = "re-run: no digest of this version on the tape to compare with"
    return [digest, commands]


def _row(difference: CommandDifference) -> tuple[object, ...]:
    recorded, again = (_flat(facts) for facts in (difference.recorded, difference.again))
    return difference.strategy, difference.number, _in_words(recorded, again), _in_words(again, recorded)


def _flat(facts: Mapping[str, Any] | None) -> dict[str, object]:
    command = {} if facts is None else dict(facts.get("command", {}))
    request = command.pop("request", {})
    return command and {**request, "order_type": request.get("type"), **command}


def _in_words(command: Mapping[str, object], other: Mapping[str, object]) -> str:
    """Write a command: what it does, and every field in which `other` differs."""
    if not command:
        return "none"
    price = "the market" if command.get("price") is None else command["price"]
    what = (
        f"{command.get('type')}: {command.get('side')} {command.get('quantity')} {command.get('instrument')} at {price}"
    )
    differ = [
        f"{key} = {value}" for key, value in command.items() if key not in _SAID and other.get(key, value) != value
    ]
    return ", ".join([what, *differ])
