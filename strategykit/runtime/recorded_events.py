"""The market data of a tape as events, and what they are of: what a simulated venue can serve again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import attrs

from strategykit.errors import RemoteProtocolError, TapeError
from strategykit.model.events import Bar, Event, Fill, Gap, OrderUpdate, Trade
from strategykit.model.instruments import Instrument
from strategykit.net.inbox import Input, InputKind
from strategykit.runtime.feeds import MARKET
from strategykit.runtime.handover import predecessor
from strategykit.runtime.recorded import Contents, inputs, scan
from strategykit.tape.reader import Tape
from strategykit.venues.asks import (
    Ask,
    AskBars,
    AskBook,
    AskInstrument,
    AskInstruments,
    AskOrders,
    AskStopOrders,
    AskTrades,
)
from strategykit.venues.dialect import Answer, Confirmed, Decoded, Dialect, Need, OrderReply, Reply, Resubscribe
from strategykit.venues.keyed import Rows
from strategykit.venues.streams import PRIVATE, Stream
from strategykit.venues.subscriptions import LIVE, Subscription, Subscriptions

__all__ = ["OrderNews", "account_events", "market_events", "recorded_instruments", "stream_events"]

OrderNews = Reply | OrderReply | OrderUpdate | Fill | Instrument
"""What a venue says of orders, and of what they are for."""

_TOLD = (AskTrades, AskOrders, AskStopOrders, AskInstrument, AskInstruments)
"""Asks whose answers say it."""


def recorded_instruments(tape: Tape, dialect: Dialect, contents: Contents | None = None) -> Mapping[str, Instrument]:
    """Give what a tape says of the instruments whose market data it holds, by symbol; `contents` if they are known.

    Raises:
        TapeError: The tape is damaged, or has reference data of none of them: then nobody knows what to serve them by.
    """
    contents = contents or scan(tape)
    symbols = {row.stream.instrument for row in contents.rows if row.stream.kind not in PRIVATE}
    found: dict[str, Instrument] = {}
    for ask, status, body in contents.answers:
        if not isinstance(ask, AskInstrument | AskInstruments) or not 200 <= status < 300:
            continue
        with suppress(RemoteProtocolError):
            rows = dialect.decode_answer(ask, body, receive_time=contents.first)
            found.update({row.symbol: row for row in rows if isinstance(row, Instrument) and row.symbol in symbols})
    if not found:
        of = ", ".join(sorted(symbol for symbol in symbols if symbol is not None)) or "nothing"
        raise TapeError(f"{tape.path}: holds market data of {of}, but no reference data to serve them by")
    return found


def market_events(tape: Tape, dialect: Dialect) -> Iterator[tuple[int, Event]]:
    """Yield the tape's market data with the times at which they arrived, nanoseconds UTC.

    Past trades and bars, which the venue replayed on subscribing or gave when asked, are left out, as are frames that
    can't be read.

    Raises:
        TapeError: The tape is damaged.
    """
    contents = scan(tape)
    replay = _Replay(dialect, contents)
    for row in contents.rows:
        if row.stream.kind not in PRIVATE and row.guid not in replay.table.by_guid:
            replay.table.restore(row.guid, row.stream, row.connection)
    for item in inputs(tape):
        if isinstance(item, Input):
            for event in replay.take(item):
                yield item.receive_time, event


def stream_events(tape: Tape, dialect: Dialect, contents: Contents) -> Iterator[tuple[int, Stream, Event]]:
    """Yield all that the tape's streams of market data told, in this order, each with the time and its stream.

    The time is that of the frame or answer that had it told, nanoseconds UTC; an event that was held back came earlier.
    Past trades and bars are among it, and the gaps that were told; frames that can't be read are left out.

    Raises:
        TapeError: The tape is damaged.
    """
    replay = _Replay(dialect, contents, whole=True)
    keyed: set[Stream] = set()
    for row in contents.rows:
        if row.stream.kind in PRIVATE or row.guid in replay.table.by_guid:
            continue
        # A stream that was wanted again later has two guids; data that name neither would be told twice.
        if dialect.key(row.stream) is None or row.stream not in keyed:
            keyed.add(row.stream)
            replay.table.restore(row.guid, row.stream, row.connection)
    streams = {row.guid: row.stream for row in replay.table}
    for item in inputs(tape):
        if isinstance(item, Input):
            for event in replay.take(item):
                yield item.receive_time, streams[event.guid], event


def account_events(tape: Tape, dialect: Dialect, contents: Contents) -> Iterator[tuple[int, Event | OrderNews]]:
    """Yield the tape's market data as `market_events` does, and among it what the venue said of the account's orders.

    Raises:
        TapeError: The tape is damaged.
    """
    replay = _Replay(dialect, contents)
    for row in contents.rows:
        if row.guid not in replay.table.by_guid:
            replay.table.restore(row.guid, row.stream, row.connection)
    for item in inputs(tape):
        if isinstance(item, Input):
            market = replay.take(item)
            for thing in (*market, *replay.news):
                yield item.receive_time, thing


class _Replay:
    """The guid table of a recorded run, led through its inputs as the run's own was.

    With `whole`, what is past and what was missed is given, too.
    """

    def __init__(self, dialect: Dialect, contents: Contents, *, whole: bool = False) -> None:
        self._whole = whole
        self._left = [ask for ask, _, _ in contents.answers]
        """What was asked of which the answers are still to come."""
        self.table = Subscriptions(dialect.limits, {}, lambda: "", dialect.cursor, dialect.lane, dialect.key)
        self._dialect = dialect
        self._needs: list[Need] = []
        self._open: set[str] = set()
        self._successors: dict[str, str] = {}
        self._told: list[Event] = []
        self.news: list[OrderNews] = []
        """What the last input said of orders."""

    def take(self, item: Input) -> Sequence[Event]:
        """Give the market data that an input brings."""
        self._told, self.news = [], []
        name, now = item.connection, item.receive_time
        match item.kind:
            case InputKind.OPENED:
                self._opened(name)
            case InputKind.CLOSED:
                self._open.discard(name)
                successor = self._successors.pop(name, None)
                newest = None if successor is None else self.table.newest(successor)
                self._ask_for(self.table.lost(name, now, str(item.payload)), newest)
            case InputKind.FRAME:
                with suppress(RemoteProtocolError):
                    self._take(
                        self._dialect.decode(item.payload, self.table, connection=name, receive_time=now), name, now
                    )
            case InputKind.ANSWER:
                self._answer(item)
            case InputKind.CONTROL:
                """It is about the run, not the market."""
        return self._told

    def _opened(self, name: str) -> None:
        self._open.add(name)
        self._ask_for(self.table.on(name), None)
        old = predecessor(name)
        if old is not None:
            if old in self._open:
                self._successors[old] = name
            rows = self.table.replace(old, name)
            self._ask_for([row for row in rows if row.state not in LIVE], name)

    def _ask_for(self, rows: Sequence[Subscription], successor: str | None) -> None:
        """Ask for rows on their connection, or on the one that takes them over; unless that will ask when it opens."""
        for row in rows:
            if successor is not None:
                row.successor = successor
                self.table.moved(row)
            if row.connection in self._open:
                self.table.asked(row.guid)

    def _take(self, decoded: Sequence[Decoded], name: str, now: int) -> None:
        for thing in decoded:
            match thing:
                case Confirmed(guid):
                    row = self.table.by_guid.get(guid)
                    if row is not None:
                        if name == row.successor:
                            self.table.moved(row)
                        gap = self.table.confirmed(guid, now)
                        if gap is not None and self._whole:
                            self._told.append(gap)
                case Resubscribe(guid, reason):
                    row = self.table.by_guid.get(guid)
                    if row is not None and row.state in LIVE:
                        self.table.missed(row, now, reason)
                        self.table.asked(guid)
                case Need(ask=ask):
                    if isinstance(ask, AskBook) or any(_same(ask, left) for left in self._left):
                        self._needs.append(thing)
                    else:  # Nobody has an answer, so what waits for it goes on without: the tape is of another run.
                        self._take(thing.asker.answered(None, "the tape has no answer to this", now), name, now)
                case Trade() | Bar() if thing.snapshot and not self._whole:
                    """It is past."""
                case Gap() if self._whole:
                    self._told.append(thing)
                case Reply() | OrderReply() | OrderUpdate() | Fill():
                    self.news.append(thing)
                case Answer(rows=told):
                    self._note(told)
                case _:
                    if type(thing) in MARKET:
                        self._told.append(thing)  # type: ignore[arg-type]  # an identity test narrows less

    def _answer(self, item: Input) -> None:
        """Give an answer to the cursor that has waited longest for it; others are of strategies."""
        if item.ask in self._left:
            self._left.remove(item.ask)
        need = next((need for need in self._needs if item.ask is not None and _same(need.ask, item.ask)), None)
        if need is None or item.ask is None:
            if isinstance(item.ask, _TOLD) and 200 <= item.status < 300:
                with suppress(RemoteProtocolError):
                    body = item.payload if isinstance(item.payload, bytes) else item.payload.encode()
                    self._note(self._dialect.decode_answer(item.ask, body, receive_time=item.receive_time))
            return
        self._needs.remove(need)
        body = item.payload if isinstance(item.payload, bytes) else item.payload.encode()
        rows: Rows | None = None
        if 200 <= item.status < 300:
            with suppress(RemoteProtocolError):
                rows = self._dialect.decode_answer(item.ask, body, receive_time=item.receive_time)
        row = self.table.by_guid.get(need.guid)
        if row is not None:
            self._take(need.asker.answered(rows, "", item.receive_time), row.connection, item.receive_time)

    def _note(self, rows: Rows) -> None:
        self.news += [row for row in rows if isinstance(row, OrderUpdate | Fill | Instrument)]


def _same(wanted: Ask, recorded: Ask) -> bool:
    """Whether an answer is to what a cursor asks; the run knew more of the instrument."""
    if isinstance(wanted, AskBars) and isinstance(recorded, AskBars):
        return wanted == attrs.evolve(recorded, tick=wanted.tick)
    return wanted == recorded
