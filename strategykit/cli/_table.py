"""Tables for people: with lines where there's room, closer where there isn't; nothing is ever cut off."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import attrs
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from strategykit.cli._screen import print_no_more

__all__ = ["Column", "print_table"]

_WIDE: Final = 160
"""Columns where nobody looks at a terminal: files and pipes shouldn't be cut to an imagined screen."""

_FOLDED: Final = 40
"""Characters that a column of words should have at least before there's no room for lines."""

_CLOSE_FOLDED: Final = 10
"""The same where everything stands close."""


class _Output(Console):
    """Standard output that may be closed by who reads it."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        print_no_more()


@attrs.frozen
class Column:
    """One column of a table."""

    title: str
    """May have two lines."""
    right: bool = attrs.field(default=False, kw_only=True)
    """For numbers."""
    words: bool = attrs.field(default=False, kw_only=True)
    """Holds sentences, which may be folded."""
    spare: bool = attrs.field(default=False, kw_only=True)
    """Is left out where there's no room, and where nothing stands in it."""
    shorten: Callable[[str], str] = attrs.field(default=str, kw_only=True)
    """What becomes of its cells where there's no room."""


def print_table(title: str, columns: Sequence[Column | str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; nothing if it has no rows."""
    head = [Column(column) if isinstance(column, str) else column for column in columns]
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not cells:
        return
    console = _Output(width=None if sys.stdout.isatty() else _WIDE)
    kept = [n for n, column in enumerate(head) if not column.spare or any(row[n] for row in cells)]
    width = _width(head, cells, kept, _FOLDED) + 3 * len(kept) + 1
    if width <= console.width:
        table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    else:
        kept = [n for n in kept if not head[n].spare]
        cells = [[head[n].shorten(cell) for n, cell in enumerate(row)] for row in cells]
        width = _width(head, cells, kept, _CLOSE_FOLDED) + 2 * len(kept) - 1
        table = Table(
            title=title,
            title_justify="left",
            title_style="bold",
            header_style="bold",
            box=SIMPLE_HEAD,
            show_edge=False,
            pad_edge=False,
            padding=(0, 1, 0, 0),
        )
    for n in kept:
        column = head[n]
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            overflow="fold",
            # Where everything has to give, what isn't wrapped would be cut.
            no_wrap=not column.words and width <= console.width,
        )
    for row in cells:
        # As `Text`, because a name with brackets in it is no markup.
        table.add_row(*(Text(row[n]) for n in kept))
    console.print(table)


def _width(head: Sequence[Column], cells: Sequence[Sequence[str]], kept: Sequence[int], folded: int) -> int:
    """Give how many characters the columns in `kept` need side by side."""
    total = 0
    for n in kept:
        texts = [head[n].title, *(row[n] for row in cells)]
        widest = max(cell_len(line) for text in texts for line in text.split("\n"))
        total += min(widest, folded) if head[n].words else widest
    return total
