"""One file that is being written: numbers, checks and appends records."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from strategykit.disk import Disk, sync_directory, write_all
from strategykit.journal.format import FileHead, encode_head, encode_record, file_name

__all__ = ["JournalFile"]

_AHEAD: Final = 1 << 20
"""Bytes of the disk that the file is given at a time. A sync needs less where a file doesn't grow."""


class JournalFile:
    """A file of a journal. Its methods may raise `OSError`; what was written by then is cut by `take_back`.

    Attributes:
        fd: The open file.
        seq: Number of the last record.
        size: Bytes of head and whole records.
        chain: Up to the last record.
    """

    def __init__(self, disk: Disk, path: Path, fd: int, head: FileHead) -> None:
        self.path = path
        self.seq = head.first - 1
        self._disk = disk
        self.fd = fd
        self._write = disk.write
        self._allocated = 0
        self._allocate(_AHEAD)
        start, self.chain = encode_head(head)
        write_all(disk, fd, start)
        self.size = len(start)

    @classmethod
    def create(cls, disk: Disk, folder: Path, head: FileHead, begin: Callable[[Self], None]) -> Self:
        """Make the next file, durably; it gets its name when it holds what `begin` writes to it."""
        path = folder / file_name(head.number)
        temporary = path.with_name(f"{path.name}.new")
        fd = disk.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW)
        try:
            file = cls(disk, path, fd, head)
            begin(file)
            disk.fsync(fd)
            disk.rename(temporary, path)
            sync_directory(disk, folder)
        except BaseException:
            os.close(fd)
            raise
        return file

    def append(self, letter: int, durable: int, monotonic: int, wall: int, body: bytes) -> int:
        """Write one record and give its number."""
        seq = self.seq + 1
        record, chain = encode_record(letter, seq, durable, monotonic, wall, body, self.chain)
        size = len(record)
        if self.size + size > self._allocated:
            self._allocate(self.size + size + _AHEAD)
        done = self._write(self.fd, record)
        while done < size:  # A disk that fills up, or a signal.
            done += self._write(self.fd, memoryview(record)[done:])
        self.seq, self.chain = seq, chain
        self.size += size
        return seq

    def take_back(self) -> None:
        """Cut off what was written of a record that didn't get whole, and what was allocated."""
        self._disk.truncate(self.path, self.size)
        os.lseek(self.fd, self.size, os.SEEK_SET)

    def _allocate(self, size: int) -> None:
        try:
            self._disk.allocate(self.fd, size)
            self._allocated = size
        except OSError:  # The disk is full, or can't do it. Records may still fit.
            self._allocated = sys.maxsize

    def sync(self) -> None:
        self._disk.fdatasync(self.fd)

    def seal(self) -> None:
        """Give back what was allocated beyond the last record, and let nobody write to it by mistake."""
        self._disk.truncate(self.path, self.size)
        os.fchmod(self.fd, 0o400)

    def close(self) -> None:
        os.close(self.fd)
