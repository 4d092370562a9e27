"""Writing one segment: appended to, synced, sealed. Blocks on the disk; no thread and no clock of its own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from strategykit.tape.disk import Disk, sync_directory, write_all
from strategykit.tape.format import (
    PREFIX,
    WHOLE,
    Kind,
    SegmentFooter,
    SegmentHeader,
    encode_json,
    encode_record,
    segment_name,
)

__all__ = ["SegmentFile", "time_of"]


def time_of(record: bytes) -> int:
    """Give the time that stands in an encoded record."""
    time: int = WHOLE.unpack_from(record)[4]
    return time


class SegmentFile:
    """A segment that isn't sealed yet. Every method may raise `OSError`; after that only `close` is left.

    Attributes:
        size: Bytes written.
        synced: Bytes that were written before the last sync began.
        count: Records, without header and footer.
        last_seq: Sequence number of the last record, of this segment or the one before.
        first_time: Of the first record; None before there is one.
    """

    def __init__(self, disk: Disk, directory: Path, header: SegmentHeader, fd: int) -> None:
        self._disk = disk
        self._directory = directory
        self._header = header
        self._fd = fd
        self._broken = False
        self.size = self.synced = self.count = 0
        self.last_seq = header.first - 1
        self.first_time: int | None = None
        self.last_time: int | None = None

    @classmethod
    def create(cls, disk: Disk, directory: Path, header: SegmentHeader) -> Self:
        """Make the file, durably, with its header."""
        path = directory / f"{segment_name(header.segment)}.part"
        fd = disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
        self = cls(disk, directory, header, fd)
        try:
            body = encode_json(header)
            self._put(PREFIX + encode_record(Kind.HEADER, self.last_seq, header.tape.created, 0, body))
            self._sync(durably=True)
            sync_directory(disk, directory)
        except OSError:
            self.close()
            raise
        return self

    @classmethod
    def reopen(
        cls, disk: Disk, path: Path, header: SegmentHeader, *, count: int, times: tuple[int | None, int | None]
    ) -> Self:
        """Go on with a file that was cut behind a whole record. `count` and `times` are what it holds."""
        fd = disk.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
        self = cls(disk, path.parent, header, fd)
        self.size = path.stat().st_size
        self.count = count
        self.last_seq += count
        self.first_time, self.last_time = times
        return self

    def append(self, records: Sequence[bytes], data: bytes) -> None:
        """Write encoded records that follow on each other; `data` is the same, joined."""
        if self.first_time is None:
            self.first_time = time_of(records[0])
        self._put(data)
        self.count += len(records)
        self.last_seq += len(records)
        self.last_time = time_of(records[-1])

    def sync(self) -> None:
        """Make what was written durable. May run beside an `append`, which then isn't covered."""
        self._sync(durably=False)

    def seal(self) -> Path:
        """End the segment and give its final path. The name tells that it is whole, so it changes last."""
        path = self._directory / segment_name(self._header.segment)
        part = path.with_name(f"{path.name}.part")
        footer = SegmentFooter(
            count=self.count,
            first_seq=self._header.first,
            last_seq=self.last_seq,
            first_time=self.first_time,
            last_time=self.last_time,
            sha256=_digest(part),
        )
        time = self._header.tape.created if self.last_time is None else self.last_time
        self._put(encode_record(Kind.FOOTER, self.last_seq, time, 0, encode_json(footer)))
        self._sync(durably=True)
        self.close()
        self._disk.rename(part, path)
        sync_directory(self._disk, self._directory)
        return path

    def close(self) -> None:
        """Let go of the file, as it is."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _put(self, data: bytes) -> None:
        if self._broken:
            raise OSError(0, "the file can't be trusted since a sync failed")
        write_all(self._disk, self._fd, data)
        self.size += len(data)

    def _sync(self, *, durably: bool) -> None:
        # After a failed sync nobody knows which pages were dropped, and a second call may well report success.
        # So the file isn't used again.
        if self._broken:
            raise OSError(0, "the file can't be trusted since a sync failed")
        size = self.size
        try:
            if durably:
                self._disk.fsync(self._fd)
            else:
                self._disk.fdatasync(self._fd)
        except OSError:
            self._broken = True
            raise
        self.synced = size


def _digest(path: Path) -> str:
    """Read the file again for its SHA-256: the event loop writes most of it, and has better things to do than hash."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
