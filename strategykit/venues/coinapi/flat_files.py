"""Flat files, client side: lines of trades, quotes and books into what the stream would have told.

Documentation and the venue's own sample programs differ in delimiters, in the order of columns and in how times are
written: the header says which columns there are, and everything is read. Source: CoinAPI protocol sheet, section 9.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Final

import attrs

from strategykit.venues.coinapi.names import DataType
from strategykit.venues.coinapi.rows import nanoseconds
from strategykit.venues.coinapi.server_items import BookItem, Item, Level, QuoteItem, TakerSide, TradeItem
from strategykit.venues.coinapi.times import write_time

__all__ = ["FileName", "FlatFile", "Told", "read_name"]

_KEY: Final = re.compile(r"T-([A-Z_]+)/D-(\d{8})/E-[^/]+/[^/]*")
_SYMBOL: Final = re.compile(r"\+SC-([^+/]+)\+")
_DELIMITERS: Final = (";", ",")
_TIME_OF_DAY: Final = re.compile(r"\d\d:\d\d:\d\d(?:\.\d{1,9})?", re.ASCII)

_TYPES: Final[Mapping[str, DataType]] = {
    "price": DataType.TRADE,
    "ask_px": DataType.QUOTE,
    "entry_px": DataType.BOOK,
}
"""By a column that only files of this type have."""

_SIDES: Final[Mapping[str, TakerSide]] = {
    "BUY": "BUY",
    "SELL": "SELL",
    "BUY_ESTIMATED": "BUY_ESTIMATED",
    "SELL_ESTIMATED": "SELL_ESTIMATED",
}
_MINUS: Final = frozenset({"SUB", "MATCH", "DELETE"})

_Row = Mapping[str, str]
_Side = dict[float, dict[str, float]]
"""Sizes by price and order; the latter is empty where levels are told."""


@attrs.frozen(kw_only=True)
class FileName:
    """What a file's name says of it."""

    symbol: str | None
    date: str | None
    """Such as ``"2024-05-06"``."""


@attrs.frozen
class Told:
    """One message."""

    time: int
    """When CoinAPI had it, nanoseconds UTC."""
    item: Item


def read_name(path: str) -> FileName:
    """Read a file's key, or as much of it as is left in a path."""
    key, symbol = _KEY.search(path.replace("\\", "/")), _SYMBOL.search(path)
    day = None if key is None else f"{key[2][:4]}-{key[2][4:6]}-{key[2][6:]}"
    return FileName(symbol=None if symbol is None else symbol[1], date=day)


