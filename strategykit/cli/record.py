"""``strategykit record``: tapes without strategies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import attrs
from cyclopts import App, Parameter

from strategykit.cli._launch import launch_record
from strategykit.cli._report import print_run
from strategykit.cli._session import is_strategy, session_from
from strategykit.errors import ConfigError

__all__ = ["register"]

_EXAMPLES: Final = """\
Examples:
  strategykit record session.toml --for 1h
  strategykit record session.toml --tape /data/tapes --json"""


def register(app: App) -> None:
    """Add the command to the program."""
    app.command(_record, name="record", help_epilogue=_EXAMPLES)


def _record(
    session_file: Annotated[Path, Parameter(help="session file", metavar="SESSION")],
    /,
    *,
    for_: Annotated[
        str | None, Parameter(name="--for", help="stop after this time, such as 1h", metavar="TIME")
    ] = None,
    tape: Annotated[
        str | None, Parameter(help="folder for the recording; default: the file's", metavar="FOLDER")
    ] = None,
    json: Annotated[bool, Parameter(negative="", show_default=False, help="print JSON instead of tables")] = False,
) -> int:
    """Record a venue's streams until the time is over or Ctrl-C; nothing is traded.

    Recorded are the file's [[record]] streams, and what its strategies would subscribe to.
    """
    if is_strategy(str(session_file)):
        raise ConfigError(
            f"{session_file}: a recording takes a session file; `strategykit doctor --example` prints one"
        )
    session = session_from(str(session_file), venue={}, run={"for": for_, "tape": tape}, params={})
    if session.run.tape is None:
        raise ConfigError(f"{session_file}: run.tape = false leaves nothing to do; name a folder there or by --tape")
    if not session.record and not session.strategies:
        raise ConfigError(f"{session_file}: names nothing to record; add [[record]] tables, or strategies")
    return print_run(launch_record(attrs.evolve(session)), json=json)
