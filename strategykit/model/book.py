"""An order book as it stands after the events so far."""

from __future__ import annotations

from bisect import bisect_left
from math import fsum
from typing import Final

from strategykit.model.events import BookDelta, BookSnapshot, Gap, Side

__all__ = ["Book"]

_NOTHING: Final[tuple[float, ...]] = ()


class _Half:
    """One side: parallel tuples, best level first; from a delta on, parallel lists, kept in order."""

    __slots__ = ("_keys", "_levels", "_prices", "_sign", "_sizes")

    def __init__(self, *, descending: bool) -> None:
        self._sign = -1.0 if descending else 1.0
        self._keys: list[float] | None = None
        """Prices times the sign, so that they rise; None while nothing has changed since the last whole book."""
        self._prices: list[float] = []
        self._sizes: list[float] = []
        self._levels: tuple[tuple[float, ...], tuple[float, ...]] | None = _NOTHING, _NOTHING
        """None where they have changed since somebody looked."""

    def replace(self, prices: tuple[float, ...], sizes: tuple[float, ...]) -> None:
        self._levels = prices, sizes
        self._keys = None

    def change(self, prices: tuple[float, ...], sizes: tuple[float, ...]) -> None:
        if not prices:
            return
        keys = self._ordered() if self._keys is None else self._keys
        sign, own_prices, own_sizes = self._sign, self._prices, self._sizes
        for price, size in zip(prices, sizes, strict=True):
            key = price * sign
            place = bisect_left(keys, key)
            known = place < len(keys) and keys[place] == key
            if known and size:
                own_sizes[place] = size
            elif size:
                keys.insert(place, key)
                own_prices.insert(place, price)
                own_sizes.insert(place, size)
            elif known:  # Venues also remove levels from beyond the depth that they show.
                del keys[place], own_prices[place], own_sizes[place]
        self._levels = None

    def best(self) -> float | None:
        prices = self._prices if self._levels is None else self._levels[0]
        return prices[0] if prices else None

    def size(self, price: float) -> float | None:
        """Give what rests at a price; None beyond the last level."""
        keys, key = self._ordered() if self._keys is None else self._keys, price * self._sign
        place = bisect_left(keys, key)
        if place == len(keys):
            return None
        return self._sizes[place] if keys[place] == key else 0.0

    def levels(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        if self._levels is None:
            self._levels = tuple(self._prices), tuple(self._sizes)
        return self._levels

    def _ordered(self) -> list[float]:
        """Make lists of the whole book that came."""
        known = dict(zip(*self.levels(), strict=True))
        self._prices = sorted(known, reverse=self._sign < 0)
        self._sizes = [known[price] for price in self._prices]
        keys = self._keys = [price * self._sign for price in self._prices]
        return keys


class Book:
    """Fold snapshots and deltas of one instrument into its order book.

    A full snapshot costs two assignments a side, however deep it is. A book that may be wrong shows nothing:
    before the first snapshot, and from a `Gap` to the next one, it is `invalid` and every reading is None or empty.
    """

    __slots__ = ("_asks", "_bids", "event_time", "instrument", "invalid", "receive_time")

    def __init__(self, instrument: str) -> None:
        self.instrument = instrument
        self.invalid = True
        """Whether levels may be wrong or missing; only a snapshot makes it False."""
        self.event_time: int | None = None
        """Of the last event that changed it."""
        self.receive_time: int | None = None
        self._bids = _Half(descending=True)
        self._asks = _Half(descending=False)

    def __repr__(self) -> str:
        state = "invalid" if self.invalid else f"{self.best_bid} / {self.best_ask}"
        return f"<Book {self.instrument} {state}>"

    def apply(self, event: BookSnapshot | BookDelta | Gap) -> None:
        """Fold one event in. Deltas are skipped while the book is invalid: there is nothing that they change."""
        if isinstance(event, Gap):
            self.invalid = True
            return
        if isinstance(event, BookSnapshot):
            self._bids.replace(event.bid_prices, event.bid_sizes)
            self._asks.replace(event.ask_prices, event.ask_sizes)
            self.invalid = False
        elif self.invalid:
            return
        else:
            self._bids.change(event.bid_prices, event.bid_sizes)
            self._asks.change(event.ask_prices, event.ask_sizes)
        self.event_time = event.event_time
        self.receive_time = event.receive_time

    def side(self, side: Side) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Give prices and sizes of the resting orders of one side, best first, as parallel tuples."""
        if self.invalid:
            return _NOTHING, _NOTHING
        return (self._bids if side is Side.BUY else self._asks).levels()

    def levels(self, side: Side, count: int | None = None) -> tuple[tuple[float, float], ...]:
        """Give ``(price, size)`` of the best `count` levels of one side, or of all."""
        prices, sizes = self.side(side)
        return tuple(zip(prices[:count], sizes[:count], strict=True))

    def size(self, side: Side, price: float) -> float | None:
        """Give the lots that rest on one side at a price: 0 between levels, None beyond the last that is shown."""
        if self.invalid:
            return None
        return (self._bids if side is Side.BUY else self._asks).size(price)

    def snapshot(self, event: BookSnapshot | BookDelta, depth: int | None = None) -> BookSnapshot:
        """Give the best `depth` levels a side, or all, as they stand after `event`, which was applied last."""
        bids, bid_sizes = self.side(Side.BUY)
        asks, ask_sizes = self.side(Side.SELL)
        return BookSnapshot(
            self.instrument,
            bids[:depth],
            bid_sizes[:depth],
            asks[:depth],
            ask_sizes[:depth],
            event.event_time,
            event.receive_time,
            event.guid,
            isinstance(event, BookSnapshot) and event.snapshot,
            event.sequence,
        )

    @property
    def best_bid(self) -> float | None:
        return None if self.invalid else self._bids.best()

    @property
    def best_ask(self) -> float | None:
        return None if self.invalid else self._asks.best()

    @property
    def mid(self) -> float | None:
        """Halfway between the best prices; None unless both sides have one."""
        bid, ask = self.best_bid, self.best_ask
        return None if bid is None or ask is None else (bid + ask) / 2

    @property
    def spread(self) -> float | None:
        """Best ask less best bid, in price; below 0 in a crossed book. None unless both sides have a price."""
        bid, ask = self.best_bid, self.best_ask
        return None if bid is None or ask is None else ask - bid

    @property
    def crossed(self) -> bool:
        """Whether somebody would pay as much as somebody asks: an auction, or a book that has gone wrong."""
        bid, ask = self.best_bid, self.best_ask
        return bid is not None and ask is not None and bid >= ask

    def depth(self, side: Side, count: int | None = None) -> float:
        """Give the lots that rest on the best `count` levels of one side, or on all, rounded once."""
        _, sizes = self.side(side)
        return fsum(sizes[:count])  # `sum` gives another last bit before Python 3.12 than from there on.

    def imbalance(self, count: int | None = 1) -> float | None:
        """Give ``(bids - asks) / (bids + asks)`` over the lots of the best `count` levels.

        From -1 (nothing is bid) to 1 (nothing is offered); None for an empty book.
        """
        bids, asks = self.depth(Side.BUY, count), self.depth(Side.SELL, count)
        total = bids + asks
        return (bids - asks) / total if total > 0 else None
