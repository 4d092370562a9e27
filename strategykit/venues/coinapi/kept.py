"""Books as their cursors keep them: totals by price, or orders. Source: CoinAPI protocol sheet, section 5."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final, Protocol, TypeVar

from strategykit.model.by_order import BookByOrder, parallel_orders
from strategykit.model.events import BookDelta, BookSnapshot, ByOrderDelta, ByOrderSnapshot, Side
from strategykit.venues.coinapi.rows import BookRow, LevelRow, OrderRow, OrdersRow
from strategykit.venues.keyed import Rows

__all__ = ["Kept", "LevelBook", "OrderBook"]

R_contra = TypeVar("R_contra", contravariant=True)

_PLACES: Final = 12
"""Digits after the point; section 5 says 9 at the most. What is beyond is dust of binary arithmetic."""

_Levels = tuple[tuple[float, ...], tuple[float, ...]]
"""Prices, best first, and their sizes."""


class Kept(Protocol[R_contra]):
    """One book as it stands after the messages so far; empty at first."""

    by_order: ClassVar[bool]
    repeatable: ClassVar[bool]
    """Whether a message that is taken in twice does no harm."""

    def put(self, row: R_contra) -> None:
        """Take a message in."""
        ...

    def change(self, row: R_contra, now: int) -> BookDelta | ByOrderDelta | None:
        """Take a message in; give what it says, or None if that is nothing."""
        ...

    def whole(self, time: int | None, sequence: int | None, now: int) -> BookSnapshot | ByOrderSnapshot:
        """Give all of it."""
        ...

    def fill(self, rows: Rows) -> int | None:
        """Take in the whole book as REST has it; give its time, or None if it isn't there."""
        ...

    def holds(self, rows: Sequence[R_contra]) -> bool:
        """Say whether all is here that `rows` say, as far as they do, taken in one after the other."""
        ...


class LevelBook:
    """Totals by price; each message says them whole, and 0 where nothing is left."""

    by_order: ClassVar[bool] = False
    repeatable: ClassVar[bool] = True

    def __init__(self, symbol: str, guid: str) -> None:
        self._symbol = symbol
        self._guid = guid
        self._bids: dict[float, float] = {}
        self._asks: dict[float, float] = {}

    def put(self, row: BookRow) -> None:
        _set(self._bids, _totals(row.bids or ()))
        _set(self._asks, _totals(row.asks or ()))

    def change(self, row: BookRow, now: int) -> BookDelta:
        self.put(row)
        bids, asks = _ordered(_totals(row.bids or ()), _totals(row.asks or ()))
        return BookDelta(self._symbol, *bids, *asks, row.time, now, self._guid, row.sequence)

    def whole(self, time: int | None, sequence: int | None, now: int) -> BookSnapshot:
        bids, asks = _ordered(self._bids, self._asks)
        return BookSnapshot(self._symbol, *bids, *asks, time, now, self._guid, snapshot=True, sequence=sequence)

    def fill(self, rows: Rows) -> int | None:
        book = next((row for row in rows if isinstance(row, BookSnapshot)), None)
        if book is None:
            return None
        self._bids = dict(zip(book.bid_prices, book.bid_sizes, strict=True))
        self._asks = dict(zip(book.ask_prices, book.ask_sizes, strict=True))
        return book.event_time

    def holds(self, rows: Sequence[BookRow]) -> bool:
        bids, asks = {}, {}
        for row in rows:
            bids.update(_totals(row.bids or ()))
            asks.update(_totals(row.asks or ()))
        return all(self._bids.get(price, 0.0) == size for price, size in bids.items()) and all(
            self._asks.get(price, 0.0) == size for price, size in asks.items()
        )


