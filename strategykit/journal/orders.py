"""What a journal says of orders: a line for each, folded from its records. Pure.

Facts come from a file that was verified, but maybe written by an earlier version or a program of one's own: what lacks
or is odd is left out, and nothing here fails by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import attrs

from strategykit.journal.format import Record, RecordKind
from strategykit.journal.words import describe
from strategykit.model.orders import OrderState

__all__ = ["OrderBook", "OrderLine", "carried_records", "list_orders"]

_ENDED: Final = frozenset(state.value for state in OrderState if state.terminal)

_ABOUT_ONE: Final = frozenset({RecordKind.INTENT, RecordKind.UNSENT, RecordKind.HEARD, RecordKind.LEARNT})


@attrs.define
class OrderLine:
    """One order, as it stands after the records that were read."""

    client_order_id: str
    strategy: str = ""
    instrument: str = ""
    side: str = ""
    quantity: Decimal | None = None
    """Lots that were asked for when it was placed."""
    price: Decimal | None = None
    """Limit that it was placed or last amended with; None for a market order."""
    stop_price: Decimal | None = None
    filled: Decimal = Decimal(0)
    """Lots, by the fills told; each counts once."""
    state: str = OrderState.INTENT.value
    placed: int | None = None
    """Nanoseconds UTC."""
    venue_order_id: str | None = None
    """The number it has at the venue, the newest one."""
    last: str = ""
    """The last word on it."""
    last_time: int | None = None
    numbers: tuple[str, ...] = attrs.field(default=(), repr=False)
    """All numbers that it has had."""
    _fills: set[tuple[str, str]] = attrs.field(factory=set, repr=False)

    @property
    def is_open(self) -> bool:
        """Whether it could still be filled, as far as the journal knows."""
        return self.state not in _ENDED

    def take(self, time: int, kind: RecordKind, facts: Mapping[str, Any]) -> None:
        """Fold in one record about it."""
        match kind:
            case RecordKind.INTENT:
                self._intend(time, facts)
            case RecordKind.HEARD:
                self._hear(_mapping(facts.get("news")))
            case RecordKind.LEARNT:
                self.state = _text(facts.get("state")) or self.state
                self._number(facts.get("venue_order_id"))
        self.last, self.last_time = describe(kind, facts), time

    def _intend(self, time: int, facts: Mapping[str, Any]) -> None:
        command = _mapping(facts.get("command"))
        request = _mapping(command.get("request"))
        self.strategy = self.strategy or _text(facts.get("strategy"))
        self.instrument = self.instrument or _text(request.get("instrument"))
        self.side = self.side or _text(request.get("side"))
        self.quantity = _amount(request.get("quantity")) if self.quantity is None else self.quantity
        self.price = _amount(request.get("price"))
        self.stop_price = _amount(request.get("stop_price"))
        if self.placed is None:
            placed = facts.get("placed")
            self.placed = placed if isinstance(placed, int) else time

    def _hear(self, news: Mapping[str, Any]) -> None:
        self._number(news.get("venue_order_id"))
        if news.get("type") == "Fill":
            fill = _text(news.get("trade_id")), _text(news.get("side"))
            if fill not in self._fills:
                self._fills.add(fill)
                self.filled += _amount(news.get("quantity")) or 0

    def _number(self, number: object) -> None:
        if isinstance(number, str) and number and number not in self.numbers:
            self.numbers += (number,)
            self.venue_order_id = number


@attrs.define
class OrderBook:
    """All orders of a journal. Feed it the records in order."""

    orders: dict[str, OrderLine] = attrs.field(factory=dict)
    """By client order id, as they were placed."""
    _by_guid: dict[str, str] = attrs.field(factory=dict)

    def take(self, record: Record) -> str | None:
        """Fold in one record; give the client id of the order that it is about."""
        if record.kind is RecordKind.CARRIED:
            for of, time, kind, facts in list(carried_records(record.facts, known=self.orders)):
                self._order(of, kind, facts).take(time, kind, facts)
            return None
        if record.kind not in _ABOUT_ONE:
            return None
        name = self.name_of(record)
        if name is None:
            return None
        self._order(name, record.kind, record.facts).take(record.time, record.kind, record.facts)
        return name

    def name_of(self, record: Record) -> str | None:
        """Give the client id of the order that a record is about, as far as is known by now."""
        name = record.facts.get("client_order_id")
        if isinstance(name, str) and name:
            return name
        return self._by_guid.get(_text(record.facts.get("guid")))

    def find(self, wanted: str) -> OrderLine | None:
        """Give an order by its client id or the end of it, its number at the venue, or the guid of one of its commands.

        Of several that fit, the newest.
        """
        name = wanted if wanted in self.orders else self._by_guid.get(wanted)
        if name is not None:
            return self.orders[name]
        newest = list(reversed(self.orders.values()))
        fitting = [line for line in newest if wanted in line.numbers]
        fitting += [line for line in newest if line.client_order_id.endswith(f"-{wanted}")]
        return fitting[0] if fitting else None

    def _order(self, name: str, kind: RecordKind, facts: Mapping[str, Any]) -> OrderLine:
        if kind is RecordKind.INTENT:
            self._by_guid[_text(facts.get("guid"))] = name
        return self.orders.setdefault(name, OrderLine(name))


def list_orders(records: Iterable[Record]) -> OrderBook:
    """Fold records, oldest first, into the orders that they tell of."""
    book = OrderBook()
    for record in records:
        book.take(record)
    return book


def carried_records(
    facts: Mapping[str, Any], *, known: Mapping[str, object]
) -> Iterator[tuple[str, int, RecordKind, Mapping[str, Any]]]:
    """Give what a CARRIED record repeats about orders that aren't `known` from earlier files."""
    orders = facts.get("orders")
    for order in map(_mapping, orders if isinstance(orders, list) else ()):
        name, rows = _text(order.get("client_order_id")), order.get("records")
        if not name or name in known or not isinstance(rows, list):
            continue
        for row in map(_mapping, rows):
            kind, time = _KINDS.get(_text(row.get("kind"))), row.get("time")
            if kind is not None and isinstance(time, int):
                yield name, time, kind, row


_KINDS: Final = {kind.value: kind for kind in _ABOUT_ONE}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _amount(value: object) -> Decimal | None:
    try:
        return Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        return None
