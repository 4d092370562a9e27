"""Getting flat: withdraw orders, wait for the venue's word, and trade away what their fills have left."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Final, Protocol

import trio

from strategykit.errors import StrategykitError, Unsettled
from strategykit.model.events import Side
from strategykit.model.orders import OrderRequest, OrderState, OrderType
from strategykit.runtime.because import Because
from strategykit.runtime.order import Order
from strategykit.runtime.waking import Signal

__all__ = [
    "LEAVE_WITHIN",
    "REMEMBERED",
    "LateFills",
    "OrderSeat",
    "check_settled",
    "get_flat",
    "lots_held",
    "trades_away",
    "withdraw",
]

LEAVE_WITHIN: Final = 30.0
"""Seconds that a scope may take to get flat or rid of its orders; then it says what is left."""

FIRED_WITHIN: Final = 2.0
"""Seconds for an order that is closing the position at this moment, such as a stop that has fired: a cancel would only
be a second word on it. Then it is withdrawn as any other."""

SHORTEST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
"""Seconds between two exits of which the first one didn't do it."""

REMEMBERED: Final = 100
"""Scopes that have ended, of which late fills are undone: what comes later than a hundred trades is for the report."""


class OrderSeat(Protocol):
    """What scopes that place orders need of the strategy's desk."""

    def submit(
        self,
        side: Side,
        quantity: Decimal | int,
        *,
        instrument: str | None = None,
        limit: Decimal | float | None = None,
        stop: Decimal | float | None = None,
        undoes: Sequence[Order] = (),
        because: Because | None = None,
    ) -> Order:
        """Place an order; `undoes` are those whose fills it trades away, `because` says why no strategy's line does."""
        ...

    @property
    def explains(self) -> bool:
        """Whether somebody writes down why orders are placed."""
        ...

    async def lane_open(self, *, to_open: bool = False) -> None:
        """Return when orders can be sent that close something, or those that open it, too."""
        ...

    def signal(self) -> Signal:
        """Make something that tasks of the run can wait for."""
        ...

    def watch_orders(self, callback: Callable[[Order], None]) -> None:
        """Call back with each order of the strategy that changes, until `unwatch_orders`."""
        ...

    def unwatch_orders(self, callback: Callable[[Order], None]) -> None: ...
    def ended_flat(self, orders: list[Order], at: str = "") -> None:
        """A scope, begun by the strategy's line `at`, has ended flat: late fills of `orders` are traded away."""
        ...

    def log(self, text: str) -> None: ...
    def leaving(self, seconds: float) -> AbstractContextManager[trio.CancelScope]:
        """Open a shielded, bounded scope for cleaning up, which a run that is in a hurry can cancel."""
        ...


def lots_held(orders: Iterable[Order]) -> dict[str, Decimal]:
    """Give the lots that the fills of `orders` have left, by instrument; below 0 where they were sold."""
    held: dict[str, Decimal] = {}
    for order in orders:
        held[order.instrument] = held.get(order.instrument, Decimal(0)) + order.filled_quantity * order.side.sign
    return {instrument: lots for instrument, lots in held.items() if lots}


def trades_away(orders: Iterable[Order], request: OrderRequest) -> bool:
    """Whether `request` trades away what fills of `orders` have left of its instrument, or a part of that.

    Of two blocks that hold one instrument on both sides neither closes anything by the sum of both.
    """
    lots = lots_held(orders).get(request.instrument, Decimal(0))
    return lots * request.side.sign < 0 and request.quantity <= abs(lots)


async def withdraw(orders: Sequence[Order]) -> None:
    """Cancel what is unfilled and wait for the venue's word; market orders that close what is held get a moment."""
    held = lots_held(orders)
    closing = [
        order
        for order in orders
        if order.is_open
        and order.request.type is OrderType.MARKET
        and order.side.sign * held.get(order.instrument, Decimal(0)) < 0
    ]
    for order in orders:
        if order not in closing:
            order.cancel_nowait()
    with trio.move_on_after(FIRED_WITHIN):
        for order in closing:
            await order.ended()
    for order in orders:
        order.cancel_nowait()
    for order in orders:
        await order.ended()


