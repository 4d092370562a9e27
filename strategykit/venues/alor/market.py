"""Market data, client side: one cursor a subscription turns its frames into events.

Symbols in the frames are not looked at: futures have two spellings, and an event carries the one that was asked for.
Source: ALOR protocol sheet, sections 3.1 to 3.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec

from strategykit.errors import LocalProtocolError
from strategykit.model.event_class import FROZEN
from strategykit.model.events import BookSnapshot, Event, Quote, Side, Trade
from strategykit.venues.alor.fields import BOOK, LEVEL, QUOTE, TRADE
from strategykit.venues.alor.memory import TradeMemory
from strategykit.venues.alor.names import SIDES
from strategykit.venues.alor.parsing import UNREADABLE, Millis, Reader, Size, readers, renamed, unreadable
from strategykit.venues.streams import Stream

__all__ = ["BookCursor", "QuoteCursor", "TradeCursor", "symbol_of"]

_MILLI: Final = 1_000_000


class _OpenTrade(Trade):
    """A trade that can be filled although trades are frozen; it becomes a plain one once it is."""

    __slots__ = ()
    __setattr__ = object.__setattr__


_OPEN_TRADE: Final = _OpenTrade if FROZEN else Trade

_new = object.__new__

_Decode = Callable[[str | bytes, int], Sequence[Event]]

# Fields stand in the order in which the venue sends them: the decoder looks for the next one first.


class _TradeRow(msgspec.Struct, gc=False):
    id: int
    quantity: Annotated[float, msgspec.Meta(gt=0.0)]
    price: float
    millis: Millis | None = None
    open_interest: float | None = None
    existing: bool | None = False
    side: Side | None = None


class _OddTradeRow(_TradeRow, gc=False):
    """The same with a side in any case, or a word that is none."""

    side: str | None = None  # type: ignore[assignment]  # decoded by itself, never taken for the other


class _QuoteRow(msgspec.Struct, gc=False):
    previous_close: float | None = None
    last: float | None = None
    high: float | None = None
    low: float | None = None
    volume: Size | None = None
    open_interest: float | None = None
    ask: float | None = None
    bid: float | None = None
    ask_size: Size | None = None
    bid_size: Size | None = None
    book_millis: Millis | None = None
    open: float | None = None
    low_twin: float | None = None
    """One source calls Slim's low ``l``, another ``le``: both are read (section 8, point 9)."""


class _Level(msgspec.Struct, gc=False):
    price: float
    volume: Size


class _BookRow(msgspec.Struct, gc=False):
    bids: list[_Level]
    asks: list[_Level]
    millis: Millis | None = None
    existing: bool | None = False


def _book_parts(style: str) -> Mapping[Any, Any]:
    level: Any = renamed(_Level, LEVEL[style])
    return {list[_Level]: list[level]}


_TRADES: Final = readers(_TradeRow, TRADE)
_ODD_TRADES: Final = readers(_OddTradeRow, TRADE)
_QUOTES: Final = readers(_QuoteRow, QUOTE)
_BOOKS: Final = readers(_BookRow, BOOK, _book_parts)


def symbol_of(stream: Stream) -> str:
    """Give the instrument of a stream of market data.

    Raises:
        LocalProtocolError: It names none.
    """
    if not stream.instrument:
        raise LocalProtocolError(f"a subscription to {stream.kind.value} needs an instrument")
    return stream.instrument


class TradeCursor:
    """Public trades; each id once, whether it comes live or is replayed."""

    __slots__ = ("decode",)

    decode: _Decode
    """Give the events of one data frame. A closure, not a method: trades are what comes most, and a tenth is saved."""

    def __init__(self, guid: str, stream: Stream, style: str) -> None:
        self.decode = _trade_decoder(guid, symbol_of(stream), _TRADES[style], _ODD_TRADES[style])

    def reconnected(self) -> None:
        """The ids stay: what is replayed was told before."""


