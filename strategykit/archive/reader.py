"""Reading an archive: streams as columns, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from strategykit.archive.arrow import np
from strategykit.archive.cache import Cache
from strategykit.archive.fields import TIE, kind_named
from strategykit.archive.manifest import FileEntry, Manifest, StreamEntry, digest_of, read_manifest
from strategykit.archive.parquet import read_parquet
from strategykit.archive.rows import Rows, times_of
from strategykit.archive.taken import columns_of_rows
from strategykit.columns.columns import Columns
from strategykit.columns.merging import merge
from strategykit.disk import shown
from strategykit.errors import ConfigError, TapeError
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.venues.streams import Stream

__all__ = ["Archive"]


class Archive:
    """Market data on the disk; `Archive.open` opens them.

    Attributes:
        path: The folder.
        manifest: What it says of itself.
        streams: In the order in which they were subscribed to, or imported.
        instruments: What is known of those that are traded there, by symbol.
    """

    def __init__(self, path: Path, manifest: Manifest, cache: Cache | None) -> None:
        self.path = path
        self.manifest = manifest
        self.streams: Sequence[Stream] = tuple(entry.stream for entry in manifest.streams)
        self.instruments: Mapping[str, Instrument] = MappingProxyType(
            {instrument.symbol: instrument for instrument in manifest.instruments}
        )
        self._entries: Mapping[Stream, StreamEntry] = {entry.stream: entry for entry in manifest.streams}
        self._cache = cache
        self._known: set[str] = set()
        """Files that are known to be what was written."""

    @classmethod
    def open(cls, path: str | Path, *, cache: Path | None = None) -> Archive:
        """Open an archive.

        Args:
            path: Its folder.
            cache: A folder for what has been unpacked, so that it is only mapped into memory the next time; it may be
                shared by archives, and deleted at any time. None: all is unpacked each time.

        Raises:
            TapeError: It is no archive, or damaged.
        """
        folder = Path(path)
        return cls(folder, read_manifest(folder), None if cache is None else Cache(cache))

    @property
    def first(self) -> int:
        """When a replay begins, nanoseconds UTC: at the first frame, or event."""
        return self.manifest.first

    @property
    def last(self) -> int:
        return self.manifest.last

    @property
    def seed(self) -> int:
        """Of ids and random numbers in a replay, unless another is given."""
        return self.manifest.seed

    @property
    def clock_origin(self) -> int:
        """What ids and random numbers are drawn from besides: of the run that was recorded."""
        return self.manifest.clock_origin

    @property
    def notes(self) -> Sequence[str]:
        """What was found to be wrong in the cache, and was made anew."""
        return () if self._cache is None else tuple(self._cache.notes)

    @property
    def rows(self) -> int:
        return sum(entry.rows for entry in self.manifest.streams)

    def guid(self, stream: Stream) -> str:
        """Give the subscription that a stream's events came by."""
        return self._entry(stream).guid

    def chunks(self, stream: Stream, *, since: int | None = None, until: int | None = None) -> Iterator[Columns]:
        """Give the events of a stream as columns, each of one class, oldest first.

        Args:
            stream: One of `streams`.
            since: Receive time of the first wanted, nanoseconds UTC; None: from the beginning.
            until: Receive time of the first no longer wanted; None: to the end.

        Raises:
            ConfigError: There is no such stream.
            TapeError: A file is damaged; the message says where.
        """
        files = self._entry(stream).files
        kinds = [kind_named(name) for name in files]
        sources = [self._rows(kind, files[kind.__name__], since, until) for kind in kinds]
        for place, rows in _in_turn(sources):
            try:
                yield columns_of_rows(stream, kinds[place], rows)
            except ValueError as exc:
                raise TapeError(f"{shown(self.path)}: {exc}") from exc

    def events(
        self, streams: Sequence[Stream] | None = None, *, since: int | None = None, until: int | None = None
    ) -> Iterator[Event]:
        """Give the events of streams, of all where none are named, in the order in which they came."""
        wanted = self.streams if streams is None else streams
        guids = [self.guid(stream) for stream in wanted]
        for stretch in merge([self.chunks(stream, since=since, until=until) for stream in wanted]):
            parts = [columns.events(guids[place]) for place, columns in stretch.parts]
            if stretch.order is None:
                yield from parts[0]
            else:
                yield from (next(parts[place]) for place in stretch.order)

    def verify(self) -> None:
        """Read all files, not by way of the cache, and compare their SHA-256 with the manifest's.

        What is wrong in the cache goes out of it; `notes` tells.

        Raises:
            TapeError: One of them has changed, or can't be read.
        """
        plain = Archive(self.path, self.manifest, None)
        for entry in self.manifest.streams:
            for _ in plain.chunks(entry.stream):
                """Reading checks what is in them."""
            if self._cache is not None:
                for name, files in entry.files.items():
                    for file in files:
                        self._cache.drop_wrong(kind_named(name), file)

    def _check(self, file: FileEntry) -> None:
        """Compare a file's SHA-256, once: of what is packed so well that takes next to no time."""
        if file.path in self._known:
            return
        path = self.path / file.path
        try:
            digest = digest_of(path)
        except OSError as exc:
            raise TapeError(f"{shown(path)} can't be read: {exc.strerror}") from exc
        if digest != file.sha256:
            raise TapeError(f"{shown(path)} isn't what was written: its SHA-256 is {digest}")
        self._known.add(file.path)

    def _entry(self, stream: Stream) -> StreamEntry:
        try:
            return self._entries[stream]
        except KeyError:
            have = ", ".join(each.label for each in self.streams)
            raise ConfigError(f"{shown(self.path)} has no {stream.label}; it has {have}") from None

    def _rows(self, kind: type, files: Sequence[FileEntry], since: int | None, until: int | None) -> Iterator[Rows]:
        for file in files:
            if (since is not None and file.last < since) or (until is not None and file.first >= until):
                continue
            read = self._read(kind, file)
            for rows in read if self._cache is None else self._cache.rows(kind, file, read):
                if part := _between(rows, since, until):
                    yield part

    def _read(self, kind: type, file: FileEntry) -> Iterator[Rows]:
        self._check(file)
        yield from read_parquet(self.path / file.path, kind, file.rows)


