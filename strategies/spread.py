"""Spread of two instruments: both legs or neither, because the second block stands inside the first."""

import trio

from strategykit import Bars, OrderEnded, Strategy, define, param, sma


@define
class Spread(Strategy):
    """Buy the leg that has fallen behind and sell the other, when their ratio strays; out when it is back."""

    near: str
    far: str
    window: int = param(30, low=5, high=500, help="bars in the average ratio")
    entry: float = param(0.004, low=0.0001, high=0.2, help="distance from the average ratio that opens the trade")
    leave: float = param(0.001, low=0.0, high=0.2, help="distance at which it is closed")
    hold: float = param(1800.0, low=1.0, help="seconds after which it is closed anyway")
    quantity: int = param(1, low=1, help="lots a leg")
    interval: str = param("1m", help="length of a bar")

    first = Bars("{near}", "{interval}", history=200)
    second = Bars("{far}", "{interval}", history=200)

    async def run(self) -> None:
        ratio = self.first.close / self.second.close
        distance = ratio / sma(ratio, self.window) - 1
        while True:
            await self.when((distance > self.entry) | (distance < -self.entry))
            if (distance > 0).now:
                dear, cheap, back = self.near, self.far, distance < self.leave
            else:
                dear, cheap, back = self.far, self.near, distance > -self.leave
            try:
                # If the second leg fails, leaving the first block undoes the first leg.
                async with self.long(self.quantity, instrument=cheap), self.short(self.quantity, instrument=dear):
                    with trio.move_on_after(self.hold):
                        await self.when(back)
                await self.when(back)  # If time was over first: not the same trade again.
            except OrderEnded as refusal:
                self.log(f"no spread: {refusal}")
                await trio.sleep(10)
