"""A second reader of tapes, from the description of the format alone: the checker trusts nobody else's."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import msgspec
import zstandard

__all__ = ["TapeBroken", "TapeRow", "read_tape", "unpacked"]

_BEGIN = b"\x89SKTAPE\n\x01\0\0\0"
_HEAD = struct.Struct("<IIBQqH")
_WORDS = "in out in_binary out_binary opened closed answer subscription command mark gap note summary"
_KINDS = dict(enumerate(_WORDS.split(), 1))
_NAME, _HEADER, _FOOTER = 200, 201, 202


class TapeBroken(Exception):
    """A tape isn't as the format says."""


@attrs.frozen
class TapeRow:
    """One record."""

    kind: str
    time: int
    connection: str
    body: bytes

    @property
    def value(self) -> Any:
        """What it holds, where that is JSON."""
        return msgspec.json.decode(self.body)


def unpacked(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Give every file of a folder; what is compressed, as it was before."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            if path.suffix == ".zst":
                try:
                    with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
                        data = reader.read()
                except zstandard.ZstdError as exc:
                    raise TapeBroken(f"{path.name} can't be unpacked: {exc}") from exc
            yield path, data


def read_tape(folder: Path) -> Iterator[TapeRow]:
    """Give the records of a tape that was sealed.

    Raises:
        TapeBroken: It isn't whole.
    """
    names, seq = [""], 0
    found = [(path, data) for path, data in unpacked(folder) if ".tape" in path.name]
    if not found:
        raise TapeBroken(f"{folder.name} holds no segment")
    for path, data in found:
        if not data.startswith(_BEGIN):
            raise TapeBroken(f"{path.name} isn't a segment")
        at, sealed = len(_BEGIN), False
        while at < len(data):
            if sealed:
                raise TapeBroken(f"{path.name} goes on behind its seal")
            if at + _HEAD.size > len(data):
                raise TapeBroken(f"{path.name} is torn at {at}")
            size, checksum, kind, number, time, connection = _HEAD.unpack_from(data, at)
            end = at + _HEAD.size + size
            if end > len(data) or zlib.crc32(data[at + 8 : end]) != checksum:
                raise TapeBroken(f"{path.name} is damaged at {at}")
            body = data[at + _HEAD.size : end]
            if kind == _FOOTER:
                sealed = True
                if msgspec.json.decode(body)["sha256"] != hashlib.sha256(data[:at]).hexdigest():
                    raise TapeBroken(f"{path.name} has another seal")
            elif kind == _HEADER:
                names = ["", *msgspec.json.decode(body)["connections"]]
            else:
                seq += 1
                if number != seq:
                    raise TapeBroken(f"{path.name}: record {number} where {seq} is due")
                if kind == _NAME:
                    names.append(body.decode())
                else:
                    yield TapeRow(_KINDS[kind], time, names[connection], body)
            at = end
        if not sealed:
            raise TapeBroken(f"{path.name} isn't sealed")
