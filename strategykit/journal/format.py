"""How a journal looks on disk: kinds, the file's head, the record's frame. Bytes and values only.

A file is a head, then records. The head is the magic, the format's number, the file's number, the sequence number
of its first record, the chain of the file before, and a checksum of all that. A record is

``u8 kind | u32 length of the body | u64 seq | u64 durable | i64 monotonic | i64 wall | u32 check | u32 chain | body``

all of it little-endian, the body JSON. The check is the CRC-32 of the fields before it, so that a record whose fields
can be trusted and whose body ends too early is known for one that was cut off, and not for one that was changed. The
chain is the CRC-32 of all fields and bodies of the file from its head on: a record can't be taken out, doubled or
exchanged. It begins with the head's checksum, and the next file's head repeats where it ended.
"""

from __future__ import annotations

import enum
import struct
import zlib
from collections.abc import Mapping
from typing import Any, Final

import attrs

__all__ = [
    "CHECKS",
    "FIELDS",
    "FORMAT",
    "FRAME",
    "HEAD",
    "HEAD_SIZE",
    "KINDS",
    "LETTERS",
    "MAGIC",
    "MAX_BODY",
    "FileHead",
    "Record",
    "RecordKind",
    "encode_head",
    "encode_record",
    "file_name",
]

FORMAT: Final = 1
"""The format's number; a reader refuses larger ones."""

MAGIC: Final = b"\x89SKJRNL\n"
"""No text file begins like this, and a transfer that mends line ends breaks it at once."""

HEAD: Final = struct.Struct("<8sIIQI")
"""Magic, format, number of the file, sequence number of its first record, chain at the end of the file before."""
HEAD_SIZE: Final = HEAD.size + 4
"""With its checksum."""

FIELDS: Final = struct.Struct("<BIQQqq")
"""Kind, length of the body, sequence number, the number up to which records were known to outlive a power loss when
this one was written, monotonic nanoseconds, nanoseconds UTC."""
CHECKS: Final = struct.Struct("<II")
"""Check of the fields, chain."""
FRAME: Final = FIELDS.size + CHECKS.size
"""Bytes of a record besides its body."""

MAX_BODY: Final = 16 << 20
"""Bytes: as much as the largest message that a venue may be allowed. Looked at before anything is read or allocated."""


class RecordKind(enum.Enum):
    """What a record tells."""

    RUN = "run"
    """A run began: the first record of every file."""
    INTENT = "intent"
    """A command is about to be sent."""
    UNSENT = "unsent"
    """No byte of a command left."""
    HEARD = "heard"
    """The venue said something about an order."""
    LEARNT = "learnt"
    """What is known of an order changed."""
    CARRIED = "carried"
    """All that this run takes over from the ones before: with it in a file, older ones aren't needed any more."""
    KILLED = "killed"
    """The kill switch was pulled."""
    RELEASED = "released"
    """The kill switch was taken back."""
    ALARM = "alarm"
    NOTE = "note"
    CLOSED = "closed"
    """The run ended in order."""
    RECOVERED = "recovered"
    """The end of a file was no whole record and was put aside."""


LETTERS: Final[Mapping[RecordKind, int]] = {
    RecordKind.RUN: ord("R"),
    RecordKind.INTENT: ord("I"),
    RecordKind.UNSENT: ord("U"),
    RecordKind.HEARD: ord("H"),
    RecordKind.LEARNT: ord("L"),
    RecordKind.CARRIED: ord("C"),
    RecordKind.KILLED: ord("K"),
    RecordKind.RELEASED: ord("F"),
    RecordKind.ALARM: ord("A"),
    RecordKind.NOTE: ord("N"),
    RecordKind.CLOSED: ord("E"),
    RecordKind.RECOVERED: ord("T"),
}
"""The byte that stands for a kind. Each letter has two bits set or more: one flipped bit makes no zero of it, so that
zeros at the beginning of a record mean a part of the disk that was never written."""

KINDS: Final[Mapping[int, RecordKind]] = {letter: kind for kind, letter in LETTERS.items()}


@attrs.frozen
class Record:
    """One thing that was written down."""

    seq: int
    """1, 2, 3, …, going on from file to file."""
    time: int
    """Nanoseconds UTC. Clocks are set back: it can fall."""
    kind: RecordKind
    facts: Mapping[str, Any]
    monotonic: int = 0
    """Nanoseconds on a clock that never goes back; comparable within one file."""


@attrs.frozen
class FileHead:
    """What stands at the beginning of a file."""

    number: int
    """1, 2, 3, …; as in its name."""
    first: int
    """Sequence number that its first record has."""
    before: int
    """Chain at the end of the file before; 0 where there was none."""


def encode_head(head: FileHead) -> tuple[bytes, int]:
    """Give the head's bytes, and the chain that the first record goes on with."""
    fields = HEAD.pack(MAGIC, FORMAT, head.number, head.first, head.before)
    chain = zlib.crc32(fields)
    return fields + chain.to_bytes(4, "little"), chain


def encode_record(
    letter: int, seq: int, durable: int, monotonic: int, wall: int, body: bytes, chain: int
) -> tuple[bytes, int]:
    """Give one record, and the chain after it."""
    fields = FIELDS.pack(letter, len(body), seq, durable, monotonic, wall)
    chain = zlib.crc32(body, zlib.crc32(fields, chain))
    return fields + CHECKS.pack(zlib.crc32(fields), chain) + body, chain


def file_name(number: int) -> str:
    return f"{number:06d}.journal"
