"""What commands print: tables for people, JSON for programs, one line a mistake."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["EXAMPLES", "FAILURE", "OK", "USAGE", "print_json", "print_line", "print_table", "tell"]

OK: Final = 0
FAILURE: Final = 1
"""It was tried, and something is wrong."""
USAGE: Final = 2
"""The command line, a file or a parameter is wrong; nothing was tried."""

EXAMPLES: Final = "Examples:"

_WIDE: Final = 160
"""Columns where nobody looks at a terminal: files and pipes shouldn't be cut to an imagined screen."""


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; columns whose name begins with ``#`` hold numbers and are aligned to the right."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for column in columns:
        table.add_column(
            column.removeprefix("#"), justify="right" if column.startswith("#") else "left", overflow="fold"
        )
    for row in rows:
        # As `Text`, because a name with brackets in it is no markup.
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    _console().print(table)


def print_json(value: object) -> None:
    """Print `value` as one JSON document; money stays exact, as text."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=_plain) + "\n")
    sys.stdout.flush()


def print_line(text: str) -> None:
    """Print one line, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def tell(text: str) -> None:
    """Say what is wrong, on the error output; one line a mistake."""
    for line in text.splitlines():
        sys.stderr.write(f"strategykit: {line}\n")
    sys.stderr.flush()


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else _WIDE)


def _plain(value: object) -> object:
    if isinstance(value, Decimal | Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    return repr(value)
