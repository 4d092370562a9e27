"""The kill switch as a file: while ``KILL`` lies in an account's folder, no run begins there, and one that runs ends.

Whatever is in it counts: somebody may have made it by hand, with a line of why or with nothing.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import attrs

from strategykit.disk import Disk, RealDisk, in_words, shown, sync_directory, write_all
from strategykit.errors import JournalError, KillSwitchPulled

__all__ = [
    "KILL_FILE",
    "Latch",
    "check_released",
    "is_pulled",
    "pull_latch",
    "read_latch",
    "remove_latch",
    "sync_latch",
]

KILL_FILE: Final = "KILL"

_MOST: Final = 16 * 1024
"""Bytes of the file that are looked at."""


@attrs.frozen(kw_only=True)
class Latch:
    """Who pulled the kill switch, and why."""

    reason: str
    by: str
    time: int | None = None
    """Nanoseconds UTC; None where nobody wrote it down."""
    pid: int | None = None
    """Of the process that wrote it."""

    @property
    def words(self) -> str:
        """All of it in one line."""
        when = ""
        if self.time is not None:
            with suppress(OverflowError, ValueError, OSError):  # Anybody may have written the file.
                when = f", {datetime.fromtimestamp(self.time // 10**9, UTC):%Y-%m-%d %H:%M:%S} UTC"
        return f"pulled by {self.by}{when}: {self.reason}"


def is_pulled(folder: Path) -> bool:
    """Whether the file is there, at the price of one system call."""
    return os.path.lexists(folder / KILL_FILE)


def pull_latch(folder: Path, latch: Latch, *, disk: Disk | None = None, sync: bool = True) -> Latch:
    """Pull the kill switch of an account, and give what holds it: who came first stands.

    Args:
        folder: The account's, which is there.
        latch: Why, and who.
        disk: How files are reached.
        sync: Whether it shall outlive a power loss when this returns; False: `sync_latch` is called later.

    Raises:
        JournalError: The file can't be written.
    """
    disk = disk or RealDisk()
    before = read_latch(folder)
    if before is not None:
        return before
    new = folder / f"{KILL_FILE}.new-{os.getpid()}"
    try:
        with suppress(FileNotFoundError):
            disk.remove(new)
        fd = disk.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW)
        try:
            write_all(disk, fd, f"{json.dumps(attrs.asdict(latch), ensure_ascii=False)}\n".encode())
            if sync:
                disk.fsync(fd)
        finally:
            os.close(fd)
        disk.rename(new, folder / KILL_FILE)
        if sync:
            sync_directory(disk, folder)
    except OSError as exc:
        with suppress(OSError):
            disk.remove(new)
        raise JournalError(f"{shown(folder / KILL_FILE)} can't be written: {in_words(exc)}") from exc
    return latch


def sync_latch(folder: Path, *, disk: Disk | None = None) -> None:
    """Have the file outlive a power loss.

    Raises:
        JournalError: The disk refuses.
    """
    disk = disk or RealDisk()
    try:
        fd = disk.open(folder / KILL_FILE, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            disk.fsync(fd)
        finally:
            os.close(fd)
        sync_directory(disk, folder)
    except OSError as exc:
        raise JournalError(f"{shown(folder / KILL_FILE)} can't be kept: {in_words(exc)}") from exc


def read_latch(folder: Path) -> Latch | None:
    """Give what holds the kill switch; None if it isn't pulled."""
    path = folder / KILL_FILE
    if not is_pulled(folder):
        return None
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            text = os.read(fd, _MOST).decode("utf-8", "replace").strip()
        finally:
            os.close(fd)
    except FileNotFoundError:  # Released just now.
        return None
    except OSError as exc:
        return Latch(reason=f"the file can't be read ({in_words(exc, path)})", by="file")
    return _read(text)


def remove_latch(folder: Path, *, disk: Disk | None = None) -> None:
    """Take the file away, for good.

    Raises:
        JournalError: It can't be.
    """
    disk = disk or RealDisk()
    try:
        with suppress(FileNotFoundError):
            disk.remove(folder / KILL_FILE)
        sync_directory(disk, folder)
    except OSError as exc:
        raise JournalError(f"{shown(folder / KILL_FILE)} can't be removed: {in_words(exc)}") from exc


def check_released(folder: Path) -> None:
    """Let a run begin.

    Raises:
        KillSwitchPulled: Not on this account: somebody has to look first.
    """
    latch = read_latch(folder)
    if latch is not None:
        words = (
            f"{shown(folder)}: the kill switch was {latch.words}; no run begins on this account until somebody has "
            f"looked and released it: strategykit kill {shown(folder)} --release"
        )
        raise KillSwitchPulled(words, reason=latch.reason, by=latch.by, time=latch.time)


def _read(text: str) -> Latch:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        found = {"reason": text}
    if not isinstance(found, dict):
        found = {"reason": text}
    reason, by, time, pid = (found.get(name) for name in ("reason", "by", "time", "pid"))
    return Latch(
        reason=_line(reason) or "no reason given",
        by=_line(by) or "file",
        time=time if isinstance(time, int) else None,
        pid=pid if isinstance(pid, int) else None,
    )


def _line(value: object) -> str:
    """Give a text as one line, whoever wrote it."""
    return shown(" ".join(value.split())) if isinstance(value, str) else ""
