"""The data of a sweep: an archive, whatever they were recorded as."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from strategykit.archive.reader import Archive
from strategykit.errors import TapeError
from strategykit.runtime.export import export_tapes
from strategykit.runtime.recordings import open_recording

__all__ = ["prepare"]


def prepare(
    path: Path, digest: str, version: str, folder: Path, on_progress: Callable[[float], None] = lambda _: None
) -> Archive:
    """Give the archive at `path`, or make one in `folder` of the tape that is there; one that was made is used again.

    Args:
        path: Of an archive or a tape.
        digest: Of what it holds.
        version: Of strategykit, sources included: another one may read other events in the same frames.
        folder: For what is made.
        on_progress: Takes the part that is done, 0 to 1.

    Raises:
        TapeError: It is neither, or damaged.
    """
    source, _ = open_recording(path)
    if isinstance(source, Archive):
        return source
    made = folder / hashlib.sha256(f"{digest} {version}".encode()).hexdigest()[:16]
    if made.is_dir():
        try:
            return Archive.open(made)
        except TapeError:  # Somebody has taken a part of it away.
            shutil.rmtree(made)
    return export_tapes([path], made, on_progress=lambda told: on_progress(told.part))
