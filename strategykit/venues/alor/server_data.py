"""Events as the venue sends them: data frames for the socket, rows and lists for HTTP.

Compact JSON, ``data`` first and ``guid`` last: clients search for these bytes. Source: ALOR sheet, section 2.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from strategykit.errors import LocalProtocolError
from strategykit.model.events import (
    AccountUpdate,
    Bar,
    BookSnapshot,
    Event,
    Fill,
    InstrumentUpdate,
    OrderUpdate,
    PositionUpdate,
    Quote,
    Trade,
)
from strategykit.model.instruments import Instrument
from strategykit.venues.alor.fields import SECURITY
from strategykit.venues.alor.server_account import OrderDetails, account_row, fill_row, order_row, position_row
from strategykit.venues.alor.server_market import (
    bar_row,
    book_row,
    instrument_row,
    picked,
    plain,
    quote_row,
    trade_row,
)
from strategykit.venues.alor.times import write_iso

__all__ = [
    "OrderDetails",
    "encode_bars",
    "encode_data",
    "encode_frame",
    "encode_list",
    "encode_row",
    "encode_security",
    "encode_trade_history",
    "is_derivative",
]

_ENCODE: Final = msgspec.json.Encoder(decimal_format="number").encode
_DERIVATIVE_BOARDS: Final = frozenset({"RFUD", "ROPD"})
_NANOS: Final = 1_000_000_000


def encode_row(
    event: Event,
    style: str,
    instrument: Instrument | None = None,
    details: OrderDetails | None = None,
    *,
    legacy: bool = False,
) -> bytes:
    """Word one event as a JSON object.

    Args:
        event: What happened.
        style: ``"Simple"``, ``"Slim"`` or ``"Heavy"``.
        instrument: Its instrument, for units, board and currency. None for accounts, currency rows, books and bars.
        details: Of an order.
        legacy: The deprecated form of stop orders.

    Raises:
        LocalProtocolError: The venue has no such message, or its instrument wasn't given.
    """
    return _ENCODE(_row(event, style, instrument, details, legacy=legacy))


def encode_frame(row: bytes, guid: str) -> str:
    """Make a data frame of what `encode_row` gave."""
    return f'{{"data":{row.decode()},"guid":{_ENCODE(guid).decode()}}}'


def encode_data(
    event: Event,
    style: str,
    guid: str,
    instrument: Instrument | None = None,
    details: OrderDetails | None = None,
    *,
    legacy: bool = False,
) -> str:
    """Make the data frame of one event. See `encode_row`."""
    return encode_frame(encode_row(event, style, instrument, details, legacy=legacy), guid)


def encode_list(rows: Iterable[bytes]) -> bytes:
    """Join objects to the list that HTTP answers with."""
    return b"[" + b",".join(rows) + b"]"


def encode_bars(bars: Sequence[Bar], style: str, *, next_: int | None, previous: int | None) -> bytes:
    """Word the answer to a bar history.

    Slim's list is ``h`` here; the sources disagree (section 8, point 11).

    Args:
        bars: Oldest first.
        style: The format.
        next_: Start of the nearest bar after them, nanoseconds UTC; None if there is none.
        previous: Start of the nearest bar before them.
    """
    answer: dict[str, Any] = {
        "h" if style == "Slim" else "history": [bar_row(bar, style) for bar in bars],
        "next": None if next_ is None else next_ // _NANOS,
        "prev": None if previous is None else previous // _NANOS,
    }
    return _ENCODE(answer)


def encode_trade_history(rows: Sequence[bytes], total: int) -> bytes:
    """Word the answer to a history of public trades."""
    return b'{"total":%d,"list":%s}' % (total, encode_list(rows))


def is_derivative(instrument: Instrument) -> bool:
    """Say whether `instrument` trades on a derivatives board, where prices aren't money."""
    return instrument.board in _DERIVATIVE_BOARDS


def encode_security(
    instrument: Instrument, style: str, *, ends: int | None = None, status: InstrumentUpdate | None = None
) -> bytes:
    """Word reference data.

    Args:
        instrument: What is listed.
        style: The format.
        ends: Its last day, nanoseconds UTC; None: it has none.
        status: Trading status and limits, if they are to show.
    """
    derivative = is_derivative(instrument)
    # The money value of a tick is a contract's for derivatives, a piece's for others: see `http_answers`.
    pieces = instrument.lot if derivative else Decimal(1)
    values: dict[str, object] = {
        "symbol": instrument.symbol,
        "short_name": instrument.symbol,
        "description": instrument.description,
        "exchange": instrument.exchange,
        "market": "FORTS" if derivative else "FOND",
        "type": instrument.description if derivative else "CS",
        "lot": plain(instrument.lot),
        "face_value": 1,
        "cfi": "FXXXXX" if derivative else "ESXXXX",
        "cancellation": "9999-12-31T23:59:59.0000000Z" if ends is None else write_iso(ends),
        "tick": instrument.tick,
        "rating": 0,
        "margin_buy": 0 if status is None else status.margin_buy,
        "margin_sell": 0 if status is None else status.margin_sell,
        "margin_rate": 0,
        "tick_value": instrument.tick * instrument.multiplier * pieces,
        "price_max": 0 if status is None else status.price_max,
        "price_min": 0 if status is None else status.price_min,
        "theoretical_price": 0,
        "theoretical_price_limit": 0,
        "volatility": 0,
        "currency": instrument.currency,
        "isin": None,
        "yield": None,
        "board": instrument.board,
        "primary_board": instrument.board,
        "trading_status": 17 if status is None else status.trading_status,
        "status_text": "normal trading" if status is None else status.status_text,
        "complex_category": None,
        "price_multiplier": 1,
        "shown_units": 1,
        "round_to": _digits(instrument.tick),
    }
    return _ENCODE(picked(values, SECURITY[style]))


def _digits(tick: Decimal) -> int:
    exponent = tick.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _row(
    event: Event, style: str, instrument: Instrument | None, details: OrderDetails | None, *, legacy: bool
) -> dict[str, Any]:
    match event:
        case BookSnapshot():
            return book_row(event, style)
        case Bar():
            return bar_row(event, style)
        case InstrumentUpdate():
            return instrument_row(event, style)
        case AccountUpdate():
            return account_row(event, style)
        case PositionUpdate():
            return position_row(event, style, instrument)
        case Trade() | Quote() | OrderUpdate() | Fill():
            if instrument is None:
                raise LocalProtocolError(f"a {type(event).__name__} can't be worded without its instrument")
        case _:
            raise LocalProtocolError(f"the venue has no message for a {type(event).__name__}")
    match event:
        case Trade():
            return trade_row(event, style, instrument)
        case Quote():
            return quote_row(event, style, instrument)
        case OrderUpdate():
            return order_row(event, style, instrument, details, legacy=legacy)
    return fill_row(event, style, instrument)
