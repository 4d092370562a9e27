"""``strategykit demo``: a whole session in half a minute, on this machine alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter

from strategykit.cli._launch import launch_demo
from strategykit.cli._report import run_as_json, show_run
from strategykit.cli._screen import FAILURE, OK, print_json, print_line, tell
from strategykit.cli._session import check_seed
from strategykit.cli.replay import rerun_in_words
from strategykit.config_values import parse_duration
from strategykit.errors import ConfigError
from strategykit.registry.table import find_venue

__all__ = ["register"]

_EXAMPLES: Final = """\
Examples:
  strategykit demo
  strategykit demo --venue binance
  strategykit demo --for 10s --seed 3 --json"""

_SHORTEST: Final = 4.0
"""Seconds."""


def register(app: App) -> None:
    """Add the command to the program."""
    app.command(_demo, name="demo", help_epilogue=_EXAMPLES)


def _demo(
    *,
    venue: Annotated[str, Parameter(help="which venue is simulated; `strategykit venues` lists them")] = "alor",
    for_: Annotated[str, Parameter(name="--for", help="how long the market is open", metavar="TIME")] = "20s",
    seed: Annotated[int | None, Parameter(help="of ids and random numbers; default: another each time")] = None,
    tapes: Annotated[Path, Parameter(help="folder for the recording")] = Path("tapes"),
    orders: Annotated[
        bool, Parameter(negative="", show_default=False, help="print a table of the orders, too")
    ] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False, help="print JSON instead of tables")] = False,
) -> int:
    """Show a session: a simulated venue, two strategies, broken wires, a tape, and the run again from it.

    Exit code 0 says that every subscription was active at the end and every book whole, that our books and the
    venue's agree on every order, and that the re-run gave the same order commands. Where a venue takes no orders,
    the strategies trade on paper.
    """
    seconds = parse_duration(for_) * 1e-9
    if seconds < _SHORTEST:
        raise ConfigError(f"--for {for_}: below {_SHORTEST:g} s there is no time to break wires and mend them")
    check_seed(seed)
    known = find_venue(venue)
    report = launch_demo(tapes, venue=venue, seconds=seconds, seed=seed)
    if json:
        print_json(
            {
                "ok": report.ok,
                "problems": list(report.problems),
                "venue_orders": report.venue_orders,
                "run": run_as_json(report.run),
                "rerun": {
                    "ok": report.rerun.ok,
                    "equal": report.rerun.equal,
                    "recorded": report.rerun.recorded,
                    "digest_equal": report.rerun.digest_equal,
                },
            }
        )
    else:
        show_run(report.run, orders=orders)
        if known.takes_orders:
            print_line(f"orders in the venue's own log: {report.venue_orders}")
        for line in rerun_in_words(report.rerun):
            print_line(line)
    for line in report.problems:
        tell(line)
    return OK if report.ok else FAILURE
