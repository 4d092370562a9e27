"""A position that a block holds: entered on its terms, watched over, and given up on every way out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Final, Protocol

import attrs
import trio

from strategykit.errors import OrderEnded, Unsettled
from strategykit.model.events import Side
from strategykit.model.instruments import Instrument
from strategykit.runtime.because import BLOCK_EXIT, Because, in_words, source_line
from strategykit.runtime.feeds import Feed
from strategykit.runtime.flatten import get_flat
from strategykit.runtime.levels import Levels, Terms, check_seconds
from strategykit.runtime.order import Order
from strategykit.runtime.protection import PRICED, Guard, GuardSeat, Protection, need_prices

__all__ = ["Holding", "HoldingSeat", "hold_scope"]

ENTER_WITHIN: Final = 5.0
"""Seconds that an entry waits for the order lane: longer, and the reason for it may be gone."""


class HoldingSeat(GuardSeat, Protocol):
    """What a holding needs of the strategy's desk."""

    @property
    def ending(self) -> str:
        """Why the strategy is told to end; empty while it isn't."""
        ...

    def instrument(self, instrument: str | None = None) -> Instrument: ...
    def feeds_of(self, instrument: str) -> list[Feed[Any]]: ...
    def start_in(
        self, nursery: trio.Nursery, function: Callable[..., Awaitable[object]], *arguments: object
    ) -> None: ...


@attrs.define(eq=False)
class Holding:
    """A position that a block holds. It is a nursery: `start` runs helpers that end with it."""

    side: Side
    orders: list[Order]
    """All that were placed for it: the entry, a stop at the venue, the exits."""
    _seat: HoldingSeat
    _nursery: trio.Nursery
    _levels: Levels
    _feeds: list[Feed[Any]]
    """What tells prices."""
    _at: str = ""
    """The strategy's line that asked for it; empty: nobody has to know."""
    ended_by: str = attrs.field(default="block", init=False)
    """``"stop"``, ``"trailing"``, ``"target"`` or ``"time"`` if one of these ended it, or what `end` was given; else
    ``"block"``."""
    guard: Guard = attrs.field(init=False)
    _entering: trio.CancelScope | None = attrs.field(factory=trio.CancelScope, init=False)
    """Around the wait for the entry; None when that is over, and the block may run."""
    _timer: trio.CancelScope | None = attrs.field(default=None, init=False)
    """Lasts as long as the position may; None: it may last."""

    @guard.default
    def _make_guard(self) -> Guard:
        return Guard(self._seat, self._levels, self.orders, self._feeds, self.end, self._at)

    @property
    def entry(self) -> Order:
        return self.orders[0]

    @property
    def exits(self) -> list[Order]:
        """Orders that give it up: a stop at the venue, and what was sold or bought back at the end."""
        return self.orders[1:]

    @property
    def instrument(self) -> str:
        return self.entry.instrument

    @property
    def quantity(self) -> Decimal:
        """Lots still held."""
        return self.guard.held

    @property
    def entry_price(self) -> Decimal:
        """Mean price of the entry."""
        price = self.entry.average_price
        if price is None:
            raise OrderEnded(f"{self.entry.client_order_id} has no fill yet")
        return price

    @property
    def protection(self) -> Protection:
        """Where the stop is now, at which price, and why it isn't at the venue if it could be."""
        return self.guard.protection

    def start(self, function: Callable[..., Awaitable[object]], *arguments: object) -> None:
        """Start a helper that ends with the block."""
        self._seat.start_in(self._nursery, function, *arguments)

    def end(self, reason: str) -> None:
        """Cancel the block and get flat; the first reason stands."""
        if self.ended_by == "block":
            self.ended_by = reason
        (self._entering or self._nursery.cancel_scope).cancel()

    def move_stop(self, price: Decimal | float) -> None:
        """Put the stop at `price`, whether or not there was one; one beyond the market ends the block.

        Raises:
            RiskLimit: `price` can't be one, or nobody tells the program prices.
        """
        self.guard.move(lambda levels: levels.move_stop(price))

    def move_target(self, price: Decimal | float) -> None:
        """Put the target at `price`. See `move_stop`."""
        self.guard.move(lambda levels: levels.move_target(price))

    def trail(self, distance: Decimal | float) -> None:
        """Have a stop trail by `distance` from now on, which is a part of the entry price, or a `Decimal`: in price.

        A stop that trails already doesn't go back.

        Raises:
            RiskLimit: `distance` can't be one, or nobody tells the program prices.
        """
        self.guard.move(lambda levels: levels.move_trail(distance))

    def end_within(self, seconds: float) -> None:
        """Hold it for `seconds` more at the most, whatever was said before.

        Raises:
            RiskLimit: `seconds` aren't above 0.
        """
        check_seconds("within", seconds)
        deadline = trio.current_time() + seconds
        if self._timer is None:
            self._timer = trio.CancelScope(deadline=deadline)
            self.start(self._keep_time, self._timer)
        else:
            self._timer.deadline = deadline

    async def enter(self, within: float | None) -> None:
        """Wait for the entry; what isn't filled in time is withdrawn.

        Raises:
            OrderEnded: Nothing was filled.
            RiskLimit: A stop or target can't be reached from where it was filled.
        """
        entry = self.entry
        assert self._entering is not None
        if within is not None:
            self._entering.deadline = trio.current_time() + within
        with self._entering:
            await entry.ended()
        if entry.is_open:
            entry.cancel_nowait()
            await entry.ended()
        if not entry.filled_quantity:
            raise OrderEnded(f"entry {entry.client_order_id} ended {entry.state.value}: {entry.reason or 'no fill'}")
        self.guard.levels.check()
        self._entering = None
        if self.ended_by != "block":
            self._nursery.cancel_scope.cancel()  # Its stop was reached before all of it was entered.

    async def _keep_time(self, timer: trio.CancelScope) -> None:
        with timer:
            await trio.sleep_forever()
        self.end("time")


