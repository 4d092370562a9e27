"""The few calls by which records reach the disk: a seam, so that tests can make every one of them fail."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from strategykit.errors import ConfigError, TapeError

__all__ = [
    "LOCK_NAME",
    "Disk",
    "LockHeld",
    "RealDisk",
    "in_words",
    "new_folder",
    "shown",
    "sync_directory",
    "take_lock",
    "write_all",
    "write_file",
]

LOCK_NAME: Final = "lock"


class LockHeld(Exception):
    """Another process has the lock. Translated by who asked for it.

    Attributes:
        holder: What that process wrote of itself.
    """

    def __init__(self, holder: str) -> None:
        self.holder = holder
        super().__init__(holder)


class Disk(Protocol):
    """Each method is the system call of its name and raises `OSError` as that does."""

    def open(self, path: Path, flags: int) -> int: ...
    def write(self, fd: int, data: bytes | memoryview) -> int: ...
    def fdatasync(self, fd: int) -> None: ...
    def fsync(self, fd: int) -> None: ...
    def rename(self, source: Path, target: Path) -> None: ...
    def remove(self, path: Path) -> None: ...
    def truncate(self, path: Path, size: int) -> None: ...
    def allocate(self, fd: int, size: int) -> None: ...


class RealDisk:
    """The operating system. Files are the owner's alone: they tell what somebody trades."""

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

    def allocate(self, fd: int, size: int) -> None:
        """Reserve `size` bytes from the beginning of the file on."""
        os.posix_fallocate(fd, 0, size)


def shown(what: object) -> str:
    """Give a path, or a text from a file, for a message: one line, whatever it holds."""
    text = str(what)
    return text if text.isprintable() else ascii(text)


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


def write_file(disk: Disk, path: Path, data: bytes) -> None:
    """Write a file, or write it anew, so that it outlives a power loss; its name does when its folder is synced."""
    fd = disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        write_all(disk, fd, data)
        disk.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def new_folder(to: Path) -> Generator[Path]:
    """Give a folder to write to, which is called `to` once it is whole: on leaving, and not at all after an error.

    Until then it grows beside it, under a name that ends with ``.partial``; what a killed process leaves there may go.
    Whoever writes has to sync what is in it.

    Raises:
        ConfigError: `to` is there, and isn't an empty folder.
        TapeError: It can't be written.
    """
    try:
        if to.is_symlink() or (to.exists() and (not to.is_dir() or any(to.iterdir()))):
            raise ConfigError(f"{shown(to)} is there already; name a folder to be made")
        to.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{to.name}-", suffix=".partial", dir=to.parent))
    except OSError as exc:
        raise TapeError(f"{shown(to)} can't be written: {in_words(exc, to)}") from exc
    try:
        yield folder
        folder.rename(to)
        sync_directory(RealDisk(), to.parent)
    except OSError as exc:
        raise TapeError(f"{shown(to)} can't be written: {in_words(exc, to)}") from exc
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def take_lock(directory: Path, words: str, disk: Disk) -> int:
    """Take the lock of `directory`, and say in it who has it.

    The kernel drops it when the process dies, however it dies.

    Returns:
        What to close when it isn't needed any more.

    Raises:
        LockHeld: Somebody else has it.
    """
    fd = disk.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockHeld(os.pread(fd, 200, 0).decode("ascii", "replace").strip() or "unknown") from None
        os.ftruncate(fd, 0)
        write_all(disk, fd, f"process {os.getpid()}, {words}\n".encode("ascii", "replace"))
    except BaseException:
        os.close(fd)
        raise
    return fd
