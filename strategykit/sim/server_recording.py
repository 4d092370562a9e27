"""A recording fed to a simulated venue at its own pace, its times moved to the venue's."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable

import attrs
import trio

from strategykit.model.events import Event

__all__ = ["Recording", "play"]

Recording = Iterable[tuple[int, Event]] | AsyncIterable[tuple[int, Event]]
"""Market data with times in nanoseconds, oldest first."""


async def play(
    recording: Recording, feed: Callable[[Event, int, int], None], *, now: Callable[[], int], speed: float
) -> None:
    """Feed a recording from now on; ends with it. An async generator is closed, however this ends.

    Args:
        recording: What was seen, and when.
        feed: Told of each event, the venue's time, and the nanoseconds that lie between the event's own and that.
        now: Gives the venue's time.
        speed: How much faster than recorded.
    """
    pace = _Pace(trio.current_time(), now(), speed)
    if isinstance(recording, AsyncIterable):
        async with contextlib.AsyncExitStack() as stack:
            if isinstance(recording, AsyncGenerator):
                await stack.enter_async_context(contextlib.aclosing(recording))
            async for when, event in recording:
                await trio.sleep_until(pace.due(when))
                feed(event, now(), pace.shift(when))
    else:
        for when, event in recording:
            await trio.sleep_until(pace.due(when))
            feed(event, now(), pace.shift(when))
    await trio.lowlevel.checkpoint()


@attrs.define
class _Pace:
    """When a recording's events are due."""

    start: float
    """On Trio's clock."""
    now: int
    """The venue's time then, nanoseconds UTC."""
    speed: float
    first: int | None = None
    """Time of the first event."""

    def due(self, when: int) -> float:
        """Give the moment on Trio's clock."""
        self.first = when if self.first is None else self.first
        return self.start + (when - self.first) / 1e9 / self.speed

    def shift(self, when: int) -> int:
        """Give what is added to the times of an event that was recorded at `when` to make them the venue's."""
        return self.now + int((when - (self.first or 0)) / self.speed) - when
