"""Streams of which nothing has come, at venues that answer no subscriptions: told, and asked for once more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from strategykit.model.events import Stale
from strategykit.runtime.engine import Engine
from strategykit.venues.subscriptions import LIVE, Subscription, SubscriptionState

__all__ = ["SEEN_WITHIN", "Unseen"]

SEEN_WITHIN: Final = 10.0
"""Seconds for the first datum of a stream; one that has to be fresher gets no longer than that."""

MOST_PATIENCE: Final = 300.0
"""Seconds: the longest pause between two times that a stream is asked for."""

AT_ONCE: Final = 10
"""Streams that are asked for in one look: where a thousand are quiet, their venue gets no flood."""


@attrs.define
class _Wait:
    """How long a stream has been waited for in one session of its connection."""

    since: float
    """When it was last asked for, on Trio's clock."""
    patience: float
    """Seconds until it is asked for once more."""
    told: bool = False


@attrs.define
class Unseen:
    """Looks after subscriptions that have no first datum yet."""

    engine: Engine
    _waiting: dict[tuple[str, int], _Wait] = attrs.field(factory=dict, init=False)
    """By guid and session."""

    def look(self, rows: Iterable[tuple[Subscription, int]], now: float, reading: int) -> None:
        """Tell `Stale` of those that are overdue, once a session, and ask for them again, less and less often.

        Args:
            rows: Those that have been asked for and not been confirmed, each with the session that it was asked in.
            now: On Trio's clock.
            reading: Of the run's clock, nanoseconds UTC.
        """
        waiting: dict[tuple[str, int], _Wait] = {}
        asked = 0
        for row, session in rows:
            within = SEEN_WITHIN if row.fresh_within is None else min(SEEN_WITHIN, row.fresh_within * 1e-9)
            wait = waiting[row.guid, session] = self._waiting.get((row.guid, session)) or _Wait(now, within)
            if now - wait.since < wait.patience:
                continue
            if not wait.told:
                wait.told = True
                self._tell(row, within, reading)
            if asked < AT_ONCE and self._ask(row, session):
                asked += 1
                wait.since, wait.patience = now, min(2 * wait.patience, MOST_PATIENCE)
        self._waiting = waiting

    def _tell(self, row: Subscription, within: float, reading: int) -> None:
        """Tell that nothing has come: such a venue doesn't tell a quiet stream from a wrong one."""
        self.engine.ledger.note(
            "venue",
            f"{row.stream.label}: nothing within {within:g} s of asking; the venue answers no subscriptions, so either "
            "nothing has happened there, or it has no such stream, or it has overlooked the request",
        )
        self.engine.route(Stale(row.stream.instrument, int(within * 1e9), None, reading, row.guid))

    def _ask(self, row: Subscription, session: int) -> bool:
        """Ask once more, where that does no harm; say whether it was."""
        engine = self.engine
        if not engine.dialect.lanes[engine.lanes[row.connection]].asks_unseen:
            return False
        same = [row] if row.key is None else engine.table.by_key.get(row.key, [])
        asked = [each for each in same if each.connection == row.connection and each.state in LIVE]
        if any(each.state is not SubscriptionState.ASKED for each in asked):
            return False  # The venue knows this stream.
        # Ended first: a venue that did hear of it might send everything twice. Together: to the venue they are one.
        for each in asked:
            engine.wires.unsubscribe(each, each.connection, session)
        for each in asked:
            engine.wires.subscribe(each, each.connection, session)
        return True
