"""Orders, fills, positions and money as the venue words them. Source: ALOR protocol sheet, sections 3.6 to 3.12."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import attrs

from strategykit.model.events import AccountUpdate, Fill, OrderUpdate, PositionUpdate, Side
from strategykit.model.instruments import Instrument
from strategykit.model.orders import TimeInForce
from strategykit.venues.alor.fields import (
    CURRENCY_POWER,
    FILL,
    ICEBERG,
    LEGACY_STOP_ORDER,
    ORDER,
    POSITION,
    RISK,
    SPECTRA_RISK,
    STOP_ORDER,
    SUMMARY,
)
from strategykit.venues.alor.names import STATUS_WORDS, TIMES_IN_FORCE
from strategykit.venues.alor.server_market import picked, plain
from strategykit.venues.alor.times import write_iso

__all__ = ["OrderDetails", "account_row", "fill_row", "order_row", "position_row"]

_TIF_WORDS: Final = {value: word for word, value in TIMES_IN_FORCE.items()}
_ZERO: Final = Decimal(0)
_FAR: Final = "2060-12-31T23:59:59.0000000Z"
"""How an order without an end looks. Source: section 3.12."""


@attrs.frozen(kw_only=True)
class OrderDetails:
    """What an order's row shows and an `OrderUpdate` doesn't hold."""

    placed: int
    """Nanoseconds UTC."""
    updated: int | None = None
    ends: int | None = None
    """Nanoseconds UTC; None: it stays until it is done."""
    time_in_force: TimeInForce = TimeInForce.DAY
    display_variance: int | None = None
    protect_seconds: int | None = None


def order_row(
    event: OrderUpdate,
    style: str,
    instrument: Instrument,
    details: OrderDetails | None = None,
    *,
    legacy: bool = False,
) -> dict[str, Any]:
    """Word an order, or a stop order if it has a trigger. `legacy`: the deprecated form of a stop order."""
    time = event.receive_time if event.event_time is None else event.event_time
    known = details or OrderDetails(placed=time, updated=time)
    lot, price = instrument.lot, event.price
    values: dict[str, object] = {
        "id": event.venue_order_id,
        "symbol": event.instrument,
        "board": instrument.board,
        "broker_symbol": f"{instrument.exchange}:{event.instrument}",
        "portfolio": event.account,
        "exchange": instrument.exchange,
        "comment": event.client_order_id,
        "side": event.side.value,
        "status": STATUS_WORDS[event.status],
        "placed": write_iso(known.placed),
        "updated": None if known.updated is None else write_iso(known.updated),
        "ends": _FAR if known.ends is None else write_iso(known.ends),
        "units": plain(event.quantity * lot),
        "lots": plain(event.quantity),
        "lots_twin": plain(event.quantity),
        "filled_units": plain(event.filled * lot),
        "filled_lots": plain(event.filled),
        "filled_twin": plain(event.filled),
        "price": price or _ZERO,
        "existing": event.snapshot,
        "time_in_force": _TIF_WORDS[known.time_in_force],
        "iceberg": _iceberg(event, style, instrument, known),
        "volume": None if price is None else plain(instrument.value(price, event.quantity)),
    }
    if event.stop_price is None:
        values["type"] = "market" if price is None else "limit"
        return picked(values, ORDER[style])
    values |= {
        "type": "stop" if price is None else "stoplimit",
        "linked_id": event.linked_order_id,
        "condition": "moreorequal" if event.side is Side.BUY else "lessorequal",
        "error": event.reason,
        "average_price": _ZERO,
        "stop_price": event.stop_price,
        "protecting": known.protect_seconds,
    }
    return picked(values, (LEGACY_STOP_ORDER if legacy else STOP_ORDER)[style])


def _iceberg(event: OrderUpdate, style: str, instrument: Instrument, known: OrderDetails) -> dict[str, Any] | None:
    shown = event.display_quantity
    if shown is None:
        return None
    visible = min(shown, event.quantity - event.filled)
    values = {
        "fixed": plain(shown),
        "variance": known.display_variance or 0,
        "visible_units": plain(visible * instrument.lot),
        "visible_lots": plain(visible),
        "visible_filled_units": plain(event.filled * instrument.lot),
        "visible_filled_lots": plain(event.filled),
    }
    return picked(values, ICEBERG[style])


def fill_row(event: Fill, style: str, instrument: Instrument) -> dict[str, Any]:
    date = write_iso(event.receive_time if event.event_time is None else event.event_time)
    values = {
        "id": event.trade_id,
        "order_id": event.venue_order_id,
        "comment": event.client_order_id,
        "symbol": event.instrument,
        "broker_symbol": f"{instrument.exchange}:{event.instrument}",
        "exchange": instrument.exchange,
        "date": date,
        "board": instrument.board,
        "units": plain(event.quantity * instrument.lot),
        "lots": plain(event.quantity),
        "lots_twin": plain(event.quantity),
        "price": event.price,
        "accrued": 0,
        "side": event.side.value,
        "existing": event.snapshot,
        "commission": event.fee,
        "repo": None,
        "volume": plain(instrument.value(event.price, event.quantity)),
        "settle_date": date,
    }
    return picked(values, FILL[style])


def position_row(event: PositionUpdate, style: str, instrument: Instrument | None) -> dict[str, Any]:
    """Word a holding; `instrument` is None for a currency. What isn't known shows as 0, as the venue's rows do."""
    lot = event.lot or (Decimal(1) if instrument is None else instrument.lot)
    exchange = "MOEX" if instrument is None else instrument.exchange
    lots, units = plain(event.quantity), plain(event.quantity * lot)
    worth = event.average_price or _ZERO
    value = event.quantity * worth * lot * (Decimal(1) if instrument is None else instrument.multiplier)
    values: dict[str, object] = {
        "volume": plain(value),
        "current_volume": plain(value + (event.open_pnl or _ZERO)),
        "symbol": event.instrument,
        "broker_symbol": f"{exchange}:{event.instrument}",
        "portfolio": event.account,
        "exchange": exchange,
        "average_price": worth,
        "units": units,
        "open_units": 0,
        "lot": plain(lot),
        "short_name": (instrument.description if instrument else "") or event.instrument,
        "open_lots": 0,
        "open_twin": 0,
        "day_pnl": event.day_pnl or _ZERO,
        "open_pnl": event.open_pnl or _ZERO,
        "is_currency": event.is_currency,
        "existing": event.snapshot,
    }
    values |= dict.fromkeys(("units_t0", "units_t1", "units_t2", "units_future"), units)
    values |= dict.fromkeys(("lots_t0", "lots_t1", "lots_t2", "lots_future", "lots", "lots_twin"), lots)
    return picked(values, POSITION[style])


def account_row(event: AccountUpdate, style: str) -> dict[str, Any]:
    """Word an account as the message that its `source` names."""
    if event.source == "risk":
        return _risk_row(event, style)
    if event.source == "spectra_risk":
        return _spectra_row(event, style)
    equity, margin = event.equity or _ZERO, event.initial_margin or _ZERO
    names = CURRENCY_POWER[style]
    profit = event.profit or _ZERO
    values: dict[str, object] = {
        "morning_power": equity - profit,
        "buying_power": event.buying_power or _ZERO,
        "profit": profit,
        "profit_rate": round(100 * profit / (equity - profit), 2) if equity != profit else _ZERO,
        "evaluation": equity,
        "liquidation_value": equity,
        "initial_margin": margin,
        "corrected_margin": margin,
        "before_closing": equity - (event.minimum_margin or _ZERO),
        "commission": event.fees,
        "by_currency": [
            {names["currency"]: currency, names["buying_power"]: power} for currency, power in event.by_currency
        ],
    }
    return picked(values, SUMMARY[style])


def _risk_row(event: AccountUpdate, style: str) -> dict[str, Any]:
    equity = event.equity or _ZERO
    initial, minimal = event.initial_margin or _ZERO, event.minimum_margin or _ZERO
    values: dict[str, object] = {
        "portfolio": event.account,
        "exchange": "MOEX",
        "evaluation": equity,
        "liquidation_value": equity,
        "initial_margin": initial,
        "minimal_margin": minimal,
        "corrected_margin": initial,
        "coverage_one": equity - initial,
        "coverage_two": equity - minimal,
        "category": 1,
        "client_type": "StandardRisk",
        "forbidden": False,
        "negative": False,
        "status": event.status or "Ok",
        "calculated": write_iso(event.receive_time if event.event_time is None else event.event_time),
    }
    return picked(values, RISK[style])


def _spectra_row(event: AccountUpdate, style: str) -> dict[str, Any]:
    cash, profit = event.cash or _ZERO, event.profit or _ZERO
    values: dict[str, object] = {
        "portfolio": event.account,
        "free": event.buying_power or _ZERO,
        "blocked": event.initial_margin or _ZERO,
        "fee": event.fees or _ZERO,
        "old": cash - profit,
        "amount": cash,
        "pledge": 0,
        "clearing_margin": 0,
        "current_margin": profit,
        "variation_margin": profit,
        "indicative": profit,
        "option_value": 0,
        "position_risk": 0,
        "limited": False,
        "balance": cash,
    }
    return picked(values, SPECTRA_RISK[style])
