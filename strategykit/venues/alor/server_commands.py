"""The venue's reading of order commands, by socket and by HTTP. Source: ALOR protocol sheet, sections 4.3 and 5.3."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from strategykit.model.events import Side
from strategykit.model.orders import AmendOrder, CancelOrder, Command, CreateOrder, OrderRequest, OrderType, TimeInForce
from strategykit.venues.alor.names import (
    MAX_COMMENT,
    MAX_PROTECTING_SECONDS,
    NANOS,
    ORDER_TYPES,
    SIDES,
    TIMES_IN_FORCE,
)
from strategykit.venues.alor.server_fields import FieldError, Fields
from strategykit.venues.alor.times import MAX_SECONDS

__all__ = ["read_cancel", "read_command", "read_order"]

_PRICED: Final = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
_CONDITIONS: Final = {"more": Side.BUY, "moreorequal": Side.BUY, "less": Side.SELL, "lessorequal": Side.SELL}
"""Which side a trigger protects. ``more`` and ``moreorequal`` are one here: an `OrderRequest` fires on touching."""


def read_command(fields: Fields, verb: str, kind: str, *, guid: str, order_id: str | None = None) -> Command:
    """Read ``create``, ``update`` or ``delete`` of the order type `kind`, both in lower case.

    Args:
        fields: The request's.
        verb: What to do.
        kind: ``market``, ``limit``, ``stop`` or ``stoplimit``.
        guid: The command's name.
        order_id: Where the number stands elsewhere than in a field.

    Raises:
        FieldError: A field is missing or can't be.
    """
    type_ = ORDER_TYPES.get(kind)
    if type_ is None:
        raise FieldError(f"Unknown order type {kind[:100]!r}; there are {', '.join(ORDER_TYPES)}")
    if verb == "create":
        return CreateOrder(guid=guid, request=read_order(fields, type_))
    number = order_id or fields.text("orderId")
    if verb == "update":
        return AmendOrder(guid=guid, venue_order_id=number, request=read_order(fields, type_))
    account = fields.object("user").text("portfolio")
    check = fields.flag("checkDuplicates", default=True)
    fields.text("exchange")
    return read_cancel(guid, number, type_, account=account, check_duplicates=check)


def read_cancel(
    guid: str, number: str, type_: OrderType, *, account: str, check_duplicates: bool = True
) -> CancelOrder:
    """Build a cancel. It names no instrument, side or quantity: its request has none."""
    request = OrderRequest(
        client_order_id="",
        account=account,
        instrument="",
        side=Side.BUY,
        quantity=Decimal(0),
        type=type_,
        check_duplicates=check_duplicates,
    )
    return CancelOrder(guid=guid, venue_order_id=number, request=request)


def read_order(fields: Fields, type_: OrderType) -> OrderRequest:
    """Read the order that a create or update describes.

    Raises:
        FieldError: A field is missing or can't be.
    """
    instrument = fields.object("instrument")
    side = fields.choice("side", SIDES)
    stop = type_ in _STOPS
    comment = fields.text("comment", "")
    if len(comment) > MAX_COMMENT:
        raise FieldError(f"comment must have at most {MAX_COMMENT} characters, not {len(comment)}")
    if stop and fields.choice("condition", _CONDITIONS) is not side:
        # Known of the venue, but an `OrderRequest` has no such trigger.
        raise FieldError(f"condition for {side.value} must be {'more' if side is Side.BUY else 'less'} here")
    iceberg = fields.whole("icebergFixed", 0) if type_ in _PRICED else 0
    variance = fields.whole("icebergVariance", 0)
    return OrderRequest(
        client_order_id=comment,
        account=fields.object("user").text("portfolio"),
        instrument=instrument.text("symbol"),
        side=side,
        quantity=Decimal(fields.whole("quantity")),
        type=type_,
        price=fields.number("price") if type_ in _PRICED else None,
        stop_price=fields.number("triggerPrice") if stop else None,
        time_in_force=fields.choice("timeInForce", TIMES_IN_FORCE, TimeInForce.DAY),
        board=instrument.text("instrumentGroup", "") or fields.text("board", "") or None,
        display_quantity=Decimal(iceberg) if iceberg else None,
        display_variance=variance or None,
        expire_time=_expiry(fields) if stop else None,
        protect_seconds=_protection(fields) if stop else None,
        allow_margin=fields.flag("allowMargin", default=False),
        active=fields.flag("activate", default=True) if stop else True,
        check_duplicates=fields.flag("checkDuplicates", default=True),
    )


def _expiry(fields: Fields) -> int | None:
    """Give nanoseconds UTC; 0 stands for no end, which the schema doesn't say but clients send (section 4.3)."""
    seconds = fields.whole("stopEndUnixTime", 0)
    if not 0 <= seconds <= MAX_SECONDS:
        raise FieldError(f"stopEndUnixTime must be Unix seconds, not {seconds}")
    return seconds * NANOS or None


def _protection(fields: Fields) -> int | None:
    seconds = fields.whole("protectingSeconds", 0)
    if seconds and not 1 <= seconds <= MAX_PROTECTING_SECONDS:
        raise FieldError(f"protectingSeconds must be 1 to {MAX_PROTECTING_SECONDS}, not {seconds}")
    return seconds or None
