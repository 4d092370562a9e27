"""The shared recordings as events of a simulation: only what a test asks for is read."""

from __future__ import annotations

import csv
import gzip
import io
import os
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from strategykit.model.events import Bar, BookDelta, BookSnapshot, Quote, Side, Trade
from strategykit.runtime.simulate import stream_guid
from strategykit.venues.streams import StreamKind

DATA = Path(os.environ.get("STRATEGYKIT_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")

needs_recordings = pytest.mark.skipif(
    not (DATA / "reference").is_dir(), reason=f"recordings are absent: no {DATA}; set STRATEGYKIT_DATA to their folder"
)

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND


class _Ticker(msgspec.Struct):
    b: str
    B: str
    a: str
    A: str


class _TickerFrame(msgspec.Struct):
    data: _Ticker


class _Trade(msgspec.Struct):
    E: int
    p: str
    q: str
    t: int
    m: bool
    X: str = "MARKET"


class _TradeFrame(msgspec.Struct):
    data: _Trade


class _Depth(msgspec.Struct):
    E: int
    U: int
    u: int
    b: list[tuple[str, str]]
    a: list[tuple[str, str]]
    pu: int | None = None


class _DepthFrame(msgspec.Struct):
    data: _Depth


class _Whole(msgspec.Struct, kw_only=True):
    last: int = msgspec.field(name="lastUpdateId")
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


_TICKER = msgspec.json.Decoder(_TickerFrame)
_TRADE = msgspec.json.Decoder(_TradeFrame)
_DEPTH = msgspec.json.Decoder(_DepthFrame)
_WHOLE = msgspec.json.Decoder(_Whole)


def collected(name: str) -> Iterator[tuple[int, bytes]]:
    """Give time and frame of each line of a file of the hftbacktest collector."""
    with gzip.open(DATA / "hftbacktest" / f"{name}.gz") as lines:
        for line in lines:
            time, _, frame = line.partition(b" ")
            yield int(time), frame


def binance_quotes(name: str, symbol: str) -> Iterator[Quote]:
    guid = stream_guid(StreamKind.QUOTES, symbol)
    for time, frame in collected(name):
        if b"@bookTicker" in frame:
            row = _TICKER.decode(frame).data
            yield Quote(symbol, float(row.b), float(row.B), float(row.a), float(row.A), None, None, time, guid)


def binance_market(name: str, symbol: str) -> Iterator[Trade | BookSnapshot | BookDelta]:
    """Give trades and the book; as the collector's own converter does, it begins empty, before the whole one comes.

    Prices that the whole book covers are replaced by it; beyond them, what came before stands.
    """
    trades, book = stream_guid(StreamKind.TRADES, symbol), stream_guid(StreamKind.BOOK, symbol)
    levels: dict[Side, dict[float, float]] = {Side.BUY: {}, Side.SELL: {}}
    began = whole = False
    for time, frame in collected(name):
        if b"@depth" in frame:
            row = _DEPTH.decode(frame).data
            sides = _numbers(row.b), _numbers(row.a)
            if not began:
                began = True
                yield BookSnapshot(symbol, (), (), (), (), row.E * 1_000_000, time, book)
            if not whole:
                for side, (prices, sizes) in zip(Side, sides, strict=True):
                    levels[side].update(zip(prices, sizes, strict=True))
            yield BookDelta(symbol, *sides[0], *sides[1], row.E * 1_000_000, time, book)
        elif b"@trade" in frame:
            print_ = _TRADE.decode(frame).data
            if print_.X != "MARKET":
                continue  # Of an insurance fund: nobody's order was met.
            side = Side.SELL if print_.m else Side.BUY
            price, size = float(print_.p), float(print_.q)
            yield Trade(symbol, price, size, side, print_.t, print_.E * 1_000_000, time, trades)
        elif b"lastUpdateId" in frame:
            rest = _WHOLE.decode(frame)
            bids, bid_sizes, asks, ask_sizes = *_numbers(rest.bids), *_numbers(rest.asks)
            known = levels[Side.BUY], levels[Side.SELL]
            beyond = (
                {price: size for price, size in known[0].items() if size and price < bids[-1]},
                {price: size for price, size in known[1].items() if size and price > asks[-1]},
            )
            far_bids, far_asks = sorted(beyond[0], reverse=True), sorted(beyond[1])
            whole = True
            yield BookSnapshot(
                symbol,
                (*bids, *far_bids),
                (*bid_sizes, *(beyond[0][price] for price in far_bids)),
                (*asks, *far_asks),
                (*ask_sizes, *(beyond[1][price] for price in far_asks)),
                None,
                time,
                book,
            )


def depth_numbers(name: str) -> Iterator[tuple[int, int, int | None]]:
    """Give first and last number of each change of a book, and the last one of the change before, where it is said."""
    for _, frame in collected(name):
        if b"@depth" in frame:
            row = _DEPTH.decode(frame).data
            yield row.U, row.u, row.pu


def _numbers(rows: list[tuple[str, str]]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(float(price) for price, _ in rows), tuple(float(size) for _, size in rows)


def lean_rows(name: str, member: int | str = 0) -> Iterator[list[str]]:
    with zipfile.ZipFile(DATA / "lean" / f"{name}.zip") as archive:
        file = archive.namelist()[member] if isinstance(member, int) else member
        yield from csv.reader(io.StringIO(archive.read(file).decode("ascii")))


def midnight(day: str, offset: int = 0) -> int:
    """Give when a day ``YYYYMMDD`` begins `offset` hours from UTC, nanoseconds UTC."""
    start = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC) - timedelta(hours=offset)
    return int(start.timestamp()) * SECOND


def lean_bars(
    name: str, symbol: str, start: int, interval: int, *, scale: float = 1.0, member: int | str = 0
) -> Iterator[Bar]:
    """Give trade bars, each told at its end."""
    guid = stream_guid(StreamKind.BARS, symbol, interval)
    for row in lean_rows(name, member):
        opened = start + int(row[0]) * 1_000_000
        first, high, low, close = (round(float(cell) * scale, 11) for cell in row[1:5])
        yield Bar(symbol, opened, interval, first, high, low, close, float(row[5]), True, None, opened + interval, guid)
