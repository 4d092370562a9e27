"""Trades, each once; what was missed is asked for over HTTP and told before what came since.

The venue's trades have ids without an order, so that only one thing proves that nothing is missing: the answer holds a
trade that has come live, too. Source: CoinAPI protocol sheet, sections 5 and 8.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from strategykit.model.events import Side, Trade
from strategykit.venues.asks import AskPastTrades
from strategykit.venues.coinapi.cursors import CoinCursor
from strategykit.venues.coinapi.rows import TradeRow
from strategykit.venues.coinapi.times import DAY, SECOND
from strategykit.venues.dialect import Decoded, Need, Reply
from strategykit.venues.keyed import Answer, Rows
from strategykit.venues.streams import Stream

__all__ = ["SIDES", "TradeCursor"]

SIDES: Final = {"BUY": Side.BUY, "SELL": Side.SELL}
"""As venues report them. What CoinAPI estimates isn't known."""

_REMEMBERED: Final = 20_000
"""Ids; of a busy market, those of minutes."""

MOST_HELD: Final = 10_000
"""Trades that wait for an answer; when there are more, they are told without it."""

_PAGE: Final = 10_000
"""Trades of one answer; it costs 100 credits if it is full."""

_TRIES: Final = 3
"""Answers that don't get any further before it is left at that: HTTP may know of a trade later than the stream."""

_MARGIN: Final = SECOND
"""What is asked for more than seems needed, since trades don't come in the order of their times."""


class TradeCursor(CoinCursor[TradeRow]):
    """Trades of one symbol.

    Args:
        guid: Of the subscription.
        stream: Its `depth` says how many past trades come first, unless it skips history.
        symbol: Its id.
    """

    def __init__(self, guid: str, stream: Stream, symbol: str) -> None:
        super().__init__(guid, symbol)
        self._past = 0 if stream.skip_history else stream.depth or 0
        self._told: dict[str, None] = {}
        self._newest: int | None = None
        """Time of the newest that was told, nanoseconds UTC."""
        self._oldest = 0
        """Time of the first that was told: what was before isn't missing."""
        self._missed = False
        """Whether some may be missing since the newest."""
        self._held: dict[str, tuple[TradeRow, int]] = {}
        """What came while an answer is waited for, and when."""
        self._proof: str | None = None
        """The first of them since the loss: an answer that has it leaves no hole. None: nothing is waited for."""
        self._number_asked = 0
        self._tries = 0
        self._since = 0
        self._ahead: TradeRow | None = None

    def reconnected(self) -> None:
        """An answer that is under way is about another loss; what is held stays until all is known."""
        super().reconnected()
        self._ahead, self._proof = None, None
        self._number_asked += 1
        self._missed = self._newest is not None or bool(self._held)

    def torn_beside(self) -> None:
        self._ahead = None

    def follows(self, row: TradeRow) -> bool:
        """From the first on that has come already, or after which all before has, another connection may go on."""
        ahead, self._ahead = self._ahead, row
        if (self._newest is None and not self._held) or self._knows(row) or (ahead is not None and self._knows(ahead)):
            self._ahead = None
            return True
        return False

    def take(self, row: TradeRow, now: int) -> Sequence[Decoded]:
        name = row.uuid.lower()
        if not row.size or name in self._told or name in self._held:
            return ()
        if self._proof is not None:
            self._held[name] = (row, now)
            return self._release(()) if len(self._held) > MOST_HELD else ()
        if self._missed or self._past:
            self._held[name] = (row, now)
            return (self._begin(name, row, now),)
        self._note(name, row.time)
        return (self._trade(row, now),)

    def answered(self, rows: Rows | None, reason: str, now: int) -> Sequence[Decoded]:
        """Tell what an answer has, and what has waited for it, if it proves that nothing is missing in between."""
        proof = self._proof
        assert proof is not None  # Else the answer isn't handed here.
        if rows is None:
            words = f"trades of {self.symbol} that were missed, or came before, can't be had: {reason}"
            return (Reply("", 0, words, ok=False), *self._release(()))
        found = [row for row in rows if isinstance(row, Trade)]
        if self._past:
            fresh = [row for row in found if str(row.trade_id) not in self._held]
            return self._release(self._tell(fresh[-self._past :], now))
        proven = any(row.trade_id == proof for row in found)
        told = self._tell(found, now)
        if proven:
            return self._release(told)
        before, self._since = self._since, self._where_next(found)
        self._tries = self._tries + 1 if self._since == before else 0
        if self._tries >= _TRIES:
            words = f"the venue's HTTP doesn't know the newest trades of {self.symbol} yet; some may be missing"
            return (*told, Reply("", 0, words, ok=False), *self._release(()))
        return (*told, self._ask(now))

    def _begin(self, name: str, row: TradeRow, now: int) -> Need:
        self._proof = name
        self._tries = 0
        self._since = max((self._newest or 0) - _MARGIN, self._oldest)
        if self._missed:
            self._past = 0  # What is missing matters more.
        return self._ask(max(now, row.time))

    def _ask(self, now: int) -> Need:
        self._number_asked += 1
        since, count = (0, self._past) if self._past else (self._since, _PAGE)
        ask = AskPastTrades(instrument=self.symbol, since=since, until=now + _MARGIN, count=count)
        return Need(self.guid, ask, Answer(self._number_asked, lambda: self._number_asked, self.answered))

    def _where_next(self, found: Sequence[Trade]) -> int:
        """Give the time from which on to ask next: that of the newest trade, or the next day, as a call is of one."""
        newest = max((row.event_time or 0 for row in found), default=0)
        if newest > self._since:
            return newest
        midnight = self._since - self._since % DAY + DAY
        return midnight if midnight <= min(row.time for row, _ in self._held.values()) else self._since

    def _tell(self, found: Iterable[Trade], now: int) -> list[Decoded]:
        """Give past trades that weren't told; those that came live, too, are told as such."""
        events: list[Decoded] = []
        for row in found:
            name = str(row.trade_id)
            live = self._held.pop(name, None)
            if live is not None:
                self._note(name, live[0].time)
                events.append(self._trade(*live))
            elif name not in self._told:
                time = row.event_time or 0
                self._note(name, time)
                events.append(
                    Trade(self.symbol, row.price, row.quantity, row.side, name, time, now, self.guid, snapshot=True)
                )
        return events

    def _release(self, told: Sequence[Decoded]) -> Sequence[Decoded]:
        """Go on with what was held, whether or not all before it is known."""
        held, self._held = self._held, {}
        self._proof, self._past, self._missed = None, 0, False
        self._number_asked += 1
        for name, (row, _) in held.items():
            self._note(name, row.time)
        return (*told, *(self._trade(row, came) for row, came in held.values()))

    def _note(self, name: str, time: int) -> None:
        if self._newest is None:
            self._newest = self._oldest = time
        elif time > self._newest:
            self._newest = time
        self._told[name] = None
        if len(self._told) > _REMEMBERED:
            self._told = dict.fromkeys(list(self._told)[-_REMEMBERED // 2 :])

    def _knows(self, row: TradeRow) -> bool:
        return row.uuid.lower() in self._told or row.uuid.lower() in self._held

    def _trade(self, row: TradeRow, now: int) -> Trade:
        return Trade(
            self.symbol,
            row.price,
            row.size,
            SIDES.get(row.taker_side or ""),
            row.uuid.lower(),
            row.time,
            now,
            self.guid,
        )
