"""Several orders of which all are filled, or none: what was filled of them is undone."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal

import attrs
import trio

from strategykit.errors import LegsApart, Unsettled
from strategykit.model.events import Side
from strategykit.runtime.because import Because, source_line
from strategykit.runtime.flatten import LEAVE_WITHIN, OrderSeat, get_flat, withdraw
from strategykit.runtime.levels import check_seconds
from strategykit.runtime.order import Order

__all__ = ["Legs", "legs_scope"]


@attrs.define(eq=False)
class Legs:
    """Orders that belong together. They work while the block runs."""

    _seat: OrderSeat
    orders: list[Order] = attrs.field(factory=list, init=False)
    """The legs, in the order in which they were placed."""

    def buy(
        self, quantity: Decimal | int, *, instrument: str | None = None, limit: Decimal | float | None = None
    ) -> Order:
        """Place a leg that buys, and give its handle at once. Prices are as in `Strategy.buy`.

        Raises:
            RiskLimit: We said no; the legs before it are undone when the error leaves the block.
        """
        return self._place(Side.BUY, quantity, instrument, limit)

    def sell(
        self, quantity: Decimal | int, *, instrument: str | None = None, limit: Decimal | float | None = None
    ) -> Order:
        """Place a leg that sells. See `buy`."""
        return self._place(Side.SELL, quantity, instrument, limit)

    def _place(
        self, side: Side, quantity: Decimal | int, instrument: str | None, limit: Decimal | float | None
    ) -> Order:
        order = self._seat.submit(side, quantity, instrument=instrument, limit=limit)
        self.orders.append(order)
        return order


@asynccontextmanager
async def legs_scope(seat: OrderSeat, *, within: float) -> AsyncGenerator[Legs]:
    """Yield, wait for all legs at the end of the block, and undo them unless all are filled.

    Args:
        seat: Places orders.
        within: Seconds from the end of the block for the legs to be filled.

    Raises:
        LegsApart: Not all were filled; none is held.
        RiskLimit: `within` makes no sense.
        Unsettled: Not all were filled, and what was isn't known to be undone in `flatten.LEAVE_WITHIN` seconds.
    """
    check_seconds("within", within)
    legs = Legs(seat)
    at = source_line() if seat.explains else ""
    together = False
    raised: Exception | None = None
    try:
        yield legs
        await _wait(seat, legs.orders, within)
        if not all(map(_filled, legs.orders)):
            with seat.leaving(LEAVE_WITHIN):
                await withdraw(legs.orders)
        together = all(map(_filled, legs.orders))  # A fill may have overtaken its cancel.
        if not together:
            raise LegsApart(f"not all legs were filled, so none is held: {legs.orders}")
    except Exception as exc:
        raised = exc
        raise
    finally:
        if not together:
            try:
                because = Because("undone: not all legs were filled", at) if seat.explains else None
                await get_flat(seat, [*legs.orders], because)
            except Unsettled as left:
                raise left from raised


def _filled(order: Order) -> bool:
    return order.remaining <= 0


async def _wait(seat: OrderSeat, orders: list[Order], within: float) -> None:
    """Wait until all are filled, or one never will be, or time is over."""
    news = seat.signal()

    def changed(_: Order) -> None:
        news.notify()

    def decided() -> bool:
        short = any(not order.is_open and not _filled(order) for order in orders)
        return short or not any(order.is_open for order in orders)

    seat.watch_orders(changed)
    try:
        with trio.move_on_after(within):
            await news.until(decided)
    finally:
        seat.unwatch_orders(changed)
