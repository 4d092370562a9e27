"""Bars of one table: CSV with a header, whatever separates its columns, or Parquet. A bar comes when it ends."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from strategykit.archive.importers.moments import Moments
from strategykit.archive.importers.rows import Row, number, places, price, size
from strategykit.archive.parquet import open_parquet, row_groups
from strategykit.disk import shown
from strategykit.errors import ConfigError, TapeError
from strategykit.foreign.leaps import without_leaps
from strategykit.foreign.refusals import Place, Refusals, RowRefused
from strategykit.foreign.text import AS_IT_IS, Reading, open_lines
from strategykit.model.events import Bar
from strategykit.venues.streams import Stream, StreamKind

__all__ = ["BarTable", "read_ohlcv", "zone_named"]

_LONGEST: Final = 65_536
_MOST_ROWS: Final = 20_000_000
"""In a file: they are sorted out in memory."""

_SEPARATORS: Final = ",;\t|"
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "time": ("datetime", "date time", "timestamp", "time stamp", "open time", "opentime", "date", "time", "unix", "ts"),
    "clock": ("time",),
    "open": ("open", "o", "1. open"),
    "high": ("high", "h", "2. high"),
    "low": ("low", "l", "3. low"),
    "close": ("close", "c", "last", "4. close"),
    "volume": ("volume", "vol", "v", "5. volume"),
    "symbol": ("symbol", "ticker", "instrument", "secid"),
    "adjusted open": ("adj open", "adjusted open"),
    "adjusted high": ("adj high", "adjusted high"),
    "adjusted low": ("adj low", "adjusted low"),
    "adjusted close": ("adj close", "adjusted close"),
    "adjusted volume": ("adj volume", "adjusted volume"),
}
"""What columns are called, by what they are; the first that is there counts."""

_PRICES: Final = ("open", "high", "low", "close")


@attrs.frozen(kw_only=True)
class BarTable:
    """What has to be said of such files."""

    symbol: str | None = None
    """Whose bars they are; None: a column says so."""
    interval: int | None = None
    """Nanoseconds; None: what mostly lies between two rows."""
    time_zone: str = "UTC"
    """Of times that don't say theirs."""
    adjusted: bool = False
    """Whether the columns are meant that are adjusted for splits and dividends."""


@attrs.frozen
class _Line:
    time: int
    prices: tuple[float, float, float, float]
    volume: float
    number: int
    fine: tuple[str, str]


def zone_named(name: str) -> ZoneInfo:
    """Look a time zone up.

    Raises:
        ConfigError: There is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise ConfigError(f"there is no time zone {name!r}; America/New_York or UTC would be one") from exc


def read_ohlcv(
    paths: Sequence[Path], table: BarTable, refusals: Refusals, reading: Reading = AS_IT_IS
) -> Iterator[Row]:
    """Give the bars of files, oldest first whichever way they are written.

    Raises:
        ConfigError: A header lacks a column; the symbol or the interval can't be told; or there is no such time zone.
        TapeError: A file can't be read, or too many rows can't be taken.
    """
    zone, latest = zone_named(table.time_zone), dict[Stream, int]()
    for path in paths:
        source = _parquet_cells(path, reading) if _is_parquet(path) else _csv_cells(path, reading)
        reader = _Reader(path, table, refusals, Moments(zone))
        for line, cells, check_ended in source:
            reader.take(line, cells, check_ended)
        yield from reader.rows(latest)


def _is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except OSError:
        return False  # It is told where it is read.


_Cells = tuple[int, list[str], Callable[[], None]]
"""A line's number, its cells, and what refuses it if it may have been cut."""


def _csv_cells(path: Path, reading: Reading) -> Iterator[_Cells]:
    """Give lines, the header first, in cells."""
    with open_lines(path, reading, longest=_LONGEST) as lines:
        separator = None
        for line in lines:
            if not line.strip():
                continue
            if separator is None:
                separator = max(_SEPARATORS, key=line.count)
            try:
                yield lines.place.line, next(csv.reader([line], delimiter=separator)), lines.check_ended
            except (csv.Error, StopIteration) as exc:
                raise TapeError(f"{lines.place}: {exc}") from exc


