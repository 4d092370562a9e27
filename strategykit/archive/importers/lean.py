"""LEAN's zips: ticks, and bars of seconds, minutes, hours and days. What a file holds is in its path.

A path may have its slashes replaced by underscores. A bar comes when it ends; a bar of quotes is its close.

Source: "data/README.md" of the recordings that the tests use; LEAN, Data/<type>/readme.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import attrs

from strategykit.archive.importers.factors import Factors
from strategykit.archive.importers.rows import Facts, Row, number, price, size
from strategykit.disk import shown
from strategykit.errors import ConfigError
from strategykit.foreign.leaps import without_leaps
from strategykit.foreign.refusals import Place, Refusals, RowRefused
from strategykit.foreign.text import AS_IT_IS, Lines, Member, Reading, open_members
from strategykit.model.events import Bar, Event, Quote, Trade
from strategykit.venues.streams import Stream, StreamKind

__all__ = ["LeanFile", "lean_facts", "read_lean", "read_lean_name"]

_MS: Final = 1_000_000
_SECOND: Final = 1_000 * _MS
_DAY: Final = 86_400 * _SECOND
_RESOLUTIONS: Final[Mapping[str, int]] = {
    "tick": 0,
    "second": _SECOND,
    "minute": 60 * _SECOND,
    "hour": 3_600 * _SECOND,
    "daily": _DAY,
}
_LONGEST: Final = 4_096
"""Bytes of a line."""

_EASTERN: Final = "America/New_York"
_ZONES: Final[Mapping[str, tuple[str, tzinfo | None]]] = {
    "equity_usa": (_EASTERN, None),
    "forex_fxcm": ("Etc/GMT+5", timezone(timedelta(hours=-5))),
    "forex_oanda": ("UTC", UTC),
    "cfd_oanda": ("UTC", UTC),
    "future_cme": ("UTC", UTC),
    "future_comex": ("UTC", UTC),
    "crypto": ("UTC", UTC),
    "cryptofuture": ("UTC", UTC),
}
"""By what paths begin with; None: the zone's rules have to be looked up."""

_TYPES: Final = "equity|forex|cfd|future|cryptofuture|crypto"
_BY_DAY: Final = re.compile(
    rf"(?:^|_)({_TYPES})_([a-z]+)_(tick|second|minute)_([a-z0-9.]+)_([0-9]{{8}})_(trade|quote)\.zip", re.IGNORECASE
)
_WHOLE: Final = re.compile(
    rf"(?:^|_)({_TYPES})_([a-z]+)_(hour|daily)_([a-z0-9.]+)(?:_(trade|quote))?\.zip", re.IGNORECASE
)
_EXPIRY: Final = re.compile(r"_([0-9]{6,8})\.csv")

_EQUITY: Final = 10_000
"""Prices of shares are in ten-thousandths."""


@attrs.frozen(kw_only=True)
class LeanFile:
    """What a path says of its zip."""

    type: str
    market: str
    resolution: str
    symbol: str
    day: date | None
    """None: times in it are whole."""
    quotes: bool

    @property
    def interval(self) -> int:
        """Nanoseconds; 0 for ticks."""
        return _RESOLUTIONS[self.resolution]

    @property
    def zone(self) -> tzinfo:
        name, zone = _zone(self.type, self.market)
        return zone or ZoneInfo(name)


def _zone(kind: str, market: str) -> tuple[str, tzinfo | None]:
    found = _ZONES.get(f"{kind}_{market}") or _ZONES.get(kind)
    if found is None:
        raise ConfigError(f"the time zone of LEAN's {kind} {market} isn't known; known are {', '.join(_ZONES)}")
    return found


def read_lean_name(path: Path) -> LeanFile:
    """Read a path, such as ``Data/equity/usa/minute/spy/20131007_trade.zip``.

    Raises:
        ConfigError: It isn't one of LEAN's, or of something that isn't read here.
    """
    text = "_".join(path.parts)
    if found := _BY_DAY.search(text):
        kind, market, resolution, symbol, day, ticks = (part.lower() for part in found.groups())
        try:
            begun: date | None = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).date()
        except ValueError as exc:
            raise ConfigError(f"{shown(path)}: {day} is no day") from exc
    elif found := _WHOLE.search(text):
        kind, market, resolution, symbol = (part.lower() for part in found.groups()[:4])
        begun, ticks = None, (found[5] or "trade").lower()
    else:
        raise ConfigError(
            f"{shown(path)}: its path isn't one of LEAN's, such as equity/usa/minute/spy/20131007_trade.zip; read are "
            f"{_TYPES.replace('|', ', ')}"
        )
    quotes = ticks == "quote" or (kind in ("forex", "cfd") and resolution == "tick")
    _zone(kind, market)
    return LeanFile(type=kind, market=market, resolution=resolution, symbol=symbol.upper(), day=begun, quotes=quotes)


