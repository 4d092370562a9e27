"""What is measured: columns in memory, the simulated exchange, every check that it makes of orders."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from importlib.metadata import version
from typing import Any, Final

import numpy as np

from benchmarks.peers.course import EVERY, FAST, NEVER, SLOW, SYMBOL, Lap, Trades, make_trades
from strategykit import Fill, Instrument, Side, Strategy, Trade, define
from strategykit import Trades as TradeStream
from strategykit.columns.batch import TradeBatch
from strategykit.columns.columns import Columns
from strategykit.columns.values import Coded
from strategykit.runtime.backtest import BacktestPlan
from strategykit.runtime.column_backtest import backtest_columns
from strategykit.runtime.column_source import MemoryColumns
from strategykit.runtime.desk import Desk
from strategykit.venues.streams import Stream, StreamKind

__all__ = ["KINDS", "Batches", "Counter", "Cross", "Runner", "Turns", "Waits", "make_columns", "make_plan", "run"]

_SIDES: Final = (Side.BUY, Side.SELL)


@define
class Runner(Strategy):
    """What every course has."""

    trades = TradeStream(SYMBOL)

    def attach(self, desk: Desk) -> None:
        super().attach(desk)
        self.count, self.total, self.placed, self.fills = 0, 0.0, 0, 0
        self.fast = self.slow = 0.0
        self.side = 0


@define
class Counter(Runner):
    """Count trades, and add up their prices."""

    def on_trade(self, trade: Trade) -> None:
        self.count += 1
        self.total += trade.price


@define
class Cross(Runner):
    """Two averages; see `course`."""

    def on_trade(self, trade: Trade) -> None:
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
                self.placed += 1
                (self.buy_nowait if side > 0 else self.sell_nowait)(2 if self.side else 1)
                self.side = side


@define
class Turns(Runner):
    """Buy and sell in turns."""

    every = EVERY

    def on_trade(self, trade: Trade) -> None:
        self.count += 1
        self.total += trade.price
        if not self.count % self.every:
            self.placed += 1
            (self.buy_nowait if self.count % (2 * self.every) else self.sell_nowait)(1)

    def on_fill(self, fill: Fill) -> None:  # noqa: ARG002 - the signature of handlers
        self.fills += 1


@define
class Waits(Turns):
    """The same, and it is never time."""

    every = NEVER


@define
class Batches(Runner):
    """The same as `Counter`, many trades at a time."""

    def on_trades(self, batch: TradeBatch) -> None:
        self.count += len(batch)
        self.total += float(batch.price.sum())


KINDS: Final[dict[str, type[Runner]]] = {
    "trades": Counter,
    "batches": Batches,
    "cross": Cross,
    "orders": Turns,
    "waits": Waits,
    "ten": Counter,
}


def make_columns(trades: Trades) -> MemoryColumns:
    """Give the trades as the framework has them."""
    stream = Stream(kind=StreamKind.TRADES, instrument=SYMBOL)
    arrays: dict[str, Any] = {
        "price": trades.prices,
        "quantity": trades.quantities.astype(float),
        "side": Coded(np.where(trades.buys, 0, 1).astype(np.int8), _SIDES),
        "trade_id": np.arange(len(trades.times)),
        "event_time": trades.times,
        "receive_time": trades.times,
        "snapshot": False,
        "open_interest": None,
    }
    return MemoryColumns({stream: [Columns(stream=stream, kind=Trade, arrays=arrays)]}, {SYMBOL: Instrument(SYMBOL)})


def make_plan(source: MemoryColumns, many: Sequence[Runner], on_progress: Callable[[float], None]) -> BacktestPlan:
    """Have strategies run on the trades."""
    named = [(f"runner-{number}", one) for number, one in enumerate(many)]
    return BacktestPlan(source=source, strategies=named, cash=Decimal(10**9), on_progress=on_progress)


def run(case: str, count: int) -> None:
    """Run one case, and tell."""
    lap = Lap()
    trades = make_trades(count)
    many = [KINDS[case]() for _ in range(10 if case == "ten" else 1)]
    source = make_columns(trades)

    def progressed(part: float) -> None:
        if part == 1:  # Not the report, which is made after that: NautilusTrader's is switched off, too.
            lap.ran()

    plan = make_plan(source, many, progressed)
    lap.loaded()
    report = backtest_columns(plan, source)
    lap.tell(
        count=sum(one.count for one in many),
        total=sum(one.total for one in many),
        orders=sum(one.placed for one in many),
        position=int(report.strategies[0].positions.get(SYMBOL, 0)),
        version=version("strategykit"),
    )


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]))
