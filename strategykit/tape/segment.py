"""Reading one segment: records in order, or a clear word about where and how it is damaged."""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from strategykit.errors import TapeError
from strategykit.tape.format import (
    BODY_AT,
    CHECKED_AT,
    FORMAT,
    MAGIC,
    MAX_BODY,
    PREFIX,
    TAIL,
    WHOLE,
    Kind,
    SegmentFooter,
    SegmentHeader,
    decode_json,
    shown,
)
from strategykit.tape.source import SegmentBytes

__all__ = ["FRAMES", "Headless", "RawRecord", "SegmentReader", "TornTail"]

RawRecord = tuple[int, int, int, int, bytes]
"""Kind, sequence number, time, number of the connection, body."""

_CHUNK: Final = 1 << 17
"""Bytes a read: large enough that the loop over records is what costs, and small enough that they, and what is made
of them, stay in the processor's cache. With eight times as many, reading a tape takes a third longer."""

_PIECE: Final = 1 << 20
"""Bytes a read where records are looked for."""

FRAMES: Final = frozenset({Kind.IN.value, Kind.IN_BINARY.value, Kind.OUT.value, Kind.OUT_BINARY.value})
"""Kinds of what went over a wire."""

_OUTLINE: Final = struct.Struct("<I4xBQqH")
"""`WHOLE` without the checksum."""

_LAST_DATA: Final = Kind.SUMMARY.value

_JUDGED: Final = 64 << 20
"""Bytes that may be checksummed while looking for records after damage. An honest tail needs next to nothing; a file
made to look like records everywhere must not keep us for hours."""

_LOOK: Final = 200
"""Bytes that a look at a place which turns out to be none counts as, by the time that it takes."""

_MAX_SEQ: Final = 1 << 62


@attrs.frozen
class TornTail:
    """The end of a recording that was cut off in the middle of a record, as a kill or a power loss leaves it."""

    path: Path
    offset: int
    """Where the last whole record ends."""
    bytes: int
    """How many follow that are no whole record."""

    def __str__(self) -> str:
        return f"{shown(self.path)}: torn tail, {self.bytes} bytes from byte {self.offset} on are no whole record"


class Headless(TapeError):
    """A segment that was cut before its header was whole."""


