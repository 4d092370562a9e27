"""Hold two lots for three seconds, then try to buy one more, and withdraw a bid."""

from __future__ import annotations

import trio

from strategykit import OrderRefused, Quotes, Strategy, define


@define
class Careful(Strategy):
    """Meets a disk that has troubles, and leaves."""

    instrument: str

    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid > 0)
        bid = self.buy_nowait(1, limit=round((self.quotes.bid.value or 0) * 0.99, 2))
        async with self.long(2):
            await trio.sleep(3.0)
            try:
                await self.buy(1)
            except OrderRefused as refusal:
                self.log(str(refusal))
            await bid.cancel()
