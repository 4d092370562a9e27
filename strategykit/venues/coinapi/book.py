"""Whole books, by level and by order: a snapshot, then what changes. Source: CoinAPI protocol sheet, section 5."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol, TypeVar

from strategykit.model.events import BookDelta, BookSnapshot
from strategykit.venues.coinapi.cursors import CoinCursor
from strategykit.venues.coinapi.rows import BookRow, LevelRow, OrderRow, OrdersRow
from strategykit.venues.dialect import Decoded

__all__ = ["BookCursor", "LevelSide", "OrderSide"]

L_contra = TypeVar("L_contra", contravariant=True)

_Levels = tuple[tuple[float, ...], tuple[float, ...]]
"""Prices, best first, and their sizes."""

_PLACES: Final = 12
"""Digits after the point; section 5 says 9 at the most. What is beyond is dust of binary arithmetic."""


class Side(Protocol[L_contra]):
    """One side of a book."""

    def change(self, entries: Iterable[L_contra]) -> dict[float, float]:
        """Take in what came; give the changed levels with their new totals, 0 for those that are gone."""
        ...

    def levels(self) -> dict[float, float]:
        """Give all levels with their totals, in any order."""
        ...


class LevelSide:
    """Totals by price."""

    def __init__(self) -> None:
        self._totals: dict[float, float] = {}

    def change(self, entries: Iterable[LevelRow]) -> dict[float, float]:
        changed = {entry.price: entry.size for entry in entries}
        for price, size in changed.items():
            if size:
                self._totals[price] = size
            else:
                self._totals.pop(price, None)
        return changed

    def levels(self) -> dict[float, float]:
        return self._totals


class OrderSide:
    """Orders, and their totals by price. An entry without an id is a whole level."""

    def __init__(self) -> None:
        self._prices: dict[str | float, float] = {}
        """By id; by price for levels of venues without ids."""
        self._sizes: dict[float, dict[str | float, float]] = {}
        """By price, then as `_prices`."""

    def change(self, entries: Iterable[OrderRow]) -> dict[float, float]:
        changed: set[float] = set()
        for entry in entries:
            name = entry.price if entry.id is None else entry.id
            price = self._prices.get(name, entry.price)
            size = self._sizes.get(price, {}).get(name, 0.0)
            left = _left(size, entry)
            changed.add(price)
            self._set(name, price, 0.0)
            if left > 0.0:
                # A new size may come with a new price; what is taken off an order stands where it was.
                where = entry.price if entry.update_type in (None, "ADD", "UPDATE") else price
                changed.add(where)
                self._set(name, where, left)
        return {price: self._total(price) for price in changed}

    def levels(self) -> dict[float, float]:
        return {price: self._total(price) for price in self._sizes}

    def _set(self, name: str | float, price: float, size: float) -> None:
        if size:
            self._prices[name] = price
            self._sizes.setdefault(price, {})[name] = size
            return
        self._prices.pop(name, None)
        orders = self._sizes.get(price, {})
        orders.pop(name, None)
        if not orders:
            self._sizes.pop(price, None)

    def _total(self, price: float) -> float:
        return round(sum(self._sizes.get(price, {}).values()), _PLACES)


def _left(size: float, entry: OrderRow) -> float:
    """Give what an order has after an entry about it. What isn't known can't be reduced; unknown words set the size."""
    match entry.update_type:
        case "DELETE":
            return 0.0
        case "SUBTRACT" | "MATCH":
            return round(size - entry.size, _PLACES)
        case _:
            return entry.size


class BookCursor(CoinCursor[Any]):
    """One whole book.

    While another connection takes over, its book is kept beside, until it has got as far as this one: it goes on from
    there, whole.

    Args:
        guid: Of the subscription.
        symbol: Its id.
        make_side: `LevelSide` or `OrderSide`.
    """

    rebuilds = True

    def __init__(self, guid: str, symbol: str, make_side: Callable[[], Side[Any]]) -> None:
        super().__init__(guid, symbol)
        self._make_side = make_side
        self._sides: tuple[Side[Any], Side[Any]] | None = None
        """Bids and asks; None before the snapshot: what comes before it changes nothing (section 5)."""
        self._newest = ""
        """Time of the newest message in it."""
        self._beside: tuple[Side[Any], Side[Any]] | None = None
        """The book of a connection that is taking over."""
        self._turned = False
        """Whether that has become this one, and nothing was told of it."""

    def reconnected(self) -> None:
        super().reconnected()
        self._sides = self._beside = None
        self._turned = False

    def wants(self, row: BookRow | OrdersRow) -> bool:
        return self._sides is not None or row.is_snapshot is True

    def follows(self, row: BookRow | OrdersRow) -> bool:
        if row.is_snapshot:
            self._beside = self._new_sides()
        if self._beside is None:
            return False
        _change(self._beside, row)
        if self._sides is not None and row.time_coinapi < self._newest:
            return False
        self._sides, self._beside, self._turned = self._beside, None, True
        return True

    def take(self, row: BookRow | OrdersRow, now: int) -> Sequence[Decoded]:
        self._newest = max(self._newest, row.time_coinapi)
        turned, self._turned = self._turned, False
        if self._sides is None or (row.is_snapshot and not turned):
            self._sides = self._new_sides()
            _change(self._sides, row)
            turned = True
        if turned:
            bids, asks = _ordered(*(side.levels() for side in self._sides))
            return (
                BookSnapshot(self.symbol, *bids, *asks, row.time, now, self.guid, snapshot=True, sequence=row.sequence),
            )
        bids, asks = _ordered(*_change(self._sides, row))
        return (BookDelta(self.symbol, *bids, *asks, row.time, now, self.guid, row.sequence),)

    def _new_sides(self) -> tuple[Side[Any], Side[Any]]:
        return self._make_side(), self._make_side()


def _change(sides: tuple[Side[Any], Side[Any]], row: BookRow | OrdersRow) -> tuple[dict[float, float], ...]:
    return sides[0].change(row.bids or ()), sides[1].change(row.asks or ())


def _ordered(bids: dict[float, float], asks: dict[float, float]) -> tuple[_Levels, _Levels]:
    """Give prices and sizes of both sides, best first."""
    found = sorted(bids, reverse=True), sorted(asks)
    sizes = tuple(map(bids.__getitem__, found[0])), tuple(map(asks.__getitem__, found[1]))
    return (tuple(found[0]), sizes[0]), (tuple(found[1]), sizes[1])
