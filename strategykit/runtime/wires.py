"""The live ends of the engine: its requests turned into frames, asks and orders on real connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import attrs

from strategykit.errors import JournalError
from strategykit.model.orders import CancelOrder, CreateOrder, VenueCommand, single_order
from strategykit.net.venue import LiveVenue
from strategykit.runtime.clock import RunClock
from strategykit.runtime.engine import Engine
from strategykit.runtime.recording import NullLedger, command_facts
from strategykit.runtime.supervise import UNSENT
from strategykit.venues.dialect import Ask, Dialect, Frame, Reply
from strategykit.venues.subscriptions import Subscription

__all__ = ["DurableJournal", "LivePort", "LiveWires", "PaperPort"]


@attrs.define
class _Carried:
    """What one session carries, and what is to change about it when its turn comes."""

    session: int
    held: dict[str, Subscription] = attrs.field(factory=dict)
    new: dict[str, Subscription] = attrs.field(factory=dict)
    old: dict[str, Subscription] = attrs.field(factory=dict)
    due: bool = False
    """Whether its turn is waited for. One turn takes all that has gathered: as many as there are rows would fill the
    line of what waits to be sent, and a full line ends the session."""


class DurableJournal(Protocol):
    """Where commands are written down before they go."""

    def when_durable(self, then: Callable[[], None], lost: Callable[[JournalError], None]) -> None:
        """Call `then` once the last intent would outlive a power loss; `lost` if that can't be had."""
        ...


class LiveWires:
    """What the engine asks, sent over a venue's connections.

    Changes to what a connection carries are gathered until they can be sent: a venue with a limit on messages gets few.
    """

    def __init__(self, venue: LiveVenue, dialect: Dialect) -> None:
        self._venue = venue
        self._dialect = dialect
        self._carried: dict[str, _Carried] = {}
        self._token = ""
        """The one that went out last: if a request is refused for its token, this is the one to replace."""

    def open(self, connection: str, lane: str) -> None:
        self._venue.open_more(connection, lane)

    def close(self, connection: str) -> None:
        self._venue.close(connection)

    def subscribe(self, row: Subscription, connection: str, session: int) -> None:
        carried = self._carrying(connection, session)
        carried.new[row.guid] = row
        self._send(carried, connection)

    def unsubscribe(self, row: Subscription, connection: str, session: int) -> None:
        carried = self._carrying(connection, session)
        carried.new.pop(row.guid, None)
        if carried.held.pop(row.guid, None) is not None:
            carried.old[row.guid] = row
            self._send(carried, connection)

    def ask(self, ask: Ask) -> None:
        self._venue.ask(ask)

    def drop(self, connection: str, reason: str) -> None:
        self._venue.drop(connection, reason)

    def refuse(self, connection: str, reason: str) -> None:
        if self._venue.take_stray_login(connection):
            self._venue.drop(connection, f"{reason}; an earlier login of our own may have come late")
            return
        self._venue.close(connection)
        self._venue.refuse(reason)

    def refresh_token(self) -> None:
        self._venue.refuse_token(self._token)

    def refresh_login(self, connection: str) -> None:
        self._venue.refuse_login(connection)

    def _carrying(self, connection: str, session: int) -> _Carried:
        carried = self._carried.get(connection)
        if carried is None or carried.session != session:
            carried = self._carried[connection] = _Carried(session)
        return carried

    def _send(self, carried: _Carried, connection: str) -> None:
        if not carried.due:
            carried.due = self._venue.send(connection, carried.session, lambda token: self._change(carried, token))

    def _change(self, carried: _Carried, token: str) -> list[Frame]:
        """Give the frames for all that has gathered."""
        carried.due = False
        self._token = token
        frames: list[Frame] = []
        if carried.old:
            old, carried.old = list(carried.old.values()), {}
            frames.extend(self._dialect.unsubscribe(old, carried.held.values(), token=token))
        if carried.new:
            new, carried.new = carried.new, {}
            for guid in new:  # What is asked for once more isn't carried as far as we know.
                carried.held.pop(guid, None)
            frames.extend(self._dialect.subscribe(list(new.values()), carried.held.values(), token=token))
            carried.held.update(new)
        return frames


@attrs.define(eq=False)
class LivePort:
    """Orders to a venue, each on the tape, and in the journal for good, before it goes."""

    venue: LiveVenue
    dialect: Dialect
    ledger: NullLedger
    converter: Any
    engine: Callable[[], Engine]
    journal: DurableJournal | None
    unsent: Callable[[str], None]
    """Takes the word that says that a command couldn't be written down for good."""
    _unsafe: int = attrs.field(default=0, init=False)
    """Commands that wait for the journal."""

    @property
    def hurries(self) -> bool:
        """Whether a command is on its way: to the journal, or to the wire."""
        return self._unsafe > 0 or self.venue.sends(self.engine().command_connection)

    def command(self, strategy: str, command: VenueCommand) -> bool:
        self.dialect.command(command)  # What the venue can't be told raises here, before anything is on the tape.
        connection = self.engine().command_connection
        session = self.engine().sessions.get(connection)
        # Whether the lane is up is what the run has been told, not what the socket knows by now: a re-run is told
        # the same. What is sent into a wire that has just broken ends unanswered, and that is dealt with.
        self.ledger.command(command_facts(strategy, command, self.converter), sent=session is not None)
        if session is None:
            return False

        def send() -> None:
            self._unsafe -= 1
            self.venue.command(command, connection, session)

        def lose(error: JournalError) -> None:
            self._unsafe -= 1
            self.unsent(f"{UNSENT}{command.guid} {error}")

        self._unsafe += 1
        if self.journal is None or isinstance(command, CancelOrder):
            send()  # To take an order back needs no proof of having wanted to.
        else:
            self.journal.when_durable(send, lose)
        return True

    def suspect(self, reason: str) -> None:
        self.venue.drop(self.engine().command_connection, reason)


@attrs.define(eq=False)
class PaperPort:
    """Orders to the run's paper exchange, each on the tape as it would be live."""

    ledger: NullLedger
    converter: Any
    engine: Callable[[], Engine]
    clock: RunClock
    ring: Callable[[], None]
    _told: str = attrs.field(default="", init=False)
    """The guid of the last command that was answered at once."""

    def command(self, strategy: str, command: VenueCommand) -> bool:
        engine = self.engine()
        paper = engine.paper
        if self.ledger.keeps:
            self.ledger.command(command_facts(strategy, command, self.converter), sent=paper is not None)
        if paper is None:
            return False
        one = command if type(command) is CreateOrder else single_order(command, "the paper exchange")
        told = paper.command(one, self.clock.reading)
        for thing in told:
            if type(thing) is Reply and thing.guid == command.guid:
                self._told = command.guid
                break
        # Never from within: the strategy that asks is told after it has gone on to wait.
        engine.local.extend(told)
        self.ring()
        return True

    def answered(self, guid: str) -> bool:
        """Whether the command `guid`, the last one, was answered at once."""
        return guid == self._told

    def suspect(self, reason: str) -> None:
        """A paper exchange has no wire that could break."""
