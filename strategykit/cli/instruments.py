"""``strategykit instruments``: how a venue calls what it lists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import attrs
from cyclopts import App, Parameter

from strategykit.cli._launch import launch_instruments
from strategykit.cli._screen import FAILURE, OK, print_json, tell
from strategykit.cli._table import Column, print_table
from strategykit.config import Session, load_session, make_session
from strategykit.errors import ConfigError
from strategykit.registry.table import VENUES

__all__ = ["register"]

_EXAMPLES: Final = """\
Examples:
  strategykit instruments session.toml
  strategykit instruments session.toml crude
  strategykit instruments t4 CME_Eq/ES --url http://127.0.0.1:8900
  strategykit instruments binance btcusd --json"""


def register(app: App) -> None:
    """Add the command to the program."""
    app.command(_instruments, name="instruments", help_epilogue=_EXAMPLES)


def _instruments(
    what: Annotated[str, Parameter(help="session file, or the name of a venue", metavar="SESSION")],
    text: Annotated[str, Parameter(help="where to look, or for what; default: everything at the top")] = "",
    /,
    *,
    url: Annotated[str | None, Parameter(help="address of a venue that is given by its name")] = None,
    json: Annotated[bool, Parameter(negative="", show_default=False, help="print JSON instead of a table")] = False,
) -> int:
    """Ask a venue how it calls what it lists; exit code 1 if it has nothing of the kind.

    A venue with very many is asked for what stands at the top, what is below a name, such as that of an exchange, or
    what it finds by a word.
    """
    rows = launch_instruments(_session(what, url), text)
    if json:
        print_json([attrs.asdict(row) for row in rows])
        return OK if rows else FAILURE
    if not rows:
        tell(f"{what} lists nothing called {text!r}")
        return FAILURE
    columns = [Column("name"), Column("description", words=True), Column("expires"), Column("")]
    print_table(
        "Instruments",
        columns,
        [(row.symbol, row.description, row.expires, "" if row.is_market else "look below it") for row in rows],
    )
    return OK


def _session(what: str, url: str | None) -> Session:
    if what not in VENUES or Path(what).is_file():
        if url is not None:
            raise ConfigError(f"--url: {what} names its venue itself; change it there")
        return load_session(what)
    venue = {"name": what, "url": url}
    table = {"venue": {key: value for key, value in venue.items() if value is not None}}
    return make_session(table, folder=Path(), source="command line")
