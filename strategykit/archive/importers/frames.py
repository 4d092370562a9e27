"""Frames of Binance's coin-margined futures and of Hyperliquid, which aren't venues to run on, as rows of archives."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from strategykit.archive.importers.rows import Row, price
from strategykit.disk import shown
from strategykit.errors import RemoteProtocolError, TapeError
from strategykit.foreign.leaps import without_leaps
from strategykit.foreign.refusals import Place, Refusals, RowRefused
from strategykit.foreign.repeats import Repeats
from strategykit.foreign.text import AS_IT_IS, Reading, open_lines
from strategykit.foreign.times import split_time
from strategykit.foreign.whose import whose
from strategykit.model.events import BookSnapshot, Event, Side, Trade
from strategykit.venues.asks import AskBook
from strategykit.venues.dialect import Confirmed, Decoded, Need
from strategykit.venues.stream.dialect import StreamFamily
from strategykit.venues.stream.names import read_stream_name
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import Subscriptions

__all__ = ["read_coinm", "read_hyperliquid"]

_CONNECTION: Final = "market-0"
_MS: Final = 1_000_000
_REMEMBERED: Final = 100_000
"""Trades that a repeated one is known by: their numbers aren't in order."""

_STORED: Final = (StreamKind.TRADES, StreamKind.QUOTES, StreamKind.BOOK, StreamKind.BARS)


_Line = tuple[Place, int, str]


def _lines(paths: Sequence[Path], refusals: Refusals, reading: Reading) -> Iterator[_Line]:
    """Give lines of the hftbacktest collector, with their times and frames."""
    last, repeats = 0, Repeats()
    for line in without_leaps(
        _split(paths, refusals, reading), lambda line: line[1], lambda line, why: refusals.add(line[0], why)
    ):
        if line[1] < last:
            refusals.add(line[0], f"came {last - line[1]} ns before the row above it")
            continue
        last = line[1]
        try:
            repeats.check(last, line[2])
        except RowRefused as exc:
            refusals.add(line[0], exc)
        else:
            yield line


def _split(paths: Sequence[Path], refusals: Refusals, reading: Reading) -> Iterator[_Line]:
    for path in paths:
        with open_lines(path, reading) as lines:
            for line in lines:
                try:
                    yield lines.place, *split_time(line)
                except RowRefused as exc:
                    refusals.add(lines.place, exc)
            if lines.empty:
                raise TapeError(f"{shown(path)} is empty")


class _Head(msgspec.Struct, gc=False):
    stream: str | None = None
    number: int | None = msgspec.field(name="lastUpdateId", default=None)


_HEAD: Final = msgspec.json.Decoder(_Head)


def read_coinm(
    paths: Sequence[Path], refusals: Refusals, *, symbol: str | None = None, reading: Reading = AS_IT_IS
) -> Iterator[Row]:
    """Give what frames of Binance's coin-margined futures tell; sizes are in contracts.

    Raises:
        TapeError: A file can't be read, or too many rows can't be taken.
    """
    session = _CoinM(symbol)
    for place, time, text in _lines(paths, refusals, reading):
        try:
            events = session.take(text, time)
        except (RemoteProtocolError, RowRefused, msgspec.MsgspecError, UnicodeError) as exc:
            refusals.add(place, exc)
            continue
        for stream, event in events:
            yield Row(stream, event, place, _fine(event))


class _CoinM:
    """The guid table of a session, whose streams are asked for when their first frames come."""

    def __init__(self, symbol: str | None) -> None:
        family = self._family = StreamFamily("binance_coinm", trades="trade")
        self._symbol = symbol
        self._table = Subscriptions(family.limits, {"market": 1}, str, family.cursor, family.lane, family.key)
        self._needs: list[Need] = []

    def take(self, text: str, time: int) -> list[tuple[Stream, Event]]:
        head = _HEAD.decode(text)
        if head.stream is None:
            return self._answer(text, time)
        if head.stream not in self._table.by_key:
            self._begin(head.stream)
        said, symbol = whose(text), self._table.by_key[head.stream][0].stream.instrument
        if said not in ("", symbol):
            raise RowRefused(f"a frame of {head.stream} is of another symbol:", said, right=symbol or "")
        return self._told(self._family.decode(text, self._table, connection=_CONNECTION, receive_time=time), time)

    def _begin(self, name: str) -> None:
        found = read_stream_name(self._family.variant, name)
        if found is None or found[0].kind not in _STORED or found[1] not in ("", self._family.trades):
            raise RowRefused("no stream that is known here is called", name)
        if self._symbol not in (None, found[0].instrument):
            raise RowRefused("it is of another symbol:", found[0].instrument, right=self._symbol or "")
        self._table.restore(name, found[0], _CONNECTION)
        self._table.asked(name)

    def _answer(self, text: str, time: int) -> list[tuple[Stream, Event]]:
        need = self._needs.pop(0) if self._needs else None
        if need is None:
            raise RowRefused("neither a frame of a stream nor a book that is waited for")
        rows = self._family.decode_answer(need.ask, text.encode(), receive_time=time)
        return self._told(need.asker.answered(rows, "", time), time)

    def _told(self, things: Sequence[Decoded], time: int) -> list[tuple[Stream, Event]]:
        told: list[tuple[Stream, Event]] = []
        for thing in things:
            if isinstance(thing, Confirmed):
                self._table.confirmed(thing.guid, time)
            elif isinstance(thing, Need):
                if isinstance(thing.ask, AskBook):
                    self._needs.append(thing)
                else:  # Nobody can be asked.
                    told += self._told(thing.asker.answered(None, "", time), time)
            else:
                event: Any = thing
                told.append((self._table.by_guid[event.guid].stream, event))
        return told


