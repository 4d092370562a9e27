"""Questions over HTTP that wait for their answers; each answer is taken in its place among the frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

import attrs

from strategykit.errors import RemoteProtocolError
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.net.inbox import Input
from strategykit.runtime.outside import Answered
from strategykit.venues.dialect import Ask, Dialect

__all__ = ["Asks", "answer_in_words"]

_SHOWN: Final = 200
"""Bytes of an answer that are quoted."""


@attrs.define(eq=False)
class Asks:
    """Who waits for which answer; equal asks are answered in the order in which they were asked."""

    dialect: Dialect
    now: int = attrs.field(default=0, init=False)
    """When the answer that is being taken came, nanoseconds UTC."""
    _waiting: dict[Ask, deque[Answered]] = attrs.field(factory=dict, init=False)

    def ask(self, ask: Ask, answered: Answered) -> None:
        """Have `answered` called with the next answer to `ask` that nobody else waits for."""
        self._waiting.setdefault(ask, deque()).append(answered)

    def waiting(self, kind: type[Ask]) -> list[Ask]:
        """Give the asks of a kind that wait for an answer."""
        return [ask for ask in self._waiting if isinstance(ask, kind)]

    def told(self, ask: Ask, rows: Sequence[Event | Instrument] | None, now: int, reason: str = "") -> None:
        """Give an answer that came as data, or why none will come, to everybody who waits for it."""
        self.now = now
        for take in self._waiting.pop(ask, ()):
            take(rows, reason)

    def answered(self, item: Input) -> bool:
        """Give an answer to who has waited longest for it; False if it can't be read. Nobody may want it."""
        ask = item.ask
        waiting = None if ask is None else self._waiting.get(ask)
        if ask is None or not waiting:
            return True
        take = waiting.popleft()
        self.now = item.receive_time
        if not waiting:
            del self._waiting[ask]
        body = item.payload if isinstance(item.payload, bytes) else item.payload.encode()
        rows: Sequence[Event | Instrument] | None = None
        reason, readable = "", True
        if not 200 <= item.status < 300:
            reason = answer_in_words(item.status, body)
        else:
            try:
                rows = self.dialect.decode_answer(ask, body, receive_time=item.receive_time)
            except RemoteProtocolError as exc:
                readable, reason = False, str(exc)
        take(rows, reason)
        return readable


def answer_in_words(status: int, body: bytes) -> str:
    """Say what an answer that isn't good says; with status 0 there was none, and the body is ours."""
    words = body[:_SHOWN].decode("utf-8", "replace")
    return f"{status}: {words}" if status else words
