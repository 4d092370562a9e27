"""From a venue's events to the messages of a channel, in Backpack's words, which the seed's documentation shares.

Trades and changes of books are numbered here, one by one: where something was missed, a number is left out, so that
every client of these protocols notices. Besides, the first message after a hole has a member ``gap`` in its envelope.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from strategykit.model.events import Bar, BookDelta, BookSnapshot, Event, Quote, Side, Ticker, Trade
from strategykit.relay.channels import Channel, Word
from strategykit.relay.wording import Hole, digits, mark, prefix
from strategykit.venues.stream.server_backpack import write_naive
from strategykit.venues.stream.server_rest_backpack import depth_row
from strategykit.venues.stream.server_values import BookState

__all__ = ["BookTeller", "Teller", "TickerTeller", "TradeTeller", "make_teller"]

KEPT: Final = 1_000
"""Trades that can be asked for again."""

_ENCODE: Final = msgspec.json.Encoder().encode

Side2 = list[tuple[str, str]]


class _TradeData(msgspec.Struct):
    e: str
    E: int
    s: str
    p: str
    q: str
    t: int
    T: int
    m: bool | None
    """None: the venue doesn't say who crossed the spread."""


class _DepthData(msgspec.Struct):
    e: str
    E: int
    s: str
    a: Side2
    b: Side2
    U: int
    u: int
    T: int


class _QuoteData(msgspec.Struct):
    e: str
    E: int
    s: str
    a: str | None
    A: str | None
    b: str | None
    B: str | None
    u: str
    T: int


class _BarData(msgspec.Struct):
    e: str
    E: int
    s: str
    t: str
    T: str
    o: str
    c: str
    h: str
    l: str  # noqa: E741 - the venue's name
    v: str
    X: bool


class _TickerData(msgspec.Struct, omit_defaults=True):
    e: str
    E: int
    s: str
    o: str | None
    c: str | None
    h: str | None
    l: str | None  # noqa: E741 - the venue's name
    v: str | None
    V: str | None = None
    n: int | None = None


class Teller(Protocol):
    """Words the events of one channel."""

    def tell(self, event: Event) -> bytes | None:
        """Give the message that an event is told by; None: it needs none."""
        ...

    def missed(self, hole: Hole) -> None:
        """Note that something is missing before the next event."""
        ...


class _Numbered:
    """What all tellers share: numbers that never repeat, and a hole to tell."""

    def __init__(self, channel: Channel, start: int) -> None:
        self.channel = channel
        self.number = start
        """Of the message told last."""
        self._prefix = prefix(channel.name) + b'"data":'
        self._hole: Hole | None = None

    def missed(self, hole: Hole) -> None:
        if self._hole is None:
            self.number += 1  # Left out, for clients that know nothing of holes but count.
            self._hole = hole
        elif hole.until is not None:
            self._hole = msgspec.structs.replace(self._hole, until=hole.until)

    def _next(self) -> int:
        self.number += 1
        return self.number

    def _made(self, data: msgspec.Struct) -> bytes:
        payload = b"".join((self._prefix, _ENCODE(data), b"}"))
        if self._hole is not None:
            payload, self._hole = mark(payload, self.channel.name, self._hole), None
        return payload


def _times(event: Trade | Quote | BookSnapshot | BookDelta | Ticker) -> tuple[int, int]:
    """Give when it is told and when it was, in microseconds."""
    told = event.receive_time // 1_000
    return told, told if event.event_time is None else event.event_time // 1_000


