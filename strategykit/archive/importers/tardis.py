"""CSV files as tardis.dev writes them: trades, quotes, books, figures of derivatives. Times are microseconds UTC.

What a file holds is in its header. Source: docs.tardis.dev, "Downloadable CSV files, data types".
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from strategykit.archive.importers.rows import Row, price, size
from strategykit.disk import shown
from strategykit.errors import TapeError
from strategykit.foreign.refusals import Place, Refusals, RowRefused
from strategykit.foreign.text import AS_IT_IS, Lines, Reading, open_lines
from strategykit.foreign.times import EARLIEST, LATEST
from strategykit.model.events import BookDelta, BookSnapshot, Event, Quote, Side, Trade
from strategykit.venues.streams import Stream, StreamKind

__all__ = ["read_tardis"]

_LONGEST: Final = 262_144
_MICROSECOND: Final = 1_000
_REMEMBERED: Final = 200_000
"""Trades of all symbols and files that a repeated one is known by."""

_COMMON: Final = ("exchange", "symbol", "timestamp", "local_timestamp")
_LEVEL: Final = re.compile(r"(asks|bids)\[([0-9]+)\]\.(price|amount)")
_SIDES: Final[Mapping[str, Side | None]] = {"buy": Side.BUY, "sell": Side.SELL, "unknown": None, "": None}

Cells = Mapping[str, str]
_TYPES: Final[Mapping[str, tuple[StreamKind, tuple[str, ...]]]] = {
    "trades": (StreamKind.TRADES, ("id", "side", "price", "amount")),
    "quotes": (StreamKind.QUOTES, ("ask_amount", "ask_price", "bid_price", "bid_amount")),
    "incremental_book_L2": (StreamKind.BOOK, ("is_snapshot", "side", "price", "amount")),
    "derivative_ticker": (StreamKind.QUOTES, ("open_interest", "last_price")),
    "book_snapshot": (StreamKind.BOOK, ("asks[0].price", "asks[0].amount", "bids[0].price", "bids[0].amount")),
}
"""Kind of stream, and the columns that tell it, besides those that all have."""


def read_tardis(
    paths: Sequence[Path], refusals: Refusals, *, symbol: str | None = None, reading: Reading = AS_IT_IS
) -> Iterator[Row]:
    """Give what is in files, of one after the other.

    Streams are named by their symbols alone: rows of another exchange than the first row's are refused.

    Args:
        paths: Packed by gzip or not; files of one type and symbol have to be in the order of time.
        refusals: Told of rows that can't be taken.
        symbol: The only one that is meant; None: all.
        reading: How files are read.

    Raises:
        TapeError: A file can't be read, its header is of no type that is known, or too many rows can't be taken.
    """
    whose, trades = _Whose(symbol), _Trades()
    for path in paths:
        with open_lines(path, reading, longest=_LONGEST) as lines:
            header = next(lines, None)
            if header is None:
                raise TapeError(f"{shown(path)} is empty")
            names = header.split(",")
            kind = _type_of(names, path)
            reader = (
                _Books(refusals) if kind == "incremental_book_L2" else _Plain(_MAKERS[kind](names), refusals, trades)
            )
            yield from reader.rows(_cells(lines, names, refusals, whose), _TYPES[kind][0])


def _type_of(names: Sequence[str], path: Path) -> str:
    for kind, (_, columns) in _TYPES.items():
        if {*_COMMON, *columns} <= set(names):
            return kind
    raise TapeError(
        f"{shown(path)}: its first line is of no type that is read here; these are {', '.join(_TYPES)}, with columns "
        "such as exchange,symbol,timestamp,local_timestamp"
    )


@attrs.frozen
class _Line:
    place: Place
    cells: Cells
    symbol: str
    event_time: int
    time: int


@attrs.define
class _Whose:
    """What rows have to be of."""

    symbol: str | None
    exchange: str = ""
    """The first row's."""

    def check(self, cells: Cells) -> None:
        if not cells["symbol"] or self.symbol not in (None, cells["symbol"]):
            raise RowRefused("it is of another symbol:", cells["symbol"], right=self.symbol or "a symbol")
        if not cells["exchange"] or self.exchange not in ("", cells["exchange"]):
            right = (
                f"{self.exchange}, as the rows above it (others make archives of their own),"
                if self.exchange
                else "one"
            )
            raise RowRefused("it is of another exchange:", cells["exchange"], right=right)


