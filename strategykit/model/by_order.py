"""An order book, order by order, as it stands after the events so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import fsum
from typing import Final

from strategykit.model.book import Book
from strategykit.model.events import BookDelta, BookSnapshot, ByOrderDelta, ByOrderSnapshot, Gap, Side

__all__ = ["BookByOrder", "parallel_orders"]

_PLACES: Final = 12
"""Digits after the point of a sum of sizes. What is beyond is dust of binary arithmetic."""

_Name = str | float
"""An order's id; of a whole level, its price."""

_Orders = tuple[tuple[str | None, ...], tuple[float, ...], tuple[float, ...]]
"""Ids, prices, sizes."""


def parallel_orders(orders: Sequence[tuple[str | None, float, float]]) -> _Orders:
    """Give ids, prices and sizes of orders, as events have them."""
    ids, prices, sizes = zip(*orders, strict=True) if orders else ((), (), ())
    return ids, prices, sizes


class _Half:
    """One side: where each order stands, and who stands at each price, the first one first."""

    __slots__ = ("_descending", "_prices", "_queues")

    def __init__(self, orders: Iterable[tuple[str | None, float, float]] = (), *, descending: bool) -> None:
        self._descending = descending
        self._prices: dict[_Name, float] = {}
        self._queues: dict[float, dict[_Name, float]] = {}
        for order in orders:
            self.put(*order)

    def put(self, order_id: str | None, price: float, size: float) -> list[float]:
        """Put an order in, in place of what it was, or take it out; give the prices that this touches."""
        name = price if order_id is None else order_id
        old = self._prices.get(name)
        if old is not None and (old != price or not size or size > self._queues[old][name]):
            # Who moves or grows goes to the end of the queue.
            del self._prices[name], self._queues[old][name]
            if not self._queues[old]:
                del self._queues[old]
        if size:
            self._prices[name] = price
            self._queues.setdefault(price, {})[name] = size
        return [price] if old in (None, price) else [old, price]

    def find(self, order_id: str) -> tuple[float, float] | None:
        price = self._prices.get(order_id)
        return None if price is None else (price, self._queues[price][order_id])

    def queue(self, price: float) -> Mapping[_Name, float]:
        return self._queues.get(price, {})

    def total(self, price: float) -> float:
        return round(fsum(self.queue(price).values()), _PLACES)

    def sorted(self, prices: Iterable[float]) -> tuple[float, ...]:
        return tuple(sorted(prices, reverse=self._descending))

    def levels(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return self.totals(self._queues)

    def totals(self, prices: Iterable[float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Give prices, best first, and the sums of what stands there."""
        ordered = self.sorted(prices)
        return ordered, tuple([self.total(price) for price in ordered])

    def orders(self) -> _Orders:
        found = [
            (name if isinstance(name, str) else None, price, size)
            for price in self.sorted(self._queues)
            for name, size in self._queues[price].items()
        ]
        return parallel_orders(found)


class BookByOrder:
    """Fold snapshots and changes of one instrument into its orders, and these into levels.

    A book that may be wrong shows nothing: before the first snapshot, and from a `Gap` to the next one. An order keeps
    its place in the queue of its price as long as it only shrinks, as on most exchanges.
    """

    __slots__ = ("_asks", "_bids", "instrument", "levels")

    def __init__(self, instrument: str) -> None:
        self.instrument = instrument
        self.levels = Book(instrument)
        """What the orders make by price."""
        self._bids = _Half(descending=True)
        self._asks = _Half(descending=False)

    def __repr__(self) -> str:
        return f"<BookByOrder {self.levels!r}>"

    @property
    def invalid(self) -> bool:
        """Whether orders may be wrong or missing; only a snapshot makes it False."""
        return self.levels.invalid

    def apply(self, event: ByOrderSnapshot | ByOrderDelta | Gap) -> BookSnapshot | BookDelta | None:
        """Fold one event in; give what it says of levels. None: nothing, as of changes to what isn't known."""
        told: BookSnapshot | BookDelta
        if isinstance(event, Gap):
            self.levels.apply(event)
            return None
        if isinstance(event, ByOrderSnapshot):
            self._bids = _Half(zip(event.bid_ids, event.bid_prices, event.bid_sizes, strict=True), descending=True)
            self._asks = _Half(zip(event.ask_ids, event.ask_prices, event.ask_sizes, strict=True), descending=False)
            bids, asks = self._bids.levels(), self._asks.levels()
            told = BookSnapshot(
                event.instrument,
                *bids,
                *asks,
                event.event_time,
                event.receive_time,
                event.guid,
                event.snapshot,
                event.sequence,
            )
        elif self.levels.invalid:
            return None
        else:
            bids = _changed(self._bids, event.bid_ids, event.bid_prices, event.bid_sizes)
            asks = _changed(self._asks, event.ask_ids, event.ask_prices, event.ask_sizes)
            told = BookDelta(
                event.instrument, *bids, *asks, event.event_time, event.receive_time, event.guid, event.sequence
            )
        self.levels.apply(told)
        return told

    def find(self, order_id: str) -> tuple[Side, float, float] | None:
        """Give side, price and size of an order; None if there's no such one."""
        for side, half in ((Side.BUY, self._bids), (Side.SELL, self._asks)):
            found = None if self.levels.invalid else half.find(order_id)
            if found is not None:
                return side, *found
        return None

    def orders(self, side: Side) -> _Orders:
        """Give ids, prices and sizes of all orders of one side, best price first, as parallel tuples."""
        return ((), (), ()) if self.levels.invalid else self._half(side).orders()

    def queue(self, side: Side, price: float) -> tuple[tuple[str | None, float], ...]:
        """Give id and size of the orders at one price, the first one first."""
        if self.levels.invalid:
            return ()
        return tuple(
            (name if isinstance(name, str) else None, size) for name, size in self._half(side).queue(price).items()
        )

    def _half(self, side: Side) -> _Half:
        return self._bids if side is Side.BUY else self._asks


def _changed(
    half: _Half, ids: tuple[str | None, ...], prices: tuple[float, ...], sizes: tuple[float, ...]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Put orders in; give the levels that they touch with their totals, 0 for those that are gone."""
    touched: dict[float, None] = {}
    for order_id, price, size in zip(ids, prices, sizes, strict=True):
        touched.update(dict.fromkeys(half.put(order_id, price, size)))
    return half.totals(touched)
