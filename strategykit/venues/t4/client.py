"""The client's side of T4's WebSocket: what is asked, as frames. `server_requests` has the requests as values.

Beside what the runtime sends by itself these are groups of orders, batches and conditions, for which strategies have no
verbs. Whatever is encoded here, the server's half reads back the same.

Source: T4 protocol sheet, sections 2.2, 3.3, 3.4 and 3.5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from strategykit.errors import LocalProtocolError
from strategykit.venues.t4.proto import account_pb2 as account
from strategykit.venues.t4.proto import auth_pb2 as auth
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto import market_pb2 as market
from strategykit.venues.t4.proto import orderrouting_pb2 as routing
from strategykit.venues.t4.proto import service_pb2 as service
from strategykit.venues.t4.proto.price_pb2 import Price
from strategykit.venues.t4.server_requests import (
    Activation,
    Batch,
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
from strategykit.venues.t4.times import write_time

__all__ = ["encode"]


def encode(request: Request) -> bytes:
    """Word one request. Numbers keep all their digits; what is None, or nothing, is left out.

    Raises:
        LocalProtocolError: It is no request that a client can make, or a number in it can't be written.
    """
    word = _WORDS.get(type(request))
    if word is None:
        raise LocalProtocolError(f"{type(request).__name__} isn't sent by clients")
    try:
        return service.ClientMessage(**word(request)).SerializeToString()
    except (ValueError, TypeError, UnicodeError) as exc:  # A volume beyond 32 bits, half a character.
        raise LocalProtocolError(f"{type(request).__name__} can't be written: {exc}") from exc


def _login(request: Login) -> dict[str, Any]:
    return {
        "login_request": auth.LoginRequest(
            api_key=request.api_key,
            firm=request.firm,
            username=request.username,
            password=request.password,
            app_name=request.app_name,
            app_license=request.app_license,
            price_format=request.price_format,
        )
    }


def _depth(request: SubscribeDepth) -> dict[str, Any]:
    return {
        "market_depth_subscribe": market.MarketDepthSubscribe(
            exchange_id=request.exchange_id,
            contract_id=request.contract_id,
            market_id=request.market_id,
            buffer=request.buffer,
            depth_levels=request.levels,
        )
    }


def _by_order(request: SubscribeByOrder) -> dict[str, Any]:
    return {
        "market_by_order_subscribe": market.MarketByOrderSubscribe(
            exchange_id=request.exchange_id,
            contract_id=request.contract_id,
            market_id=request.market_id,
            subscribe=request.subscribe,
        )
    }


def _accounts(request: SubscribeAccounts) -> dict[str, Any]:
    return {
        "account_subscribe": account.AccountSubscribe(
            subscribe=request.subscribe,
            subscribe_all_accounts=request.all_accounts,
            account_id=request.accounts,
            upl_mode=request.upl_mode or None,
        )
    }


def _submission(request: Submission) -> routing.OrderSubmit:
    return routing.OrderSubmit(
        account_id=request.account_id,
        market_id=request.market_id,
        order_link=request.link,
        manual_order_indicator=request.manual,
        orders=[_ticket(ticket) for ticket in request.tickets],
    )


def _ticket(ticket: Ticket) -> routing.OrderSubmit.Order:
    kind = ticket.activation_type
    return routing.OrderSubmit.Order(
        buy_sell=ticket.buy_sell,
        price_type=ticket.price_type,
        time_type=ticket.time_type,
        volume=ticket.volume,
        max_show=ticket.max_show,
        max_volume=ticket.max_volume,
        limit_price=_price(ticket.limit_price),
        stop_price=_price(ticket.stop_price),
        trail_distance=_price(ticket.trail_distance),
        tag=ticket.tag or None,
        activation_type=None if kind == enums.ACTIVATION_TYPE_IMMEDIATE else kind,
        activation_data=_activation(ticket.activation),
    )


def _batch(request: Batch) -> dict[str, Any]:
    submissions = [_submission(each) for each in request.submissions]
    return {"order_batch": routing.OrderBatch(batch_id=request.batch_id or None, submissions=submissions)}


def _revisions(request: ReviseOrders) -> dict[str, Any]:
    return {
        "order_revise": routing.OrderRevise(
            account_id=request.account_id,
            market_id=request.market_id,
            revisions=[_revision(each) for each in request.revisions],
        )
    }


def _revision(revise: Revise) -> routing.OrderRevise.Revise:
    return routing.OrderRevise.Revise(
        unique_id=revise.unique_id,
        volume=revise.volume,
        max_show=revise.max_show,
        max_volume=revise.max_volume,
        limit_price=_price(revise.limit_price),
        stop_price=_price(revise.stop_price),
        trail_price=_price(revise.trail_distance),
        tag=revise.tag,
        activation_data=_activation(revise.activation),
    )


def _pulls(request: PullOrders) -> dict[str, Any]:
    return {
        "order_pull": routing.OrderPull(
            account_id=request.account_id,
            market_id=request.market_id,
            pulls=[_pull(each) for each in request.pulls],
        )
    }


def _pull(pull: Pull) -> routing.OrderPull.Pull:
    return routing.OrderPull.Pull(unique_id=pull.unique_id, tag=pull.tag)


def _activation(activation: Activation | None) -> routing.OrderActivation | None:
    if activation is None:
        return None
    return routing.OrderActivation(
        submit_time=_time(activation.submit_time),
        cancel_time=_time(activation.cancel_time),
        activation_cancel_time=_time(activation.activation_cancel_time),
        submit_delay_ms=activation.submit_delay_ms,
        cancel_delay_ms=activation.cancel_delay_ms,
        activation_cancel_delay_ms=activation.activation_cancel_delay_ms,
        mode=activation.mode,
        price=_price(activation.price),
        volume=activation.volume,
        bid_offer=activation.bid_offer,
        **({"queue_submit": True} if activation.queue_submit else {}),
    )


def _time(time: int | None) -> Timestamp | None:
    return None if time is None else write_time(time)


def _price(value: Decimal | None) -> Price | None:
    if value is None:
        return None
    if not value.is_finite():
        raise ValueError(f"a price of {value}")
    return Price(value=f"{value:f}")


_WORDS: Final[Mapping[type, Callable[[Any], dict[str, Any]]]] = {
    Heartbeat: lambda request: {"heartbeat": service.Heartbeat(timestamp=request.timestamp)},
    Login: _login,
    TokenRequest: lambda request: {
        "authentication_token_request": auth.AuthenticationTokenRequest(request_id=request.request_id)
    },
    SubscribeDepth: _depth,
    SubscribeByOrder: _by_order,
    SubscribeAccounts: _accounts,
    Submission: lambda request: {"order_submit": _submission(request)},
    Batch: _batch,
    ReviseOrders: _revisions,
    PullOrders: _pulls,
}
