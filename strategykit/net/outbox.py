"""What waits to be sent on one session: in its order, but for what takes an order back, which goes first."""

from __future__ import annotations

from collections import deque
from typing import Final

import trio

from strategykit.net.link import Job

__all__ = ["MAX_UNSENT", "Outbox"]

MAX_UNSENT: Final = 10_000
"""Jobs that wait to be sent: order commands, and one for all changes of what the session carries, however many. A wire
that has so many before it doesn't carry anything any more."""


class Outbox:
    """Takes jobs from anywhere without waiting, and gives them to the one task that sends."""

    def __init__(self) -> None:
        self._urgent: deque[Job] = deque()
        self._usual: deque[Job] = deque()
        self._news = trio.Event()
        self._closed = False

    def put(self, job: Job, *, urgent: bool) -> bool:
        """Put `job` in line, before all that isn't urgent if it is; False if the line is full."""
        if len(self._urgent) + len(self._usual) >= MAX_UNSENT:
            return False
        (self._urgent if urgent else self._usual).append(job)
        self._news.set()
        return True

    def close(self) -> None:
        """Take nothing any more, and forget what waits."""
        self._closed = True
        self._urgent.clear()
        self._usual.clear()

    @property
    def closed(self) -> bool:
        return self._closed

    def __bool__(self) -> bool:
        return bool(self._urgent or self._usual)

    async def get(self) -> Job:
        """Give the next job; wait for it if there is none."""
        await trio.lowlevel.checkpoint()
        while not (self._urgent or self._usual):
            self._news = trio.Event()
            await self._news.wait()
        return (self._urgent or self._usual).popleft()