class SegmentReader:
    """One segment's records. Making one reads the header.

    Args:
        source: The open file; its closing stays with the caller.
        expected: Sequence number that its first record must have; None for any.
        digests: True compares the SHA-256 in the footer too.
        bodies: False leaves out the bodies of a sealed segment's frames, unread and unchecked. What was sealed is
            whole, or damaged: nothing has to be told from a torn tail there.

    Raises:
        Headless: The header isn't whole, and nothing whole follows.
        TapeError: It is no segment, or one that can't be read.
    """

    def __init__(
        self, source: SegmentBytes, *, expected: int | None = None, digests: bool = False, bodies: bool = True
    ) -> None:
        self._source = source
        self.path = source.path
        self.unsealed: Final = not source.compressed and not source.path.name.endswith(".tape")
        """The end may be missing: it is still written, or its writer was killed."""
        self._passing = not bodies and not self.unsealed
        """Whether frames' bodies are left out."""
        self.footer: SegmentFooter | None = None
        self.torn: TornTail | None = None
        self.end = 0
        """Where the last whole record ended that was read; without the footer."""
        self.count = 0
        self.first_time: int | None = None
        self.last_time: int | None = None
        """Of the records read so far, NAME records included."""
        self._digest = hashlib.sha256() if digests else None
        self._fault = ""
        """What is wrong with the record at `end`."""
        self._tear = False
        """Whether a cut or a lost write could be the cause."""
        self._data = source.read(_CHUNK)
        self.header = self._read_header(1 if expected is None else expected)
        self.expected = self.header.first
        """Sequence number of the next record."""
        self.names = ["", *self.header.connections]
        """Connections by number."""

    def _where(self, offset: int) -> str:
        return f"{shown(self.path)}, byte {offset}"

    def _read_header(self, expected: int) -> SegmentHeader:
        data, start = self._data, len(PREFIX)
        if data[:start] != PREFIX[: len(data)]:
            if data.startswith(MAGIC) and len(data) >= start:
                made = int.from_bytes(data[len(MAGIC) : start], "little")
                if made > FORMAT:
                    raise TapeError(
                        f"{shown(self.path)} was made by a newer strategykit (format {made}, this reads up to {FORMAT})"
                    )
                raise TapeError(f"{shown(self.path)} has format {made}, which never was; this reads {FORMAT}")
            self._give_up_header("doesn't begin like a tape segment", expected)
        if not data:
            what = "was cut before anything can be unpacked" if self._source.compressed else "is empty"
            raise Headless(f"{shown(self.path)} {what}; a tape segment begins with its header")
        whole = False
        if len(data) >= start + BODY_AT:
            length = WHOLE.unpack_from(data, start)[0]
            stop = start + BODY_AT + length
            while length <= MAX_BODY and len(data) < stop and (more := self._source.read(stop - len(data))):
                data += more
            whole = length <= MAX_BODY and len(data) >= stop and _holds(data, start, stop)
        if not whole:
            self._give_up_header("was cut before its header was whole, or the header is damaged", expected)
        _, _, kind, _, _, _ = WHOLE.unpack_from(data, start)
        if kind != Kind.HEADER:
            raise TapeError(f"{self._where(start)}: a record of kind {kind} stands where the header should")
        header = decode_json(data[start + BODY_AT : stop], SegmentHeader, f"{self._where(start)}: header")
        if not 0 < header.first < _MAX_SEQ:
            raise TapeError(f"{self._where(start)}: header: the first record can't have number {header.first}")
        if self._digest is not None:
            self._digest.update(data[:stop])
        self._data, self.end = data[stop:], stop
        return header

    def _give_up_header(self, words: str, expected: int) -> None:
        if self.unsealed and (found := _find_record(self._source, 0, expected)) is not None:
            raise TapeError(f"{shown(self.path)} {words}, yet whole records follow from byte {found}; it was damaged")
        raise Headless(f"{shown(self.path)} {words}; no record can be read from it")

    def chunks(self) -> Iterator[list[RawRecord]]:
        """Give the records in lists, a read's worth each; the format's own ones are checked and left out.

        Afterwards `footer`, `torn` and `end` are known.

        Raises:
            TapeError: A record is damaged and this isn't a torn tail; what stood before it has been given.
        """
        data, whole = self._data, True
        while True:
            batch, used, missing = self._scan(data)
            if batch:
                yield batch
            if self._fault or self.footer is not None:
                break
            data = data[used:]
            more = self._source.read(max(_CHUNK, missing))
            if not more:
                whole = not data
                break
            data += more
        if self.footer is not None:
            self._check_footer(self.footer, trailing=bool(data[used + missing :] or self._source.read(1)))
        elif self._fault or not whole:
            self._judge(self._fault or "the last record is cut", tearable=self._tear or not whole)
        elif not self.unsealed:
            raise TapeError(f"{self._where(self.end)}: the segment is sealed, but ends without its footer")

    def _scan(self, data: bytes) -> tuple[list[RawRecord], int, int]:
        """Take the whole records off the front of `data`, up to the first that is wrong.

        Returns:
            The records; how many bytes they and the format's own took; for a record that is cut, how many bytes more
            it needs, and for the footer, how many it has.
        """
        crc32, unpack, known, passing = zlib.crc32, WHOLE.unpack_from, len(self.names), self._passing
        batch: list[RawRecord] = []
        append = batch.append
        pos, size, expected, time, extra = 0, len(data), self.expected, 0, 0
        last_time = self.last_time
        most, head, tail, sums = MAX_BODY, BODY_AT, TAIL.size, CHECKED_AT
        while size - pos >= head:
            if passing:
                before = len(batch)
                pos = _pass_frames(data, pos, expected, known, batch)
                if len(batch) > before:
                    last_time = batch[-1][2]
                    expected += len(batch) - before
                    continue
            length, checksum, kind, seq, time, number = unpack(data, pos)
            stop = pos + head + length
            if stop > size or length > most:
                extra = stop - size
                if length > MAX_BODY:
                    self._fault, self._tear = f"a record of {length} bytes; the largest has {MAX_BODY}", True
                break
            checked = data[pos + sums : stop]
            if crc32(checked) != checksum:
                self._fault, self._tear = "a record's checksum is wrong", True
                break
            # From here on the record is what was written: what is wrong with it is no tear.
            if seq == expected and 0 < kind <= _LAST_DATA and number < known:
                append((kind, seq, time, number, checked[tail:]))
            elif kind == Kind.FOOTER and seq == expected - 1:
                extra = stop - pos
                where = f"{self._where(self.end + pos)}: footer"
                self.footer = decode_json(checked[TAIL.size :], SegmentFooter, where)
                break
            elif kind == Kind.NAME and seq == expected and self._learn(number, checked[TAIL.size :]):
                known = len(self.names)
            else:
                self._fault = f"record {seq} of kind {kind} for connection {number}, after record {expected - 1}"
                break
            last_time = time
            expected += 1
            pos = stop
        if expected > self.expected:
            if self.first_time is None:
                self.first_time = unpack(data)[4]
            self.last_time = last_time
            self.count += expected - self.expected
        self.expected = expected
        self.end += pos
        if self._digest is not None:
            self._digest.update(memoryview(data)[:pos])
        return batch, pos, extra

    def _learn(self, number: int, body: bytes) -> bool:
        """Take in a NAME record; say whether it fits what is known."""
        try:
            name = body.decode()
        except UnicodeDecodeError:
            return False
        if number == len(self.names):
            self.names.append(name)
        return 0 < number < len(self.names) and self.names[number] == name

    def _check_footer(self, footer: SegmentFooter, *, trailing: bool) -> None:
        said = (footer.count, footer.first_seq, footer.last_seq, footer.first_time, footer.last_time)
        facts = (self.count, self.header.first, self.expected - 1, self.first_time, self.last_time)
        if said != facts:
            raise TapeError(
                f"{self._where(self.end)}: the footer tells of other records than the segment has "
                f"(count, first, last, times: {said}, found {facts})"
            )
        if self._digest is not None and self._digest.hexdigest() != footer.sha256:
            raise TapeError(
                f"{shown(self.path)}: its SHA-256 isn't the one in its footer; it was changed after sealing"
            )
        if trailing:
            raise TapeError(f"{self._where(self.end)}: something follows the footer; a sealed segment ends there")

    def _judge(self, fault: str, *, tearable: bool) -> None:
        """Tell a torn tail from damage: after a tear nothing whole follows."""
        if not tearable or not self.unsealed:
            raise TapeError(f"{self._where(self.end)}: {fault}")
        found = _find_record(self._source, self.end + 1, self.expected)
        if found is not None:
            raise TapeError(f"{self._where(self.end)}: {fault}, yet whole records follow from byte {found}")
        self.torn = TornTail(self.path, self.end, self._source.size - self.end)


