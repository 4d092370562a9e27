"""Turning inputs into events, and events into calls: the same for live, replay and re-run.

Everything here is synchronous. The driver hands over one input at a time and wakes tasks in between.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import attrs

from strategykit.errors import STRATEGY_FAILURES, LocalProtocolError, RemoteProtocolError
from strategykit.model.events import (
    AccountUpdate,
    ConnectionDown,
    ConnectionUp,
    Event,
    Fill,
    Gap,
    OrderUpdate,
    PositionUpdate,
    VenueError,
)
from strategykit.model.instruments import Instrument
from strategykit.net.inbox import Input, InputKind
from strategykit.runtime.asks import Asks
from strategykit.runtime.built_bars import BarsFromTrades
from strategykit.runtime.feeds import MARKET, Feed
from strategykit.runtime.gateway import Gateway
from strategykit.runtime.handover import Handover
from strategykit.runtime.inquiries import Inquiries
from strategykit.runtime.offered import find_offered
from strategykit.runtime.outside import Answered, Finder, Ledger, Strategies, Watcher, Wires
from strategykit.runtime.watchdog import Watchdog, watched
from strategykit.sim.paper import PaperExchange
from strategykit.venues.dialect import (
    LOGIN,
    Answer,
    Ask,
    Confirmed,
    Decoded,
    Dialect,
    ErrorClass,
    Frame,
    Leaving,
    Need,
    OrderReply,
    Refusal,
    Reply,
    Resubscribe,
    SessionOver,
)
from strategykit.venues.streams import Stream
from strategykit.venues.subscriptions import LIVE, Subscription, Subscriptions, SubscriptionState

__all__ = ["Engine"]

_ROUTED: Final = MARKET | {OrderUpdate, Fill, PositionUpdate, AccountUpdate}

_PAUSES: Final = (500_000_000, 2_000_000_000, 8_000_000_000)
"""Nanoseconds before a subscription is asked for again when the venue says "not now"; after that it is refused."""


@attrs.define(eq=False, kw_only=True)
class Engine:
    """One run: its guid table, its routes and its orders."""

    dialect: Dialect
    table: Subscriptions
    wires: Wires
    ledger: Ledger
    gateway: Gateway
    supervisor: Callable[[], Strategies]
    """Gives who runs the strategies; the two know each other, and this is the end that looks up."""
    paper: PaperExchange | None = None  # Answers orders from market data, where no venue does.
    watchdog: Watchdog | None = None  # Told of every handler that is called, if one that blocks can lose anything.
    watchers: list[Watcher] = attrs.field(factory=list)
    failures: tuple[type[BaseException], ...] = STRATEGY_FAILURES  # What a handler may raise that stops it alone.
    local: deque[Decoded] = attrs.field(factory=deque, init=False)
    """What the paper exchange said, to be taken after the input that made it say so."""
    routes: dict[str, tuple[Callable[[Event], None], ...]] = attrs.field(factory=dict, init=False)
    """Who gets the events of a subscription, in the order of their asking."""
    poke: Callable[[], None]  # Has the driver look, before the next input.
    _quick: dict[str, tuple[tuple[Feed[Any], Callable[[Any], None]], ...]] = attrs.field(factory=dict, init=False)
    sessions: dict[str, int] = attrs.field(factory=dict, init=False)  # Which session each open connection is in.
    opened_at: dict[str, int] = attrs.field(factory=dict, init=False)  # When sessions began, nanoseconds UTC.
    handover: Handover = attrs.field(init=False, default=attrs.Factory(Handover, takes_self=True))  # Of connections.
    unreadable: int = attrs.field(default=0, init=False)  # Frames that the dialect couldn't read.
    errors: deque[VenueError] = attrs.field(factory=lambda: deque(maxlen=1_000), init=False)
    positions: dict[str, PositionUpdate] = attrs.field(factory=dict, init=False)  # By the venue's own count.
    account: dict[str, AccountUpdate] = attrs.field(factory=dict, init=False)  # Its last word, by the kind of message.
    lanes: dict[str, str] = attrs.field(factory=dict, init=False)  # Of each connection.
    asks: Asks = attrs.field(init=False, default=attrs.Factory(lambda self: Asks(self.dialect), takes_self=True))
    inquiries: Inquiries = attrs.field(init=False, default=attrs.Factory(Inquiries, takes_self=True))
    _find: Finder = attrs.field(
        init=False, default=attrs.Factory(lambda self: find_offered(self.dialect), takes_self=True)
    )
    _tries: Counter[str] = attrs.field(factory=Counter, init=False)
    paused: dict[str, int] = attrs.field(factory=dict, init=False)
    """When subscriptions that were refused for now are asked for again, nanoseconds UTC, by guid."""

    @property
    def command_connection(self) -> str:
        """Name of the connection that carries order commands; empty where the venue takes none."""
        lane = self.dialect.commands
        return "" if lane is None else f"{lane}-0"

    # What the run asks

    def serve_from(self, find: Finder) -> None:
        """Have every stream that is wanted from now on served by one that there is, such as in a recording."""
        self._find = find

    def connect(self, connection: str, lane: str) -> None:
        """Have a connection opened, unless it is there or on its way."""
        if connection not in self.lanes:
            self.lanes[connection] = lane
            self.wires.open(connection, lane)

    def want(
        self, stream: Stream, owner: str, receive: Callable[[Event], None] | None, *, fresh_within: int | None = None
    ) -> Subscription:
        """Subscribe `owner` to `stream`; `receive` gets its events.

        Raises:
            ConfigError, LocalProtocolError: The venue has no such stream, or no room for it; nobody else notices.
        """
        stream, receive = self._find(stream, receive)
        row = self.table.want(stream, owner, fresh_within=fresh_within)
        if row.state is SubscriptionState.WANTED and len(row.owners) == 1:
            self._check_can_be_asked(row, owner)
        if receive is not None:
            self.routes[row.guid] = (*self.routes.get(row.guid, ()), receive)
            self._forget_quick(row.guid)
        if row.state is SubscriptionState.WANTED and len(row.owners) == 1:
            self.ledger.subscription(row)
            self.connect(row.connection, self.dialect.lane(row.stream))
            self.ask_for(row)
        return row

    def release(self, row: Subscription, owner: str, receive: Callable[[Event], None] | None) -> None:
        """End `owner`'s part in a subscription; the venue is told when nobody wants it any more."""
        kept = list(self.routes.get(row.guid, ()))
        if receive is not None and receive in kept:
            kept.remove(receive)
        self.routes[row.guid] = tuple(kept)
        self._forget_quick(row.guid)
        if row.guid not in self.table.by_guid:
            return
        was_live = row.state in LIVE
        if self.table.release(row.guid, owner) is not None:
            del self.routes[row.guid]
            session = self.sessions.get(row.connection)
            if session is not None and was_live:
                self.wires.unsubscribe(row, row.connection, session)
            taking = None if row.successor is None else self.sessions.get(row.successor)
            if row.successor is not None and taking is not None:
                self.wires.unsubscribe(row, row.successor, taking)

    def ask(self, ask: Ask, answered: Answered) -> None:
        """Ask; `answered` is called when the answer is dispatched, or at once if it is known."""
        self.inquiries.ask(ask, answered)

    # What the driver hands over

    def process(self, item: Input) -> None:
        """Take one input, whole."""
        kind = item.kind
        if kind is InputKind.FRAME:
            for thing in self.decode(item.payload, item.connection, item.receive_time):
                self.take(thing, item.receive_time, item.connection)
        elif kind is InputKind.OPENED:
            self._opened(item)
        elif kind is InputKind.CLOSED:
            self._closed(item)
        elif kind is InputKind.ANSWER:
            with watched(self.watchdog, item.ask):
                self.unreadable += not self.asks.answered(item)
        else:
            self.supervisor().controlled(str(item.payload))

    def decode(self, frame: Frame, connection: str, now: int) -> Sequence[Decoded]:
        """Give what a frame says; nothing if it can't be read, which is noted."""
        try:
            return self.dialect.decode(frame, self.table, connection=connection, receive_time=now)
        except RemoteProtocolError as exc:
            return self.unread(exc, connection, now)

    def unread(self, error: RemoteProtocolError, connection: str, now: int) -> Sequence[Decoded]:
        """Note that a frame couldn't be read, and so says nothing."""
        self.unreadable += 1
        self.ledger.note(connection, f"unreadable frame: {error}")
        self.errors.append(VenueError(None, 0, f"unreadable frame on {connection}: {error}", None, now, ""))
        return ()

    def take(self, thing: Decoded, now: int, connection: str) -> None:
        """Take one thing that a frame of `connection`, an answer or the paper exchange said."""
        if type(thing) in _ROUTED:  # By far the most; a `match` tries one class after the other.
            self.route(thing)  # type: ignore[arg-type]  # those are events
            return
        match thing:
            case Reply() | OrderReply():
                self._replied(thing, now, connection)
            case Confirmed(guid):
                self._confirmed(guid, now, connection)
            case Refusal():
                self._refusal(thing, now)
            case Leaving(reason):
                self.handover.begin(connection, reason)
            case SessionOver():
                self._session_over(thing, now, connection)
            case Resubscribe(guid, reason):
                self._resubscribe(guid, reason, now)
            case Need(_, ask, _):
                self.ask(ask, partial(self._answered_need, thing))
            case Answer():
                with watched(self.watchdog, thing):
                    self.inquiries.answered(thing, now)
            case _:
                self.route(thing)

    def route(self, event: Event) -> None:
        """Give an event to everyone who wants it."""
        paper, watchdog, is_market = self.paper, self.watchdog, type(event) in MARKET
        # What isn't market data moves no price, but what was due before it comes before it.
        if paper is not None and (is_market or paper.agenda.next <= event.receive_time):
            told, held = paper.shown(event, event.receive_time)
            self.local.extend(told)
            if held:
                self.poke()  # It is due before what comes next, perhaps.
                return
        for watcher in self.watchers:
            watcher(event)
        if not is_market:
            if watchdog is not None:
                watchdog.enter(event)
            if type(event) is OrderUpdate:
                self.gateway.updated(event)
            elif type(event) is Fill:
                self.gateway.filled(event)
            else:
                self._apply(event)
        for receive in self.routes.get(event.guid, ()):
            if watchdog is not None:
                watchdog.enter(receive)
            try:
                receive(event)
            except self.failures as exc:  # A strategy's boundary: whatever it raises stops it alone.
                self.supervisor().raised(receive, exc)
        if watchdog is not None:
            watchdog.leave()

    def quick(self, guid: str) -> tuple[tuple[Feed[Any], Callable[[Any], None]], ...]:
        """Give each feed that wants market data of `guid`, and what to call after setting `last`; changes poke."""
        known = self._quick.get(guid)
        if known is None:
            known = ()
            for receive in self.routes.get(guid, ()):
                feed = getattr(receive, "__self__", None)
                if isinstance(feed, Feed):
                    feed.rerouted = partial(self._forget_quick, guid)
                    known = (*known, (feed, receive.take if isinstance(receive, BarsFromTrades) else feed.quick()))
            self._quick[guid] = known
        return known

    def _forget_quick(self, guid: str) -> None:
        self._quick.pop(guid, None)
        self.poke()

    # Inside

    def _apply(self, event: Event) -> None:
        """Fold an event about the account, or about the data, into what the run keeps."""
        match event:
            case PositionUpdate():
                self.positions[event.instrument] = event
            case AccountUpdate():
                self.account[event.source] = event
            case Gap():
                self.ledger.gap(event, self.table.told(event))
            case VenueError():
                self._error(event.code, event.message, event.receive_time, event.guid)

    def _replied(self, reply: Reply | OrderReply, now: int, connection: str) -> None:
        if reply.guid is not None and reply.guid.startswith(LOGIN):
            return  # Its connection has seen it.
        if not reply.ok and self.dialect.classify(reply.code) is ErrorClass.REFRESH:
            self.wires.refresh_login(connection)
        if self.watchdog is None:
            found = self.gateway.replied(reply)
        else:
            with watched(self.watchdog, reply):
                found = self.gateway.replied(reply)
        if not found and not reply.ok:
            self._error(reply.code, reply.message, now, reply.guid or "")

    def _check_can_be_asked(self, row: Subscription, owner: str) -> None:
        # Worded now, for whoever wants it: where requests are sent, an error would end the run of everybody.
        try:
            self.dialect.subscribe((row,), (), token="")
        except LocalProtocolError:
            self.table.release(row.guid, owner)
            raise

    def ask_for(self, row: Subscription) -> None:
        """Send the request for a row, if its connection is open."""
        self.paused.pop(row.guid, None)
        session = self.sessions.get(row.connection)
        if session is not None:
            self.table.asked(row.guid)
            self.wires.subscribe(row, row.connection, session)

    def _confirmed(self, guid: str, now: int, connection: str) -> None:
        row = self.table.by_guid.get(guid)
        if row is None or row.state is SubscriptionState.REFUSED:
            return
        if row.successor is not None and connection == row.successor:
            self.handover.complete(row)
        self._tries.pop(guid, None)
        if (gap := self.table.confirmed(guid, now)) is not None:
            self.route(gap)

    def _session_over(self, over: SessionOver, now: int, connection: str) -> None:
        if connection not in self.sessions:
            return  # A login that was refused: its connection has seen it.
        words = f"the venue ended the session: {over.message} ({over.code})"
        self._error(over.code, f"{connection}: {words}", now, "")
        if self.dialect.classify(over.code) is ErrorClass.STOP:
            self.wires.refuse(connection, words)
        else:
            self.wires.drop(connection, words)

    def _resubscribe(self, guid: str, reason: str, now: int) -> None:
        row = self.table.by_guid.get(guid)
        if row is None or row.state not in LIVE or row.connection not in self.sessions:
            return
        self.table.missed(row, now, reason)
        self.wires.unsubscribe(row, row.connection, self.sessions[row.connection])
        self.ask_for(row)

    def _answered_need(self, need: Need, rows: Sequence[Event | Instrument] | None, reason: str) -> None:
        now = self.asks.now
        if (row := self.table.by_guid.get(need.guid)) is not None:
            for thing in need.asker.answered(rows, reason, now):
                self.take(thing, now, row.connection)

    def _opened(self, item: Input) -> None:
        name, lane = item.connection, str(item.payload)
        self.sessions[name] = item.status
        self.opened_at[name] = item.receive_time
        self.lanes[name] = lane
        self.route(ConnectionUp(None, name, lane, None, item.receive_time))
        for row in self.table.on(name):
            self.ask_for(row)
        self.handover.opened(name)
        if name == self.command_connection:
            with watched(self.watchdog, item):
                self.gateway.lane_changed(up=True, reason="")
        elif lane == "orders":
            self.gateway.outages.news_opened(name, again=item.status > 1)

    def _closed(self, item: Input) -> None:
        name, reason = item.connection, str(item.payload)
        if self.sessions.pop(name, None) is None:
            return
        del self.opened_at[name]
        lost = self.table.lost(name, item.receive_time, reason)
        self.route(ConnectionDown(None, name, self.lanes[name], reason, None, item.receive_time))
        self.handover.closed(name, lost)
        if name == self.command_connection:
            with watched(self.watchdog, item):
                self.gateway.lane_changed(up=False, reason=reason)
        elif self.lanes[name] == "orders" and lost:  # One that was replaced in time carries nothing any more.
            with watched(self.watchdog, item):
                self.gateway.outages.news_ended({row.connection for row in lost} - self.sessions.keys(), reason)

    def _refusal(self, refusal: Refusal, now: int) -> None:
        row = self.table.by_guid.get(refusal.guid)
        if row is None or row.state is SubscriptionState.REFUSED:
            return
        verdict, tries = self.dialect.classify(refusal.code), self._tries[row.guid]
        self._tries[row.guid] += 1
        words = f"{refusal.message} ({refusal.code})"
        if verdict is not ErrorClass.STOP and tries < len(_PAUSES):
            self.paused[row.guid] = now + _PAUSES[tries]
            if verdict is ErrorClass.REFRESH:
                self.wires.refresh_token()
                self.ask_for(row)  # It waits for the new token.
            return
        self._error(refusal.code, f"{row.stream.label}: {refusal.message}", now, row.guid)
        owners, words = self.table.refused(row.guid, words), f"{row.stream.label}: {words}"
        for owner in self.inquiries.refused(row, owners, words, now):
            self.supervisor().refused(owner, words)

    def _error(self, code: int, message: str, now: int, guid: str) -> None:
        self.errors.append(VenueError(None, code, message, None, now, guid))
        self.ledger.note("venue", f"{code}: {message}")
