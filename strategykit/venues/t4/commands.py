"""Order commands, client side. Source: T4 protocol sheet, section 3.5."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from strategykit.errors import LocalProtocolError
from strategykit.model.events import Side
from strategykit.model.orders import (
    AmendOrder,
    CancelOrder,
    Command,
    CreateOrder,
    OrderRequest,
    OrderType,
    TimeInForce,
)
from strategykit.venues.t4.client import encode
from strategykit.venues.t4.names import split_market
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.server_requests import Pull, PullOrders, Revise, ReviseOrders, Submission, Ticket
from strategykit.venues.t4.tags import write_tag

__all__ = ["encode_command", "place_of", "ticket_of"]

_TYPES: Final = {
    OrderType.MARKET: enums.PRICE_TYPE_MARKET,
    OrderType.LIMIT: enums.PRICE_TYPE_LIMIT,
    OrderType.STOP: enums.PRICE_TYPE_STOP_MARKET,
    OrderType.STOP_LIMIT: enums.PRICE_TYPE_STOP_LIMIT,
}
_TIMES: Final = {
    TimeInForce.DAY: enums.TIME_TYPE_NORMAL,
    TimeInForce.IMMEDIATE_OR_CANCEL: enums.TIME_TYPE_IMMEDIATE_AND_CANCEL,
    TimeInForce.FILL_OR_KILL: enums.TIME_TYPE_COMPLETE_VOLUME,
    TimeInForce.GOOD_TILL_CANCELLED: enums.TIME_TYPE_GOOD_TILL_CANCELLED,
    TimeInForce.AT_THE_CLOSE: enums.TIME_TYPE_MARKET_ON_CLOSE,
}
_PRICED: Final = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
_MOST: Final = 2**31 - 1
"""Lots: volumes have 32 bits."""


def encode_command(command: Command) -> bytes:
    """Word an order command.

    Raises:
        LocalProtocolError: T4 has no such order.
    """
    request = command.request
    where = place_of(request)
    if isinstance(command, CancelOrder):
        return encode(PullOrders(**where, pulls=(Pull(command.venue_order_id, write_tag(command) or None),)))
    if isinstance(command, AmendOrder):
        _check(request)
        # T4 counts what was filled as part of the volume; what stays the same may be said again.
        revise = Revise(
            unique_id=command.venue_order_id,
            volume=_lots(request.quantity + command.filled),
            max_show=None if request.display_quantity is None else _lots(request.display_quantity),
            limit_price=request.price,
            stop_price=request.stop_price,
            tag=write_tag(command) or None,
        )
        return encode(ReviseOrders(**where, revisions=(revise,)))
    # A program's order: nobody enters it by hand.
    return encode(Submission(**where, link=enums.ORDER_LINK_NONE, manual=False, tickets=(ticket_of(request),)))


def place_of(request: OrderRequest) -> dict[str, str]:
    """Give the account and the market of an order, by the names of T4's fields."""
    return {"account_id": request.account, "market_id": split_market(request.instrument).market_id}


def ticket_of(request: OrderRequest) -> Ticket:
    """Word one order of a submission; its tag is the client order id.

    Raises:
        LocalProtocolError: T4 has no such order.
    """
    _check(request)
    return Ticket(
        buy_sell=enums.BUY_SELL_BUY if request.side is Side.BUY else enums.BUY_SELL_SELL,
        price_type=_TYPES[request.type],
        time_type=_TIMES[request.time_in_force],
        volume=_lots(request.quantity),
        max_show=None if request.display_quantity is None else _lots(request.display_quantity),
        limit_price=request.price,
        stop_price=request.stop_price,
        tag=write_tag(CreateOrder(guid=request.client_order_id, request=request)),
    )


def _lots(quantity: Decimal) -> int:
    if not (quantity.is_finite() and 0 < quantity <= _MOST and quantity == quantity.to_integral_value()):
        raise LocalProtocolError(f"a volume of {quantity} lots: T4 takes whole lots from 1 to {_MOST}")
    return int(quantity)


def _check(request: OrderRequest) -> None:
    """Pass what T4 has a form for.

    Raises:
        LocalProtocolError: It has none.
    """
    kind = request.type.value
    if request.time_in_force not in _TIMES:
        raise LocalProtocolError(f"T4 has no time in force {request.time_in_force.value!r}")
    for what, price, needed in (
        ("price", request.price, request.type in _PRICED),
        ("stop price", request.stop_price, request.type in _STOPS),
    ):
        if (price is not None) is not needed:
            raise LocalProtocolError(f"a {kind} order {'needs a' if needed else 'has no'} {what}")
        if price is not None and not price.is_finite():
            raise LocalProtocolError(f"a {what} of {price} is no number")
    if request.display_quantity is not None and request.type not in _PRICED:
        raise LocalProtocolError(f"a {kind} order can't be an iceberg: only limit and stop_limit orders can")
    if request.trail is not None:
        raise LocalProtocolError("a stop that trails: T4's own are told otherwise than as an order with a trail")
    if request.expire_time is not None or request.protect_seconds is not None or not request.active:
        raise LocalProtocolError(
            "an order with an expiry, protecting seconds or a dormant form: at T4 these are activation conditions, "
            "which have requests of their own"
        )
