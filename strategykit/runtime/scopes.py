"""Blocks that must end well: a position held, orders working, a stream fresh."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from decimal import Decimal
from typing import Any, Final, Protocol

import attrs
import trio

from strategykit.errors import OrderEnded, RiskLimit, StrategykitError
from strategykit.model.events import Bar, BookSnapshot, Quote, Side, Ticker, Trade
from strategykit.model.orders import OrderState
from strategykit.runtime.feeds import Feed
from strategykit.runtime.order import Order

__all__ = ["Freshness", "Holding", "Seat", "fresh_scope", "hold_scope", "working_scope"]

ENTER_WITHIN: Final = 5.0
"""Seconds that an entry waits for the order lane: longer, and the reason for it may be gone."""

LEAVE_WITHIN: Final = 30.0
"""Seconds that a scope may take to get flat or rid of its orders; then it says what is left."""


class Seat(Protocol):
    """What a scope needs of the strategy's desk."""

    def submit(self, side: Side, quantity: Decimal | int, *, instrument: str | None = None) -> Order: ...
    async def lane_open(self) -> None:
        """Return when orders can be sent."""
        ...

    def feeds_of(self, instrument: str) -> list[Feed[Any]]: ...
    def log(self, text: str) -> None: ...
    def start_in(
        self, nursery: trio.Nursery, function: Callable[..., Awaitable[object]], *arguments: object
    ) -> None: ...
    def leaving(self, seconds: float) -> AbstractContextManager[trio.CancelScope]:
        """Open a shielded, bounded scope for cleaning up, which a run that is in a hurry can cancel."""
        ...


@attrs.define(eq=False)
class Holding:
    """A position that a block holds. It is a nursery: `start` runs helpers that end with it."""

    instrument: str
    side: Side
    entry: Order
    exits: list[Order]
    _nursery: trio.Nursery
    _start_in: Callable[..., None]
    ended_by: str = "block"
    """``"stop"`` or ``"target"`` if one of these ended it, or what `end` was given; else ``"block"``."""

    @property
    def quantity(self) -> Decimal:
        """Lots still held."""
        return self.entry.filled_quantity - sum((order.filled_quantity for order in self.exits), Decimal(0))

    @property
    def entry_price(self) -> Decimal:
        """Mean price of the entry."""
        price = self.entry.average_price
        if price is None:
            raise OrderEnded(f"{self.entry.client_order_id} has no fill yet")
        return price

    def start(self, function: Callable[..., Awaitable[object]], *arguments: object) -> None:
        """Start a helper that ends with the block."""
        self._start_in(self._nursery, function, *arguments)

    def end(self, reason: str) -> None:
        """Cancel the block and get flat; the first reason stands."""
        if self.ended_by == "block":
            self.ended_by = reason
        self._nursery.cancel_scope.cancel()


def _price_of(event: object, side: Side) -> float | None:
    """Give the price at which a holding of `side` could be left, as far as `event` tells."""
    match event:
        case Trade(price=price):
            return price
        case Bar(close=close):
            return close
        case Ticker(last=last):
            return last
        case Quote(bid=bid, ask=ask):
            return bid if side is Side.BUY else ask
        case BookSnapshot(bid_prices=bids, ask_prices=asks):
            prices = bids if side is Side.BUY else asks
            return prices[0] if prices else None
    return None


