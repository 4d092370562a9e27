"""Reading a tape: all segments as one stream of records, in bounded memory."""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self

import attrs

from strategykit.errors import TapeError
from strategykit.tape.format import Kind, SegmentFooter, TapeHeader, decode_json, shown, text_of
from strategykit.tape.segment import Headless, RawRecord, SegmentReader, TornTail
from strategykit.tape.source import SegmentBytes, list_segments, open_segment

__all__ = ["MARK_BODY", "Answer", "Record", "Tape", "open_tape"]

MARK_BODY: Final = struct.Struct("<qI")
"""Body of a MARK record: the clock's reading in nanoseconds, the number of inputs in the slice."""

_KINDS: Final = {kind.value: kind for kind in Kind}
_TEXT: Final = frozenset({Kind.IN, Kind.OUT})
_BINARY: Final = frozenset({Kind.IN_BINARY, Kind.OUT_BINARY})
_INCOMING: Final = frozenset({Kind.IN, Kind.IN_BINARY})


@attrs.frozen
class Answer:
    """One HTTP answer as it was recorded."""

    ask: Mapping[str, Any]
    status: int
    """0 where there was no answer, and `body` says why."""
    body: bytes


@attrs.define
class Record:
    """One thing that happened."""

    kind: Kind
    seq: int
    """1, 2, 3, …; a connection's first use takes a number of its own, so that some are left out."""
    time: int
    """Nanoseconds UTC. Clocks are set back: it can fall."""
    connection: str
    """Name, such as ``"market-0"``; empty where none is concerned."""
    body: bytes

    @property
    def incoming(self) -> bool:
        """Whether this is a frame that arrived."""
        return self.kind in _INCOMING

    @property
    def frame(self) -> str | bytes:
        """The frame as the wire had it: text or binary.

        Raises:
            TapeError: This record is no frame.
        """
        if self.kind in _TEXT:
            return text_of(self.body)
        if self.kind in _BINARY:
            return self.body
        raise TapeError(f"record {self.seq} is {self.kind.name}, not a frame")

    def facts(self) -> dict[str, Any]:
        """Give what an OPENED, CLOSED, SUBSCRIPTION, COMMAND, GAP, NOTE or SUMMARY record says.

        Raises:
            TapeError: It is another kind, or its body isn't a JSON object.
        """
        return decode_json(self.body, dict[str, Any], f"record {self.seq} ({self.kind.name})")

    def answer(self) -> Answer:
        """Give an ANSWER record's parts.

        Raises:
            TapeError: It is no answer.
        """
        line, _, body = self.body.partition(b"\n")
        head = decode_json(line, _AnswerLine, f"record {self.seq} ({self.kind.name})")
        return Answer(head.ask, head.status, body)

    def mark(self) -> tuple[int, int]:
        """Give a MARK record's clock reading (nanoseconds) and the number of inputs in its slice.

        Raises:
            TapeError: It is no mark.
        """
        if self.kind is not Kind.MARK or len(self.body) != MARK_BODY.size:
            raise TapeError(f"record {self.seq} is {self.kind.name} of {len(self.body)} bytes, not a mark")
        reading, count = MARK_BODY.unpack(self.body)
        return reading, count


@attrs.frozen
class _AnswerLine:
    ask: dict[str, Any]
    status: int


