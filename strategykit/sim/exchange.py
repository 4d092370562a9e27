"""A venue that isn't there: generated markets, real matching, accounts. Signatures first; bodies follow within the hour."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import attrs

from strategykit.model.events import (
    AccountUpdate,
    Bar,
    BookSnapshot,
    Event,
    Fill,
    InstrumentUpdate,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    Quote,
    Trade,
)
from strategykit.model.instruments import Instrument
from strategykit.model.orders import Command, OrderRequest
from strategykit.sim.fees import NO_FEES, FeeModel

__all__ = ["CommandResult", "OrderRecord", "SimulatedExchange"]


@attrs.frozen
class CommandResult:
    """The venue's answer to a command."""

    ok: bool
    code: int
    """200, or 400 and above."""
    message: str
    venue_order_id: str | None


@attrs.define(eq=False)
class OrderRecord:
    """One account order as the venue knows it: all that its streams can show."""

    venue_order_id: str
    account: str
    request: OrderRequest
    created: int
    """Nanoseconds UTC."""
    updated: int
    status: OrderStatus
    filled: Decimal
    linked_order_id: str | None
    """For a triggered stop: the order it became."""
    reason: str | None


class SimulatedExchange:
    """The venue. Pure: time is given, randomness is seeded; the same calls give the same events."""

    instruments: Mapping[str, Instrument]

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        *,
        seed: int,
        start: int,
        accounts: Mapping[str, Decimal],
        actions_per_second: float = 200.0,
        fees: FeeModel = NO_FEES,
        prices: Mapping[str, Decimal] | None = None,
        margin_rate: Decimal = Decimal(1),
    ) -> None: ...

    def advance(self, now: int) -> list[Event]:
        """Let the market go on until `now`; give what happened, oldest first.

        Trades carry their own event_time between the last call and `now`; then at most one BookSnapshot (50 levels)
        and one Quote an instrument whose book changed, PositionUpdates and AccountUpdates conflated. guid is "".
        """
        raise NotImplementedError

    def command(self, account: str, command: Command, now: int) -> tuple[CommandResult, list[Event]]:
        """Execute a command; the events are what the streams should carry (Trade, OrderUpdate, Fill, book, ...)."""
        raise NotImplementedError

    def set_trading(self, symbol: str, now: int, *, trading: bool) -> list[Event]:
        """Halt or resume an instrument."""
        raise NotImplementedError

    def book(self, symbol: str, depth: int = 50) -> BookSnapshot:
        raise NotImplementedError

    def quote(self, symbol: str) -> Quote:
        raise NotImplementedError

    def instrument_update(self, symbol: str) -> InstrumentUpdate:
        raise NotImplementedError

    def trades(self, symbol: str, count: int) -> list[Trade]:
        """Oldest first."""
        raise NotImplementedError

    def bars(self, symbol: str, interval: int, since: int, until: int) -> list[Bar]:
        """Bars with since <= open_time < until, oldest first, the last perhaps still forming (closed=False)."""
        raise NotImplementedError

    def orders(self, account: str) -> list[OrderUpdate]:
        raise NotImplementedError

    def stop_orders(self, account: str) -> list[OrderUpdate]:
        raise NotImplementedError

    def record(self, venue_order_id: str) -> OrderRecord | None:
        """What OrderUpdate can't say: type, time in force, created and updated times."""
        raise NotImplementedError

    def fills(self, account: str) -> list[Fill]:
        raise NotImplementedError

    def positions(self, account: str) -> list[PositionUpdate]:
        """Holdings, then one money row a currency (is_currency)."""
        raise NotImplementedError

    def account(self, account: str) -> AccountUpdate:
        raise NotImplementedError
