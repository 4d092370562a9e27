"""The few calls by which a tape touches the disk: a seam, so that tests can make every one of them fail."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from strategykit.errors import TapeError
from strategykit.tape.format import shown

__all__ = ["LOCK_NAME", "Disk", "RealDisk", "in_words", "lock_tape", "sync_directory", "write_all"]

LOCK_NAME: Final = "lock"


class Disk(Protocol):
    """Each method is the system call of its name and raises `OSError` as that does."""

    def open(self, path: Path, flags: int) -> int: ...
    def write(self, fd: int, data: bytes | memoryview) -> int: ...
    def fdatasync(self, fd: int) -> None: ...
    def fsync(self, fd: int) -> None: ...
    def rename(self, source: Path, target: Path) -> None: ...
    def remove(self, path: Path) -> None: ...
    def truncate(self, path: Path, size: int) -> None: ...


class RealDisk:
    """The operating system. Files are the owner's alone: a tape tells what somebody trades."""

    def open(self, path: Path, flags: int) -> int:
        return os.open(path, flags | os.O_CLOEXEC, 0o600)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        return os.write(fd, data)

    def fdatasync(self, fd: int) -> None:
        os.fdatasync(fd)

    def fsync(self, fd: int) -> None:
        os.fsync(fd)

    def rename(self, source: Path, target: Path) -> None:
        source.rename(target)

    def remove(self, path: Path) -> None:
        path.unlink()

    def truncate(self, path: Path, size: int) -> None:
        os.truncate(path, size)


def in_words(error: OSError, *known: Path) -> str:
    """Say what the system refused, and on which file, unless that is one of those `known` to who reads this."""
    words = error.strerror or str(error)
    if error.filename is None or Path(os.fsdecode(error.filename)) in known:
        return words
    return f"{shown(Path(os.fsdecode(error.filename)))}: {words}"


def write_all(disk: Disk, fd: int, data: bytes) -> None:
    """Write everything; a signal or a full disk can make one call write less."""
    done = disk.write(fd, data)
    while done < len(data):
        done += disk.write(fd, memoryview(data)[done:])


def sync_directory(disk: Disk, directory: Path) -> None:
    """Make creations and renames in `directory` last through a power loss."""
    fd = disk.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        disk.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def lock_tape(directory: Path, instance: str, disk: Disk) -> Iterator[None]:
    """Hold the tape's lock. The kernel drops it when the process dies, however it dies.

    Raises:
        TapeError: Another writer holds it.
    """
    path = directory / LOCK_NAME
    fd = disk.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            holder = os.pread(fd, 100, 0).decode("ascii", "replace").strip() or "unknown"
            raise TapeError(
                f"{shown(directory)} is being written by another recorder ({ascii(holder)[1:-1]}); "
                "wait until it ends, or record to another name"
            ) from exc
        os.ftruncate(fd, 0)
        write_all(disk, fd, f"process {os.getpid()}, instance {instance}\n".encode("ascii", "replace"))
        yield
    finally:
        os.close(fd)
