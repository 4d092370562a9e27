"""Pulling a run's kill switch by a signal, where no file can say so."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from strategykit.disk import LOCK_NAME, in_words
from strategykit.journal.folder import pid_of

__all__ = ["signal_run"]


def signal_run(folder: Path, holder: str) -> str:
    """Pull the kill switch of the run that writes in `folder` by SIGUSR1.

    Only if it is that run and listens: the signal ends any other process.

    Args:
        folder: The account's.
        holder: What the run wrote of itself.

    Returns:
        Why nothing was sent; empty if the signal was.
    """
    pid = pid_of(holder)
    if pid is None:
        return f"which process that is can't be told from {holder!r}"
    try:
        if not _has_open(pid, folder / LOCK_NAME):
            return f"process {pid} isn't it here: the run is in another container, or on another machine"
        if not _takes(pid, signal.SIGUSR1):
            return f"process {pid} doesn't listen to SIGUSR1, which would end it"
        os.kill(pid, signal.SIGUSR1)
    except OSError as exc:
        return f"process {pid} can't be signalled from here: {in_words(exc)}"
    return ""


def _has_open(pid: int, path: Path) -> bool:
    lock = path.stat()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if os.path.samestat(link.stat(), lock):
                return True
        except FileNotFoundError:  # Closed just now.
            continue
    return False


def _takes(pid: int, number: signal.Signals) -> bool:
    """Say whether a process catches or ignores a signal."""
    masks = 0
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name in ("SigCgt", "SigIgn"):
            masks |= int(value, 16)
    return bool(masks >> (number - 1) & 1)
