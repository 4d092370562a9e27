"""Events are told as they are, or as copies with something changed."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import attrs

from strategykit.model.events import BookDelta, BookSnapshot, ByOrderDelta, ByOrderSnapshot, Quote, Trade

__all__ = ["altered", "in_lots"]

T = TypeVar("T")

Sized = Trade | Quote | BookSnapshot | BookDelta | ByOrderSnapshot | ByOrderDelta


def altered(event: T, **changes: object) -> T:
    """Give a copy of an event with other values."""
    # To type checkers the event classes are dataclass-like, which `attrs.evolve` doesn't take.
    return cast("T", attrs.evolve(cast("Any", event), **changes))


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