class FlatFile:
    """One file.

    Args:
        lines: Its lines, unpacked, the first with the columns.
        symbol: Whose it is.
        date: Of its times, where they are times of day alone.

    Raises:
        ValueError: Its columns aren't those of trades, quotes or books.

    Attributes:
        type: What is in it.
        price_places: Digits after the point that its prices have, so far.
        size_places: The same of its sizes.
    """

    def __init__(self, lines: Iterable[str], *, symbol: str, date: str | None) -> None:
        self._lines = iter(lines)
        self._symbol = symbol
        self._date = date
        head = next(self._lines, "").strip("\ufeff\r\n")
        self._delimiter = max(_DELIMITERS, key=head.count)
        self._columns = [name.strip(' "') for name in head.split(self._delimiter)]
        found = [kind for name, kind in _TYPES.items() if name in self._columns]
        if len(found) != 1 or "time_coinapi" not in self._columns:
            raise ValueError(f"its columns are none of trades, quotes or books: {head[:120]!r}")
        self.type = found[0]
        self.price_places = self.size_places = 0

    def read(self) -> Iterator[Told]:
        """Yield what it holds, in its order.

        Raises:
            ValueError: A line can't be read.
        """
        readers: Mapping[DataType, Callable[[Iterable[_Row]], Iterator[Told]]] = {
            DataType.TRADE: self._trades,
            DataType.QUOTE: self._quotes,
            DataType.BOOK: self._books,
        }
        return readers[self.type](self._rows())

    def _rows(self) -> Iterator[_Row]:
        try:
            for cells in csv.reader(self._lines, delimiter=self._delimiter):
                if not cells:
                    continue
                if len(cells) != len(self._columns):
                    raise ValueError(f"{len(cells)} cells under {len(self._columns)} columns")
                yield dict(zip(self._columns, cells, strict=True))
        except csv.Error as exc:
            raise ValueError(str(exc)) from exc

    def _trades(self, rows: Iterable[_Row]) -> Iterator[Told]:
        for row in rows:
            price, size = self._price(row["price"]), self._size(row["base_amount"])
            if price is None or not size:
                continue  # A marker.
            exchange, coinapi, time = self._times(row)
            side = _SIDES.get(row.get("taker_side", ""), "UNKNOWN")
            yield Told(time, TradeItem(self._symbol, exchange, coinapi, row["guid"], price, size, side))

    def _quotes(self, rows: Iterable[_Row]) -> Iterator[Told]:
        for row in rows:
            exchange, coinapi, time = self._times(row)
            ask, bid = ((self._price(row[f"{side}_px"]), self._size(row[f"{side}_sx"])) for side in ("ask", "bid"))
            yield Told(time, QuoteItem(self._symbol, exchange, coinapi, *ask, *bid))

    def _books(self, rows: Iterable[_Row]) -> Iterator[Told]:
        """Fold entries into levels: what came at one moment is one message; a run of snapshot rows is a whole book."""
        sides: tuple[_Side, _Side] = ({}, {})
        """Asks and bids."""

        def moment(row: _Row) -> tuple[bool, str, str]:
            # The rows of one snapshot can have times of their own: they are those of its levels.
            whole = row["update_type"] == "SNAPSHOT"
            return (True, "", "") if whole else (False, row["time_exchange"], row["time_coinapi"])

        for (whole, _, _), group in groupby(rows, moment):
            if whole:
                sides[0].clear()
                sides[1].clear()
            changed: tuple[set[float], set[float]] = (set(), set())
            for row in group:
                last = row
                is_buy = row["is_buy"].strip().lower() in ("1", "true")
                price, size = self._price(row["entry_px"]), self._size(row["entry_sx"])
                if price is not None:
                    _enter(sides[is_buy], price, row.get("order_id", ""), row["update_type"], size or 0.0)
                    changed[is_buy].add(price)
            exchange, coinapi, time = self._times(last)
            asks, bids = (_levels(sides[i], sides[i] if whole else changed[i], descending=i == 1) for i in (0, 1))
            yield Told(time, BookItem(self._symbol, exchange, coinapi, whole, asks, bids))

    def _times(self, row: _Row) -> tuple[str, str, int]:
        """Give both times as the stream writes them, and the second as a number."""
        coinapi = self._time(row["time_coinapi"])
        exchange = self._time(row["time_exchange"]) if row.get("time_exchange") else coinapi
        return write_time(exchange), write_time(coinapi), coinapi

    def _time(self, text: str) -> int:
        if _TIME_OF_DAY.fullmatch(text):
            if self._date is None:
                raise ValueError(f"{text!r} has no date, and the file's name has none")
            text = f"{self._date}T{text}"
        return nanoseconds(text)

    def _price(self, text: str) -> float | None:
        self.price_places = max(self.price_places, _places(text))
        return _number(text) or None

    def _size(self, text: str) -> float | None:
        self.size_places = max(self.size_places, _places(text))
        return _number(text)


def _number(text: str) -> float | None:
    if not text:
        return None
    value = float(text)
    if not math.isfinite(value) or abs(value) > 1e30:
        raise ValueError(f"{text[:40]!r} is no number of a market")
    return value


def _places(text: str) -> int:
    return min(len(text.partition(".")[2].rstrip("0")), 12)


def _enter(side: _Side, price: float, order: str, how: str, size: float) -> None:
    """Change the cell of a side, price and order. Empty ones vanish."""
    orders = side.setdefault(price, {})
    held = orders.get(order, 0.0)
    if how in _MINUS:
        left = round(max(held - size, 0.0), 12)
    elif how == "ADD":
        left = round(held + size, 12)
    elif how in ("SNAPSHOT", "SET"):
        left = size
    else:
        raise ValueError(f"an entry of the kind {how[:40]!r} isn't known")
    if left:
        orders[order] = left
    else:
        orders.pop(order, None)
    if not orders:
        del side[price]


def _levels(side: _Side, prices: Iterable[float], *, descending: bool) -> tuple[Level, ...]:
    """Give the totals at `prices`, best first, 0 where nothing is left."""
    ordered = sorted(prices, reverse=descending)
    return tuple(Level(price, round(math.fsum(side.get(price, {}).values()), 12)) for price in ordered)