def lean_facts(paths: Sequence[Path]) -> Facts:
    """Give what paths say of their instruments.

    Raises:
        ConfigError: They are of several markets.
    """
    kinds = {(file.type, file.market) for file in map(read_lean_name, paths)}
    if len(kinds) != 1:
        raise ConfigError(f"files of several of LEAN's markets don't make one archive: {sorted(kinds)}")
    ((kind, market),) = kinds
    currency = "USD" if kind in ("equity", "future") else None
    return Facts(exchange=market.upper(), currency=currency, time_zone=_zone(kind, market)[0])


def read_lean(
    paths: Sequence[Path],
    refusals: Refusals,
    *,
    symbol: str | None = None,
    factors: Factors | None = None,
    tell: Callable[[str], None] = lambda _: None,
    reading: Reading = AS_IT_IS,
) -> Iterator[Row]:
    """Give what is in zips.

    Args:
        paths: In any order.
        refusals: Told of rows that can't be taken.
        symbol: The only one that is meant; None: all. A future's is ``ES-201312``.
        factors: For shares: by what their prices are to be multiplied.
        tell: Told how many suspicious ticks of a file were left out, as LEAN leaves them out.
        reading: How files are read.

    Raises:
        ConfigError: A path isn't one of LEAN's.
        TapeError: A zip can't be read, or too many rows can't be taken.
    """
    files = sorted(((read_lean_name(path), path) for path in paths), key=lambda each: (str(each[0].day), str(each[1])))
    for file, path in files:
        with open_members(path, reading, longest=_LONGEST) as members:
            for member in members:
                expiry = _EXPIRY.search(member.name) if file.type == "future" else None
                name = f"{file.symbol}-{expiry[1]}" if expiry else file.symbol
                if symbol in (None, name):
                    yield from _read(file, name, member, refusals, factors, tell)


def _read(
    file: LeanFile,
    symbol: str,
    member: Member,
    refusals: Refusals,
    factors: Factors | None,
    tell: Callable[[str], None],
) -> Iterator[Row]:
    kind = StreamKind.QUOTES if file.quotes else StreamKind.BARS if file.interval else StreamKind.TRADES
    interval = file.interval if kind is StreamKind.BARS else None
    reader = _Reader(file, symbol, Stream(kind=kind, instrument=symbol, interval=interval), factors)
    with member.open() as lines:
        timed = _timed(lines, reader, refusals)
        for place, time, cells in without_leaps(
            timed, lambda line: line[1], lambda line, why: refusals.add(line[0], why)
        ):
            try:
                found = reader.read(cells, time)
            except RowRefused as exc:
                refusals.add(place, exc)
                continue
            if found is not None:
                event, fine = found
                yield Row(reader.stream, event, place, fine)
        if reader.suspicious:
            tell(f"{lines.place.path}/{member.name}: {reader.suspicious} suspicious ticks left out")


def _timed(lines: Lines, reader: _Reader, refusals: Refusals) -> Iterator[tuple[Place, int, list[str]]]:
    for line in lines:
        cells = line.split(",")
        try:
            yield lines.place, reader.time(cells[0]), cells
        except RowRefused as exc:
            refusals.add(lines.place, exc)


