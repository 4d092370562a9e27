"""Signals that end a run: Ctrl-C, a second Ctrl-C, SIGTERM."""

from __future__ import annotations

import signal

import trio

__all__ = ["Stops"]


class Stops:
    """Counts the signals that ask for an end.

    It listens from before the tape is opened until it is sealed, so that no signal tears it: those that come when
    everything is being closed already change nothing.
    """

    def __init__(self) -> None:
        self.count = 0
        self._came = trio.Event()

    async def listen(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Count, until cancelled."""
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            async for _ in signals:
                self.count += 1
                came, self._came = self._came, trio.Event()
                came.set()

    async def wait(self, count: int) -> None:
        """Return once so many have come, since the beginning."""
        await trio.lowlevel.checkpoint()
        while self.count < count:
            await self._came.wait()
