"""What the prices of an order come to: what it is worth, and how far it lies beyond the market."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from strategykit.model.events import Side
from strategykit.model.instruments import Instrument
from strategykit.model.orders import OrderRequest
from strategykit.model.risk_limits import COLLAR_TICKS
from strategykit.runtime.risk_books import Book, Scope

__all__ = ["beyond_of", "check_collar", "worth_of"]

ZERO: Final = Decimal(0)

# A look-up of a member costs more than a call on Python 3.11.
_BUY: Final = Side.BUY
_SELL: Final = Side.SELL


def worth_of(request: OrderRequest, last: Decimal | None, book: Book) -> Decimal | None:
    """Give what the order is worth at the worst; None for a market order whose price nobody knows."""
    price = request.stop_price if request.price is None else request.price
    unit = request.quantity * (book.unit or ZERO)
    if price is None:
        return None if last is None else abs(last * unit)
    worth = abs(price * unit)
    if last is not None and request.side is _SELL and request.stop_price is None:
        return max(worth, abs(last * unit))
    return worth


def beyond_of(request: OrderRequest, last: Decimal | None) -> tuple[Decimal, Decimal] | None:
    """Give how far the limit lies beyond the price that it is held against, and that price; None if it doesn't."""
    reference = last if request.stop_price is None else request.stop_price
    if request.price is None or reference is None:
        return None
    beyond = request.price - reference if request.side is _BUY else reference - request.price
    return (beyond, reference) if beyond > ZERO else None


def check_collar(
    scope: Scope, request: OrderRequest, beyond: Decimal, reference: Decimal, instrument: Instrument
) -> None:
    """Let a limit price pass, or refuse it.

    Args:
        scope: Whose limits.
        request: What would be sent.
        beyond: How far its limit lies beyond `reference`.
        reference: The price that it is held against.
        instrument: What it trades.

    Raises:
        RiskLimit: It lies too far beyond.
    """
    limit = scope.limits.price_collar
    if beyond <= COLLAR_TICKS * instrument.tick_at(reference) or not limit.is_finite():
        return
    if beyond <= limit * abs(reference):
        return
    part = beyond / abs(reference) if reference else Decimal("Infinity")
    of = "the last price" if request.stop_price is None else "its trigger"
    words = f"a {request.side.value} of {request.instrument} at {request.price}, {part:.2%} beyond {of} {reference}"
    scope.refuse("price_collar", part, words)
