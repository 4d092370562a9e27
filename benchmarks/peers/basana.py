"""basana's backtesting dispatcher; with orders, its exchange, which takes every trade as a bar."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.metadata import version
from typing import Any

import basana as bs
from basana.backtesting import exchange, liquidity
from basana.core.bar import Bar, BarEvent
from basana.core.event import Event, FifoQueueEventSource

from benchmarks.peers.course import FAST, SLOW, SYMBOL, Lap, make_trades

__all__ = ["Print", "run"]

PAIR = bs.Pair(SYMBOL, "RUB")


class Print(Event):  # type: ignore[misc]  # the library's types aren't here
    """A trade."""

    def __init__(self, when: datetime, price: float, quantity: int, buys: bool) -> None:
        super().__init__(when)
        self.price, self.quantity, self.buys = price, quantity, buys


class Counter:
    """Count trades, and add up their prices."""

    def __init__(self) -> None:
        self.count, self.total, self.orders = 0, 0.0, 0

    async def on_trade(self, trade: Print) -> None:
        self.count += 1
        self.total += trade.price


class Cross(Counter):
    """Two averages; see `course`."""

    def __init__(self, venue: Any) -> None:
        super().__init__()
        self.venue = venue
        self.fast = self.slow = 0.0
        self.side = 0

    async def on_bar(self, event: BarEvent) -> None:
        price = float(event.bar.close)
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
                self.orders += 1
                operation = bs.OrderOperation.BUY if side > 0 else bs.OrderOperation.SELL
                await self.venue.create_market_order(operation, PAIR, Decimal(2 if self.side else 1))
                self.side = side


async def run(case: str, count: int) -> None:
    """Run one case, and tell."""
    lap = Lap()
    trades = make_trades(count)
    times = [datetime.fromtimestamp(time / 1e9, UTC) for time in trades.times.tolist()]
    dispatcher = bs.backtesting_dispatcher()
    held = 1_000_000
    venue = exchange.Exchange(
        dispatcher,
        initial_balances={"RUB": Decimal(10**9), SYMBOL: Decimal(held)},
        liquidity_strategy_factory=liquidity.InfiniteLiquidity,
    )
    one: Counter
    if case == "cross":
        venue.set_pair_info(PAIR, bs.PairInfo(0, 2))
        bars = []
        for when, number, lots in zip(times, trades.prices.tolist(), trades.quantities.tolist(), strict=True):
            price = Decimal(str(number))
            bar = Bar(when, PAIR, price, price, price, price, Decimal(lots), timedelta(milliseconds=1))
            bars.append(BarEvent(when, bar))
        venue.add_bar_source(FifoQueueEventSource(events=bars))
        one = Cross(venue)
        venue.subscribe_to_bar_events(PAIR, one.on_bar)
    else:
        one = Counter()
        columns = (trades.prices.tolist(), trades.quantities.tolist(), trades.buys.tolist())
        dispatcher.subscribe(
            FifoQueueEventSource(events=[Print(*row) for row in zip(times, *columns, strict=True)]), one.on_trade
        )
    lap.loaded()
    await dispatcher.run(stop_signals=[])
    lap.ran()
    balance = await venue.get_balance(SYMBOL)
    position = int(balance.total) - held
    lap.tell(count=one.count, total=one.total, orders=one.orders, position=position, version=version("basana"))


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], int(sys.argv[2])))
