"""A journal's folder: who may write in it, what the runs before left there, and how the next file begins."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, Final

import attrs

from strategykit.disk import LOCK_NAME, Disk, LockHeld, in_words, shown, sync_directory, take_lock, write_all
from strategykit.errors import JournalDamaged, JournalError, JournalFull, JournalLocked
from strategykit.journal.format import FileHead, RecordKind
from strategykit.journal.frames import Torn
from strategykit.journal.reader import Journal, Records, check_link, journal_files, read_journal

__all__ = ["RESERVE", "Past", "holder_of", "lock_folder", "make_folder", "make_reserve", "pid_of", "read_past"]

RESERVE: Final = "reserve"
"""The file that is given up when the disk is full."""

_PID: Final = re.compile(r"process ([0-9]{1,10})\b")


@attrs.frozen
class Past:
    """What the runs before left."""

    records: Records
    newest: Path | None
    asides: tuple[Path, ...]
    """Files that hold what was cut off the newest one, because it was no whole record."""
    next: FileHead
    """The next file's."""

    @property
    def recovered(self) -> str:
        """What was cut, in words; empty if nothing was."""
        if self.newest is None or not self.asides:
            return ""
        where = ", ".join(f"{_size(path)} bytes, now in {path.name}" for path in self.asides)
        return f"{shown(self.newest)}: its end was no whole record and was cut off: {where}"

    @property
    def told(self) -> list[tuple[RecordKind, Mapping[str, Any]]]:
        """The records in which the next file tells of it."""
        if self.newest is None:
            return []
        return [
            (RecordKind.RECOVERED, {"file": self.newest.name, "bytes": _size(path), "aside": path.name})
            for path in self.asides
        ]


def _size(path: Path) -> int:
    return path.lstat().st_size


def make_folder(folder: Path, disk: Disk) -> None:
    """Make the folder if it isn't there, so that it lasts.

    Raises:
        JournalError: It can't be, or something else has its name.
        OSError: The disk refused.
    """
    if "\0" in str(folder):
        raise JournalError(f"{shown(folder)} is no path")
    if folder.is_symlink():
        raise JournalError(f"{shown(folder)} is a symbolic link; give the journal's folder itself")
    if folder.is_dir():
        return
    if folder.exists():
        raise JournalError(
            f"{shown(folder)} is a file; a journal is a folder: give another name, or move the file away"
        )
    made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for parent in made:
        sync_directory(disk, parent.parent)


def lock_folder(folder: Path, tag: str, disk: Disk) -> int:
    """Take the folder's lock; closing what this returns gives it back.

    Raises:
        JournalLocked: Another process has it.
        OSError: The disk refused.
    """
    try:
        return take_lock(folder, f"run {tag}", disk)
    except LockHeld as exc:
        raise JournalLocked(
            f"{shown(folder)} is being written by another run ({ascii(exc.holder)[1:-1]}); an account has one run at a "
            "time: wait until it ends, or stop it",
            pid=pid_of(exc.holder),
        ) from exc


def holder_of(folder: Path) -> str | None:
    """Say who writes a journal just now, in its own words; None if nobody does."""
    try:
        fd = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # Nobody ever has, or not here: a copy.
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return ascii(os.pread(fd, 200, 0).decode("ascii", "replace").strip())[1:-1] or "unknown"
    finally:
        os.close(fd)
    return None


def pid_of(holder: str) -> int | None:
    """Give the number of the process that wrote this of itself."""
    found = _PID.match(holder)
    return int(found[1]) if found else None


def read_past(folder: Path, disk: Disk) -> Past:
    """Read what the next run has to know, verified, and put a torn end aside. The lock has to be held.

    Raises:
        JournalDamaged: Something isn't what was written; nothing was changed.
        JournalError: It can't be read.
        OSError: The disk refused.
    """
    for left in folder.glob("*.journal.new"):  # Of a run that didn't come to its beginning.
        disk.remove(left)
    files = journal_files(folder)
    if not files:
        return Past(Records(), None, (), FileHead(1, 1, 0))
    newest = max(files)
    journals = [_read(files, newest)]
    while not journals[0].takes_over and journals[0].head.number > 1:
        older = _read(files, journals[0].head.number - 1)
        if older.torn is not None:
            raise JournalDamaged(
                f"{older.torn}, though a later run began where it ended", path=shown(older.path), offset=older.end
            )
        check_link(older, journals[0])
        journals.insert(0, older)
    last = journals[-1]
    if last.tear is not None:
        _put_aside(last.tear, disk)
    elif last.path.lstat().st_size > last.end:  # What its run was given of the disk and didn't use.
        disk.truncate(last.path, last.end)
    # One that an earlier start put aside, too, if it didn't come to its first record: nobody has told of it.
    asides = tuple(sorted(folder.glob(f"{last.path.stem}.torn-*")))
    return Past(Records(*journals), last.path, asides, FileHead(newest + 1, last.next_seq, last.chain))


def _read(files: dict[int, Path], number: int) -> Journal:
    if number not in files:
        beside = files[number + 1]
        raise JournalError(
            f"{shown(beside)} goes on from file {number}, which isn't there: put it back. It tells which orders may "
            "still be open"
        )
    return read_journal(files[number])


def _put_aside(torn: Torn, disk: Disk) -> None:
    """Copy the end that is no whole record to a file of its own, durably, and cut it."""
    path = torn.path
    aside = next(name for number in count(1) if not (name := path.with_name(f"{path.stem}.torn-{number}")).exists())
    fd = disk.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW)
    try:
        with path.open("rb") as file:
            file.seek(torn.offset)
            write_all(disk, fd, file.read(torn.bytes))
        disk.fsync(fd)
    finally:
        os.close(fd)
    sync_directory(disk, path.parent)
    disk.truncate(path, torn.offset)
    fd = disk.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    try:
        disk.fsync(fd)
    finally:
        os.close(fd)


def make_reserve(folder: Path, size: int, disk: Disk) -> None:
    """Keep `size` bytes of the disk for when it is full.

    Raises:
        JournalFull: It is already.
        OSError: The disk refused for another reason.
    """
    path = folder / RESERVE
    with suppress(FileNotFoundError):
        status = path.lstat()
        if status.st_size == size and status.st_blocks * 512 >= size:
            return
        disk.remove(path)
    if not size:
        return
    fd = disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW)
    try:
        disk.allocate(fd, size)
    except OSError as exc:
        disk.remove(path)
        raise JournalFull(
            f"{shown(path)}: no room for a reserve of {size} bytes ({in_words(exc)}); free some, or give a smaller one"
        ) from exc
    finally:
        os.close(fd)