def _cells(lines: Lines, names: Sequence[str], refusals: Refusals, whose: _Whose) -> Iterator[_Line]:
    for line in lines:
        parts = line.split(",")
        try:
            lines.check_ended()
            if len(parts) != len(names):
                raise RowRefused(f"has {len(parts)} columns", right=f"{len(names)}, as the header has,")
            cells = dict(zip(names, parts, strict=True))
            whose.check(cells)
            found = _Line(
                lines.place, cells, cells["symbol"], _time(cells["timestamp"]), _time(cells["local_timestamp"])
            )
        except RowRefused as exc:
            refusals.add(lines.place, exc)
        else:
            whose.exchange = cells["exchange"]
            yield found


def _time(text: str) -> int:
    time = int(text) * _MICROSECOND if text.isdigit() and len(text) < 20 else 0
    if not EARLIEST <= time < LATEST:
        raise RowRefused("the time can't be", text, right="microseconds since 1970 UTC")
    return time


@attrs.define
class _Trades:
    """The latest trades of all files; rows without an id may well be alike."""

    _seen: OrderedDict[tuple[str, int, str], None] = attrs.field(factory=OrderedDict)

    def see_new(self, line: _Line) -> None:
        """See that none of them has this row's symbol, time and id."""
        name = line.cells.get("id")
        if not name:
            return
        key = line.symbol, line.event_time, name
        if key in self._seen:
            raise RowRefused("a row above it has its time and id:", name, right="each once")
        self._seen[key] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)


Maker = Callable[[_Line], tuple[Event, tuple[str, str]]]


@attrs.frozen
class _Plain:
    """Files of which each row says all there is to say."""

    make: Maker
    refusals: Refusals
    trades: _Trades

    def rows(self, lines: Iterator[_Line], kind: StreamKind) -> Iterator[Row]:
        streams: dict[str, Stream] = {}
        for line in lines:
            try:
                event, fine = self.make(line)
                self.trades.see_new(line)
            except RowRefused as exc:
                self.refusals.add(line.place, exc)
                continue
            stream = streams.get(line.symbol)
            if stream is None:
                stream = streams[line.symbol] = Stream(kind=kind, instrument=line.symbol)
            yield Row(stream, event, line.place, fine)


def _trade(line: _Line) -> tuple[Event, tuple[str, str]]:
    cells = line.cells
    if cells["side"] not in _SIDES:
        raise RowRefused("no side is called", cells["side"], right="buy, sell or unknown")
    value, quantity = price(cells["price"], "price"), size(cells["amount"], "amount")
    name = cells["id"] or None
    trade = Trade(line.symbol, value, quantity, _SIDES[cells["side"]], name, line.event_time, line.time, "")
    return trade, (cells["price"], cells["amount"])


def _quote(line: _Line) -> tuple[Event, tuple[str, str]]:
    cells = line.cells
    bid, ask = (price(text, what) if (text := cells[what]) else None for what in ("bid_price", "ask_price"))
    bid_size, ask_size = (size(text, what) if (text := cells[what]) else None for what in ("bid_amount", "ask_amount"))
    quote = Quote(line.symbol, bid, bid_size, ask, ask_size, None, line.event_time, line.time, "")
    return quote, (cells["bid_price"], cells["bid_amount"])


def _ticker(line: _Line) -> tuple[Event, tuple[str, str]]:
    cells = line.cells
    last = price(cells["last_price"], "last_price") if cells["last_price"] else None
    interest = size(cells["open_interest"], "open_interest") if cells["open_interest"] else None
    quote = Quote(
        line.symbol, None, None, None, None, last, line.event_time, line.time, "", False, open_interest=interest
    )
    return quote, (cells["last_price"], "")