async def get_flat(seat: OrderSeat, orders: list[Order], because: Because | None = None) -> None:
    """Withdraw `orders`, and trade away what their fills have left; shielded, and bounded by `LEAVE_WITHIN`.

    Never two exits at a time: whatever may still be filled has to be over before what is left is counted.

    Args:
        seat: Places exits.
        orders: All that the scope has placed; exits are added to it.
        because: Why, for whoever asks later what placed the exits; None: nobody will.

    Raises:
        Unsettled: It isn't known to be flat.
    """
    tried: list[str] = []
    with seat.leaving(LEAVE_WITHIN):
        await withdraw(orders)
        await _trade_away(seat, orders, tried, because)
    check_settled(orders, tried)
    seat.ended_flat(orders, "" if because is None else because.at)


async def _trade_away(seat: OrderSeat, orders: list[Order], tried: list[str], because: Because | None) -> None:
    """Sell what was bought, and buy back what was sold, until the fills say that nothing is left."""
    pause = SHORTEST_PAUSE
    while held := lots_held(orders):
        await seat.lane_open()
        exits = [_exit(seat, orders, instrument, lots, tried, because) for instrument, lots in held.items()]
        placed = [order for order in exits if order is not None]
        orders += placed
        for order in placed:
            await order.ended()
        failed = [order for order in placed if order.state is not OrderState.FILLED]
        for order in failed:
            tried.append(f"exit {order.client_order_id} ended {order.state.value}: {order.reason}")
            seat.log(f"{tried[-1]}; trying again")
        if failed or len(placed) < len(exits):
            await trio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)


def _exit(
    seat: OrderSeat,
    orders: Sequence[Order],
    instrument: str,
    lots: Decimal,
    tried: list[str],
    because: Because | None,
) -> Order | None:
    side = Side.SELL if lots > 0 else Side.BUY
    try:
        return seat.submit(side, abs(lots), instrument=instrument, undoes=orders, because=because)
    except StrategykitError as exc:  # A limit of ours, or of the venue's: it may let the next one pass.
        if str(exc) not in tried[-1:]:
            tried.append(str(exc))
            seat.log(f"no exit from {instrument}: {exc}; trying again")
        return None


def check_settled(orders: Sequence[Order], tried: Sequence[str] = ()) -> None:
    """Pass if `orders` are over and have left nothing.

    Raises:
        Unsettled: They aren't, or haven't.
    """
    held = lots_held(orders)
    doubtful = [order for order in orders if order.is_open or order.fills_missing]
    if not held and not doubtful:
        return
    names = dict.fromkeys([*held, *(order.instrument for order in doubtful)])
    left = ", ".join(
        f"{held.get(name, Decimal(0))} lots are left" + (f" of {name}" if len(names) > 1 else "") for name in names
    )
    raise Unsettled(
        f"{', '.join(names)}: not known to be flat; {left} by the fills so far"
        + (f", and {doubtful} are undecided" if doubtful else "")
        + (f" ({tried[-1]})" if tried else ""),
        left=held,
        doubtful=[order.client_order_id for order in doubtful],
    )


class LateFills:
    """What scopes left flat stays flat: a fill that a venue tells after it has said that the order is over is undone.

    Args:
        seat: The strategy's desk.
        start: Starts a task of the strategy.
    """

    def __init__(self, seat: OrderSeat, start: Callable[..., None]) -> None:
        self._seat = seat
        self._start = start
        self._scopes: deque[list[Order]] = deque()
        self._scope_of: dict[str, tuple[list[Order], str]] = {}
        """By client order id, with the line that began it."""
        self.any = False
        """Whether a scope has ever ended."""
        self._busy: set[int] = set()
        """Scopes that are being undone."""

    def add(self, orders: list[Order], at: str = "") -> None:
        """Remember the orders of a scope that has ended flat, and the strategy's line that began it."""
        self.any = True
        if orders and orders[0].client_order_id not in self._scope_of:
            self._scopes.append(orders)
        for order in orders:
            self._scope_of[order.client_order_id] = orders, at
        if len(self._scopes) > REMEMBERED:
            for order in self._scopes.popleft():
                del self._scope_of[order.client_order_id]

    def look(self, order: Order) -> None:
        """Something has happened to `order`: see whether its scope isn't flat any more."""
        scope = self._scope_of.get(order.client_order_id)
        if scope is not None and id(scope[0]) not in self._busy and lots_held(scope[0]):
            self._busy.add(id(scope[0]))
            self._start(self._undo, *scope)

    async def _undo(self, orders: list[Order], at: str) -> None:
        left = ", ".join(f"{lots:+} {instrument}" for instrument, lots in lots_held(orders).items())
        self._seat.log(f"filled after the venue had said that it was over, and undone: {left}")
        try:
            await get_flat(self._seat, orders, Because("undone: filled after the block had ended", at))
        finally:
            self._busy.discard(id(orders))
