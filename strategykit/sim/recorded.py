"""What recorded market data say of one instrument: what a taker would get now, and what a resting order has met."""

from __future__ import annotations

import copy
from decimal import Decimal
from operator import gt, lt
from typing import Any, Final

import attrs

from strategykit.model.book import Book
from strategykit.model.by_order import BookByOrder
from strategykit.model.events import (
    Bar,
    BookDelta,
    BookSnapshot,
    ByOrderDelta,
    ByOrderSnapshot,
    Event,
    Quote,
    Side,
    Ticker,
    Trade,
)
from strategykit.model.instruments import Instrument
from strategykit.sim.models.depth import Offer

__all__ = ["Newest", "Probe", "RecordedMarket", "exact"]

_TWO: Final = Decimal(2)
_BUY: Final = Side.BUY


def exact(number: float) -> Decimal:
    """Give the shortest decimal that reads as this double: what the venue printed."""
    return Decimal(str(number))


@attrs.define(eq=False)
class Probe:
    """How far one event reached. None: it says nothing on that."""

    buys: float | None
    """The lowest price at which someone sold or offers: what resting buys have met."""
    sells: float | None
    """The highest price at which someone bought or bids."""
    highest: float | None
    """For the triggers of buy stops."""
    lowest: float | None
    """For the triggers of sell stops."""
    opened: float | None = None
    """A bar's first price: a stop that it jumped over fills there."""
    since: int | None = None
    """A bar's start: what an order placed later met isn't known from it."""
    volume: float | None = None
    """What was traded, as the data count it; None where the event shows what is offered instead."""
    taker: Side | None = None
    """Who crossed the spread in a trade."""


