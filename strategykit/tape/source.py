"""The bytes of one segment, plain or compressed, from a file that isn't trusted."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, Self

import zstandard

from strategykit.errors import TapeError
from strategykit.tape.format import SEGMENT_NAME, segment_name, shown

__all__ = ["MAX_SEGMENT", "MAX_WINDOW", "SegmentBytes", "list_segments", "open_segment"]

MAX_SEGMENT: Final = 512 << 20
"""Bytes that a compressed segment may unpack to; writers roll at half of it."""

MAX_WINDOW: Final = 8 << 20
"""Bytes of history that unpacking may hold. Our own files ask for 2 MiB; a hostile one could ask for gigabytes."""

_ARCHIVE: Final = "manifest.json"
"""What an archive has, which is no tape, but may be taken for one."""

_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"

_SPECIAL: Final = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class SegmentBytes:
    """An open segment file, read forward in bounded pieces.

    Its size is taken once, on opening: a file that grows meanwhile is read up to there.

    Args:
        path: The file.
        follow: False refuses symbolic links: nothing inside a tape may lead out of it.

    Raises:
        FileNotFoundError: There is no such file.
        TapeError: It can't be opened, or isn't a regular file.
    """

    def __init__(self, path: Path, *, follow: bool) -> None:
        self.path = path
        # Without O_NONBLOCK, opening a FIFO would wait for somebody to write to it.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
        try:
            fd = os.open(path, flags)
        except FileNotFoundError:
            raise
        except OSError as exc:
            raise TapeError(f"{shown(path)} can't be read: {exc.strerror}") from exc
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            what = next((words for test, words in _SPECIAL if test(status.st_mode)), "no regular file")
            raise TapeError(f"{shown(path)} is {what}, not a tape segment")
        self.size = status.st_size
        self._file = open(fd, "rb", buffering=0)  # noqa: SIM115 - this object is the context manager.
        self._given = 0
        self._unpacked: IO[bytes] | None = None
        if os.pread(fd, 4, 0) == _ZSTD_MAGIC:
            unpacker = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
            # Across frames, so that bytes after the first one are seen and judged.
            self._unpacked = unpacker.stream_reader(self._file, read_across_frames=True)

    @property
    def compressed(self) -> bool:
        return self._unpacked is not None

    def read(self, count: int) -> bytes:
        """Give the next bytes, at most `count`; none at the end.

        Raises:
            TapeError: The disk failed, or the compressed data is damaged or unpacks to too much.
        """
        try:
            if self._unpacked is None:
                piece = self._file.read(min(count, self.size - self._given)) or b""
            else:
                piece = self._unpacked.read(count)
        except OSError as exc:
            raise TapeError(f"{shown(self.path)} can't be read: {exc.strerror}") from exc
        except zstandard.ZstdError as exc:
            raise TapeError(f"{shown(self.path)} can't be unpacked after {self._given} bytes: {exc}") from exc
        self._given += len(piece)
        if self._unpacked is not None and self._given > MAX_SEGMENT:
            raise TapeError(f"{shown(self.path)} unpacks to more than {MAX_SEGMENT >> 20} MiB; no tape segment does")
        return piece

    def read_at(self, offset: int, count: int) -> bytes:
        """Give bytes of a plain file from `offset` on, without moving."""
        try:
            return os.pread(self._file.fileno(), max(0, min(count, self.size - offset)), offset)
        except OSError as exc:
            raise TapeError(f"{shown(self.path)} can't be read: {exc.strerror}") from exc

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def list_segments(directory: Path) -> list[int]:
    """Give the numbers of the segments in `directory`, checked: 1, 2, 3, … with no hole.

    Raises:
        TapeError: There are none, one is missing, or one stands twice.
    """
    try:
        names = sorted(entry.name for entry in directory.iterdir())
    except OSError as exc:
        raise TapeError(f"{shown(directory)} can't be read: {exc.strerror}") from exc
    found: dict[int, list[str]] = {}
    for name in names:
        if match := SEGMENT_NAME.fullmatch(name):
            found.setdefault(int(match[1]), []).append(match[2] or "")
    if not found and _ARCHIVE in names:
        raise TapeError(
            f"{shown(directory)} is an archive, not a tape: others read its Parquet files, and `replay` both kinds"
        )
    if not found:
        raise TapeError(
            f"{shown(directory)} is a directory without segments ({segment_name(1)} and so on); it is no tape"
            f", and no archive without a {_ARCHIVE}"
        )
    for number, endings in found.items():
        # A plain and a compressed one are what is left when a process dies between a rename and a removal.
        if ".part" in endings and len(endings) > 1:
            raise TapeError(f"{shown(directory)}: segment {number:06d} is there both sealed and unsealed")
    for number in range(1, max(found) + 1):
        if number not in found:
            raise TapeError(f"{shown(directory)}: segment {segment_name(number)} is missing")
    for number in range(1, max(found)):
        if ".part" in found[number]:
            raise TapeError(f"{shown(directory)}: segment {number:06d} isn't sealed, but later ones follow")
    return sorted(found)


def open_segment(directory: Path, number: int) -> SegmentBytes:
    """Open a segment by its number, whatever it is called now: a writer may seal and compress while others read.

    Raises:
        TapeError: It can't be read.
    """
    name = segment_name(number)
    for ending in ("", ".zst", ".part", "", ".zst"):  # In the order of a segment's life a rename could be missed.
        with suppress(FileNotFoundError):
            return SegmentBytes(directory / (name + ending), follow=False)
    raise TapeError(f"{shown(directory / name)} vanished while the tape was read")
