"""The disk's side of a recording: when waiting records are written, synced, sealed.

Who finds a full batch, the event loop, writes it: that goes into the page cache and takes some 20 µs. A thread writes
smaller batches after some milliseconds, also while a strategy keeps the loop busy, and changes segments. Another one
syncs. Threads of their own, not Trio's: a run on a virtual clock isn't disturbed by its recorder's deadlines. And a
thread alone wouldn't do: one that waits for the GIL starves while a busy event loop releases it for a microsecond at a
time, as polling does; 60 MiB were seen to pile up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import attrs

from strategykit.errors import TapeError
from strategykit.tape.compress import compress_segment
from strategykit.tape.disk import Disk, in_words
from strategykit.tape.format import SegmentHeader, TapeHeader, shown
from strategykit.tape.segment_file import SegmentFile, time_of

__all__ = ["Spool", "TapeLimits"]


_NUDGE: Final = 50e-6
"""Seconds off the GIL, long enough for a thread that has something to do to wake up and take it. Needed by a loop
that is busy all the time, and then once in 4 MiB."""


@attrs.frozen(kw_only=True)
class TapeLimits:
    """How a tape is cut and how soon it is safe. Change them in tests."""

    segment_bytes: int = 256 << 20
    segment_time: int = 3_600 * 10**9
    """Nanoseconds of recorded time, by the records' own times."""
    batch_bytes: int = 64 << 10
    """So many waiting bytes are written at once …"""
    batch_within: float = 0.008
    """… and fewer after so many seconds. With the write itself that stays under 10 ms: what a kill can lose."""
    sync_bytes: int = 4 << 20
    sync_within: float = 1.0
    """Seconds: what a loss of power can lose."""
    waiting_bytes: int = 64 << 20
    """What may wait for a slow disk; beyond it the tape has failed."""
    close_within: float = 3.0
    """Seconds that the end of a recording may take; then it is left unsealed."""


