"""NautilusTrader's backtest engine: trades of one share, margin account, its own matching on trades."""

from __future__ import annotations

import os
import sys

import nautilus_trader
import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import TradeTick
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import Venue
from nautilus_trader.model.objects import Money
from nautilus_trader.persistence.wranglers import TradeTickDataWrangler
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

from benchmarks.peers.course import EVERY, FAST, NEVER, SLOW, SYMBOL, Lap, make_trades

__all__ = ["Counter", "Cross", "Turns", "Waits", "run"]

VENUE = Venue("XNAS")
SHARE = TestInstrumentProvider.equity(symbol=SYMBOL, venue="XNAS")


class Config(StrategyConfig, frozen=True):  # type: ignore[misc, call-arg]  # the library has no types
    """Tells strategies apart, where there are several."""


class Counter(Strategy):  # type: ignore[misc]  # as above
    """Count trades, and add up their prices."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        self.seen, self.total, self.orders, self.fills = 0, 0.0, 0, 0

    def on_start(self) -> None:
        self.subscribe_trade_ticks(SHARE.id)

    def on_trade_tick(self, tick: TradeTick) -> None:
        self.seen += 1
        self.total += float(tick.price)

    def order(self, lots: int) -> None:
        self.orders += 1
        side = OrderSide.BUY if lots > 0 else OrderSide.SELL
        self.submit_order(self.order_factory.market(SHARE.id, side, SHARE.make_qty(abs(lots))))


class Cross(Counter):
    """Two averages; see `course`."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        self.fast = self.slow = 0.0
        self.side = 0

    def on_trade_tick(self, tick: TradeTick) -> None:
        price = float(tick.price)
        self.seen += 1
        self.total += price
        if self.seen == 1:
            self.fast = self.slow = price
            return
        self.fast += 2 / (FAST + 1) * (price - self.fast)
        self.slow += 2 / (SLOW + 1) * (price - self.slow)
        if self.seen > SLOW:
            side = 1 if self.fast > self.slow else -1
            if side != self.side:
                self.order(side * (2 if self.side else 1))
                self.side = side


class Turns(Counter):
    """Buy and sell in turns."""

    every = EVERY

    def on_trade_tick(self, tick: TradeTick) -> None:
        self.seen += 1
        self.total += float(tick.price)
        if not self.seen % self.every:
            self.order(1 if self.seen % (2 * self.every) else -1)

    def on_order_filled(self, event: object) -> None:  # noqa: ARG002 - the library's signature
        self.fills += 1


class Waits(Turns):
    """The same, and it is never time."""

    every = NEVER


def run(case: str, count: int) -> None:
    """Run one case, and tell."""
    lap = Lap()
    trades = make_trades(count)
    rows = {
        "price": trades.prices,
        "quantity": trades.quantities.astype(float),
        "side": pd.Series(trades.buys).map({True: "BUY", False: "SELL"}).to_numpy(),
        "trade_id": range(count),
    }
    ticks = TradeTickDataWrangler(SHARE).process(pd.DataFrame(rows, index=pd.to_datetime(trades.times, utc=True)))
    quiet = BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False)
    engine = BacktestEngine(config=quiet)
    engine.add_venue(
        venue=VENUE,
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        base_currency=USD,
        starting_balances=[Money(1_000_000_000, USD)],
        trade_execution=True,
    )
    engine.add_instrument(SHARE)
    engine.add_data(ticks)
    kind = {"cross": Cross, "orders": Turns, "waits": Waits}.get(case, Counter)
    many = [kind(Config(order_id_tag=f"{number:03}")) for number in range(10 if case == "ten" else 1)]
    for one in many:
        engine.add_strategy(one)
    lap.loaded()
    engine.run()
    lap.ran()
    lap.tell(
        count=sum(one.seen for one in many),
        total=sum(one.total for one in many),
        orders=sum(one.orders for one in many),
        position=int(many[0].portfolio.net_position(SHARE.id)),
        version=nautilus_trader.__version__,
    )
    os._exit(0)  # Its engine takes seconds to be taken apart.


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]))
