"""All orders of an account as they stand, put together from what T4 tells of them bit by bit.

Source: T4 protocol sheet, section 3.5.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import attrs

from strategykit.model.events import OrderStatus, Side
from strategykit.venues.t4.news import OrderNews, OrderTold, TradeTold, triggered
from strategykit.venues.t4.proto import enums_pb2 as enums

__all__ = ["KnownOrder", "OrderMemory"]

_KEPT: Final = 20_000
"""Orders that are remembered; beyond, the oldest that have ended are forgotten."""

_STOPS: Final = frozenset({enums.PRICE_TYPE_STOP_MARKET, enums.PRICE_TYPE_STOP_LIMIT, enums.PRICE_TYPE_STOP_SAME_LIMIT})
_PRICED: Final = frozenset(
    {enums.PRICE_TYPE_LIMIT, enums.PRICE_TYPE_STOP_LIMIT, enums.PRICE_TYPE_JOIN, enums.PRICE_TYPE_HIT}
)
_ENDED: Final = frozenset({enums.ORDER_STATUS_FINISHED, enums.ORDER_STATUS_REJECTED})


@attrs.define(eq=False)
class KnownOrder:
    """One order. What hasn't been told yet is None, or nothing."""

    number: str
    instrument: str
    account_id: str
    side: Side | None = None
    tag: str = ""
    group: str = ""
    """The batch that it came in."""
    price_type: int = enums.PRICE_TYPE_UNDEFINED
    volume: Decimal = Decimal(0)
    limit: Decimal | None = None
    stop: Decimal | None = None
    show: Decimal | None = None
    filled: Decimal = Decimal(0)
    status: int = enums.ORDER_STATUS_NONE
    change: int = enums.ORDER_CHANGE_NONE
    detail: str = ""
    sequence: int = 0
    time: int | None = None
    trades: dict[str, TradeTold] = attrs.field(factory=dict)
    """By id, in the order of their telling; those of legs aside."""
    legs: set[tuple[str, int | None]] = attrs.field(factory=set)
    seen: set[int] = attrs.field(factory=set)
    """Places in its history that were told."""
    answered: bool = False
    """Whether it is known whether it was accepted."""

    @property
    def ended(self) -> bool:
        return self.status in _ENDED

    @property
    def stop_price(self) -> Decimal | None:
        """Its trigger, as long as it waits for it."""
        return self.stop if self.price_type in _STOPS else None

    @property
    def limit_price(self) -> Decimal | None:
        if self.price_type == enums.PRICE_TYPE_STOP_SAME_LIMIT:
            return self.stop
        return self.limit if self.price_type in _PRICED else None

    @property
    def outcome(self) -> OrderStatus:
        """How it stands, in the project's words."""
        if self.status == enums.ORDER_STATUS_REJECTED:
            return OrderStatus.REJECTED
        if self.status != enums.ORDER_STATUS_FINISHED:
            return OrderStatus.WORKING
        # An exit whose entry never traded has no lots at all.
        done = 0 < self.filled >= self.volume or self.change == enums.ORDER_CHANGE_TRADE_COMPLETED
        return OrderStatus.FILLED if done else OrderStatus.CANCELLED


class OrderMemory:
    """What one subscription knows of its account's orders. It outlives reconnects."""

    def __init__(self) -> None:
        self.orders: dict[str, KnownOrder] = {}
        self.names: dict[str, str] = {}
        """What we call markets, by their ids."""

    def learn(self, names: Iterable[tuple[str, str]]) -> None:
        self.names.update(names)

    def apply(self, news: OrderNews, told: OrderTold) -> tuple[KnownOrder, bool, list[TradeTold]]:
        """Fold one message in; give the order, whether it is told for the first time, and the fills that are.

        What was overtaken by later news says nothing of the order's state any more.
        """
        order = self.orders.get(told.number)
        if order is None:
            name = self.names.get(told.market_id, told.market_id)
            order = self.orders[told.number] = KnownOrder(told.number, name, told.account_id)
            self._forget()
        fresh = [trade for trade in told.trades if self._add(order, trade)]
        repeated = told.sequence in order.seen and not fresh
        if told.sequence >= order.sequence or not told.sequence:
            self._fold(order, told)
        if told.sequence:
            order.seen.add(told.sequence)
        if fresh:
            order.filled = max(order.filled, sum((trade.volume for trade in order.trades.values()), Decimal(0)))
        return order, news.snapshot or not repeated, fresh

    def _add(self, order: KnownOrder, trade: TradeTold) -> bool:
        if trade.leg is not None:
            known = (trade.trade_id, trade.leg) in order.legs
            order.legs.add((trade.trade_id, trade.leg))
            return not known
        return order.trades.setdefault(trade.trade_id, trade) is trade

    def _fold(self, order: KnownOrder, told: OrderTold) -> None:
        for name in ("side", "price_type", "volume", "status", "time"):
            value = getattr(told, name)
            if value is not None:
                setattr(order, name, value)
        order.tag = told.tag or order.tag
        order.group = told.group or order.group
        if told.price_type is not None:  # Prices are told together with it.
            order.limit, order.stop, order.show = told.limit, told.stop, told.show
        order.change, order.detail = told.change, told.detail
        order.sequence = told.sequence or order.sequence
        if told.filled is not None:
            order.filled = told.filled if told.whole else max(order.filled, told.filled)
        if order.filled:  # A stop that has traded has been triggered.
            if order.price_type == enums.PRICE_TYPE_STOP_SAME_LIMIT:
                order.limit = order.stop
            order.price_type = triggered(order.price_type)

    def _forget(self) -> None:
        if len(self.orders) > _KEPT:
            ended = [number for number, order in self.orders.items() if order.ended]
            for number in ended[: _KEPT // 10]:
                del self.orders[number]