def _snapshots(names: Sequence[str]) -> Maker:
    places = {"asks": 0, "bids": 0}
    for found in filter(None, map(_LEVEL.fullmatch, names)):
        places[found[1]] = max(places[found[1]], int(found[2]) + 1)
    columns = {
        side: [(f"{side}[{place}].price", f"{side}[{place}].amount") for place in range(count)]
        for side, count in places.items()
    }

    def make(line: _Line) -> tuple[Event, tuple[str, str]]:
        def levels(side: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
            given = [(line.cells.get(one, ""), line.cells.get(two, "")) for one, two in columns[side]]
            known = [(price(value, "price"), size(amount, "amount")) for value, amount in given if value]
            prices = [value for value, _ in known]
            if prices != sorted(prices, reverse=side == "bids") or len(set(prices)) < len(prices):
                raise RowRefused(f"its {side} aren't in order:", prices[:5], right="the best price first")
            return tuple(prices), tuple(amount for _, amount in known)

        bids, asks = levels("bids"), levels("asks")
        book = BookSnapshot(line.symbol, *bids, *asks, line.event_time, line.time, "")
        return book, (line.cells["bids[0].price"], line.cells["bids[0].amount"])

    return make


@attrs.define
class _Books:
    """Changes of books: the rows of one message have the same times, and a snapshot is a run of rows that say so."""

    refusals: Refusals
    _begun: set[str] = attrs.field(factory=set)

    def rows(self, lines: Iterator[_Line], kind: StreamKind) -> Iterator[Row]:
        held: list[_Line] = []
        for line in lines:
            try:
                price(line.cells["price"], "price")
                size(line.cells["amount"], "amount")
                if line.cells["side"] not in ("bid", "ask") or line.cells["is_snapshot"] not in ("true", "false"):
                    raise RowRefused("its side is bid or ask, and is_snapshot true or false, not", line.cells["side"])
            except RowRefused as exc:
                self.refusals.add(line.place, exc)
                continue
            if held and _message(held[0]) != _message(line):
                yield from self._book(held, kind)
                held = []
            held.append(line)
        if held:
            yield from self._book(held, kind)

    def _book(self, lines: Sequence[_Line], kind: StreamKind) -> Iterator[Row]:
        first = lines[0]
        symbol, snapshot = first.symbol, first.cells["is_snapshot"] == "true"
        sides: dict[str, dict[float, float]] = {"bid": {}, "ask": {}}
        for line in lines:
            sides[line.cells["side"]][float(line.cells["price"])] = float(line.cells["amount"])
        stream = Stream(kind=kind, instrument=symbol)
        bids, asks = sides["bid"], sides["ask"]
        event: Event
        if snapshot:
            bids = {value: bids[value] for value in sorted(bids, reverse=True) if bids[value]}
            asks = {value: asks[value] for value in sorted(asks) if asks[value]}
            event = BookSnapshot(
                symbol, *_tuples(bids), *_tuples(asks), first.event_time, first.time, "", symbol not in self._begun
            )
            self._begun.add(symbol)
        elif symbol not in self._begun:
            self.refusals.add(first.place, "changes of a book before any snapshot of it")
            return
        else:
            event = BookDelta(symbol, *_tuples(bids), *_tuples(asks), first.event_time, first.time, "")
        yield Row(stream, event, first.place, (first.cells["price"], first.cells["amount"]))


def _message(line: _Line) -> tuple[str, int, int, str]:
    return line.symbol, line.event_time, line.time, line.cells["is_snapshot"]


def _tuples(levels: Mapping[float, float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(levels), tuple(levels.values())


_MAKERS: Final[Mapping[str, Callable[[Sequence[str]], Maker]]] = {
    "trades": lambda _: _trade,
    "quotes": lambda _: _quote,
    "derivative_ticker": lambda _: _ticker,
    "book_snapshot": _snapshots,
}
