"""Market data and trading status as the venue words them. Source: ALOR protocol sheet, sections 3.1 to 3.5."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from strategykit.model.events import Bar, BookSnapshot, InstrumentUpdate, Quote, Trade
from strategykit.model.instruments import Instrument
from strategykit.venues.alor.fields import BAR, BOOK, INSTRUMENT, LEVEL, QUOTE, TRADE
from strategykit.venues.alor.times import write_iso

__all__ = ["bar_row", "book_row", "instrument_row", "picked", "plain", "quote_row", "trade_row"]

_MILLI: Final = 1_000_000
_NANOS: Final = 1_000_000_000
_DIGITS: Final = 9
"""Of computed differences, so that binary noise doesn't show."""


def picked(values: Mapping[str, object], names: Mapping[str, str]) -> dict[str, Any]:
    """Give the values that a format has, under its names and in its order."""
    return {name: values[ours] for ours, name in names.items() if ours in values}


def plain(number: Decimal | float | None) -> Decimal | float | int | None:
    """Give a whole number as an int: the venue's counts have no fraction."""
    if number is None:
        return None
    return int(number) if number == int(number) else number


def trade_row(event: Trade, style: str, instrument: Instrument) -> dict[str, Any]:
    time = event.receive_time if event.event_time is None else event.event_time
    values = {
        "id": event.trade_id,
        "orderno": 0,
        "symbol": event.instrument,
        "board": instrument.board,
        "quantity": plain(event.quantity),
        "price": event.price,
        "millis": time // _MILLI,
        "open_interest": plain(event.open_interest),
        "existing": event.snapshot,
        "side": None if event.side is None else event.side.value,
    }
    if style != "Slim":
        values["time"] = write_iso(time)
    return picked(values, TRADE[style])


def quote_row(event: Quote, style: str, instrument: Instrument) -> dict[str, Any]:
    time = event.receive_time if event.event_time is None else event.event_time
    last, previous = event.last, event.previous_close
    known = last is not None and previous is not None
    change = round(last - previous, _DIGITS) if last is not None and previous is not None else None
    lot_value = None if last is None else round(float(instrument.lot * instrument.multiplier) * last, _DIGITS)
    values = {
        "symbol": event.instrument,
        "exchange": instrument.exchange,
        "description": instrument.description,
        "currency": instrument.currency,
        "previous_close": previous,
        "last": last,
        "last_seconds": time // _NANOS,
        "high": event.high,
        "low": event.low,
        "accrued": 0,
        "volume": plain(event.volume),
        "open_interest": plain(event.open_interest),
        "ask": event.ask,
        "bid": event.bid,
        "ask_size": plain(event.ask_size),
        "bid_size": plain(event.bid_size),
        "book_millis": time // _MILLI,
        "open": event.open,
        "yield": None,
        "lot": plain(instrument.lot),
        "lot_value": lot_value,
        "face_value": 1,
        "type": "CS",
        "total_bid_size": None,
        "total_ask_size": None,
        "accrued_twin": 0,
        "change": change,
        "change_percent": round(100 * change / previous, 2) if known and change is not None and previous else None,
    }
    return picked(values, QUOTE[style])


def book_row(event: BookSnapshot, style: str) -> dict[str, Any]:
    time = event.receive_time if event.event_time is None else event.event_time
    price, volume = LEVEL[style]["price"], LEVEL[style]["volume"]
    bids, asks = (
        [{price: p, volume: plain(v)} for p, v in zip(prices, sizes, strict=True)]
        for prices, sizes in ((event.bid_prices, event.bid_sizes), (event.ask_prices, event.ask_sizes))
    )
    values = {
        "snapshot": event.snapshot,
        "bids": bids,
        "asks": asks,
        "seconds": time // _NANOS,
        "millis": time // _MILLI,
        "existing": event.snapshot,
    }
    return picked(values, BOOK[style])


def bar_row(event: Bar, style: str) -> dict[str, Any]:
    """Word a bar. Its volume is in lots; the venue's unit isn't known (section 8, point 18)."""
    values = {
        "time": event.open_time // _NANOS,
        "close": event.close,
        "open": event.open,
        "high": event.high,
        "low": event.low,
        "volume": plain(event.volume),
    }
    return picked(values, BAR[style])


def instrument_row(event: InstrumentUpdate, style: str) -> dict[str, Any]:
    """Word a trading status with all that is known: whole frames merge as well as partial ones."""
    values = {
        "symbol": event.instrument,
        "exchange": event.exchange,
        "board": event.board,
        "trading_status": event.trading_status,
        "status_text": event.status_text,
        "price_min": event.price_min,
        "price_max": event.price_max,
        "margin_buy": event.margin_buy,
        "margin_sell": event.margin_sell,
        "margin_synthetic": event.margin_synthetic,
        "theoretical_price": event.theoretical_price,
        "theoretical_price_limit": event.theoretical_price_limit,
        "volatility": event.volatility,
    }
    return picked({name: value for name, value in values.items() if value is not None}, INSTRUMENT[style])