@asynccontextmanager
async def hold_scope(
    seat: Seat,
    side: Side,
    quantity: Decimal | int,
    *,
    instrument: str,
    stop: float | None,
    target: float | None,
) -> AsyncGenerator[Holding]:
    """Enter at the market, yield, and get flat on every way out.

    Raises:
        OrderEnded: The entry ended unfilled.
        StrategykitError: Flatness couldn't be reached in `LEAVE_WITHIN` seconds; the message says what is left.
    """
    for name, value in (("stop", stop), ("target", target)):
        if value is not None and value <= 0:
            raise RiskLimit(f"{name} must be a part of the price above 0, not {value}")
    feeds = seat.feeds_of(instrument)
    if (stop is not None or target is not None) and not feeds:
        raise RiskLimit(f"a stop or target on {instrument} needs a stream of its prices; declare one")
    # A wire that is being restored is no reason to fail; if it takes longer, the order is refused and says why.
    with trio.move_on_after(ENTER_WITHIN):
        await seat.lane_open()
    entry = seat.submit(side, quantity, instrument=instrument)
    exits: list[Order] = []
    raised: Exception | None = None
    try:
        await entry.ended()
        if not entry.filled_quantity:
            raise OrderEnded(f"entry {entry.client_order_id} ended {entry.state.value}: {entry.reason or 'no fill'}")
        try:
            async with trio.open_nursery() as nursery:
                holding = Holding(instrument, side, entry, exits, nursery, seat.start_in)

                def watch(event: object) -> None:
                    price = _price_of(event, side)
                    if price is None:
                        return
                    gain = (price / float(holding.entry_price) - 1) * side.sign
                    if stop is not None and gain <= -stop:
                        holding.end("stop")
                    elif target is not None and gain >= target:
                        holding.end("target")

                if stop is not None or target is not None:
                    for feed in feeds:
                        feed.watch(watch)
                try:
                    yield holding
                except Exception as exc:
                    raised = exc
                    raise
                finally:
                    for feed in feeds:
                        feed.unwatch(watch)
                nursery.cancel_scope.cancel()
        except ExceptionGroup as group:
            # What the block itself raised comes out as it is; only helpers that failed make a group of it.
            if group.exceptions != (raised,):
                raise
    finally:
        await _get_flat(seat, entry, exits)
    if raised is not None:
        raise raised


def _left(entry: Order, exits: list[Order]) -> Decimal:
    return entry.filled_quantity - sum((order.filled_quantity for order in exits), Decimal(0))


async def _get_flat(seat: Seat, entry: Order, exits: list[Order]) -> None:
    """Sell what was bought, or buy back what was sold, and see it filled; shielded and bounded."""
    with seat.leaving(LEAVE_WITHIN):
        await _sell_out(seat, entry, exits)
    doubtful = [order for order in (entry, *exits) if order.is_open]
    if _left(entry, exits) or doubtful:
        raise StrategykitError(
            f"{entry.instrument}: not known to be flat; {_left(entry, exits)} lots are left by the fills so far"
            + (f", and {doubtful} are undecided" if doubtful else "")
        )


async def _sell_out(seat: Seat, entry: Order, exits: list[Order]) -> None:
    entry.cancel_nowait()
    await entry.ended()
    pause = 0.1
    while (left := _left(entry, exits)) > 0:
        order = seat.submit(entry.side.opposite, left, instrument=entry.instrument)
        exits.append(order)
        if await order.ended() is not OrderState.FILLED:
            seat.log(f"exit {order.client_order_id} ended {order.state.value}: {order.reason}; trying again")
            await trio.sleep(pause)
            pause = min(pause * 2, 5.0)


@asynccontextmanager
async def working_scope(seat: Seat, orders: tuple[Order, ...]) -> AsyncGenerator[None]:
    """Yield; on leaving, cancel what is unfilled and wait for the venue's word, shielded and bounded.

    Raises:
        StrategykitError: The venue's word didn't come in `LEAVE_WITHIN` seconds.
    """
    try:
        yield
    finally:
        with seat.leaving(LEAVE_WITHIN) as scope:
            for order in orders:
                order.cancel_nowait()
            for order in orders:
                await order.ended()
        if scope.cancelled_caught:
            left = [order for order in orders if order.is_open]
            raise StrategykitError(f"still undecided {LEAVE_WITHIN:g} s after their cancel: {left}")


@attrs.define(eq=False)
class Freshness:
    """How a `fresh_scope` ended."""

    stale: bool = False
    """True if silence ended the block."""


@asynccontextmanager
async def fresh_scope(feed: Feed[Any], *, within: float) -> AsyncGenerator[Freshness]:
    """Yield while `feed` is alive; every event pushes the deadline on by `within` seconds."""
    freshness = Freshness()
    with trio.move_on_after(within) as scope:

        def push(_: object) -> None:
            scope.deadline = trio.current_time() + within

        feed.watch(push)
        try:
            yield freshness
        finally:
            feed.unwatch(push)
    freshness.stale = scope.cancelled_caught
