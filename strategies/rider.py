"""Trend under a stop that trails: it rests at the venue where that has stops, and then outlives this program."""

from strategykit import Bars, OrderEnded, Strategy, define, ema, param


@define
class Rider(Strategy):
    """Buy when the price rises above its average, by a limit order; let a stop trail, and take no loss after a gain."""

    instrument: str
    window: int = param(20, low=2, high=200, help="bars in the average")
    slip: int = param(5, low=0, high=1_000, help="ticks above the close that the entry pays at the most")
    patience: float = param(10.0, low=0.1, help="seconds for the entry; what isn't filled by then is given up")
    stop: float = param(0.01, low=0.0005, high=0.2, help="loss that ends the trade, as a part of the entry price")
    trailing: float = param(0.02, low=0.0005, high=0.2, help="the same, from the best price since the entry")
    safe: float = param(0.005, low=0.0005, high=0.2, help="gain after which the stop is moved to the entry price")
    hold: float = param(14_400.0, low=1.0, help="seconds after which the trade is over, whatever it made")
    quantity: int = param(1, low=1, help="lots")
    interval: str = param("1m", help="length of a bar")

    bars = Bars("{instrument}", "{interval}", history=200)

    async def run(self) -> None:
        average = ema(self.bars, self.window)
        below, above = self.bars.close < average, self.bars.close > average
        while True:
            await self.when(below)
            await self.when(above)
            close = self.bars.last.close if self.bars.last is not None else 0.0
            try:
                async with self.long(
                    self.quantity,
                    limit=close + self.slip * float(self.instrument_of().tick),
                    enter_within=self.patience,
                    stop=self.stop,
                    trailing=self.trailing,
                    within=self.hold,
                ) as holding:
                    bought = float(holding.entry_price)
                    await self.when((self.bars.close > bought * (1 + self.safe)) | below)
                    if not below.now:
                        holding.move_stop(bought)
                        await self.when(below)
                self.log(f"ended by {holding.ended_by}")
            except OrderEnded as refusal:
                self.log(f"no entry: {refusal}")
