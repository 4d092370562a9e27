"""One instrument of the simulated venue: its book, its crowd, its past, and what its streams show."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Final

from strategykit.errors import ConfigError
from strategykit.model.events import BookSnapshot, InstrumentUpdate, Quote, Side, Trade
from strategykit.model.instruments import Instrument
from strategykit.sim.history import BarHistory
from strategykit.sim.market import Crowd, FairPrice, generate_past
from strategykit.sim.matching import Match, MatchingEngine, SelfTrade

__all__ = ["DEPTH", "TRADES_KEPT", "Listing"]

DEPTH: Final = 50
"""Book levels a side. Source: ALOR protocol sheet, section 6.1."""

TRADES_KEPT: Final = 5_000
"""Source: ALOR protocol sheet, section 6.1: the most past trades that can be asked for."""

_PAST_MINUTES: Final = 600
_PAST_SECONDS: Final = 1_800

_NORMAL, _BREAK = 17, 2
"""Trading status codes. Source: ALOR protocol sheet, section 3.5."""


class Listing:
    """One instrument.

    Args:
        instrument: What is traded.
        opening: Where its market opens; prices may move by a fifth from there, the crowd keeps within a tenth.
        seed: Of everything generated here.
        start: Nanoseconds UTC; some ten hours of bars lie before it.
        rate: Actions of the crowd a second.
        number: Gives order numbers.
        self_trade: See `MatchingEngine`.

    Raises:
        ConfigError: `opening` can't be.
    """

    def __init__(
        self,
        instrument: Instrument,
        opening: Decimal,
        *,
        seed: str,
        start: int,
        rate: float,
        number: Callable[[], int],
        self_trade: SelfTrade,
    ) -> None:
        home = instrument.ticks(opening)
        if home < 100:
            raise ConfigError(
                f"{instrument.symbol}: an opening price of {opening} is under 100 ticks, too coarse to move"
            )
        self.instrument = instrument
        self.low, self.high = home - home // 5, home + home // 5
        """Price limits, ticks."""
        self.trading = True
        self.changed = False
        """Whether the book differs from what was published last."""
        self.engine = MatchingEngine(number=number, self_trade=self_trade)
        self.history = BarHistory(instrument.symbol)
        self.trades: deque[Trade] = deque(maxlen=TRADES_KEPT)
        self._floats: dict[int, float] = {}
        self._volume = 0
        random = Random(seed)
        fair = FairPrice(random, float(home), low=home * 0.9, high=home * 1.1)
        past = generate_past(fair, random, start=start, minutes=_PAST_MINUTES, seconds=_PAST_SECONDS)
        for time, ticks, lots in past:
            self.history.trade(time, self.to_float(round(ticks)), float(lots))
        self._previous = self._open = self._high = self._low = round(fair.ticks)
        self.last = round(fair.ticks)
        """Price of the last trade, ticks; before the first one, where the past ended."""
        self.crowd = Crowd(self.engine, fair, random=random, number=number, start=start, rate=rate)
        self.crowd.open_book()

    def to_float(self, ticks: int) -> float:
        """Give a price as market data shows it; remembered, as the same few prices come again and again."""
        found = self._floats.get(ticks)
        if found is None:
            found = self._floats[ticks] = float(self.instrument.price(ticks))
        return found

    def print_trade(self, match: Match, trade_id: int, time: int, now: int) -> Trade:
        """Note a match for the tape, the bars and the day's figures; give it as the tape shows it."""
        price, ticks, quantity = self.to_float(match.price), match.price, match.quantity
        trade = Trade(self.instrument.symbol, price, float(quantity), match.taker.side, trade_id, time, now, "")
        self.trades.append(trade)
        self.history.trade(time, price, float(quantity))
        if not self._volume:
            self._open = self._high = self._low = ticks
        self._volume += quantity
        self._high = max(self._high, ticks)
        self._low = min(self._low, ticks)
        self.last = ticks
        return trade

    def book(self, depth: int, now: int) -> BookSnapshot:
        bids, asks = (self.engine.depth(side, depth) for side in Side)
        return BookSnapshot(
            self.instrument.symbol,
            tuple(self.to_float(price) for price, _ in bids),
            tuple(float(size) for _, size in bids),
            tuple(self.to_float(price) for price, _ in asks),
            tuple(float(size) for _, size in asks),
            now,
            now,
            "",
        )

    def quote(self, now: int) -> Quote:
        bid, ask = (next(iter(self.engine.depth(side, 1)), None) for side in Side)
        return Quote(
            self.instrument.symbol,
            None if bid is None else self.to_float(bid[0]),
            None if bid is None else float(bid[1]),
            None if ask is None else self.to_float(ask[0]),
            None if ask is None else float(ask[1]),
            self.to_float(self.last),
            now,
            now,
            "",
            False,
            self.to_float(self._open),
            self.to_float(self._high),
            self.to_float(self._low),
            self.to_float(self._previous),
            float(self._volume),
        )

    def status(self, now: int) -> InstrumentUpdate:
        price = self.instrument.price
        margin = self.instrument.value(price(self.last), Decimal(1))
        return InstrumentUpdate(
            self.instrument.symbol,
            _NORMAL if self.trading else _BREAK,
            self.trading,
            "normal trading" if self.trading else "break",
            price(self.low),
            price(self.high),
            margin,
            margin,
            now,
            now,
            "",
            self.instrument.exchange,
            self.instrument.board,
        )
