"""A run's end of the pipe to its guard: it is started, told every half second that the loop turns, and told the end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final, NoReturn

import attrs
import trio

from strategykit.runtime.alarms import Alarms
from strategykit.runtime.ending import FOREIGN
from strategykit.runtime.guard_plan import GuardPlan, encode_plan
from strategykit.runtime.guard_watch import BEAT, CONFIRMED, GOODBYE

__all__ = ["GuardLink"]

BEAT_EVERY: Final = 0.5
"""Seconds."""

_LEAVE_WITHIN: Final = 3.0
"""Seconds for the guard to end after a goodbye; it needs no more of us."""


@attrs.define(eq=False)
class GuardLink:
    """The guard of a run; without a plan there is none, and nothing happens."""

    plan: GuardPlan | None
    alarms: Alarms
    _pipe: int = attrs.field(default=-1, init=False)
    _over: bool = attrs.field(default=False, init=False)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Have a guard while the block runs. Without `leave`, or a way out that is no fault of ours, it sees to the
        orders when the process has ended.
        """
        if self.plan is None:
            yield
            return
        process = _start()
        assert process.stdin is not None
        self._pipe = process.stdin.fileno()
        self._send(encode_plan(self.plan, os.getpid()))
        os.set_blocking(process.stdin.fileno(), False)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._beat)
                yield
                nursery.cancel_scope.cancel()
        except* FOREIGN:
            self.leave()
            raise
        finally:
            if self._over:
                self._send(GOODBYE)
            self._pipe = -1
            process.stdin.close()
            if self._over:
                with trio.move_on_after(_LEAVE_WITHIN, shield=True):
                    await trio.to_thread.run_sync(process.wait, abandon_on_cancel=True)
            if process.returncode is None:
                process.returncode = 0  # It waits for our end, and not we for its: Python would warn of that.

    def confirm(self) -> None:
        """The kill switch was pulled, and has done what was asked for."""
        self._send(CONFIRMED)

    def leave(self) -> None:
        """The run ends by itself, and nothing is left for a guard."""
        self._over = True

    async def _beat(self) -> NoReturn:
        while True:
            self._send(BEAT)
            await trio.sleep(BEAT_EVERY)

    def _send(self, data: bytes) -> None:
        if self._pipe < 0:
            return
        try:
            os.write(self._pipe, data)
        except BlockingIOError:
            pass  # It is full of beats that nobody has read: one more says no more.
        except OSError:
            self._pipe = -1
            self.alarms.sound("guard", "it has gone; nobody sees to the orders of this run should it hang")


def _start() -> subprocess.Popen[bytes]:
    """Start the guard, in a session of its own: Ctrl-C and a terminal that closes are the run's."""
    return subprocess.Popen(
        [sys.executable, "-m", "strategykit.runtime.guard"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
