"""Events of the simulated market in the venue's words: adds what an event alone doesn't say."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Final

import attrs
import msgspec

from strategykit.model.event_class import altered
from strategykit.model.events import AccountUpdate, BookSnapshot, Event, OrderUpdate
from strategykit.model.instruments import Instrument
from strategykit.model.orders import TimeInForce
from strategykit.sim.alor_market import VenueMarket
from strategykit.sim.ledger import OrderRecord
from strategykit.venues.alor.server_data import OrderDetails, encode_list, encode_row, encode_security, is_derivative
from strategykit.venues.streams import StreamKind

__all__ = ["Encoder", "Shape"]

_DAY: Final = 86_400_000_000_000
_MOSCOW: Final = 3 * 3_600_000_000_000
_MILLISECOND: Final = 1_000_000

_SOURCES: Final = {
    StreamKind.SUMMARY: "summary",
    StreamKind.RISK: "risk",
    StreamKind.SPECTRA_RISK: "spectra_risk",
}
"""Messages that one account update can be worded as."""


@attrs.frozen(kw_only=True)
class Shape:
    """What tells two wordings of one event apart."""

    kind: StreamKind | None = None
    """For accounts: which message. None: the summary."""
    format: str
    depth: int | None = None
    """Of a book; None: all there is."""
    legacy: bool = False
    """For stop orders."""


class Encoder:
    """Words what a market shows.

    Args:
        market: Asked for instruments, and for what an order update doesn't say.
    """

    def __init__(self, market: VenueMarket) -> None:
        self._market = market

    def tail(self, guid: str) -> bytes:
        """Give what follows the data object in each frame of a subscription: the guid, last as clients expect it."""
        return b',"guid":' + msgspec.json.encode(guid) + b"}"

    def encode(self, event: Event, shape: Hashable) -> bytes:
        """Give the data object of an event."""
        assert isinstance(shape, Shape)
        instrument = self._market.instruments.get(event.instrument or "")
        details = None
        if isinstance(event, OrderUpdate):
            record = self._market.record(event.venue_order_id)
            details = None if record is None else _details(record)
        elif isinstance(event, AccountUpdate) and shape.kind in _SOURCES:
            event = altered(event, source=_SOURCES[shape.kind])
        elif isinstance(event, BookSnapshot) and shape.depth is not None:
            event = _cut(event, shape.depth)
        return encode_row(event, shape.format, instrument, details, legacy=shape.legacy)

    def rows(self, events: Iterable[Event], style: str) -> bytes:
        """Give a list, as HTTP answers with."""
        shape = Shape(format=style)
        return encode_list(self.encode(event, shape) for event in events)

    def security(self, instrument: Instrument, style: str) -> bytes:
        """Give an instrument's reference data."""
        status = self._market.instrument_update(instrument.symbol)
        return encode_security(instrument, style, status=status)

    def market_of(self, instrument: Instrument) -> str:
        """Give the venue's word for where an instrument is traded."""
        return "FORTS" if is_derivative(instrument) else "FOND"


def _details(record: OrderRecord) -> OrderDetails:
    request = record.request
    ends = request.expire_time
    if ends is None and request.time_in_force is TimeInForce.DAY and request.stop_price is None:
        midnight = record.created + _MOSCOW - (record.created + _MOSCOW) % _DAY + _DAY - _MOSCOW
        ends = midnight - _MILLISECOND
    return OrderDetails(
        placed=record.created,
        updated=record.updated,
        ends=ends,
        time_in_force=request.time_in_force,
        display_variance=request.display_variance,
        protect_seconds=request.protect_seconds,
    )


def _cut(book: BookSnapshot, depth: int) -> BookSnapshot:
    if len(book.bid_prices) <= depth >= len(book.ask_prices):
        return book
    return altered(
        book,
        bid_prices=book.bid_prices[:depth],
        bid_sizes=book.bid_sizes[:depth],
        ask_prices=book.ask_prices[:depth],
        ask_sizes=book.ask_sizes[:depth],
    )
