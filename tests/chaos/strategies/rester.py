"""A strategy whose orders rest far from the market, and that tells of all that becomes of them."""

from __future__ import annotations

import trio

from strategykit import Order, Quotes, Strategy, define


@define
class Rester(Strategy):
    instrument: str

    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        """Hold two lots, and bid for one and for three more."""
        await self.when(self.quotes.bid < self.quotes.ask)
        await (await self.buy(2)).filled()
        for lots in (1, 3):
            await self.buy(lots, limit=round((self.quotes.bid.value or 0.0) * 0.95))
        await trio.sleep_forever()

    def on_order(self, order: Order) -> None:
        if order.request.price is not None:
            self.log(f"{order.quantity} {order.state.value}")