class Spool:
    """One recording's files. Making one makes the first segment, durably; `start` starts the threads.

    The event loop appends to `waiting` and sets `some` when it was empty.

    Args:
        directory: The tape's, empty and locked.
        header: Of the run.
        instance: Names this writer.
        names: Connections so far; the event loop appends to it.
        disk: How files are reached.
        limits: When to write, sync and roll.
        compress: Whether sealed segments are compressed.
        fail: Told, on a thread, once or more, that recording has stopped.

    Raises:
        OSError: The disk refused.
    """

    def __init__(
        self,
        directory: Path,
        header: TapeHeader,
        instance: str,
        names: Sequence[str],
        *,
        disk: Disk,
        limits: TapeLimits,
        compress: bool,
        fail: Callable[[TapeError], None],
    ) -> None:
        self.waiting: list[bytes] = []
        """Whole records, in order."""
        self.written = 0
        """Bytes of records that the operating system has taken."""
        self.some: Final = threading.Event()
        """Set when something waits."""
        self.plenty: Final = threading.Event()
        """Set when the writing thread shouldn't wait for more."""
        self._directory = directory
        self._header = header
        self._instance = instance
        self._names = names
        self._disk = disk
        self._limits = limits
        self._compress = compress
        self._fail = fail
        self._stopping = threading.Event()
        self._failed = False
        self._abandoned = threading.Event()
        self._sync_due = threading.Event()
        self._writing = threading.Lock()
        """Held by who takes from `waiting` and writes."""
        self._turn = threading.Lock()
        """Held while the file is synced or exchanged for the next one; not while it is written. Taken second."""
        self._file = SegmentFile.create(disk, directory, self._segment_header(1, 1))
        self._number = 1
        self._compressing: list[threading.Thread] = []
        self._writer = threading.Thread(target=self._keep_writing, name="tape-write", daemon=True)
        self._syncer = threading.Thread(target=self._keep_syncing, name="tape-sync", daemon=True)

    # The event loop's side.

    def start(self) -> None:
        self._writer.start()
        self._syncer.start()

    def close(self) -> bool:
        """Write what waits, seal, compress. Blocks, but for `close_within` at the most; False if that didn't do.

        The bound is real time: Trio's clock may be a virtual one.
        """
        until = time.monotonic() + self._limits.close_within
        self._stopping.set()
        for event in (self.some, self.plenty, self._sync_due):
            event.set()
        self._writer.join(self._limits.close_within)
        for thread in self._compressing:
            thread.join(max(0.0, until - time.monotonic()))
        self._abandoned.set()  # Compression that takes longer leaves the segment as it is.
        return not self._writer.is_alive()

    def relieve(self, size: int) -> None:
        """Write what waits, `size` bytes or less, unless the disk is busy: then it waits on."""
        # While this waits, a thread that wants the GIL to finish gets it. With a stalled disk it costs a millisecond
        # a batch.
        if not self._writing.acquire(timeout=0.001):
            return
        try:
            waiting = self.waiting
            if self._failed or not waiting:
                return
            if self._due(size, waiting):
                self.plenty.set()  # A change of segments syncs, which can take long: the thread's business.
            else:
                self._take()
        except OSError as exc:
            self._failed_on(exc)
        finally:
            self._writing.release()
        if self._sync_due.is_set() or self.plenty.is_set():
            time.sleep(_NUDGE)

    # The writing thread.

    def _keep_writing(self) -> None:
        waiting, within, ended = self.waiting, self._limits.batch_within, False
        try:
            while not self._failed:
                self.some.clear()
                stopping = (
                    self._stopping.is_set()
                )  # Before the last look: what was put before the stop is seen after it.
                if not waiting:
                    if stopping:
                        break
                    self.some.wait()
                if not stopping:
                    self.plenty.wait(within)
                self.plenty.clear()
                with self._writing:
                    if waiting and not self._failed:
                        self._take()
            with self._writing, self._turn:
                if not self._failed:
                    self._seal()
            ended = True
        except OSError as exc:
            self._failed_on(exc)
            ended = True
        finally:
            if not ended:  # A bug; the thread's own traceback says which. The recording mustn't end quietly.
                self._fail(TapeError(f"{shown(self._directory)}: the recorder broke; recording has stopped"))
            self._stopping.set()
            self._sync_due.set()
            with self._turn:
                self._file.close()

    def _take(self) -> None:
        """Write what waits. The caller holds `_writing`."""
        # Each step is atomic: the event loop's append falls before or after it, and isn't lost.
        waiting = self.waiting
        count = len(waiting)
        batch = waiting[:count]
        del waiting[:count]
        self._write(batch)

    def _write(self, batch: list[bytes]) -> None:
        """Write records, going on to a new segment where one is due."""
        data = b"".join(batch)
        if not self._due(len(data), batch):
            self._append(batch, data)
            return
        while batch:
            count = self._fitting(batch)
            if count:
                self._append(batch[:count], b"".join(batch[:count]))
                batch = batch[count:]
            if batch:
                self._roll()

    def _fitting(self, batch: list[bytes]) -> int:
        """Say how many records of `batch` go into this segment: into an empty one, at least one."""
        size = 0
        for index, record in enumerate(batch):
            size += len(record)
            if (self._file.count or index) and self._due(size, [batch[0], record]):
                return index
        return len(batch)

    def _roll(self) -> None:
        with self._turn:
            first = self._file.last_seq + 1
            self._seal()
            self._number += 1
            self._file = SegmentFile.create(self._disk, self._directory, self._segment_header(self._number, first))

    def _due(self, more: int, records: list[bytes]) -> bool:
        """Say whether `records`, of `more` bytes, don't all fit in the segment."""
        file, limits = self._file, self._limits
        first, last = time_of(records[0]), time_of(records[-1])
        begun = first if file.first_time is None else file.first_time
        return file.size + more > limits.segment_bytes or max(first, last) - begun >= limits.segment_time

    def _append(self, records: list[bytes], data: bytes) -> None:
        self._file.append(records, data)
        self.written += len(data)
        if self._file.size - self._file.synced >= self._limits.sync_bytes:
            self._sync_due.set()

    def _segment_header(self, number: int, first: int) -> SegmentHeader:
        return SegmentHeader(
            segment=number, first=first, instance=self._instance, tape=self._header, connections=list(self._names)
        )

    def _seal(self) -> None:
        path = self._file.seal()
        if self._compress:
            thread = threading.Thread(target=self._squeeze, args=(path,), name="tape-compress", daemon=True)
            thread.start()
            self._compressing = [*(other for other in self._compressing if other.is_alive()), thread]

    def _squeeze(self, path: Path) -> None:
        try:
            compress_segment(path, disk=self._disk, abandoned=self._abandoned.is_set)
        except OSError as exc:
            self._failed_on(exc)

    # The syncing thread.

    def _keep_syncing(self) -> None:
        while not self._stopping.is_set():
            self._sync_due.wait(self._limits.sync_within)
            self._sync_due.clear()
            with self._turn:
                if self._stopping.is_set() or self._file.synced == self._file.size:
                    continue
                try:
                    self._file.sync()
                except OSError as exc:
                    self._failed_on(exc)
                    return

    def _failed_on(self, exc: OSError) -> None:
        self._failed = True
        self.waiting.clear()
        self.some.set()
        self.plenty.set()
        error = TapeError(f"{shown(self._directory)}: the disk failed ({in_words(exc)}); recording has stopped")
        error.__cause__ = exc
        self._fail(error)
