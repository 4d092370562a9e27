"""The market of a simulated stream venue as its servers tell it: numbered trades and book changes, bars, days."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from math import fsum
from typing import Final

import attrs

from strategykit.model.events import Bar, BookSnapshot, Event, Quote, Side, Trade
from strategykit.model.instruments import Instrument
from strategykit.sim.alor_market import VenueMarket
from strategykit.sim.history import MINUTE, SECOND
from strategykit.sim.stream_tally import Tally
from strategykit.venues.stream.server_values import (
    BookState,
    BookUpdate,
    Candle,
    Day,
    Level,
    Mark,
    OpenInterest,
    Print,
    Top,
)

__all__ = ["Changes", "StreamMarket", "Symbol"]

_TRADES_KEPT: Final = 1_000
_FIRST_UPDATE: Final = 1_000
_FIRST_TRADE: Final = 500
_STALE_BY: Final = 10
"""How much older a stale snapshot's number is than the first change there ever was."""

_DAY: Final = 24 * 60 * MINUTE
_FUNDING: Final = 8 * 60 * MINUTE


@attrs.define(eq=False)
class Changes:
    """What is new about one symbol."""

    trades: list[Print] = attrs.field(factory=list)
    update: BookUpdate | None = None
    top: Top | None = None
    """Where the best bid or ask, or what waits there, is another than before."""


class StreamMarket:
    """All symbols of one venue.

    Args:
        market: What happens; a `SimulatedExchange`, or a recording.
        places: Digits after the point, of prices and quantities alike; None: as tick and lot have them.
        zero: How the quantity of a level that has gone is written; None: with the digits of any other.
        book_interval: Nanoseconds between two changes of a book.
    """

    def __init__(self, market: VenueMarket, *, places: int | None, zero: str | None, book_interval: int) -> None:
        self.market = market
        self.symbols = {
            symbol: Symbol(market, instrument, places=places, zero=zero)
            for symbol, instrument in market.instruments.items()
        }
        self._book_interval = book_interval
        self._next_books = 0

    def take(self, events: Iterable[Event], now: int) -> Mapping[str, Changes]:
        """Number what happened; give it by symbol."""
        changes: dict[str, Changes] = {}
        for event in events:
            if isinstance(event, Trade | BookSnapshot | Quote):
                self.symbols[event.instrument].take(event, changes.setdefault(event.instrument, Changes()))
        if now >= self._next_books:
            self._next_books = max(self._next_books + self._book_interval, now - now % self._book_interval)
            for symbol, state in self.symbols.items():
                update = state.next_update(now)
                if update is not None:
                    change = changes.setdefault(symbol, Changes())
                    change.update, change.top = update, state.next_top()
        return changes


