"""Orders as T4 tells of them: the whole order, its changes of state, its fills, and what became of a batch.

Source: T4 protocol sheet, sections 2.2 and 3.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import attrs

from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto import orderrouting_pb2 as pb
from strategykit.venues.t4.server_prices import PriceWords
from strategykit.venues.t4.times import write_time

__all__ = [
    "BatchFault",
    "OrderTrade",
    "ServedOrder",
    "batch_acknowledge",
    "batch_reject",
    "multi",
    "order_failed",
    "order_status",
    "order_trade",
    "order_trade_leg",
    "order_whole",
]


@attrs.frozen(kw_only=True)
class OrderTrade:
    """One fill."""

    trade_id: str
    volume: int
    price: Decimal
    left: int
    time: int
    sequence: int
    leg: int = 0


@attrs.define(eq=False, kw_only=True)
class ServedOrder:
    """One order as the venue knows it. Prices are REAL ones, times nanoseconds UTC."""

    unique_id: str
    account_id: str
    market_id: str
    exchange_id: str
    user_id: str
    user_name: str
    session_id: str
    app_name: str
    buy_sell: enums.BuySell
    price_type: enums.PriceType
    time_type: enums.TimeType
    link: enums.OrderLink
    activation_type: enums.ActivationType
    submitted: int
    tag: str = ""
    relation_id: str = ""
    """The batch that it came in."""
    linked: str = ""
    """Unique ids of the orders that it is linked with."""
    current_volume: int = 0
    new_volume: int = 0
    current_limit: Decimal | None = None
    new_limit: Decimal | None = None
    current_stop: Decimal | None = None
    new_stop: Decimal | None = None
    trail: Decimal | None = None
    current_show: int = 0
    new_show: int = 0
    max_volume: int = 0
    status: enums.OrderStatus = enums.ORDER_STATUS_NONE
    change: enums.OrderChange = enums.ORDER_CHANGE_NONE
    pending: enums.ResponsePending = enums.RESPONSE_PENDING_NONE
    detail: str = ""
    """Why it was refused or failed."""
    activation_details: str = ""
    exchange_order_id: str = ""
    working: int = 0
    filled: int = 0
    sequence: int = 0
    changed: int = 0
    trades: list[OrderTrade] = attrs.field(factory=list)

    def settle_new(self) -> None:
        """What was asked for is in force now."""
        self.current_volume, self.current_limit, self.current_stop = self.new_volume, self.new_limit, self.new_stop
        self.current_show = self.new_show


def order_whole(order: ServedOrder, words: PriceWords) -> pb.OrderUpdate:
    """Tell everything."""
    price = words.price
    return pb.OrderUpdate(
        unique_id=order.unique_id,
        account_id=order.account_id,
        market_id=order.market_id,
        time=write_time(order.changed),
        exchange_time=write_time(order.changed),
        change=order.change,
        status=order.status,
        status_detail=order.detail,
        response_pending=order.pending,
        exchange_order_id=order.exchange_order_id,
        submit_time=write_time(order.submitted),
        exchange_id=order.exchange_id,
        user_id=order.user_id,
        user_name=order.user_name,
        session_id=order.session_id,
        app_name=order.app_name,
        buy_sell=order.buy_sell,
        price_type=order.price_type,
        time_type=order.time_type,
        current_volume=order.current_volume,
        current_limit_price=price(order.current_limit),
        current_stop_price=price(order.current_stop),
        new_volume=order.new_volume,
        new_limit_price=price(order.new_limit),
        new_stop_price=price(order.new_stop),
        open_close=enums.OPEN_CLOSE_UNDEFINED,
        tag=order.tag,
        total_fill_volume=order.filled,
        working_volume=order.working,
        exchange_total_fill_volume=order.filled,
        trail_price=price(order.trail),
        order_link=order.link,
        orders_linked=order.linked,
        activation_type=order.activation_type,
        current_max_show=order.current_show,
        new_max_show=order.new_show,
        order_source=enums.ORDER_SOURCE_API,
        app_type=enums.APPLICATION_TYPE_ATS,
        tag_relation_id=order.relation_id,
        sequence_order=order.sequence,
        max_volume=order.max_volume,
        receive_time=write_time(order.submitted),
        activation_details=order.activation_details,
        trades=[_past_trade(trade, words) for trade in order.trades if not trade.leg],
        trade_legs=[_past_leg(trade, words) for trade in order.trades if trade.leg],
    )


def order_status(order: ServedOrder, words: PriceWords) -> pb.OrderUpdateStatus:
    """Tell a change of state; side and link aren't in it."""
    price = words.price
    return pb.OrderUpdateStatus(
        unique_id=order.unique_id,
        account_id=order.account_id,
        market_id=order.market_id,
        time=write_time(order.changed),
        exchange_time=write_time(order.changed),
        change=order.change,
        status=order.status,
        status_detail=order.detail,
        response_pending=order.pending,
        exchange_order_id=order.exchange_order_id,
        current_volume=order.current_volume,
        current_limit_price=price(order.current_limit),
        current_stop_price=price(order.current_stop),
        price_type=order.price_type,
        time_type=order.time_type,
        working_volume=order.working,
        activation_type=order.activation_type,
        trail_price=price(order.trail),
        current_max_show=order.current_show,
        user_id=order.user_id,
        user_name=order.user_name,
        session_id=order.session_id,
        app_name=order.app_name,
        new_volume=order.new_volume,
        new_limit_price=price(order.new_limit),
        new_stop_price=price(order.new_stop),
        new_max_show=order.new_show,
        tag=order.tag,
        max_volume=order.max_volume,
        sequence_order=order.sequence,
        app_type=enums.APPLICATION_TYPE_ATS,
        activation_details=order.activation_details,
    )


