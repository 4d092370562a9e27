"""``strategykit doctor``: what is wrong with a session before the market opens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter

from strategykit.cli._launch import launch_doctor
from strategykit.cli._screen import FAILURE, OK, print_json, print_line
from strategykit.cli._table import Column, print_table
from strategykit.doctor.examine import examine_file, examine_session
from strategykit.doctor.example import example_session
from strategykit.doctor.findings import Finding, Verdict
from strategykit.errors import ConfigError
from strategykit.registry.table import find_venue

__all__ = ["register"]

_EXAMPLES: Final = """\
Examples:
  strategykit doctor session.toml
  strategykit doctor session.toml --offline --json
  strategykit doctor --example > session.toml
  strategykit doctor --example --venue binance"""


def register(app: App) -> None:
    """Add the command to the program."""
    app.command(_doctor, name="doctor", help_epilogue=_EXAMPLES)


def _doctor(
    session_file: Annotated[Path | None, Parameter(help="session file", metavar="SESSION")] = None,
    /,
    *,
    example: Annotated[
        bool, Parameter(negative="", show_default=False, help="print a session file to begin with, and nothing else")
    ] = False,
    venue: Annotated[str | None, Parameter(help="of the example; default: alor")] = None,
    offline: Annotated[bool, Parameter(negative="", show_default=False, help="leave the network alone")] = False,
    login: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="log in, too, where that ends a session which is open"),
    ] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False, help="print JSON instead of tables")] = False,
) -> int:
    """Look for what is wrong with a session's file, keys, strategies, instruments and network; exit code 1 if anything.

    Nothing is ordered and no open session disturbed: where a login would displace one, only --login tries it.
    """
    if example:
        if session_file is not None:
            raise ConfigError("--example looks at no file; leave the session file out")
        if json:
            raise ConfigError("--example prints TOML; leave --json out")
        print_line(example_session(find_venue(venue or "alor")).rstrip())
        return OK
    if login and offline:
        raise ConfigError("--login and --offline were both given; a login needs the network")
    if venue is not None:
        raise ConfigError("--venue chooses an example; a session file names its venue itself")
    if session_file is None:
        raise ConfigError("name a session file; `strategykit doctor --example` prints one to begin with")
    session, findings = examine_file(session_file)
    if session is not None:
        findings += examine_session(session)
        key_is_there = all(finding.verdict is not Verdict.FAIL for finding in findings if finding.what == "key")
        if not offline and key_is_there:
            findings += launch_doctor(session, login=login)
    _show(session_file, findings, json=json)
    return FAILURE if any(finding.verdict is Verdict.FAIL for finding in findings) else OK


def _show(path: Path, findings: Sequence[Finding], *, json: bool) -> None:
    rows = [(item.verdict.value, item.what, item.words, item.advice) for item in findings]
    columns = [Column("verdict"), Column("what"), Column("found", words=True), Column("what to do", words=True)]
    if json:
        print_json([dict(zip(["verdict", "what", "found", "advice"], row, strict=True)) for row in rows])
    else:
        print_table(str(path), columns, rows)
