"""Who opens files of a recording while a strategy runs on it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["Reads", "watch_files"]


class Reads:
    """Files of a recording that a strategy opened, each once, in the order in which it did.

    Args:
        root: The recording.
        code: Files of the strategies.
    """

    def __init__(self, root: Path, code: Sequence[Path]) -> None:
        self.found: dict[str, None] = {}
        self.on = True
        self._root = os.path.realpath(root)
        self._thread = threading.get_ident()
        self._code = frozenset(os.path.realpath(path) for path in code)

    def hear(self, event: str, facts: tuple[Any, ...]) -> None:
        """Take what Python tells of itself."""
        if not self.on or event != "open" or not facts or not isinstance(facts[0], str | bytes | os.PathLike):
            return
        path = os.path.realpath(os.fsdecode(facts[0]))
        inside = path == self._root or path.startswith(self._root + os.sep)
        if inside and self._by_strategy(sys._getframe(1)):  # noqa: SLF001 - there is no public way to who calls
            self.found[path] = None

    def _by_strategy(self, frame: FrameType | None) -> bool:
        if threading.get_ident() != self._thread:
            return True  # The replay reads in the thread that it runs in; only a strategy has others.
        while frame is not None:
            if os.path.realpath(frame.f_code.co_filename) in self._code:
                return True
            frame = frame.f_back
        return False


@contextmanager
def watch_files(root: Path, code: Sequence[Path], add: Callable[[Any], None] = sys.addaudithook) -> Iterator[Reads]:
    """Note which files in `root` are opened by code of `code`, or by threads that it started.

    Only what goes through Python's own opening of files is seen.
    """
    reads = Reads(root, code)
    add(reads.hear)  # Python has no way to take it out again: from the end on it looks at one flag.
    try:
        yield reads
    finally:
        reads.on = False
