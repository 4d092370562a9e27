"""Average cross with a stop: a position is a block of code, and the stop is a way out of it."""

from strategykit import Bars, OrderEnded, Strategy, define, param, sma


@define
class Cross(Strategy):
    """Long while the fast average is above the slow one; out on the cross back or at the stop."""

    instrument: str
    fast: int = param(10, low=2, high=50, help="bars in the fast average")
    slow: int = param(30, low=3, high=200, help="bars in the slow average")
    stop: float = param(0.02, low=0.0005, high=0.2, help="loss that ends the trade, as a part of the entry price")
    quantity: int = param(1, low=1, help="lots")
    interval: str = param("1m", help="length of a bar")

    bars = Bars("{instrument}", "{interval}", history=100)

    async def run(self) -> None:
        fast, slow = sma(self.bars, self.fast), sma(self.bars, self.slow)
        while True:
            await self.when(fast < slow)
            await self.when(fast > slow)
            try:
                async with self.long(self.quantity, stop=self.stop):
                    await self.when(fast < slow)
            except OrderEnded as refusal:
                self.log(f"no entry: {refusal}")
