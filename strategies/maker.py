"""Market maker: quote both sides while the book is fresh; whatever happens, no order outlives its block."""

from decimal import Decimal

import trio

from strategykit import Books, Order, Strategy, define, param


@define
class Maker(Strategy):
    """Keep a bid and an offer around the middle; lean against the position; leave when the book goes quiet."""

    instrument: str
    edge: int = param(2, low=1, high=100, help="ticks from the middle to each quote")
    quantity: int = param(1, low=1, help="lots a quote")
    most: int = param(5, low=1, help="lots held at the most, either way")
    refresh: float = param(1.0, low=0.05, help="seconds between two looks at the quotes")
    quiet: float = param(5.0, low=0.1, help="seconds without a book after which the quotes are withdrawn")

    book = Books("{instrument}", depth=10, every=50)

    async def run(self) -> None:
        while True:
            async with self.fresh(self.book, within=self.quiet):
                await self.quote()

    async def quote(self) -> None:
        """Place both quotes, wait, withdraw them, and again, until cancelled."""
        tick = self.instrument_of().tick
        while True:
            middle, held = self.book.mid, self.position()
            orders: list[Order] = []
            if middle is not None:
                # Holding a lot moves both quotes by a tick towards getting rid of it.
                fair = Decimal(str(middle)) - held * tick
                if held < self.most:
                    quantity = min(Decimal(self.quantity), self.most - held)
                    orders.append(self.buy_nowait(quantity, limit=float(fair - self.edge * tick)))
                if held > -self.most:
                    quantity = min(Decimal(self.quantity), self.most + held)
                    orders.append(self.sell_nowait(quantity, limit=float(fair + self.edge * tick)))
            async with self.working(*orders):
                await trio.sleep(self.refresh)
