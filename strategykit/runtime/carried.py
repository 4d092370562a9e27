"""What one run leaves to the next: positions of its strategies, and orders whose end nobody has seen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from strategykit.errors import JournalError, TapeError
from strategykit.journal.format import Record, RecordKind
from strategykit.model.codec import from_dict, to_dict
from strategykit.model.events import Fill, OrderUpdate
from strategykit.model.instruments import Instrument
from strategykit.model.orders import OrderState
from strategykit.model.portfolio import Portfolio
from strategykit.venues.dialect import Reply

__all__ = [
    "CASH",
    "OTHERS",
    "TRIPPED",
    "Carried",
    "CarriedOrder",
    "CarriedPosition",
    "CarriedResult",
    "CarriedTrip",
    "HeardNews",
    "carried_facts",
    "carry",
    "read_carried",
]

HeardNews = OrderUpdate | Fill | Reply
"""What a record of something heard holds. The answer to a command about an order is kept as a reply to its guid."""

OTHERS: Final = "others"
"""Names, in a note, the lots on the account that aren't ours."""

CASH: Final = "cash"
"""Names, in a note, the account's money when a run ended."""

TRIPPED: Final = "tripped"
"""Names, in a note, what was lost in a day beyond its limit."""

_STEP: Final = 900_000_000_000
"""Nanoseconds by which results are added up: in every time zone, days begin with a quarter of an hour."""

_LASTING: Final = 2 * 86_400_000_000_000
"""Nanoseconds for which results are carried on: longer than any day."""

_TAGS: Final = 200
"""Runs: of orders that are kept beyond so many nobody needs the name."""

_TAG: Final = re.compile(r"[0-9a-f]{8}")
"""Such as `Identity.tag` gives. Guards and other writers of a journal have none, and place no orders."""

_ENDED: Final = frozenset(state.value for state in OrderState if state.terminal)


@attrs.frozen(kw_only=True)
class CarriedPosition:
    """What a strategy held of one instrument."""

    strategy: str
    instrument: Instrument
    quantity: Decimal
    """Lots; negative is short."""
    cost: Decimal
    """What the open lots cost; negative for a short position."""


@attrs.define(kw_only=True)
class CarriedOrder:
    """An order that hadn't ended."""

    client_order_id: str
    strategy: str
    records: list[Mapping[str, Any]]
    """What tells of it, oldest first: the facts of each record with its ``time`` and ``kind``."""


@attrs.frozen(kw_only=True)
class CarriedResult:
    """What fills of a strategy have realised within a quarter of an hour, less their fees, in one currency."""

    strategy: str
    currency: str
    begin: int
    """Of the quarter, nanoseconds UTC."""
    amount: Decimal


@attrs.frozen(kw_only=True)
class CarriedTrip:
    """What went beyond the limit of a day's loss: until the next day, nothing is opened, whichever run asks."""

    strategy: str | None
    """None: the account."""
    currency: str
    loss: Decimal
    """When that was seen."""
    time: int
    """When that was, nanoseconds UTC."""


@attrs.frozen(kw_only=True)
class Carried:
    """Everything that the next run has to know."""

    positions: tuple[CarriedPosition, ...] = ()
    orders: tuple[CarriedOrder, ...] = ()
    others: dict[str, Decimal] | None = None
    """Lots on the account that weren't ours when that was looked at last, by instrument; None: it never was."""
    cash: dict[str, Decimal] | None = None
    """The account's money when a run ended last, by currency; None: nobody knows."""
    instruments: tuple[Instrument, ...] = ()
    """What was traded, so that late fills can be counted before the venue has told what it trades."""
    results: tuple[CarriedResult, ...] = ()
    """Of the last two days, so that the limit of a day's loss doesn't begin anew with each run."""
    tags: tuple[str, ...] = ()
    """What begins the names of the orders of the newest runs, oldest first."""
    trips: tuple[CarriedTrip, ...] = ()
    """The newest of each scope: a loss of open positions is in no result, and no restart forgives it."""

    def __bool__(self) -> bool:
        return bool(self.positions or self.orders or self.results or self.tags or self.trips)


def carry(records: Iterable[Record], converter: Any) -> Carried:
    """Fold the records of a run into what it leaves.

    Raises:
        JournalError: A record isn't what this version writes.
    """
    folding = _Folding(converter)
    for record in records:
        try:
            folding.take(record)
        except (TapeError, KeyError) as exc:
            raise JournalError(f"record {record.seq} ({record.kind.value}) can't be read: {exc}") from exc
    return folding.result()


def carried_facts(carried: Carried, converter: Any) -> dict[str, Any]:
    """Give it as JSON: for the journal of the next run, and for its tape."""
    return to_dict(converter, carried, Carried)


def read_carried(facts: object, converter: Any) -> Carried:
    """Give back what `carried_facts` was given.

    Raises:
        TapeError: It is something else.
    """
    result: Carried = from_dict(converter, facts, Carried)
    return result


