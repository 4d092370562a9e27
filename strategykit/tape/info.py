"""What a tape holds, counted in one reading."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import attrs

from strategykit.tape.format import Kind, TapeHeader
from strategykit.tape.reader import Record, Tape, open_tape
from strategykit.tape.segment import TornTail

__all__ = ["ConnectionInfo", "GapInfo", "TapeInfo", "tape_info"]


@attrs.define
class ConnectionInfo:
    """One connection's part of a tape."""

    name: str
    frames_in: int = 0
    frames_out: int = 0
    bytes: int = 0
    """Of frames, both directions."""
    opened: int = 0
    closed: int = 0

    @property
    def reconnects(self) -> int:
        return max(0, self.opened - 1)


@attrs.frozen
class GapInfo:
    """A hole in the data, as it was told to strategies. Times in nanoseconds UTC, None where unknown."""

    since: int | None
    until: int | None
    reason: str
    guid: str


@attrs.define
class TapeInfo:
    """What a tape holds. All times are nanoseconds UTC, of the first and the last record."""

    header: TapeHeader
    instance: str
    segments: int
    file_bytes: int
    """On disk, compressed or not."""
    sealed: bool
    torn: TornTail | None = None
    records: dict[str, int] = attrs.field(factory=dict)
    """By kind, in lower case: ``{"in": 120, "mark": 80}``."""
    first_time: int | None = None
    last_time: int | None = None
    connections: list[ConnectionInfo] = attrs.field(factory=list)
    subscriptions: list[dict[str, Any]] = attrs.field(factory=list)
    """The latest word on each guid."""
    gaps: list[GapInfo] = attrs.field(factory=list)
    commands: int = 0
    notes: list[str] = attrs.field(factory=list)
    summary: dict[str, Any] | None = None


def _whole_number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def tape_info(path: str | Path) -> TapeInfo:
    """Count what a tape holds.

    Raises:
        TapeError: It is no tape, or damaged.
    """
    tape = open_tape(path)
    info = TapeInfo(tape.header, tape.instance, len(tape.segments), _size(tape), tape.sealed)
    kinds: Counter[Kind] = Counter()
    connections: dict[str, ConnectionInfo] = {}
    subscriptions: dict[str, dict[str, Any]] = {}
    for record in tape:
        kinds[record.kind] += 1
        if info.first_time is None:
            info.first_time = record.time
        info.last_time = record.time
        if record.connection:
            connection = connections.get(record.connection)
            if connection is None:
                connection = connections[record.connection] = ConnectionInfo(record.connection)
            _count(connection, record)
        elif record.kind is Kind.SUBSCRIPTION:
            facts = record.facts()
            subscriptions[str(facts.get("guid"))] = facts
        else:
            _note(info, record)
    info.records = {kind.name.lower(): kinds[kind] for kind in sorted(kinds)}
    info.commands = kinds[Kind.COMMAND]
    info.connections = list(connections.values())
    info.subscriptions = list(subscriptions.values())
    info.torn = tape.torn
    return info


def _size(tape: Tape) -> int:
    files = tape.path.iterdir() if tape.path.is_dir() else [tape.path]
    return sum(file.stat().st_size for file in files if ".tape" in file.name or not tape.path.is_dir())


def _count(connection: ConnectionInfo, record: Record) -> None:
    kind = record.kind
    if kind is Kind.IN or kind is Kind.IN_BINARY:
        connection.frames_in += 1
        connection.bytes += len(record.body)
    elif kind is Kind.OUT or kind is Kind.OUT_BINARY:
        connection.frames_out += 1
        connection.bytes += len(record.body)
    elif kind is Kind.OPENED:
        connection.opened += 1
    elif kind is Kind.CLOSED:
        connection.closed += 1


def _note(info: TapeInfo, record: Record) -> None:
    if record.kind is Kind.GAP:
        facts = record.facts()
        since, until = _whole_number(facts.get("since")), _whole_number(facts.get("until"))
        info.gaps.append(GapInfo(since, until, str(facts.get("reason", "")), str(facts.get("guid", ""))))
    elif record.kind is Kind.NOTE:
        info.notes.append(str(record.facts().get("note", "")))
    elif record.kind is Kind.SUMMARY:
        info.summary = record.facts()
