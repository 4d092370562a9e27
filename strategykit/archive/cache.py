"""What has been unpacked, kept as it is in memory, so that it only needs to be mapped the next time.

A file is named by the SHA-256 of what it was made of, and says so again inside; it ends with a checksum over all of it.
One that is damaged, cut short, something else, or made by another version is made anew; nothing depends on any of them
being there.
"""

from __future__ import annotations

import io
import mmap
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

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
_GROWING: Final = ".partial"
_MOST_BYTES: Final = 8 << 30

_SEAL: Final = b"crc32:%08x"
"""The last bytes of a file, behind Arrow's.

CRC-32 finds for certain one flipped bit, two within half a gigabyte, and a run of up to 32; of all else it misses one
in four billion. SHA-256 and BLAKE2 take twice as long.
"""

_SEAL_BYTES: Final = len(_SEAL % 0)
_PIECE: Final = 1 << 22
"""Bytes that are mapped at a time where all are looked at."""

_LEFT_BEHIND: Final = 86_400
"""Seconds after which nobody is still writing to a file."""


@attrs.frozen
class Cache:
    """A folder of unpacked rows.

    Attributes:
        notes: What was found to be wrong there, and is made anew.
    """

    folder: Path
    most_bytes: int = _MOST_BYTES
    """When there is more, what wasn't used for the longest time goes; but never what was asked for last."""
    notes: list[str] = attrs.field(factory=list, init=False, eq=False)
    _checked: set[tuple[int, ...]] = attrs.field(factory=set, init=False, eq=False)
    """Files, as `_state` knows them, whose checksum was right."""

    def rows(self, kind: type, entry: FileEntry, source: Iterator[Rows]) -> Iterator[Rows]:
        """Give the rows of a file of an archive: from here, or from `source`, which are kept then.

        Raises:
            TapeError: The folder can't be written, or gives back something else than was written.
        """
        path, schema = self._place(kind, entry)
        found = self._find(path, schema)
        if found is None:
            try:
                found = self._make(path, schema, source)
            except OSError as exc:
                raise TapeError(f"{shown(self.folder)} can't be written: {in_words(exc, self.folder)}") from exc
        yield from found

    def drop_wrong(self, kind: type, entry: FileEntry) -> None:
        """Look at all of what is kept of a file of an archive, whether that was done before or not.

        What is wrong is taken away.

        Raises:
            TapeError: It can't be.
        """
        path, schema = self._place(kind, entry)
        self._checked.clear()
        if self._find(path, schema) is None:
            try:
                path.unlink(missing_ok=True)
            except OSError as exc:
                raise TapeError(f"{shown(path)} is wrong, and can't be removed: {exc.strerror}") from exc

    def _place(self, kind: type, entry: FileEntry) -> tuple[Path, Any]:
        path = self.folder / f"{entry.sha256}-{kind.__name__}{_ENDING}"
        return path, plain_schema(kind).with_metadata({"sha256": entry.sha256, "rows": str(entry.rows), "v": _VERSION})

    def _find(self, path: Path, schema: Any) -> Iterator[Rows] | None:
        """Give what is kept in a file; None if it isn't there, or isn't what it should be, which is noted."""
        try:
            return self._mapped(path, schema)
        except FileNotFoundError:
            return None
        except (pa.ArrowException, OSError, ValueError) as exc:
            self.notes.append(f"{shown(path)} isn't used, but made anew: {exc}")
            return None

    def _make(self, path: Path, schema: Any, source: Iterator[Rows]) -> Iterator[Rows]:
        self.folder.mkdir(parents=True, exist_ok=True)
        fd, name = tempfile.mkstemp(dir=self.folder, suffix=_GROWING)
        try:
            with os.fdopen(fd, "wb") as file:
                summed = _Summed(file)
                with ipc.new_file(summed, schema) as writer:
                    for rows in source:
                        writer.write_batch(rows)
                file.write(_SEAL % summed.sum)
            try:
                # Before it has its name: then another process may trim it away.
                found = self._mapped(Path(name), schema)
            except (pa.ArrowException, ValueError) as exc:
                raise TapeError(f"{shown(self.folder)} doesn't give back what was written there: {exc}") from exc
            Path(name).rename(path)
        finally:
            with suppress(FileNotFoundError):
                Path(name).unlink()
        self._trim(path)
        return found

    def _mapped(self, path: Path, schema: Any) -> Iterator[Rows]:
        """Map a file into memory, after looking at its checksum if that wasn't done since it was changed.

        Raises:
            ValueError: It isn't what was written, or what is wanted.
            pyarrow.ArrowException: The same.
            OSError: It can't be read.
        """
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size <= _SEAL_BYTES:
                raise ValueError(f"it has {size} bytes")
            mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            if _state(file) not in self._checked:
                _check(mapping, size)
            found = ipc.open_file(pa.py_buffer(mapping).slice(0, size - _SEAL_BYTES))
            if not found.schema.equals(schema, check_metadata=True):
                raise ValueError("it is of something else, or of another version")
            with suppress(OSError):
                os.utime(file.fileno())
            self._checked.add(_state(file))
        return _batches(found, mapping)

    def _trim(self, kept: Path) -> None:
        growing, files = self._statuses(_GROWING), self._statuses(_ENDING)
        now = max((status.st_mtime for status, _ in (*growing, *files)), default=0.0)
        for status, path in growing:
            if now - status.st_mtime > _LEFT_BEHIND:  # Whoever wrote it was killed.
                path.unlink(missing_ok=True)
        total = sum(status.st_size for status, _ in files)
        for status, path in sorted(files, key=lambda each: each[0].st_mtime_ns):
            if total <= self.most_bytes:
                return
            if path != kept:
                path.unlink(missing_ok=True)  # Who has it mapped goes on with it.
                total -= status.st_size

    def _statuses(self, ending: str) -> list[tuple[os.stat_result, Path]]:
        found = []
        for path in self.folder.glob(f"*{ending}"):
            with suppress(FileNotFoundError):  # Another process trims, too.
                found.append((path.stat(), path))
        return found


class _Summed(io.RawIOBase):
    """Passes on what is written, and adds it up."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.sum = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self.sum = zlib.crc32(data, self.sum)
        return self._file.write(data)


def _state(file: BinaryIO) -> tuple[int, ...]:
    """Tell a file from all others, and from itself after a change."""
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _check(mapping: mmap.mmap, size: int) -> None:
    found, end = 0, size - _SEAL_BYTES
    with memoryview(mapping) as view:
        for start in range(0, end, _PIECE):
            found = zlib.crc32(view[start : min(start + _PIECE, end)], found)
            mapping.madvise(mmap.MADV_DONTNEED)
        seal = bytes(view[end:])
    if seal != _SEAL % found:
        raise ValueError("its checksum is wrong, or missing")


def _batches(file: Any, mapping: mmap.mmap) -> Iterator[Rows]:
    for number in range(file.num_record_batches):
        yield file.get_batch(number)
        # Else what has been read would count as this process's memory until the end. Rows that are still in use are
        # mapped again when they are looked at.
        mapping.madvise(mmap.MADV_DONTNEED)
