"""Trading status and limits, client side, and the stream whose payload nobody documents.

Source: ALOR protocol sheet, sections 2.3 and 3.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from strategykit.model.events import Event, InstrumentUpdate, VenueStatus
from strategykit.venues.alor.fields import INSTRUMENT
from strategykit.venues.alor.market import symbol_of
from strategykit.venues.alor.parsing import UNREADABLE, Framed, money, readers, unreadable
from strategykit.venues.streams import Stream

__all__ = ["ClusterCursor", "InstrumentCursor", "is_trading"]

_TRADING: Final = {
    17: True,  # normal trading
    120: True,  # trading at the closing-auction price
    18: False,  # closed
    2: False,  # break
    118: False,  # opening period
    119: False,  # opening auction: orders gather, and meet at its end
    103: False,  # closing period
    102: False,  # closing auction
    107: False,  # discrete auction
    106: False,  # large-block auction
}


def is_trading(status: int | None) -> bool | None:
    """Say whether orders are matched continuously under a status code; None for one that isn't known."""
    return None if status is None else _TRADING.get(status)


class _InstrumentRow(msgspec.Struct, gc=False):
    exchange: str | None = None
    board: str | None = None
    trading_status: int | None = None
    status_text: str | None = None
    price_min: Decimal | None = None
    price_max: Decimal | None = None
    margin_buy: Decimal | None = None
    margin_sell: Decimal | None = None
    margin_synthetic: Decimal | None = None
    theoretical_price: Decimal | None = None
    theoretical_price_limit: Decimal | None = None
    volatility: Decimal | None = None


_INSTRUMENTS: Final = readers(_InstrumentRow, INSTRUMENT)


class InstrumentCursor:
    """Merges partial updates: every event is complete as far as anything was said."""

    __slots__ = ("_guid", "_known", "_read", "_symbol")

    def __init__(self, guid: str, stream: Stream, style: str) -> None:
        self._guid = guid
        self._symbol = symbol_of(stream)
        self._read = _INSTRUMENTS[style]
        self._known: dict[str, Any] = {}

    def decode(self, frame: str | bytes, receive_time: int) -> Sequence[Event]:
        try:
            news = {name: value for name, value in _values(self._read(frame).data) if value is not None}
        except UNREADABLE as exc:
            raise unreadable(frame, exc) from exc
        self._known |= news
        status = self._known.get("trading_status")
        update = InstrumentUpdate(
            instrument=self._symbol,
            trading_status=status,
            trading=is_trading(status),
            status_text=self._known.get("status_text"),
            price_min=self._known.get("price_min"),
            price_max=self._known.get("price_max"),
            margin_buy=self._known.get("margin_buy"),
            margin_sell=self._known.get("margin_sell"),
            event_time=None,
            receive_time=receive_time,
            guid=self._guid,
            exchange=self._known.get("exchange"),
            board=self._known.get("board"),
            margin_synthetic=self._known.get("margin_synthetic"),
            theoretical_price=self._known.get("theoretical_price"),
            theoretical_price_limit=self._known.get("theoretical_price_limit"),
            volatility=self._known.get("volatility"),
        )
        return (update,)

    def reconnected(self) -> None:
        """What was known may have changed meanwhile; the first frame says all again."""
        self._known = {}


def _values(row: _InstrumentRow) -> list[tuple[str, Any]]:
    values = [(name, getattr(row, name)) for name in _InstrumentRow.__struct_fields__]
    return [(name, money(value) if isinstance(value, Decimal) else value) for name, value in values]


_CLUSTERS: Final = msgspec.json.Decoder(Framed[dict[str, Any]])


class ClusterCursor:
    """Clusters of trades. What they hold isn't documented, so each frame is handed on as its JSON text."""

    __slots__ = ("_guid", "_read", "_symbol")

    def __init__(self, guid: str, stream: Stream, style: str) -> None:
        del style  # The names in it are unknown in every format.
        self._guid = guid
        self._symbol = symbol_of(stream)
        self._read = _CLUSTERS.decode

    def decode(self, frame: str | bytes, receive_time: int) -> Sequence[Event]:
        try:
            text = msgspec.json.encode(self._read(frame).data).decode()
        except UNREADABLE as exc:
            raise unreadable(frame, exc) from exc
        return (VenueStatus(self._symbol, text, None, receive_time, self._guid),)

    def reconnected(self) -> None:
        """Nothing is kept between frames."""
