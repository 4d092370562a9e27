"""Client messages as values, one reader for each payload. Nothing here raises, whatever the fields hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from strategykit.venues.t4.proto import account_pb2 as account
from strategykit.venues.t4.proto import auth_pb2 as auth
from strategykit.venues.t4.proto import market_pb2 as market
from strategykit.venues.t4.proto import orderrouting_pb2 as routing
from strategykit.venues.t4.proto import service_pb2 as service
from strategykit.venues.t4.server_prices import read_decimal
from strategykit.venues.t4.server_requests import (
    Activation,
    Batch,
    CreateStrategy,
    Heartbeat,
    Login,
    Pull,
    PullOrders,
    Request,
    Revise,
    ReviseOrders,
    Submission,
    SubscribeAccounts,
    SubscribeByOrder,
    SubscribeDepth,
    Ticket,
    TokenRequest,
)
from strategykit.venues.t4.times import read_time

__all__ = ["READERS"]

_PRICES: Final = ("limit_price", "stop_price")


def _heartbeat(message: service.Heartbeat) -> Heartbeat:
    return Heartbeat(message.timestamp)


def _login(message: auth.LoginRequest) -> Login:
    return Login(
        api_key=message.api_key,
        firm=message.firm,
        username=message.username,
        password=message.password,
        app_name=message.app_name,
        app_license=message.app_license,
        price_format=message.price_format,
    )


def _token(message: auth.AuthenticationTokenRequest) -> TokenRequest:
    return TokenRequest(message.request_id)


def _depth(message: market.MarketDepthSubscribe) -> SubscribeDepth:
    return SubscribeDepth(
        exchange_id=message.exchange_id,
        contract_id=message.contract_id,
        market_id=message.market_id,
        buffer=message.buffer,
        levels=message.depth_levels,
    )


def _by_order(message: market.MarketByOrderSubscribe) -> SubscribeByOrder:
    return SubscribeByOrder(
        exchange_id=message.exchange_id,
        contract_id=message.contract_id,
        market_id=message.market_id,
        subscribe=message.subscribe,
    )


def _accounts(message: account.AccountSubscribe) -> SubscribeAccounts:
    return SubscribeAccounts(
        subscribe=message.subscribe,
        all_accounts=message.subscribe_all_accounts,
        accounts=tuple(message.account_id),
        upl_mode=message.upl_mode,
    )


def _submission(message: routing.OrderSubmit) -> Submission:
    return Submission(
        account_id=message.account_id,
        market_id=message.market_id,
        link=message.order_link,
        manual=message.manual_order_indicator,
        tickets=tuple(_ticket(order) for order in message.orders),
    )


def _batch(message: routing.OrderBatch) -> Batch:
    return Batch(batch_id=message.batch_id, submissions=tuple(map(_submission, message.submissions)))


def _ticket(order: routing.OrderSubmit.Order) -> Ticket:
    prices, faults = _read_prices(order, (*_PRICES, "trail_distance"))
    activation = _activation(order.activation_data, faults) if order.HasField("activation_data") else None
    return Ticket(
        buy_sell=order.buy_sell,
        price_type=order.price_type,
        time_type=order.time_type,
        volume=order.volume,
        max_show=_given(order, "max_show"),
        max_volume=_given(order, "max_volume"),
        limit_price=prices["limit_price"],
        stop_price=prices["stop_price"],
        trail_distance=prices["trail_distance"],
        tag=order.tag,
        activation_type=order.activation_type,
        activation=activation,
        fault="; ".join(faults),
    )


def _revisions(message: routing.OrderRevise) -> ReviseOrders:
    return ReviseOrders(
        account_id=message.account_id,
        market_id=message.market_id,
        revisions=tuple(_revision(each) for each in message.revisions),
    )


def _revision(message: routing.OrderRevise.Revise) -> Revise:
    prices, faults = _read_prices(message, (*_PRICES, "trail_price"))
    activation = _activation(message.activation_data, faults) if message.HasField("activation_data") else None
    return Revise(
        unique_id=message.unique_id,
        volume=_given(message, "volume"),
        max_show=_given(message, "max_show"),
        max_volume=_given(message, "max_volume"),
        limit_price=prices["limit_price"],
        stop_price=prices["stop_price"],
        trail_distance=prices["trail_price"],
        tag=_given(message, "tag"),
        activation=activation,
        fault="; ".join(faults),
    )


def _pulls(message: routing.OrderPull) -> PullOrders:
    return PullOrders(
        account_id=message.account_id,
        market_id=message.market_id,
        pulls=tuple(Pull(each.unique_id, _given(each, "tag")) for each in message.pulls),
    )


def _create_uds(message: routing.CreateUDS) -> CreateStrategy:
    return CreateStrategy(message.request_id)


def _activation(message: routing.OrderActivation, faults: list[str]) -> Activation:
    """Read a condition; an empty one is legal (sheet, section 5.1, point 9)."""
    prices, found = _read_prices(message, ("price",))
    faults += found
    return Activation(
        submit_time=_given_time(message, "submit_time"),
        submit_delay_ms=_given(message, "submit_delay_ms"),
        cancel_time=_given_time(message, "cancel_time"),
        cancel_delay_ms=_given(message, "cancel_delay_ms"),
        activation_cancel_time=_given_time(message, "activation_cancel_time"),
        activation_cancel_delay_ms=_given(message, "activation_cancel_delay_ms"),
        mode=_given(message, "mode"),
        price=prices["price"],
        volume=_given(message, "volume"),
        bid_offer=_given(message, "bid_offer"),
        queue_submit=message.queue_submit,
    )


def _read_prices(message: Any, names: Iterable[str]) -> tuple[dict[str, Decimal | None], list[str]]:
    """Give the prices, None for those that are absent or empty, and what is wrong with the others."""
    prices: dict[str, Decimal | None] = {}
    faults = []
    for name in names:
        text = getattr(message, name).value if message.HasField(name) else ""
        prices[name] = read_decimal(text) if text else None
        if text and prices[name] is None:
            faults.append(f"{name} {text[:40]!r} isn't a price")
    return prices, faults


def _given(message: Any, name: str) -> Any:
    return getattr(message, name) if message.HasField(name) else None


def _given_time(message: Any, name: str) -> int | None:
    return read_time(getattr(message, name)) if message.HasField(name) else None


READERS: Final[Mapping[str, Callable[[Any], Request]]] = {
    "heartbeat": _heartbeat,
    "login_request": _login,
    "authentication_token_request": _token,
    "market_depth_subscribe": _depth,
    "market_by_order_subscribe": _by_order,
    "account_subscribe": _accounts,
    "order_submit": _submission,
    "order_revise": _revisions,
    "order_pull": _pulls,
    "order_batch": _batch,
    "create_uds": _create_uds,
}
"""By the name of the payload."""