class Newest:
    """Holds the newest event of its kind: a hot loop puts it there, and nothing else is done until somebody asks."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last: Any = None


@attrs.define(eq=False)
class RecordedMarket:
    """One instrument's latest data.

    Tickers price orders only where there are no trades, quotes or books; no resting limit meets them.
    Bars count for fills only where there are no trades, quotes or books of the instrument; quotes and books trigger
    stops only where there are no trades or bars. Repeats of the past (`snapshot`) match nothing.
    """

    instrument: Instrument
    books: dict[str, Book] = attrs.field(factory=dict)
    """By subscription: of one that is told to two depths, neither's changes fit the other's levels."""
    orders: BookByOrder = attrs.field(init=False)
    traded: bool = False
    """Whether trades or bars are among the data."""
    fine: bool = False
    """Whether trades, quotes or books are."""
    trades: Newest = attrs.field(factory=Newest, init=False)
    """The last trade, a repeat or not."""
    quotes: Newest = attrs.field(factory=Newest, init=False)
    """The last quote."""
    _close: float | None = attrs.field(default=None, init=False)
    """The newest price of bars and tickers. It came after the trade `_before_close`: it counts until another comes."""
    _before_close: Trade | None = attrs.field(default=None, init=False)
    _book: Book | None = attrs.field(default=None, init=False)
    """The newest book. It came after the quote `_before_book`: it counts until another comes."""
    _before_book: Quote | None = attrs.field(default=None, init=False)
    _read: float | None = attrs.field(default=None, init=False)
    """The last price that was made exact, and what came of it: it is asked for several times at each order."""
    _as_printed: Decimal = attrs.field(default=Decimal(0), init=False)

    @orders.default
    def _make_orders(self) -> BookByOrder:
        return BookByOrder(self.instrument.symbol)

    @property
    def last(self) -> float | None:
        """Price of the last trade, or close of the last bar."""
        trade: Trade | None = self.trades.last
        return self._close if trade is self._before_close or trade is None else trade.price

    @property
    def top(self) -> Quote | Book | None:
        """The newer of the last quote and the last book."""
        quote: Quote | None = self.quotes.last
        return self._book if quote is self._before_book else quote

    def takes(self, kind: type[Any]) -> Newest | None:
        """Give what need only hold the newest event of a class, instead of a `note` of each, until an order lives.

        None: each has to be noted, as the first ones have to be. What is given once stays right.
        """
        if kind is Trade and self.fine and self.traded:
            return self.trades
        return self.quotes if kind is Quote and self.fine else None

    def note(self, event: Event) -> bool:
        """Take in one event of this instrument; say whether orders may have met it.

        A trade or a quote costs little more than the call: numbers are made exact when somebody asks for them.
        """
        if type(event) is Trade:
            self.trades.last, self._before_close = event, None
            if event.snapshot:
                return False
            self.fine = self.traded = True
            return True
        if type(event) is Quote:
            self.quotes.last, self._before_book = event, None
            self.fine = True
            return True
        if type(event) is BookSnapshot or type(event) is BookDelta:
            book = self.books.get(event.guid)
            if book is None:
                book = self.books[event.guid] = Book(self.instrument.symbol)
            book.apply(event)
            if book.invalid:
                return False  # Changes to what isn't known.
            self._topped(book)
            return True
        return self._note_rare(event)

    def _note_rare(self, event: Event) -> bool:
        if isinstance(event, ByOrderSnapshot | ByOrderDelta):
            if self.orders.apply(event) is None:
                return False
            self._topped(self.orders.levels)
            return True
        if isinstance(event, Bar):
            if self.fine:
                return False
            self._priced(event.close)
            if event.snapshot:
                return False
            self.traded = True
            return True
        if isinstance(event, Ticker):
            if self.fine or event.last is None:
                return False
            self._priced(event.last)
            return True
        return False

    def _priced(self, price: float) -> None:
        self._close, self._before_close = price, self.trades.last

    def _topped(self, book: Book) -> None:
        self._book, self._before_book = book, self.quotes.last
        self.fine = True

    def probe(self, event: Event) -> Probe:
        """Say how far an event reached for which `note` said yes."""
        if type(event) is Trade:
            price = event.price
            return Probe(price, price, price, price, None, None, event.quantity, event.side)
        if type(event) is Bar:
            return Probe(event.low, event.high, event.high, event.low, event.open, event.open_time, event.volume)
        if type(event) is Ticker:  # It doesn't say when that was traded: before a resting order came, perhaps.
            return Probe(None, None, event.last, event.last)
        bid, ask = self.best(Side.BUY), self.best(Side.SELL)
        if self.traded:
            return Probe(ask, bid, None, None)
        said = event.last if type(event) is Quote else None
        if said is not None:
            return Probe(ask, bid, said, said)
        return Probe(ask, bid, ask, bid)

    def best(self, side: Side) -> float | None:
        """Give the best price of those who rest on `side`; None where nobody does, or nothing is known."""
        top = self.top
        if isinstance(top, Book):
            return top.best_bid if side is _BUY else top.best_ask
        if top is None:
            return None
        return top.bid if side is _BUY else top.ask

    def taken_at(self, side: Side) -> Decimal | None:
        """Give the price that a taker on `side` meets first, else what positions are valued at."""
        best = None if self.top is None else self.best(side.opposite)
        return self.mark if best is None else exact(best)

    def resting(self, side: Side, price: float) -> float | None:
        """Give the lots that rest on `side` at `price`; None where that isn't shown."""
        top = self.top
        if top is None:
            return None
        if isinstance(top, Book):
            size = top.size(side, price)
            return None if size is None else float(self.lots(size))
        best, shown = (top.bid, top.bid_size) if side is _BUY else (top.ask, top.ask_size)
        if best is None or (price - best) * side.sign > 0:
            return 0.0  # Better than all that are shown.
        return None if price != best or shown is None else float(self.lots(shown))

    def lots(self, size: float) -> Decimal:
        """Give a size of the data in lots, as orders have it."""
        return exact(size) / self.instrument.lot if self.instrument.counts_units else exact(size)

    def offers(self, side: Side, *, limit: Decimal | None = None, lots: Decimal | None = None) -> list[Offer]:
        """Give what a taker on `side` would meet, best first; empty if nobody is there, or nothing is known.

        Args:
            side: The taker's.
            limit: Levels beyond this price are left out.
            lots: Levels beyond those that hold so many may be left out.
        """
        top, beyond = self.top, gt if side is _BUY else lt
        if top is None:
            price = self.mark
            if price is None or (limit is not None and beyond(price, limit)):
                return []
            return [(price, None)]
        if not isinstance(top, Book):
            bare, size = (top.ask, top.ask_size) if side is _BUY else (top.bid, top.bid_size)
            if bare is None or (limit is not None and beyond(exact(bare), limit)):
                return []
            return [(exact(bare), None if size is None else self.lots(size))]
        found: list[Offer] = []
        prices, sizes = top.side(side.opposite)
        for bare, size in zip(prices, sizes, strict=True):
            price = exact(bare)
            if (limit is not None and beyond(price, limit)) or (lots is not None and lots <= 0):
                break
            there = self.lots(size)
            found.append((price, there))
            if lots is not None:
                lots -= there
        return found

    @property
    def known(self) -> bool:
        """Whether anything is known yet."""
        return self.top is not None or self.last is not None

    def twin(self) -> RecordedMarket:
        """Give another one that knows the same, and learns by itself from now on."""
        twin = copy.copy(self)
        twin.trades, twin.quotes = copy.copy(self.trades), copy.copy(self.quotes)
        # At once: the newest book is one of them.
        known = copy.deepcopy((self.books, self.orders, self._book))
        twin.books, twin.orders, twin._book = known  # noqa: SLF001 - it is of this class
        return twin

    @property
    def mark(self) -> Decimal | None:
        """What positions are valued at: the last price, else the middle, else the one side that is there."""
        last = self.last
        if last is not None:
            if last is not self._read:
                self._read, self._as_printed = last, exact(last)
            return self._as_printed
        bid, ask = self.best(Side.BUY), self.best(Side.SELL)
        if bid is None or ask is None:
            one = ask if bid is None else bid
            return None if one is None else exact(one)
        return (exact(ask) + exact(bid)) / _TWO
