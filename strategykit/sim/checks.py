"""What a venue refuses before an order exists, and in which words.

Source: ALOR protocol sheet, section 4.6, where it has a text; clients branch on the code alone.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from strategykit.model.instruments import Instrument
from strategykit.model.orders import OrderRequest, OrderType, TimeInForce
from strategykit.sim.account import Account
from strategykit.venues.dialect import Reply

__all__ = [
    "NOT_FOUND_TO_AMEND",
    "NOT_FOUND_TO_CANCEL",
    "amended",
    "cancelled",
    "created",
    "find_fault",
    "find_shortage",
    "refused",
]

NOT_FOUND_TO_CANCEL: Final = "Order to cancel not found"
NOT_FOUND_TO_AMEND: Final = "Order to update not found"

_PRICED: Final = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_TRIGGERED: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
_MOST_LOTS: Final = Decimal(1_000_000_000)
_HIGHEST: Final = Decimal(1_000_000_000_000)
"""Bounds on what arithmetic is asked to do: a number from the wire may have any exponent."""

_ZERO: Final = Decimal(0)
_POST_ONLY: Final = TimeInForce.POST_ONLY
_CAN_WAIT: Final = frozenset({TimeInForce.DAY, TimeInForce.GOOD_TILL_CANCELLED})


def created(guid: str, number: str) -> Reply:
    return Reply(guid, 200, f"An order '{number}' has been created.", True, number)


def amended(guid: str, number: str) -> Reply:
    return Reply(guid, 200, f"An order has been updated. New order Id is '{number}'.", True, number)


def cancelled(guid: str, number: str) -> Reply:
    return Reply(guid, 200, f"An order '{number}' has been deleted.", True, number)


def refused(guid: str, message: str, *, code: int = 400) -> Reply:
    return Reply(guid, code, message, False)


def find_fault(request: OrderRequest, instrument: Instrument, *, whole_lots: bool = True) -> str | None:
    """Say what is wrong with an order by itself, or None.

    Args:
        request: The order.
        instrument: Its instrument, for the tick.
        whole_lots: Whether parts of a lot are refused.
    """
    quantity = request.quantity
    if not quantity.is_finite() or quantity <= _ZERO or (whole_lots and quantity != quantity.to_integral_value()):
        return "Invalid or unsupported quantity"
    if quantity > _MOST_LOTS:
        return f"BAD_AMOUNT: the quantity can not be greater than {_MOST_LOTS}"
    if len(request.client_order_id) > 100:
        return "BAD_FLAGS: a comment has at most 100 characters"
    if request.type in _PRICED:
        if not request.price:
            return "Price may not be 0 for a limit order"
    elif request.price is not None:
        return f"BAD_FLAGS: a {request.type.value} order has no price"
    if request.type in _TRIGGERED:
        if not request.stop_price:
            return "Price may not be 0 for a stop order"
    elif request.stop_price is not None:
        return f"BAD_FLAGS: a {request.type.value} order has no trigger price"
    if request.trail is not None and (request.type is not OrderType.STOP or not _is_price(request.trail)):
        return f"BAD_FLAGS: a trail of {request.trail} should be a distance above 0, of a stop without a limit"
    if request.price is not None or request.stop_price is not None:
        fault = _find_price_fault(request, instrument)
        if fault is not None:
            return fault
    if request.time_in_force is _POST_ONLY and request.price is None:
        return "BAD_FLAGS: bookorcancel needs a limit price"
    shown = request.display_quantity
    return None if shown is None else _find_iceberg_fault(request, shown, whole_lots=whole_lots)


def _is_price(price: Decimal) -> bool:
    return price.is_finite() and 0 < price <= _HIGHEST


def _find_price_fault(request: OrderRequest, instrument: Instrument) -> str | None:
    for price in (request.price, request.stop_price):
        if price is None:
            continue
        if not price.is_finite() or price < 0:
            return f"BAD_PRICE_LIMITS: Price {price} can not be less than {instrument.tick}"
        if price > _HIGHEST:
            return f"BAD_PRICE_LIMITS: Price {price} can not be greater than {_HIGHEST}"
        if price % instrument.tick:
            return f"Invalid price {price}. Minimum price step: {instrument.tick}"
    return None


def _find_iceberg_fault(request: OrderRequest, shown: Decimal, *, whole_lots: bool) -> str | None:
    if request.price is None or request.time_in_force not in _CAN_WAIT:
        return "BAD_FLAGS: an iceberg is a limit order that may rest"
    if not shown.is_finite() or not 0 < shown <= request.quantity:
        return f"BAD_AMOUNT: the visible part {shown} must be above 0 and can not be greater than {request.quantity}"
    if whole_lots and shown != shown.to_integral_value():
        return "Invalid or unsupported quantity"
    return None


def find_shortage(account: Account, instrument: Instrument, request: OrderRequest, price: Decimal) -> str | None:
    """Say by how much buying power falls short of an order, or None. An order that only reduces needs none."""
    needed = account.needed(instrument, request.side, request.quantity, price)
    if needed <= _ZERO:
        return None
    power = account.buying_power(instrument.currency)
    if needed <= power:
        return None
    return f"Insufficient limits: the order needs {needed} {instrument.currency}, {power} are free"