def _between(rows: Rows, since: int | None, until: int | None) -> Rows | None:
    times = times_of(rows)
    start = 0 if since is None else int(np.searchsorted(times, since, side="left"))
    stop = len(rows) if until is None else int(np.searchsorted(times, until, side="left"))
    return rows.slice(start, stop - start) if stop > start else None


def _in_turn(sources: Sequence[Iterator[Rows]]) -> Iterator[tuple[int, Rows]]:
    """Give the rows of several sources in the order of time, as many at once as follow each other in one of them."""
    heads = {place: rows for place, source in enumerate(sources) if (rows := next(source, None)) is not None}
    while heads:
        keys = {place: _key(rows) for place, rows in heads.items()}
        place = min(keys, key=lambda each: (keys[each], each))
        others = [(key, each) for each, key in keys.items() if each != place]
        rows = heads[place]
        count = len(rows) if not others else _before(rows, *min(others), place)
        yield place, rows.slice(0, count)
        rest = rows.slice(count) if count < len(rows) else next(sources[place], None)
        if rest is None:
            del heads[place]
        else:
            heads[place] = rest


def _key(rows: Rows) -> tuple[int, int]:
    return int(times_of(rows)[0]), int(rows.column(TIE)[0].as_py())


def _before(rows: Rows, key: tuple[int, int], other: int, place: int) -> int:
    """Give how many rows of source `place` come before the row of source `other` that has `key`."""
    times, (time, tie) = times_of(rows), key
    first = int(np.searchsorted(times, time, side="left"))
    last = int(np.searchsorted(times, time, side="right"))
    ties = rows.column(TIE).slice(first, last - first).to_numpy()
    return max(1, first + int(np.searchsorted(ties, tie, side="right" if place < other else "left")))
