"""What lies between the relay's clients and its venue: one process, or a Redis that many relays share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import trio

from strategykit.relay.source import Source
from strategykit.sim.http_calls import HttpAnswer, json_answer

__all__ = ["Bus", "BusEnds", "LocalBus"]


class BusEnds(Protocol):
    """What a bus hands over; none of it blocks."""

    def deliver(self, channel: str, message: bytes) -> None:
        """Take one message of a channel that was subscribed to."""
        ...

    def missed(self, reason: str) -> None:
        """Messages of all channels may have been lost: clients have to be told."""
        ...


class Bus(Protocol):
    """Carries messages of channels from whoever has the venue to whoever has clients. Its plain methods never wait."""

    @property
    def source(self) -> Source | None:
        """The venue's end; None where others have it."""
        ...

    def subscribe(self, channel: str) -> str:
        """Have a channel's messages delivered from now on; give why that can't be, or nothing.

        Called when the first client asks, and not again before `unsubscribe`.
        """
        ...

    def unsubscribe(self, channel: str) -> None:
        """Called when the last client has left."""
        ...

    async def call(self, path: str, query: Mapping[str, str]) -> HttpAnswer:
        """Have a REST call answered by whoever has the venue."""
        ...

    async def run(self, ends: BusEnds, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Carry messages until cancelled; `started` when it may be used."""
        ...

    @property
    def statistics(self) -> Mapping[str, Any]: ...


class LocalBus:
    """One process: whoever has the venue also has the clients.

    Args:
        make_source: Makes the venue's end from what takes its messages.
    """

    def __init__(self, make_source: Callable[[Callable[[str, bytes], None]], Source]) -> None:
        self._ends: BusEnds | None = None
        self.source = make_source(self._publish)

    def subscribe(self, channel: str) -> str:
        return self.source.want(channel)

    def unsubscribe(self, channel: str) -> None:
        self.source.release(channel)

    async def call(self, path: str, query: Mapping[str, str]) -> HttpAnswer:
        if self._ends is None:
            await trio.lowlevel.checkpoint()
            return json_answer(503, {"message": "the relay isn't there yet, or no more"})
        return await self.source.answer(path, query)

    async def run(self, ends: BusEnds, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        self._ends = ends
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            self._ends = None
            self.source.release_all()

    @property
    def statistics(self) -> Mapping[str, Any]:
        return {"bus": "in-process", **self.source.statistics}

    def _publish(self, channel: str, message: bytes) -> None:
        if self._ends is not None:
            self._ends.deliver(channel, message)
