"""What bars don't say of the trades in them: how many, their numbers, and how much takers bought."""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs

from strategykit.sim.history import MINUTE, SECOND

__all__ = ["Count", "Tally"]

_KEPT: Final = {SECOND: 7_200, MINUTE: 6_000}


@attrs.define
class Count:
    """Of the trades of one time."""

    open_time: int
    first: int = -1
    """Number of the first; -1: there was none."""
    last: int = -1
    count: int = 0
    bought: float = 0.0
    """Lots."""

    def add(self, first: int, last: int, count: int, bought: float) -> None:
        self.first = first if self.first < 0 else self.first
        self.last = last
        self.count += count
        self.bought += bought


class Tally:
    """Counts of one symbol, by the second and by the minute; bounded as bars are."""

    def __init__(self) -> None:
        self._rows: dict[int, deque[Count]] = {length: deque(maxlen=kept) for length, kept in _KEPT.items()}

    def add(self, time: int, number: int, quantity: float, *, taker_bought: bool) -> None:
        """Count one trade; times never go back by more than a bar."""
        for length, rows in self._rows.items():
            start = time - time % length
            if not rows or rows[-1].open_time < start:
                rows.append(Count(start))
            rows[-1].add(number, number, 1, quantity if taker_bought else 0.0)

    def sum(self, length: int, since: int, until: int) -> Count:
        """Add up what began in ``[since, until)``, of seconds or minutes."""
        total = Count(since)
        for row in self._rows[length]:
            if since <= row.open_time < until:
                total.add(row.first, row.last, row.count, row.bought)
        return total
