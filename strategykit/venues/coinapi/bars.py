"""Bars: as they form, and once more when they are over; those that were missed are asked for over HTTP.

Source: CoinAPI protocol sheet, section 5, "ohlcv".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from strategykit.model.events import Bar
from strategykit.venues.asks import AskBars
from strategykit.venues.coinapi.cursors import CoinCursor
from strategykit.venues.coinapi.rows import BarRow, check_prices
from strategykit.venues.coinapi.targets import period_of
from strategykit.venues.dialect import Decoded, Need, Reply
from strategykit.venues.keyed import Answer, Rows
from strategykit.venues.streams import Stream

__all__ = ["MOST_BARS", "BarCursor"]

MOST_BARS: Final = 100_000
"""Of one answer. Source: section 8, ``limit``."""

_MOST_HELD: Final = 1_000
"""Messages that wait for an answer; when there are more, they are told without it."""


class BarCursor(CoinCursor[BarRow]):
    """Bars of one symbol and period.

    The venue sends a bar every five seconds while it forms, and once when its time is over; it doesn't say which is
    which. One that comes after its end, by our clock, is over; any other when the next begins.

    Args:
        guid: Of the subscription.
        stream: Its `since` says from where on none may be missing.
        symbol: Its id.
    """

    def __init__(self, guid: str, stream: Stream, symbol: str) -> None:
        super().__init__(guid, symbol)
        self._interval = stream.interval or 0
        self._period = period_of(self._interval)
        self._next = stream.since
        """Where the first bar begins that isn't told as over; None: with whatever comes first."""
        self._forming: Bar | None = None
        self._resumes = True
        """Whether bars may be missing before the next message."""
        self._held: list[tuple[BarRow, int]] | None = None
        self._number_asked = 0

    def reconnected(self) -> None:
        """The forming bar may have changed and ended meanwhile; what waits for an answer comes with the next one."""
        super().reconnected()
        self._forming = self._held = None
        self._number_asked += 1
        self._resumes = True

    def wants(self, row: BarRow) -> bool:
        return row.period_id == self._period

    def follows(self, row: BarRow) -> bool:
        return self.wants(row)

    def take(self, row: BarRow, now: int) -> Sequence[Decoded]:
        if self._held is not None:
            self._held.append((row, now))
            return self._release() if len(self._held) > _MOST_HELD else ()
        resumes, self._resumes = self._resumes, False
        missing = 0 if self._next is None else (row.time - self._next) // self._interval
        if resumes and 0 < missing <= MOST_BARS:
            self._held = [(row, now)]
            self._number_asked += 1
            ask = AskBars(instrument=self.symbol, interval=self._interval, count=missing, until=row.time)
            return (Need(self.guid, ask, Answer(self._number_asked, lambda: self._number_asked, self._answered)),)
        return self._go_on(row, now)

    def _go_on(self, row: BarRow, now: int) -> list[Decoded]:
        start, prices = row.time, check_prices(row)
        if prices is None or (self._next is not None and start < self._next):
            return []  # Nothing was traded, or it is over and told.
        told: list[Decoded] = []
        forming = self._forming
        if forming is not None and forming.open_time < start:
            told.append(self._bar(forming.open_time, _prices(forming), forming.volume, now, closed=True))
        closed = now >= start + self._interval
        bar = self._bar(start, prices, row.volume_traded, now, closed=closed)
        if closed or forming is None or not _alike(forming, bar):
            told.append(bar)
        self._forming = None if closed else bar
        self._next = start + self._interval if closed else start
        return told

    def _answered(self, rows: Rows | None, reason: str, now: int) -> Sequence[Decoded]:
        assert self._held is not None  # Else the answer isn't handed here.
        first, wanted = self._held[0][0].time, self._next or 0
        found = {row.open_time: row for row in rows or () if isinstance(row, Bar) and wanted <= row.open_time < first}
        told: list[Decoded] = []
        if rows is None:
            words = f"bars of {self.symbol} that were missed can't be had: {reason}"
            told.append(Reply("", 0, words, ok=False))
        for start in sorted(found):
            bar = found[start]
            told.append(self._bar(start, _prices(bar), bar.volume, now, closed=True, snapshot=True))
        self._next = first
        return (*told, *self._release())

    def _release(self) -> Sequence[Decoded]:
        held, self._held = self._held or [], None
        self._number_asked += 1
        return [thing for row, came in held for thing in self._go_on(row, came)]

    def _bar(
        self,
        start: int,
        prices: tuple[float, float, float, float],
        volume: float,
        now: int,
        *,
        closed: bool,
        snapshot: bool = False,
    ) -> Bar:
        return Bar(self.symbol, start, self._interval, *prices, volume, closed, None, now, self.guid, snapshot)


def _prices(bar: Bar) -> tuple[float, float, float, float]:
    return bar.open, bar.high, bar.low, bar.close


def _alike(one: Bar, other: Bar) -> bool:
    return (one.open_time, _prices(one), one.volume) == (other.open_time, _prices(other), other.volume)
