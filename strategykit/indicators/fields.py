"""Where indicators get their numbers: sources of events, and which number of an event is meant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Final, Protocol

from strategykit.errors import ConfigError
from strategykit.model.events import AssetUpdate, Bar, BookSnapshot, Quote, Rate, Ticker, Trade, Volume

__all__ = ["USUAL", "Field", "Source", "bar_or_none", "is_forming", "title_of"]

_NUMBERS: Final = frozenset({float, int})

Reader = Callable[[Any], float | None]


class Source(Protocol):
    """A stream of events: bars, trades, quotes, tickers or books."""

    def listen(self, callback: Callable[[Any], None], /) -> None:
        """Call back with every event that the stream already holds, oldest first, and then with each new one.

        Callbacks are called in the order in which they came. A source may also have an attribute ``last``, the
        latest event or None, which it sets before it calls back; and ``title``, how words call it.
        """
        ...


def title_of(source: object) -> str:
    """Give how words call a source, such as ``"SBER quotes"``; empty: it doesn't say."""
    title = getattr(source, "title", "")
    return title if isinstance(title, str) else ""


def _quote_mid(quote: Quote) -> float | None:
    return None if quote.bid is None or quote.ask is None else (quote.bid + quote.ask) / 2


def _book_bid(book: BookSnapshot) -> float | None:
    return book.bid_prices[0] if book.bid_prices else None


def _book_ask(book: BookSnapshot) -> float | None:
    return book.ask_prices[0] if book.ask_prices else None


def _book_mid(book: BookSnapshot) -> float | None:
    return (book.bid_prices[0] + book.ask_prices[0]) / 2 if book.bid_prices and book.ask_prices else None


def _attributes(*names: str) -> dict[str, Reader]:
    return {name: attrgetter(name) for name in names}


_READERS: Final[Mapping[type, Mapping[str, Reader]]] = {
    Bar: _attributes("open", "high", "low", "close", "volume"),
    Trade: _attributes("price", "quantity"),
    Quote: {
        **_attributes("bid", "ask", "bid_size", "ask_size", "last", "open", "high", "low", "previous_close", "volume"),
        "open_interest": attrgetter("open_interest"),
        "mid": _quote_mid,
    },
    Ticker: _attributes("last", "open", "high", "low", "volume", "turnover", "trades", "change"),
    BookSnapshot: {"bid": _book_bid, "ask": _book_ask, "mid": _book_mid},
    Rate: _attributes("rate"),
    Volume: _attributes("base", "quote"),
    AssetUpdate: _attributes("price_usd", "volume_hour_usd", "volume_day_usd", "volume_month_usd"),
    float: {},
    int: {},
}
"""``{type of event: {field: how to read it}}``; plain numbers are what values give."""

USUAL: Final[Mapping[type, str]] = {
    Bar: "close",
    Trade: "price",
    Quote: "mid",
    BookSnapshot: "mid",
    Ticker: "last",
    Rate: "rate",
    Volume: "base",
    AssetUpdate: "price_usd",
}
"""The field that is meant when nobody says."""


def is_forming(event: object) -> bool:
    """Whether `event` is a bar whose interval isn't over: indicators take closed bars only."""
    return type(event) is Bar and not event.closed


def _unless_forming(read: Reader) -> Reader:
    return lambda bar: read(bar) if bar.closed else None


class Field:
    """Read one number of an event; None where the event doesn't have it, or is a forming bar.

    Args:
        of: Name of the field, or None for the usual one of each type.
        usual: Which one that is.
        forming: Whether to read forming bars too.

    Raises:
        ConfigError: No event has a field `of`; or, on reading, this one hasn't.
    """

    __slots__ = ("_forming", "_of", "_readers", "_usual")

    def __init__(self, of: str | None = None, *, usual: Mapping[type, str] = USUAL, forming: bool = False) -> None:
        known = sorted({name for readers in _READERS.values() for name in readers})
        if of is not None and of not in known:
            raise ConfigError(f"no event has a field {of!r}; there are {', '.join(known)}")
        self._of = of
        self._usual = usual
        self._forming = forming
        self._readers: dict[type, Reader] = {}

    def __call__(self, event: Any) -> float | None:
        read = self._readers.get(type(event))
        if read is None:
            read = self._readers[type(event)] = self._reader(type(event))
        return read(event)

    def _reader(self, kind: type) -> Reader:
        if kind in _NUMBERS and self._of is None:
            return lambda number: number
        readers = _READERS.get(kind)
        if readers is None:
            raise ConfigError(f"{kind.__name__} has no number to take; bars, trades, quotes, tickers and books have")
        name = self._of or self._usual[kind]
        if name not in readers:
            has = f"it has {', '.join(readers)}" if readers else "leave `of` out, because a value is one number"
            raise ConfigError(f"{'a value' if kind in _NUMBERS else kind.__name__} has no field {name!r}; {has}")
        read = readers[name]
        return _unless_forming(read) if kind is Bar and not self._forming else read


def bar_or_none(event: Any) -> Bar | None:
    """Give a closed bar as it is, and None for a forming one.

    Raises:
        ConfigError: It is no bar.
    """
    if type(event) is not Bar:
        raise ConfigError(f"atr needs a stream of bars; this one gives {type(event).__name__}")
    return event if event.closed else None
