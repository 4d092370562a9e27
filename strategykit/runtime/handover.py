"""Replacing a connection that the venue is about to end: the next one takes over first, so that nothing is missed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from strategykit.errors import LimitReached
from strategykit.venues.subscriptions import LIVE, Subscription

if TYPE_CHECKING:
    from strategykit.runtime.engine import Engine

__all__ = ["Handover", "predecessor"]


def predecessor(connection: str) -> str | None:
    """Name the connection that one takes over from; None: it is the first of its kind."""
    base, _, number = connection.partition("~")
    if not number:
        return None
    return base if number == "2" else f"{base}~{int(number) - 1}"


@attrs.define(eq=False)
class Handover:
    """The connections of one run that are being replaced. ``market-0~2`` replaces ``market-0``, and so on."""

    engine: Engine
    successors: dict[str, str] = attrs.field(factory=dict, init=False)
    """Connections that are being replaced, and by which."""

    def begin(self, connection: str, reason: str) -> None:
        """Have another connection take over all that `connection` carries, then close it."""
        engine = self.engine
        if connection in self.successors or connection not in engine.sessions:
            return
        base, _, number = connection.partition("~")
        successor = f"{base}~{int(number or 1) + 1}"
        engine.ledger.note(connection, f"is replaced by {successor}: {reason}")
        try:
            engine.connect(successor, engine.lanes[connection])
        except LimitReached as exc:  # There is no room for both: it is reconnected when the venue ends it.
            del engine.lanes[successor]
            engine.ledger.note(connection, f"isn't replaced: {exc}")
            return
        self.successors[connection] = successor

    def opened(self, connection: str) -> None:
        """Have what its predecessor carries asked for on `connection`, if it has one; that one goes on meanwhile."""
        old, engine = predecessor(connection), self.engine
        if old is None:
            return
        if self.successors.setdefault(old, connection) != connection:
            return
        session = engine.sessions[connection]
        for row in engine.table.replace(old, connection):
            if row.state in LIVE:
                engine.wires.subscribe(row, connection, session)
            else:
                engine.table.moved(row)
                engine.ask_for(row)
        self._close_empty(old)

    def complete(self, row: Subscription) -> None:
        """The successor has begun to carry `row`; when it carries all, the predecessor is closed."""
        old = row.connection
        self.engine.table.moved(row)
        self._close_empty(old)

    def closed(self, connection: str, lost: Sequence[Subscription]) -> None:
        """`connection` has ended; what its successor hadn't begun to carry is asked for there, after a gap."""
        successor = self.successors.pop(connection, None)
        if successor is None:
            return
        engine = self.engine
        engine.wires.close(connection)
        engine.table.replace(connection, engine.table.newest(successor))
        for row in lost:
            engine.table.moved(row)
            engine.ask_for(row)

    def _close_empty(self, connection: str) -> None:
        if not any(connection in (row.connection, row.successor) for row in self.engine.table):
            self.engine.wires.close(connection)