@asynccontextmanager
async def hold_scope(
    seat: HoldingSeat, side: Side, quantity: Decimal | int, *, instrument: str, terms: Terms
) -> AsyncGenerator[Holding]:
    """Enter, yield, and get flat on every way out.

    Raises:
        OrderEnded: The entry ended unfilled.
        RiskLimit: The terms make no sense; nothing was sent.
        Unsettled: It isn't known to be flat within `flatten.LEAVE_WITHIN` seconds.
    """
    terms.check(side)
    feeds = [feed for feed in seat.feeds_of(instrument) if feed.stream.kind in PRICED]
    if terms.by_price:
        need_prices(feeds, instrument)
    levels = Levels(seat.instrument(instrument), side, terms)
    # A wire that is being restored is no reason to fail; if it takes longer, the order is refused and says why.
    with trio.move_on_after(ENTER_WITHIN):
        await seat.lane_open(to_open=True)
    orders = [seat.submit(side, quantity, instrument=instrument, limit=terms.limit)]
    at = source_line() if seat.explains else ""
    raised: Exception | None = None
    holding: Holding | None = None
    finished = False
    try:
        try:
            async with trio.open_nursery() as nursery:
                holding = Holding(side, orders, seat, nursery, levels, feeds, at)
                try:
                    with holding.guard.on_duty():
                        if seat.stops_at_venue:
                            holding.start(holding.guard.keep)
                        await holding.enter(terms.enter_within)
                        if terms.within is not None:
                            holding.end_within(terms.within)
                        yield holding
                        finished = True
                except Exception as exc:
                    raised = exc
                    raise
                nursery.cancel_scope.cancel()
        except ExceptionGroup as group:
            # What the block itself raised comes out as it is; only helpers that failed make a group of it.
            if group.exceptions != (raised,):
                raise
    finally:
        because = None
        if seat.explains:
            ended_by = "block" if holding is None else holding.ended_by
            because = Because(_left_by(ended_by, raised, finished=finished, ending=seat.ending), at)
        try:
            await get_flat(seat, orders, because)
        except Unsettled as left:
            if raised is not None:
                raise left from raised
            raise
    if raised is not None:
        raise raised


def _left_by(ended_by: str, raised: Exception | None, *, finished: bool, ending: str) -> str:
    """Say what its exits are placed by."""
    if ended_by in ("stop", "trailing", "target", "time"):
        return in_words(ended_by)
    if ended_by != "block":
        return f"{BLOCK_EXIT}: {ended_by}"
    if raised is not None:
        return f"{BLOCK_EXIT}: {type(raised).__name__}"
    return BLOCK_EXIT if finished else ending or f"{BLOCK_EXIT}: cancelled"
