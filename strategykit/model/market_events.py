"""Market data: the events that a strategy's streams are made of. `model.events` gives them beside all others.

Prices and sizes are `float`, the nearest double to what was printed. Times are `int` nanoseconds since 1970, UTC.
"""

from __future__ import annotations

from strategykit.model.event_class import Side, event

__all__ = [
    "AssetUpdate",
    "Bar",
    "BookDelta",
    "BookSnapshot",
    "ByOrderDelta",
    "ByOrderSnapshot",
    "Quote",
    "Rate",
    "Ticker",
    "Trade",
    "Volume",
]


@event
class Trade:
    """One trade that the venue printed."""

    instrument: str
    """Symbol on the venue, such as ``"SBER"``."""
    price: float
    """Per unit, in the instrument's quote currency."""
    quantity: float
    """Size in lots, above 0; the direction is `side`. Sizes are in units where `Instrument.counts_units` says so."""
    side: Side | None
    """Who crossed the spread, where the venue says so."""
    trade_id: str | int | None
    """The venue's number of it; unique per instrument where present."""
    event_time: int | None
    """When the venue says it happened."""
    receive_time: int
    """When its frame arrived."""
    guid: str
    """The subscription it came by."""
    snapshot: bool = False
    """True for a past trade, replayed by the venue on subscribing; never one that was delivered before."""
    open_interest: float | None = None


@event
class Quote:
    """Best bid and ask, and the day so far where the venue sends it along."""

    instrument: str
    bid: float | None
    bid_size: float | None
    """Lots at the best bid."""
    ask: float | None
    ask_size: float | None
    last: float | None
    """Price of the last trade."""
    event_time: int | None
    receive_time: int
    guid: str
    snapshot: bool = False
    open: float | None = None
    high: float | None = None
    low: float | None = None
    previous_close: float | None = None
    volume: float | None = None
    """Traded today, as the venue counts it."""
    open_interest: float | None = None


@event
class BookSnapshot:
    """A whole order book to the depth asked for; it replaces what was known."""

    instrument: str
    bid_prices: tuple[float, ...]
    """Highest first; parallel to `bid_sizes`."""
    bid_sizes: tuple[float, ...]
    """Lots."""
    ask_prices: tuple[float, ...]
    """Lowest first; parallel to `ask_sizes`."""
    ask_sizes: tuple[float, ...]
    event_time: int | None
    receive_time: int
    guid: str
    snapshot: bool = False
    """True for the first state after subscribing."""
    sequence: int | None = None  # The venue's number of the last change in it, where it numbers them.


@event
class BookDelta:
    """Changed levels of a book; a size of 0 removes its level."""

    instrument: str
    bid_prices: tuple[float, ...]
    bid_sizes: tuple[float, ...]
    ask_prices: tuple[float, ...]
    ask_sizes: tuple[float, ...]
    event_time: int | None
    receive_time: int
    guid: str
    sequence: int | None = None


@event
class ByOrderSnapshot:
    """A whole order book, order by order; it replaces what was known."""

    instrument: str
    bid_ids: tuple[str | None, ...]
    """The venue's names of the orders. Highest price first; of one price, first those that were there first, as far as
    the venue says so. None: all that rests at this price, of a venue that doesn't show its orders."""
    bid_prices: tuple[float, ...]
    """Parallel to `bid_ids`, as are the sizes."""
    bid_sizes: tuple[float, ...]
    """What is left of each, counted as in books by level."""
    ask_ids: tuple[str | None, ...]
    """Lowest price first."""
    ask_prices: tuple[float, ...]
    ask_sizes: tuple[float, ...]
    event_time: int | None
    receive_time: int
    guid: str
    snapshot: bool = False
    """True for the first state after subscribing."""
    sequence: int | None = None  # As by `BookSnapshot`.


@event
class ByOrderDelta:
    """Orders of a book that came, moved, grew or shrank; a size of 0 removes one."""

    instrument: str
    bid_ids: tuple[str | None, ...]
    """As by `ByOrderSnapshot`, in the order in which it happened. Each once: what comes here is how it is now."""
    bid_prices: tuple[float, ...]
    bid_sizes: tuple[float, ...]
    ask_ids: tuple[str | None, ...]
    ask_prices: tuple[float, ...]
    ask_sizes: tuple[float, ...]
    event_time: int | None
    receive_time: int
    guid: str
    sequence: int | None = None


@event
class Bar:
    """Open, high, low, close and volume of one interval, which is `interval` nanoseconds long."""

    instrument: str
    open_time: int
    """Start of the interval, nanoseconds UTC."""
    interval: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    closed: bool
    """False while the interval is still forming: a later bar of the same `open_time` replaces this one."""
    event_time: int | None
    receive_time: int
    guid: str
    snapshot: bool = False
    """True for history, loaded or replayed on subscribing."""


@event
class Ticker:
    """The last 24 hours of an instrument in figures, which the venue sums up and tells every so often."""

    instrument: str
    last: float | None
    """Price of the last trade; None if there was none, as in all of these."""
    open: float | None
    """Price 24 hours ago."""
    high: float | None
    low: float | None
    volume: float | None
    """Traded in that time; counted as `Trade.quantity` is."""
    turnover: float | None
    """What that came to, in the instrument's quote currency."""
    trades: int | None
    """How many they were."""
    event_time: int | None
    receive_time: int
    guid: str

    @property
    def change(self) -> float | None:
        """How far the price has gone, as a part of `open`: 0.02 is 2 % up."""
        return self.last / self.open - 1.0 if self.last is not None and self.open else None


@event
class Rate:
    """What one asset is worth in another by the venue's own count, over many markets; nobody trades at it."""

    instrument: str
    """The pair, such as ``"SOL/USD"``."""
    rate: float
    """Units of the second for one of the first."""
    method: str | None
    """How it was found, in the venue's words."""
    event_time: int | None
    receive_time: int
    guid: str


@event
class Volume:
    """What was traded of an instrument in the last hour, day or month, which the venue sums up every so often."""

    instrument: str
    period: str
    """Which of them, in the venue's words: ``"1HRS"``, ``"1DAY"`` or ``"1MTH"``."""
    base: float
    """In units of what is traded."""
    quote: float
    """In the currency that it is traded for."""
    event_time: int | None
    receive_time: int
    guid: str


@event
class AssetUpdate:
    """What a venue says of a currency or coin, all of it each time."""

    instrument: str
    """Its id, such as ``"BTC"``. Assets aren't traded themselves."""
    name: str | None
    is_crypto: bool | None
    price_usd: float | None
    volume_hour_usd: float | None
    """Traded in the last hour, over all markets; as in the next two, in US dollars."""
    volume_day_usd: float | None
    volume_month_usd: float | None
    facts: str
    """All of it as JSON, in the venue's words."""
    event_time: int | None
    receive_time: int
    guid: str
