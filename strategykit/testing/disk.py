"""A disk whose troubles are scripted: it fills up, its syncs take long, or fail."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final, Literal

import attrs
import trio

from strategykit.disk import RealDisk
from strategykit.journal.folder import RESERVE

__all__ = ["WORLD_RESERVE", "DiskFault", "WorldDisk"]

WORLD_RESERVE: Final = 256 << 10
"""Bytes that a world's journal keeps of its disk: some hundred records."""


@attrs.frozen(kw_only=True)
class DiskFault:
    """Something that happens to the disk of the journal."""

    what: Literal["full", "slow", "broken"]
    """
    - ``full``: for `seconds` nothing more can be written than what is given up meanwhile.
    - ``slow``: for `seconds` a sync takes `late` seconds.
    - ``broken``: the next sync fails.
    """
    seconds: float = 1.0
    late: float = 1.0


class WorldDisk(RealDisk):
    """The system's disk, with troubles. Nothing is really synced: no world loses its power."""

    def __init__(self) -> None:
        self._full_until = self._slow_until = 0.0
        self._room = 0
        """Bytes that a full disk still takes."""
        self._late = 0.0
        self._breaks = False

    def strike(self, fault: DiskFault) -> None:
        """Let something happen now."""
        until = trio.current_time() + fault.seconds
        match fault.what:
            case "full":
                self._full_until, self._room = until, 0
            case "slow":
                self._slow_until, self._late = until, fault.late
            case "broken":
                self._breaks = True

    def heal(self) -> None:
        """Be a good disk again."""
        self._full_until = self._slow_until = 0.0
        self._breaks = False

    def sync_takes(self) -> float:
        """Give the seconds that a sync takes which begins now."""
        return self._late if trio.current_time() < self._slow_until else 0.0

    def write(self, fd: int, data: bytes | memoryview) -> int:
        if trio.current_time() < self._full_until:
            if not self._room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            data = data[: self._room]
            self._room -= len(data)
        return super().write(fd, data)

    def remove(self, path: Path) -> None:
        if path.name == RESERVE:
            self._room += path.stat().st_size
        super().remove(path)

    def allocate(self, fd: int, size: int) -> None:
        if trio.current_time() < self._full_until:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().allocate(fd, size)

    def fdatasync(self, fd: int) -> None:  # noqa: ARG002 - the signature of all
        if self._breaks:
            self._breaks = False
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def fsync(self, fd: int) -> None:
        self.fdatasync(fd)
