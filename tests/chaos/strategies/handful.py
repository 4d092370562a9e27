"""A strategy that places some orders of all kinds at once, changes one, and withdraws what is left of them."""

from __future__ import annotations

from decimal import Decimal

import trio

from strategykit import Books, Order, OrderRefused, Strategy, TimeInForce, define, param


@define
class Handful(Strategy):
    instrument: str
    count: int = param(1, low=1, help="orders in flight")
    stays: float = param(0.0, low=0.0, help="seconds for which it doesn't end, after all of them have")

    books = Books("{instrument}")

    def __attrs_post_init__(self) -> None:
        self.trading = False

    async def run(self) -> None:
        await self.when(self.books.bid < self.books.ask)
        await trio.sleep(0.2)
        self.trading = True
        orders = [self.place(number) for number in range(self.count)]
        for number, order in enumerate(orders):
            await self.follow(order, moves=number == 1)
        for order in orders:
            order.cancel_nowait()
        for order in orders:
            await order.ended()
        self.trading = False
        await trio.sleep(self.stays)

    def place(self, number: int) -> Order:
        """Place one that is filled, one that rests, one that is filled or goes, a stop, one that rests elsewhere."""
        tick = float(self.instrument_of().tick)
        bid, ask = self.books.best_bid, self.books.best_ask
        assert bid is not None
        assert ask is not None
        match number:
            case 0:
                return self.buy_nowait(2)
            case 1:
                return self.buy_nowait(1, limit=bid - 3 * tick)
            case 2:
                return self.sell_nowait(1, limit=bid, time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL)
            case 3:
                return self.sell_nowait(1, stop=bid - 30 * tick)
            case _:
                return self.sell_nowait(3, limit=ask + 2 * tick)

    async def follow(self, order: Order, *, moves: bool) -> None:
        try:
            await order.accepted()
            if moves and order.is_open and order.request.price is not None:
                await order.amend(limit=order.request.price - Decimal(2) * self.instrument_of().tick)
        except OrderRefused as refusal:
            self.log(f"refused: {refusal}")
