"""Bars of the past: folded from trades, kept by the second and by the minute, bounded."""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs

from strategykit.errors import ConfigError
from strategykit.model.events import Bar

__all__ = ["MINUTE", "SECOND", "BarHistory"]

SECOND: Final = 1_000_000_000
MINUTE: Final = 60 * SECOND

_KEPT_SECONDS: Final = 7_200
_KEPT_MINUTES: Final = 6_000

_NOTED: Final = 10_000
"""Trades that wait to be folded at the most: more than a generated past has, of which most markets show no bar."""


@attrs.define(eq=False)
class _Row:
    open_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float

    def fold(self, row: _Row) -> None:
        self.high = max(self.high, row.high)
        self.low = min(self.low, row.low)
        self.close = row.close
        self.volume += row.volume


class BarHistory:
    """Bars of one instrument, of any length in whole seconds.

    Intervals of whole minutes are made from minutes, which reach back far; others from seconds, which don't.
    """

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self._seconds: deque[_Row] = deque(maxlen=_KEPT_SECONDS)
        self._minutes: deque[_Row] = deque(maxlen=_KEPT_MINUTES)
        self._noted: list[tuple[int, float, float]] = []

    def trade(self, time: int, price: float, quantity: float) -> None:
        """Note one trade; times never go back. It is folded in when somebody asks for bars."""
        self._noted.append((time, price, quantity))
        if len(self._noted) >= _NOTED:
            self._fold()

    def _fold(self) -> None:
        for time, price, quantity in self._noted:
            for rows, interval in ((self._seconds, SECOND), (self._minutes, MINUTE)):
                start = time - time % interval
                if rows and rows[-1].open_time == start:
                    row = rows[-1]
                    row.high = max(row.high, price)
                    row.low = min(row.low, price)
                    row.close = price
                    row.volume += quantity
                else:
                    rows.append(_Row(start, price, price, price, price, quantity))
        self._noted.clear()

    def bars(self, interval: int, since: int, until: int, now: int) -> list[Bar]:
        """Give bars that began at or after `since` and before `until`, oldest first; none where nothing traded.

        Raises:
            ConfigError: `interval` isn't a whole number of seconds, at least 1.
        """
        if interval < SECOND or interval % SECOND:
            raise ConfigError(f"a bar's interval must be whole seconds, at least 1, not {interval / SECOND:g} s")
        self._fold()
        rows = self._minutes if interval % MINUTE == 0 else self._seconds
        made: list[_Row] = []
        for row in rows:
            start = row.open_time - row.open_time % interval
            if not since <= start < until:
                continue
            if made and made[-1].open_time == start:
                made[-1].fold(row)
            else:
                made.append(attrs.evolve(row, open_time=start))
        return [self._bar(row, interval, now) for row in made]

    def _bar(self, row: _Row, interval: int, now: int) -> Bar:
        return Bar(
            self.symbol,
            row.open_time,
            interval,
            row.open,
            row.high,
            row.low,
            row.close,
            row.volume,
            row.open_time + interval <= now,
            row.open_time,
            now,
            "",
            snapshot=True,
        )
