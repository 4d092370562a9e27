"""The process that syncs a journal's file for the one that writes it. Run by its path, without the package."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

__all__ = ["go_first", "keep_syncing"]


def go_first() -> None:
    """Ask to go on at once, before usual processes, whenever there is something to do; without leave to, stay usual.

    On busy processors a usual process waits some milliseconds for its turn, here twice: when a sync is asked for, and
    when the disk is done. Between the two there is next to nothing to do for a processor.
    """
    with suppress(OSError, AttributeError):  # Not every system has it, and not everybody may.
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def keep_syncing(file: int, wire: int) -> None:
    """Answer every byte with the error of a sync, 0 being none, until none come."""
    while os.read(wire, 1):
        code = 0
        try:
            os.fdatasync(file)
        except OSError as exc:
            code = exc.errno or -1
        os.write(wire, code.to_bytes(4, "little", signed=True))


def main(arguments: Sequence[str]) -> None:
    # Who stops the program means the one that trades; this one goes when that is gone.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    go_first()
    file, wire = map(int, arguments)
    keep_syncing(file, wire)


if __name__ == "__main__":
    main(sys.argv[1:])
