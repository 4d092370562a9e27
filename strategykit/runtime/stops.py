"""Signals to a run: Ctrl-C, a second Ctrl-C, SIGTERM, SIGHUP end it, SIGUSR1 pulls its kill switch."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Final, Self

import trio

__all__ = ["Stops"]

LEFT_AFTER: Final = (4.0, 0.8)
"""Seconds from the first signal, and from the second, until the process is left by force where no task of the run gets
the thread to see to that: a strategy may hold it, and catch what interrupts it."""


class Stops:
    """Counts the signals that ask for an end. A context manager: leaving it calls the last resort off.

    It listens from before the tape is opened until it is sealed, so that no signal tears it: those that come when
    everything is being closed already change nothing.
    """

    def __init__(self) -> None:
        self.count = 0
        self.kill = trio.Event()
        self.why: Callable[[], str] = lambda: "the run didn't end when told to"
        """Gives what is told when the process is left by force; called in another thread."""
        self._came = trio.Event()
        self._timer: threading.Timer | None = None
        self._asked = 0
        self._handled = 0
        self._over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stay()

    async def listen(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Count, until cancelled; `kill` is set when the kill switch is pulled."""
        ends = [signal.SIGINT, signal.SIGTERM]
        # A terminal that closes, or a connection to it that breaks. Under `nohup` it is ignored, and stays so.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            ends.append(signal.SIGHUP)
        with trio.open_signal_receiver(*ends, signal.SIGUSR1) as signals:
            for number in ends:
                self._overhear(number)
            task_status.started()
            async for came in signals:
                if came == signal.SIGUSR1:
                    self.kill.set()
                    continue
                self.count += 1
                before, self._came = self._came, trio.Event()
                before.set()

    async def wait(self, count: int) -> None:
        """Return once so many have come, since the beginning."""
        await trio.lowlevel.checkpoint()
        while self.count < count:
            await self._came.wait()

    def abandon_in(self, seconds: float, why: Callable[[], str]) -> None:
        """Leave the process, with exit code 1, unless the run is over by then.

        Trio can't end a task that shields itself or swallows its cancellation, and the run can't end before it. What
        was recorded so far is on the disk; its last segment isn't sealed.

        Args:
            seconds: From now; a later call replaces an earlier one.
            why: Gives the line that is told, without a line's end. Called in another thread.
        """
        self._call_off()
        # A signal may come in the midst of this, and with it a later call: no timer may stay that nobody can call off.
        self._asked += 1
        timer = threading.Timer(seconds, self._abandon, (self._asked, why))
        timer.daemon = True
        timer.start()
        self._timer = timer

    def stay(self) -> None:
        """Call `abandon_in` off: the run is over, and signals that still come change nothing."""
        self._over = True
        self._call_off()

    def _overhear(self, number: int) -> None:
        """See each signal before Trio does: a handler is called whatever the thread is at, a task isn't."""
        trios = signal.getsignal(number)

        def handle(number: int, frame: FrameType | None) -> None:
            if not self._over and self._handled < len(LEFT_AFTER):
                self.abandon_in(LEFT_AFTER[self._handled], self.why)
                self._handled += 1
            if callable(trios):
                trios(number, frame)

        signal.signal(number, handle)  # Trio puts back what was there before itself.

    def _call_off(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _abandon(self, asked: int, why: Callable[[], str]) -> None:
        if self._over or asked != self._asked:
            return
        try:
            sys.stderr.write(f"strategykit: {why()}\n")
            sys.stderr.flush()
        finally:
            os._exit(1)
