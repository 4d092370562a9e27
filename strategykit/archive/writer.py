"""Writing an archive: events go to plain files first, so that what all of them need is known before one is stored."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import attrs

from strategykit.archive.fields import kind_named, name_of
from strategykit.archive.files import store
from strategykit.archive.manifest import MANIFEST, Manifest, Source, StreamEntry, named
from strategykit.archive.piles import NO_TIME, Pile
from strategykit.archive.rows import Needs
from strategykit.disk import RealDisk, new_folder, sync_directory, write_all
from strategykit.errors import TapeError
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.venues.streams import Stream

__all__ = ["ArchiveWriter", "open_archive_writer"]

_PILE: Final = 16_384
"""Events of one class and stream that are kept in memory."""

_ALL: Final = 200_000
"""Events that are kept in all."""


@attrs.define(eq=False)
class _Turn:
    """Whose turn it is among events of one time: counted where they go to different files, as each keeps its order."""

    time: int = NO_TIME
    tie: int = 0
    pile: Pile | None = None

    def next(self, time: int, pile: Pile) -> int:
        """Give the number of the next event, which goes to `pile`; its time is no earlier than the last one's."""
        if time > self.time:
            self.time, self.tie = time, 0
        elif pile is not self.pile:
            self.tie += 1
        self.pile = pile
        return self.tie


@attrs.frozen(eq=False)
class _Place:
    """Where events of one stream and class go."""

    stream: Stream
    kind: type[Event]
    pile: Pile
    turn: _Turn


