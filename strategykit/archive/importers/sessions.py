"""Sessions that cryptofeed recorded of venues that aren't spoken here, as rows of archives.

Frames of requests and of their answers say nothing of the market, and are passed over.

Source: the vendors' WebSocket pages of then: Coinbase "level2, ticker, matches", Kraken v1 "book, trade, ticker",
OKX v5 "books, trades, tickers", Huobi "market.$symbol.depth.step0, trade.detail".
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from strategykit.archive.importers.rows import Row, price, size
from strategykit.archive.importers.session_decoders import Bitfinex, BitMex, decode_bybit, decode_kucoin
from strategykit.archive.importers.session_events import Decode, Found, book_change, iso_time, whole_book
from strategykit.foreign.cryptofeed import EntryKind, read_bytes_literal, read_session
from strategykit.foreign.refusals import Refusals, RowRefused
from strategykit.foreign.repeats import Repeats
from strategykit.foreign.text import AS_IT_IS, Reading
from strategykit.foreign.times import read_seconds
from strategykit.model.events import BookDelta, BookSnapshot, Quote, Side, Trade
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


def read_sessions(
    paths: Sequence[Path],
    host: str,
    refusals: Refusals,
    *,
    symbol: str | None = None,
    reading: Reading = AS_IT_IS,
) -> Iterator[Row]:
    """Give what the frames of a session tell.

    Args:
        paths: All files of one session.
        host: One of `HOSTS`.
        refusals: Told of frames that can't be taken.
        symbol: The only one that is meant; None: all.
        reading: How files are read.

    Raises:
        TapeError: A file can't be read or isn't of such a session, or too many frames can't be taken.
    """
    decode, streams = HOSTS[host](), dict[tuple[str, StreamKind], Stream]()
    repeats = Repeats()
    for entry in read_session(paths, refusals.add, reading):
        if entry.kind is not EntryKind.RECEIVED:
            continue
        try:
            repeats.check(entry.time, entry.text)
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


def _coinbase(frame: Any, time: int) -> Iterator[Found]:
    kind, name = frame["type"], frame.get("product_id", "")
    if kind in ("subscriptions", "heartbeat"):
        return
    if kind == "snapshot":
        yield whole_book(name, frame["bids"], frame["asks"], None, time, first=True)
        return
    told = iso_time(frame["time"])
    if kind == "l2update":
        bids = [change[1:] for change in frame["changes"] if change[0] == "buy"]
        asks = [change[1:] for change in frame["changes"] if change[0] == "sell"]
        yield book_change(name, bids, asks, told, time)
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
            yield whole_book(name, both.get("bs", ()), both.get("as", ()), None, time, first=True)
        else:
            bids, asks = both.get("b", ()), both.get("a", ())
            told = max(read_seconds(level[2]) for level in (*bids, *asks))
            yield book_change(name, bids, asks, told, time)
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
                yield whole_book(name, row["bids"], row["asks"], told, time, first=True)
            else:
                yield book_change(name, row["bids"], row["asks"], told, time)
        else:
            raise RowRefused("no channel that is known:", channel)


def _huobi(frame: Any, time: int) -> Iterator[Found]:
    if "ch" not in frame:
        return  # A ping, or about a subscription.
    _, name, what = frame["ch"].split(".", 2)
    tick = frame["tick"]
    if what.startswith("depth"):
        yield whole_book(name, tick.get("bids", ()), tick.get("asks", ()), tick["ts"] * _MS, time, first=False)
    elif what == "trade.detail":
        for row in tick["data"]:
            value, amount = price(str(row["price"]), "price"), size(str(row["amount"]), "amount")
            yield (
                Trade(name, value, amount, Side(row["direction"]), row["id"], row["ts"] * _MS, time, ""),
                (str(row["price"]), str(row["amount"])),
            )
    else:
        raise RowRefused("no channel that is known:", what)


HOSTS: Final[Mapping[str, Callable[[], Decode]]] = {
    "ws-feed.pro.coinbase.com": lambda: _coinbase,
    "ws-feed.exchange.coinbase.com": lambda: _coinbase,
    "ws.kraken.com": lambda: _kraken,
    "ws.okx.com": lambda: _okx,
    "api.hbdm.com": lambda: _huobi,
    "www.bitmex.com": BitMex,
    "stream.bybit.com": lambda: decode_bybit,
    "api.bitfinex.com": Bitfinex,
    "push-private.kucoin.com": lambda: decode_kucoin,
}
"""What is read, by the host that a session's first connection went to: each makes a decoder for one session."""
