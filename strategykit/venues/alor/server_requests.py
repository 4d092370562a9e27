"""What a client can say to the venue, as values: the server half's `decode_request` and `decode_http` give these."""

from __future__ import annotations

import enum
from decimal import Decimal

import attrs

from strategykit.model.orders import Command
from strategykit.venues.streams import Stream

__all__ = [
    "Authorize",
    "BadRequest",
    "CancelAll",
    "Estimate",
    "GetAllTrades",
    "GetBars",
    "GetBoards",
    "GetBook",
    "GetCurrencyPairs",
    "GetPortfolio",
    "GetQuotes",
    "GetRiskRates",
    "GetSecurities",
    "GetSecurity",
    "GetTime",
    "GetTradeHistory",
    "HttpCommand",
    "HttpValue",
    "OrderCommand",
    "OrderGroups",
    "Ping",
    "PortfolioPart",
    "Refresh",
    "Request",
    "Subscribe",
    "Unsubscribe",
]


@attrs.frozen(kw_only=True)
class Subscribe:
    """Begin `stream` under `guid`. Its frequency and depth are what the venue makes of the client's."""

    guid: str
    token: str = attrs.field(repr=False)
    stream: Stream
    format: str
    """``"Simple"``, ``"Slim"`` or ``"Heavy"``."""
    statuses: tuple[str, ...] = ()
    """For orders: which ones the replay is limited to, as ``"working"``; empty: all."""
    legacy: bool = False
    """For stop orders: the deprecated opcode, whose payload is another one."""


@attrs.frozen(kw_only=True)
class Unsubscribe:
    guid: str
    token: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Ping:
    guid: str
    token: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Authorize:
    """Open or renew the session of a command socket."""

    guid: str
    token: str = attrs.field(repr=False)
    originator: str = ""


@attrs.frozen(kw_only=True)
class OrderCommand:
    """An order command. The account is ``command.request.account``; where the venue names no field for something, as
    for the instrument of a cancel, the request's is empty.
    """

    guid: str
    command: Command
    check_duplicates: bool = True
    token: str = attrs.field(default="", repr=False)


@attrs.frozen(kw_only=True)
class BadRequest:
    """What can't be done, and the reply to give."""

    guid: str
    code: int
    message: str


Request = Subscribe | Unsubscribe | Ping | Authorize | OrderCommand | BadRequest
"""What one frame of a client can be."""


@attrs.frozen(kw_only=True)
class Refresh:
    """Exchange a refresh token for an access token."""

    token: str = attrs.field(repr=False)
    portfolios: tuple[str, ...] = ()
    """Limit to these; empty: all."""


@attrs.frozen(kw_only=True)
class GetTime:
    pass


@attrs.frozen(kw_only=True)
class GetCurrencyPairs:
    pass


@attrs.frozen(kw_only=True)
class GetSecurities:
    """A list of reference data, filtered."""

    format: str
    query: str = ""
    exchange: str | None = None
    board: str | None = None
    market: str | None = None
    """``"FORTS"``, ``"FOND"``, ``"CURR"`` or ``"SPBX"``; the search calls it sector."""
    cfi: str = ""
    limit: int | None = None
    offset: int = 0


@attrs.frozen(kw_only=True)
class GetSecurity:
    format: str
    exchange: str
    symbol: str
    board: str | None = None


@attrs.frozen(kw_only=True)
class GetBoards:
    exchange: str
    symbol: str


@attrs.frozen(kw_only=True)
class GetAllTrades:
    """Public trades. `past`: of days gone by, answered as total and list."""

    format: str
    exchange: str
    symbol: str
    since: int | None = None
    """Nanoseconds UTC."""
    until: int | None = None
    from_id: int | None = None
    to_id: int | None = None
    quantity_from: Decimal | None = None
    quantity_to: Decimal | None = None
    price_from: Decimal | None = None
    price_to: Decimal | None = None
    side: str | None = None
    """``"buy"`` or ``"sell"``."""
    limit: int | None = None
    offset: int = 0
    descending: bool = False
    past: bool = False


