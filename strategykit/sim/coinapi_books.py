"""Books of the simulated CoinAPI: whole ones, and what changed, by level and by order.

Source: CoinAPI protocol sheet, section 5, "book" and "book_l3".
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import attrs

from strategykit.model.events import BookSnapshot, Side
from strategykit.sim.coinapi_symbols import CoinSymbol
from strategykit.sim.matching import Order as Resting
from strategykit.venues.coinapi.server_items import (
    BookItem,
    Level,
    Order,
    OrderBookItem,
    OrderChange,
    OrderChangesItem,
    OrdersItem,
    QuoteItem,
    TopBookItem,
    UpdateType,
)
from strategykit.venues.coinapi.times import write_time

__all__ = ["LevelBook", "OrderSides", "make_uuid", "order_changes", "stand_by_level", "stand_by_order"]

OrderSides = tuple[Mapping[float, Order], Mapping[float, Order]]
"""Offers and bids, best first: orders by number, or levels by price."""


@attrs.frozen
class LevelBook:
    """One book at one time."""

    symbol: str
    time: int
    """Nanoseconds UTC."""
    asks: tuple[Level, ...]
    """Lowest first."""
    bids: tuple[Level, ...]
    """Highest first."""

    @classmethod
    def read(cls, symbol: CoinSymbol, book: BookSnapshot) -> LevelBook:
        def levels(prices: Sequence[float], sizes: Sequence[float]) -> tuple[Level, ...]:
            return tuple(
                Level(symbol.price(price), symbol.size(size)) for price, size in zip(prices, sizes, strict=True)
            )

        time = book.receive_time if book.event_time is None else book.event_time
        return cls(
            symbol.name,
            time,
            levels(book.ask_prices, book.ask_sizes),
            levels(book.bid_prices, book.bid_sizes),
        )

    def snapshot(self, now: int) -> BookItem:
        """Word all of it."""
        return BookItem(self.symbol, write_time(self.time), write_time(now), True, self.asks, self.bids)

    def since(self, old: LevelBook, now: int) -> BookItem | None:
        """Word what changed; None: nothing did."""
        asks, bids = _difference(old.asks, self.asks), _difference(old.bids, self.bids)
        if not asks and not bids:
            return None
        asks.sort(key=lambda level: level.price)
        bids.sort(key=lambda level: -level.price)
        return BookItem(self.symbol, write_time(self.time), write_time(now), False, tuple(asks), tuple(bids))

    def apply(self, changed: BookItem, time: int) -> LevelBook:
        """Give the book after a change."""

        def side(old: Iterable[Level], new: Iterable[Level], sign: int) -> tuple[Level, ...]:
            levels = {level.price: level for level in (*old, *new)}
            return tuple(
                sorted((level for level in levels.values() if level.size), key=lambda level: sign * level.price)
            )

        return LevelBook(self.symbol, time, side(self.asks, changed.asks, 1), side(self.bids, changed.bids, -1))

    def top(self, levels: int, now: int) -> TopBookItem:
        """Word the best of it."""
        return TopBookItem(self.symbol, write_time(self.time), write_time(now), self.asks[:levels], self.bids[:levels])

    def quote(self, now: int) -> QuoteItem:
        ask, bid = next(iter(self.asks), None), next(iter(self.bids), None)
        return QuoteItem(
            self.symbol,
            write_time(self.time),
            write_time(now),
            None if ask is None else ask.price,
            None if ask is None else ask.size,
            None if bid is None else bid.price,
            None if bid is None else bid.size,
        )

    def orders_snapshot(self, sides: OrderSides, now: int) -> OrdersItem:
        """Word the book by order that goes with it."""
        return OrdersItem(self.symbol, write_time(self.time), write_time(now), True, *_listed(sides))

    def orders_book(self, sides: OrderSides, now: int) -> OrderBookItem:
        """Word it as REST has it."""
        return OrderBookItem(self.symbol, write_time(self.time), write_time(now), *_listed(sides))

    def orders_since(
        self, old: OrderSides, new: OrderSides, matched: Mapping[float, float], now: int
    ) -> OrderChangesItem | None:
        """Word what changed by order; None: nothing did.

        Args:
            old: Before.
            new: After.
            matched: What traded of resting orders in between, by number, in base units.
            now: Nanoseconds UTC.
        """
        asks, bids = (tuple(order_changes(old[side], new[side], matched)) for side in (0, 1))
        if not asks and not bids:
            return None
        return OrderChangesItem(self.symbol, write_time(self.time), write_time(now), False, asks, bids)


def stand_by_level(book: LevelBook) -> OrderSides:
    """Give the book of a venue that doesn't show its orders."""
    asks, bids = (
        {level.price: Order(None, level.price, level.size) for level in side} for side in (book.asks, book.bids)
    )
    return asks, bids


def stand_by_order(symbol: CoinSymbol, resting: Mapping[Side, Iterable[Resting]], old: OrderSides | None) -> OrderSides:
    """Give the book as its orders stand; of those in `old` what hasn't changed is kept."""

    def side(orders: Iterable[Resting], known: Mapping[float, Order]) -> dict[float, Order]:
        made: dict[float, Order] = {}
        for order in orders:
            size, was = symbol.size(order.visible), known.get(order.number)
            if was is None:
                price = symbol.price((order.price or 0) * symbol.price_step)
                was = Order(make_uuid(symbol.name, order.number), price, size)
            made[order.number] = was if was.size == size else Order(was.id, was.price, size)
        return made

    asks, bids = old or ({}, {})
    return side(resting[Side.SELL], asks), side(resting[Side.BUY], bids)


def order_changes(
    old: Mapping[float, Order], new: Mapping[float, Order], matched: Mapping[float, float]
) -> Iterator[OrderChange]:
    """Yield what leads from one side of a book to another, in an order that a client may apply it in."""
    for name, was in old.items():
        now = new.get(name)
        left = 0.0 if now is None else now.size
        if was.id is None:
            # Levels have no trades of their own: they go, or get another total.
            if now is None:
                yield _change(was, was.size, "DELETE")
            elif left != was.size:
                yield _change(was, left, "UPDATE")
            continue
        traded = min(matched.get(name, 0.0), was.size)
        if traded:
            yield _change(was, traded, "MATCH")
        rest = round(was.size - traded - left, 12)
        if rest > 0:
            yield _change(was, rest, "DELETE" if now is None else "SUBTRACT")
        elif rest < 0:
            yield _change(was, left, "UPDATE")
    for name, order in new.items():
        if name not in old:
            yield _change(order, order.size, "ADD")


def make_uuid(*names: object) -> str:
    """Give the version 4 UUID of a thing: the same for the same names."""
    digest = hashlib.blake2b("/".join(map(str, names)).encode(), digest_size=16).digest()
    return str(uuid.UUID(bytes=digest, version=4))


def _change(order: Order, size: float, how: UpdateType) -> OrderChange:
    return OrderChange(order.id, order.price, size, how)


def _listed(sides: OrderSides) -> tuple[tuple[Order, ...], tuple[Order, ...]]:
    return tuple(sides[0].values()), tuple(sides[1].values())


def _difference(old: Iterable[Level], new: Iterable[Level]) -> list[Level]:
    before, after = ({level.price: level for level in side} for side in (old, new))
    changed = [level for price, level in after.items() if before.get(price) != level]
    return changed + [Level(price, _GONE) for price in before if price not in after]


_GONE: Final = 0.0
