"""Trades, each once and in the order of their numbers; what was missed is asked for over HTTP and told first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from strategykit.model.events import Event, Gap, Side, Trade
from strategykit.venues.asks import AskPastTrades
from strategykit.venues.dialect import Decoded, Need
from strategykit.venues.stream.asking import ASK_EVERY, MOST_HELD, Answer, Rows, make_gap
from strategykit.venues.stream.rows import LAST_MS, AggregateRow, Reader, TradeRow, nanoseconds, reader
from strategykit.venues.stream.variants import Variant
from strategykit.venues.streams import Stream

__all__ = ["TradeCursor"]

_TRADE: Final[Reader[TradeRow]] = reader(TradeRow)
_AGGREGATE: Final[Reader[AggregateRow]] = reader(AggregateRow)

_TAKERS: Final = {None: None, True: Side.SELL, False: Side.BUY}
"""Who crossed the spread, by whether the buyer was the maker."""

_ANEW: Final = 1_000_000_000
"""Nanoseconds by which a trade with a small number is younger than one with a large one if a venue counts anew."""


class TradeCursor:
    """Trades of one instrument, numbered by the venue without holes.

    Args:
        guid: Of the subscription.
        stream: Its `depth` says how many past trades come first, unless it skips history.
        variant: Of whom.
        word: ``"trade"`` or ``"aggTrade"``.
    """

    def __init__(self, guid: str, stream: Stream, variant: Variant, word: str) -> None:
        self._guid = guid
        self._stream = stream
        self._symbol = stream.instrument or ""
        self._most = variant.past_trades
        self._past = 0 if stream.skip_history else min(stream.depth or 0, self._most)
        self.read: Reader[TradeRow] | Reader[AggregateRow] = _AGGREGATE if word == "aggTrade" else _TRADE
        self._last: int | None = None
        """The number of the newest trade told."""
        self._time = 0
        """When it happened, nanoseconds UTC."""
        self._heard: int | None = None
        """When it came."""
        self._held: list[tuple[TradeRow, int]] | None = None
        """What came while an answer is waited for."""
        self._number = 0
        self._asked_at: int | None = None
        self._again = False
        """Whether nothing has come since a reconnect: the run tells that gap itself."""

    def reconnected(self) -> None:
        self._again = True

    def follows(self, row: TradeRow) -> bool:
        newest = self._held[-1][0].t if self._held else self._last
        return newest is None or row.t <= newest + 1

    def take(self, row: TradeRow, now: int) -> Sequence[Decoded]:
        if self._held is not None:
            self._held.append((row, now))
            return self._answered(None, "", now) if len(self._held) > MOST_HELD else ()
        last = self._last
        number = row.t
        if last is not None and number == last + 1:  # Nearly always: as `_tell`, without calls.
            time = row.T
            time *= 1_000 if time > LAST_MS else 1_000_000
            self._last, self._time, self._heard, self._again = number, time, now, False
            return (Trade(self._symbol, row.p, row.q, _TAKERS[row.m], number, time, now, self._guid),)
        may_ask = self._again or self._asked_at is None or now - self._asked_at >= ASK_EVERY
        if last is None:
            if self._past:
                return (self._ask(row, now, since=0),)
        elif row.t > last and may_ask:
            return (self._ask(row, now, since=self._time),)
        return self._go_on(row, now)

    def _go_on(self, row: TradeRow, now: int) -> list[Event]:
        """Tell a trade as it comes: after a gap if some are missing, and not at all if it was told before."""
        last = self._last
        if last is not None and row.t <= last and nanoseconds(row.T) <= self._time + _ANEW:
            return []
        told: list[Event] = []
        if last is not None and row.t != last + 1 and not self._again:
            told.append(self._gap(now))
        told.append(self._tell(row, now))
        return told

    def _tell(self, row: TradeRow, now: int) -> Trade:
        number, time = row.t, nanoseconds(row.T)
        self._last, self._time, self._heard, self._again = number, time, now, False
        return Trade(self._symbol, row.p, row.q, _TAKERS[row.m], number, time, now, self._guid)

    def _gap(self, now: int) -> Gap:
        return make_gap(self._guid, self._stream, self._heard, now, "the venue's trade numbers have a hole")

    def _ask(self, row: TradeRow, now: int, *, since: int) -> Need:
        self._held = [(row, now)]
        self._asked_at = now
        self._number += 1
        # Trades that were told, and this one, may have happened in the same millisecond: their numbers tell them apart.
        ask = AskPastTrades(instrument=self._symbol, since=since, until=nanoseconds(row.T) + 1, count=self._most)
        return Need(self._guid, ask, Answer(self._number, lambda: self._number, self._answered))

    def _answered(self, rows: Rows | None, reason: str, now: int) -> list[Decoded]:  # noqa: ARG002 - a gap says enough
        held, self._held = self._held or [], None
        self._number += 1
        first, last = held[0][0].t, self._last
        found: dict[int, Trade] = {}
        for trade in rows or ():
            number = trade.trade_id if isinstance(trade, Trade) else None
            if isinstance(trade, Trade) and isinstance(number, int) and (-1 if last is None else last) < number < first:
                found[number] = trade
        told: list[Decoded] = []
        if last is not None and len(found) < first - last - 1 and not self._again:
            told.append(self._gap(now))
        for number in sorted(found)[0 if last is not None else -self._past :]:
            old = found[number]
            told.append(
                Trade(
                    old.instrument,
                    old.price,
                    old.quantity,
                    old.side,
                    number,
                    old.event_time,
                    now,
                    self._guid,
                    snapshot=True,
                )
            )
        if last is not None:
            self._last = first - 1  # Told, or told to be missing.
        for row, came in held:
            told.extend(self._go_on(row, came))
        return told
