"""Bars, client side: T4's stream has none, so they are made of its trades, and a first, cut one comes by HTTP.

Source: T4 protocol sheet, sections 1.6 and 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from strategykit.errors import LocalProtocolError
from strategykit.model.bars import BarBuilder
from strategykit.model.events import Bar, Event, Trade, VenueError
from strategykit.model.instruments import Instrument
from strategykit.venues.asks import AskBars
from strategykit.venues.dialect import Decoded, Need
from strategykit.venues.streams import Stream
from strategykit.venues.t4.market import Depth, Part
from strategykit.venues.t4.quotes import TradeMemory, instrument_of, trade_of

__all__ = ["BarCursor"]

_HOUR: Final = 3_600_000_000_000


class BarCursor:
    """Bars of one length.

    Trades of the interval in which the stream begins, or begins anew, may be missing. When it is over, its bar is asked
    for over HTTP, with those before it that were missed; later ones wait for the answer, so that their order is right.
    """

    __slots__ = ("_builder", "_guid", "_held", "_length", "_memory", "_since", "_stream", "_waits", "_whole_from")

    def __init__(self, guid: str, stream: Stream) -> None:
        instrument, length = instrument_of(stream), stream.interval
        if length is None or length % 1_000_000_000 or length < 1 or _HOUR % length:
            raise LocalProtocolError(
                "T4's stream has no bars: those made here are of whole seconds, and so many of them make an hour; "
                f"not of {length} ns"
            )
        self._guid = guid
        self._stream = stream
        self._length = length
        self._since = stream.since
        """Where the next bar to be told begins; None: where the stream does."""
        self._memory = TradeMemory()
        self._builder = BarBuilder(instrument, length, show_forming=True)
        self._restart()

    def _restart(self) -> None:
        self._builder = BarBuilder(self._builder.instrument, self._length, show_forming=True)
        self._whole_from: int | None = None
        """From where on all trades are known; None before the first datum."""
        self._waits: AskBars | None = None
        self._held: list[Bar] = []

    def reconnected(self) -> None:
        """What was missed is asked for when the interval that is running is over."""
        self._restart()

    def take(self, datum: tuple[Part, ...], now: int) -> Sequence[Decoded]:
        events: list[Decoded] = []
        for part in datum:
            found = trade_of(part)
            if found is not None and self._memory.add(found) and not found.snapshot:
                time = now if found.time is None else found.time
                events += self._reach(time)
                side, guid = found.side, self._guid
                trade = Trade(self._builder.instrument, found.price, found.volume, side, None, time, now, guid)
                events += self._told(self._builder.apply(trade))
            if isinstance(part, Depth):
                events += self._reach(now if part.time is None else part.time)
        return events

    def follows(self, _: object) -> bool:
        return True

    def answered(self, rows: Sequence[Event | Instrument] | None, reason: str, now: int) -> Sequence[Decoded]:
        """Take the bars that were missing; what was held back follows them."""
        asked, self._waits = self._waits, None
        if asked is None:
            return ()  # An answer to what was asked before a reconnect: it is asked for again.
        held, self._held = self._held, []
        since = asked.since or 0
        self._since = held[-1].open_time + self._length if held else asked.until
        if rows is None:
            words = f"{self._stream.label}: those that were missed can't be had: {reason}"
            return (VenueError(self._builder.instrument, 0, words, None, now, self._guid), *held)
        bars = [row for row in rows if isinstance(row, Bar) and since <= row.open_time < asked.until]
        return (*(self._as_own(bar, now) for bar in bars), *held)

    def _as_own(self, bar: Bar, now: int) -> Bar:
        prices = bar.open, bar.high, bar.low, bar.close
        instrument, guid = self._builder.instrument, self._guid
        return Bar(instrument, bar.open_time, self._length, *prices, bar.volume, True, bar.event_time, now, guid)

    def _reach(self, time: int) -> Sequence[Decoded]:
        """The market's time is `time`: close what is over, and ask for what was missed."""
        if self._whole_from is None:
            self._whole_from = time - time % self._length + self._length
            if self._since is None:
                self._since = self._whole_from - self._length
        since, bars = self._since, self._told(self._builder.close(time))
        if time < self._whole_from or since is None or since >= self._whole_from or self._waits is not None:
            return bars
        self._waits = AskBars(
            instrument=self._builder.instrument,
            interval=self._length,
            count=(self._whole_from - since) // self._length,
            until=self._whole_from,
            since=since,
            exchange=self._stream.exchange,
            board=self._stream.board,
        )
        return (*bars, Need(self._guid, self._waits, self))

    def _told(self, bars: Sequence[Bar]) -> Sequence[Bar]:
        """Give the bars that are whole, or hold those that have closed back while earlier ones are awaited."""
        whole = [bar for bar in bars if self._whole_from is not None and bar.open_time >= self._whole_from]
        if self._waits is not None:
            self._held += [bar for bar in whole if bar.closed]
            return ()
        for bar in whole:
            if bar.closed:
                self._since = bar.open_time + self._length
        return whole
