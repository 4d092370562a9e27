"""Compressing sealed segments, so that the plain one goes only when the other is known to hold the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import zstandard

from strategykit.errors import TapeError
from strategykit.tape.disk import Disk, sync_directory, write_all
from strategykit.tape.source import SegmentBytes

__all__ = ["compress_segment"]

_LEVEL: Final = 3
"""18 to 20 bytes for a frame of 250; level 10 gains a byte and takes five times as long."""

_PIECE: Final = 1 << 20


def compress_segment(path: Path, *, disk: Disk, abandoned: Callable[[], bool] = lambda: False) -> bool:
    """Replace a sealed segment ``N.tape`` by ``N.tape.zst``. Blocks; meant for a thread.

    The temporary file is read back and compared before it gets its name.

    Args:
        path: The sealed segment.
        disk: How files are reached.
        abandoned: Asked between pieces; True ends the work without a trace.

    Returns:
        False if it wasn't done: given up, or the disk failed. The plain segment is whole then, and stays.

    Raises:
        OSError: The directory couldn't be synced: what was renamed in it isn't sure to last, nor would later seals be.
    """
    target = path.with_name(path.name + ".zst")
    temporary = target.with_name(target.name + ".tmp")
    try:
        if not _compress(path, temporary, disk, abandoned):
            _discard(temporary, disk)
            return False
        disk.rename(temporary, target)
    except (OSError, TapeError):  # Nothing is lost by it: the plain segment is as good.
        _discard(temporary, disk)
        return False
    sync_directory(disk, path.parent)
    with suppress(OSError):  # Both stay then, and say the same.
        disk.remove(path)
    return True


def _discard(temporary: Path, disk: Disk) -> None:
    with suppress(OSError):
        disk.remove(temporary)


def _compress(path: Path, temporary: Path, disk: Disk, abandoned: Callable[[], bool]) -> bool:
    digest = hashlib.sha256()
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()
    fd = disk.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW)
    try:
        with SegmentBytes(path, follow=False) as plain:
            while piece := plain.read(_PIECE):
                if abandoned():
                    return False
                digest.update(piece)
                if packed := compressor.compress(piece):
                    write_all(disk, fd, packed)
        write_all(disk, fd, compressor.flush())
        disk.fsync(fd)
    finally:
        os.close(fd)
    again = hashlib.sha256()
    with SegmentBytes(temporary, follow=False) as packed_file:
        while piece := packed_file.read(_PIECE):
            if abandoned():
                return False
            again.update(piece)
    return again.digest() == digest.digest()
