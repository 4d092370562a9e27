"""Bars: the forming one as it changes, each closed one once; what was missed is asked for over HTTP and told first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from strategykit.errors import LocalProtocolError
from strategykit.model.events import Bar, Event
from strategykit.venues.asks import AskBars
from strategykit.venues.dialect import Decoded, Need
from strategykit.venues.stream.asking import ASK_EVERY, MOST_HELD, Answer, Rows, make_gap
from strategykit.venues.stream.rows import KlineRow, NaiveBarRow, Reader, nanoseconds, read_naive, reader
from strategykit.venues.stream.variants import Variant
from strategykit.venues.streams import Stream

__all__ = ["BarCursor"]

_BINANCE: Final[Reader[KlineRow]] = reader(KlineRow)
_BACKPACK: Final[Reader[NaiveBarRow]] = reader(NaiveBarRow)

_MISSING: Final = "bars are missing"


class BarCursor:
    """Bars of one instrument and interval.

    Args:
        guid: Of the subscription.
        stream: Its `since` says from when on no bar may be missing.
        variant: Of whom.
    """

    def __init__(self, guid: str, stream: Stream, variant: Variant) -> None:
        if stream.interval is None:
            raise LocalProtocolError("a subscription to bars needs an interval")
        self._guid = guid
        self._stream = stream
        self._interval = stream.interval
        self._since = stream.since
        self._most = variant.bars
        self.read: Reader[KlineRow] | Reader[NaiveBarRow] = _BACKPACK if variant.language == "backpack" else _BINANCE
        self._next: int | None = None
        """When the next bar to be told began: older ones are closed."""
        self._held: list[tuple[Bar, int]] | None = None
        """What came while an answer is waited for."""
        self._short = False
        """Whether more are missing than one answer can hold."""
        self._heard: int | None = None
        self._number = 0
        self._asked_at: int | None = None
        self._again = False
        """Whether nothing has come since a reconnect: the run tells that gap itself."""

    def reconnected(self) -> None:
        self._again = True

    def follows(self, row: KlineRow | NaiveBarRow) -> bool:
        bar = self._bar(row, 0)
        return bar is None or self._next is None or self._held is not None or bar.open_time <= self._next

    def take(self, row: KlineRow | NaiveBarRow, now: int) -> Sequence[Decoded]:
        bar = self._bar(row, now)
        if bar is None:
            return ()
        if self._held is not None:
            self._held.append((bar, now))
            return self._answered(None, "", now) if len(self._held) > MOST_HELD else ()
        if self._next is None:
            self._next = self._begin(bar)
        missing = (bar.open_time - self._next) // self._interval
        may_ask = self._again or self._asked_at is None or now - self._asked_at >= ASK_EVERY
        if missing > 0 and may_ask:
            return (self._ask(bar, now, missing),)
        return self._go_on(bar, now)

    def _begin(self, first: Bar) -> int:
        """Give when the first bar wanted began, on the venue's own grid: weeks don't begin where 1970 did."""
        if self._since is None or self._since >= first.open_time:
            return first.open_time
        return first.open_time + (self._since - first.open_time) // self._interval * self._interval

    def _bar(self, row: KlineRow | NaiveBarRow, now: int) -> Bar | None:
        """Give a message's bar; None if nothing was traded in it that has a price."""
        if isinstance(row, KlineRow):
            bar, opened = row.k, nanoseconds(row.k.t)
            prices = (bar.o, bar.h, bar.l, bar.c)
        else:
            if row.o is None or row.h is None or row.l is None or row.c is None:
                return None
            bar, opened = row, read_naive(row.t)  # type: ignore[assignment]  # both have a volume and an end
            prices = (row.o, row.h, row.l, row.c)
        time = None if row.E is None else nanoseconds(row.E)
        return Bar(self._stream.instrument or "", opened, self._interval, *prices, bar.v, bar.x, time, now, self._guid)

    def _go_on(self, bar: Bar, now: int) -> list[Event]:
        told: list[Event] = []
        assert self._next is not None
        if bar.open_time < self._next:
            return told
        if bar.open_time > self._next and not self._again:
            told.append(make_gap(self._guid, self._stream, self._heard, now, _MISSING))
        told.append(bar)
        self._next = bar.open_time + self._interval if bar.closed else bar.open_time
        self._heard, self._again = now, False
        return told

    def _ask(self, bar: Bar, now: int, missing: int) -> Need:
        self._held = [(bar, now)]
        self._asked_at = now
        self._number += 1
        self._short = missing > self._most
        ask = AskBars(
            instrument=bar.instrument, interval=self._interval, count=min(missing, self._most), until=bar.open_time
        )
        return Need(self._guid, ask, Answer(self._number, lambda: self._number, self._answered))

    def _answered(self, rows: Rows | None, reason: str, now: int) -> list[Decoded]:  # noqa: ARG002 - a gap says enough
        held, self._held = self._held or [], None
        self._number += 1
        first, wanted = held[0][0].open_time, self._next or 0
        found = {row.open_time: row for row in rows or () if isinstance(row, Bar) and wanted <= row.open_time < first}
        told: list[Decoded] = []
        if (rows is None or self._short) and not self._again:
            told.append(make_gap(self._guid, self._stream, self._heard, now, _MISSING))
        for opened in sorted(found):
            old = found[opened]
            told.append(
                # Closed, since a later one has begun.
                Bar(
                    old.instrument,
                    opened,
                    old.interval,
                    old.open,
                    old.high,
                    old.low,
                    old.close,
                    old.volume,
                    True,
                    old.event_time,
                    now,
                    self._guid,
                    True,
                )
            )
        self._next = first  # Of times in which nothing was traded a venue may have no bars.
        for bar, came in held:
            told.extend(self._go_on(bar, came))
        return told
