"""CoinAPI's flat files as a tape: what the stream would have told, at the times when CoinAPI had it.

Bought or downloaded files of days that nobody recorded here can be replayed like any tape, by the same decoder.
"""

from __future__ import annotations

import heapq
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from strategykit.errors import ConfigError, TapeError
from strategykit.foreign.leaps import without_leaps
from strategykit.foreign.refusals import RowRefused
from strategykit.foreign.text import AS_IT_IS, Lines, Reading, open_lines
from strategykit.model.codec import make_converter
from strategykit.tape.format import TapeHeader, encode_json, shown
from strategykit.tape.writer import TapeWriter, open_tape_writer
from strategykit.venues.asks import Ask, AskInstrument
from strategykit.venues.coinapi.flat_files import FlatFile, Told, read_name
from strategykit.venues.coinapi.names import DataType
from strategykit.venues.coinapi.server import encode_item, frame_item
from strategykit.venues.streams import Stream, StreamKind

__all__ = ["Imported", "import_flat_files"]

_LONGEST: Final = 65_536
"""Bytes: a longer line is no line of such a file."""

_BEHIND: Final = 8 << 20
"""Bytes that may wait for the disk before it is waited for."""

_BREATH: Final = 500
"""Messages after which the disk gets its turn."""

_CONNECTION: Final = "market-0"
_KINDS: Final = {
    DataType.TRADE: StreamKind.TRADES,
    DataType.QUOTE: StreamKind.QUOTES,
    DataType.BOOK: StreamKind.BOOK,
}


@attrs.frozen(kw_only=True)
class Imported:
    """What has been put on a tape."""

    messages: int
    first: int
    """Nanoseconds UTC."""
    last: int
    streams: Sequence[Stream]


@attrs.define(eq=False, kw_only=True)
class _Source:
    """One file that is being read."""

    path: Path
    symbol: str
    file: FlatFile
    number: int
    lines: Lines
    sequence: int = 0

    @property
    def stream(self) -> Stream:
        return Stream(kind=_KINDS[self.file.type], instrument=self.symbol)

    def read(self) -> Iterator[tuple[int, int, Told]]:
        """Yield times, the file's number and messages; times that go back are taken for those before them."""
        latest = 0
        try:
            for _, told in without_leaps(self._lines(), lambda line: line[1].time, self._leap):
                latest = max(latest, told.time)
                yield latest, self.number, told
            self.lines.check_ended()
        except ValueError as exc:
            raise TapeError(f"{shown(self.path)}, line {self.lines.place.line}: {exc}") from exc

    def _lines(self) -> Iterator[tuple[int, Told]]:
        return ((self.lines.place.line, told) for told in self.file.read())

    def _leap(self, line: tuple[int, Told], why: RowRefused) -> None:
        raise TapeError(f"{shown(self.path)}, line {line[0]}: {why}")


async def import_flat_files(
    paths: Sequence[Path],
    tape: Path,
    *,
    now: Callable[[], int],
    symbol: str | None = None,
    reading: Reading = AS_IT_IS,
) -> Imported:
    """Read flat files side by side, and write one tape of all of them.

    Ticks and lots, which the files don't tell, are taken to be as fine as the finest price and size in them.

    Args:
        paths: Files of trades, quotes and books, packed or not; of any symbols and days, one of each kind.
        tape: Folder to be made.
        now: Nanoseconds UTC.
        symbol: Whose the files are whose names don't tell.
        reading: How files are read.

    Raises:
        ConfigError: A file doesn't tell its symbol; or several tell the same.
        TapeError: A file can't be read, or the tape not be written. What has been written by then stays.
    """
    with ExitStack() as stack:
        sources = [_open(path, number, symbol, reading, stack) for number, path in enumerate(paths)]
        if not sources:
            raise ConfigError("no flat file was named")
        _check_distinct(sources)
        told = heapq.merge(*(source.read() for source in sources), key=lambda item: item[:2])
        # The first is needed for the header.
        first = next(told, None)
        if first is None:
            raise TapeError("the files hold nothing")
        header = TapeHeader(
            created=now(),
            venue="coinapi",
            seed=1,
            clock_origin=first[0],
            strategykit_version=version("strategykit"),
            python_version=platform.python_version(),
            session={"venue": "coinapi", "options": {}, "imported": [path.name for path in paths]},
        )
        async with open_tape_writer(tape, header, now=now, required=True) as writer:
            return await _write(writer, sources, first, told)


