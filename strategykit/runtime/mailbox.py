"""What one ``async for`` over a stream hasn't taken yet, and how it takes the next event of a replay for little.

Waking a task costs some microseconds, and in a replay the task that an event wakes often wants nothing but the next
one. Then the task itself moves the replay on by one event, while the driver waits: see `Pump`. It does so only where
nothing else could happen between the two events, so that everything comes in the order in which it would have come.
"""

from __future__ import annotations

import dis
import inspect
import sys
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, Protocol, TypeVar

from trio.lowlevel import checkpoint_if_cancelled

from strategykit.runtime.clock import ReplayClock
from strategykit.runtime.waking import Signal, Wakes

__all__ = ["MAILBOX", "Mailbox", "Pump", "in_async_for"]

E = TypeVar("E")

MAILBOX: Final = 10_000
"""Events that one ``async for`` may lag behind before its strategy is stopped: at 1,000 events a second, 10 s."""

_GET_AITER: Final = dis.opmap["GET_AITER"]


def in_async_for() -> bool:
    """Say whether the caller's caller is a coroutine that begins an ``async for``, which keeps the iterator to itself.

    Then each next event is asked for at one place of it, inside the same cancel scopes. Of an iterator that somebody
    holds, or of an asynchronous generator's, nobody knows by which deadlines it will be asked.
    """
    frame = sys._getframe(2)  # noqa: SLF001 - it is documented, and nothing else gives a frame
    code = frame.f_code
    return bool(code.co_flags & inspect.CO_COROUTINE) and code.co_code[frame.f_lasti] == _GET_AITER


class Source(Protocol):
    """A feed, as its mailboxes see it."""

    conflate: bool

    def overflowed(self) -> None: ...


class Mailbox(Generic[E]):
    """What one ``async for`` hasn't taken yet.

    Args:
        wakes: Of the run.
        feed: Whose events.
        hidden: Whether nobody but one ``async for`` can ask it for events.
    """

    __slots__ = ("__weakref__", "_feed", "_full", "_items", "_signal", "hidden", "pump")

    def __init__(self, wakes: Wakes, feed: Source, *, hidden: bool) -> None:
        self._items: deque[E] = deque()
        self._signal = Signal(wakes)
        self._feed = feed
        self._full = False
        self.hidden = hidden
        self.pump: Pump | None = None
        """Lets the task that waits take the next event itself; None nearly always."""

    def put(self, item: E) -> None:
        items = self._items
        if self._feed.conflate:
            items.clear()
        elif len(items) >= MAILBOX:
            if not self._full:
                self._full = True
                self._feed.overflowed()
            return
        items.append(item)
        self._signal.notify()

    def __aiter__(self) -> Mailbox[E]:
        self.hidden = False
        return self

    async def __anext__(self) -> E:
        if self.pump is not None and not self._items:
            await checkpoint_if_cancelled()
            event: E | None = self.pump.draw()
            if event is not None:
                return event
            self.pump = None
        await self._signal.until(lambda: bool(self._items))
        return self._items.popleft()


class Pump:
    """Moves a replay on by one event, in the task that is to get it.

    It is there while the driver has woken one task and waits for it to block. Whatever that task has done besides, such
    as start another task, place an order, or ask Trio for the time, ends it: then the task waits, as always, and the
    driver goes on. So does an event that isn't for this mailbox alone.

    Args:
        clock: Of the run.
        events: Where they come from, up to what else is to happen.
        box: Gets them.
        guid: Of its stream.
        sink: Keeps the last event.
        meet: Shows each to the exchange, where there is one.
    """

    __slots__ = ("_box", "_clock", "_events", "_guid", "_kind", "_meet", "_put_back", "_sink")

    def __init__(
        self,
        clock: ReplayClock,
        events: Iterator[Any],
        *,
        box: Mailbox[Any],
        guid: str,
        kind: Any,
        sink: Any,
        meet: Callable[[Any], object] | None,
    ) -> None:
        self._box = box
        self._put_back: Any = None
        self._clock = clock
        self._events = events
        self._guid = guid
        self._kind: Any = kind
        self._sink = sink
        self._meet = meet

    def draw(self) -> Any:
        """Give the next event; None: there is none now, and never will be from here."""
        clock = self._clock
        if clock.woken:
            return None
        for event in self._events:
            if event.guid is not self._guid or type(event) is not self._kind:
                self._put_back = event
                return None
            clock.reading = event.receive_time
            if self._meet is not None:
                self._meet(event)
            self._sink.last = event
            return event
        return None

    def close(self) -> Any:
        """End it; give the event that ended it before, if one did: it is still to be given."""
        self._box.pump = None
        return self._put_back
