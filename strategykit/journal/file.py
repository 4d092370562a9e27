"""One file that is being written: numbers, checks and appends records."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

from strategykit.disk import Disk, sync_directory, write_all
from strategykit.journal.format import FileHead, encode_head, encode_record, file_name

__all__ = ["JournalFile"]


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
        start, self.chain = encode_head(head)
        write_all(disk, fd, start)
        self.size = len(start)

    @classmethod
    def create(cls, disk: Disk, folder: Path, head: FileHead, begin: Callable[[Self], None]) -> Self:
        """Make the next file, durably; it gets its name when it holds what `begin` writes to it."""
        path = folder / file_name(head.number)
        temporary = path.with_name(f"{path.name}.new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW
        fd = disk.open(temporary, flags)
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
        done = self._write(self.fd, record)
        while done < size:  # A disk that fills up, or a signal.
            done += self._write(self.fd, memoryview(record)[done:])
        self.seq, self.chain = seq, chain
        self.size += size
        return seq

    def take_back(self) -> None:
        """Cut off what was written of a record that didn't get whole."""
        self._disk.truncate(self.path, self.size)

    def sync(self) -> None:
        self._disk.fdatasync(self.fd)

    def seal(self) -> None:
        """Let nobody write to it by mistake."""
        os.fchmod(self.fd, 0o400)

    def close(self) -> None:
        os.close(self.fd)