class TradeTeller(_Numbered):
    """See `Teller`; keeps the newest trades."""

    def __init__(self, channel: Channel, start: int) -> None:
        super().__init__(channel, start)
        self.kept: deque[dict[str, object]] = deque(maxlen=KEPT)
        """As REST words them, oldest first."""

    def tell(self, event: Event) -> bytes | None:
        if not isinstance(event, Trade):
            return None
        told, was = _times(event)
        price, quantity = digits(event.price), digits(event.quantity)
        maker = None if event.side is None else event.side is Side.SELL
        number = self._next()
        row = {"id": number, "price": price, "quantity": quantity, "timestamp": was // 1_000, "isBuyerMaker": maker}
        self.kept.append(row)
        return self._made(_TradeData("trade", told, self.channel.symbol, price, quantity, number, was, maker))


class BookTeller(_Numbered):
    """See `Teller`; folds the book, so that whole ones can be asked for, and are told as what they change."""

    def __init__(self, channel: Channel, start: int) -> None:
        super().__init__(channel, start)
        self.whole = False
        """Whether the book is known."""
        self.time = 0
        """Of the last change, microseconds UTC."""
        self._bids: dict[float, float] = {}
        self._asks: dict[float, float] = {}

    def missed(self, hole: Hole) -> None:
        super().missed(hole)
        self.whole = False

    def tell(self, event: Event) -> bytes | None:
        if isinstance(event, BookSnapshot):
            bids = dict(zip(event.bid_prices, event.bid_sizes, strict=True))
            asks = dict(zip(event.ask_prices, event.ask_sizes, strict=True))
            # From what clients were told, also if they missed some of it: totals are absolute.
            changed_bids, changed_asks = _changes(self._bids, bids), _changes(self._asks, asks)
            self._bids, self._asks = bids, asks
            if self.whole and not changed_bids and not changed_asks:
                return None
            self.whole = True
        elif isinstance(event, BookDelta) and self.whole:
            changed_bids = _fold(self._bids, event.bid_prices, event.bid_sizes)
            changed_asks = _fold(self._asks, event.ask_prices, event.ask_sizes)
        else:
            return None
        told, was = _times(event)
        number, self.time = self._next(), was
        return self._made(
            _DepthData("depth", told, self.channel.symbol, changed_asks, changed_bids, number, number, was)
        )

    def snapshot(self, limit: int) -> dict[str, object]:
        """Give the book as REST words it."""
        bids = sorted(self._bids.items(), reverse=True)[:limit]
        asks = sorted(self._asks.items())[:limit]
        return depth_row(
            BookState(
                self.channel.symbol,
                self.number,
                tuple((digits(price), digits(size)) for price, size in bids),
                tuple((digits(price), digits(size)) for price, size in asks),
                self.time * 1_000,
            )
        )


def _changes(old: Mapping[float, float], new: Mapping[float, float]) -> Side2:
    gone = [(digits(price), "0") for price in old if price not in new]
    return gone + [(digits(price), digits(size)) for price, size in new.items() if old.get(price) != size]


def _fold(side: dict[float, float], prices: tuple[float, ...], sizes: tuple[float, ...]) -> Side2:
    changed = []
    for price, size in zip(prices, sizes, strict=True):
        if size:
            side[price] = size
        else:
            side.pop(price, None)
        changed.append((digits(price), digits(size)))
    return changed


def _maybe(number: float | None) -> str | None:
    return None if number is None else digits(number)


class _QuoteTeller(_Numbered):
    def tell(self, event: Event) -> bytes | None:
        if not isinstance(event, Quote):
            return None
        told, was = _times(event)
        ask, bid = _maybe(event.ask), _maybe(event.bid)
        ask_size, bid_size = _maybe(event.ask_size), _maybe(event.bid_size)
        number = str(self._next())
        return self._made(
            _QuoteData("bookTicker", told, self.channel.symbol, ask, ask_size, bid, bid_size, number, was)
        )


class TickerTeller(_Numbered):
    """The last 24 hours, or the day so far where the venue says that by quotes or bars; told when it has changed."""

    def __init__(self, channel: Channel, start: int) -> None:
        super().__init__(channel, start)
        self.latest: Ticker | None = None
        """What was told last."""
        self._told: tuple[float | None, ...] = ()

    def missed(self, hole: Hole) -> None:
        super().missed(hole)
        self.latest, self._told = None, ()

    def tell(self, event: Event) -> bytes | None:
        ticker = _day_of(event)
        if ticker is None or ticker.last is None:
            return None
        day = (ticker.open, ticker.last, ticker.high, ticker.low, ticker.volume, ticker.turnover)
        if day == self._told:
            return None
        self.latest, self._told = ticker, day
        return self._made(
            _TickerData(
                e="ticker",
                E=_times(ticker)[0],
                s=self.channel.symbol,
                o=_maybe(ticker.open),
                c=_maybe(ticker.last),
                h=_maybe(ticker.high),
                l=_maybe(ticker.low),
                v=_maybe(ticker.volume),
                V=_maybe(ticker.turnover),
                n=ticker.trades,
            )
        )


def _day_of(event: Event) -> Ticker | None:
    """Give what an event says of the day."""
    if isinstance(event, Quote):
        last = event.last
    elif isinstance(event, Bar):
        last = event.close
    else:
        return event if isinstance(event, Ticker) else None
    figures = (last, event.open, event.high, event.low, event.volume, None, None)
    return Ticker(event.instrument, *figures, event.event_time, event.receive_time, event.guid)


class _BarTeller(_Numbered):
    def tell(self, event: Event) -> bytes | None:
        if not isinstance(event, Bar):
            return None
        begin, end = write_naive(event.open_time), write_naive(event.open_time + event.interval)
        return self._made(
            _BarData(
                e="kline",
                E=event.receive_time // 1_000,
                s=self.channel.symbol,
                t=begin,
                T=end,
                o=digits(event.open),
                c=digits(event.close),
                h=digits(event.high),
                l=digits(event.low),
                v=digits(event.volume),
                X=event.closed,
            )
        )


_TELLERS: Final[Mapping[Word, type[TradeTeller | BookTeller | _QuoteTeller | TickerTeller | _BarTeller]]] = {
    Word.TRADE: TradeTeller,
    Word.DEPTH: BookTeller,
    Word.QUOTE: _QuoteTeller,
    Word.TICKER: TickerTeller,
    Word.BARS: _BarTeller,
}


def make_teller(channel: Channel, now: int) -> Teller:
    """Make what words a channel's events from now on, nanoseconds UTC.

    Its numbers begin at the time in microseconds: they are larger than those of any teller before, of this program or
    of another one, as long as less than a million messages a second were told.
    """
    return _TELLERS[channel.word](channel, now // 1_000)
