"""How far files have been read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

__all__ = ["ReadProgress"]


class ReadProgress:
    """Adds up what is told of files: by their bytes on the disk, which are known beforehand, as their lines aren't.

    Args:
        paths: The files; what isn't one of them counts for nothing.
        tell: Takes the part that has been read, and how many lines that is.
        times: How often all are read.
    """

    def __init__(self, paths: Iterable[Path], tell: Callable[[float, int], None], *, times: int = 1) -> None:
        self._at = dict.fromkeys(paths, 0)
        self._total = max(sum(path.stat().st_size for path in self._at) * times, 1)
        self._tell = tell
        self._read = self._lines = 0

    def on_read(self, path: Path, at: int, lines: int) -> None:
        """Take that the first `at` bytes of a file have been read; fewer than before: it is read anew."""
        if path not in self._at:
            return
        before = self._at[path]
        self._at[path] = at
        self._read += at - before if at >= before else at
        self._lines += lines
        self._tell(min(self._read / self._total, 1.0), self._lines)
