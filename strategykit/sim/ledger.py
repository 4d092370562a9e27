"""Who ordered what and what became of it: order records, fills and accounts, and the events that tell of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

import attrs

from strategykit.errors import ConfigError
from strategykit.model.event_class import altered
from strategykit.model.events import AccountUpdate, Event, Fill, OrderStatus, OrderUpdate, PositionUpdate
from strategykit.model.instruments import Instrument
from strategykit.model.orders import OrderRequest, OrderType
from strategykit.sim.account import Account
from strategykit.sim.fees import FeeBook, FeeModel, Paid

__all__ = ["Ledger", "OrderRecord"]

REMEMBERED: Final = 10_000
"""Ended orders kept, and fills kept an account: more than a session shows, and a bound on memory."""

_ZERO: Final = Decimal(0)
_FILLED: Final = OrderStatus.FILLED


@attrs.define(eq=False)
class OrderRecord:
    """One account's order as the venue knows it: all that its streams can show."""

    venue_order_id: str
    account: str
    request: OrderRequest
    created: int
    """Nanoseconds UTC."""
    updated: int
    trigger: Decimal | None
    """Of a stop: where it fires now, which one that trails changes; None for any other."""
    status: OrderStatus = OrderStatus.WORKING
    filled: Decimal = _ZERO
    linked_order_id: str | None = None
    """For a triggered stop: the order it became."""
    reason: str | None = None
    """Why it ended, if not by being filled or by its owner."""
    paid: Paid = attrs.field(factory=Paid)
    """Its fees."""

    @property
    def is_stop(self) -> bool:
        return self.request.stop_price is not None

    @property
    def left(self) -> Decimal:
        """Lots not filled yet."""
        return self.request.quantity - self.filled

    def update(self, now: int, *, snapshot: bool = False) -> OrderUpdate:
        request = self.request
        return OrderUpdate(
            request.instrument,
            self.venue_order_id,
            request.client_order_id or None,
            self.status,
            request.side,
            request.quantity,
            self.filled,
            request.price,
            self.updated,
            now,
            "",
            snapshot,
            self.account,
            self.trigger,
            self.linked_order_id,
            self.reason,
            request.display_quantity,
        )


