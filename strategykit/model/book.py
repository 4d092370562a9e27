"""An order book as it stands after the events so far."""

from __future__ import annotations

from typing import Final

from strategykit.model.events import BookDelta, BookSnapshot, Gap, Side

__all__ = ["Book"]

_NOTHING: Final[tuple[float, ...]] = ()


class _Half:
    """One side: parallel tuples, best level first; after a delta a dict, sorted when somebody looks."""

    __slots__ = ("_best", "_by_price", "_descending", "_prices", "_sizes", "_sorted")

    def __init__(self, *, descending: bool) -> None:
        self._descending = descending
        self._prices = _NOTHING
        self._sizes = _NOTHING
        self._by_price: dict[float, float] | None = None
        self._sorted = True
        self._best: float | None = None
        """Known without sorting; None where it has to be looked for."""

    def replace(self, prices: tuple[float, ...], sizes: tuple[float, ...]) -> None:
        self._prices = prices
        self._sizes = sizes
        self._by_price = None
        self._sorted = True
        self._best = prices[0] if prices else None

    def change(self, prices: tuple[float, ...], sizes: tuple[float, ...]) -> None:
        if not prices:
            return
        levels = self._by_price
        if levels is None:
            levels = self._by_price = dict(zip(self._prices, self._sizes, strict=True))
        best, descending = self._best, self._descending
        for price, size in zip(prices, sizes, strict=True):
            if size:
                levels[price] = size
                if best is not None and (price > best if descending else price < best):
                    best = price
            else:
                levels.pop(price, None)  # Venues also remove levels from beyond the depth that they show.
                if price == best:
                    best = None
        self._best = best
        self._sorted = False

    def best(self) -> float | None:
        """Give the best price; after a change of a deep book it costs much less than the levels do."""
        if self._best is None and (self._by_price if self._by_price is not None else self._prices):
            self._best = (max if self._descending else min)(self._by_price or self._prices)
        return self._best

    def size(self, price: float) -> float | None:
        """Give what rests at a price; None beyond the last level."""
        shown = self._prices if self._by_price is None else self._by_price
        if price in shown:
            return self._sizes[self._prices.index(price)] if self._by_price is None else self._by_price[price]
        if not shown:
            return None
        return None if (price < min(shown) if self._descending else price > max(shown)) else 0.0

    def levels(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        if not self._sorted:
            assert self._by_price is not None
            prices = tuple(sorted(self._by_price, reverse=self._descending))
            self._prices = prices
            self._sizes = tuple([self._by_price[price] for price in prices])
            self._sorted = True
        return self._prices, self._sizes


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
        """Give the lots that rest on the best `count` levels of one side, or on all."""
        _, sizes = self.side(side)
        return sum(sizes[:count], 0.0)

    def imbalance(self, count: int | None = 1) -> float | None:
        """Give ``(bids - asks) / (bids + asks)`` over the lots of the best `count` levels.

        From -1 (nothing is bid) to 1 (nothing is offered); None for an empty book.
        """
        bids, asks = self.depth(Side.BUY, count), self.depth(Side.SELL, count)
        total = bids + asks
        return (bids - asks) / total if total > 0 else None
