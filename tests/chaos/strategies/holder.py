"""A strategy that trades in blocks only: when one has ended well, nothing of it may be held."""

from __future__ import annotations

import trio

from strategykit import Books, Side, Strategy, StrategykitError, define, param


@define
class Holder(Strategy):
    instrument: str
    pace: float = param(2.0, low=0.01, help="seconds between two blocks, on average")

    books = Books("{instrument}")

    async def run(self) -> None:
        draw = self.random
        await self.when(self.books.bid < self.books.ask)
        while True:
            await trio.sleep(draw.uniform(0.1, 1.9) * self.pace)
            await self.hold(draw.choice([Side.BUY, Side.SELL]), draw.randint(1, 3))

    async def hold(self, side: Side, lots: int) -> None:
        block = self.long if side is Side.BUY else self.short
        held = None
        try:
            async with block(lots, stop=0.002, target=0.002) as held:
                await trio.sleep(self.random.uniform(0.0, 1.5) * self.pace)
                if self.random.random() < 0.2:
                    raise ZeroDivisionError("the block broke")
        except* ZeroDivisionError:
            pass
        except* StrategykitError as group:
            # It says what is left, or never got in.
            self.log(f"block: {group.exceptions[0]}")
            held = None
        if held is not None and held.quantity:
            raise AssertionError(f"a block has ended, and {held.quantity} lots are held")
