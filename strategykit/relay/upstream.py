"""What a relay asks of the run that has its venue, and how it waits for answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import attrs
import trio

from strategykit.errors import StrategykitError
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.relay.channels import Channel
from strategykit.relay.tellers import Teller
from strategykit.runtime.outside import Answered
from strategykit.venues.dialect import Ask, Dialect
from strategykit.venues.streams import Stream
from strategykit.venues.subscriptions import Subscription

__all__ = ["CallRefused", "CantBeAsked", "Held", "Upstream", "ask_venue"]

_ANSWER_WITHIN: Final = 10.0
"""Seconds for the venue's answer to a call."""


class Upstream(Protocol):
    """The run; an `Engine` is one."""

    @property
    def dialect(self) -> Dialect: ...
    def want(self, stream: Stream, owner: str, receive: Callable[[Event], None] | None) -> Subscription: ...
    def release(self, row: Subscription, owner: str, receive: Callable[[Event], None] | None) -> None: ...
    def ask(self, ask: Ask, answered: Answered) -> None: ...


@attrs.define(eq=False)
class Held:
    """A channel that somebody wants."""

    channel: Channel
    teller: Teller
    receive: Callable[[Event], None]
    row: Subscription


class CallRefused(Exception):
    """A call that can't be answered, and the HTTP status that says so."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class CantBeAsked(CallRefused):
    """The venue has no such question."""


async def ask_venue(upstream: Upstream, ask: Ask) -> Sequence[Event | Instrument]:
    """Ask the venue, and wait for the rows of its answer, in bounded time.

    Raises:
        CantBeAsked: It has no such question; nothing was sent.
        CallRefused: It gave no answer, or one that can't be read.
    """
    came = trio.Event()
    found: list[tuple[Sequence[Event | Instrument] | None, str]] = []

    def take(rows: Sequence[Event | Instrument] | None, reason: str) -> None:
        found.append((rows, reason))
        came.set()

    try:
        upstream.dialect.request(ask)  # A run would tell of what can't be asked as of an answer that doesn't come.
        upstream.ask(ask, take)
    except StrategykitError as exc:
        raise CantBeAsked(400, str(exc)) from exc
    with trio.move_on_after(_ANSWER_WITHIN):
        await came.wait()
    rows, reason = found[0] if found else (None, f"no answer within {_ANSWER_WITHIN:g} s")
    if rows is None:
        raise CallRefused(503, f"the venue gave no answer: {reason}")
    return rows
