"""News of orders as T4 tells them, read into values before anybody is given any of them.

Source: T4 protocol sheet, sections 2.2 and 3.5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from strategykit.model.events import Side
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto import orderrouting_pb2 as pb
from strategykit.venues.t4.reading import exact, lots, side, stamp

__all__ = ["READERS", "OrderNews", "OrderTold", "TradeTold", "read_multi", "triggered"]

_TRIGGERED: Final = {
    enums.PRICE_TYPE_STOP_MARKET: enums.PRICE_TYPE_MARKET,
    enums.PRICE_TYPE_STOP_LIMIT: enums.PRICE_TYPE_LIMIT,
    enums.PRICE_TYPE_STOP_SAME_LIMIT: enums.PRICE_TYPE_LIMIT,
}
"""What a stop is once it has traded."""


@attrs.frozen(kw_only=True)
class TradeTold:
    """One fill, or one leg's part of it."""

    trade_id: str
    volume: Decimal
    price: Decimal
    time: int | None
    sequence: int
    leg: int | None = None


@attrs.frozen(kw_only=True)
class OrderTold:
    """One message about an order; None is what it doesn't say."""

    number: str
    """T4's unique id."""
    account_id: str
    market_id: str
    time: int | None
    change: int
    status: int | None
    detail: str
    sequence: int
    """Its place among all that is told of the order; 0: none."""
    whole: bool = False
    """Whether it says everything that is known of the order."""
    side: Side | None = None
    tag: str | None = None
    group: str | None = None
    """The batch that it came in."""
    price_type: int | None = None
    volume: Decimal | None = None
    limit: Decimal | None = None
    stop: Decimal | None = None
    show: Decimal | None = None
    filled: Decimal | None = None
    trades: tuple[TradeTold, ...] = ()


@attrs.frozen
class OrderNews:
    """What one frame tells of an account's orders, oldest first."""

    told: tuple[OrderTold, ...]
    snapshot: bool
    """Whether it is history, and nothing that happens now."""
    names: tuple[tuple[str, str], ...] = ()
    """Market ids, and what we call them."""
    listing: bool = False
    """Whether all orders of the account are told."""


def read_multi(message: pb.OrderUpdateMulti) -> Iterator[OrderTold]:
    """Read a group of updates; kinds that aren't known are passed over."""
    for each in message.updates:
        kind = each.WhichOneof("payload")
        if kind in READERS:
            yield READERS[kind](getattr(each, kind))


def read_whole_order(message: pb.OrderUpdate) -> OrderTold:
    """Read a whole order. Before it is accepted it has no current values, but those that are asked for."""
    trades = [_trade(each, each.volume, each.sequence_order) for each in message.trades]
    legs = [_trade(each, each.volume, each.sequence_order, leg=each.leg_index) for each in message.trade_legs]
    return OrderTold(
        **_head(message),
        whole=True,
        side=side(message.buy_sell),
        tag=message.tag,
        group=message.tag_relation_id,
        filled=lots(message.total_fill_volume),
        trades=(*trades, *legs),
        **_values(message),
    )


def read_status(message: pb.OrderUpdateStatus) -> OrderTold:
    """Read a change of state. It carries neither side nor fills."""
    return OrderTold(**_head(message), tag=message.tag, **_values(message))


def read_trade(message: pb.OrderUpdateTrade) -> OrderTold:
    return OrderTold(
        **_head(message),
        filled=lots(message.total_fill_volume),
        trades=(_trade(message, message.volume, message.sequence_order),),
    )


def read_trade_leg(message: pb.OrderUpdateTradeLeg) -> OrderTold:
    trade = _trade(message, message.volume, message.sequence_order, leg=message.leg_index)
    return OrderTold(**_head(message), trades=(trade,))


def read_failed(message: pb.OrderUpdateFailed) -> OrderTold:
    """Read the failure of a request inside T4. A submission that failed is rejected, whatever its status says."""
    told = OrderTold(**_head(message))
    failed = message.change == enums.ORDER_CHANGE_SUBMISSION_FAILED
    return attrs.evolve(told, status=enums.ORDER_STATUS_REJECTED) if failed else told


def triggered(price_type: int) -> int:
    """Give what a stop has become when it has traded; other types stay."""
    return _TRIGGERED.get(price_type, price_type)  # type: ignore[call-overload,no-any-return]  # any number may come


def _head(message: Any) -> dict[str, Any]:
    status = message.status
    return {
        "number": message.unique_id,
        "account_id": message.account_id,
        "market_id": message.market_id,
        "time": stamp(message, "exchange_time") or stamp(message, "time"),
        "change": message.change,
        "status": None if status == enums.ORDER_STATUS_NO_CHANGE else status,
        "detail": message.status_detail,
        "sequence": message.sequence_order,
    }


def _values(message: pb.OrderUpdate | pb.OrderUpdateStatus) -> dict[str, Any]:
    """Give what is in force; before a first acceptance, what is asked for."""
    fresh = not message.current_volume
    limit = message.current_limit_price.value or (message.new_limit_price.value if fresh else "")
    stop = message.current_stop_price.value or (message.new_stop_price.value if fresh else "")
    show = message.current_max_show or (message.new_max_show if fresh else 0)
    return {
        "price_type": message.price_type,
        "volume": lots(message.new_volume if fresh else message.current_volume),
        "limit": exact(limit),
        "stop": exact(stop),
        "show": lots(show) or None,
    }


def _trade(message: Any, volume: int, sequence: int, *, leg: int | None = None) -> TradeTold:
    value = exact(message.price.value)
    if value is None or volume <= 0:
        raise ValueError(f"a fill of {volume} lots at {message.price.value[:40]!r}")
    return TradeTold(
        # One without a number is told apart by its place in the order's history.
        trade_id=message.exchange_trade_id or f"#{sequence}",
        volume=Decimal(volume),
        price=value,
        time=stamp(message, "exchange_time") or stamp(message, "time"),
        sequence=sequence,
        leg=leg,
    )


READERS: Final[Mapping[str, Callable[[Any], OrderTold]]] = {
    "order_update": read_whole_order,
    "order_update_status": read_status,
    "order_update_trade": read_trade,
    "order_update_trade_leg": read_trade_leg,
    "order_update_failed": read_failed,
}
"""By the name of the payload, in a group as by itself."""
