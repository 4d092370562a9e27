"""Orders of the simulated T4 venue between what clients are told of them and what the exchange knows of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import attrs

from strategykit.model.events import Side
from strategykit.model.orders import OrderRequest, OrderType, TimeInForce
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.server_orders import ServedOrder
from strategykit.venues.t4.server_requests import Activation

__all__ = ["TIMES", "LinkGroup", "LiveOrder"]

_TYPES: Final = {
    enums.PRICE_TYPE_MARKET: OrderType.MARKET,
    enums.PRICE_TYPE_MARKET_IF_TOUCHED: OrderType.MARKET,
    enums.PRICE_TYPE_FLATTEN: OrderType.MARKET,
    enums.PRICE_TYPE_LIMIT: OrderType.LIMIT,
    enums.PRICE_TYPE_JOIN: OrderType.LIMIT,
    enums.PRICE_TYPE_HIT: OrderType.LIMIT,
    enums.PRICE_TYPE_STOP_MARKET: OrderType.STOP,
    enums.PRICE_TYPE_STOP_LIMIT: OrderType.STOP_LIMIT,
    enums.PRICE_TYPE_STOP_SAME_LIMIT: OrderType.STOP_LIMIT,
}

TIMES: Final = {
    enums.TIME_TYPE_NORMAL: TimeInForce.DAY,
    enums.TIME_TYPE_IMMEDIATE_AND_CANCEL: TimeInForce.IMMEDIATE_OR_CANCEL,
    enums.TIME_TYPE_GOOD_TILL_CANCELLED: TimeInForce.GOOD_TILL_CANCELLED,
    enums.TIME_TYPE_COMPLETE_VOLUME: TimeInForce.FILL_OR_KILL,
}

_TRIGGERED_TYPES: Final = {
    enums.PRICE_TYPE_STOP_MARKET: enums.PRICE_TYPE_MARKET,
    enums.PRICE_TYPE_STOP_LIMIT: enums.PRICE_TYPE_LIMIT,
    enums.PRICE_TYPE_STOP_SAME_LIMIT: enums.PRICE_TYPE_LIMIT,
}
"""What a stop is once it has traded. Source: sheet, section 3.5."""


@attrs.define(eq=False, kw_only=True)
class LiveOrder:
    """One order."""

    told: ServedOrder
    side: Side
    number: str = ""
    """The exchange's, which differs after every change; empty while the order is held here."""
    replaced: str = ""
    """The exchange's number before the last change: that it ends says nothing."""
    activation: Activation | None = None
    group: LinkGroup | None = None

    @property
    def finished(self) -> bool:
        return self.told.status in (enums.ORDER_STATUS_FINISHED, enums.ORDER_STATUS_REJECTED)

    @property
    def held(self) -> bool:
        return self.told.status == enums.ORDER_STATUS_HELD

    @property
    def stops(self) -> bool:
        """Whether it waits for a stop price."""
        return self.told.new_stop is not None or self.told.trail is not None

    @property
    def left(self) -> int:
        """Lots that aren't filled."""
        return self.told.current_volume - self.told.filled

    def request(self) -> OrderRequest:
        """Say what the exchange is to have now, by the values that are asked for."""
        told = self.told
        kind = _TYPES[told.price_type]
        same = told.price_type == enums.PRICE_TYPE_STOP_SAME_LIMIT
        limited = kind in (OrderType.LIMIT, OrderType.STOP_LIMIT)
        stopped = kind in (OrderType.STOP, OrderType.STOP_LIMIT)
        return OrderRequest(
            client_order_id=told.unique_id,
            account=told.account_id,
            instrument=told.market_id,
            side=self.side,
            quantity=Decimal(told.new_volume - told.filled),
            type=kind,
            price=(told.new_stop if same else told.new_limit) if limited else None,
            stop_price=told.new_stop if stopped else None,
            time_in_force=TIMES[told.time_type],
            display_quantity=Decimal(told.new_show) if told.new_show else None,
        )

    def become_triggered(self) -> None:
        """A stop has traded: it is an ordinary order now."""
        told = self.told
        if told.price_type == enums.PRICE_TYPE_STOP_SAME_LIMIT:
            told.current_limit = told.new_limit = told.current_stop
        told.price_type = _TRIGGERED_TYPES.get(told.price_type, told.price_type)


@attrs.define(eq=False)
class LinkGroup:
    """Orders that were submitted as linked.

    The first is the trigger of the others, or they are equals, as `kind` says.
    """

    kind: enums.OrderLink
    orders: list[LiveOrder] = attrs.field(factory=list)
    base: Decimal | None = None
    """Price of the trigger's first fill; None before."""
