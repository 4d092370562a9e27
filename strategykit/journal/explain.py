"""One order's life: every record about it, in order, and what it led to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from strategykit.errors import JournalError
from strategykit.journal.format import Record, RecordKind
from strategykit.journal.orders import OrderBook, OrderLine, carried_records, list_orders
from strategykit.journal.words import describe
from strategykit.model.orders import Evidence

__all__ = ["Life", "Step", "explain_order"]

_FOR_ALL: Final = frozenset(
    {RecordKind.RUN, RecordKind.KILLED, RecordKind.RELEASED, RecordKind.CLOSED, RecordKind.RECOVERED}
)
"""What concerns every order that is open then."""

_WITHOUT_NEWS: Final = frozenset(
    {
        Evidence.LEFT,
        Evidence.NEVER_LEFT,
        Evidence.CANCEL_LEFT,
        Evidence.ANSWER_LOST,
        Evidence.UNSEEN,
        Evidence.NOT_FOUND,
    }
)
"""What is learnt without the venue's saying anything of the order."""

_BY_NEWS: Final = frozenset(evidence.value for evidence in Evidence if evidence not in _WITHOUT_NEWS)


@attrs.define(kw_only=True)
class Step:
    """One record of an order's life."""

    seq: int | None
    """Its number; None if the record is only known from what a later run took over."""
    time: int
    """Nanoseconds UTC."""
    after: int
    """Nanoseconds since the first record about the order."""
    kind: str
    words: str
    state: str
    """The order's, with this record; of news, the one that they led to."""
    facts: Mapping[str, Any]
    """The record's own."""


@attrs.frozen(kw_only=True)
class Life:
    """What a journal knows of one order."""

    order: OrderLine
    """As it stands at the end."""
    why: Mapping[str, Any]
    """What stood behind placing it: ``by``, what did so in the place of a line of the strategy's; ``at``, the source
    line, or that of the block that asked for it; ``handler``, and what it was given; ``condition``, for which that task
    had waited; ``events``, the last one of each stream; ``params``, the strategy's in that run. What wasn't written
    down is left out."""
    steps: tuple[Step, ...]


def explain_order(records: Iterable[Record], wanted: str) -> Life:
    """Tell one order's life.

    Args:
        records: Of the journal, oldest first. They are gone through twice.
        wanted: The order's client id or the end of it, its number at the venue, or the guid of a command about it.

    Raises:
        JournalError: No such order is in them.
    """
    found = list_orders(records).find(wanted)
    if found is None:
        raise JournalError(f"no order {wanted!a} is in this journal; give an id from the list, or the venue's number")
    telling = _Telling(found.client_order_id)
    for record in records:
        telling.take(record)
    _say_what_news_led_to(telling.steps)
    reasons = (step.facts.get("why") for step in telling.steps)
    why = next((reason for reason in reasons if isinstance(reason, Mapping)), None)
    if telling.parameters:
        why = {"params": telling.parameters, **(why or {})}
    return Life(order=found, why=why or {}, steps=tuple(telling.steps))


class _Telling:
    def __init__(self, name: str) -> None:
        self.name = name
        self.steps: list[Step] = []
        self.parameters: Mapping[str, Any] = {}
        """Of the strategy, in the run that placed the order."""
        self._of_run: dict[str, Mapping[str, Any]] = {}
        """Of each strategy that has placed an order in the run: told with its first one."""
        self._book = OrderBook()

    def take(self, record: Record) -> None:
        order = self._book.orders.get(self.name)
        if record.kind is RecordKind.RUN:
            self._of_run.clear()
        elif record.kind is RecordKind.INTENT and order is None:
            strategy, told = str(record.facts.get("strategy")), record.facts.get("params")
            if isinstance(told, Mapping):
                self._of_run[strategy] = told
            if record.facts.get("client_order_id") == self.name:
                self.parameters = self._of_run.get(strategy, {})
        if record.kind is RecordKind.CARRIED:
            self._carried(record, order)
        elif self._book.take(record) == self.name or (order is not None and order.is_open and record.kind in _FOR_ALL):
            self._add(record.seq, record.time, record.kind, record.facts)

    def _carried(self, record: Record, order: OrderLine | None) -> None:
        told = [row for row in carried_records(record.facts, known={}) if row[0] == self.name]
        self._book.take(record)
        if not told:
            return
        if order is None:
            state = OrderLine(self.name)
            for _, time, kind, facts in told:
                if isinstance(facts.get("params"), Mapping):
                    self.parameters = facts["params"]
                state.take(time, kind, facts)
                self._add(None, time, kind, facts, state.state)
        self._add(record.seq, record.time, record.kind, {})

    def _add(self, seq: int | None, time: int, kind: RecordKind, facts: Mapping[str, Any], state: str = "") -> None:
        self.steps.append(
            Step(
                seq=seq,
                time=time,
                after=time - (self.steps[0].time if self.steps else time),
                kind=kind.value,
                words=describe(kind, facts),
                state=state or self._book.orders[self.name].state,
                facts=facts,
            )
        )


def _say_what_news_led_to(steps: list[Step]) -> None:
    """Give each piece of news the state of the records right after it in which its consequences stand."""
    for place, step in enumerate(steps):
        if step.kind != RecordKind.HEARD.value or step.seq is None:
            continue
        seq = step.seq
        for later in steps[place + 1 :]:
            seq += 1
            if later.kind != RecordKind.LEARNT.value or later.seq != seq or later.facts.get("evidence") not in _BY_NEWS:
                break
            step.state = later.state