@attrs.frozen(kw_only=True)
class GetQuotes:
    """Quotes of several instruments. `nearest`: instead, of the nearest future on the one base code given."""

    format: str
    symbols: tuple[tuple[str, str], ...]
    """Exchange and symbol of each."""
    nearest: bool = False


@attrs.frozen(kw_only=True)
class GetBook:
    format: str
    exchange: str
    symbol: str
    depth: int = 20


@attrs.frozen(kw_only=True)
class GetBars:
    """History bars that began in ``[since, until]``, nanoseconds UTC."""

    format: str
    exchange: str
    symbol: str
    interval: int
    """Nanoseconds."""
    since: int
    until: int
    count: int | None = None
    """At least so many: `since` moves back until they are found."""


@attrs.frozen(kw_only=True)
class GetRiskRates:
    exchange: str | None = None
    category: str = ""
    ticker: str | None = None
    search: str | None = None
    limit: int | None = None
    offset: int = 0


class PortfolioPart(enum.Enum):
    """What of a portfolio is asked for."""

    ORDERS = "orders"
    STOP_ORDERS = "stoporders"
    FILLS = "trades"
    POSITIONS = "positions"
    SUMMARY = "summary"
    RISK = "risk"
    SPECTRA_RISK = "fortsrisk"


@attrs.frozen(kw_only=True)
class GetPortfolio:
    """A part of one portfolio, or the positions of all portfolios of a login."""

    format: str
    part: PortfolioPart
    exchange: str = ""
    account: str = ""
    login: str | None = None
    order_id: str | None = None
    """One order: an object or 404, instead of a list."""
    symbol: str | None = None
    """One position (an object), or the fills of one instrument (a list)."""
    without_currency: bool = False


@attrs.frozen(kw_only=True)
class GetTradeHistory:
    """Own fills of past days."""

    format: str
    exchange: str
    account: str
    symbol: str | None = None
    since: str | None = None
    """As sent: a date, or a time in ISO form."""
    from_id: str | None = None
    limit: int | None = None
    descending: bool = False
    side: str | None = None


@attrs.frozen(kw_only=True)
class HttpCommand:
    """An order by HTTP. The `command`'s guid is the request's ``X-REQID``; empty for a cancel, which needs none."""

    command: Command
    json: bool = True
    """Whether confirmations are wanted as JSON; cancels answer a bare word otherwise."""


@attrs.frozen(kw_only=True)
class CancelAll:
    """Withdraw every order, or every stop order, of a portfolio."""

    account: str
    exchange: str
    stops: bool = False
    json: bool = True


@attrs.frozen(kw_only=True)
class Estimate:
    """What an order would cost. Asked for many at once, they come as a tuple and the answer is a list."""

    account: str
    exchange: str
    symbol: str
    price: Decimal | None = None
    quantity: Decimal | None = None
    """Lots."""
    budget: Decimal | None = None
    board: str | None = None


@attrs.frozen(kw_only=True)
class OrderGroups:
    """A call about order groups, which tie orders to each other."""

    method: str
    group_id: str | None = None
    orders: tuple[tuple[str, str, str, str], ...] = ()
    """Portfolio, exchange, order number and type of each."""
    policy: str = ""


HttpValue = (
    Refresh
    | GetTime
    | GetCurrencyPairs
    | GetSecurities
    | GetSecurity
    | GetBoards
    | GetAllTrades
    | GetQuotes
    | GetBook
    | GetBars
    | GetRiskRates
    | GetPortfolio
    | GetTradeHistory
    | HttpCommand
    | CancelAll
    | Estimate
    | tuple[Estimate, ...]
    | OrderGroups
    | BadRequest
)
"""What one HTTP call can be."""
