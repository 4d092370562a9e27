"""Rows that can't be taken: each is told with its place, and too many of them end an import."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

from strategykit.disk import shown
from strategykit.errors import TapeError

__all__ = ["MOST_REFUSED", "Place", "Refusals", "RowRefused"]

MOST_REFUSED: Final = 100
"""Rows in all files, where nobody says otherwise: more of them, and the files are of another format than said."""

_SHOWN: Final = 80
"""Characters of a value that are quoted."""


class RowRefused(ValueError):
    """A row is wrong; caught where rows are read.

    Args:
        what: Which value, and why it can't be.
        value: It, as it stands there.
        right: What would be.
    """

    def __init__(self, what: str, value: object = None, *, right: str = "") -> None:
        text = "" if value is None else f" {_quoted(value)}"
        super().__init__(f"{what}{text}" + (f"; {right} would be right" if right else ""))


@attrs.frozen
class Place:
    """Where a row stands."""

    path: Path
    line: int
    """1, 2, 3, …; of a file without lines, the row."""
    member: str = ""
    """Of a zip: the file in it."""

    def __str__(self) -> str:
        inside = f"/{shown(self.member)}" if self.member else ""
        return f"{shown(self.path)}{inside}:{self.line}"


@attrs.define
class Refusals:
    """Counts and tells them.

    Args:
        tell: Takes one line for each row.
        most: How many may be refused; one more ends the import.
    """

    tell: Callable[[str], None] = lambda _: None
    most: int = MOST_REFUSED
    count: int = 0

    def add(self, place: Place, why: object) -> None:
        """Tell of a row.

        Raises:
            TapeError: There are too many.
        """
        self.count += 1
        line = f"{place}: {why}"
        if self.count > self.most:
            raise TapeError(f"{line}; with this, more than {self.most} rows can't be taken, and nothing is kept")
        self.tell(line)


def _quoted(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
