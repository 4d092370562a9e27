"""Going through the records of one file, which isn't trusted, and telling a torn end from damage.

Behind the last record of a file that wasn't closed there may be zeros: a part of the disk that it was given and hasn't
used. A writer that is killed leaves the beginning of a record before them. A loss of power may besides leave sectors
that were never written, and read as zeros, anywhere behind what was synced last. These are torn ends: what is missing
was never reported as safe. Everything else that doesn't fit is damage. Where a sector of zeros is followed by a record
that says of what was there that it had been safe, it is damage, too.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn, Self

import attrs

from strategykit.disk import in_words, shown
from strategykit.errors import JournalDamaged, JournalError
from strategykit.journal.format import (
    CHECKS,
    FIELDS,
    FORMAT,
    FRAME,
    HEAD,
    HEAD_SIZE,
    KINDS,
    MAGIC,
    MAX_BODY,
    FileHead,
)

__all__ = ["Frame", "FrameReader", "Torn"]

Frame = tuple[int, int, int, int, int, bytes]
"""Offset, kind's letter, sequence number, monotonic nanoseconds, nanoseconds UTC, body."""

_PIECE: Final = 1 << 20
"""Bytes a read."""

_SECTOR: Final = 512
"""Bytes: the least that a disk writes as a whole."""


@attrs.frozen
class Torn:
    """The end of a file that is no whole record."""

    path: Path
    offset: int
    """Where the last whole record ends."""
    bytes: int
    """How many follow."""

    def __str__(self) -> str:
        return f"{shown(self.path)}: {self.bytes} bytes from byte {self.offset} on are no whole record"


