"""What a run writes down about its orders, before anything comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from strategykit.disk import Disk
from strategykit.errors import JournalError, JournalFull
from strategykit.journal.format import RecordKind
from strategykit.journal.writer import JournalWriter, open_journal
from strategykit.model.codec import make_converter, to_dict
from strategykit.model.events import OrderUpdate
from strategykit.model.instruments import Instrument
from strategykit.model.orders import AmendOrder, CancelOrder, Command, CreateOrder
from strategykit.runtime.alarms import Alarms
from strategykit.runtime.carried import CASH, OTHERS, TRIPPED, Carried, CarriedTrip, HeardNews, carried_facts, carry
from strategykit.runtime.order import Order
from strategykit.runtime.ports import News
from strategykit.venues.dialect import OrderReply, Reply

__all__ = ["JournalDisk", "OpenedJournal", "RunJournal", "open_run_journal"]


@attrs.frozen(kw_only=True)
class OpenedJournal:
    """The journal of the account that a run trades on."""

    writer: JournalWriter
    carried: Carried
    """What the run before left."""


@attrs.frozen(kw_only=True)
class JournalDisk:
    """Another disk for a journal than the system's; the arguments of `open_journal`."""

    disk: Disk
    reserve: int
    sync_takes: Callable[[], float]


@contextmanager
def open_run_journal(
    folder: Path,
    *,
    now: Callable[[], int],
    run: Mapping[str, Any],
    redact: Callable[[str], str],
    in_loop: bool,
    lasting: bool,
    disk: JournalDisk | None = None,
) -> Iterator[OpenedJournal]:
    """Open the journal in `folder`, and begin this run's part of it with what the run before left.

    Args:
        folder: One an account.
        now: Nanoseconds UTC.
        run: Facts about the run, such as its ``tag``.
        redact: Hides secrets in a text.
        in_loop: Whether the run's clock waits for no thread.
        lasting: Whether what the run before had goes on without it: a paper account ends with its run.
        disk: What to write on instead of the system's own disk.

    Raises:
        JournalError: It is damaged or locked, or can't be read or written.
    """
    converter = make_converter()
    own = {} if disk is None else attrs.asdict(disk, recurse=False)
    with open_journal(folder, now=now, run=run, redact=redact, in_loop=in_loop, **own) as writer:
        carried = carry(writer.past, converter) if lasting else Carried()
        writer.write(RecordKind.CARRIED, carried_facts(carried, converter))
        yield OpenedJournal(writer=writer, carried=carried)


