"""The live ends of the engine: its requests turned into frames, asks and orders on real connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs

from strategykit.model.orders import Command
from strategykit.net.venue import COMMANDS, LiveVenue
from strategykit.runtime.clock import RunClock
from strategykit.runtime.engine import Engine
from strategykit.runtime.recording import NullLedger, command_facts
from strategykit.venues.dialect import Ask, Dialect
from strategykit.venues.subscriptions import Subscription

__all__ = ["LivePort", "LiveWires", "PaperPort"]

_COMMANDS_CONNECTION: Final = f"{COMMANDS}-0"


class LiveWires:
    """What the engine asks, sent over a venue's connections."""

    def __init__(self, venue: LiveVenue, dialect: Dialect) -> None:
        self._venue = venue
        self._dialect = dialect
        self._token = ""
        """The one that went out last: if a request is refused for its token, this is the one to replace."""

    def open(self, connection: str, lane: str) -> None:
        self._venue.open_more(connection, lane)

    def subscribe(self, row: Subscription, session: int) -> None:
        def frame(token: str) -> str:
            self._token = token
            return self._dialect.subscribe(row.guid, row.stream, row.cursor, token=token)

        self._venue.send(row.connection, session, frame)

    def unsubscribe(self, row: Subscription, session: int) -> None:
        self._venue.send(row.connection, session, lambda token: self._dialect.unsubscribe(row.guid, token=token))

    def ask(self, ask: Ask) -> None:
        self._venue.ask(ask)

    def drop(self, connection: str, reason: str) -> None:
        self._venue.drop(connection, reason)

    def refresh_token(self) -> None:
        self._venue.refuse_token(self._token)

    def refresh_login(self) -> None:
        self._venue.refuse_login(_COMMANDS_CONNECTION)


@attrs.define(eq=False)
class LivePort:
    """Orders to a venue, each on the tape before it goes."""

    venue: LiveVenue
    dialect: Dialect
    ledger: NullLedger
    converter: Any
    engine: Callable[[], Engine]

    def command(self, strategy: str, command: Command) -> bool:
        self.dialect.command(command)  # What the venue can't be told raises here, before anything is on the tape.
        session = self.engine().sessions.get(_COMMANDS_CONNECTION)
        # Whether the lane is up is what the run has been told, not what the socket knows by now: a re-run is told
        # the same. What is sent into a wire that has just broken ends unanswered, and that is dealt with.
        up = session is not None
        self.ledger.command(command_facts(strategy, command, self.converter), sent=up)
        if session is not None:
            self.venue.command(command, session=session)
        return up

    def suspect(self, reason: str) -> None:
        self.venue.drop(_COMMANDS_CONNECTION, reason)


@attrs.define(eq=False)
class PaperPort:
    """Orders to the run's paper exchange, each on the tape as it would be live."""

    ledger: NullLedger
    converter: Any
    engine: Callable[[], Engine]
    clock: RunClock
    ring: Callable[[], None]

    def command(self, strategy: str, command: Command) -> bool:
        engine = self.engine()
        paper = engine.paper
        self.ledger.command(command_facts(strategy, command, self.converter), sent=paper is not None)
        if paper is None:
            return False
        # Never from within: the strategy that asks is told after it has gone on to wait.
        engine.local.extend(paper.command(command, self.clock.reading))
        self.ring()
        return True

    def suspect(self, reason: str) -> None:
        """A paper exchange has no wire that could break."""
