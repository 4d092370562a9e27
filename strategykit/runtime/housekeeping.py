"""Looking after a run's wires: unconfirmed subscriptions are asked for again, silent ones told, old wires replaced."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import attrs
import trio

from strategykit.runtime.clock import RunClock
from strategykit.runtime.engine import Engine
from strategykit.runtime.unseen import Unseen
from strategykit.venues.subscriptions import LIVE, Subscription, SubscriptionState

__all__ = ["keep_fresh", "keep_house"]

CONFIRM_WITHIN: Final = 10.0
"""Seconds until an unanswered subscription is asked for again."""

ASKS: Final = 3
"""Times that one connection is asked; then the connection counts as dead and a new one is opened."""

REPLACE_AT: Final = 0.98
"""Part of the life that a venue gives a connection after which another takes over."""

RENEW_EVERY: Final = 10.0
"""Seconds at the least between two times that everything is asked for once more."""

LOOK_EVERY: Final = 0.25
"""Seconds between two looks."""


async def keep_fresh(engine: Engine, clock: RunClock) -> None:
    """Tell silences of a recording, whose subscriptions need no other care, until cancelled."""
    while True:
        due = engine.table.next_silence()
        pause = LOOK_EVERY if due is None else max((due - clock.reading) * 1e-9, 0.001)
        await trio.sleep(max(pause, 0.001))
        for stale in engine.table.silent(clock.reading):
            engine.route(stale)


async def keep_house(engine: Engine, clock: RunClock) -> None:
    """Look after the guid table of `engine` until cancelled."""
    asked: dict[tuple[str, int], tuple[float, int]] = {}
    renewals, unseen = _Renewals(engine), Unseen(engine)
    while True:
        now = trio.current_time()
        overdue: dict[tuple[str, int], tuple[float, int]] = {}
        silent: list[tuple[Subscription, int]] = []
        for row in list(engine.table):
            session = engine.sessions.get(row.connection)
            due = engine.paused.get(row.guid)
            if session is None or (row.state is not SubscriptionState.ASKED and due is None):
                continue
            if due is not None:
                if clock.reading >= due:
                    engine.ask_for(row)
                continue
            if not engine.dialect.acknowledges:
                silent.append((row, session))
                continue
            since, tries = asked.get((row.guid, session), (now, 1))
            if now - since >= CONFIRM_WITHIN:
                if tries >= ASKS:
                    engine.wires.drop(row.connection, f"{row.stream.label} unconfirmed after {tries} requests")
                    continue
                engine.ledger.note(
                    "venue", f"{row.stream.label}: no confirmation within {CONFIRM_WITHIN:g} s; asking again"
                )
                engine.ask_for(row)
                since, tries = now, tries + 1
            overdue[row.guid, session] = (since, tries)
        asked = overdue
        unseen.look(silent, now, clock.reading)
        stale = engine.table.silent(clock.reading)
        for each in stale:
            engine.route(each)
        renewals.look({each.guid for each in stale}, now, clock.reading)
        _replace_old(engine, clock.reading)
        await trio.sleep(LOOK_EVERY)


@attrs.define
class _Renewals:
    """Asks once more for streams that their venue may have forgotten, where that does no harm."""

    engine: Engine
    foreign: int = 0
    """Data of others that had come at the last look."""
    not_before: float = 0.0
    """On Trio's clock."""
    _unheard: dict[tuple[str, int], int] = attrs.field(factory=dict, init=False)
    """How often all was asked for in vain, while data of others came, by connection and session."""

    def look(self, silent: Collection[str], now: float, reading: int) -> None:
        """Ask for the rows with the guids `silent`, which have just fallen so, or for all if data of others come.

        Who gets data of others has lost his own since, whatever still comes: that is told as a gap.
        """
        engine, table = self.engine, self.engine.table
        came, self.foreign = table.foreign - self.foreign, table.foreign
        everything = came > 0 and now >= self.not_before
        deaf = self._deaf() if everything else ()
        for connection, _ in deaf:
            self.not_before = now + RENEW_EVERY
            engine.wires.drop(connection, f"asked {ASKS} times, the venue goes on with data that nobody wants")
        for row in list(table):
            session = engine.sessions.get(row.connection)
            if session is None or row.state not in LIVE or not (everything or row.guid in silent):
                continue
            if (row.connection, session) in deaf:
                continue
            if engine.dialect.lanes[engine.lanes[row.connection]].asks_again:
                self.not_before = now + RENEW_EVERY if everything else self.not_before
                why = "data came that nobody wants" if everything else "it fell silent"
                engine.ledger.note("venue", f"{row.stream.label} is asked for once more: {why}")
                if everything:
                    table.missed(row, reading, why, anew=False)
                    engine.ask_for(row)
                else:
                    engine.wires.subscribe(row, row.connection, session)

    def _deaf(self) -> list[tuple[str, int]]:
        """Count who has got data of others alone since all was asked for; give those who did too often.

        Such a wire carries what the venue says and not what we say; nothing else would tell that before the venue
        itself misses something.
        """
        engine, before, self._unheard = self.engine, self._unheard, {}
        for key in engine.sessions.items():
            states = {row.state for row in engine.table if row.connection == key[0] and row.state in LIVE}
            if states == {SubscriptionState.ASKED} and engine.dialect.lanes[engine.lanes[key[0]]].asks_again:
                self._unheard[key] = before.get(key, 0) + 1
        return [key for key, asked in self._unheard.items() if asked >= ASKS]


def _replace_old(engine: Engine, now: int) -> None:
    for name, opened in list(engine.opened_at.items()):
        life = engine.dialect.lanes[engine.lanes[name]].life
        if life is not None and now - opened >= REPLACE_AT * life * 1e9:
            engine.handover.begin(name, f"the venue ends connections after {life:g} s")
