"""How a tape looks on disk: kinds, the record's frame, header and footer. Bytes and values only.

A segment is `MAGIC`, the format's number, a HEADER record, then records, and a FOOTER record once it is sealed.
A record is ``u32 length of the body | u32 checksum | u8 kind | u64 seq | i64 time | u16 connection | body``, all of it
little-endian.
"""

from __future__ import annotations

import enum
import re
import struct
import zlib
from typing import Any, Final, TypeVar

import attrs
import msgspec

from strategykit.disk import shown
from strategykit.errors import TapeError

__all__ = [
    "BODY_AT",
    "CHECKED_AT",
    "FORMAT",
    "HEAD",
    "MAGIC",
    "MAX_BODY",
    "PREFIX",
    "SEGMENT_NAME",
    "TAIL",
    "WHOLE",
    "Kind",
    "SegmentFooter",
    "SegmentHeader",
    "TapeHeader",
    "bytes_of",
    "decode_json",
    "encode_json",
    "encode_record",
    "segment_name",
    "shown",
    "text_of",
]

FORMAT: Final = 1
"""The format's number; a reader refuses larger ones."""

MAGIC: Final = b"\x89SKTAPE\n"
"""No text file begins like this, and a transfer that mends line ends breaks it at once."""

PREFIX: Final = MAGIC + struct.pack("<I", FORMAT)

HEAD: Final = struct.Struct("<II")
"""Length of the body, checksum."""
TAIL: Final = struct.Struct("<BQqH")
"""Kind, sequence number, time in nanoseconds UTC, number of the connection."""
WHOLE: Final = struct.Struct("<IIBQqH")
"""`HEAD` and `TAIL` together."""
CHECKED_AT: Final = HEAD.size
"""The checksum covers a record from here to its end. It is zlib's CRC-32, not CRC-32C: as good at finding torn and
flipped bytes, and no package is needed for it."""
BODY_AT: Final = WHOLE.size

MAX_BODY: Final = (16 << 20) + (64 << 10)
"""Bytes: the largest frame that a venue may be allowed, and room for the line before an HTTP answer. Looked at before
anything is read or allocated."""

SEGMENT_NAME: Final = re.compile(r"(?!000000)([0-9]{6})\.tape(\.part|\.zst)?")
"""``000001.tape.part`` while it is written, ``000001.tape`` once sealed, ``000001.tape.zst`` when compressed."""


class Kind(enum.IntEnum):
    """What a record holds. IN and OUT are text frames, the BINARY ones binary frames, as the wire had them."""

    IN = 1
    OUT = 2
    IN_BINARY = 3
    OUT_BINARY = 4
    OPENED = 5
    CLOSED = 6
    ANSWER = 7
    """An HTTP answer: a JSON line with ``ask`` and ``status``, then the raw body."""
    SUBSCRIPTION = 8
    COMMAND = 9
    MARK = 10
    """The run clock's reading when a slice of inputs was dispatched, and how many inputs were in it."""
    GAP = 11
    NOTE = 12
    SUMMARY = 13

    # The format's own. They aren't handed out by readers.
    NAME = 200
    """A connection's number gets its name; counted like data."""
    HEADER = 201
    FOOTER = 202


@attrs.frozen(kw_only=True)
class TapeHeader:
    """What has to be known of a run before its first frame can be replayed."""

    created: int
    """Nanoseconds UTC."""
    venue: str
    """Name of the dialect, such as ``"alor"``."""
    seed: int
    """All ids and jitter of the run came from it; below 2**63."""
    clock_origin: int
    """Nanoseconds UTC at which the run's clock showed 0."""
    strategykit_version: str
    python_version: str
    session: dict[str, Any] = attrs.field(factory=dict)
    """Free JSON: the strategies with path, class, parameters and SHA-256, limits, whatever a re-run needs."""
    version: int = FORMAT


@attrs.frozen(kw_only=True)
class SegmentHeader:
    """Body of a HEADER record. Every segment carries enough to be read alone."""

    segment: int
    """1, 2, 3, …; as in the file's name."""
    first: int
    """Sequence number that its first record has."""
    instance: str
    """Names the writer, so that segments of two recordings can't be mixed up."""
    tape: TapeHeader
    connections: list[str] = attrs.field(factory=list)
    """Names given so far; the first has number 1."""


@attrs.frozen(kw_only=True)
class SegmentFooter:
    """Body of a FOOTER record: the seal."""

    count: int
    """Records between header and footer."""
    first_seq: int
    last_seq: int
    """One less than `first_seq` where there are no records."""
    first_time: int | None
    last_time: int | None
    sha256: str
    """Of every byte before the footer record."""


_T = TypeVar("_T")


def encode_record(kind: int, seq: int, time: int, connection: int, body: bytes) -> bytes:
    """Give one record, checksum included."""
    tail = TAIL.pack(kind, seq, time, connection)
    return HEAD.pack(len(body), zlib.crc32(body, zlib.crc32(tail))) + tail + body


def encode_json(value: Any) -> bytes:
    """Give JSON; Decimals become texts, attrs classes objects, enums their values."""
    return msgspec.json.encode(value)


def decode_json(body: bytes, shape: type[_T], where: str) -> _T:
    """Read JSON from a tape into `shape`.

    Raises:
        TapeError: It isn't JSON, or another shape; the message begins with `where`.
    """
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise TapeError(f"{where}: {exc}") from exc


def bytes_of(frame: str) -> bytes:
    """Encode a text frame. Lone surrogates pass: what a fake wire made up must come back as it was."""
    return frame.encode("utf-8", "surrogatepass")


def text_of(body: bytes) -> str:
    """Give the text frame that `bytes_of` encoded.

    Raises:
        TapeError: No text frame was encoded to this.
    """
    try:
        return body.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as exc:
        raise TapeError(f"a text frame on the tape isn't UTF-8: {exc}") from exc


def segment_name(number: int) -> str:
    """Give the sealed name; ``.part`` or ``.zst`` is added by who needs it."""
    return f"{number:06d}.tape"
