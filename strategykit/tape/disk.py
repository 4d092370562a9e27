"""A tape's lock, and the calls by which it touches the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from strategykit.disk import (
    LOCK_NAME,
    Disk,
    LockHeld,
    RealDisk,
    in_words,
    shown,
    sync_directory,
    take_lock,
    write_all,
)
from strategykit.errors import TapeError

__all__ = ["LOCK_NAME", "Disk", "RealDisk", "in_words", "lock_tape", "sync_directory", "write_all"]


@contextmanager
def lock_tape(directory: Path, instance: str, disk: Disk) -> Iterator[None]:
    """Hold the tape's lock.

    Raises:
        TapeError: Another writer holds it.
    """
    try:
        fd = take_lock(directory, f"instance {instance}", disk)
    except LockHeld as exc:
        raise TapeError(
            f"{shown(directory)} is being written by another recorder ({ascii(exc.holder)[1:-1]}); "
            "wait until it ends, or record to another name"
        ) from exc
    try:
        yield
    finally:
        os.close(fd)
