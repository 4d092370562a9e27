"""Syncing by the kernel alone: Linux' asynchronous I/O, which tells of its end by a readable file descriptor.

A thread needs Python's lock before and after its sync, and a loop that is busy lets go of it for microseconds only:
threads were seen to wait 60 ms for 0.1 ms of syncing. Python has no call for this kind of I/O, so that the three system
calls are made by number.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self

import trio

from strategykit.journal.sync import WITHIN, Waiting

__all__ = ["KernelSync", "KernelSyncs"]

_CALLS: Final = {"x86_64": (206, 207, 209, 208), "aarch64": (0, 1, 2, 4)}
"""Numbers of io_setup, io_destroy, io_submit and io_getevents by machine (Linux, ``unistd.h``)."""

_REQUEST: Final = struct.Struct("<QIiHhIQQqQII")
"""``struct iocb`` (Linux, ``aio_abi.h``): data, key, flags, operation, priority, file, buffer, bytes, offset, nothing,
flags, and the file descriptor that is told of the end."""
_FDSYNC: Final = 3
_TELL: Final = 1
"""``IOCB_FLAG_RESFD``"""

_EVENT: Final = struct.Struct("<QQqq")
"""``struct io_event``: data, request, result, second result."""

_SLOW: Final = 0.003
"""Seconds. Where a sync takes longer, the next one begins when the loop has ended its turn: one sync then is for all
that this turn writes."""


class KernelSyncs:
    """One file's syncs, one at a time.

    Attributes:
        told: File descriptor that is readable once a sync has ended.

    Raises:
        OSError: This system can't do it.
    """

    def __init__(self, fd: int) -> None:
        calls = _CALLS.get(platform.machine())
        if sys.platform != "linux" or calls is None or sys.maxsize < 1 << 32:
            raise OSError(errno.ENOSYS, "no asynchronous I/O of Linux on this machine")
        setup, self._destroy, self._submit, self._events = calls
        self._call = ctypes.CDLL(None, use_errno=True).syscall
        self._context = ctypes.c_ulong()
        self.told: Final = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            self._do(setup, 1, ctypes.byref(self._context))
        except OSError:  # Forbidden in here, or too many of them.
            os.close(self.told)
            raise
        self._request = ctypes.create_string_buffer(
            _REQUEST.pack(0, 0, 0, _FDSYNC, 0, fd, 0, 0, 0, 0, _TELL, self.told)
        )
        self._requests = (ctypes.c_void_p * 1)(ctypes.addressof(self._request))
        self._event = ctypes.create_string_buffer(_EVENT.size)

    def begin(self) -> None:
        """Begin a sync; the one before must have been ended.

        Raises:
            OSError: It can't be begun.
        """
        self._do(self._submit, self._context, ctypes.c_long(1), self._requests)

    def ended(self, within: float = 0.0) -> bool:
        """Say whether the sync has ended; wait up to so many seconds.

        Raises:
            OSError: It failed.
        """
        until = struct.pack("<qq", int(within), int(within % 1 * 1e9))
        try:
            if not self._do(self._events, self._context, ctypes.c_long(1), ctypes.c_long(1), self._event, until):
                return False
        except InterruptedError:
            return False
        result = _EVENT.unpack(self._event.raw)[2]
        if result:
            raise OSError(-result, os.strerror(-result))
        return True

    def close(self) -> None:
        """Let go; no sync may be going on."""
        with suppress(OSError):
            self._do(self._destroy, self._context)
        os.close(self.told)

    def _do(self, call: int, *arguments: object) -> int:
        result: int = self._call(ctypes.c_long(call), *arguments)
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result


class KernelSync:
    """Has the kernel sync; a task of the loop hears of the end. `clock` gives seconds."""

    def __init__(self, waiting: Waiting, syncs: KernelSyncs, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._waiting = waiting
        self._syncs = syncs
        self._syncing: int | None = None
        """Number of the record up to which it syncs just now."""
        self._again = False
        self._clock = clock
        self._began = clock()
        self._took = 0.0
        self._listening: trio.lowlevel.TrioToken | None = None
        self._stopped = False

    @classmethod
    def of(cls, waiting: Waiting, fd: int) -> Self | None:
        """Give one for an open file; None where the system can't."""
        with suppress(OSError):
            return cls(waiting, KernelSyncs(fd))
        return None

    def start(self) -> None:
        """There is nothing to start: the first that waits starts the task."""

    def want(self, seq: int, token: trio.lowlevel.TrioToken) -> None:
        if self._listening is not token:
            self._listening = token
            trio.lowlevel.spawn_system_task(self._listen)
        if self._syncing is not None:
            self._again = self._again or seq > self._syncing
        elif self._took > _SLOW:
            token.run_sync_soon(self._begin, idempotent=True)
        else:
            self._begin()

    def note(self) -> None:
        if self._clock() - self._began > WITHIN:
            self._hear()
            self._begin()

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
        if self._listening is None:
            self._syncs.close()
        else:  # The task closes it, if there still is one; a loop that has ended has forgotten it.
            os.eventfd_write(self._syncs.told, 1)
        return True

    def _begin(self) -> None:
        if self._syncing is not None or not self._waiting.unsafe:
            return
        self._again, self._began = False, self._clock()
        seq = self._waiting.written()
        try:
            self._syncs.begin()
        except OSError as exc:
            self._waiting.broke(exc)
        else:
            self._syncing = seq

    def _hear(self, within: float = 0.0) -> None:
        """See whether the sync has ended, and tell of it."""
        if self._syncing is None:
            return
        try:
            if not self._syncs.ended(within):
                return
        except OSError as exc:
            self._syncing = None
            self._waiting.broke(exc)
            return
        seq, self._syncing = self._syncing, None
        self._took = self._clock() - self._began
        self._waiting.synced(seq)

    async def _listen(self) -> None:
        try:
            while True:
                await trio.lowlevel.wait_readable(self._syncs.told)
                with suppress(BlockingIOError):
                    os.eventfd_read(self._syncs.told)
                if self._stopped:
                    break
                self._hear()
                if self._again:
                    self._begin()
        finally:
            self._listening = None
            if self._stopped:
                self._syncs.close()
