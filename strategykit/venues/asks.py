"""What a venue is asked over HTTP, named the same for every venue."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import attrs

__all__ = [
    "Ask",
    "AskAccount",
    "AskBars",
    "AskBook",
    "AskInstrument",
    "AskInstruments",
    "AskOrders",
    "AskPastTrades",
    "AskPositions",
    "AskStopOrders",
    "AskTrades",
    "HttpRequest",
]


@attrs.frozen(kw_only=True)
class AskBars:
    """History bars: at least `count` of them that began before `until`."""

    instrument: str
    interval: int
    count: int
    until: int
    exchange: str | None = None
    board: str | None = None
    since: int | None = None
    """Bars that began before this aren't wanted, even if there are then fewer."""
    tick: Decimal | None = None
    """Smallest step of the instrument's prices, where it is known: some venues' charts are in another unit."""


@attrs.frozen(kw_only=True)
class AskPastTrades:
    """Trades of the market: those from `since` on, before `until`; at the most `count` of them, the newest."""

    instrument: str
    since: int
    until: int
    count: int
    exchange: str | None = None


@attrs.frozen(kw_only=True)
class AskBook:
    """The whole book, `depth` levels a side, as the start of a book that changes are applied to."""

    instrument: str
    depth: int
    number: int = 0
    """Tells one asking from the next: each wants an answer of its own."""
    exchange: str | None = None
    by_order: bool = False
    """Whether its orders are wanted, and not what they make by level."""


@attrs.frozen(kw_only=True)
class AskOrders:
    """All orders of the account that the venue still shows."""

    account: str
    exchange: str | None = None


@attrs.frozen(kw_only=True)
class AskStopOrders:
    """All stop orders of the account; a venue that keeps them among the others answers with an empty list."""

    account: str
    exchange: str | None = None


@attrs.frozen(kw_only=True)
class AskTrades:
    """The account's fills of this session."""

    account: str
    exchange: str | None = None


@attrs.frozen(kw_only=True)
class AskPositions:
    account: str
    exchange: str | None = None


@attrs.frozen(kw_only=True)
class AskAccount:
    """Money and margin."""

    account: str
    exchange: str | None = None


@attrs.frozen(kw_only=True)
class AskInstrument:
    """Reference data: tick, lot, currency."""

    instrument: str
    exchange: str | None = None


@attrs.frozen(kw_only=True)
class AskInstruments:
    """Reference data of everything that is listed, on one exchange where the venue has several."""

    exchange: str | None = None


Ask = (
    AskBars
    | AskPastTrades
    | AskBook
    | AskOrders
    | AskStopOrders
    | AskTrades
    | AskPositions
    | AskAccount
    | AskInstrument
    | AskInstruments
)


@attrs.frozen(kw_only=True)
class HttpRequest:
    """One HTTP call, without its authorisation: that is added where the bytes leave."""

    method: str
    path: str
    query: Mapping[str, str] = attrs.field(factory=dict)
    body: str | None = attrs.field(default=None, repr=False)
    """Not shown: that of a call to a token service holds the credential."""
    headers: Mapping[str, str] = attrs.field(factory=dict)