class OrderBook:
    """Orders. Some messages say what is taken off one, so that none may be taken in twice."""

    by_order: ClassVar[bool] = True
    repeatable: ClassVar[bool] = False

    def __init__(self, symbol: str, guid: str) -> None:
        self._symbol = symbol
        self._guid = guid
        self._book = BookByOrder(symbol)
        self._book.apply(ByOrderSnapshot(symbol, (), (), (), (), (), (), None, 0, guid))

    def put(self, row: OrdersRow) -> None:
        self.change(row, 0)

    def change(self, row: OrdersRow, now: int) -> ByOrderDelta | None:
        bids, asks = self._changed(Side.BUY, row.bids or ()), self._changed(Side.SELL, row.asks or ())
        if not bids and not asks:
            return None
        delta = ByOrderDelta(
            self._symbol, *parallel_orders(bids), *parallel_orders(asks), row.time, now, self._guid, row.sequence
        )
        self._book.apply(delta)
        return delta

    def whole(self, time: int | None, sequence: int | None, now: int) -> ByOrderSnapshot:
        bids, asks = self._book.orders(Side.BUY), self._book.orders(Side.SELL)
        return ByOrderSnapshot(self._symbol, *bids, *asks, time, now, self._guid, snapshot=True, sequence=sequence)

    def fill(self, rows: Rows) -> int | None:
        book = next((row for row in rows if isinstance(row, ByOrderSnapshot)), None)
        if book is None:
            return None
        self._book.apply(book)
        return book.event_time

    def holds(self, rows: Sequence[OrdersRow]) -> bool:
        said: dict[tuple[Side, str | None, float], float] = {}
        for row in rows:
            for side, entries in ((Side.BUY, row.bids or ()), (Side.SELL, row.asks or ())):
                for entry in entries:
                    key = (side, entry.id, entry.price if entry.id is None else 0.0)
                    if entry.update_type not in ("SUBTRACT", "MATCH") or key in said:  # Else it isn't known of what.
                        said[key] = max(_left(said.get(key, 0.0), entry), 0.0)
        return all(self._size(*key) == size for key, size in said.items())

    def _changed(self, side: Side, entries: Iterable[OrderRow]) -> list[tuple[str | None, float, float]]:
        """Give id, price and what is left of the orders that entries are about, each once."""
        changed: dict[str | float, tuple[str | None, float, float]] = {}
        for entry in entries:
            name = entry.price if entry.id is None else entry.id
            known = changed.pop(name, None) or self._find(side, entry)
            left = max(_left(0.0 if known is None else known[2], entry), 0.0)
            if known is None and not left:
                continue  # What is taken off what isn't known.
            # A new size may come with a new price; what is taken off an order stands where it was.
            stays = known is not None and entry.update_type not in (None, "ADD", "UPDATE")
            changed[name] = (entry.id, known[1] if known is not None and stays else entry.price, left)
        return list(changed.values())

    def _find(self, side: Side, entry: OrderRow) -> tuple[str | None, float, float] | None:
        size = self._size(side, entry.id, entry.price)
        if not size:
            return None
        found = None if entry.id is None else self._book.find(entry.id)
        return entry.id, entry.price if found is None else found[1], size

    def _size(self, side: Side, order_id: str | None, price: float) -> float:
        if order_id is None:
            return dict(self._book.queue(side, price)).get(None, 0.0)
        found = self._book.find(order_id)
        return found[2] if found is not None and found[0] is side else 0.0


def _left(size: float, entry: OrderRow) -> float:
    """Give what an order has after an entry about it. What isn't known can't be reduced; unknown words set the size."""
    match entry.update_type:
        case "DELETE":
            return 0.0
        case "SUBTRACT" | "MATCH":
            return round(size - entry.size, _PLACES)
        case _:
            return entry.size


def _totals(entries: Iterable[LevelRow]) -> dict[float, float]:
    return {entry.price: entry.size for entry in entries}


def _set(levels: dict[float, float], totals: dict[float, float]) -> None:
    for price, size in totals.items():
        if size:
            levels[price] = size
        else:
            levels.pop(price, None)


def _ordered(bids: dict[float, float], asks: dict[float, float]) -> tuple[_Levels, _Levels]:
    """Give prices and sizes of both sides, best first."""
    found = sorted(bids, reverse=True), sorted(asks)
    sizes = tuple(map(bids.__getitem__, found[0])), tuple(map(asks.__getitem__, found[1]))
    return (tuple(found[0]), sizes[0]), (tuple(found[1]), sizes[1])