def _open(path: Path, number: int, symbol: str | None, reading: Reading, stack: ExitStack) -> _Source:
    name = read_name(str(path))
    if (name.symbol or symbol) is None:
        raise ConfigError(f"{shown(path)}: its name tells no symbol (as +SC-KRAKEN_SPOT_ETH_EUR+ would); say which")
    lines = stack.enter_context(open_lines(path, reading, longest=_LONGEST))
    try:
        file = FlatFile(lines, symbol=str(name.symbol or symbol), date=name.date)
    except ValueError as exc:
        raise TapeError(f"{shown(path)}: {exc}") from exc
    return _Source(path=path, symbol=str(name.symbol or symbol), file=file, number=number, lines=lines)


def _check_distinct(sources: Sequence[_Source]) -> None:
    """Files of one kind and symbol would be told twice, but for those of different days."""
    seen: dict[tuple[Stream, str | None], Path] = {}
    for source in sources:
        key = source.stream, read_name(str(source.path)).date
        if key in seen:
            raise ConfigError(f"{shown(seen[key])} and {shown(source.path)} both hold {source.stream.label}")
        seen[key] = source.path


async def _write(
    writer: TapeWriter,
    sources: Sequence[_Source],
    first: tuple[int, int, Told],
    others: Iterator[tuple[int, int, Told]],
) -> Imported:
    begin = last = first[0]
    converter = make_converter()
    streams = list(dict.fromkeys(source.stream for source in sources))
    for number, stream in enumerate(streams, 1):
        facts = {"guid": f"import-{number}", "connection": _CONNECTION, "owners": []}
        writer.subscription(begin, {**facts, "stream": converter.unstructure(stream)})
    writer.opened(_CONNECTION, begin, "market", "flat files", 1)
    numbers: dict[Stream, int] = {}
    count = 0
    for item in _chained(first, others):
        last, index, told = item
        source = sources[index]
        number = numbers[source.stream] = numbers.get(source.stream, 0) + 1
        writer.frame_in(_CONNECTION, last, frame_item(source.file.type, encode_item(told.item), number).decode())
        count += 1
        if not count % _BREATH:
            await trio.lowlevel.checkpoint()
            while writer.waiting > _BEHIND:  # noqa: ASYNC110 - a disk tells nobody how far it is
                await trio.sleep(0.01)
    for symbol in dict.fromkeys(source.symbol for source in sources):
        ask: Any = converter.unstructure(AskInstrument(instrument=symbol), unstructure_as=Ask)
        writer.answer(ask, last, 200, encode_json([_symbol_facts(symbol, sources)]))
    writer.closed(_CONNECTION, last, "closed by us")
    return Imported(messages=count, first=begin, last=last, streams=streams)


def _chained(first: tuple[int, int, Told], others: Iterator[tuple[int, int, Told]]) -> Iterator[tuple[int, int, Told]]:
    yield first
    yield from others


def _symbol_facts(symbol: str, sources: Sequence[_Source]) -> dict[str, object]:
    """Give what REST would say of a symbol, as far as its files tell."""
    files = [source.file for source in sources if source.symbol == symbol]
    parts = symbol.split("_")
    return {
        "symbol_id": symbol,
        "exchange_id": parts[0],
        "asset_id_quote": parts[3] if len(parts) > 3 else None,
        "price_precision": _step(max(file.price_places for file in files)),
        "size_precision": _step(max(file.size_places for file in files)),
    }


def _step(places: int) -> float:
    return 10.0**-places
