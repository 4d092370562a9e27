"""What a server of the stream family tells, before it is worded. Prices and quantities are the venue's own digits."""

from __future__ import annotations

import attrs

__all__ = ["BookState", "BookUpdate", "Candle", "Day", "Level", "Mark", "OpenInterest", "Print", "Top"]

Level = tuple[str, str]
"""Price and total quantity; zero in a change removes the level."""


@attrs.frozen
class Print:
    """One trade."""

    symbol: str
    trade_id: int
    """Counted by symbol, without holes."""
    price: str
    quantity: str
    buyer_is_maker: bool
    """The taker sold."""
    time: int
    """Nanoseconds UTC."""


@attrs.frozen
class BookUpdate:
    """Levels that changed, as totals."""

    symbol: str
    first: int
    """Number of the first change in it."""
    last: int
    previous: int
    """`last` of the update before it."""
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    time: int


@attrs.frozen
class BookState:
    """A whole book."""

    symbol: str
    last: int
    """Number of the last change in it."""
    bids: tuple[Level, ...]
    """Highest first."""
    asks: tuple[Level, ...]
    """Lowest first."""
    time: int

    def cut(self, depth: int) -> BookState:
        """Give its best levels."""
        return attrs.evolve(self, bids=self.bids[:depth], asks=self.asks[:depth])


@attrs.frozen
class Top:
    """Best bid and ask; None: that side is empty."""

    symbol: str
    last: int
    """Number of the book's last change."""
    bid: Level | None
    ask: Level | None
    time: int


@attrs.frozen(kw_only=True)
class Candle:
    """One bar."""

    symbol: str
    interval: str
    """As the venue writes it."""
    open_time: int
    close_time: int
    """The last nanosecond before the next bar."""
    open: str
    high: str
    low: str
    close: str
    volume: str
    quote_volume: str
    taker_volume: str
    """Of it, what takers bought."""
    taker_quote_volume: str
    first_id: int
    """-1: no trade is known."""
    last_id: int
    trades: int
    closed: bool


@attrs.frozen(kw_only=True)
class Day:
    """A window that ends now: the 24 hours of a ticker, or fewer."""

    symbol: str
    window: str
    """As the venue writes it; ``"24hr"``: the day."""
    open_time: int
    close_time: int
    open: str
    high: str
    low: str
    last: str
    last_quantity: str
    change: str
    percent: str
    weighted: str
    previous_close: str
    volume: str
    quote_volume: str
    first_id: int
    last_id: int
    trades: int
    top: Top


@attrs.frozen
class Mark:
    """What a perpetual future is marked at."""

    symbol: str
    price: str
    index: str
    funding: str
    """Rate."""
    next_funding: int
    """Nanoseconds UTC."""


@attrs.frozen
class OpenInterest:
    symbol: str
    quantity: str
