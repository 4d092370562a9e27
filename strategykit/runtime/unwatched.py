"""Positions that stay while all orders are withdrawn, their stops too: which those were, and what can be done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from strategykit.model.events import Side
from strategykit.runtime.order import Order

__all__ = ["ADVICE", "protects", "stop_words", "stops_in_words", "stops_over"]

ADVICE: Final = "close them at the venue, or release the kill switch and start the run again, which takes them over"
"""Ends what is told to a person."""


def protects(side: Side, lots: Decimal) -> bool:
    """Whether an order of `side` leaves a position of `lots`."""
    return side.sign * lots < 0


def stop_words(name: str, side: str, quantity: Decimal | None, symbol: str, price: Decimal | None) -> str:
    """Give a stop as it is named to a person, who may have to place it again."""
    return f"{name} ({side} {quantity} {symbol} at {price})"


def stops_over(orders: Iterable[Order], strategy: str, symbol: str, lots: Decimal) -> list[str]:
    """Give those of `orders` that are stops of the position of `lots`, in words."""
    return [
        stop_words(order.client_order_id, order.side.value, order.quantity, symbol, order.request.stop_price)
        for order in orders
        if (order.strategy, order.instrument) == (strategy, symbol)
        and order.request.stop_price is not None
        and protects(order.side, lots)
    ]


def stops_in_words(stops: Sequence[str]) -> str:
    """Give the part of a line that says which stops were withdrawn; empty if there were none."""
    kind = "stops" if len(stops) > 1 else "stop"
    return f"; withdrawn with all other orders: their {kind} {', '.join(stops)}" if stops else ""
