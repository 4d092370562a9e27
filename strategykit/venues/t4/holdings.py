"""Positions and money, client side. Doubles on the wire are counted as the shortest decimals that say the same.

Source: T4 protocol sheet, sections 2.2 and 3.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import attrs

from strategykit.model.events import AccountUpdate, Event, PositionUpdate
from strategykit.venues.streams import Stream
from strategykit.venues.t4.names import join_market, word
from strategykit.venues.t4.proto import account_pb2 as pb
from strategykit.venues.t4.reading import exact, money, stamp
from strategykit.venues.t4.subscribing import account_of

__all__ = [
    "Balance",
    "MoneyCursor",
    "MoneyNews",
    "Position",
    "PositionCursor",
    "PositionNews",
    "PositionProfit",
    "Profit",
    "read_balance",
    "read_position",
    "read_position_profit",
    "read_profit",
]


@attrs.frozen
class Position:
    """One holding; it replaces what was told of it."""

    instrument: str
    net: Decimal
    average: Decimal | None
    realised: Decimal


@attrs.frozen
class PositionProfit:
    """What a holding is worth now. Absent parts are as before."""

    instrument: str
    open: Decimal | None
    day: Decimal | None
    time: int | None


@attrs.frozen
class Balance:
    """An account's money; it replaces what was told of it."""

    status: int
    cash: Decimal
    realised: Decimal
    margin: Decimal
    fees: Decimal
    time: int | None


@attrs.frozen
class Profit:
    """What an account earns now. Absent parts are as before."""

    open: Decimal | None
    realised: Decimal | None
    available: Decimal | None
    time: int | None


@attrs.frozen
class PositionNews:
    """What one frame tells of an account's holdings, oldest first."""

    told: tuple[Position | PositionProfit, ...]
    snapshot: bool


@attrs.frozen
class MoneyNews:
    """What one frame tells of an account's money, oldest first."""

    told: tuple[Balance | Profit, ...]


def read_position(message: pb.AccountPosition) -> Position:
    name = join_market(message.exchange_id, message.contract_id, message.market_id)
    average = exact(message.average_open_price.value) if message.HasField("average_open_price") else None
    return Position(name, Decimal(message.buys - message.sells), average, money(message.rpl))


def read_position_profit(message: pb.AccountPositionProfit) -> PositionProfit:
    name = join_market(message.exchange_id, message.contract_id, message.market_id)
    day = [_given(message, part) for part in ("day_upl", "day_rpl")]
    known = [part for part in day if part is not None]
    return PositionProfit(
        name,
        _given(message, "upl"),
        sum(known, Decimal(0)) if len(known) == len(day) else None,
        stamp(message, "update_time"),
    )


def read_balance(message: pb.AccountUpdate) -> Balance:
    return Balance(
        message.status,
        money(message.balance),
        money(message.rpl),
        money(message.margin),
        money(message.fees_and_commissions),
        stamp(message, "margin_time"),
    )


def read_profit(message: pb.AccountProfit) -> Profit:
    parts = _given(message, "upl"), _given(message, "rpl"), _given(message, "available_cash")
    return Profit(*parts, stamp(message, "update_time"))


def _given(message: Any, name: str) -> Decimal | None:
    return money(getattr(message, name)) if message.HasField(name) else None


class PositionCursor:
    """The account's holdings. What is replayed is told again: it is the state."""

    __slots__ = ("_account", "_guid", "_positions", "_profits")

    def __init__(self, guid: str, stream: Stream) -> None:
        self._guid = guid
        self._account = account_of(stream)
        self._positions: dict[str, Position] = {}
        self._profits: dict[str, PositionProfit] = {}

    def learn(self, names: Iterable[tuple[str, str]]) -> None:
        """Positions name their markets whole."""

    def take(self, datum: PositionNews, now: int) -> Sequence[Event]:
        found = []
        for told in datum.told:
            if isinstance(told, Position):
                self._positions[told.instrument] = told
            else:
                before = self._profits.get(told.instrument, told)
                self._profits[told.instrument] = attrs.evolve(
                    told,
                    open=before.open if told.open is None else told.open,
                    day=before.day if told.day is None else told.day,
                )
            if told.instrument in self._positions:  # A profit without its position says nothing of what is held.
                found.append(self._update(told.instrument, now, snapshot=datum.snapshot))
        return found

    def follows(self, _: object) -> bool:
        return True

    def reconnected(self) -> None:
        """The snapshot tells all that is held."""
        self._positions.clear()
        self._profits.clear()

    def _update(self, instrument: str, now: int, *, snapshot: bool) -> PositionUpdate:
        position, profit = self._positions[instrument], self._profits.get(instrument)
        return PositionUpdate(
            instrument,
            position.net,
            position.average,
            None if profit is None else profit.open,
            None if profit is None else profit.day,
            None if profit is None else profit.time,
            now,
            self._guid,
            snapshot,
            self._account,
        )


class MoneyCursor:
    """The account's money. Its worth as a whole isn't told, so it is None."""

    __slots__ = ("_account", "_balance", "_guid", "_profit")

    def __init__(self, guid: str, stream: Stream) -> None:
        self._guid = guid
        self._account = account_of(stream)
        self.reconnected()

    def reconnected(self) -> None:
        """The snapshot tells all."""
        self._balance: Balance | None = None
        self._profit = Profit(None, None, None, None)

    def learn(self, names: Iterable[tuple[str, str]]) -> None:
        """Money is in no market."""

    def take(self, datum: MoneyNews, now: int) -> Sequence[Event]:
        for told in datum.told:
            if isinstance(told, Balance):
                self._balance = told
                self._profit = attrs.evolve(self._profit, realised=told.realised)
            else:
                before = self._profit
                self._profit = Profit(
                    before.open if told.open is None else told.open,
                    before.realised if told.realised is None else told.realised,
                    before.available if told.available is None else told.available,
                    told.time,
                )
        return () if self._balance is None else (self._update(self._balance, now),)

    def follows(self, _: object) -> bool:
        return True

    def _update(self, balance: Balance, now: int) -> AccountUpdate:
        profit = self._profit
        known = profit.open is not None and profit.realised is not None
        return AccountUpdate(
            None,
            self._account,
            "summary",
            None,
            profit.available,
            balance.cash,
            balance.margin,
            None,
            (profit.open or Decimal(0)) + (profit.realised or Decimal(0)) if known else None,
            balance.fees,
            word("AccountStatus", balance.status),
            profit.time if profit.time is not None else balance.time,
            now,
            self._guid,
        )
