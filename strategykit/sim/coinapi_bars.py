"""Bars of one symbol with all that CoinAPI tells of them, and when they are told.

Source: CoinAPI protocol sheet, section 5, "ohlcv".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import takewhile
from math import fsum
from typing import Final

import attrs

from strategykit.model.events import Bar as BarEvent
from strategykit.sim.coinapi_symbols import CoinSymbol
from strategykit.sim.history import MINUTE, SECOND
from strategykit.venues.coinapi.server_items import Bar
from strategykit.venues.coinapi.times import write_time

__all__ = ["BarClock", "BarStore", "Row"]

_KEPT: Final = {SECOND: 7_200, MINUTE: 6_000}

_REPEAT: Final = 5 * SECOND
"""How often an open bar that has changed is told again."""

_CATCH_UP: Final = 60
"""Closed bars that are told at the most after a time in which nothing was."""


@attrs.define(eq=False)
class Row:
    """What happened in one period."""

    start: int
    """Nanoseconds UTC, inclusive."""
    first_time: int
    last_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    """Base units."""
    value: float
    """Quote units."""
    count: int

    def fold(self, later: Row) -> None:
        self.last_time = later.last_time
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.volume += later.volume
        self.value += later.value
        self.count += later.count

    def word(self, symbol: CoinSymbol, length: int) -> Bar:
        """Give it as REST has it."""
        return Bar(
            write_time(self.start),
            write_time(self.start + length),
            write_time(self.first_time),
            write_time(self.last_time),
            symbol.price(self.open),
            symbol.price(self.high),
            symbol.price(self.low),
            symbol.price(self.close),
            symbol.units(self.volume),
            self.count,
        )


class BarStore:
    """The past of one symbol by the second and by the minute; bounded."""

    def __init__(self) -> None:
        self._rows: dict[int, deque[Row]] = {length: deque(maxlen=kept) for length, kept in _KEPT.items()}

    def fill(self, length: int, bars: Iterable[BarEvent], lot: float) -> None:
        """Begin with bars of seconds or minutes, oldest first; each counts as one trade."""
        for bar in bars:
            volume, last = bar.volume * lot, bar.open_time + length - 1
            value = volume * (bar.high + bar.low + bar.close) / 3
            prices = bar.open, bar.high, bar.low, bar.close
            self._rows[length].append(Row(bar.open_time, bar.open_time, last, *prices, volume, value, 1))

    def add(self, time: int, price: float, size: float) -> None:
        """Fold in one trade; times never go back by more than a bar."""
        for length, rows in self._rows.items():
            start = time - time % length
            row = Row(start, time, time, price, price, price, price, size, price * size, 1)
            if rows and rows[-1].start >= start:
                rows[-1].fold(row)
            else:
                rows.append(row)

    def bars(self, length: int, since: int, until: int) -> list[Row]:
        """Give bars of any length that began in ``[since, until)``, oldest first; none where nothing traded."""
        made: list[Row] = []
        for row in self._between(length, since, until + length):
            start = row.start - row.start % length
            if not since <= start < until:
                continue
            if made and made[-1].start == start:
                made[-1].fold(row)
            else:
                made.append(attrs.evolve(row, start=start))
        return made

    def bar(self, length: int, start: int) -> Row | None:
        """Give the one that began at `start`; None: nothing traded."""
        return next(iter(self.bars(length, start, start + 1)), None)

    def sums(self, since: int) -> tuple[float, float]:
        """Give what traded since then, to the minute, in base and in quote units."""
        rows = list(self._between(MINUTE, since, 1 << 63))
        return fsum(row.volume for row in rows), fsum(row.value for row in rows)

    def _between(self, length: int, since: int, until: int) -> list[Row]:
        rows = self._rows[MINUTE if length % MINUTE == 0 else SECOND]
        recent = list(takewhile(lambda row: row.start >= since, reversed(rows)))
        return [row for row in reversed(recent) if row.start < until]


@attrs.define(eq=False)
class BarClock:
    """When the bars of one symbol and length are told: at their end, and now and then before."""

    length: int
    start: int
    """Of the open one."""
    next: int
    told: tuple[int, int] = (0, 0)
    """Start and trades of what was told last."""

    def due(self, store: BarStore, now: int) -> Iterator[Row]:
        """Yield what is to be told now, oldest first."""
        start = now - now % self.length
        self.start = max(self.start, start - _CATCH_UP * self.length)
        while self.start < start:
            row = store.bar(self.length, self.start)
            if row is not None:
                yield row
            self.start += self.length
            self.next = now + _REPEAT
        if now >= self.next:
            self.next = now + _REPEAT
            row = store.bar(self.length, start)
            if row is not None and (row.start, row.count) != self.told:
                self.told = row.start, row.count
                yield row
