"""Writing a journal: every record is with the operating system before `write` returns, and safe a sync later."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final, Self

from strategykit.disk import Disk, RealDisk, in_words, shown
from strategykit.errors import JournalError, JournalFull
from strategykit.journal.beside import BesideSync
from strategykit.journal.facts import encode_facts
from strategykit.journal.file import JournalFile
from strategykit.journal.folder import RESERVE, Past, lock_folder, make_folder, make_reserve, read_past
from strategykit.journal.format import LETTERS, MAX_BODY, Record, RecordKind
from strategykit.journal.sync import LoopSync, Syncer, ThreadSync, Waiting
from strategykit.model.codec import TAG
from strategykit.model.orders import CancelOrder

__all__ = ["JournalWriter", "open_journal"]

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class JournalWriter:
    """The journal of one account, being written; `open_journal` opens it. Leaving ``with`` closes it.

    Attributes:
        past: What the runs before left to this one, verified, oldest first: the records from that file on which has
            the newest `RecordKind.CARRIED`, mostly the newest file. They are read when they are asked for.
        recovered: In words, what was cut off the newest file because it was no whole record; empty if nothing was.
        path: The file that this run writes.
        full: Why orders are refused, while cancels and news are still written: the disk is full. None as long as not.
    """

    def __init__(
        self,
        file: JournalFile,
        past: Past,
        lock: int,
        *,
        now: Callable[[], int],
        monotonic: Callable[[], int],
        redact: Callable[[str], str],
        disk: Disk,
        in_loop: bool,
        sync_takes: Callable[[], float],
        close_within: float,
    ) -> None:
        self.past: Sequence[Record] = past.records
        self.recovered = past.recovered
        self.path = file.path
        self.full: JournalFull | None = None
        self._file = file
        self._lock = lock
        self._now = now
        self._monotonic = monotonic
        self._redact = redact
        self._disk = disk
        self._close_within = close_within
        self._closed = False
        self._waiting = Waiting(lambda: file.seq, self._error)
        self._syncer = _make_syncer(self._waiting, file, disk, sync_takes if in_loop else None)

    @property
    def failed(self) -> JournalError | None:
        """Why nothing is written any more; set once, never unset."""
        return self._waiting.failed

    @property
    def durable(self) -> int:
        """Number of the last record that is known to outlive a power loss."""
        return self._waiting.durable

    def write(self, kind: RecordKind, facts: Mapping[str, Any], *, essential: bool = False) -> int:
        """Write a record and give its number. It outlives this process from now on; a power loss, `when_durable`.

        Args:
            kind: What it tells.
            facts: Plain values.
            essential: Whether an intent is written on a full disk, too. Those of cancels always are.

        Raises:
            JournalFull: The disk is full, and this is an intent to trade.
            JournalError: The journal has failed, or is closed, or the record is too long.
        """
        if self._waiting.failed is not None:
            raise JournalError(str(self._waiting.failed)) from self._waiting.failed
        if self._closed:
            raise JournalError(f"{shown(self.path)} is closed; nothing can be written to it any more")
        essential = essential or kind is not RecordKind.INTENT or _withdraws(facts)
        if self.full is not None and not essential:
            raise JournalFull(str(self.full))
        body = encode_facts(facts, self._redact)
        if len(body) > MAX_BODY:
            raise JournalError(f"a record of {len(body)} bytes is too long; a journal's have up to {MAX_BODY}")
        try:
            seq = self._file.append(LETTERS[kind], self._waiting.durable, self._monotonic(), self._now(), body)
        except OSError as exc:
            self._make_room(exc)
        else:
            self._syncer.note()
            return seq
        return self.write(kind, facts, essential=essential)

    def when_durable(self, seq: int, then: Callable[[], None], lost: Callable[[JournalError], None]) -> None:
        """Have `then` called once record `seq` would outlive a power loss, or `lost` if it never will.

        Called by the Trio loop, later, in the order of numbers. Neither may raise.
        """
        self._waiting.add(seq, then, lost, self._syncer)

    def begin(self) -> None:
        """Start syncing. Called by `open_journal`."""
        self._syncer.start()

    def close(self) -> None:
        """Sync, seal, and give the lock back. Blocks, for `close_within` seconds at the most."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._syncer.stop(self._close_within):
                if self.failed is None:
                    with suppress(OSError):
                        self._file.seal()
                self._file.close()
            else:  # The file stays open: while a thread syncs it, its number mustn't be given to another.
                words = f"{shown(self.path)}: the disk didn't take everything within {self._close_within:g} s"
                self._waiting.fail(JournalError(words))
        finally:
            os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _make_room(self, exc: OSError) -> None:
        """The disk didn't take a record: give up the reserve if it is full, and the journal if that isn't it."""
        error: OSError | None = exc
        if exc.errno in _FULL and self.full is None:
            self.full = JournalFull(
                f"{shown(self.path)}: the disk is full; orders are refused, cancels and the venue's news still written"
            )
            try:
                with suppress(FileNotFoundError):
                    self._disk.remove(self.path.with_name(RESERVE))
                self._file.take_back()
                error = None
            except OSError as again:
                error = again
        if error is not None:
            self._waiting.fail(self._error(error))

    def _error(self, exc: OSError) -> JournalError:
        words = f"{shown(self.path)}: the disk failed ({in_words(exc, self.path)}); nothing is written to it any more"
        error = JournalError(words)
        error.__cause__ = exc
        return error


