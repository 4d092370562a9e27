"""Own orders, stop orders and fills, client side. Source: ALOR protocol sheet, sections 3.10 to 3.13."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, cast

import msgspec

from strategykit.errors import LocalProtocolError
from strategykit.model.events import Event, Fill, OrderStatus, OrderUpdate, Side
from strategykit.venues.alor.fields import FILL, ICEBERG, ORDER, STOP_ORDER
from strategykit.venues.alor.memory import LastTold
from strategykit.venues.alor.names import SIDES, STATUSES
from strategykit.venues.alor.parsing import UNREADABLE, Reader, iso_time, money, readers, renamed, unreadable
from strategykit.venues.streams import Stream, StreamKind

__all__ = [
    "FillCursor",
    "FillRow",
    "OrderCursor",
    "OrderRow",
    "StopOrderRow",
    "account_of",
    "fill_of",
    "order_of",
    "stop_order_of",
]


class _Iceberg(msgspec.Struct, gc=False):
    fixed: Decimal | None = None
    visible_lots: Decimal | None = None


class OrderRow(msgspec.Struct, gc=False):
    """One order as it comes."""

    id: str | int
    symbol: str
    side: str
    status: str
    portfolio: str | None = None
    comment: str | None = None
    type: str | None = None
    placed: str | None = None
    updated: str | None = None
    lots: Decimal | None = None
    lots_twin: Decimal | None = None
    filled_lots: Decimal | None = None
    filled_twin: Decimal | None = None
    price: Decimal | None = None
    existing: bool | None = False
    iceberg: _Iceberg | None = None


class StopOrderRow(OrderRow, gc=False, kw_only=True):
    """One stop order as it comes, in the current payload or in the deprecated one (section 3.12)."""

    stop_price: Decimal
    linked_id: str | int | None = None
    """Number of the order that it became; text or integer, both are seen (section 8, point 17)."""
    error: str | None = None
    legacy_ends: str | msgspec.UnsetType | None = msgspec.UNSET
    """Slim has it in the deprecated payload only: there ``q`` is lots, and pieces in the current one."""
    legacy_lots: Decimal | None = None
    legacy_existing: bool | None = False


class FillRow(msgspec.Struct, gc=False):
    """One own trade as it comes. It names no portfolio: that is the subscription's."""

    id: str | int
    order_id: str | int
    symbol: str
    side: str
    price: Decimal
    comment: str | None = None
    date: str | None = None
    lots: Decimal | None = None
    lots_twin: Decimal | None = None
    existing: bool | None = False
    commission: Decimal | None = None


def _iceberg_parts(style: str) -> Mapping[Any, Any]:
    return {_Iceberg | None: renamed(_Iceberg, ICEBERG[style]) | None}


_ORDERS: Final = readers(OrderRow, ORDER, _iceberg_parts)
_STOP_ORDERS: Final = readers(StopOrderRow, STOP_ORDER, _iceberg_parts)
_FILLS: Final = readers(FillRow, FILL)


def account_of(stream: Stream) -> str:
    """Give the portfolio of an account's stream.

    Raises:
        LocalProtocolError: It names none.
    """
    if not stream.account:
        raise LocalProtocolError(f"a subscription to {stream.kind.value} needs an account")
    return stream.account


def _side(word: str) -> Side:
    side = SIDES.get(word.lower())
    if side is None:
        raise ValueError(f"{word[:20]!r} is no side")
    return side


def _status(word: str) -> OrderStatus:
    status = STATUSES.get(word.lower())
    if status is None:
        raise ValueError(f"{word[:20]!r} is no status of an order")
    return status


def _lots(*candidates: Decimal | None) -> Decimal:
    """Give the first that is there; pieces are never taken for lots."""
    for lots in candidates:
        if lots is not None:
            if money(lots) < 0:
                raise ValueError("a quantity below 0")
            return lots
    raise ValueError("no quantity in lots")


def _price(row: OrderRow) -> Decimal | None:
    """Give the limit. Market and stop orders show a price of 0, which is none."""
    if row.price is None:
        return None
    price, word = money(row.price), (row.type or "").lower()
    has_none = word in ("market", "stop") or (not price and word not in ("limit", "stoplimit"))
    return None if has_none else price


