"""Whether a tape is whole: every name, number, checksum and seal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from strategykit.errors import TapeError
from strategykit.tape.format import Kind, shown
from strategykit.tape.reader import Record, Tape, open_tape
from strategykit.tape.segment import RawRecord

__all__ = ["Finding", "TapeReport", "verify_tape"]

_STOPPED: Final = "recording stopped"


@attrs.frozen
class Finding:
    """Something about a tape that its owner should know, in one line."""

    words: str
    damage: bool
    """False for what is told but lost nothing more, such as a tail that was put aside earlier."""


@attrs.frozen
class TapeReport:
    """What verifying found."""

    segments: int
    records: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether all that is on the tape is what was recorded, to the end."""
        return not any(finding.damage for finding in self.findings)


def verify_tape(path: str | Path) -> TapeReport:
    """Check a tape to its last byte, after damage too: each segment is judged. `TapeError` becomes a finding."""
    try:
        tape = open_tape(path, digests=True)
    except TapeError as exc:
        return TapeReport(0, 0, (Finding(str(exc), damage=True),))
    findings: list[Finding] = []
    records = 0
    expected: int | None = None
    names = [""]
    for number in tape.segments:
        try:
            for chunk in tape.chunks_of(number, expected, names):
                records += len(chunk)
                findings += [finding for record in chunk if (finding := _remark(record))]
            expected = tape.next_seq
        except TapeError as exc:
            findings.append(Finding(str(exc), damage=True))
            expected, names = None, [""]
    findings += _ending(tape)
    return TapeReport(len(tape.segments), records, tuple(findings))


def _remark(record: RawRecord) -> Finding | None:
    kind, seq, time, _, body = record
    if kind != Kind.NOTE:
        return None
    facts = Record(Kind.NOTE, seq, time, "", body).facts()
    words = str(facts.get("note"))
    if words == "RECOVERED":
        return Finding(
            f"record {seq}: the writer was killed; {shown(facts.get('bytes'))} bytes were cut then", damage=False
        )
    return Finding(f"record {seq}: {shown(words)}", damage=False) if words.startswith(_STOPPED) else None


def _ending(tape: Tape) -> Iterator[Finding]:
    try:
        if tape.torn is not None:
            yield Finding(str(tape.torn), damage=True)
        if not tape.sealed:
            yield Finding(
                f"{shown(tape.path)} isn't sealed: it is still written, or its writer was killed", damage=False
            )
    except TapeError:
        return  # Told already.