def open_journal(
    folder: Path,
    *,
    now: Callable[[], int],
    run: Mapping[str, Any],
    redact: Callable[[str], str] = str,
    reserve: int = 64 << 20,
    monotonic: Callable[[], int] = time.monotonic_ns,
    disk: Disk | None = None,
    in_loop: bool = False,
    sync_takes: Callable[[], float] = lambda: 0.0,
    close_within: float = 3.0,
) -> JournalWriter:
    """Take the journal of an account, read what the last run left, and begin the next file, durably. Blocks.

    Use it with ``with``, around or inside a Trio program; leaving closes it.

    Args:
        folder: One an account, such as ``journal/alor-D1``; made if it isn't there.
        now: Nanoseconds UTC.
        run: Facts about this run, such as its ``tag``; the first record.
        redact: Hides secrets in a text; every record passes through it.
        reserve: Bytes of the disk that are kept for cancels and news when it is full.
        monotonic: Nanoseconds on a clock that never goes back.
        disk: How files are reached. The system's own is synced by a process beside this one, any other by a thread.
        in_loop: True syncs in the Trio loop itself, at its next turn: for runs on a virtual clock, which wouldn't wait
            for a thread.
        sync_takes: Gives the seconds, by Trio's clock, that such a sync takes.
        close_within: Seconds that the last sync may take.

    Raises:
        JournalLocked: Another process has it; `JournalLocked.pid` says which.
        JournalDamaged: What the last run left isn't what it wrote; nothing was changed. An end that is no whole record
            is no damage: it is put into a file of its own, cut, and told in `JournalWriter.recovered` and a record.
        JournalFull: There is no room for the reserve, or for the file.
        JournalError: The folder can't be made, read or written, or a newer version wrote in it.
    """
    folder, disk = Path(folder), disk or RealDisk()
    with ExitStack() as undo:
        try:
            make_folder(folder, disk)
            lock = lock_folder(folder, str(run.get("tag", "")), disk)
            undo.callback(os.close, lock)
            past = read_past(folder, disk)
            make_reserve(folder, reserve, disk)

            def begin(file: JournalFile) -> None:
                for kind, facts in ((RecordKind.RUN, run), *past.told):
                    file.append(LETTERS[kind], 0, monotonic(), now(), encode_facts(facts, redact))

            file = JournalFile.create(disk, folder, past.next, begin)
        except OSError as exc:
            kind = JournalFull if exc.errno in _FULL else JournalError
            raise kind(f"{shown(folder)} can't be written: {in_words(exc, folder)}") from exc
        writer = JournalWriter(
            file,
            past,
            lock,
            now=now,
            monotonic=monotonic,
            redact=redact,
            disk=disk,
            in_loop=in_loop,
            sync_takes=sync_takes,
            close_within=close_within,
        )
        writer.begin()
        undo.pop_all()
    return writer


def _make_syncer(waiting: Waiting, file: JournalFile, disk: Disk, loop_takes: Callable[[], float] | None) -> Syncer:
    if loop_takes is not None:
        return LoopSync(waiting, file.sync, loop_takes)
    # Another process doesn't come by any other disk.
    beside = BesideSync.of(waiting, file.fd) if type(disk) is RealDisk else None
    return beside or ThreadSync(waiting, file.sync)


def _withdraws(facts: Mapping[str, Any]) -> bool:
    """Whether an intent is one to cancel."""
    command = facts.get("command")
    return isinstance(command, Mapping) and command.get(TAG) == CancelOrder.__name__