def _parquet_cells(path: Path, reading: Reading) -> Iterator[_Cells]:
    with open_parquet(path) as file:
        names = list(file.schema_arrow.names)
        wanted = {name for names in _NAMES.values() for name in names}
        kept = [name for name in names if _plain_name(name) in wanted]
        yield 0, kept, _whole
        row, size = 0, path.stat().st_size
        for group in row_groups(path, file, kept):
            for batch in group.to_batches(max_chunksize=8_192):
                for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    row += 1
                    yield row, [_text(value) for value in values], _whole
                reading.on_read(path, size * row // file.metadata.num_rows, batch.num_rows)


def _whole() -> None:
    """A file without its footer isn't opened."""


def _text(value: Any) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return "" if value is None else str(value)


def _plain_name(name: str) -> str:
    text = " ".join(name.strip().strip("<>\"'").lower().replace("_", " ").split())
    return text.replace("adj.", "adj").strip()


class _Reader:
    """Lines of one file."""

    def __init__(self, path: Path, table: BarTable, refusals: Refusals, moments: Moments) -> None:
        self._path = path
        self._table = table
        self._refusals = refusals
        self._moments = moments
        self._columns: dict[str, int] | None = None
        self._width = self._last = 0
        self._lines: dict[str, list[_Line]] = {}
        self._count = 0

    def take(self, line: int, cells: list[str], check_ended: Callable[[], None]) -> None:
        if self._columns is None:
            self._columns, self._width = self._header(cells), len(cells)
            self._last = max(self._columns.values())
            return
        self._count += 1
        if self._count > _MOST_ROWS:
            raise TapeError(f"{Place(self._path, line)}: more than {_MOST_ROWS} rows in a file; split it")
        try:
            if len(cells) <= self._last + 1:  # A cut in a column that isn't read does no harm.
                check_ended()
            symbol, found = self._read(line, cells, self._columns)
        except RowRefused as exc:
            self._refusals.add(Place(self._path, line), exc)
        else:
            self._lines.setdefault(symbol, []).append(found)

    def _header(self, cells: list[str]) -> dict[str, int]:
        names = [_plain_name(cell) for cell in cells]
        columns = {
            what: next(names.index(known) for known in known_names if known in names)
            for what, known_names in _NAMES.items()
            if any(known in names for known in known_names)
        }
        if columns.get("clock") == columns.get("time"):
            columns.pop("clock", None)
        missing = [what for what in ("time", *_PRICES, "volume") if what not in columns]
        if missing:
            raise ConfigError(
                f"{shown(self._path)}: its first line names no column for {', '.join(missing)}; right would be "
                "datetime, open, high, low, close, volume"
            )
        if self._table.symbol is None and "symbol" not in columns:
            raise ConfigError(f"{shown(self._path)}: no column says whose bars they are; say it by --symbol")
        if self._table.adjusted and "adjusted close" not in columns:
            raise ConfigError(f"{shown(self._path)}: no column is adjusted for splits and dividends")
        return columns

    def _read(self, line: int, cells: list[str], columns: Mapping[str, int]) -> tuple[str, _Line]:
        if len(cells) != self._width:
            raise RowRefused(f"has {len(cells)} columns", right=f"{self._width}, as the header has,")
        at = {what: cells[place] for what, place in columns.items()}
        symbol = at.get("symbol", self._table.symbol) or ""
        if self._table.symbol is not None and symbol != self._table.symbol:
            raise RowRefused("it is of another symbol:", symbol, right=self._table.symbol)
        if not symbol:
            raise RowRefused("it doesn't say whose it is")
        time = self._moments.read(f"{at['time']} {at['clock']}" if "clock" in at else at["time"])
        written, volume = self._values(at)
        opened, high, low, close = (price(text, what) for text, what in zip(written, _PRICES, strict=True))
        if not (low <= opened <= high and low <= close <= high):
            raise RowRefused("its prices aren't between its low and its high:", ", ".join(written))
        fine = max(written, key=places)
        return symbol, _Line(time, (opened, high, low, close), size(volume, "volume"), line, (fine, volume))

    def _values(self, at: Mapping[str, str]) -> tuple[list[str], str]:
        if not self._table.adjusted:
            return [at[what] for what in _PRICES], at["volume"]
        if "adjusted open" in at:
            return [at[f"adjusted {what}"] for what in _PRICES], at.get("adjusted volume", at["volume"])
        factor = number(at["adjusted close"], "adjusted close") / price(at["close"], "close")
        return [repr(number(at[what], what) * factor) for what in _PRICES], at["volume"]

    def rows(self, latest: dict[Stream, int]) -> Iterator[Row]:
        """Give all that was taken, once the file has ended; `latest` has when the last bars of earlier files began."""
        if self._columns is None:
            raise TapeError(f"{shown(self._path)} is empty")
        for symbol, lines in self._lines.items():
            rises = sum(after.time > before.time for before, after in pairwise(lines))
            if 2 * rises < len(lines) - 1:
                lines.reverse()
            interval = self._table.interval or self._interval(lines)
            stream = Stream(kind=StreamKind.BARS, instrument=symbol, interval=interval)
            last = latest.get(stream)
            for line in without_leaps(lines, lambda line: line.time, self._leap):
                place = Place(self._path, line.number)
                if last is not None and line.time - last < interval * 9 // 10:  # Days of 23 hours are days, too.
                    self._refusals.add(place, _too_early(line.time - last, interval))
                    continue
                last = latest[stream] = line.time
                ends = line.time + interval
                bar = Bar(symbol, line.time, interval, *line.prices, line.volume, True, ends, ends, "")
                yield Row(stream, bar, place, line.fine)

    def _leap(self, line: _Line, why: RowRefused) -> None:
        self._refusals.add(Place(self._path, line.number), why)

    def _interval(self, lines: Sequence[_Line]) -> int:
        steps = Counter(after.time - before.time for before, after in pairwise(lines) if after.time > before.time)
        most = steps.most_common(1)
        if not most or most[0][1] * 2 <= steps.total():
            raise ConfigError(f"{shown(self._path)}: its rows don't tell how long a bar is; say it by --interval")
        return most[0][0]


def _too_early(step: int, interval: int) -> str:
    if step == 0:
        return "its time is that of the row before it; each bar once would be right"
    if step < 0:
        return f"it stands {-step / 1e9:g} s behind where it belongs; rows in the order of time would be right"
    return f"it begins {step / 1e9:g} s after the bar before it, which is {interval / 1e9:g} s long"