@attrs.define(eq=False, kw_only=True)
class ArchiveWriter:
    """An archive that is being made; `open_archive_writer` opens one.

    Attributes:
        rows: Events taken so far.
    """

    folder: Path
    """Where it grows."""
    source: Source
    venue: str
    session: dict[str, Any] = attrs.field(factory=dict)
    seed: int = 1
    clock_origin: int | None = None
    """This and the next two: nanoseconds UTC; None: as the events have it."""
    first: int | None = None
    last: int | None = None
    instruments: dict[str, Instrument] = attrs.field(factory=dict)
    """By symbol."""
    on_progress: Callable[[float], None] = lambda _: None
    """Takes the part that is stored, 0 to 1, once all have been taken."""
    rows: int = 0
    _streams: dict[Stream, str] = attrs.field(factory=dict)
    _piles: dict[tuple[Stream, str], Pile] = attrs.field(factory=dict)
    _kept: int = 0
    _turn: _Turn = attrs.field(factory=_Turn)
    """Among all streams, of events that are taken in the order of all."""
    _turns: dict[Stream, _Turn] = attrs.field(factory=dict)
    """Among the classes of a stream, of those that are taken stream by stream."""
    _latest: _Place | None = None

    def declare(self, stream: Stream, *, guid: str = "") -> None:
        """Say that there is a stream, whose events came by subscription `guid`; else it gets a guid of its own."""
        self._streams.setdefault(stream, guid)

    def add(self, stream: Stream, event: Event, *, time: int | None = None) -> None:
        """Take the next event of all streams: what is taken later was told later.

        Args:
            stream: Whose it is.
            event: Its own receive time may be earlier: it was held back, or the clock was set back meanwhile.
            time: When it was told, nanoseconds UTC; None: when it came.

        Raises:
            TapeError: It isn't market data, or is of another instrument than its stream.
        """
        pile = self._place(stream, event).pile
        told = max(self._turn.time, event.receive_time if time is None else time)
        self._put(pile, event, told, self._turn.next(told, pile))

    def add_all(self, stream: Stream, events: Iterable[Event]) -> None:
        """Take the next events of one stream, whatever others have: between streams, times tell the order.

        Raises:
            TapeError: As `add`; or an event came before the one that stands before it.
        """
        for event in events:
            place = self._place(stream, event)
            pile, turn = place.pile, place.turn
            if event.receive_time < turn.time:
                raise TapeError(f"{stream.label}: an event of {event.receive_time} ns stands behind one of {turn.time}")
            self._put(pile, event, event.receive_time, turn.next(event.receive_time, pile))

    def _place(self, stream: Stream, event: Event) -> _Place:
        place = self._latest
        # Events of one stream mostly follow each other, and to look a stream up takes longer than all else.
        if place is None or place.stream is not stream or place.kind is not type(event):
            name = name_of(event)
            pile = self._piles.get((stream, name))
            if pile is None:
                self.declare(stream)
                number = list(self._streams).index(stream)
                pile = Pile(number, Needs(kind_named(name)), self.folder / f"{len(self._piles)}.rows")
                self._piles[stream, name] = pile
            turn = self._turns.setdefault(stream, _Turn())
            place = self._latest = _Place(stream, type(event), pile, turn)
        if event.instrument != stream.instrument:
            raise TapeError(f"{stream.label}: an event is of {event.instrument!r}")
        return place

    def _put(self, pile: Pile, event: Event, time: int, tie: int) -> None:
        self.rows += 1
        self._kept += 1
        if pile.put(event, time, tie) >= _PILE:
            self._kept -= pile.spill()
        elif self._kept >= _ALL:
            self._kept -= sum(each.spill() for each in self._piles.values())

    def finish(self) -> Manifest:
        """Store all of it, and say what it is. Called by `open_archive_writer`.

        Raises:
            TapeError: Something can't be stored, or there is nothing.
        """
        for pile in self._piles.values():
            pile.spill()
        if not self._piles:
            raise TapeError("there is no market data to put into an archive")
        names = named(list(self._streams))
        # Events are led to strategies by guid: streams that came by no subscription have one all the same.
        guids = [guid or name for guid, name in zip(self._streams.values(), names, strict=True)]
        streams = [
            StreamEntry(stream=stream, guid=guid, files={}) for stream, guid in zip(self._streams, guids, strict=True)
        ]
        stored = 0
        for pile in self._piles.values():
            kind = pile.needs.kind.__name__
            files = streams[pile.stream].files[kind] = []
            for file in store(pile, self.folder, f"{names[pile.stream]}/{kind}"):
                files.append(file)
                stored += file.rows
                self.on_progress(stored / self.rows)
            pile.path.unlink()
        begin = min(files[0].first for entry in streams for files in entry.files.values())
        end = max(files[-1].last for entry in streams for files in entry.files.values())
        first = begin if self.first is None else min(self.first, begin)
        manifest = Manifest(
            strategykit_version=version("strategykit"),
            source=self.source,
            venue=self.venue,
            session=self.session,
            seed=self.seed,
            clock_origin=first if self.clock_origin is None else self.clock_origin,
            first=first,
            last=end if self.last is None else max(self.last, end),
            instruments=list(self.instruments.values()),
            streams=streams,
        )
        self._sync(manifest)
        return manifest

    def _sync(self, manifest: Manifest) -> None:
        disk = RealDisk()
        fd = disk.open(self.folder / MANIFEST, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            write_all(disk, fd, manifest.encode())
            disk.fsync(fd)
        finally:
            os.close(fd)
        for path in (*(path for path in self.folder.rglob("*") if path.is_dir()), self.folder):
            sync_directory(disk, path)


@contextmanager
def open_archive_writer(to: Path, *, source: Source, venue: str) -> Generator[ArchiveWriter]:
    """Make an archive, the folder `to`: it gets its name when it is whole, at the end, and not at all after an error.

    Args:
        to: Must not be there yet, but for an empty folder.
        source: What it is made of.
        venue: Whose data they are.

    Raises:
        ConfigError: `to` is there.
        TapeError: It can't be written, or there is nothing to write.
    """
    with new_folder(to) as folder:
        writer = ArchiveWriter(folder=folder, source=source, venue=venue)
        yield writer
        writer.finish()