def _fine(event: Any) -> tuple[str, str]:
    return (repr(event.price), repr(event.quantity)) if isinstance(event, Trade) else ("", "")


class _Level(msgspec.Struct, gc=False):
    px: str
    sz: str


class _Book(msgspec.Struct, gc=False):
    coin: str
    time: int
    levels: tuple[list[_Level], list[_Level]]


class _Print(msgspec.Struct, gc=False):
    coin: str
    side: Literal["A", "B"]
    px: str
    sz: str
    time: int
    tid: int


class _Channel(msgspec.Struct, gc=False):
    channel: str
    data: msgspec.Raw


_CHANNEL: Final = msgspec.json.Decoder(_Channel)
_BOOK: Final = msgspec.json.Decoder(_Book)
_PRINTS: Final = msgspec.json.Decoder(list[_Print])
_SILENT: Final = frozenset({"subscriptionResponse", "pong"})


def read_hyperliquid(
    paths: Sequence[Path], refusals: Refusals, *, symbol: str | None = None, reading: Reading = AS_IT_IS
) -> Iterator[Row]:
    """Give trades and books of Hyperliquid's; each book is whole, and repeated trades are told once.

    Raises:
        TapeError: A file can't be read, or too many rows can't be taken.

    Source: Hyperliquid's API documentation, "WebSocket, subscriptions": l2Book, trades.
    """
    told: OrderedDict[tuple[str, int], None] = OrderedDict()
    for place, time, text in _lines(paths, refusals, reading):
        try:
            frame = _CHANNEL.decode(text)
            make = _CHANNELS.get(frame.channel)
            if make is None:
                if frame.channel not in _SILENT:
                    raise RowRefused("no channel that is known here is called", frame.channel)
                continue
            found = make(frame.data, time)
        except (msgspec.MsgspecError, UnicodeError, RowRefused) as exc:
            refusals.add(place, exc)
            continue
        for event, number, fine in found:
            if symbol not in (None, event.instrument):
                refusals.add(place, f"it is of {event.instrument}, not of {symbol}")
                continue
            if number is not None:
                if (event.instrument, number) in told:
                    continue
                told[event.instrument, number] = None
                if len(told) > _REMEMBERED:
                    told.popitem(last=False)
            kind = StreamKind.BOOK if number is None else StreamKind.TRADES
            yield Row(Stream(kind=kind, instrument=event.instrument), event, place, fine)


Found = list[tuple[Any, int | None, tuple[str, str]]]


def _books(data: msgspec.Raw, time: int) -> Found:
    book = _BOOK.decode(data)
    sides: list[tuple[float, ...]] = []
    for levels, sign in zip(book.levels, (-1, 1), strict=True):
        prices = tuple(price(level.px, "price") for level in levels)
        if any(sign * after <= sign * before for before, after in pairwise(prices)):
            raise RowRefused("a book's levels aren't in order:", prices[:5])
        sides += [prices, tuple(price(level.sz, "size") for level in levels)]
    bids, bid_sizes, asks, ask_sizes = sides
    event = BookSnapshot(book.coin, bids, bid_sizes, asks, ask_sizes, book.time * _MS, time, "")
    first = book.levels[0][0] if book.levels[0] else _Level("", "")
    return [(event, None, (first.px, first.sz))]


def _prints(data: msgspec.Raw, time: int) -> Found:
    return [
        (
            Trade(
                row.coin,
                price(row.px, "price"),
                price(row.sz, "size"),
                Side.BUY if row.side == "B" else Side.SELL,
                row.tid,
                row.time * _MS,
                time,
                "",
            ),
            row.tid,
            (row.px, row.sz),
        )
        for row in _PRINTS.decode(data)
    ]


_CHANNELS: Final[Mapping[str, Callable[[msgspec.Raw, int], Found]]] = {"l2Book": _books, "trades": _prints}