@attrs.define(eq=False, kw_only=True)
class RunJournal:
    """Puts what the gateway says into the journal of its account."""

    writer: JournalWriter
    converter: Any
    alarms: Alarms
    why: Callable[[str], Mapping[str, Any]]
    """Gives the facts behind what a strategy is just now doing."""
    instruments: Mapping[str, Instrument]
    """The run's: each is described with the first order in it."""
    parameters: Mapping[str, Mapping[str, str]] = attrs.field(factory=dict)
    """Of each strategy: told with its first order."""
    closes: Callable[[Order], bool] = lambda _: False
    """Says whether an order can only close a position: those are written down, and leave, on a full disk, too."""
    _described: set[str] = attrs.field(factory=set, init=False)
    _introduced: set[str] = attrs.field(factory=set, init=False)
    """Strategies whose parameters have been told."""
    _shown: dict[str, tuple[object, ...]] = attrs.field(factory=dict, init=False)
    """The newest word of each number, as the venue repeats itself after every reconnect."""
    _states: dict[str, tuple[object, ...]] = attrs.field(factory=dict, init=False)
    _newest: int = attrs.field(default=0, init=False)
    """The number of the last intent."""
    _full: bool = attrs.field(default=False, init=False)
    """Whether somebody was told that the disk is full."""

    def intend(self, order: Order, command: Command) -> None:
        facts: dict[str, Any] = {
            "guid": command.guid,
            "client_order_id": order.client_order_id,
            "strategy": order.strategy,
            "command": self.converter.unstructure(command, unstructure_as=Command),
        }
        if isinstance(command, CreateOrder):
            facts["placed"] = order.placed
            if order.group:
                facts["group"] = order.group
            if order.entry is not None:
                facts["entry"] = order.entry.client_order_id
            facts["why"] = dict(self.why(order.strategy))
            if order.strategy not in self._introduced and order.strategy in self.parameters:
                facts["params"] = dict(self.parameters[order.strategy])
            if order.instrument not in self._described:
                known = self.instruments[order.instrument]
                facts["instrument"] = self.converter.unstructure(known)
        elif isinstance(command, AmendOrder) and order.amending is not None:
            facts["sets_quantity"] = order.amending.sets_quantity
        try:
            self._newest = self._write_intent(order, facts)
            self._described.add(order.instrument)
            if "params" in facts:
                self._introduced.add(order.strategy)
        except JournalError as exc:
            self._failed(exc)
            if not isinstance(command, CancelOrder):  # Cancels stay possible whenever the wire is.
                raise

    def _write_intent(self, order: Order, facts: Mapping[str, Any]) -> int:
        try:
            return self.writer.write(RecordKind.INTENT, facts)
        except JournalFull as exc:
            if not self.closes(order):
                raise
            self._failed(exc)
            return self.writer.write(RecordKind.INTENT, facts, essential=True)

    def unsent(self, command: Command, reason: str) -> None:
        self._write(RecordKind.UNSENT, {"guid": command.guid, "reason": reason})

    def heard(self, order: Order, news: News) -> None:
        total: Decimal | None = None
        match news:
            case OrderUpdate():
                word = (news.status, news.filled, news.price, news.quantity, news.reason)
                if self._shown.get(news.venue_order_id) == word:
                    return
                self._shown[news.venue_order_id] = word
            case OrderReply(quantity=quantity):
                total = quantity
                news = Reply(news.guid or "", news.code, news.message, news.ok, news.venue_order_id)
        facts: dict[str, Any] = {"client_order_id": order.client_order_id}
        if total is not None:
            facts["total"] = str(total)
        facts["news"] = self.converter.unstructure(news, unstructure_as=HeardNews)
        self._write(RecordKind.HEARD, facts)

    def learnt(self, order: Order) -> None:
        known = (order.state, order.reason, order.venue_order_id)
        name = order.client_order_id
        if self._states.get(name) == known:
            return
        if order.state.terminal:
            self._states.pop(name, None)
        else:
            self._states[name] = known
        evidence = None if order.evidence is None else order.evidence.value
        facts = {"client_order_id": name, "state": order.state.value, "evidence": evidence, "reason": order.reason}
        self._write(RecordKind.LEARNT, facts)

    def others(self, lots: Mapping[str, Decimal]) -> None:
        """The account holds these lots besides our own."""
        words = ", ".join(f"{count:+} {symbol}" for symbol, count in lots.items())
        text = f"the account holds {words} besides ours" if words else "the account holds nothing but ours"
        self._write(RecordKind.NOTE, {"text": text, OTHERS: {symbol: str(count) for symbol, count in lots.items()}})

    def cash(self, amounts: Mapping[str, Decimal]) -> None:
        """The account has so much money, by currency, now that the run ends."""
        words = ", ".join(f"{amount:,f} {currency}" for currency, amount in amounts.items())
        text = f"the account has {words}"
        self._write(RecordKind.NOTE, {"text": text, CASH: {name: str(amount) for name, amount in amounts.items()}})

    def tripped(self, trip: CarriedTrip) -> None:
        """A day's loss went beyond its limit."""
        scope = "the account" if trip.strategy is None else f"strategy {trip.strategy}"
        text = f"{scope} has lost {trip.loss:,.2f} {trip.currency} today: nothing is opened until the next day"
        self._write(RecordKind.NOTE, {"text": text, TRIPPED: to_dict(self.converter, trip, CarriedTrip)})

    def killed(self, reason: str, by: str) -> None:
        """The kill switch was pulled."""
        self._write(RecordKind.KILLED, {"reason": reason, "by": by})

    def proven(self, source: str, proof: str) -> None:
        """After the kill switch was pulled, all that was asked for was confirmed."""
        self._write(RecordKind.NOTE, {"text": f"{source}: confirmed: {proof}", "source": source, "proof": proof})

    def alarm(self, line: str) -> None:
        """Write an alarm down."""
        self._write(RecordKind.ALARM, {"text": line})

    def ended(self, left: Sequence[Order], unaccounted: Sequence[str]) -> None:
        """The run is over, and leaves these orders open or in doubt; `unaccounted` are differences to the venue."""
        names = [order.client_order_id for order in left]
        reason = f"not in good order: {unaccounted[0]}" if unaccounted else "in good order"
        self._write(RecordKind.CLOSED, {"reason": reason, "open": names, "unaccounted": list(unaccounted)})

    def when_durable(self, then: Callable[[], None], lost: Callable[[JournalError], None]) -> None:
        """Call `then` once the last intent would outlive a power loss; `lost` if that can't be had."""
        self.writer.when_durable(self._newest, then, lost)

    def _write(self, kind: RecordKind, facts: Mapping[str, Any]) -> None:
        try:
            self.writer.write(kind, facts)
        except JournalError as exc:
            self._failed(exc)
        else:
            if self.writer.full is not None and not self._full:  # News of the venue's may find that first.
                self._failed(self.writer.full)

    def _failed(self, error: JournalError) -> None:
        self._full = self._full or isinstance(error, JournalFull)
        but = "but what closes a position" if isinstance(error, JournalFull) else "any more"
        self.alarms.sound("journal", f"{error}; no orders are placed {but}, cancels go out as before")
