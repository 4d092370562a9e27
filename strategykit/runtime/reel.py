"""Events in the order of their time, taken by stretches: those before something else is due."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from operator import attrgetter, length_hint
from typing import Any, Final

from strategykit.model.events import Event

__all__ = ["Reel"]

_TIME: Final = attrgetter("receive_time")


class Reel:
    """What is left of some events.

    To compare a time with what is due takes as long as all else that a replay does about an event, so a list's are
    counted beforehand. Those that are made as they are asked for, such as a generator's, are compared one by one.

    Args:
        events: Oldest first.
    """

    __slots__ = ("_due", "_events", "_first", "_left", "_stop")

    def __init__(self, events: Iterable[Event]) -> None:
        self._events = events if isinstance(events, list) else None
        self._left = iter(events)
        self._first: Event | None = None
        """Comes before those that are left."""
        self._due, self._stop = 0, 0
        """The last time that was asked for, and how many events of all come before it."""

    def before(self, due: int) -> Iterator[Any]:
        """Give the events before `due` nanoseconds UTC; what isn't taken from there is left."""
        first = self._first
        rest = self._compared(due) if self._events is None else islice(self._left, self._count(self._events, due))
        if first is None:
            return rest
        if first.receive_time >= due:
            return iter(())
        self._first = None
        return chain((first,), rest)

    def next(self) -> Event | None:
        """Take the next event, whatever its time; None: there are no more."""
        first, self._first = self._first, None
        return next(self._left, None) if first is None else first

    def put_back(self, event: Event) -> None:
        """Have the event that was taken last be the next one again."""
        self._first = event

    def _count(self, events: list[Event], due: int) -> int:
        start = len(events) - length_hint(self._left)
        if due != self._due or self._stop < start:
            near, far, step = start, start, 1
            while far < len(events) and events[far].receive_time < due:  # Mostly what is due is due soon, or never.
                near, far, step = far, far + step, step * 2
            self._due, self._stop = due, bisect_left(events, due, near, min(far, len(events)), key=_TIME)
        return self._stop - start

    def _compared(self, due: int) -> Iterator[Any]:
        for event in self._left:
            if event.receive_time >= due:
                self._first = event
                return
            yield event
