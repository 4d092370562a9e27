"""Sessions as the recorder of cryptofeed writes them: a line for each frame, HTTP answer and connection.

``<url> <-> <seconds>`` a connection, ``<url> <- <seconds>: <frame>`` sent, ``<seconds>: <frame>`` received,
``<url> -> <seconds>: <body>`` an HTTP answer, to which `` header: {…}`` may be added; ``configuration: {…}``.
"""

from __future__ import annotations

import enum
import heapq
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import attrs

from strategykit.errors import ConfigError, TapeError
from strategykit.foreign.leaps import without_leaps
from strategykit.foreign.refusals import Place, RowRefused
from strategykit.foreign.text import AS_IT_IS, Lines, Reading, open_lines
from strategykit.foreign.times import read_seconds

__all__ = ["Entry", "EntryKind", "host_of", "read_bytes_literal", "read_entries", "read_session"]


class EntryKind(enum.Enum):
    OPENED = "opened"
    SENT = "sent"
    RECEIVED = "received"
    ANSWER = "answer"


@attrs.frozen
class Entry:
    """One line."""

    kind: EntryKind
    time: int
    """Nanoseconds UTC."""
    url: str
    """Empty for frames that were received."""
    text: str
    place: Place


_LINE: Final = re.compile(
    r"(?:(?P<url>[a-z]+://\S+) (?P<way><->|<-|->) )?(?P<time>[0-9]+(?:\.[0-9]+)?)(?:: (?P<text>.*))?", re.DOTALL
)
_HEADER: Final = re.compile(r" header: \{[^{}]*\}$")
_CONFIGURATION: Final = "configuration: "
_KINDS: Final[Mapping[str | None, EntryKind]] = {
    "<->": EntryKind.OPENED,
    "<-": EntryKind.SENT,
    "->": EntryKind.ANSWER,
    None: EntryKind.RECEIVED,
}

_ESCAPE: Final = re.compile(r"\\(?:x[0-9a-f]{2}|[\\'\"nrt])")


def read_entries(lines: Lines, refuse: Callable[[Place, object], None]) -> Iterator[Entry]:
    """Give the entries of one file; blank lines and the configuration are passed over.

    Raises:
        TapeError: It is of another format: its first line isn't one of such a session.
    """
    some = False
    for line in lines:
        if not line.strip() or line.startswith(_CONFIGURATION):
            continue
        found = _LINE.fullmatch(line)
        if found is None or (found["text"] is None) != (found["way"] == "<->"):
            if not some:
                raise TapeError(f"{lines.place}: no line of a session that cryptofeed recorded")
            refuse(lines.place, "no line of a session: a time, a colon and a frame would be right")
            continue
        some = True
        try:
            time = read_seconds(found["time"])
        except RowRefused as exc:
            refuse(lines.place, exc)
            continue
        kind = _KINDS[found["way"]]
        text, url = found["text"] or "", found["url"] or ""
        try:
            urlsplit(url)
        except ValueError as exc:  # A bracket that isn't closed.
            refuse(lines.place, f"no address, as {url!r} can't be read: {exc}")
            continue
        yield Entry(kind, time, url, _HEADER.sub("", text) if url else text, lines.place)


def read_session(
    paths: Sequence[Path], refuse: Callable[[Place, object], None], reading: Reading = AS_IT_IS
) -> Iterator[Entry]:
    """Give what is in the files of one session, side by side, oldest first.

    Raises:
        TapeError: One can't be read, or is of another format.
    """
    with ExitStack() as stack:
        files = [read_entries(stack.enter_context(open_lines(path, reading)), refuse) for path in paths]
        # Each by itself: a file is held back as long as its next entry is later than those of the others.
        orderly = [without_leaps(file, _time, lambda entry, why: refuse(entry.place, why)) for file in files]
        yield from heapq.merge(*orderly, key=_time)


def _time(entry: Entry) -> int:
    return entry.time


def host_of(paths: Sequence[Path], refuse: Callable[[Place, object], None]) -> str:
    """Give the host that a session's first connection went to.

    Raises:
        ConfigError: The files hold no connection.
        TapeError: One isn't of such a session.
    """
    for entry in read_session(paths, refuse):
        if entry.kind is EntryKind.OPENED:
            return urlsplit(entry.url).hostname or ""
    raise ConfigError("the files tell of no connection; name those of frames (such as BINANCE.ws.1.0), too")


def read_bytes_literal(text: str) -> bytes:
    r"""Read bytes as Python writes them, such as ``b'\x1f\x8b'``; nothing else is taken, and nothing is evaluated.

    Raises:
        RowRefused: It is anything else.
    """
    quote = text[1:2]
    if len(text) < 3 or text[0] != "b" or quote not in ("'", '"') or text[-1] != quote or not text.isascii():
        raise RowRefused("no bytes as Python writes them:", text)
    body = text[2:-1]
    rest = _ESCAPE.sub("", body)
    if "\\" in rest or quote in rest or not (rest.isprintable() or not rest):
        raise RowRefused("no bytes as Python writes them:", text)
    # All escapes that are left mean to this codec what they mean in bytes; it is four times as fast as a call for each.
    return body.encode("ascii").decode("unicode_escape").encode("latin-1")
