"""What the wires hand inward: one bounded queue of everything that came, in the order in which it came."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable
from typing import Final

import attrs

from strategykit.errors import ConnectionLost
from strategykit.venues.dialect import Ask

__all__ = ["MAX_WAITING", "Inbox", "Input", "InputKind"]

MAX_WAITING: Final = 200_000
"""Inputs. At 10,000 messages a second that is 20 s of a program that doesn't get to dispatching; beyond it the
connection is dropped and a `Gap` told, because a backlog that nobody sees is stale data."""


class InputKind(enum.Enum):
    FRAME = "frame"
    OPENED = "opened"
    CLOSED = "closed"
    ANSWER = "answer"
    """The answer to an HTTP ask."""
    CONTROL = "control"
    """A word from outside the run, such as ``"stop"``: in the queue, so that a re-run hears it in its place."""


@attrs.define(eq=False)
class Input:
    """One thing that came by a wire."""

    kind: InputKind
    connection: str
    """Its name, such as ``"market-0"``; ``"http"`` for answers."""
    receive_time: int
    """Nanoseconds UTC."""
    payload: str | bytes
    """The frame; for OPENED the lane; for CLOSED the reason; for ANSWER the body; for CONTROL the word."""
    ask: Ask | None = None
    """For ANSWER: what was asked."""
    status: int = 0
    """For ANSWER: the HTTP status; 0 where there was no answer, and `payload` says why. For OPENED: which session of
    this connection it is, counted from 1."""


@attrs.define(eq=False)
class Inbox:
    """A bounded FIFO with one reader. `put_nowait` never blocks, so a socket's reader never waits for a strategy."""

    wake: Callable[[], None]
    """Called when the first input arrives in an empty inbox."""
    waiting: deque[Input] = attrs.field(factory=deque, init=False)
    most: int = attrs.field(default=0, init=False)
    """The greatest depth seen."""

    def put_nowait(self, item: Input) -> None:
        """Add an input.

        Raises:
            ConnectionLost: A data frame found `MAX_WAITING` inputs unread; control inputs always fit.
        """
        waiting = self.waiting
        # Even what comes too much is queued: it is on the tape already, and a re-run counts what it finds there.
        waiting.append(item)
        self.most = max(self.most, len(waiting))
        if len(waiting) == 1:
            self.wake()
        if item.kind is InputKind.FRAME and len(waiting) > MAX_WAITING:
            raise ConnectionLost(
                f"{item.connection}: {MAX_WAITING} inputs wait to be dispatched; the program is too slow for this feed"
            )
