"""A second reader of journals, from the description of the format alone: the checker trusts nobody else's."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import msgspec

__all__ = ["JournalBroken", "JournalRow", "read_journals"]

_HEAD = struct.Struct("<8sIIQII")
_RECORD = struct.Struct("<BIQQqqII")
_CHECKED = _RECORD.size - 8
_WORDS = "Run Intent Unsent Heard Learnt Carried Killed F.released Alarm Note E.closed T.recovered"
_KINDS = {ord(word[0]): word.rpartition(".")[2].lower() for word in _WORDS.split()}


class JournalBroken(Exception):
    """A journal isn't as the format says."""


@attrs.frozen
class JournalRow:
    """One record."""

    file: int
    kind: str
    facts: dict[str, Any]


def read_journals(folder: Path) -> Iterator[JournalRow]:
    """Give the records of all journals below a folder, account by account, oldest first.

    Raises:
        JournalBroken: One isn't whole.
    """
    for account in sorted({path.parent for path in folder.rglob("*.journal")}):
        seq, before = 1, 0
        for number, path in enumerate(sorted(account.glob("*.journal")), 1):
            data = path.read_bytes()
            magic, version, own, first, link, chain = _HEAD.unpack_from(data)
            if (magic, version, own, first, link) != (b"\x89SKJRNL\n", 1, number, seq, before):
                raise JournalBroken(f"{path.name} begins as file {own} with record {first}, where {seq} is due")
            if zlib.crc32(data[: _HEAD.size - 4]) != chain:
                raise JournalBroken(f"{path.name} has a damaged head")
            at = _HEAD.size
            # What a run that broke off was given of the disk, and hasn't used, is zeros.
            while at < len(data) and any(data[at : at + _RECORD.size]):
                letter, size, got, _, _, _, check, new = _RECORD.unpack_from(data, at)
                body = data[at + _RECORD.size : at + _RECORD.size + size]
                fields = data[at : at + _CHECKED]
                chain = zlib.crc32(body, zlib.crc32(fields, chain))
                if (zlib.crc32(fields), got, len(body), new) != (check, seq, size, chain):
                    raise JournalBroken(f"{path.name} is damaged at {at}, record {seq}")
                yield JournalRow(number, _KINDS[letter], msgspec.json.decode(body))
                at, seq = at + _RECORD.size + size, seq + 1
            before = chain
