"""Books by order as T4 words them: who stands where, what changed, and who met whom.

Source: T4 protocol sheet, sections 2.2 and 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from strategykit.model.events import Side, Trade
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto import market_pb2 as pb
from strategykit.venues.t4.proto.price_pb2 import Price
from strategykit.venues.t4.server_prices import PriceWords
from strategykit.venues.t4.times import write_time

__all__ = ["Change", "Standing", "by_order_snapshot", "by_order_trade", "by_order_update", "side_of"]


@attrs.frozen
class Standing:
    """One resting order, as everyone may see it."""

    number: int
    side: Side
    price: float
    volume: int
    priority: int
    """Place in the queue of its price: a lower one is served first."""


@attrs.frozen
class Change:
    """One order came, changed or left; neither: the whole book is cleared."""

    added: Standing | None = None
    """New, or in place of the one of the same number."""
    deleted: Standing | None = None


def by_order_snapshot(
    orders: Sequence[Standing], words: PriceWords, *, mode: enums.MarketMode, sequence: int, time: int
) -> pb.MarketByOrderSnapshot:
    """Word a whole book; `sequence` is that of the last change that it contains."""
    rows = [
        pb.MarketByOrderSnapshot.Order(
            order_id=order.number,
            bid_offer=side_of(order.side),
            price=Price(value=words.text(order.price)),
            volume=order.volume,
            priority=order.priority,
        )
        for order in orders
    ]
    return pb.MarketByOrderSnapshot(
        market_id=words.market.market_id, time=write_time(time), mode=mode, last_sequence=sequence, orders=rows
    )


def by_order_update(
    changes: Sequence[Change], words: PriceWords, *, mode: enums.MarketMode, sequence: int, time: int
) -> pb.MarketByOrderUpdate:
    return pb.MarketByOrderUpdate(
        market_id=words.market.market_id,
        time=write_time(time),
        mode=mode,
        sequence=sequence,
        updates=[_update(change, words) for change in changes],
    )


def by_order_trade(
    trade: Trade, words: PriceWords, *, sequence: int, parties: Sequence[tuple[int, Side]] = ()
) -> pb.MarketByOrderTrade:
    """Word a trade; `parties` are the numbers and sides of the orders that took part."""
    lots = int(trade.quantity)
    return pb.MarketByOrderTrade(
        market_id=trade.instrument,
        time=write_time(trade.event_time or 0),
        trade_price=Price(value=words.text(trade.price)),
        trade_volume=lots,
        aggressor_side=enums.BID_OFFER_UNDEFINED if trade.side is None else side_of(trade.side),
        sequence=sequence,
        orders=[
            pb.MarketByOrderTrade.OrderDetail(order_id=number, volume=lots, bid_offer=side_of(side))
            for number, side in parties
        ],
    )


def side_of(side: Side) -> enums.BidOffer:
    return enums.BID_OFFER_BID if side is Side.BUY else enums.BID_OFFER_OFFER


def _update(change: Change, words: PriceWords) -> pb.MarketByOrderUpdate.Update:
    kind = pb.MarketByOrderUpdate
    order = change.added or change.deleted
    if order is None:
        return kind.Update(update_type=kind.UPDATE_TYPE_CLEAR)
    return kind.Update(
        update_type=kind.UPDATE_TYPE_DELETE if change.added is None else kind.UPDATE_TYPE_ADD_OR_UPDATE,
        order_id=order.number,
        bid_offer=side_of(order.side),
        price=Price(value=words.text(order.price)),
        volume=order.volume,
        priority=order.priority,
    )
