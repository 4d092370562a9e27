"""A strategy that does one thing in a scope of its own, for somebody to cancel, and looks at what is left then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import trio

from strategykit import (
    Books,
    LegsApart,
    Order,
    OrderSpec,
    Side,
    Strategy,
    StrategykitError,
    TimeInForce,
    Trades,
    define,
)

__all__ = ["FLAT", "SCENARIOS", "WITHDRAWN", "Interrupted"]


@define
class Interrupted(Strategy):
    instrument: str
    scenario: str

    books = Books("{instrument}")
    trades = Trades("{instrument}")

    def __attrs_post_init__(self) -> None:
        self.inside = False
        self.scope = trio.CancelScope()
        self.done = False
        """Whether it was through before anybody cancelled it."""
        self.broke = False
        """Whether what it did raised."""
        self.left: list[str] = []
        """What lies behind a block that leaves nothing, however it was left."""

    async def run(self) -> None:
        await self.when(self.books.bid < self.books.ask)
        await trio.sleep(0.2)
        orders = [self.rest(Side.BUY)] if self.scenario in _NEEDS_ORDER else []
        for order in orders:
            await order.accepted()
        try:
            with self.scope:
                self.inside = True
                try:
                    await SCENARIOS[self.scenario](self, *orders)
                    self.done = True
                finally:
                    self.inside = False
                    # Looked at before anything is put away, and before the run puts anything away.
                    self.left += self.leftovers(besides=orders)
        except* ZeroDivisionError:
            self.broke = True
        for order in self.open_orders():
            await order.cancel()
        while held := self.position():
            send = self.sell_nowait if held > 0 else self.buy_nowait
            await send(abs(held)).ended()

    def leftovers(self, *, besides: Sequence[Order]) -> Iterator[str]:
        if self.scenario in FLAT and self.position():
            yield f"{self.position()} lots are held behind the block"
        if self.scenario in WITHDRAWN:
            yield from (f"{order!r} is open behind the block" for order in self.open_orders() if order not in besides)

    def price(self, side: Side, ticks: int) -> float:
        """Give a price so many ticks away from the best of a side, outwards."""
        best = self.books.best_bid if side is Side.BUY else self.books.best_ask
        assert best is not None
        return best - side.sign * ticks * float(self.instrument_of().tick)

    def rest(self, side: Side) -> Order:
        """Place an order that stays."""
        send = self.buy_nowait if side is Side.BUY else self.sell_nowait
        return send(2, limit=self.price(side, 4))

    def take(self) -> Order:
        """Place an order that is filled at once."""
        return self.buy_nowait(2)


async def _buy(self: Interrupted) -> None:
    await self.buy(2)


async def _buy_limit(self: Interrupted) -> None:
    await self.buy(1, limit=self.price(Side.BUY, 5), time_in_force=TimeInForce.DAY)


async def _sell(self: Interrupted) -> None:
    await self.sell(1, limit=self.price(Side.SELL, 3))


async def _sell_stop(self: Interrupted) -> None:
    await self.sell(1, stop=self.price(Side.BUY, 40))


async def _accepted(self: Interrupted) -> None:
    await self.rest(Side.SELL).accepted()


async def _filled(self: Interrupted) -> None:
    await self.take().filled()


async def _ended(self: Interrupted) -> None:
    await self.take().ended()


async def _known(self: Interrupted, order: Order) -> None:
    await order.known()


async def _cancel(self: Interrupted, order: Order) -> None:
    await order.cancel()


async def _amend(self: Interrupted, order: Order) -> None:
    await order.amend(limit=self.price(Side.BUY, 7), quantity=3)


async def _fills(self: Interrupted) -> None:
    async for _ in self.take().fills():
        await trio.sleep(0.01)


async def _one_cancels_other(self: Interrupted) -> None:
    high, low = self.price(Side.SELL, 9), self.price(Side.BUY, 30)
    await self.one_cancels_other(OrderSpec(Side.SELL, 1, limit=high), OrderSpec(Side.SELL, 1, stop=low))


async def _bracket(self: Interrupted) -> None:
    entry = OrderSpec(Side.BUY, 1, limit=self.price(Side.BUY, 6))
    await self.bracket(entry, target=self.price(Side.SELL, 30), stop=self.price(Side.BUY, 40))


async def _long(self: Interrupted) -> None:
    async with self.long(2):
        await trio.sleep(0.03)


async def _long_protected(self: Interrupted) -> None:
    async with self.long(3, limit=self.price(Side.SELL, 3), enter_within=1.0, stop=0.01, target=0.05, within=0.2):
        await trio.sleep(0.03)


async def _short_trailing(self: Interrupted) -> None:
    async with self.short(1, trailing=0.02, within=0.03) as holding:
        holding.start(trio.sleep, 0.5)
        await trio.sleep(0.5)


async def _legs(self: Interrupted) -> None:
    with suppress(LegsApart):
        async with self.legs(within=0.03) as legs:
            legs.buy(2)
            legs.sell(1, limit=self.price(Side.SELL, 8))
            await trio.sleep(0.01)


async def _working(self: Interrupted) -> None:
    async with self.working(self.rest(Side.BUY), self.rest(Side.SELL)):
        await trio.sleep(0.02)


async def _fresh(self: Interrupted) -> None:
    async with self.fresh(self.books, within=2.0):
        await self.buy(1, limit=self.price(Side.BUY, 2))
        await trio.sleep(0.02)


async def _when(self: Interrupted) -> None:
    self.take()
    await self.when(self.books.bid < self.books.ask)
    with trio.move_on_after(0.02):
        await self.when(self.books.bid > self.books.ask)


async def _quiet(self: Interrupted, _: Order) -> None:
    """Silence ends what is nested in it."""
    async with self.fresh(self.books, within=0.3), self.long(1), self.working(self.rest(Side.SELL)):
        await trio.sleep(1.5)


async def _stream(self: Interrupted) -> None:
    self.take()
    async for trade in self.trades:
        self.rest(Side.BUY if trade.side is Side.SELL else Side.SELL)
        break
    async for _ in self.books:
        break


async def _sleep_until(self: Interrupted) -> None:
    self.rest(Side.SELL)
    await self.sleep_until(self.now() + 20_000_000)


async def _tolerant(self: Interrupted) -> None:
    """Nested: what is cancelled outside ends the inner block first."""
    try:
        async with self.long(1), self.working(self.rest(Side.SELL)):
            with trio.move_on_after(0.03):
                await (await self.buy(1, limit=self.price(Side.BUY, 2))).ended()
    except StrategykitError as exc:
        self.log(str(exc))


SCENARIOS: Final[dict[str, Callable[..., Awaitable[Any]]]] = {
    "buy": _buy,
    "buy limit": _buy_limit,
    "sell": _sell,
    "sell stop": _sell_stop,
    "accepted": _accepted,
    "filled": _filled,
    "ended": _ended,
    "known": _known,
    "cancel": _cancel,
    "amend": _amend,
    "fills": _fills,
    "one_cancels_other": _one_cancels_other,
    "bracket": _bracket,
    "long": _long,
    "long protected": _long_protected,
    "short": _short_trailing,
    "legs": _legs,
    "working": _working,
    "fresh": _fresh,
    "fresh quiet": _quiet,
    "when": _when,
    "stream": _stream,
    "sleep_until": _sleep_until,
    "nested": _tolerant,
}
"""By the coroutine, or the block, that each is about, and what is special about it."""

FLAT: Final = frozenset({"long", "long protected", "short", "legs", "nested", "fresh quiet"})
"""Blocks behind which nothing may be held, however they were left."""

WITHDRAWN: Final = (FLAT | {"working"}) - {"nested"}
"""Blocks behind which no order is open, however they were left; in the nested ones is one that belongs to none."""

_NEEDS_ORDER: Final = frozenset({"known", "cancel", "amend", "fresh quiet"})
