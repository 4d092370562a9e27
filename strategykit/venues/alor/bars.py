"""Bars, client side. Source: ALOR protocol sheet, sections 2.3 and 3.2.

History and live bars look alike: there is no `existing` flag. A frame counts as history while a subscription replays
and its interval had ended when the frame came; the first frame of a running interval, or a second one in a row of the
same, ends the replay. No frame comes for an interval without trades, so only the next bar says that one is closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from strategykit.errors import LocalProtocolError
from strategykit.model.events import Bar, Event
from strategykit.venues.alor.fields import BAR
from strategykit.venues.alor.market import symbol_of
from strategykit.venues.alor.names import NANOS
from strategykit.venues.alor.parsing import UNREADABLE, Seconds, Size, readers, unreadable
from strategykit.venues.alor.times import write_timeframe
from strategykit.venues.streams import Stream

__all__ = ["BarCursor", "BarRow", "check_bar"]


class BarRow(msgspec.Struct, gc=False):
    """One bar as it comes. Its volume is taken to be in lots: the venue doesn't say (section 8, point 18)."""

    time: Seconds
    close: float
    open: float
    high: float
    low: float
    volume: Size = 0.0


_BARS: Final = readers(BarRow, BAR)


def check_bar(row: BarRow) -> None:
    """Pass a bar that prices can make.

    Raises:
        ValueError: They can't: a price of 0, or one outside low and high.
    """
    low, high = row.low, row.high
    if not (low <= row.open <= high and low <= row.close <= high):
        raise ValueError("a bar's prices aren't between its low and high")
    if not (low and high and row.open and row.close):
        raise ValueError("a bar with a price of 0")


class BarCursor:
    """One bar a frame, forming; and each bar once more, closed, when the next one begins."""

    __slots__ = ("_guid", "_held", "_interval", "_past", "_read", "_replayed", "_replaying", "_symbol")

    def __init__(self, guid: str, stream: Stream, style: str) -> None:
        if stream.interval is None:
            raise LocalProtocolError("a subscription to bars needs an interval")
        write_timeframe(stream.interval)  # Raises where the venue has no such bars.
        self._guid = guid
        self._symbol = symbol_of(stream)
        self._interval = stream.interval
        self._read = _BARS[style]
        self._held: BarRow | None = None
        self._past = False
        """Whether the held bar came as history."""
        self._replaying = True
        self._replayed: int | None = None
        """Beginning of the last bar of the replay, seconds UTC."""

    @property
    def last_open(self) -> int | None:
        """When the last bar held began, nanoseconds UTC: where a new subscription goes on."""
        return None if self._held is None else self._held.time * NANOS

    def decode(self, frame: str | bytes, receive_time: int) -> Sequence[Event]:
        try:
            row = self._read(frame).data
            check_bar(row)
        except UNREADABLE as exc:
            raise unreadable(frame, exc) from exc
        held, events = self._held, []
        if held is not None:
            if row.time < held.time:
                # Replayed once more, or a correction of a bar that was told to be closed: closed is closed.
                return ()
            if row.time > held.time:
                events.append(self._bar(held, receive_time, closed=True))
        if self._replaying:
            running = row.time * NANOS + self._interval > receive_time
            self._replaying = not running and row.time != self._replayed
            self._replayed = row.time
        self._held = row
        self._past = self._replaying
        events.append(self._bar(row, receive_time, closed=False))
        return events

    def reconnected(self) -> None:
        """What is held stays: the replay starts with it."""
        self._replaying = True
        self._replayed = None

    def _bar(self, row: BarRow, receive_time: int, *, closed: bool) -> Bar:
        return Bar(
            self._symbol,
            row.time * NANOS,
            self._interval,
            row.open,
            row.high,
            row.low,
            row.close,
            row.volume,
            closed,
            None,  # The venue doesn't say when: only the interval is known.
            receive_time,
            self._guid,
            self._past,
        )
