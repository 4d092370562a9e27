"""The market of the simulated CoinAPI as items: what its events are to those who subscribed.

Source: CoinAPI protocol sheet, section 5.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Final

import attrs
import msgspec

from strategykit.model.events import BookSnapshot, Event, Side, Trade
from strategykit.sim.alor_market import VenueMarket
from strategykit.sim.coinapi_bars import BarClock, BarStore, Row
from strategykit.sim.coinapi_books import (
    LevelBook,
    OrderSides,
    make_uuid,
    stand_by_level,
    stand_by_order,
)
from strategykit.sim.coinapi_symbols import CoinSymbol, list_symbols
from strategykit.sim.exchange import SimulatedExchange
from strategykit.sim.history import MINUTE, SECOND
from strategykit.sim.matching import Match
from strategykit.venues.coinapi.names import PERIODS, TOP_LEVELS, DataType
from strategykit.venues.coinapi.server_items import (
    BookItem,
    Item,
    NamedBar,
    OrderChangesItem,
    OrdersItem,
    QuoteItem,
    TakerSide,
    TradeItem,
)
from strategykit.venues.coinapi.server_scope import Subject
from strategykit.venues.coinapi.times import write_time

__all__ = ["CoinBoard", "CoinMarket", "News"]

_PAST: Final = 12 * 60 * MINUTE
_PAST_SECONDS: Final = 7_200 * SECOND

_QUOTES_KEPT: Final = 5_000
_CHANGES_KEPT: Final = 2_000
_BOOKS_KEPT: Final = 60
"""One a second: what REST calls the latest ones."""

_TAKERS: Final[dict[Side | None, TakerSide]] = {Side.BUY: "BUY", Side.SELL: "SELL", None: "UNKNOWN"}


@attrs.frozen
class News:
    """Something to be told to whoever subscribed to it; it is worded only if somebody did."""

    data_type: DataType
    key: str
    """What numbers and limits are counted by: the symbol, or the pair."""
    subject: Subject
    make: Callable[[], Item]


class CoinMarket:
    """All symbols.

    Args:
        market: What happens.
        without_orders: Venues whose books by order come by level.
        matches: Filled by the market with who met whom, by the number of the trade; emptied here.
        now: Nanoseconds UTC.
    """

    def __init__(
        self, market: VenueMarket, *, without_orders: frozenset[str], matches: dict[int, Match], now: int
    ) -> None:
        self.market = market
        self._matches = matches
        self.symbols = list_symbols(market.instruments.values())
        self.boards = {
            name: CoinBoard(market, symbol, by_order=symbol.exchange not in without_orders, now=now)
            for name, symbol in self.symbols.items()
        }

    @property
    def bars(self) -> dict[str, BarStore]:
        return {name: board.bars for name, board in self.boards.items()}

    def take(self, events: Iterable[Event], now: int) -> Iterator[News]:
        """Give what is new about trades and books, in the order in which it happened."""
        for event in events:
            if isinstance(event, Trade):
                match = self._matches.pop(event.trade_id, None) if isinstance(event.trade_id, int) else None
                yield self.boards[event.instrument].take_trade(event, match)
            elif isinstance(event, BookSnapshot):
                yield from self.boards[event.instrument].take_book(event, now)
            # Quotes come with books; what is best is read off the book, so that the two never disagree.


class CoinBoard:
    """One symbol as its subscribers see it."""

    def __init__(self, market: VenueMarket, symbol: CoinSymbol, *, by_order: bool, now: int) -> None:
        self.symbol = symbol
        self.bars = BarStore()
        lot = symbol.size_step
        self.bars.fill(MINUTE, market.bars(symbol.name, MINUTE, now - _PAST, now), lot)
        self.bars.fill(SECOND, market.bars(symbol.name, SECOND, now - _PAST_SECONDS, now), lot)
        self.book = LevelBook.read(symbol, market.book(symbol.name))
        self.first_book = self.book
        """Where `changes` begin."""
        self.changes: deque[tuple[int, BookItem]] = deque()
        self.quotes: deque[tuple[int, QuoteItem]] = deque(maxlen=_QUOTES_KEPT)
        self.quotes.append((now, self.book.quote(now)))
        self.books: deque[tuple[int, LevelBook]] = deque([(now, self.book)], maxlen=_BOOKS_KEPT)
        self._market = market
        self._exchange = market if by_order and isinstance(market, SimulatedExchange) else None
        self._matched: dict[float, float] = defaultdict(float)
        """Lots of resting orders, by number, since the book was told last."""
        self._shown: OrderSides | None = None
        self._latest_trade = now
        self.periods = {period: attrs.evolve(symbol.subject, period=period) for period in PERIODS}
        self._clocks: dict[str, BarClock] = {}

    @property
    def trades(self) -> Sequence[Trade]:
        """The latest ones, oldest first."""
        return self._market.trades(self.symbol.name, 5_000)

    def take_trade(self, trade: Trade, match: Match | None) -> News:
        if match is not None:
            self._matched[match.maker.number] += match.quantity
        time = trade.receive_time if trade.event_time is None else trade.event_time
        # Bars want times that never go back, which a recording doesn't promise.
        self._latest_trade = max(self._latest_trade, time)
        self.bars.add(self._latest_trade, self.symbol.price(trade.price), self.symbol.size(trade.quantity))
        return self._news(DataType.TRADE, partial(self.trade_item, trade))

    def take_book(self, book: BookSnapshot, now: int) -> Iterator[News]:
        old, self.book = self.book, LevelBook.read(self.symbol, book)
        new = self.book
        changed = new.since(old, now)
        if changed is not None:
            self._keep(changed, now)
            if new.asks[:1] != old.asks[:1] or new.bids[:1] != old.bids[:1]:
                quote = new.quote(now)
                self.quotes.append((now, quote))
                yield self._news(DataType.QUOTE, lambda: quote)
            yield self._news(DataType.BOOK, lambda: changed)
            for data_type, levels in TOP_LEVELS.items():
                yield self._news(data_type, partial(new.top, levels, now))
        # One order may have taken another's place, so that the levels are the same.
        orders = self.orders_changed(now)
        if orders is not None:
            yield self._news(DataType.BOOK_L3, lambda: orders)

    def bars_due(self, period: str, now: int) -> Iterator[News]:
        """Give the bars of a period that are to be told now."""
        clock = self._clocks.get(period)
        if clock is None:
            length = PERIODS[period]
            clock = self._clocks[period] = BarClock(length, now - now % length, now)
        for row in clock.due(self.bars, now):
            make = partial(self.bar_item, row, period)
            yield News(DataType.OHLCV, self.symbol.name, self.periods[period], make)

    def stop_bars(self, period: str) -> None:
        """Forget when a period was told: nobody is subscribed to it."""
        self._clocks.pop(period, None)

    def snapshot(self, data_type: DataType, now: int) -> BookItem | OrdersItem:
        """Give the whole book, by level or by order."""
        if data_type is DataType.BOOK:
            return self.book.snapshot(now)
        # Nothing has happened since the last changes were told, so nobody misses any.
        self._shown = self.stand()
        return self.book.orders_snapshot(self._shown, now)

    def stand(self) -> OrderSides:
        """Give the book by order, or by level where there's no better."""
        if self._exchange is None:
            return stand_by_level(self.book)
        resting = {side: self._exchange.resting(self.symbol.name, side) for side in Side}
        return stand_by_order(self.symbol, resting, self._shown)

    def forget_orders(self) -> None:
        """Keep no book by order: nobody is subscribed to it."""
        self._shown = None

    def orders_changed(self, now: int) -> OrderChangesItem | None:
        """Give what is new by order; None: nothing, or nobody has ever asked."""
        old, matched = self._shown, {number: self.symbol.size(lots) for number, lots in self._matched.items()}
        self._matched.clear()
        if old is None:
            return None
        self._shown = self.stand()
        return self.book.orders_since(old, self._shown, matched, now)

    def trade_item(self, trade: Trade) -> TradeItem:
        symbol = self.symbol
        time = trade.receive_time if trade.event_time is None else trade.event_time
        return TradeItem(
            symbol.name,
            write_time(time),
            write_time(trade.receive_time),
            make_uuid(symbol.name, "trade", trade.trade_id, time),
            symbol.price(trade.price),
            symbol.size(trade.quantity),
            _TAKERS[trade.side],
        )

    def bar_item(self, row: Row, period: str) -> NamedBar:
        bar = row.word(self.symbol, PERIODS[period])
        return NamedBar(**msgspec.structs.asdict(bar), symbol_id=self.symbol.name, period_id=period)

    def _keep(self, changed: BookItem, now: int) -> None:
        self.changes.append((now, changed))
        if len(self.changes) > _CHANGES_KEPT:
            _, oldest = self.changes.popleft()
            self.first_book = self.first_book.apply(oldest, now)
        if now >= self.books[-1][0] + SECOND:
            self.books.append((now, self.book))

    def _news(self, data_type: DataType, make: Callable[[], Item]) -> News:
        return News(data_type, self.symbol.name, self.symbol.subject, make)
