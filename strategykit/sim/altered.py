"""Market data as copies that count otherwise."""

from __future__ import annotations

from strategykit.model.event_class import altered
from strategykit.model.events import BookDelta, BookSnapshot, ByOrderDelta, ByOrderSnapshot, Quote, Trade

__all__ = ["in_lots"]

Sized = Trade | Quote | BookSnapshot | BookDelta | ByOrderSnapshot | ByOrderDelta


def in_lots(event: Sized, lot: float) -> Sized:
    """Give a copy of market data whose sizes are in lots, of one whose sizes are in units, `lot` of them a lot."""
    match event:
        case Trade():
            return altered(event, quantity=event.quantity / lot)
        case Quote():
            sizes = (event.bid_size, event.ask_size, event.volume)
            bid, ask, volume = (None if size is None else size / lot for size in sizes)
            return altered(event, bid_size=bid, ask_size=ask, volume=volume)
        case _:
            bids, asks = (tuple(size / lot for size in sizes) for sizes in (event.bid_sizes, event.ask_sizes))
            return altered(event, bid_sizes=bids, ask_sizes=asks)
