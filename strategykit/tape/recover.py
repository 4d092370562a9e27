"""Ending a recording whose writer was killed: the torn tail is put aside, and the rest sealed."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

import attrs

from strategykit.errors import TapeError
from strategykit.tape.disk import LOCK_NAME, Disk, RealDisk, in_words, lock_tape, sync_directory, write_all
from strategykit.tape.format import Kind, SegmentHeader, encode_json, encode_record, segment_name, shown
from strategykit.tape.reader import Tape, open_tape
from strategykit.tape.segment import SegmentReader
from strategykit.tape.segment_file import SegmentFile
from strategykit.tape.source import SegmentBytes, list_segments

__all__ = ["Recovery", "recover_tape"]


@attrs.frozen
class Recovery:
    """What was done to a tape."""

    segment: Path
    """The last segment, sealed now."""
    cut: int
    """Bytes that were no whole record."""
    aside: Path | None
    """Where they are now; None if there were none."""


def recover_tape(path: str | Path, *, disk: Disk | None = None) -> Recovery | None:
    """Seal a tape that was left unsealed. Blocks on the disk; what it does can be cut off and done again.

    The last record then is a NOTE ``RECOVERED`` with the number of bytes that were cut.

    Returns:
        None if the tape was sealed already.

    Raises:
        TapeError: It is still being written, or damaged, or no tape, or the disk failed. Nothing that could be read
            before is lost.
    """
    directory, disk = Path(path), disk or RealDisk()
    if not directory.is_dir():
        raise TapeError(f"{shown(directory)} is no tape's directory; only whole tapes can be recovered")
    if not (directory / LOCK_NAME).exists():  # Else one may be about to begin, and its recorder says so.
        list_segments(directory)  # What is no tape is left as it is, without a lock in it.
    try:
        with lock_tape(directory, "recovery", disk):
            for left in directory.glob("*.tape.zst.tmp"):
                disk.remove(left)
            tape = open_tape(directory)
            part = directory / f"{segment_name(tape.segments[-1])}.part"
            return _recover(tape, part, disk) if part.exists() else None
    except OSError as exc:
        raise TapeError(f"{shown(directory)} can't be recovered: {in_words(exc, directory)}") from exc


def _recover(tape: Tape, part: Path, disk: Disk) -> Recovery:
    torn = tape.torn  # Reads everything, so that a damaged tape is left as it is.
    sealed = part.with_suffix("")
    if torn is not None and torn.offset == 0:
        aside = _put_aside(part, 0, disk)
        disk.remove(part)
        header = SegmentHeader(
            segment=tape.segments[-1],
            first=tape.next_seq,
            instance=tape.instance,
            tape=tape.header,
            connections=tape.names[1:],
        )
        file = SegmentFile.create(disk, part.parent, header)
    else:
        with SegmentBytes(part, follow=False) as source:
            reader = SegmentReader(source)
            for _ in reader.chunks():
                pass
        if reader.footer is not None:  # Killed between the footer and the new name.
            _sync_file(part, disk)
            disk.rename(part, sealed)
            sync_directory(disk, part.parent)
            return Recovery(sealed, 0, None)
        aside = None
        if torn is not None:
            aside = _put_aside(part, torn.offset, disk)
            disk.truncate(part, torn.offset)
        times = reader.first_time, reader.last_time
        file = SegmentFile.reopen(disk, part, reader.header, count=reader.count, times=times)
    cut = 0 if torn is None else torn.bytes
    try:
        note = {"note": "RECOVERED", "bytes": cut, "aside": None if aside is None else aside.name}
        time = tape.header.created if file.last_time is None else file.last_time
        record = encode_record(Kind.NOTE, file.last_seq + 1, time, 0, encode_json(note))
        file.append([record], record)
        return Recovery(file.seal(), cut, aside)
    finally:
        file.close()


def _put_aside(part: Path, offset: int, disk: Disk) -> Path:
    """Copy the tail to a file of its own, durably, before it is cut."""
    stem = part.name.partition(".")[0]
    aside = next(path for number in count(1) if not (path := part.with_name(f"{stem}.torn-{number}")).exists())
    fd = disk.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        with part.open("rb") as file:
            file.seek(offset)
            while piece := file.read(1 << 20):
                write_all(disk, fd, piece)
        disk.fsync(fd)
    finally:
        os.close(fd)
    sync_directory(disk, part.parent)
    return aside


def _sync_file(path: Path, disk: Disk) -> None:
    fd = disk.open(path, os.O_RDONLY)
    try:
        disk.fsync(fd)
    finally:
        os.close(fd)