def _trade_decoder(guid: str, symbol: str, read: Reader[_TradeRow], read_odd: Reader[_OddTradeRow]) -> _Decode:
    memory = TradeMemory()
    remember = memory.append
    highest = -1

    def decode(frame: str | bytes, receive_time: int) -> Sequence[Event]:
        nonlocal highest
        try:
            row = read(frame).data
        except UNREADABLE:
            row = _odd_trade(read_odd, frame)
        price, number, millis = row.price, row.id, row.millis
        if not price:
            raise unreadable(frame, "a trade at a price of 0")
        if number > highest:
            highest = number
            remember(number)
        elif not memory.add(number):
            return ()
        # Filling a bare trade takes two thirds of the time of calling its class.
        trade: Any = _new(_OPEN_TRADE)
        trade.instrument = symbol
        trade.price = price
        trade.quantity = row.quantity
        trade.side = row.side
        trade.trade_id = number
        trade.event_time = None if millis is None else millis * _MILLI
        trade.receive_time = receive_time
        trade.guid = guid
        trade.snapshot = row.existing is True
        trade.open_interest = row.open_interest
        if FROZEN:  # pragma: no cover - tested in a process of its own
            trade.__class__ = Trade
        return (trade,)

    return decode


def _odd_trade(read: Reader[_OddTradeRow], frame: str | bytes) -> _TradeRow:
    try:
        row = read(frame).data
    except UNREADABLE as exc:
        raise unreadable(frame, exc) from exc
    # A word that names no side says nothing: the direction is unknown.
    side = SIDES.get(str(row.side).lower())
    return _TradeRow(row.id, row.quantity, row.price, row.millis, row.open_interest, row.existing, side)


class QuoteCursor:
    """Best bid and ask; every frame is whole."""

    __slots__ = ("_guid", "_read", "_symbol")

    def __init__(self, guid: str, stream: Stream, style: str) -> None:
        self._guid = guid
        self._symbol = symbol_of(stream)
        self._read = _QUOTES[style]

    def decode(self, frame: str | bytes, receive_time: int) -> Sequence[Event]:
        try:
            row = self._read(frame).data
        except UNREADABLE as exc:
            raise unreadable(frame, exc) from exc
        low, millis = row.low, row.book_millis
        return (
            Quote(
                self._symbol,
                row.bid or None,  # A price of 0 says that there is none.
                row.bid_size,
                row.ask or None,
                row.ask_size,
                row.last or None,
                millis * _MILLI if millis else None,  # The last trade's time is another matter: it may be hours old.
                receive_time,
                self._guid,
                False,
                row.open or None,
                row.high or None,
                (row.low_twin if low is None else low) or None,
                row.previous_close or None,
                row.volume,
                row.open_interest,
            ),
        )

    def reconnected(self) -> None:
        """Nothing is kept between frames."""


class BookCursor:
    """Order books; every frame is a whole book, which replaces what was known."""

    __slots__ = ("_guid", "_read", "_symbol")

    def __init__(self, guid: str, stream: Stream, style: str) -> None:
        self._guid = guid
        self._symbol = symbol_of(stream)
        self._read = _BOOKS[style]

    def decode(self, frame: str | bytes, receive_time: int) -> Sequence[Event]:
        try:
            row = self._read(frame).data
        except UNREADABLE as exc:
            raise unreadable(frame, exc) from exc
        bid_prices, bid_sizes, ask_prices, ask_sizes = [], [], [], []
        for level in row.bids:  # One pass a side is quicker than two comprehensions.
            bid_prices.append(level.price)
            bid_sizes.append(level.volume)
        for level in row.asks:
            ask_prices.append(level.price)
            ask_sizes.append(level.volume)
        millis = row.millis
        return (
            BookSnapshot(
                self._symbol,
                tuple(bid_prices),
                tuple(bid_sizes),
                tuple(ask_prices),
                tuple(ask_sizes),
                None if millis is None else millis * _MILLI,
                receive_time,
                self._guid,
                row.existing is True,
            ),
        )

    def reconnected(self) -> None:
        """Nothing is kept between frames."""
