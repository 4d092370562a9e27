"""Frames of sessions of BitMEX, Bybit, Bitfinex and KuCoin, as events. Two of them refer to what was told before.

Source: the vendors' WebSocket pages of then: BitMEX "orderBookL2, quote, trade", Bybit v1 "orderBookL2_25, trade",
Bitfinex v2 "ticker, trades, book P0", KuCoin "/market/match, /market/ticker".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from strategykit.archive.importers.rows import price, size
from strategykit.archive.importers.session_events import Found, as_text, book_change, iso_time, whole_book
from strategykit.foreign.refusals import RowRefused
from strategykit.model.events import Quote, Side, Trade

__all__ = ["BitMex", "Bitfinex", "decode_bybit", "decode_kucoin"]

_MS: Final = 1_000_000
_US: Final = 1_000


def _trade(
    name: str, value: Any, amount: Any, side: Side, number: Any, told: int, time: int, *, past: bool = False
) -> Found:
    texts = as_text(value), as_text(amount)
    trade = Trade(name, price(texts[0], "price"), size(texts[1], "size"), side, number, told, time, "", past)
    return trade, texts


def _quote(name: str, best: Sequence[Any], last: Any, told: int | None, time: int) -> Found:
    """Give a quote of a bid, its size, an ask and its size, each of which may be missing."""
    texts = [None if value is None else as_text(value) for value in best]
    bid, ask = (None if text is None else price(text, what) for text, what in ((texts[0], "bid"), (texts[2], "ask")))
    bid_size, ask_size = (None if text is None else size(text, "size") for text in texts[1::2])
    value = None if last is None else price(as_text(last), "last")
    return Quote(name, bid, bid_size, ask, ask_size, value, told, time, ""), (texts[0] or "", texts[1] or "")


def _two_sides(rows: Iterable[tuple[str, Any, Any]]) -> tuple[list[tuple[Any, Any]], list[tuple[Any, Any]]]:
    """Sort sides, prices and sizes into bids and asks; of a price that is told twice the last size counts."""
    sides: dict[Side, dict[str, Any]] = {Side.BUY: {}, Side.SELL: {}}
    for side, value, amount in rows:
        sides[Side(side.lower())][as_text(value)] = amount
    return list(sides[Side.BUY].items()), list(sides[Side.SELL].items())


class BitMex:
    """Changes of a book name levels by ids, whose prices were told when they came."""

    def __init__(self) -> None:
        self._prices: dict[str, dict[int, Any]] = {}
        """By symbol and id."""

    def __call__(self, frame: Any, time: int) -> Iterator[Found]:
        if "table" not in frame:
            return  # About the connection, or a subscription.
        table, action, rows = frame["table"], frame["action"], frame["data"]
        if table == "quote":
            for row in rows:
                best = [row.get(what) for what in ("bidPrice", "bidSize", "askPrice", "askSize")]
                yield _quote(row["symbol"], best, None, iso_time(row["timestamp"]), time)
        elif table == "trade":
            for row in rows:
                side, told, past = Side(row["side"].lower()), iso_time(row["timestamp"]), action == "partial"
                number = row["trdMatchID"]
                yield _trade(row["symbol"], row["price"], row["size"], side, number, told, time, past=past)
        elif table == "orderBookL2":
            yield from self._book(frame, action, rows, time)
        else:
            raise RowRefused("no table that is known:", table)

    def _book(self, frame: Any, action: str, rows: Sequence[Any], time: int) -> Iterator[Found]:
        if action == "partial":
            name = frame["filter"]["symbol"]
            self._prices[name] = {row["id"]: row["price"] for row in rows}
            bids, asks = _two_sides((row["side"], row["price"], row["size"]) for row in rows)
            yield whole_book(name, bids, asks, None, time, first=True)
            return
        by_symbol: dict[str, list[Any]] = {}
        for row in rows:
            by_symbol.setdefault(row["symbol"], []).append(row)
        for name, mine in by_symbol.items():
            known = self._prices.get(name)
            if known is None:
                raise RowRefused("changes of a book before any of it was told:", name)
            changes = [self._change(known, action, row) for row in mine]
            yield book_change(name, *_two_sides(changes), None, time)

    def _change(self, known: dict[int, Any], action: str, row: Any) -> tuple[str, Any, Any]:
        number = row["id"]
        if action == "insert":
            known[number] = row["price"]
        elif number not in known:
            raise RowRefused("a change of a level that wasn't told before:", number)
        if action == "delete":
            return row["side"], known.pop(number), 0
        if action not in ("insert", "update"):
            raise RowRefused("no action that is known:", action)
        return row["side"], known[number], row["size"]


class Bitfinex:
    """Frames name channels by numbers that were told when each was subscribed to."""

    def __init__(self) -> None:
        self._channels: dict[int, tuple[str, str]] = {}

    def __call__(self, frame: Any, time: int) -> Iterator[Found]:
        if isinstance(frame, dict):
            if frame.get("event") == "subscribed":
                if frame.get("prec", "P0").startswith("R"):
                    raise RowRefused("a book of single orders isn't read:", frame["symbol"], right="precision P0 to P4")
                self._channels[frame["chanId"]] = frame["channel"], frame["symbol"]
            return
        number, what = frame[0], frame[1]
        if what == "hb":
            return
        if number not in self._channels:
            raise RowRefused("a channel that nobody has subscribed to:", number)
        channel, name = self._channels[number]
        if channel == "ticker":
            yield _quote(name, what[:4], what[6], None, time)
        elif channel == "trades":
            yield from self._trades(name, frame, time)
        elif channel == "book":
            yield self._book(name, what, time)
        else:
            raise RowRefused("no channel that is known:", channel)

    def _trades(self, name: str, frame: Any, time: int) -> Iterator[Found]:
        kind = frame[1]
        if kind == "tu":
            return  # "te" has told it.
        past = kind != "te"
        for number, told, amount, value in reversed(kind) if past else [frame[2]]:
            side = Side.BUY if amount > 0 else Side.SELL
            yield _trade(name, value, abs(amount), side, number, told * _MS, time, past=past)

    def _book(self, name: str, what: Any, time: int) -> Found:
        whole = not what or isinstance(what[0], list)
        # Sizes of asks are below 0; a count of 0 is a level that is gone.
        rows = [
            ("buy" if amount > 0 else "sell", value, abs(amount) if count > 0 else 0)
            for value, count, amount in (what if whole else [what])
        ]
        bids, asks = _two_sides(rows)
        if whole:
            return whole_book(name, bids, asks, None, time, first=True)
        return book_change(name, bids, asks, None, time)


def decode_bybit(frame: Any, time: int) -> Iterator[Found]:
    """Decode a frame of Bybit's."""
    if "topic" not in frame:
        return  # About the connection, or a subscription.
    topic, _, name = frame["topic"].partition(".")
    data = frame["data"]
    if topic == "trade":
        for row in data:
            side, told = Side(row["side"].lower()), int(row["trade_time_ms"]) * _MS
            yield _trade(row["symbol"], row["price"], row["size"], side, row["trade_id"], told, time)
    elif topic.startswith("orderBook"):
        told = int(frame["timestamp_e6"]) * _US
        if frame["type"] == "snapshot":
            rows = data if isinstance(data, list) else data["order_book"]
            bids, asks = _two_sides((row["side"], row["price"], row["size"]) for row in rows)
            yield whole_book(name, bids, asks, told, time, first=True)
        else:
            gone = [(row["side"], row["price"], 0) for row in data["delete"]]
            come = [(row["side"], row["price"], row["size"]) for row in (*data["update"], *data["insert"])]
            yield book_change(name, *_two_sides([*gone, *come]), told, time)
    else:
        raise RowRefused("no topic that is known:", frame["topic"])


def decode_kucoin(frame: Any, time: int) -> Iterator[Found]:
    """Decode a frame of KuCoin's: trades and best quotes. Changes of books need an answer over HTTP to begin with."""
    if frame["type"] != "message":
        return  # About the connection, or a subscription.
    topic, _, name = frame["topic"].partition(":")
    row = frame["data"]
    if topic == "/market/match":
        side, told = Side(row["side"]), int(row["time"])
        yield _trade(row["symbol"], row["price"], row["size"], side, row["tradeId"], told, time)
    elif topic == "/market/ticker":
        best = [row[what] for what in ("bestBid", "bestBidSize", "bestAsk", "bestAskSize")]
        yield _quote(name, best, row["price"], row["time"] * _MS, time)
    elif topic not in ("/market/level2", "/market/candles"):
        raise RowRefused("no topic that is known:", frame["topic"])
