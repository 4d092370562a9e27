"""What has been unpacked, kept as it is in memory, so that it only needs to be mapped the next time.

A file is named by the SHA-256 of what it was made of, and says so again inside. One that is cut short, is something
else, or was made by another version is made anew; nothing depends on any of them being there.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import attrs

from strategykit.archive.arrow import ipc, pa
from strategykit.archive.manifest import FileEntry
from strategykit.archive.rows import Rows, plain_schema
from strategykit.disk import in_words, shown
from strategykit.errors import TapeError

__all__ = ["Cache"]

_VERSION: Final = b"1"
"""Of the rows as they are in memory: another one makes all files anew."""

_ENDING: Final = ".arrow"
_MOST_BYTES: Final = 8 << 30


@attrs.frozen
class Cache:
    """A folder of unpacked rows."""

    folder: Path
    most_bytes: int = _MOST_BYTES
    """When there is more, what wasn't used for the longest time goes; but never what was asked for last."""

    def rows(self, kind: type, entry: FileEntry, source: Iterator[Rows]) -> Iterator[Rows]:
        """Give the rows of a file of an archive: from here, or from `source`, which are kept then.

        Raises:
            TapeError: The folder can't be written.
        """
        path = self.folder / f"{entry.sha256}-{kind.__name__}{_ENDING}"
        schema = plain_schema(kind).with_metadata({"sha256": entry.sha256, "rows": str(entry.rows), "v": _VERSION})
        found = _open(path, schema)
        if found is None:
            try:
                self._make(path, schema, source)
            except OSError as exc:
                raise TapeError(f"{shown(self.folder)} can't be written: {in_words(exc, self.folder)}") from exc
            found = _open(path, schema)
            if found is None:
                raise TapeError(f"{shown(path)} isn't there any more as it was written")
        for number in range(found.num_record_batches):
            yield found.get_batch(number)

    def _make(self, path: Path, schema: Any, source: Iterator[Rows]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        fd, name = tempfile.mkstemp(dir=self.folder, suffix=".partial")
        try:
            with os.fdopen(fd, "wb") as file, ipc.new_file(file, schema) as writer:
                for rows in source:
                    writer.write_batch(rows)
            Path(name).rename(path)
        finally:
            with suppress(FileNotFoundError):
                Path(name).unlink()
        self._trim(path)

    def _trim(self, kept: Path) -> None:
        files = [(path.stat(), path) for path in self.folder.glob(f"*{_ENDING}")]
        total = sum(status.st_size for status, _ in files)
        for status, path in sorted(files, key=lambda each: each[0].st_mtime_ns):
            if total <= self.most_bytes:
                return
            if path != kept:
                path.unlink(missing_ok=True)  # Who has it mapped goes on with it.
                total -= status.st_size


def _open(path: Path, schema: Any) -> Any:
    """Map a file; None if it isn't there, or isn't what it should be."""
    try:
        file = ipc.open_file(pa.memory_map(str(path)))
        if not file.schema.equals(schema, check_metadata=True):
            return None
        wanted = int(schema.metadata[b"rows"])
        whole = sum(len(file.get_batch(number)) for number in range(file.num_record_batches)) == wanted
    except (pa.ArrowException, OSError):
        return None
    if not whole:
        return None
    with suppress(OSError):
        os.utime(path)
    return file
