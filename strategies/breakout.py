"""Breakout with a time stop: Trio's own deadline ends the trade, live and in replay alike."""

import trio

from strategykit import Bars, OrderEnded, Strategy, define, highest, lowest, param


@define
class Breakout(Strategy):
    """Trade in the direction of a close beyond those before it; out at the stop, the target, or when time is over."""

    instrument: str
    window: int = param(20, low=2, high=200, help="bars before, whose highest and lowest close have to be broken")
    hold: float = param(900.0, low=1.0, help="seconds after which the trade is over, whatever it made")
    stop: float = param(0.01, low=0.0005, high=0.2, help="loss that ends the trade, as a part of the entry price")
    target: float = param(0.02, low=0.0005, high=0.5, help="gain that ends the trade, as a part of the entry price")
    quantity: int = param(1, low=1, help="lots")
    interval: str = param("1m", help="length of a bar")

    bars = Bars("{instrument}", "{interval}", history=100)

    async def run(self) -> None:
        top, bottom = highest(self.bars, self.window, of="close"), lowest(self.bars, self.window, of="close")
        while True:
            # A new loop each time: bars that came while a trade was on are no news any more. The extremes take each bar
            # in before the loop gets it, so what a close has to break is what they were one bar earlier.
            high, low = top.value, bottom.value
            async for bar in self.bars:
                if high is not None and bar.close > high:
                    enter = self.long
                    break
                if low is not None and bar.close < low:
                    enter = self.short
                    break
                high, low = top.value, bottom.value
            try:
                async with enter(self.quantity, stop=self.stop, target=self.target) as holding:
                    await trio.sleep(self.hold)
                    holding.end("time")
            except OrderEnded as refusal:
                self.log(f"no entry: {refusal}")
