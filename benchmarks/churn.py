"""Orders of every kind, as many as the strategy dares: food for the campaign of faults."""

from __future__ import annotations

from decimal import Decimal

import trio

from strategykit import Order, OrderRefused, Quotes, Side, Strategy, TimeInForce, Trades, define, param


@define
class Churn(Strategy):
    """Place, amend and cancel at random, never more than `most` at a time, never far from flat."""

    instrument: str
    pace: float = param(0.1, low=0.001, help="seconds between two actions, on average")
    most: int = param(12, low=1, help="orders that may be open")
    held: int = param(20, low=1, help="lots that may be held, either way")

    quotes = Quotes("{instrument}")
    trades = Trades("{instrument}")

    async def run(self) -> None:
        draw = self.random
        await self.when(self.quotes.bid < self.quotes.ask)
        orders: list[Order] = []
        while True:
            await trio.sleep(draw.uniform(0.2, 1.8) * self.pace)
            orders = [order for order in orders if order.is_open]
            action = draw.random()
            working = [order for order in orders if order.venue_order_id is not None]
            if working and action < 0.15:
                draw.choice(working).cancel_nowait()
            elif working and action < 0.3:
                self.start(self.move, draw.choice(working), draw.uniform(-3, 3))
            elif len(orders) < self.most:
                orders += self.place(draw.random())

    def place(self, kind: float) -> list[Order]:
        draw, tick = self.random, float(self.instrument_of().tick)
        quote = self.quotes.last
        if quote is None or quote.bid is None or quote.ask is None:
            return []
        held = self.position()
        side = draw.choice([Side.BUY, Side.SELL])
        if abs(held) >= self.held:
            side = Side.SELL if held > 0 else Side.BUY
        send = self.buy_nowait if side is Side.BUY else self.sell_nowait
        lots = draw.randint(1, 3)
        near = quote.bid if side is Side.BUY else quote.ask
        if kind < 0.2:
            return [send(lots)]
        if kind < 0.3:
            far = quote.ask if side is Side.BUY else quote.bid
            return [send(lots, limit=far, time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL)]
        if kind < 0.4:
            trigger = near + side.sign * draw.randint(1, 20) * tick
            return [send(lots, stop=trigger, limit=draw.choice([None, trigger - side.sign * 2 * tick]))]
        return [send(lots, limit=near - side.sign * draw.randint(-1, 8) * tick)]

    async def move(self, order: Order, ticks: float) -> None:
        price = order.request.price
        if price is None:
            return
        try:
            await order.amend(limit=price + round(ticks) * self.instrument_of().tick)
        except OrderRefused as refusal:
            self.log(f"not moved: {refusal}")

    def on_order(self, order: Order) -> None:
        if not isinstance(order.filled_quantity, Decimal):
            raise TypeError(f"{order!r}")
