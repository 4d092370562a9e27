"""What an archive says of itself: written last, so that a folder without it is no archive."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from strategykit.disk import shown
from strategykit.errors import TapeError
from strategykit.model.codec import from_dict, make_converter, to_dict
from strategykit.model.instruments import Instrument
from strategykit.venues.streams import Stream

__all__ = [
    "FORMAT",
    "MANIFEST",
    "FileEntry",
    "Manifest",
    "Source",
    "StreamEntry",
    "digest_of",
    "named",
    "read_manifest",
]

FORMAT: Final = 1
"""The format's number; a reader refuses larger ones."""

MANIFEST: Final = "manifest.json"

_SIGNED: Final = "sha256"
"""Of all that stands beside it."""

_MOST_BYTES: Final = 64 << 20
_PATH: Final = re.compile(r"[A-Za-z0-9_.+~-]+/[A-Za-z]+/[0-9]{4}(-[0-9]{2}-[0-9]{2})?\.parquet")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_PIECE: Final = 1 << 20


@attrs.frozen(kw_only=True)
class FileEntry:
    """One Parquet file: events of one class, of one stream and day, or year (UTC, by receive time)."""

    path: str
    """In the archive's folder: stream, class, day or year."""
    rows: int
    first: int
    """When it was told, nanoseconds UTC."""
    last: int
    bytes: int
    sha256: str


@attrs.frozen(kw_only=True)
class StreamEntry:
    """One stream."""

    stream: Stream
    guid: str
    """Of the subscription that its events came by."""
    files: dict[str, list[FileEntry]]
    """By the name of the class, oldest day first."""

    @property
    def rows(self) -> int:
        return sum(file.rows for files in self.files.values() for file in files)


@attrs.frozen(kw_only=True)
class Source:
    """What an archive was made of."""

    format: str
    """``"tape"``, or the format that was imported."""
    names: list[str]
    sha256: list[str] = attrs.field(factory=list)
    """Of the files, in the order of `names`; of a tape, of its instance."""
    refused: int = 0
    """Rows that weren't taken."""


@attrs.frozen(kw_only=True)
class Manifest:
    """A whole archive."""

    format: int = FORMAT
    strategykit_version: str
    source: Source
    venue: str
    """Name of the dialect that read it, or of the source's format."""
    session: dict[str, Any] = attrs.field(factory=dict)
    """Of a tape: as its header has it."""
    seed: int = 1
    """Ids and jitter of a replay come from it unless another is given."""
    clock_origin: int
    first: int
    """When a replay begins: the first frame of a tape, else the first event. Nanoseconds UTC."""
    last: int
    instruments: list[Instrument] = attrs.field(factory=list)
    streams: list[StreamEntry]

    def encode(self) -> bytes:
        """Give it as JSON, with a SHA-256 of its own."""
        return signed(to_dict(make_converter(), self, Manifest))


def signed(facts: dict[str, Any]) -> bytes:
    """Give facts as JSON, with the SHA-256 that they are known by."""
    return msgspec.json.format(msgspec.json.encode({**facts, _SIGNED: _sum(facts)}), indent=1)


def _sum(facts: dict[str, Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(facts, order="deterministic")).hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """Read an archive's manifest, and look whether its files are there.

    Raises:
        TapeError: It is no archive, one of a later format, or one that was damaged since.
    """
    path = folder / MANIFEST
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
    except FileNotFoundError as exc:
        raise TapeError(
            f"{shown(folder)} has no {MANIFEST}: it is no archive, or one whose writing was cut short"
        ) from exc
    except OSError as exc:
        raise TapeError(f"{shown(path)} can't be read: {exc.strerror}") from exc
    if len(text) > _MOST_BYTES:
        raise TapeError(f"{shown(path)} is longer than {_MOST_BYTES >> 20} MiB; no manifest is")
    try:
        data = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise TapeError(f"{shown(path)}: {exc}") from exc
    number = data.get("format") if isinstance(data, dict) else None
    if isinstance(number, int) and number > FORMAT:
        raise TapeError(f"{shown(path)} has format {number}; this version reads up to {FORMAT}")
    if not isinstance(data, dict) or data.pop(_SIGNED, None) != _sum(data):
        raise TapeError(f"{shown(path)} isn't what was written: its own SHA-256 is another one")
    try:
        manifest: Manifest = from_dict(make_converter(), data, Manifest)
    except TapeError as exc:
        raise TapeError(f"{shown(path)}: {exc}") from exc
    _check(manifest, folder)
    return manifest


def _check(manifest: Manifest, folder: Path) -> None:
    seen: set[str] = set()
    for entry in manifest.streams:
        for files in entry.files.values():
            for file in files:
                if not _PATH.fullmatch(file.path) or ".." in file.path or not _SHA256.fullmatch(file.sha256):
                    raise TapeError(f"{shown(folder / MANIFEST)}: {shown(file.path)!r} is no file of an archive")
                if file.path in seen:
                    raise TapeError(f"{shown(folder / MANIFEST)}: {file.path} stands there twice")
                seen.add(file.path)
                _check_size(folder / file.path, file.bytes)


def _check_size(path: Path, wanted: int) -> None:
    try:
        size = path.stat().st_size
    except OSError as exc:
        raise TapeError(f"{shown(path)} can't be read: {exc.strerror}") from exc
    if size != wanted:
        raise TapeError(f"{shown(path)} has {size} bytes; it was written with {wanted}")


def digest_of(path: Path) -> str:
    """Give the SHA-256 of a file.

    Raises:
        OSError: It can't be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def named(streams: Sequence[Stream]) -> list[str]:
    """Give each stream the name of its folder: its label, with what no file name should hold left out."""
    names: list[str] = []
    for stream in streams:
        name = re.sub(r"[^A-Za-z0-9_.+-]+|\.{2,}", "_", stream.label.replace(" ", "-")).strip("._") or "stream"
        name = name[:80]
        taken = {other.lower() for other in names}
        number = 1
        while (candidate := name if number == 1 else f"{name}~{number}").lower() in taken:
            number += 1
        names.append(candidate)
    return names
