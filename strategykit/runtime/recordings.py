"""Opening whatever market data were recorded as: a tape, or an archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from strategykit.disk import shown
from strategykit.errors import ConfigError
from strategykit.runtime.recorded_venue import recorded_venue
from strategykit.tape.reader import Tape, open_tape
from strategykit.venues.dialect import Dialect

if TYPE_CHECKING:  # Archives need libraries that tapes don't.
    from strategykit.archive.reader import Archive

__all__ = ["MANIFEST", "open_recording"]

MANIFEST: Final = "manifest.json"
"""What every archive has, and no tape."""


def open_recording(path: Path | str, *, cache: Path | None = None) -> tuple[Tape | Archive, Dialect | None]:
    """Open a tape, with the dialect that it was recorded in, or an archive, which needs none.

    Args:
        path: Its folder.
        cache: A folder for what has been unpacked of an archive, see `Archive.open`.

    Raises:
        ConfigError: It is an archive, and the libraries for archives aren't installed; or it is a tape, and there is a
            cache.
        TapeError: It is neither, or damaged.
    """
    folder = Path(path)
    if (folder / MANIFEST).is_file():
        from strategykit.archive.reader import Archive

        return Archive.open(folder, cache=cache), None
    if cache is not None:
        raise ConfigError(f"a cache is for archives; make one of {shown(folder)} by `strategykit tape export`")
    tape = open_tape(folder)
    dialect, _ = recorded_venue(tape)
    return tape, dialect
