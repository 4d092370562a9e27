"""What the wires hand inward: one bounded queue of everything that came, in the order in which it came."""

from __future__ import annotations

import enum
import sys
from collections import deque
from collections.abc import Callable
from typing import Final

import attrs

from strategykit.errors import ConnectionLost
from strategykit.venues.dialect import Ask

__all__ = ["MAX_WAITING", "MAX_WAITING_BYTES", "Inbox", "Input", "InputKind"]

MAX_WAITING: Final = 200_000
"""Inputs. At 10,000 messages a second that is 20 s of a program that doesn't get to dispatching; beyond it the
connection is dropped and a `Gap` told, because a backlog that nobody sees is stale data."""

MAX_WAITING_BYTES: Final = 256 << 20
"""Bytes of memory that the payloads of waiting inputs may hold. Frames of some hundred bytes reach `MAX_WAITING` first;
deep books of a megabyte would fill the machine long before. What happens beyond it is the same."""


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
    """What came and wasn't taken yet; readers take by `take`."""
    most: int = attrs.field(default=0, init=False)
    """The greatest depth seen."""
    bytes: int = attrs.field(default=0, init=False)
    """Held by the payloads of what waits."""

    def put_nowait(self, item: Input) -> None:
        """Add an input.

        Raises:
            ConnectionLost: A data frame found `MAX_WAITING` inputs or `MAX_WAITING_BYTES` unread; it is queued all
                the same, and whatever is no data frame always fits.
        """
        waiting = self.waiting
        # Even what comes too much is queued: the recorder has it already, and a re-run counts what it finds there.
        waiting.append(item)
        count = len(waiting)
        self.most = max(self.most, count)
        size = sys.getsizeof(item.payload)
        if count == 1:
            self.bytes = size
            self.wake()
        else:
            self.bytes += size
        if item.kind is not InputKind.FRAME:
            return
        if count > MAX_WAITING:
            raise ConnectionLost(
                f"{item.connection}: {MAX_WAITING} inputs wait to be dispatched; the program is too slow for this feed"
            )
        if self.bytes > MAX_WAITING_BYTES:
            raise ConnectionLost(
                f"{item.connection}: {self.bytes >> 20} MiB wait to be dispatched, of at most "
                f"{MAX_WAITING_BYTES >> 20} MiB; the program is too slow for this feed"
            )

    def take(self) -> Input:
        """Give the oldest input, which then waits no more.

        Raises:
            IndexError: Nothing waits.
        """
        item = self.waiting.popleft()
        self.bytes -= sys.getsizeof(item.payload)
        return item
