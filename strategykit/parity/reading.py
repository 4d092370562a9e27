"""From a tape to a session: what was sent, and what the venue said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import attrs
import cattrs

from strategykit.errors import TapeError
from strategykit.model.codec import make_converter
from strategykit.model.event_class import altered
from strategykit.model.events import Event, Fill, OrderStatus, OrderUpdate, Side
from strategykit.model.instruments import Instrument
from strategykit.model.orders import CancelOrder, CreateGroup, CreateOrder, VenueCommand
from strategykit.parity.session import Sent, Session
from strategykit.runtime.recorded import Contents, scan
from strategykit.runtime.recorded_events import OrderNews, account_events
from strategykit.runtime.recorded_venue import recorded_venue
from strategykit.runtime.recordings import MANIFEST
from strategykit.tape.format import Kind
from strategykit.tape.reader import Tape, open_tape
from strategykit.venues.dialect import OrderReply, Reply
from strategykit.venues.streams import PRIVATE, StreamKind

__all__ = ["Desk", "check_market", "read_session"]

_FILLS: Final = frozenset(
    {
        *(StreamKind.TRADES, StreamKind.QUOTES, StreamKind.BOOK, StreamKind.BOOK_BY_ORDER),
        *(StreamKind.BARS, StreamKind.TICKER),
    }
)
"""Streams that orders can be filled by."""
_EVERY: Final = 10_000
"""Events between two reports of progress."""


def read_session(path: str, *, on_progress: Callable[[float], None] = lambda _: None) -> Session:
    """Read what a recorded run sent, saw and got.

    Args:
        path: Folder of its tape.
        on_progress: Told the part that is done.

    Raises:
        TapeError: It is damaged, or has no orders that went to a venue, or no market data of what was traded.
    """
    if (Path(path) / MANIFEST).is_file():
        raise TapeError(f"{path}: is an archive, which holds market data and no orders; name the tape of the run")
    tape = open_tape(path)
    dialect, facts = recorded_venue(tape)
    contents = scan(tape)
    if not contents.commands:
        raise TapeError(f"{path}: this tape holds no orders, only {_there(contents)}")
    if not facts.get("real", True):
        raise TapeError(
            f"{path}: none of this run's {len(contents.commands)} order commands went to the venue: a fill model "
            "answered them; `strategykit replay --rerun` repeats them"
        )
    desk = Desk()
    _read_commands(tape, desk)
    traded = check_market(path, contents, desk)
    instruments: dict[str, Instrument] = {}
    market: list[tuple[int, Event]] = []
    span, latest = max(contents.last - contents.first, 1), 0
    for number, (time, thing) in enumerate(account_events(tape, dialect, contents)):
        latest = max(latest, time)
        if isinstance(thing, Instrument):
            instruments[thing.symbol] = thing
        elif isinstance(thing, Reply | OrderReply | OrderUpdate | Fill):
            desk.hear(thing, time)
        elif thing.instrument in traded:
            market.append((latest, thing))
        if not number % _EVERY:
            on_progress(max((latest - contents.first) / span, 0.0))
    if tape.torn is not None:
        desk.left_out[str(tape.torn)] = None
    if not market:
        raise TapeError(f"{path}: the recorded streams of {', '.join(traded)} told nothing")
    unknown = [symbol for symbol in traded if symbol not in instruments]
    if unknown:
        there = ", ".join(instruments) or "nothing"
        raise TapeError(f"{path}: has no reference data of {', '.join(unknown)}, only of {there}")
    return desk.session({symbol: instruments[symbol] for symbol in traded}, market)


def _read_commands(tape: Tape, desk: Desk) -> None:
    converter = make_converter()
    for record in tape:
        if record.kind is not Kind.COMMAND:
            continue
        facts = record.facts()
        if not facts.get("sent", True):
            continue
        try:
            command: VenueCommand = converter.structure(facts["command"], VenueCommand)  # type: ignore[arg-type]
        except (cattrs.BaseValidationError, KeyError, TypeError, ValueError) as exc:
            raise TapeError(f"{tape.path}, record {record.seq}: this order command can't be read: {exc}") from exc
        desk.send(record.time, str(facts.get("strategy", "")), command)


def check_market(path: str, contents: Contents, desk: Desk) -> list[str]:
    """Give the symbols that were traded.

    Raises:
        TapeError: One of them has no market data on the tape.
    """
    traded = list(dict.fromkeys(one.command.request.instrument for one in desk.sent))
    told = {row.stream.instrument: None for row in contents.rows if row.stream.kind in _FILLS}
    there = _there(contents)
    if not traded:
        raise TapeError(f"{path}: no order of this run can be compared: {'; '.join(desk.left_out)}")
    for symbol in traded:
        if symbol not in told:
            raise TapeError(f"{path}: orders for {symbol} were sent, but there are no market data of it, only {there}")
    return traded


def _there(contents: Contents) -> str:
    """Name the market data that a tape has."""
    labels = dict.fromkeys(row.stream.label for row in contents.rows if row.stream.kind not in PRIVATE)
    return ", ".join(labels) or "nothing"


class Desk:
    """What is known of the orders while the tape is read."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.left_out: dict[str, None] = {}
        self._by_guid: dict[str, int] = {}
        self._creates: dict[str, int] = {}
        self._about: dict[str, list[int]] = {}
        self._numbers: dict[str, str] = {}
        self._ended: dict[str, int] = {}
        self._fills: dict[tuple[str, str, Side], Fill] = {}
        self._early: list[Fill] = []

    def send(self, time: int, strategy: str, command: VenueCommand) -> None:
        if isinstance(command, CreateGroup):
            self.left_out[f"linked orders ({command.kind.value}): no fill model links orders"] = None
            return
        order = command.request.client_order_id
        if isinstance(command, CreateOrder):
            if order in self._creates:
                return  # A retry of the same command.
            self._creates[order] = len(self.sent)
        elif order not in self._creates:
            self.left_out[f"order {order}: it was placed before this tape begins"] = None
            return
        self._by_guid[command.guid] = len(self.sent)
        self._about.setdefault(order, []).append(len(self.sent))
        self.sent.append(Sent(time=time, strategy=strategy, command=command))

    def hear(self, news: OrderNews, time: int) -> None:
        match news:
            case Reply():
                self._answered(self._by_guid.get(news.guid), time, news.message, news.venue_order_id, ok=news.ok)
            case OrderReply():
                self._answered(self._asked(news), time, news.message, None, ok=news.ok)
            case OrderUpdate():
                self._updated(news, time)
            case Fill():
                self._filled(news)

    def session(self, instruments: Mapping[str, Instrument], market: list[tuple[int, Event]]) -> Session:
        early, self._early = self._early, []
        for fill in early:
            self._filled(fill)
        return Session(
            instruments=instruments,
            market=market,
            sent=tuple(self.sent),
            fills=tuple(sorted(self._fills.values(), key=lambda fill: fill.receive_time)),
            ended=self._ended,
            left_out=tuple(self.left_out),
        )

    def _answered(self, index: int | None, time: int, words: str, number: str | None, *, ok: bool) -> None:
        if index is None:
            return
        one = self.sent[index]
        self.sent[index] = attrs.evolve(
            one,
            answered=time if one.answered is None else one.answered,
            refusal="" if ok else words or "no reason given",
        )
        if ok and number is not None:
            self._numbers[number] = one.order
        if not ok and isinstance(one.command, CreateOrder):
            self._ended.setdefault(one.order, time)

    def _asked(self, reply: OrderReply) -> int | None:
        """Find the command that a reply is to: by its guid, or the first one of its kind that waits."""
        if reply.guid is not None:
            return self._by_guid.get(reply.guid)
        for index in self._about.get(self._numbers.get(reply.venue_order_id, ""), ()):
            if isinstance(self.sent[index].command, reply.to) and self.sent[index].answered is None:
                return index
        return None

    def _updated(self, update: OrderUpdate, time: int) -> None:
        order = update.client_order_id if update.client_order_id in self._creates else None
        order = order or self._numbers.get(update.venue_order_id)
        if order is None:
            return
        self._numbers[update.venue_order_id] = order
        if update.linked_order_id is not None:
            self._numbers[update.linked_order_id] = order
        index = self._creates[order]
        if update.status is OrderStatus.WORKING:
            self._ended.pop(order, None)  # An amended order lives on under another number.
        elif update.linked_order_id is None:
            self._ended.setdefault(order, time)
            if update.status is OrderStatus.REJECTED:
                self.sent[index] = attrs.evolve(self.sent[index], refusal=update.reason or "no reason given")
        if update.snapshot:
            return  # It was asked for, and says nothing of when things came.
        self._timed(index, update, time)
        if update.status is OrderStatus.CANCELLED:
            for at in self._about[order]:
                if isinstance(self.sent[at].command, CancelOrder):
                    self._timed(at, update, time)

    def _timed(self, index: int, update: OrderUpdate, time: int) -> None:
        """Note when a command's first news came, and when it took effect."""
        one = self.sent[index]
        if time < one.time:
            return
        self.sent[index] = attrs.evolve(
            one,
            answered=time if one.answered is None else one.answered,
            venue_time=update.event_time if one.venue_time is None else one.venue_time,
        )

    def _filled(self, fill: Fill) -> None:
        order = fill.client_order_id if fill.client_order_id in self._creates else None
        order = order or self._numbers.get(fill.venue_order_id)
        if order is None:
            self._early.append(fill)  # A reply may yet tell whose it is.
            return
        # The side belongs to it: where two orders of the account meet, both fills carry one number.
        self._fills.setdefault(
            (fill.instrument, fill.trade_id, fill.side),
            fill if fill.client_order_id == order else altered(fill, client_order_id=order),
        )