class _Reader:
    """Rows of one file in a zip."""

    def __init__(self, file: LeanFile, symbol: str, stream: Stream, factors: Factors | None) -> None:
        self.stream = stream
        self.suspicious = 0
        self._file = file
        self._symbol = symbol
        self._zone = file.zone
        self._factors = factors
        self._scale = _EQUITY if file.type == "equity" else 1
        self._last = -1
        self._known: tuple[float | None, float | None, float | None, float | None] = (None, None, None, None)
        midnight = (
            None if file.day is None else datetime(file.day.year, file.day.month, file.day.day, tzinfo=self._zone)
        )
        self._midnight = midnight
        # Where the clock isn't changed during the day, all its times have the same distance from midnight.
        steady = midnight is not None and midnight.utcoffset() == (midnight + timedelta(hours=23)).utcoffset()
        self._start = None if midnight is None or not steady else int(midnight.timestamp()) * _SECOND
        self._multiply = (1.0, 1.0) if factors is None or file.day is None else factors.at(file.day)

    def read(self, cells: list[str], time: int) -> tuple[Event, tuple[str, str]] | None:
        if self._file.day is None and self._factors is not None:
            self._multiply = self._factors.at(datetime.fromtimestamp(time // _SECOND, self._zone).date())
        if self._file.quotes:
            return self._quote(cells, time)
        return self._bar(cells, time) if self._file.interval else self._trade(cells, time)

    def time(self, text: str) -> int:
        if self._file.day is None:
            try:
                moment = datetime.strptime(text, "%Y%m%d %H:%M").replace(tzinfo=self._zone)
            except ValueError as exc:
                raise RowRefused("the time isn't one:", text, right="such as 20131007 09:30") from exc
            return int(moment.timestamp()) * _SECOND
        if not text.isdigit() or not 0 <= int(text) <= 86_400_000:
            raise RowRefused("the time isn't one:", text, right="milliseconds since midnight, at most 86,400,000")
        if self._start is not None:
            return self._start + int(text) * _MS
        assert self._midnight is not None
        wall = self._midnight.replace(tzinfo=None) + timedelta(milliseconds=int(text))
        return round(wall.replace(tzinfo=self._zone).timestamp() * 1_000) * _MS

    def _price(self, text: str, what: str) -> float:
        value = price(text, what) / self._scale
        return value if self._multiply[0] == 1.0 else value * self._multiply[0]

    def _size(self, text: str, what: str) -> float:
        return size(text, what) / self._multiply[1]

    def _bar(self, cells: list[str], time: int) -> tuple[Event, tuple[str, str]]:
        _check_count(cells, 6)
        opened, high, low, close = (
            self._price(text, what) for text, what in zip(cells[1:5], ("open", "high", "low", "close"), strict=True)
        )
        if not (low <= opened <= high and low <= close <= high):
            raise RowRefused("its prices aren't between its low and its high:", ",".join(cells[1:5]))
        if time <= self._last:
            raise RowRefused("its time isn't after that of the row above:", cells[0], right="each bar once, in order")
        self._last = time
        interval, volume = self._file.interval, self._size(cells[5], "volume")
        ends = time + interval
        bar = Bar(self._symbol, time, interval, opened, high, low, close, volume, True, ends, ends, "")
        return bar, (self._fine(close), cells[5])

    def _trade(self, cells: list[str], time: int) -> tuple[Event, tuple[str, str]] | None:
        _check_count(cells, 6)
        if cells[5] == "1":
            self.suspicious += 1
            return None
        value, quantity = self._price(cells[1], "price"), self._size(cells[2], "size")
        return Trade(self._symbol, value, quantity, None, None, time, time, ""), (self._fine(value), cells[2])

    def _quote(self, cells: list[str], time: int) -> tuple[Event, tuple[str, str]] | None:
        if self._file.interval:
            _check_count(cells, 11)
            bid, bid_size, ask, ask_size = cells[4], cells[5], cells[9], cells[10]
            if time <= self._last:
                raise RowRefused("its time isn't after that of the row above:", cells[0], right="each bar once")
            self._last, time = time, time + self._file.interval
        elif len(cells) == 3:
            bid, ask, bid_size, ask_size = cells[1], cells[2], "", ""
        else:
            _check_count(cells, 8)
            if cells[7] == "1":
                self.suspicious += 1
                return None
            bid, bid_size, ask, ask_size = cells[1:5]
        found = (
            *self._side(bid, bid_size, "bid"),
            *self._side(ask, ask_size, "ask"),
        )
        if not self._file.interval and len(cells) > 3:  # One side a row: the other one is as it was.
            old = self._known
            found = (
                *(found[:2] if found[0] is not None else old[:2]),
                *(found[2:] if found[2] is not None else old[2:]),
            )
            self._known = found
        event = Quote(self._symbol, *found, None, time, time, "")
        return event, (self._fine(found[0] or found[2] or 0.0), bid_size or ask_size)

    def _side(self, text: str, quantity: str, what: str) -> tuple[float | None, float | None]:
        if not text or (not self._file.interval and number(text, what) == 0):
            return None, None
        return self._price(text, what), self._size(quantity, f"{what} size") if quantity else None

    def _fine(self, value: float) -> str:
        return "" if self._multiply[0] != 1.0 else repr(value)


def _check_count(cells: list[str], wanted: int) -> None:
    if len(cells) != wanted:
        raise RowRefused(f"has {len(cells)} columns", right=f"{wanted} columns")
