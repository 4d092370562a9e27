"""Sessions that cryptofeed recorded of Coinbase, Kraken, OKX and Huobi's swaps, as rows of archives.

Frames of requests and of their answers say nothing of the market, and are passed over.

Source: the vendors' WebSocket pages of then: Coinbase "level2, ticker, matches", Kraken v1 "book, trade, ticker",
OKX v5 "books, trades, tickers", Huobi "market.$symbol.depth.step0, trade.detail".
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from strategykit.archive.importers.rows import Row, price, size
from strategykit.foreign.cryptofeed import EntryKind, read_bytes_literal, read_session
from strategykit.foreign.refusals import Refusals, RowRefused
from strategykit.foreign.times import read_seconds
from strategykit.model.events import BookDelta, BookSnapshot, Event, Quote, Side, Trade
from strategykit.venues.streams import Stream, StreamKind

__all__ = ["HOSTS", "read_sessions"]

_MS: Final = 1_000_000
_MOST_UNPACKED: Final = 16 << 20
"""Bytes of a frame."""

_KINDS: Final[Mapping[type, StreamKind]] = {
    Trade: StreamKind.TRADES,
    Quote: StreamKind.QUOTES,
    BookSnapshot: StreamKind.BOOK,
    BookDelta: StreamKind.BOOK,
}

Levels = Sequence[Sequence[Any]]
"""Price and size, and whatever else a venue has behind them."""

Found = tuple[Event, tuple[str, str]]
Decode = Callable[[Any, int], Iterator[Found]]
"""Gives what a frame says that came at a time, and a price and a size as they are written."""


def read_sessions(paths: Sequence[Path], host: str, refusals: Refusals, *, symbol: str | None = None) -> Iterator[Row]:
    """Give what the frames of a session tell.

    Args:
        paths: All files of one session.
        host: One of `HOSTS`.
        refusals: Told of frames that can't be taken.
        symbol: The only one that is meant; None: all.

    Raises:
        TapeError: A file can't be read or isn't of such a session, or too many frames can't be taken.
    """
    decode, streams = HOSTS[host], dict[tuple[str, StreamKind], Stream]()
    for entry in read_session(paths, refusals.add):
        if entry.kind is not EntryKind.RECEIVED:
            continue
        try:
            text = _unpacked(entry.text) if entry.text.startswith("b") else entry.text
            found = list(decode(msgspec.json.decode(text), entry.time))
        except (msgspec.DecodeError, ValueError, KeyError, TypeError, IndexError, AttributeError) as exc:
            words = exc if isinstance(exc, RowRefused | msgspec.DecodeError) else f"no frame that is known: {exc!r}"
            refusals.add(entry.place, words)
            continue
        for event, fine in found:
            name = event.instrument or ""
            if symbol not in (None, name):
                continue
            key = name, _KINDS[type(event)]
            stream = streams.get(key)
            if stream is None:
                stream = streams[key] = Stream(kind=key[1], instrument=name)
            yield Row(stream, event, entry.place, fine)


def _unpacked(literal: str) -> bytes:
    raw = read_bytes_literal(literal)
    unpacker = zlib.decompressobj(31)
    try:
        text = unpacker.decompress(raw, _MOST_UNPACKED)
    except zlib.error as exc:
        raise RowRefused("a frame can't be unpacked:", str(exc)) from exc
    if not unpacker.eof:
        raise RowRefused(f"a frame is cut short, or unpacks to more than {_MOST_UNPACKED} bytes")
    return text


def _sides(bids: Levels, asks: Levels) -> tuple[tuple[float, ...], ...]:
    """Give prices and sizes of bids and asks, as they stand."""
    columns: list[tuple[float, ...]] = []
    for levels in (bids, asks):
        columns.append(tuple(price(str(level[0]), "price") for level in levels))
        columns.append(tuple(size(str(level[1]), "size") for level in levels))
    return tuple(columns)


def _whole(name: str, bids: Levels, asks: Levels, told: int | None, time: int, *, first: bool) -> Found:
    """Give a whole book, best levels first, without empty ones."""
    sides = []
    for levels, falling in ((bids, True), (asks, False)):
        known = {price(str(level[0]), "price"): size(str(level[1]), "size") for level in levels}
        prices = sorted((value for value, amount in known.items() if amount), reverse=falling)
        sides += [tuple(prices), tuple(known[value] for value in prices)]
    book = BookSnapshot(name, sides[0], sides[1], sides[2], sides[3], told, time, "", first)
    return book, _fine(bids, asks)


def _change(name: str, bids: Levels, asks: Levels, told: int | None, time: int) -> Found:
    bid_prices, bid_sizes, ask_prices, ask_sizes = _sides(bids, asks)
    return BookDelta(name, bid_prices, bid_sizes, ask_prices, ask_sizes, told, time, ""), _fine(bids, asks)


def _fine(bids: Levels, asks: Levels) -> tuple[str, str]:
    first = next(iter(bids), None) or next(iter(asks), None)
    return ("", "") if first is None else (str(first[0]), str(first[1]))


def _coinbase(frame: Any, time: int) -> Iterator[Found]:
    kind, name = frame["type"], frame.get("product_id", "")
    if kind in ("subscriptions", "heartbeat"):
        return
    if kind == "snapshot":
        yield _whole(name, frame["bids"], frame["asks"], None, time, first=True)
        return
    told = _iso(frame["time"])
    if kind == "l2update":
        bids = [change[1:] for change in frame["changes"] if change[0] == "buy"]
        asks = [change[1:] for change in frame["changes"] if change[0] == "sell"]
        yield _change(name, bids, asks, told, time)
    elif kind == "ticker":
        bid, ask, last = (price(frame[what], what) for what in ("best_bid", "best_ask", "price"))
        yield Quote(name, bid, None, ask, None, last, told, time, ""), (frame["best_bid"], "")
    elif kind in ("match", "last_match"):
        maker = Side(frame["side"])  # Of the order that rested: whoever crossed the spread did the opposite.
        value, amount = price(frame["price"], "price"), size(frame["size"], "size")
        past = kind == "last_match"
        trade = Trade(name, value, amount, maker.opposite, frame["trade_id"], told, time, "", past)
        yield trade, (frame["price"], frame["size"])
    else:
        raise RowRefused("no type of a frame that is known:", kind)


def _iso(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise RowRefused("the time has no zone:", text)
    return round(moment.timestamp() * 1_000_000) * 1_000


def _kraken(frame: Any, time: int) -> Iterator[Found]:
    if isinstance(frame, dict):
        return  # About the connection, or a subscription.
    parts, channel, name = frame[1:-2], frame[-2], frame[-1]
    if channel == "trade":
        for row in parts[0]:
            side = {"b": Side.BUY, "s": Side.SELL}[row[3]]
            value, amount = price(row[0], "price"), size(row[1], "size")
            yield Trade(name, value, amount, side, None, read_seconds(row[2]), time, ""), (row[0], row[1])
    elif channel == "ticker":
        row = parts[0]
        bid, ask, last = (price(row[what][0], what) for what in ("b", "a", "c"))
        sizes = (size(row[what][2], "size") for what in ("b", "a"))
        yield Quote(name, bid, next(sizes), ask, next(sizes), last, None, time, ""), (row["b"][0], row["b"][2])
    elif channel.startswith("book"):
        both: dict[str, Any] = {key: value for part in parts for key, value in part.items()}
        if "as" in both or "bs" in both:
            yield _whole(name, both.get("bs", ()), both.get("as", ()), None, time, first=True)
        else:
            bids, asks = both.get("b", ()), both.get("a", ())
            told = max(read_seconds(level[2]) for level in (*bids, *asks))
            yield _change(name, bids, asks, told, time)
    else:
        raise RowRefused("no channel that is known:", channel)


def _okx(frame: Any, time: int) -> Iterator[Found]:
    if "event" in frame:
        return
    channel, name = frame["arg"]["channel"], frame["arg"]["instId"]
    for row in frame["data"]:
        told = int(row["ts"]) * _MS
        if channel == "trades":
            value, amount = price(row["px"], "px"), size(row["sz"], "sz")
            yield Trade(name, value, amount, Side(row["side"]), row["tradeId"], told, time, ""), (row["px"], row["sz"])
        elif channel == "tickers":
            bid, ask = (price(row[what], what) if row[what] else None for what in ("bidPx", "askPx"))
            sizes = (size(row[what], what) if row[what] else None for what in ("bidSz", "askSz"))
            last = price(row["last"], "last") if row["last"] else None
            yield Quote(name, bid, next(sizes), ask, next(sizes), last, told, time, ""), (row["bidPx"], row["bidSz"])
        elif channel.startswith("books"):
            if frame["action"] == "snapshot":
                yield _whole(name, row["bids"], row["asks"], told, time, first=True)
            else:
                yield _change(name, row["bids"], row["asks"], told, time)
        else:
            raise RowRefused("no channel that is known:", channel)


def _huobi(frame: Any, time: int) -> Iterator[Found]:
    if "ch" not in frame:
        return  # A ping, or about a subscription.
    _, name, what = frame["ch"].split(".", 2)
    tick = frame["tick"]
    if what.startswith("depth"):
        yield _whole(name, tick.get("bids", ()), tick.get("asks", ()), tick["ts"] * _MS, time, first=False)
    elif what == "trade.detail":
        for row in tick["data"]:
            value, amount = price(str(row["price"]), "price"), size(str(row["amount"]), "amount")
            yield (
                Trade(name, value, amount, Side(row["direction"]), row["id"], row["ts"] * _MS, time, ""),
                (str(row["price"]), str(row["amount"])),
            )
    else:
        raise RowRefused("no channel that is known:", what)


HOSTS: Final[Mapping[str, Decode]] = {
    "ws-feed.pro.coinbase.com": _coinbase,
    "ws-feed.exchange.coinbase.com": _coinbase,
    "ws.kraken.com": _kraken,
    "ws.okx.com": _okx,
    "api.hbdm.com": _huobi,
}
"""What is read, by the host that a session's first connection went to."""
