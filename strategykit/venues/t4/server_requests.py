"""What T4's clients can ask for, as values. Prices are numbers in the session's own format."""

from __future__ import annotations

from decimal import Decimal

import attrs

from strategykit.venues.t4.proto import enums_pb2 as enums

__all__ = [
    "Activation",
    "BadRequest",
    "Batch",
    "CreateStrategy",
    "Heartbeat",
    "Login",
    "Pull",
    "PullOrders",
    "Request",
    "Revise",
    "ReviseOrders",
    "Submission",
    "SubscribeAccounts",
    "SubscribeByOrder",
    "SubscribeDepth",
    "Ticket",
    "TokenRequest",
]


@attrs.frozen
class BadRequest:
    """A frame that says nothing T4 knows."""

    reason: str


@attrs.frozen
class Heartbeat:
    timestamp: int
    """Milliseconds UTC, as the client's clock has them."""


@attrs.frozen(kw_only=True)
class Login:
    """By key, or by name and password."""

    api_key: str = attrs.field(repr=False)
    firm: str
    username: str
    password: str = attrs.field(repr=False)
    app_name: str
    app_license: str = attrs.field(repr=False)
    price_format: enums.PriceFormat


@attrs.frozen
class TokenRequest:
    request_id: str


@attrs.frozen(kw_only=True)
class SubscribeDepth:
    """NO_SUBSCRIPTION ends it."""

    exchange_id: str
    contract_id: str
    market_id: str
    buffer: enums.DepthBuffer
    levels: enums.DepthLevels


@attrs.frozen(kw_only=True)
class SubscribeByOrder:
    exchange_id: str
    contract_id: str
    market_id: str
    subscribe: bool


@attrs.frozen(kw_only=True)
class SubscribeAccounts:
    subscribe: enums.AccountSubscribeType
    all_accounts: bool
    accounts: tuple[str, ...]
    upl_mode: enums.UPLMode


@attrs.frozen(kw_only=True)
class Activation:
    """What an order waits for; absent parts are None."""

    submit_time: int | None = None
    """Nanoseconds UTC."""
    submit_delay_ms: int | None = None
    cancel_time: int | None = None
    cancel_delay_ms: int | None = None
    activation_cancel_time: int | None = None
    activation_cancel_delay_ms: int | None = None
    mode: enums.MarketMode | None = None
    price: Decimal | None = None
    volume: int | None = None
    bid_offer: enums.BidOffer | None = None
    queue_submit: bool = False


@attrs.frozen(kw_only=True)
class Ticket:
    """One order of a submission."""

    buy_sell: enums.BuySell
    price_type: enums.PriceType
    time_type: enums.TimeType
    volume: int
    max_show: int | None = None
    max_volume: int | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_distance: Decimal | None = None
    tag: str = ""
    activation_type: enums.ActivationType = enums.ACTIVATION_TYPE_IMMEDIATE
    activation: Activation | None = None
    fault: str = ""
    """What in it can't be read; the order is to be refused with this."""


@attrs.frozen(kw_only=True)
class Submission:
    account_id: str
    market_id: str
    link: enums.OrderLink
    manual: bool
    tickets: tuple[Ticket, ...]


@attrs.frozen(kw_only=True)
class Batch:
    batch_id: str
    submissions: tuple[Submission, ...]


@attrs.frozen(kw_only=True)
class Revise:
    """Changes of one order; what stays is None."""

    unique_id: str
    volume: int | None = None
    max_show: int | None = None
    max_volume: int | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_distance: Decimal | None = None
    tag: str | None = None
    activation: Activation | None = None
    fault: str = ""


@attrs.frozen(kw_only=True)
class ReviseOrders:
    account_id: str
    market_id: str
    revisions: tuple[Revise, ...]


@attrs.frozen
class Pull:
    unique_id: str
    tag: str | None = None


@attrs.frozen(kw_only=True)
class PullOrders:
    account_id: str
    market_id: str
    pulls: tuple[Pull, ...]


@attrs.frozen
class CreateStrategy:
    """A user-defined strategy is wanted."""

    request_id: str


Request = (
    BadRequest
    | Heartbeat
    | Login
    | TokenRequest
    | SubscribeDepth
    | SubscribeByOrder
    | SubscribeAccounts
    | Submission
    | Batch
    | ReviseOrders
    | PullOrders
    | CreateStrategy
)
