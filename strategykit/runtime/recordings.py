"""Opening whatever market data were recorded as: a tape, or an archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from strategykit.runtime.recorded_venue import recorded_venue
from strategykit.tape.reader import Tape, open_tape
from strategykit.venues.dialect import Dialect

if TYPE_CHECKING:  # Archives need libraries that tapes don't.
    from strategykit.archive.reader import Archive

__all__ = ["MANIFEST", "open_recording"]

MANIFEST: Final = "manifest.json"
"""What every archive has, and no tape."""


def open_recording(path: Path | str) -> tuple[Tape | Archive, Dialect | None]:
    """Open a tape, with the dialect that it was recorded in, or an archive, which needs none.

    Raises:
        ConfigError: It is an archive, and the libraries for archives aren't installed.
        TapeError: It is neither, or damaged.
    """
    folder = Path(path)
    if (folder / MANIFEST).is_file():
        from strategykit.archive.reader import Archive

        return Archive.open(folder), None
    tape = open_tape(folder)
    dialect, _ = recorded_venue(tape)
    return tape, dialect