class _Folding:
    def __init__(self, converter: Any) -> None:
        self._converter = converter
        self._books: dict[str, Portfolio] = {}
        self._orders: dict[str, CarriedOrder] = {}
        self._strategies: dict[str, str] = {}
        """By client order id; of those that have ended, too: their fills may come late."""
        self._names: dict[str, str] = {}
        """Client order ids by the guids of commands."""
        self._instruments: dict[str, Instrument] = {}
        self._fills: set[tuple[str, str, str]] = set()
        """By client order id, the venue's number, and side."""
        self._others: dict[str, Decimal] | None = None
        self._cash: dict[str, Decimal] | None = None
        self._tags: dict[str, None] = {}
        """Oldest first; a run's own comes before what it carries on."""
        self._results: dict[tuple[str, str, int], Decimal] = {}
        """By strategy, currency, and the quarter of an hour in which they were made."""
        self._trips: dict[str | None, CarriedTrip] = {}
        """By strategy."""

    def take(self, record: Record) -> None:
        facts = record.facts
        match record.kind:
            case RecordKind.RUN:
                self._began(str(facts.get("tag")))
            case RecordKind.CARRIED:
                self._carried(read_carried(facts, self._converter))
            case RecordKind.INTENT:
                self._intent(record)
            case RecordKind.UNSENT:
                self._keep(self._names[facts["guid"]], record)
            case RecordKind.HEARD:
                self._keep(facts["client_order_id"], record)
                if facts["news"]["type"] == Fill.__name__ and self._is_new(facts):
                    self._filled(facts["client_order_id"], from_dict(self._converter, facts["news"], HeardNews))
            case RecordKind.NOTE if OTHERS in facts:
                self._others = {symbol: Decimal(lots) for symbol, lots in facts[OTHERS].items()}
            case RecordKind.NOTE if CASH in facts:
                self._cash = {currency: Decimal(amount) for currency, amount in facts[CASH].items()}
            case RecordKind.NOTE if TRIPPED in facts:
                trip = from_dict(self._converter, facts[TRIPPED], CarriedTrip)
                self._trips[trip.strategy] = trip
            case RecordKind.LEARNT if facts["state"] in _ENDED:
                self._orders.pop(facts["client_order_id"], None)

    def result(self) -> Carried:
        positions = [
            CarriedPosition(
                strategy=strategy, instrument=position.instrument, quantity=position.quantity, cost=position.cost
            )
            for strategy, book in self._books.items()
            for position in book.positions.values()
            if position.quantity
        ]
        times = [*(begin for _, _, begin in self._results), *(trip.time for trip in self._trips.values())]
        newest = max(times, default=0)
        results = [
            CarriedResult(strategy=strategy, currency=currency, begin=begin, amount=amount)
            for (strategy, currency, begin), amount in self._results.items()
            if amount and begin > newest - _LASTING
        ]
        return Carried(
            results=tuple(results),
            trips=tuple(trip for trip in self._trips.values() if trip.time > newest - _LASTING),
            positions=tuple(positions),
            orders=tuple(self._orders.values()),
            others=self._others,
            cash=self._cash,
            instruments=tuple(self._instruments.values()),
            tags=tuple(self._tags)[-_TAGS:],
        )

    def _began(self, tag: str) -> None:
        if _TAG.fullmatch(tag):
            self._tags.pop(tag, None)
            self._tags[tag] = None

    def _carried(self, carried: Carried) -> None:
        """Begin anew: what came before is in it."""
        for before in (self._books, self._orders, self._strategies, self._names, self._results, self._trips):
            before.clear()
        for result in carried.results:
            self._results[result.strategy, result.currency, result.begin] = result.amount
        for trip in carried.trips:
            self._trips[trip.strategy] = trip
        self._others = carried.others
        self._cash = carried.cash
        self._tags = {**dict.fromkeys(carried.tags), **self._tags}
        for known in carried.instruments:
            self._instruments[known.symbol] = known
        for position in carried.positions:
            self._book(position.strategy).carry(position.instrument, position.quantity, position.cost)
        for order in carried.orders:
            self._orders[order.client_order_id] = order
            self._strategies[order.client_order_id] = order.strategy
            for facts in order.records:
                if "guid" in facts:
                    self._names[facts["guid"]] = order.client_order_id
                if facts["kind"] == RecordKind.HEARD.value and facts["news"]["type"] == Fill.__name__:
                    self._is_new(facts)  # It is in the position.

    def _intent(self, record: Record) -> None:
        facts = record.facts
        name, strategy = facts["client_order_id"], facts["strategy"]
        self._names[facts["guid"]] = name
        if "placed" in facts:
            self._strategies[name] = strategy
            self._orders[name] = CarriedOrder(client_order_id=name, strategy=strategy, records=[])
        if "instrument" in facts:
            known = from_dict(self._converter, facts["instrument"], Instrument)
            self._instruments[known.symbol] = known
        self._keep(name, record)

    def _keep(self, name: str, record: Record) -> None:
        order = self._orders.get(name)
        if order is not None:
            order.records.append({"time": record.time, "kind": record.kind.value, **record.facts})

    def _is_new(self, facts: Mapping[str, Any]) -> bool:
        """Whether a fill is told for the first time: once more, it counts no more, whichever run was told."""
        key = (facts["client_order_id"], facts["news"]["trade_id"], facts["news"]["side"])
        if key in self._fills:
            return False
        self._fills.add(key)
        return True

    def _filled(self, name: str, fill: Fill) -> None:
        known = self._instruments.get(fill.instrument)
        if known is None:
            raise KeyError(f"reference data of {fill.instrument}")
        strategy = self._strategies[name]
        book = self._book(strategy)
        book.add(known)
        position = book.positions[fill.instrument]
        before = position.realised
        if book.apply(fill):
            self._earn(strategy, known.currency, fill.receive_time, position.realised - before)
            self._earn(strategy, fill.fee_currency or known.currency, fill.receive_time, -(fill.fee or Decimal(0)))

    def _earn(self, strategy: str, currency: str, time: int, amount: Decimal) -> None:
        key = (strategy, currency, time - time % _STEP)
        self._results[key] = self._results.get(key, Decimal(0)) + amount

    def _book(self, strategy: str) -> Portfolio:
        return self._books.setdefault(strategy, Portfolio())
