"""The least in Python: a loop over objects made of the columns, and an exchange of a few lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import repeat
from typing import Final

import attrs

from benchmarks.peers.course import EVERY, FAST, NEVER, SLOW, SYMBOL, Lap, Trades, make_trades

__all__ = ["Counter", "Cross", "Turns", "Waits", "events", "run"]

CHUNK: Final = 8_192


@attrs.define(eq=False)
class Print:
    """A trade."""

    instrument: str
    price: float
    quantity: float
    buys: bool
    time: int


def events(trades: Trades) -> Iterator[Print]:
    """Make the trades, a chunk at a time."""
    for start in range(0, len(trades.times), CHUNK):
        rows = slice(start, start + CHUNK)
        columns = (trades.prices[rows], trades.quantities[rows].astype(float), trades.buys[rows], trades.times[rows])
        yield from map(Print, repeat(SYMBOL), *(column.tolist() for column in columns))


class Counter:
    """Count trades, and add up their prices."""

    orders = 0
    position = 0

    def __init__(self) -> None:
        self.count, self.total = 0, 0.0

    def on_trade(self, trade: Print) -> None:
        self.count += 1
        self.total += trade.price

    def fill(self) -> None:
        """Nothing was ordered."""


class _Trader(Counter):
    """Orders are filled at the next trade."""

    def __init__(self) -> None:
        super().__init__()
        self.orders, self.position, self.asked = 0, 0, 0

    def order(self, lots: int) -> None:
        self.orders += 1
        self.asked += lots

    def fill(self) -> None:
        self.position += self.asked
        self.asked = 0


class Cross(_Trader):
    """Two averages; see `course`."""

    def __init__(self) -> None:
        super().__init__()
        self.fast = self.slow = 0.0
        self.side = 0

    def on_trade(self, trade: Print) -> None:
        if self.asked:
            self.fill()
        price = trade.price
        self.count += 1
        self.total += price
        if self.count == 1:
            self.fast = self.slow = price
            return
        self.fast += 2 / (FAST + 1) * (price - self.fast)
        self.slow += 2 / (SLOW + 1) * (price - self.slow)
        if self.count > SLOW:
            side = 1 if self.fast > self.slow else -1
            if side != self.side:
                self.order(side * (2 if self.side else 1))
                self.side = side


class Turns(_Trader):
    """Buy and sell in turns."""

    every = EVERY

    def on_trade(self, trade: Print) -> None:
        if self.asked:
            self.fill()
        self.count += 1
        self.total += trade.price
        if not self.count % self.every:
            self.order(1 if self.count % (2 * self.every) else -1)


class Waits(Turns):
    """The same, and it is never time."""

    every = NEVER


KINDS: Final[dict[str, type[Counter]]] = {
    "trades": Counter,
    "batches": Counter,
    "cross": Cross,
    "orders": Turns,
    "waits": Waits,
    "ten": Counter,
}


def run(case: str, count: int) -> None:
    """Run one case, and tell."""
    lap = Lap()
    trades = make_trades(count)
    many = [KINDS[case]() for _ in range(10 if case == "ten" else 1)]
    lap.loaded()
    handlers = [one.on_trade for one in many]
    if len(handlers) == 1:
        handler = handlers[0]
        for trade in events(trades):
            handler(trade)
    else:
        for trade in events(trades):
            for handler in handlers:
                handler(trade)
    lap.ran()
    many[0].fill()
    lap.tell(
        count=sum(one.count for one in many),
        total=sum(one.total for one in many),
        orders=many[0].orders,
        position=many[0].position,
        version=sys.version.split()[0],
    )


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]))