def order_trade(order: ServedOrder, trade: OrderTrade, words: PriceWords) -> pb.OrderUpdateTrade:
    """Tell a fill, with the state that it led to."""
    return pb.OrderUpdateTrade(
        unique_id=order.unique_id,
        account_id=order.account_id,
        market_id=order.market_id,
        time=write_time(order.changed),
        exchange_time=write_time(trade.time),
        change=order.change,
        status=order.status,
        response_pending=order.pending,
        total_fill_volume=order.filled,
        working_volume=order.working,
        volume=trade.volume,
        price=words.price(trade.price),
        residual_volume=trade.left,
        exchange_trade_id=trade.trade_id,
        sequence_order=trade.sequence,
    )


def order_trade_leg(order: ServedOrder, trade: OrderTrade, words: PriceWords) -> pb.OrderUpdateTradeLeg:
    """Tell one leg's fill of a strategy order."""
    return pb.OrderUpdateTradeLeg(
        unique_id=order.unique_id,
        account_id=order.account_id,
        market_id=order.market_id,
        time=write_time(order.changed),
        exchange_time=write_time(trade.time),
        change=order.change,
        status=enums.ORDER_STATUS_NO_CHANGE,
        response_pending=enums.RESPONSE_PENDING_NO_CHANGE,
        leg_index=trade.leg,
        volume=trade.volume,
        price=words.price(trade.price),
        exchange_trade_id=trade.trade_id,
        residual_volume=trade.left,
        sequence_order=trade.sequence,
    )


def order_failed(
    unique_id: str,
    account_id: str,
    market_id: str,
    change: enums.OrderChange,
    detail: str,
    now: int,
    *,
    status: enums.OrderStatus = enums.ORDER_STATUS_NO_CHANGE,
    sequence: int = 0,
) -> pb.OrderUpdateFailed:
    """Tell that a request failed inside T4; unless a status is given, the order, if there is one, is as it was."""
    return pb.OrderUpdateFailed(
        unique_id=unique_id,
        account_id=account_id,
        market_id=market_id,
        time=write_time(now),
        change=change,
        status=status,
        status_detail=detail,
        response_pending=enums.RESPONSE_PENDING_NO_CHANGE,
        sequence_order=sequence,
    )


def multi(
    account_id: str,
    market_id: str,
    updates: Sequence[pb.OrderUpdateMultiMessage],
    *,
    historical: bool = False,
) -> pb.OrderUpdateMulti:
    """Group updates of one account and market, oldest first: the usual carrier."""
    return pb.OrderUpdateMulti(market_id=market_id, account_id=account_id, historical=historical, updates=updates)


@attrs.frozen(kw_only=True)
class BatchFault:
    """What is wrong with one order of a batch."""

    submission: int
    order: int
    """-1: the whole submission."""
    account_id: str
    market_id: str
    reason: str


def batch_acknowledge(batch_id: str, accepted: Sequence[tuple[str, str, Sequence[str]]]) -> pb.OrderBatchAcknowledge:
    """Tell the unique ids of a batch's orders: account, market and ids a submission, in their order."""
    rows = [
        pb.OrderBatchAcknowledge.Accepted(account_id=account, market_id=market, unique_id=ids)
        for account, market, ids in accepted
    ]
    return pb.OrderBatchAcknowledge(batch_id=batch_id, accepted=rows)


def batch_reject(batch_id: str, reason: str, faults: Sequence[BatchFault]) -> pb.OrderBatchReject:
    rows = [
        pb.OrderBatchReject.OrderError(
            submission_index=fault.submission,
            order_index=fault.order,
            account_id=fault.account_id,
            market_id=fault.market_id,
            reason=fault.reason,
        )
        for fault in faults
    ]
    return pb.OrderBatchReject(batch_id=batch_id, reason=reason, errors=rows)


def _past_trade(trade: OrderTrade, words: PriceWords) -> pb.OrderUpdate.Trade:
    return pb.OrderUpdate.Trade(
        sequence_order=trade.sequence,
        volume=trade.volume,
        price=words.price(trade.price),
        residual_volume=trade.left,
        time=write_time(trade.time),
        exchange_trade_id=trade.trade_id,
        exchange_time=write_time(trade.time),
    )


def _past_leg(trade: OrderTrade, words: PriceWords) -> pb.OrderUpdate.TradeLeg:
    return pb.OrderUpdate.TradeLeg(
        sequence_order=trade.sequence,
        leg_index=trade.leg,
        volume=trade.volume,
        price=words.price(trade.price),
        time=write_time(trade.time),
        exchange_trade_id=trade.trade_id,
        exchange_time=write_time(trade.time),
        residual_volume=trade.left,
    )
