"""Market data: the events that a strategy's streams are made of. `model.events` gives them beside all others.

Prices and sizes are `float`, the nearest double to what was printed. Times are `int` nanoseconds since 1970, UTC.
"""

from __future__ import annotations

from strategykit.model.event_class import Side, event

__all__ = ["Bar", "BookDelta", "BookSnapshot", "Quote", "Ticker", "Trade"]


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
