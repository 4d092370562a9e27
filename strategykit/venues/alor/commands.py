"""Order commands, client side: the same fields by socket and by HTTP. Source: ALOR protocol sheet, section 4.3."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec

from strategykit.errors import LocalProtocolError
from strategykit.model.events import Side
from strategykit.model.orders import AmendOrder, CancelOrder, Command, OrderRequest, OrderType
from strategykit.venues.alor.names import ACTIONS, MAX_COMMENT, MAX_PROTECTING_SECONDS, NANOS, TIMES_IN_FORCE

__all__ = ["encode_command", "order_fields"]

_ENCODE: Final = msgspec.json.Encoder().encode
_TIF_WORDS: Final = {value: word for word, value in TIMES_IN_FORCE.items()}
_PRICED: Final = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})

_WITH_TIF: Final = {
    "create": frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LIMIT}),
    "update": frozenset({OrderType.MARKET, OrderType.STOP_LIMIT}),
}


def encode_command(command: Command, *, exchange: str, board: str | None) -> str:
    """Word an order command for the socket.

    Args:
        command: What to do.
        exchange: Where the order is.
        board: Where the order names none; None: the venue's primary one.

    Raises:
        LocalProtocolError: The venue has no such order.
    """
    request = command.request
    action = ACTIONS[request.type]
    if isinstance(command, CancelOrder):
        fields: dict[str, Any] = {
            "opcode": f"delete:{action}",
            "guid": command.guid,
            "orderId": command.venue_order_id,
            "exchange": exchange,
            "user": {"portfolio": request.account},
        }
    elif isinstance(command, AmendOrder):
        fields = {"opcode": f"update:{action}", "guid": command.guid, "orderId": command.venue_order_id}
        fields |= order_fields(request, "update", exchange=exchange, board=board)
    else:
        fields = {"opcode": f"create:{action}", "guid": command.guid}
        fields |= order_fields(request, "create", exchange=exchange, board=board)
    fields["checkDuplicates"] = request.check_duplicates
    return _ENCODE(fields).decode()


def order_fields(request: OrderRequest, verb: str, *, exchange: str, board: str | None) -> dict[str, Any]:
    """Give the fields that describe an order; numbers are written exactly as they are.

    Raises:
        LocalProtocolError: The venue has no such order.
    """
    _check(request)
    kind, group = request.type, request.board or board
    fields: dict[str, Any] = {"side": request.side.value, "quantity": _number(request.quantity)}
    if request.price is not None:
        fields["price"] = _number(request.price)
    if request.stop_price is not None:
        # It fires on touching, which `more` and `less` alone don't say (section 3.13).
        fields["condition"] = "moreorequal" if request.side is Side.BUY else "lessorequal"
        fields["triggerPrice"] = _number(request.stop_price)
        # 0 stands for no end: clients send it, the schema doesn't say so (section 4.3).
        fields["stopEndUnixTime"] = 0 if request.expire_time is None else request.expire_time // NANOS
    fields["instrument"] = {"symbol": request.instrument, "exchange": exchange}
    if group is not None:
        fields["instrument"]["instrumentGroup"] = group
    if request.client_order_id:
        fields["comment"] = request.client_order_id
    fields["user"] = {"portfolio": request.account}
    if kind in _WITH_TIF[verb]:
        fields["timeInForce"] = _TIF_WORDS[request.time_in_force]
    if request.display_quantity is not None:
        fields["icebergFixed"] = _number(request.display_quantity)
        if request.display_variance is not None and verb == "create":  # An update can't change it.
            fields["icebergVariance"] = request.display_variance
    if kind in _STOPS:
        if request.protect_seconds is not None:
            fields["protectingSeconds"] = request.protect_seconds
        fields["activate"] = request.active
    fields["allowMargin"] = request.allow_margin
    return fields


def _number(value: Decimal) -> msgspec.Raw:
    """Write a number with all its digits and without an exponent."""
    return msgspec.Raw(f"{value:f}".encode())


def _check(request: OrderRequest) -> None:
    """Pass what the venue has a form for.

    Raises:
        LocalProtocolError: It has none.
    """
    kind = request.type.value
    if request.trail is not None or (request.expire_time is not None and request.type not in _STOPS):
        raise LocalProtocolError("the venue has no stops that trail, and no end time but of stops")
    for what, lots in (("quantity", request.quantity), ("visible quantity", request.display_quantity)):
        if lots is not None and not (lots.is_finite() and lots > 0 and lots == lots.to_integral_value()):
            raise LocalProtocolError(f"a {what} of {lots} lots: the venue takes whole lots above 0")
    for what, price, needed in (
        ("price", request.price, request.type in _PRICED),
        ("stop price", request.stop_price, request.type in _STOPS),
    ):
        if (price is not None) is not needed:
            raise LocalProtocolError(f"a {kind} order {'needs a' if needed else 'has no'} {what}")
        if price is not None and not price.is_finite():
            raise LocalProtocolError(f"a {what} of {price} is no number")
    if len(request.client_order_id) > MAX_COMMENT:
        raise LocalProtocolError(
            f"a client order id of {len(request.client_order_id)} characters: it travels as the comment, "
            f"which has at most {MAX_COMMENT}"
        )
    if request.display_quantity is not None and request.type not in _PRICED:
        raise LocalProtocolError(f"a {kind} order can't be an iceberg: only limit and stop_limit orders can")
    if request.type not in _STOPS and (request.protect_seconds is not None or not request.active):
        raise LocalProtocolError(f"a {kind} order has neither protecting seconds nor a dormant form: only stops have")
    seconds = request.protect_seconds
    if seconds is not None and not 1 <= seconds <= MAX_PROTECTING_SECONDS:
        raise LocalProtocolError(f"{seconds} protecting seconds: the venue takes 1 to {MAX_PROTECTING_SECONDS}")
