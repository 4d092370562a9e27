"""Orders at a high pace, for programs that are killed; what it is told of them is noted outside of the program."""

from __future__ import annotations

import os

import trio

from strategykit import Fill, Order, Quotes, Side, Strategy, TimeInForce, define, param

TOLD = int(os.environ["STRATEGYKIT_TOLD"])


@define
class KillTrader(Strategy):
    """Place and cancel at random. No amends and no stops: each client order id stands for one order at the venue."""

    instrument: str
    pace: float = param(0.01, low=0.001, help="seconds between two actions, on average")
    most: int = param(8, low=0, help="orders that may be open; 0: place none")
    held: int = param(20, low=1, help="lots that may be held, either way")

    quotes = Quotes("{instrument}")

    def on_fill(self, fill: Fill) -> None:
        os.write(TOLD, f"fill {fill.venue_order_id} {fill.trade_id}\n".encode())

    def on_order(self, order: Order) -> None:
        if order.venue_order_id is not None:
            os.write(TOLD, f"order {order.client_order_id} {order.venue_order_id}\n".encode())

    async def run(self) -> None:
        draw = self.random
        await self.when(self.quotes.bid < self.quotes.ask)
        os.write(TOLD, b"begun\n")
        while True:
            await trio.sleep(draw.uniform(0.2, 1.8) * self.pace)
            orders = self.open_orders()
            working = [order for order in orders if order.venue_order_id is not None]
            if working and draw.random() < 0.3:
                draw.choice(working).cancel_nowait()
            elif len(orders) < self.most:
                self.place()

    def place(self) -> Order | None:
        draw, tick, quote = self.random, float(self.instrument_of().tick), self.quotes.last
        if quote is None or quote.bid is None or quote.ask is None:
            return None
        held = self.position()
        side = draw.choice([Side.BUY, Side.SELL])
        if abs(held) >= self.held:
            side = Side.SELL if held > 0 else Side.BUY
        send = self.buy_nowait if side is Side.BUY else self.sell_nowait
        near, far = (quote.bid, quote.ask) if side is Side.BUY else (quote.ask, quote.bid)
        lots, kind = draw.randint(1, 3), draw.random()
        if kind < 0.2:
            return send(lots)
        if kind < 0.4:
            return send(lots, limit=far, time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL)
        return send(lots, limit=near - side.sign * draw.randint(-1, 8) * tick)
