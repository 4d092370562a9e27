"""``strategykit venues``: what there is to trade on, and what each has."""

from __future__ import annotations

from typing import Annotated, Final

import attrs
from cyclopts import App, Parameter

from strategykit.cli._screen import OK, print_json, print_line
from strategykit.cli._table import Column, print_table
from strategykit.errors import ConfigError
from strategykit.registry.features import features_of, features_page
from strategykit.registry.table import VENUES

__all__ = ["register"]

_EXAMPLES: Final = """\
Examples:
  strategykit venues
  strategykit venues --json
  strategykit venues --markdown > docs/venues/README.md"""


def register(app: App) -> None:
    """Add the command to the program."""
    app.command(_venues, name="venues", help_epilogue=_EXAMPLES)


def _venues(
    *,
    json: Annotated[bool, Parameter(negative="", show_default=False, help="print JSON instead of tables")] = False,
    markdown: Annotated[
        bool, Parameter(negative="", show_default=False, help="print the page of the documentation")
    ] = False,
) -> int:
    """List the venues and what each has, as their dialects say.

    The names are what `--venue`, `strategykit sim` and the [venue] table of a session file take.
    """
    if json and markdown:
        raise ConfigError("--json and --markdown were both given; print one of them")
    if markdown:
        print_line(features_page(VENUES.values()).rstrip())
        return OK
    rows = [features_of(venue) for venue in VENUES.values()]
    if json:
        print_json([attrs.asdict(row) for row in rows])
        return OK
    columns: list[Column | str] = ["name", "venue"]
    columns += [Column(name, words=True) for name in ("market data", "account", "orders", "credentials")]
    print_table(
        "Venues",
        columns,
        [
            (
                row.name,
                row.title,
                ", ".join(row.market_data),
                ", ".join(row.account),
                ", ".join(row.orders) or "on paper",
                " or ".join(row.credentials) or "none",
            )
            for row in rows
        ],
    )
    return OK
