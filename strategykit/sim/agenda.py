"""What a paper exchange will do at later times: take commands, end orders, tell what has happened."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Final

import attrs

from strategykit.model.events import Event
from strategykit.model.orders import Command
from strategykit.venues.dialect import Reply

__all__ = ["NEVER", "Agenda", "Arrival", "Delivered", "Lapse", "News"]

NEVER: Final = 1 << 63


@attrs.frozen
class Lapse:
    """An order ends."""

    number: str


@attrs.frozen
class Arrival:
    """A command takes effect."""

    command: Command


@attrs.frozen
class News:
    """What happened to orders reaches their owner."""

    told: Sequence[Reply | Event]


@attrs.frozen
class Delivered:
    """Market data, which the exchange has known for a while, reach the strategies."""

    event: Event


Task = Lapse | Arrival | News | Delivered

_RANKS: Final[dict[type, int]] = {Lapse: 0, Arrival: 1, News: 2, Delivered: 3}
"""Which comes first of what is due at one time."""


class Agenda:
    """Tasks by their times. What travels keeps its order: an answer never overtakes the one before it."""

    def __init__(self) -> None:
        self._tasks: list[tuple[int, int, int, Task]] = []
        self._count = 0
        self._latest = [0, 0, 0, 0]
        self.next = NEVER
        """When the first one is due, nanoseconds UTC; `NEVER` where there is none."""

    def add(self, time: int, task: Task) -> None:
        rank = _RANKS[type(task)]
        if rank:
            time = self._latest[rank] = max(time, self._latest[rank])
        self._count += 1
        heappush(self._tasks, (time, rank, self._count, task))
        self.next = self._tasks[0][0]

    def pop(self) -> tuple[int, Task]:
        """Take out the first one, with its time."""
        time, _, _, task = heappop(self._tasks)
        self.next = self._tasks[0][0] if self._tasks else NEVER
        return time, task
