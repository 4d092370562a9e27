"""LEAN's factor files: by what prices of shares are multiplied, so that splits and dividends make no jumps."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import attrs

from strategykit.archive.importers.rows import price
from strategykit.disk import shown
from strategykit.errors import TapeError
from strategykit.foreign.refusals import RowRefused
from strategykit.foreign.text import AS_IT_IS, Reading, open_lines

__all__ = ["Factors", "read_factors"]


@attrs.frozen
class Factors:
    """Factors by day; each holds up to its day, and from the one before it on."""

    days: Sequence[date]
    values: Sequence[tuple[float, float]]
    """Of price, and of splits alone."""

    def at(self, day: date) -> tuple[float, float]:
        """Give what a day's prices are multiplied by, and what its volumes are divided by."""
        place = bisect_left(self.days, day)
        if place == len(self.days):
            return 1.0, 1.0
        price_factor, split = self.values[place]
        return price_factor * split, split


def read_factors(path: Path, reading: Reading = AS_IT_IS) -> Factors:
    """Read a file of lines of a day, a price's factor, a split's, and a price.

    Raises:
        TapeError: It is none; the message says which line is wrong.
    """
    days: list[date] = []
    values: list[tuple[float, float]] = []
    with open_lines(path, reading, longest=4_096) as lines:
        for line in lines:
            cells = line.split(",")
            try:
                if len(cells) < 3:
                    raise RowRefused(f"has {len(cells)} columns", right="a day, two factors and a price")
                if len(cells) == 3:  # Behind them is a price, which isn't read.
                    lines.check_ended()
                day = _day(cells[0])
                if days and day <= days[-1]:
                    raise RowRefused("its day isn't after that of the line above:", cells[0])
                values.append((price(cells[1], "price factor"), price(cells[2], "split factor")))
            except RowRefused as exc:
                raise TapeError(f"{lines.place}: {exc}") from exc
            days.append(day)
    if not days:
        raise TapeError(f"{shown(path)} holds no factors")
    return Factors(days, values)


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError as exc:
        raise RowRefused("the day isn't one:", text, right="such as 20131007") from exc