class FrameReader:
    """One file's records, as they stand in it. Making one reads the head.

    The size is taken once: a file that grows meanwhile is read up to there.

    Attributes:
        head: Of the file.
        end: Where the last whole record that was read ends.
        chain: Up to there.
        next_seq: Number of the record that would follow it.
        torn: The torn end, known once `frames` has ended.

    Raises:
        JournalDamaged: The head isn't what was written.
        JournalError: There is no such file, it can't be read, is none of ours, or a newer version wrote it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = _open(path)
        try:
            self.size = os.fstat(self._fd).st_size
            self.head, self.chain = self._read_head()
        except BaseException:
            os.close(self._fd)
            raise
        self.end = HEAD_SIZE
        self.next_seq = self.head.first
        self.torn: Torn | None = None

    def frames(self, *, until: int | None = None) -> Iterator[Frame]:
        """Give the records, first to last, each checked; `until` that offset, or the file's end.

        Raises:
            JournalDamaged: A record isn't what was written. Those before it have been given.
            JournalError: The disk failed.
        """
        size = self.size if until is None else until
        crc32, unpack, checks, known = zlib.crc32, FIELDS.unpack_from, CHECKS.unpack_from, KINDS
        data, at, wanted = b"", 0, FRAME
        while True:
            if len(data) - at < wanted:
                data = data[at:]
                data += self._read(self.end + len(data), min(max(_PIECE, wanted), size - self.end - len(data)))
                at = 0
                if len(data) < wanted:
                    break
            letter, length, seq, durable, monotonic, wall = unpack(data, at)
            check, chain = checks(data, at + FIELDS.size)
            fields = data[at : at + FIELDS.size]
            if (found := crc32(fields)) != check:
                return self._judge(
                    self.end + FRAME, f"the check of its fields is {check:08x}, and they give {found:08x}"
                )
            if seq != self.next_seq or letter not in known or length > MAX_BODY or durable >= seq:
                words = f"it is number {seq} of kind {letter} with {length} bytes, after number {self.next_seq - 1}"
                self._damaged(words)
            wanted = FRAME + length
            if len(data) - at < wanted:
                continue
            body = data[at + FRAME : at + wanted]
            if (found := crc32(body, crc32(fields, self.chain))) != chain:
                return self._judge(
                    self.end + wanted, f"its chain is {chain:08x}, and what stands there gives {found:08x}"
                )
            self.chain = chain
            offset, self.end = self.end, self.end + wanted
            self.next_seq = seq + 1
            at, wanted = at + wanted, FRAME
            yield offset, letter, seq, monotonic, wall, body
        if data and self._used() > self.end:
            self.torn = Torn(self.path, self.end, self.size - self.end)

    def skip_to(self, offset: int, seq: int, before: int | None) -> None:
        """Go on with a record that was verified earlier.

        Args:
            offset: Where it begins.
            seq: Its number.
            before: Where the record before it begins; None for the first.
        """
        self.end, self.next_seq = offset, seq
        if before is not None:
            self.chain = CHECKS.unpack(self._read(before + FIELDS.size, CHECKS.size))[1]

    def _read(self, offset: int, count: int) -> bytes:
        try:
            return os.pread(self._fd, count, offset)
        except OSError as exc:
            raise JournalError(f"{shown(self.path)} can't be read: {in_words(exc, self.path)}") from exc

    def _read_head(self) -> tuple[FileHead, int]:
        data = self._read(0, HEAD_SIZE)
        if data[: len(MAGIC)] != MAGIC[: len(data)]:
            raise JournalDamaged(
                f"it begins with {data[: len(MAGIC)]!r}, and a journal's file with {MAGIC!r}: "
                "it is none, or its beginning was changed",
                path=shown(self.path),
                offset=0,
            )
        if len(data) >= len(MAGIC) + 4:
            made = int.from_bytes(data[len(MAGIC) : len(MAGIC) + 4], "little")
            if made > FORMAT:
                raise JournalError(
                    f"{shown(self.path)} has format {made}, and this version reads up to {FORMAT}: "
                    "a newer strategykit wrote it (use that one), or its beginning was changed"
                )
        if len(data) < HEAD_SIZE:
            raise JournalDamaged(
                f"the file ends after {len(data)} bytes; its head has {HEAD_SIZE}", path=shown(self.path), offset=0
            )
        _, made, number, first, before = HEAD.unpack_from(data)
        chain = zlib.crc32(data[: HEAD.size])
        said = int.from_bytes(data[HEAD.size :], "little")
        if chain != said or made != FORMAT or not number or not first:
            raise JournalDamaged(
                f"the head's check is {said:08x}, and what stands there gives {chain:08x}: it was changed",
                path=shown(self.path),
                offset=0,
            )
        return FileHead(number, first, before), chain

    def _judge(self, stop: int, fault: str) -> None:
        """Say of the record that should stand from `end` to `stop` whether it is missing, torn or damaged."""
        used = self._used()
        if used == self.end:
            return
        # Cut off, or else a part of it was never written, and nothing says that it was safe.
        if used >= stop and (not self._never_written(self.end, stop) or self._vouched_for()):
            self._damaged(fault)
        self.torn = Torn(self.path, self.end, used - self.end)

    def _used(self) -> int:
        """Give where the last byte that isn't zero ends; `end` if all are."""
        at = self.size
        while at > self.end:
            start = max(self.end, at - _PIECE)
            if piece := self._read(start, at - start).rstrip(b"\0"):
                return start + len(piece)
            at = start
        return self.end

    def _damaged(self, words: str) -> NoReturn:
        last = self.next_seq - 1
        whole = (
            f"records {self.head.first} to {last} before it are whole" if last >= self.head.first else "none is whole"
        )
        raise JournalDamaged(
            f"record {self.next_seq} isn't what was written: {words}; {whole}", path=shown(self.path), offset=self.end
        )

    def _never_written(self, start: int, stop: int) -> bool:
        """Whether some sector, as far as it lies behind `start`, is all zeros where a record should stand."""
        while start < stop:
            end = min((start // _SECTOR + 1) * _SECTOR, self.size)
            if not self._read(start, end - start).strip(b"\0"):
                return True
            start = end
        return False

    def _vouched_for(self) -> bool:
        """Whether a record further on says that the one which should stand at `end` was safe."""
        low, high = self.next_seq, self.next_seq + (self.size - self.end) // FRAME
        uppers = {struct.pack("<Q", number)[3:] for number in (*range(low, high, 1 << 24), high)}
        letters = re.escape(bytes(KINDS))
        looks_like = re.compile(
            b"(?=[" + letters + b"].{4}...(?:" + b"|".join(map(re.escape, sorted(uppers))) + b"))", re.DOTALL
        )
        at = self.end + 1
        while piece := self._read(at, _PIECE + FRAME):
            for match in looks_like.finditer(piece):
                begin = match.start()
                if begin + FRAME > len(piece):
                    break
                _, _, seq, durable, _, _ = FIELDS.unpack_from(piece, begin)
                check = CHECKS.unpack_from(piece, begin + FIELDS.size)[0]
                if low < seq <= high and durable >= low and zlib.crc32(piece[begin : begin + FIELDS.size]) == check:
                    return True
            at += _PIECE
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._fd)


def _open(path: Path) -> int:
    if "\0" in str(path):
        raise JournalError(f"{shown(path)} is no path")
    # Without O_NONBLOCK, opening a FIFO would wait for somebody to write to it.
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError as exc:
        if path.is_symlink():
            raise JournalError(f"{shown(path)} is a symbolic link; give the file itself") from exc
        raise JournalError(f"{shown(path)} can't be read: {in_words(exc, path)}") from exc
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise JournalError(f"{shown(path)} is no regular file; a journal's files are called 000001.journal and so on")
    return fd
