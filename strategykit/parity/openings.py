"""Which files anybody opens, by the word of the operating system: a library that does so without Python, too."""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ["link_aside", "recorded_files", "watch_openings"]

# Source: Linux, inotify(7) and <sys/inotify.h>.
_OPENED: Final = 0x20
_OVERFLOW: Final = 0x4000
_HEAD: Final = struct.Struct("iIII")
"""Of an event: which watch, what happened, a cookie, the length of the name that follows."""
_READ: Final = 1 << 16


def recorded_files(root: Path) -> list[Path]:
    """Give the files of a recording, as paths below `root`; of a recording that is one file, itself."""
    if not root.is_dir():
        return [root] if root.is_file() else []
    folders = os.walk(root)
    return sorted(Path(folder, name) for folder, _, names in folders for name in names if Path(folder, name).is_file())


@contextmanager
def link_aside(root: Path) -> Iterator[Path]:
    """Give a recording once more, in a folder of a random name that goes again; nothing of `root` is moved or written.

    Its files are further names of the same ones, so that they take no place, and if the process is killed all that
    is left of it are such names.

    Raises:
        OSError: The file system has no such names, or forbids them.
    """
    root = Path(os.path.realpath(root))
    folder = _linked(root)
    try:
        yield folder / root.name
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _linked(root: Path) -> Path:
    try:
        return _link_in(tempfile.gettempdir(), root)
    except OSError:  # Another file system, mostly.
        return _link_in(str(root.parent), root)


def _link_in(place: str, root: Path) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=".lookahead-", dir=place))
    try:
        for file in recorded_files(root):
            target = folder / root.name / file.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(os.path.realpath(file), target)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


@contextmanager
def watch_openings(files: Sequence[Path]) -> Iterator[Callable[[], list[str]]]:
    """Note which of `files` are opened under their names, by any program; under their other names they may be.

    Yields:
        Gives those that were opened since it was called last. Where more happened than could be noted, all of them.

    Raises:
        OSError: The system doesn't tell.
    """
    if sys.platform != "linux":
        raise OSError("only Linux tells which files are opened")
    libc = ctypes.CDLL(None, use_errno=True)
    fd = _checked(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    try:
        # Of folders, not of files: a file's own watch would tell of openings by its other names, which are ours.
        names: dict[str, set[str]] = {}
        for path in map(os.path.realpath, files):
            names.setdefault(os.path.dirname(path), set()).add(os.path.basename(path))
        watched = {_checked(libc.inotify_add_watch(fd, os.fsencode(name), _OPENED)): name for name in names}

        def opened() -> list[str]:
            found: dict[str, None] = {}
            for watch, what, name in _events(fd):
                if what & _OVERFLOW:
                    return [os.path.realpath(file) for file in files]
                if name in names[watched[watch]]:
                    found[os.path.join(watched[watch], name)] = None
            return list(found)

        yield opened
    finally:
        os.close(fd)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _events(fd: int) -> Iterator[tuple[int, int, str]]:
    while True:
        try:
            data = os.read(fd, _READ)
        except BlockingIOError:
            return
        at = 0
        while at < len(data):
            watch, what, _, length = _HEAD.unpack_from(data, at)
            at += _HEAD.size
            yield watch, what, os.fsdecode(data[at : at + length].rstrip(b"\0"))
            at += length
