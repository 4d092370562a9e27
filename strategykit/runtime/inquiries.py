"""Asking a venue, over HTTP or by a stream whose data answer; what a venue tells by itself is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import attrs

from strategykit.errors import LocalProtocolError, StrategyError
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.runtime.outside import Answered
from strategykit.venues.asks import (
    AskAccount,
    AskBars,
    AskInstrument,
    AskInstruments,
    AskOrders,
    AskPositions,
    AskStopOrders,
    AskTrades,
)
from strategykit.venues.dialect import Answer, Ask, HttpRequest
from strategykit.venues.streams import Stream
from strategykit.venues.subscriptions import LIVE, Subscription

if TYPE_CHECKING:
    from strategykit.runtime.engine import Engine

__all__ = ["Inquiries"]

ASKING: Final = "(asking)"
"""Owner of the subscriptions that are wanted for their first data."""

_OF_ACCOUNTS: Final = (AskAccount, AskOrders, AskPositions, AskStopOrders, AskTrades)


@attrs.define(eq=False)
class Inquiries:
    """The questions of one run."""

    engine: Engine
    _rows: dict[Ask, Subscription] = attrs.field(factory=dict, init=False)
    """What was subscribed to for an ask that waits."""
    _known: dict[str, Sequence[Event | Instrument]] = attrs.field(factory=dict, init=False)
    """Reference data that was told, by instrument: some venues tell it once a session."""

    def ask(self, ask: Ask, answered: Answered) -> None:
        """Have `answered` called with the answer: at once if it is known, or if there is nothing to ask."""
        engine = self.engine
        if isinstance(ask, AskBars) and ask.instrument in engine.gateway.instruments:
            ask = attrs.evolve(ask, tick=engine.gateway.instruments[ask.instrument].tick)
        try:
            way = engine.dialect.request(ask)
        except LocalProtocolError:
            way = HttpRequest(method="", path="")  # Whoever sends it is told why it can't be sent.
        if way is None:
            answered((), "")
        elif isinstance(way, HttpRequest):
            engine.asks.ask(ask, answered)
            engine.wires.ask(ask)
        elif isinstance(ask, AskInstrument) and ask.instrument in self._known:
            answered(self._known[ask.instrument], "")
        else:
            self._ask_by(way, ask, answered)

    def answered(self, answer: Answer, now: int) -> None:
        """Give a frame's answer to all who wait for it."""
        if answer.kind is AskInstrument:
            self._known[answer.of] = answer.rows
        for ask in self.engine.asks.waiting(answer.kind):
            if answer.of == _subject(ask):
                self.engine.asks.told(ask, answer.rows, now)
                self._release(ask)

    def refused(self, row: Subscription, owners: Sequence[str], reason: str, now: int) -> list[str]:
        """Tell all who wait for the first data of a stream that there will be none; give its other owners."""
        for ask in [ask for ask, asked in self._rows.items() if asked is row]:
            self.engine.asks.told(ask, None, now, reason)
            self._release(ask)
        return [owner for owner in owners if owner != ASKING]

    def unanswered(self, ask: Ask, reason: str) -> None:
        """Nobody waits for an answer any more: one that still comes must not be taken for the next one's."""
        row = self._rows.get(ask)
        if row is not None:
            self.engine.wires.drop(row.connection, reason)

    def _ask_by(self, stream: Stream, ask: Ask, answered: Answered) -> None:
        engine, waits = self.engine, ask in self._rows
        engine.asks.ask(ask, answered)
        if waits:
            return
        try:
            row = engine.want(stream, ASKING, None)
        except StrategyError:
            return  # A recording has no such stream: its frames may say it all the same.
        except LocalProtocolError as exc:
            engine.asks.told(ask, None, engine.asks.now, str(exc))
            return
        self._rows[ask] = row
        if len(row.owners) > 1 and row.state in LIVE:
            engine.ask_for(row)  # It is there already: its beginning is wanted once more.

    def _release(self, ask: Ask) -> None:
        row = self._rows.pop(ask, None)
        if row is not None:
            self.engine.release(row, ASKING, None)


def _subject(ask: Ask) -> str:
    """Give the instrument or the account that an ask is about; nothing where it is about all."""
    if isinstance(ask, AskInstruments):
        return ""
    return ask.account if isinstance(ask, _OF_ACCOUNTS) else ask.instrument