def order_of(
    row: OrderRow,
    *,
    account: str,
    guid: str,
    receive_time: int,
    snapshot: bool,
    stop_price: Decimal | None = None,
    linked: str | None = None,
    reason: str | None = None,
) -> OrderUpdate:
    """Give the event of an order's row; whether it is replayed is the caller's to say.

    Raises:
        ValueError: Something in it can't be.
    """
    shown = None
    if row.iceberg is not None:
        shown = row.iceberg.visible_lots if row.iceberg.fixed is None else row.iceberg.fixed
    placed, updated = iso_time(row.placed), iso_time(row.updated)
    return OrderUpdate(
        row.symbol,
        str(row.id),
        row.comment or None,
        _status(row.status),
        _side(row.side),
        _lots(row.lots, row.lots_twin),
        _lots(row.filled_lots, row.filled_twin),
        _price(row),
        placed if updated is None else updated,
        receive_time,
        guid,
        snapshot,
        row.portfolio or account,
        stop_price,
        linked,
        reason,
        None if shown is None else money(shown),
    )


def stop_order_of(row: StopOrderRow, *, account: str, guid: str, receive_time: int, snapshot: bool) -> OrderUpdate:
    """Give the event of a stop order's row. See `order_of`."""
    if row.lots is None and row.legacy_ends is not msgspec.UNSET:
        row.lots = row.legacy_lots
    return order_of(
        row,
        account=account,
        guid=guid,
        receive_time=receive_time,
        snapshot=snapshot,
        stop_price=money(row.stop_price),
        linked=None if row.linked_id is None else str(row.linked_id),
        reason=row.error or None,
    )


def fill_of(row: FillRow, *, account: str, guid: str, receive_time: int, snapshot: bool) -> Fill:
    """Give the event of an own trade's row. The commission's currency isn't said, so it is None.

    Raises:
        ValueError: Something in it can't be.
    """
    quantity = _lots(row.lots, row.lots_twin)
    if not quantity:
        raise ValueError("a fill of 0 lots")
    return Fill(
        row.symbol,
        str(row.id),
        str(row.order_id),
        row.comment or None,
        _side(row.side),
        quantity,
        money(row.price),
        None if row.commission is None else money(row.commission),
        None,
        iso_time(row.date),
        receive_time,
        guid,
        snapshot,
        account,
    )


class OrderCursor:
    """Orders, or stop orders; a state that was told before isn't told again, replayed or not."""

    __slots__ = ("_account", "_guid", "_read", "_stops", "_told")

    def __init__(self, guid: str, stream: Stream, style: str) -> None:
        self._guid = guid
        self._account = account_of(stream)
        self._stops = stream.kind is StreamKind.STOP_ORDERS
        self._read = _STOP_ORDERS[style] if self._stops else cast("Reader[StopOrderRow]", _ORDERS[style])
        self._told = LastTold()

    def decode(self, frame: str | bytes, receive_time: int) -> Sequence[Event]:
        try:
            row = self._read(frame).data
            replayed = row.existing is True or (self._stops and row.legacy_existing is True)
            event_of = stop_order_of if self._stops else order_of
            update = event_of(row, account=self._account, guid=self._guid, receive_time=receive_time, snapshot=replayed)
        except UNREADABLE as exc:
            raise unreadable(frame, exc) from exc
        # More than number, status and filled, which section 6.3 names: an order may be changed in place.
        state = (
            update.status,
            update.filled,
            update.quantity,
            update.price,
            update.stop_price,
            update.linked_order_id,
            update.reason,
        )
        return (update,) if self._told.add(update.venue_order_id, state) else ()

    def reconnected(self) -> None:
        """What was told stays: what is replayed was told before."""


class FillCursor:
    """Own trades; each once, whether it comes live, is replayed, or comes twice."""

    __slots__ = ("_account", "_guid", "_read", "_told")

    def __init__(self, guid: str, stream: Stream, style: str) -> None:
        self._guid = guid
        self._account = account_of(stream)
        self._read = _FILLS[style]
        self._told = LastTold()

    def decode(self, frame: str | bytes, receive_time: int) -> Sequence[Event]:
        try:
            row = self._read(frame).data
            replayed = row.existing is True
            fill = fill_of(row, account=self._account, guid=self._guid, receive_time=receive_time, snapshot=replayed)
        except UNREADABLE as exc:
            raise unreadable(frame, exc) from exc
        # Both sides of a trade can be ours, under one number.
        return (fill,) if self._told.add(f"{fill.trade_id}/{fill.venue_order_id}", None) else ()

    def reconnected(self) -> None:
        """What was told stays: what is replayed was told before."""