class Tape:
    """A recording; `open_tape` opens one.

    Iterating gives `Record` objects, as often as one likes; `frames` gives tuples, faster.

    Attributes:
        header: Of the run.
        instance: Names the writer.
        names: Connections by number, as far as read; number 0 is none.
        segments: Numbers of the segments; of one file, its own.
        next_seq: Number of the record that would follow the segment read last.
        footers: Of the segments that were read to their ends and are sealed, by number.
    """

    def __init__(self, path: Path, *, digests: bool = False) -> None:
        self.path = path
        self.next_seq = 1
        self.footers: dict[int, SegmentFooter] = {}
        self._digests = digests
        self._single = not path.is_dir()
        self._torn: TornTail | None = None
        self._judged = False
        self.names: list[str] = [""]
        self.segments = [] if self._single else list_segments(path)
        with self._open(1) as source:
            first = SegmentReader(source)
        if self._single:
            self.segments = [first.header.segment]
        self.header: TapeHeader = first.header.tape
        self.instance: str = first.header.instance

    def _open(self, number: int) -> SegmentBytes:
        if not self._single:
            return open_segment(self.path, number)
        try:
            return SegmentBytes(self.path, follow=True)
        except FileNotFoundError as exc:
            raise TapeError(
                f"{shown(self.path)}: there is no such tape; give the directory of a recording, or one of its segments"
            ) from exc

    @property
    def sealed(self) -> bool:
        """Whether the last segment is sealed; False while it is being written, or if its writer was killed.

        A writer killed in the instant between two segments leaves a sealed one too: nothing is missing then. Whether
        a run came to its end is told by its SUMMARY.
        """
        with self._open(self.segments[-1]) as source:
            return source.compressed or source.path.name.endswith(".tape")

    @property
    def torn(self) -> TornTail | None:
        """The torn tail, if there is one. Reads the tape through if nobody has yet.

        Raises:
            TapeError: It is damaged.
        """
        if not self._judged:
            for _ in self.chunks():
                pass
        return self._torn

    def chunks_of(
        self, number: int, expected: int | None, names: list[str], *, bodies: bool = True
    ) -> Generator[list[RawRecord], None, int | None]:
        """Read one segment and return what the next one must begin with. `names` is brought up to date in place.

        With `expected` None, the segment may begin with any record.
        """
        with self._open(number) as source:
            try:
                reader = SegmentReader(source, expected=expected, digests=self._digests, bodies=bodies)
            except Headless:
                # A new segment whose header didn't get to the disk; what came before it is whole.
                if expected is None or not source.path.name.endswith(".part"):
                    raise
                self._torn, self._judged = TornTail(source.path, 0, source.size), True
                return None
            header = reader.header
            if not self._single and (header.segment != number or header.instance != self.instance):
                raise TapeError(
                    f"{shown(source.path)} is segment {header.segment} of recording {header.instance!a}, "
                    f"not segment {number} of {self.instance!a}"
                )
            if expected is not None and (header.first != expected or header.connections[: len(names) - 1] != names[1:]):
                raise TapeError(
                    f"{shown(source.path)} begins with record {header.first}; the segment before it ended "
                    f"with {expected - 1}, or knew other connections"
                )
            names[:] = reader.names
            reader.names = names
            for chunk in reader.chunks():
                if len(names) > len(self.names):
                    self.names = names
                yield chunk
            if number == self.segments[-1]:
                self._torn, self._judged = reader.torn, True
            if reader.footer is not None:
                self.footers[number] = reader.footer
            self.next_seq = reader.expected
            return reader.expected

    def chunks(self, *, bodies: bool = True) -> Iterator[list[RawRecord]]:
        """Give all records in lists of hundreds or thousands: ``(kind, seq, time, connection number, body)``.

        Args:
            bodies: False gives frames of sealed segments without their bodies, which aren't looked at: much quicker.

        Raises:
            TapeError: The tape is damaged; the message says where. All records before it have been given.
        """
        expected, names = None, [""]
        for number in self.segments:
            expected = yield from self.chunks_of(number, expected, names, bodies=bodies)

    def frames(self) -> Iterator[RawRecord]:
        """Give all records as tuples ``(kind, seq, time, connection number, body)``: the quick way to read a tape.

        `names` tells connections, `text_of` decodes the bodies of text frames.

        Raises:
            TapeError: As `chunks`.
        """
        for chunk in self.chunks():
            yield from chunk

    def record(self, raw: RawRecord) -> Record:
        """Give one of `chunks` or `frames` as an object."""
        kind, seq, time, number, body = raw
        return Record(_KINDS[kind], seq, time, self.names[number], body)

    def __iter__(self) -> Iterator[Record]:
        kinds = _KINDS
        for chunk in self.chunks():
            names = self.names
            for kind, seq, time, number, body in chunk:
                yield Record(kinds[kind], seq, time, names[number], body)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing is held between readings; `with` is for callers who like to see where a tape ends."""


def open_tape(path: str | Path, *, digests: bool = False) -> Tape:
    """Open a recording for reading: its directory, or one segment file of it.

    Args:
        path: Where it is.
        digests: True also compares the SHA-256 of every sealed segment, which takes longer.

    Raises:
        TapeError: It isn't there, or isn't a tape; the message says what it is instead.
    """
    if "\0" in str(path):
        raise TapeError(f"{shown(Path(path))} is no path")
    return Tape(Path(path), digests=digests)