class Symbol:
    """One instrument: its book, its trades, and what follows from them."""

    def __init__(self, market: VenueMarket, instrument: Instrument, *, places: int | None, zero: str | None) -> None:
        self.instrument = instrument
        self._market = market
        self._lot = float(instrument.lot)
        self._price_places = _places(instrument.tick.as_tuple().exponent) if places is None else places
        self._size_places = _places(instrument.lot.as_tuple().exponent) if places is None else places
        self._zero = self._size(0.0) if zero is None else zero
        self._tally = Tally()
        self._trade_id = _FIRST_TRADE
        self._last = _FIRST_UPDATE
        self._shown = self._make_book(market.book(instrument.symbol))
        self._latest = market.book(instrument.symbol)
        self._dirty = False
        self._first = attrs.evolve(self._shown, last=_FIRST_UPDATE - _STALE_BY)
        self._top = self.top()
        self.trades: deque[Print] = deque(maxlen=_TRADES_KEPT)

    @property
    def book(self) -> BookState:
        """The book as all changes so far make it."""
        return self._shown

    @property
    def stale_book(self) -> BookState:
        """The book as it was before anything that a client can have seen."""
        return self._first

    def take(self, event: Trade | BookSnapshot | Quote, changes: Changes) -> None:
        if isinstance(event, Trade):
            changes.trades.append(self._number(event))
        elif isinstance(event, BookSnapshot):
            self._latest, self._dirty = event, True
        # Quotes come with books; what is best is read off the book, so that the two never disagree.

    def next_update(self, now: int) -> BookUpdate | None:
        """Give what changed since the last update; None if nothing did."""
        if not self._dirty:
            return None
        self._dirty = False
        old, new = self._shown, self._make_book(self._latest)
        bids, asks = self._changes(old.bids, new.bids), self._changes(old.asks, new.asks)
        if not bids and not asks:
            return None
        self._last += 1
        self._shown = attrs.evolve(new, last=self._last, time=now)
        return BookUpdate(self.instrument.symbol, self._last, self._last, self._last - 1, bids, asks, now)

    def next_top(self) -> Top | None:
        """Give what is best now; None if that is what it was."""
        old, self._top = self._top, self.top()
        return None if (old.bid, old.ask) == (self._top.bid, self._top.ask) else self._top

    def top(self) -> Top:
        book = self._shown
        return Top(book.symbol, book.last, next(iter(book.bids), None), next(iter(book.asks), None), book.time)

    def candles(self, name: str, interval: int, since: int, until: int, now: int) -> list[Candle]:
        """Give bars that began in ``[since, until)``, oldest first."""
        bars = self._market.bars(self.instrument.symbol, interval, since, until)
        return [self._make_candle(bar, name, now) for bar in bars]

    def day(self, now: int, *, window: int = _DAY, name: str = "24hr") -> Day:
        """Give the figures of the time up to now."""
        symbol = self.instrument.symbol
        bars = self._market.bars(symbol, MINUTE, now - window, now + 1)
        latest = self._market.trades(symbol, 1)
        last = latest[-1].price if latest else bars[-1].close if bars else 0.0
        opening = bars[0].open if bars else last
        volume = fsum(bar.volume for bar in bars)
        worth = fsum(bar.volume * _mean(bar) for bar in bars)
        tally = self._tally.sum(MINUTE, now - window, now + 1)
        return Day(
            symbol=symbol,
            window=name,
            open_time=now - window,
            close_time=now,
            open=self._price(opening),
            high=self._price(max((bar.high for bar in bars), default=last)),
            low=self._price(min((bar.low for bar in bars), default=last)),
            last=self._price(last),
            last_quantity=self._size(latest[-1].quantity if latest else 0.0),
            change=self._price(last - opening),
            percent=f"{100 * (last - opening) / opening if opening else 0.0:.3f}",
            weighted=self._price(worth / volume if volume else last),
            previous_close=self._price(opening),
            volume=self._size(volume),
            quote_volume=self._size(worth),
            first_id=tally.first,
            last_id=tally.last,
            trades=tally.count,
            top=self.top(),
        )

    def mark(self, now: int) -> Mark:
        """Give a mark price: the middle of the book, with a funding rate that stands still."""
        bids, asks = self._shown.bids, self._shown.asks
        middle = (float(bids[0][0]) + float(asks[0][0])) / 2 if bids and asks else 0.0
        price = self._price(middle)
        return Mark(self.instrument.symbol, price, price, "0.00010000", now - now % _FUNDING + _FUNDING)

    def open_interest(self) -> OpenInterest:
        return OpenInterest(self.instrument.symbol, self._size(1_000_000.0))

    def _number(self, trade: Trade) -> Print:
        self._trade_id += 1
        time = trade.receive_time if trade.event_time is None else trade.event_time
        price, quantity = self._price(trade.price), self._size(trade.quantity)
        made = Print(trade.instrument, self._trade_id, price, quantity, trade.side is Side.SELL, time)
        self.trades.append(made)
        self._tally.add(time, self._trade_id, trade.quantity, taker_bought=trade.side is Side.BUY)
        return made

    def _make_candle(self, bar: Bar, name: str, now: int) -> Candle:
        tally = self._tally.sum(
            MINUTE if bar.interval % MINUTE == 0 else SECOND, bar.open_time, bar.open_time + bar.interval
        )
        return Candle(
            symbol=bar.instrument,
            interval=name,
            open_time=bar.open_time,
            close_time=bar.open_time + bar.interval - 1,
            open=self._price(bar.open),
            high=self._price(bar.high),
            low=self._price(bar.low),
            close=self._price(bar.close),
            volume=self._size(bar.volume),
            quote_volume=self._size(bar.volume * _mean(bar)),
            taker_volume=self._size(tally.bought),
            taker_quote_volume=self._size(tally.bought * _mean(bar)),
            first_id=tally.first,
            last_id=tally.last,
            trades=tally.count,
            closed=bar.open_time + bar.interval <= now,
        )

    def _changes(self, old: tuple[Level, ...], new: tuple[Level, ...]) -> tuple[Level, ...]:
        """Give the levels to set to come from one side of a book to another; zero removes."""
        if old == new:
            return ()
        before, after = dict(old), dict(new)
        changed = [(price, size) for price, size in new if before.get(price) != size]
        return (*((price, self._zero) for price, _ in old if price not in after), *changed)

    def _make_book(self, book: BookSnapshot) -> BookState:
        bids, asks = self._levels(book.bid_prices, book.bid_sizes), self._levels(book.ask_prices, book.ask_sizes)
        return BookState(book.instrument, self._last, bids, asks, book.receive_time)

    def _levels(self, prices: Sequence[float], sizes: Sequence[float]) -> tuple[Level, ...]:
        return tuple((self._price(price), self._size(size)) for price, size in zip(prices, sizes, strict=True))

    def _price(self, price: float) -> str:
        return f"{price:.{self._price_places}f}"

    def _size(self, lots: float) -> str:
        return f"{lots * self._lot:.{self._size_places}f}"


def _mean(bar: Bar) -> float:
    """Give about what the bar's trades paid."""
    return (bar.high + bar.low + bar.close) / 3


def _places(exponent: int | str) -> int:
    return max(0, -int(exponent))
