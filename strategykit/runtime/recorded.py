"""Reading a tape as a run's inputs: the same `Input` objects that live wires gave, in the same order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from operator import itemgetter
from typing import Any, Final

import attrs
import cattrs

from strategykit.errors import TapeError
from strategykit.model.codec import make_converter
from strategykit.net.inbox import Input, InputKind
from strategykit.runtime.outside import NoWires
from strategykit.tape.format import Kind, text_of
from strategykit.tape.reader import Record, Tape
from strategykit.tape.segment import FRAMES
from strategykit.venues.dialect import Ask, AskBars, AskBook, AskInstrument, AskPastTrades
from strategykit.venues.streams import Stream

__all__ = [
    "ARRIVED",
    "TEXT",
    "Contents",
    "RecordedRow",
    "TapeWires",
    "input_of",
    "inputs",
    "scan",
    "slices",
]


TEXT: Final = Kind.IN.value
ARRIVED: Final = frozenset({Kind.IN.value, Kind.IN_BINARY.value})
"""Kinds, as numbers, of frames that came; a tape of JSON has `TEXT` alone."""
_FRAME: Final = InputKind.FRAME

_TIME: Final = itemgetter(2)
"""Of a raw record."""


@attrs.frozen
class RecordedRow:
    """A subscription of the recorded run."""

    guid: str
    stream: Stream
    connection: str


@attrs.frozen
class Contents:
    """What a tape holds besides its frames; read in one pass."""

    rows: tuple[RecordedRow, ...]
    answers: tuple[tuple[Ask, int, bytes], ...]
    """What was asked over HTTP, the status and the body."""
    commands: tuple[Mapping[str, Any], ...]
    """Order commands: ``strategy``, ``command``, ``sent``."""
    first: int
    """Nanoseconds UTC: the first frame that came."""
    last: int
    """The last record of any kind."""
    ended: bool
    """Whether the run came to its end; False for one that was killed, or whose recording stopped."""
    digest: str | None = None
    """Over its events, orders and fills, as it said at its end."""


def scan(tape: Tape) -> Contents:
    """Read through a tape once. What frames hold isn't looked at: whoever reads them finds what is wrong with them.

    Raises:
        TapeError: It is damaged, or says things that no run writes.
    """
    converter = make_converter()
    rows: list[RecordedRow] = []
    answers: list[tuple[Ask, int, bytes]] = []
    commands: list[Mapping[str, Any]] = []
    first: int | None = None
    ended, digest = False, None
    last = tape.header.clock_origin
    for chunk in tape.chunks(bodies=False):
        last = max(last, *map(_TIME, chunk))
        if first is None:
            first = next((raw[2] for raw in chunk if raw[0] in ARRIVED), None)
        for record in (tape.record(raw) for raw in chunk if raw[0] not in FRAMES):
            if record.kind is Kind.SUBSCRIPTION:
                facts = record.facts()
                stream = _structure(converter, facts.get("stream"), Stream, record)
                rows.append(RecordedRow(str(facts.get("guid")), stream, str(facts.get("connection"))))
            elif record.kind is Kind.ANSWER:
                answer = record.answer()
                ask = _structure(converter, answer.ask, Ask, record)
                answers.append((ask, answer.status, answer.body))
            elif record.kind is Kind.COMMAND:
                commands.append(record.facts())
            elif record.kind is Kind.SUMMARY:
                ended, said = True, record.facts().get("digest")
                digest = said if isinstance(said, str) else None
    first = tape.header.clock_origin if first is None else first
    return Contents(tuple(rows), tuple(answers), tuple(commands), first, last, ended, digest)


def _structure(converter: Any, value: object, kind: Any, record: Record) -> Any:
    try:
        return converter.structure(value, kind)
    except (cattrs.BaseValidationError, cattrs.StructureHandlerNotFoundError, KeyError, TypeError, ValueError) as exc:
        raise TapeError(f"record {record.seq} ({record.kind.name}) can't be read: {exc}") from exc


def input_of(record: Record, converter: Any) -> Input | tuple[int, int] | None:
    """Give what the recorded run's inbox got, or a mark: reading and count. None: it is something else.

    Raises:
        TapeError: It can't be read.
    """
    name, time = record.connection, record.time
    match record.kind:
        case Kind.IN | Kind.IN_BINARY:
            return Input(InputKind.FRAME, name, time, record.frame)
        case Kind.OPENED:
            facts = record.facts()
            return Input(InputKind.OPENED, name, time, str(facts["lane"]), status=int(facts["session"]))
        case Kind.CLOSED:
            return Input(InputKind.CLOSED, name, time, str(record.facts()["reason"]))
        case Kind.ANSWER:
            answer = record.answer()
            ask = _structure(converter, answer.ask, Ask, record)
            return Input(InputKind.ANSWER, "http", time, answer.body, ask=ask, status=answer.status)
        case Kind.NOTE:
            word = record.facts().get("control")
            return None if word is None else Input(InputKind.CONTROL, "control", time, str(word))
        case Kind.MARK:
            return record.mark()
        case _:
            return None


def inputs(tape: Tape) -> Iterator[Input | tuple[int, int]]:
    """Yield what the recorded run's inbox got, and between it the marks: pairs of reading and count."""
    converter = make_converter()
    for chunk in tape.chunks():
        names = tape.names
        for raw in chunk:
            if raw[0] == TEXT:  # By far the most.
                yield Input(_FRAME, names[raw[3]], raw[2], text_of(raw[4]))
            elif (found := input_of(tape.record(raw), converter)) is not None:
                yield found


def slices(tape: Tape) -> Iterator[tuple[int, list[Input]]]:
    """Yield the slices in which the recorded run dispatched its inputs, each with the clock's reading.

    Raises:
        TapeError: A mark tells of more inputs than the tape has.
    """
    waiting: deque[Input] = deque()
    for item in inputs(tape):
        if isinstance(item, Input):
            waiting.append(item)
            continue
        reading, count = item
        if count > len(waiting):
            raise TapeError(f"a mark at {reading} tells of {count} inputs, but the tape has {len(waiting)} up to there")
        yield reading, [waiting.popleft() for _ in range(count)]


class TapeWires(NoWires):
    """The engine's requests, answered from what the tape has."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self.early: deque[Input] = deque()
        """Answers to be dispatched before the next frame."""
        self.now = contents.first

    def ask(self, ask: Ask) -> None:
        if isinstance(ask, AskBook) or (isinstance(ask, AskPastTrades) and self._has(ask)):
            return  # What data begin with came when it came: the tape has the answer in its place among the frames.
        for asked, status, body in self.contents.answers:
            if _alike(asked, ask):
                self.early.append(Input(InputKind.ANSWER, "http", self.now, body, ask=ask, status=status))
                return
        self.early.append(Input(InputKind.ANSWER, "http", self.now, b"the tape has no answer to this", ask=ask))

    def _has(self, ask: Ask) -> bool:
        return any(asked == ask for asked, _, _ in self.contents.answers)


def _alike(recorded: Ask, wanted: Ask) -> bool:
    """Whether a recorded answer serves: the same bars whatever their count, the same instrument."""
    if isinstance(recorded, AskBars) and isinstance(wanted, AskBars):
        return recorded.instrument == wanted.instrument and recorded.interval == wanted.interval
    if isinstance(recorded, AskInstrument) and isinstance(wanted, AskInstrument):
        return recorded.instrument == wanted.instrument
    return recorded == wanted