def _pass_frames(data: bytes, pos: int, expected: int, known: int, batch: list[RawRecord]) -> int:
    """Add the whole frames from `pos` on, without bodies, to `batch`, up to what is none; give where that begins."""
    unpack, frames, head, most, size, body = _OUTLINE.unpack_from, FRAMES, BODY_AT, MAX_BODY, len(data), b""
    append, last = batch.append, size - head
    while pos <= last:
        length, kind, seq, time, number = unpack(data, pos)
        stop = pos + head + length
        if kind not in frames or seq != expected or number >= known or stop > size or length > most:
            break
        append((kind, seq, time, number, body))
        expected += 1
        pos = stop
    return pos


def _holds(data: bytes, start: int, stop: int) -> bool:
    return bool(zlib.crc32(data[start + CHECKED_AT : stop]) == WHOLE.unpack_from(data, start)[1])


def _find_record(source: SegmentBytes, start: int, expected: int) -> int | None:
    """Give where the first whole record begins at or after `start`; None if there is none.

    A record that could follow has a known kind and a sequence number from a known range, so that its kind byte and
    the upper five bytes of the number are looked for, by a regular expression over large pieces.
    """
    low, high = max(0, expected - 1), expected + (source.size - start) // BODY_AT + 1
    uppers = {number >> 24 for number in (*range(low, high, 1 << 24), high)}
    either = b"|".join(re.escape(struct.pack("<Q", upper)[:5]) for upper in sorted(uppers))
    kinds = re.escape(bytes(kind.value for kind in Kind))
    looks_like = re.compile(b"(?=[" + kinds + b"]...(?:" + either + b"))", re.DOTALL)
    judged, at = 0, start + CHECKED_AT
    while at < source.size:
        piece = source.read_at(at, _PIECE + CHECKED_AT)
        if not piece:
            break
        for match in looks_like.finditer(piece):
            begin = at + match.start() - CHECKED_AT
            if match.start() >= _PIECE or begin + BODY_AT > source.size:
                continue
            length, _, _, seq, _, _ = WHOLE.unpack(source.read_at(begin, BODY_AT))
            judged += _LOOK
            if length <= MAX_BODY and low <= seq <= high and begin + BODY_AT + length <= source.size:
                whole = source.read_at(begin, BODY_AT + length)
                judged += len(whole)
                if _holds(whole, 0, len(whole)):
                    return begin
            if judged > _JUDGED:
                raise TapeError(f"{shown(source.path)}, byte {start}: damaged, and what follows can't be told apart")
        at += _PIECE
    return None
