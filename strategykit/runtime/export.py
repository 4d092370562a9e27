"""From tapes to an archive: what their streams told, decoded once and for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import attrs

from strategykit.archive.manifest import Source
from strategykit.archive.reader import Archive
from strategykit.archive.writer import open_archive_writer
from strategykit.disk import shown
from strategykit.errors import ConfigError, TapeError
from strategykit.runtime.recorded import Contents, scan
from strategykit.runtime.recorded_events import recorded_instruments, stream_events
from strategykit.runtime.recorded_venue import recorded_venue
from strategykit.tape.reader import Tape, open_tape
from strategykit.venues.dialect import Dialect
from strategykit.venues.streams import PRIVATE

__all__ = ["Told", "export_tapes"]

_EVERY: Final = 10_000
"""Events between two tellings of how far it is."""


@attrs.frozen
class Told:
    """How far an export is."""

    part: float
    """0 to 1: first of what is read, then of what is stored."""
    rows: int
    storing: bool


@attrs.frozen
class _Source:
    tape: Tape
    dialect: Dialect
    facts: dict[str, Any]
    contents: Contents


def export_tapes(paths: Sequence[Path], to: Path, *, on_progress: Callable[[Told], None] = lambda _: None) -> Archive:
    """Make an archive of what the streams of market data on tapes told.

    Args:
        paths: Tapes of one venue; each begins after the one before it has ended.
        to: Folder to be made.
        on_progress: Told how far it is.

    Raises:
        ConfigError: There is no tape; they overlap, or are of different venues; or `to` is there.
        TapeError: A tape is damaged, holds no market data, or the archive can't be written.
    """
    sources = [_open(path) for path in paths]
    if not sources:
        raise ConfigError("no tape was named")
    first = sources[0]
    for before, after in pairwise(sources):
        _check_follows(before, after)
    header = first.tape.header
    source = Source(
        format="tape",
        names=[path.name for path in paths],
        sha256=[digest for each in sources for digest in _digests(each.tape)],
    )
    with open_archive_writer(to, source=source, venue=header.venue) as writer:
        writer.session, writer.seed, writer.clock_origin = dict(first.facts), header.seed, header.clock_origin
        writer.first, writer.last = first.contents.first, sources[-1].contents.last
        writer.on_progress = lambda part: on_progress(Told(part, writer.rows, storing=True))
        begin, span = writer.first, max(writer.last - writer.first, 1)
        for each in sources:
            for row in each.contents.rows:
                if row.stream.kind not in PRIVATE:
                    writer.declare(row.stream, guid=row.guid)
            with suppress(TapeError):  # It may hold no reference data.
                writer.instruments.update(recorded_instruments(each.tape, each.dialect, each.contents))
            for time, stream, event in stream_events(each.tape, each.dialect, each.contents):
                writer.add(stream, event, time=time)
                if not writer.rows % _EVERY:
                    on_progress(Told((time - begin) / span, writer.rows, storing=False))
    return Archive.open(to)


def _open(path: Path) -> _Source:
    tape = open_tape(path)
    dialect, facts = recorded_venue(tape)
    return _Source(tape, dialect, dict(facts), scan(tape))


def _check_follows(before: _Source, after: _Source) -> None:
    names = shown(before.tape.path), shown(after.tape.path)
    if before.dialect != after.dialect:
        raise ConfigError(f"{names[0]} and {names[1]} aren't of the same venue, or not with the same options")
    if after.contents.first < before.contents.last:
        raise ConfigError(f"{names[1]} begins before {names[0]} ends; name tapes in the order of time, or export each")


def _digests(tape: Tape) -> list[str]:
    """Give the SHA-256 of the sealed segments, as their footers have them; one that isn't sealed has none."""
    return [tape.footers[number].sha256 for number in tape.segments if number in tape.footers]
