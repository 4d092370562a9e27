"""Syncing by a process of its own, so that neither waits for the other.

A thread needs Python's lock before and after its sync, and a loop that is busy lets go of it for microseconds only:
where a thread waited 60 ms, and sometimes much longer, for 0.1 ms of syncing, a process took 0.3 ms.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self

import trio

from strategykit.journal import syncing
from strategykit.journal.sync import WITHIN, Waiting

__all__ = ["BesideSync", "SyncProcess"]

_ANSWER: Final = struct.Struct("<i")
"""Error of the system, 0 being none, as `syncing` writes it."""


class SyncProcess:
    """A process that syncs one file, one sync at a time.

    Attributes:
        wire: Is readable once a sync has ended.

    Raises:
        OSError: It can't be started.
    """

    def __init__(self, fd: int) -> None:
        self.wire, far = socket.socketpair()
        self.wire.setblocking(False)
        command = [sys.executable, "-I", "-S", syncing.__file__, str(fd), str(far.fileno())]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - nothing in it is from outside
                command,
                pass_fds=(fd, far.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # Ctrl-C doesn't reach it there. Not a session of its own: a scheduler that shares the processor among
                # sessions was seen to let it wait 4 ms for its turn.
                process_group=0,
            )
        except OSError:
            self.wire.close()
            raise
        finally:
            far.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def begin(self) -> None:
        """Begin a sync; the one before must have ended.

        Raises:
            OSError: The process is gone.
        """
        self.wire.send(b"?")

    def ended(self, within: float = 0.0) -> bool:
        """Say whether the sync has ended; wait up to so many seconds.

        Raises:
            OSError: It failed, or nobody knows: the process is gone.
        """
        if not select.select([self.wire], [], [], within)[0]:
            return False
        answer = self.wire.recv(_ANSWER.size)
        if len(answer) < _ANSWER.size:
            raise OSError(errno.EPIPE, "the process that syncs has died")
        (code,) = _ANSWER.unpack(answer)
        if code:
            raise OSError(code, os.strerror(code))
        return True

    def end(self, within: float) -> None:
        """Let it go, and wait for that up to so many seconds. `wire` is readable then; it stays open until `close`."""
        with suppress(OSError):
            self.wire.shutdown(socket.SHUT_WR)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(within)

    def close(self) -> None:
        self.wire.close()


class BesideSync:
    """Has a process sync; a task of the loop hears of the end. `clock` gives seconds."""

    def __init__(self, waiting: Waiting, process: SyncProcess, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._waiting = waiting
        self._process = process
        self._clock = clock
        self._syncing: int | None = None
        """Number of the record up to which it syncs just now."""
        self._again = False
        self._began = clock()
        self._listening: trio.lowlevel.TrioToken | None = None
        """The loop whose task listens."""
        self._stopped = False

    @classmethod
    def of(cls, waiting: Waiting, fd: int) -> Self | None:
        """Give one for an open file; None where no process can be started."""
        with suppress(OSError):
            return cls(waiting, SyncProcess(fd))
        return None

    def start(self) -> None:
        """The process runs already; the first who waits starts the task."""

    def want(self, seq: int, token: trio.lowlevel.TrioToken) -> None:
        if self._listening is not token:
            self._listening = token
            trio.lowlevel.spawn_system_task(self._listen)
        if self._syncing is not None:
            self._again = self._again or seq > self._syncing
        else:
            # When the loop has ended its turn: one sync is for all that this turn writes, such as ten orders.
            token.run_sync_soon(self._begin, idempotent=True)

    def note(self) -> None:
        if self._clock() - self._began > WITHIN:
            self._hear()
            self._begin()
            self._waiting.tell_soon()

    def stop(self, within: float) -> bool:
        until = self._clock() + within
        while self._syncing is not None or self._waiting.unsafe:
            if self._syncing is None:
                self._begin()
            left = until - self._clock()
            self._hear(max(0.0, left))
            if self._syncing is not None and left <= 0:
                return False
        self._stopped = True
        self._waiting.tell_soon()
        self._process.end(max(0.0, until - self._clock()))
        if self._listening is None:
            self._process.close()  # Else the task does, which wakes up now, or the end of its loop.
        return True

    def _begin(self) -> None:
        if self._syncing is not None or not self._waiting.unsafe:
            return
        self._again, self._began = False, self._clock()
        seq = self._waiting.written()
        try:
            self._process.begin()
        except OSError as exc:
            self._waiting.broke(exc)
        else:
            self._syncing = seq

    def _hear(self, within: float = 0.0) -> None:
        """See whether the sync has ended, and how."""
        if self._syncing is None:
            return
        try:
            if not self._process.ended(within):
                return
        except OSError as exc:
            self._syncing = None
            self._waiting.broke(exc)
            return
        self._waiting.durable, self._syncing = self._syncing, None

    async def _listen(self) -> None:
        try:
            while self._waiting.failed is None:
                await trio.lowlevel.wait_readable(self._process.wire)
                if self._stopped:
                    break
                if self._syncing is None:
                    self._waiting.broke(OSError(errno.EPIPE, "the process that syncs has died"))
                self._hear()
                if self._again:
                    self._begin()
                self._waiting.tell()
        finally:
            self._listening = None
            if self._stopped:
                self._process.close()