class Ledger:
    """Records and accounts of one venue.

    Args:
        instruments: By symbol.
        accounts: Cash by currency, by account name.
        fees: What each fill costs.
        fees_of: The same for single instruments, by symbol or by exchange.
        margin_rate: See `Account`.
        cash_step: See `Account`.
    """

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        accounts: Mapping[str, Mapping[str, Decimal]],
        *,
        fees: FeeModel,
        fees_of: Mapping[str, FeeModel] | None = None,
        margin_rate: Decimal,
        cash_step: Decimal | None = None,
    ) -> None:
        self.instruments = instruments
        self.accounts = {
            name: Account(name, cash, margin_rate=margin_rate, cash_step=cash_step) for name, cash in accounts.items()
        }
        self.records: dict[str, OrderRecord] = {}
        self.marks: dict[str, Decimal] = {}
        self._fees = {name: FeeBook(fees, fees_of or {}) for name in accounts}
        self._fills: dict[str, deque[Fill]] = {name: deque(maxlen=REMEMBERED) for name in accounts}
        self._ended: deque[str] = deque()
        # Dictionaries, as sets would be told in an order that differs from run to run.
        self._moved: dict[tuple[str, str], None] = {}

    def of(self, name: str) -> Account:
        """Give an account.

        Raises:
            ConfigError: There's none of that name.
        """
        try:
            return self.accounts[name]
        except KeyError:
            known = ", ".join(sorted(self.accounts))
            raise ConfigError(f"no account {name!r} here; there are: {known}") from None

    def working(self, number: str, account: str) -> OrderRecord | None:
        """Give a record that its account could still cancel."""
        record = self.records.get(number)
        if record is None or record.account != account or record.status is not OrderStatus.WORKING:
            return None
        return record

    def accept(self, number: str, account: str, request: OrderRequest, now: int) -> OrderRecord:
        """Note a new order; its lots tie up buying power until they are filled or ended."""
        symbol, quantity = request.instrument, request.quantity
        record = self.records[number] = OrderRecord(number, account, request, now, now, request.stop_price)
        owner = self.accounts[account]
        holding = owner.holdings.get(symbol) or owner.holding(self.instruments[symbol])
        holding.working[request.side] += quantity
        if holding.mark is None:
            holding.mark = self.marks.get(symbol)
        return record

    def fill(
        self, record: OrderRecord, price: Decimal, quantity: Decimal, now: int, *, trade_id: str, maker: bool
    ) -> list[Event]:
        """Fold in one execution; give its `Fill` and the order's new state."""
        request, name = record.request, record.account
        side, symbol = request.side, request.instrument
        account = self.accounts[name]
        holding = account.holdings[symbol]  # Since `accept`.
        instrument = holding.instrument
        fees = self._fees[name]
        fee = fees.always  # As by `charge`, where nothing has to be counted.
        if fee is None:
            fee = fees.charge(instrument, price, quantity, now, maker=maker, paid=record.paid)
        holding.working[side] -= quantity
        account.apply(holding, side, quantity, price, fee)
        self._moved[name, symbol] = None
        filled = record.filled = record.filled + quantity
        record.updated = now
        if filled == request.quantity:
            self._finish(record, _FILLED)
        told = Fill(
            symbol,
            trade_id,
            record.venue_order_id,
            request.client_order_id or None,
            side,
            quantity,
            price,
            fee,
            instrument.currency,
            now,
            now,
            "",
            False,
            name,
        )
        self._fills[name].append(told)
        return [told, record.update(now)]

    def end(self, number: str, status: OrderStatus, now: int, *, reason: str | None = None) -> OrderUpdate:
        """Note that an order was cancelled or has expired, and free what it tied up."""
        record = self.records[number]
        self.tie(record, -record.left)
        record.reason = reason
        record.updated = now
        self._finish(record, status)
        return record.update(now)

    def trigger(self, number: str, child: str, now: int) -> list[Event]:
        """Note that a stop fired and became the order `child`; the stop is done, with 0 lots under its own number."""
        record = self.records[number]
        record.linked_order_id = child
        told = self.end(number, OrderStatus.FILLED, now)
        kind = OrderType.LIMIT if record.request.type is OrderType.STOP_LIMIT else OrderType.MARKET
        request = altered(record.request, type=kind, stop_price=None, trail=None, expire_time=None)
        return [told, self.accept(child, record.account, request, now).update(now)]

    def tie(self, record: OrderRecord, lots: Decimal) -> None:
        """Let `lots` more of an accepted order tie up buying power; below 0 frees them."""
        request = record.request
        self.accounts[record.account].holdings[request.instrument].working[request.side] += lots

    def mark(self, symbol: str, price: Decimal) -> None:
        """Value everyone's position in `symbol` at `price`."""
        self.marks[symbol] = price
        for account in self.accounts.values():
            holding = account.holdings.get(symbol)
            if holding is not None:
                holding.mark = price

    @property
    def moved(self) -> bool:
        """Whether `settle` has anything to tell."""
        return bool(self._moved)

    def settle(self, now: int) -> list[Event]:
        """Give the positions and accounts that fills have moved since the last call, each once, as they are now."""
        told: list[Event] = []
        money: dict[tuple[str, str], None] = {}
        for name, symbol in self._moved:
            account = self.accounts[name]
            told.append(account.holdings[symbol].update(name, now))
            money[name, self.instruments[symbol].currency] = None
        told += [self.accounts[name].money(currency, now) for name, currency in money]
        told += [self.accounts[name].update(now) for name in dict.fromkeys(name for name, _ in money)]
        self._moved.clear()
        return told

    def orders(self, account: str, now: int, *, stops: bool) -> list[OrderUpdate]:
        """Give the account's orders, or its stop orders, in the order in which they were placed."""
        self.of(account)
        rows: Iterable[OrderRecord] = self.records.values()
        return [row.update(now, snapshot=True) for row in rows if row.account == account and row.is_stop is stops]

    def fills(self, account: str) -> list[Fill]:
        """Give the account's fills, oldest first, marked as past ones."""
        self.of(account)
        return [altered(fill, snapshot=True) for fill in self._fills[account]]

    def positions(self, account: str, now: int) -> list[PositionUpdate]:
        return self.of(account).positions(now, snapshot=True)

    def account(self, account: str, now: int) -> AccountUpdate:
        return self.of(account).update(now)

    def _finish(self, record: OrderRecord, status: OrderStatus) -> None:
        record.status = status
        self._ended.append(record.venue_order_id)
        if len(self._ended) > REMEMBERED:
            del self.records[self._ended.popleft()]
