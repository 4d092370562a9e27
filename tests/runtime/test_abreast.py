"""Several runs in one pass: each has to come out as it does alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import attrs
import pytest
import trio

from strategykit import Bars, Strategy, Trade, Trades, define
from strategykit.runtime.abreast import backtest_abreast
from strategykit.runtime.backtest import BacktestPlan, backtest
from strategykit.runtime.column_source import MemoryColumns
from strategykit.runtime.report import RunReport
from strategykit.sim.models.fill_models import DEFAULT_MODELS, FillModels
from strategykit.sim.models.latency import Constant
from tests.runtime.columnar import Reader, Trader, make_market, make_source

SLOW = FillModels(order_latency=Constant(span=30_000_000), answer_latency=Constant(span=20_000_000))


@define
class Crossing(Strategy):
    """Two averages, in a handler."""

    fast: float = 0.2
    slow: float = 0.05
    trades = Trades("X")

    def __attrs_post_init__(self) -> None:
        self.averages = [0.0, 0.0]
        self.held = False

    def on_trade(self, trade: Trade) -> None:
        price, (fast, slow) = trade.price, self.averages
        self.averages = [fast + self.fast * (price - fast), slow + self.slow * (price - slow)]
        above = self.averages[0] > self.averages[1]
        if above is not self.held:
            self.held = above
            (self.buy_nowait if above else self.sell_nowait)(1)


@define
class Careless(Crossing):
    """Raises, some time."""

    last: int = 100

    def on_trade(self, trade: Trade) -> None:
        super().on_trade(trade)
        if int(trade.trade_id or 0) > self.last:
            raise ValueError(self.last)


@define
class Leaving(Crossing):
    """Has had enough, some time."""

    stay: float = 1.0

    async def run(self) -> None:
        await trio.sleep(self.stay)


@define
class ByBars(Strategy):
    """Waits for bars that are built of trades."""

    many: int = 2
    bars = Bars("X", "1s")

    async def run(self) -> None:
        count = 0
        async for _ in self.bars:
            count += 1
            if count % self.many == 0:
                self.buy_nowait(1, instrument="X")


def plan_of(source: MemoryColumns, make: Callable[[], Strategy], models: FillModels) -> BacktestPlan:
    return BacktestPlan(source=source, strategies=[("s", make())], models=models, collect=True, cash=Decimal(1000))


def facts(report: object) -> dict[str, Any]:
    assert isinstance(report, RunReport), report
    found = attrs.asdict(report, recurse=False)
    return {**found, "strategies": [attrs.evolve(item, error=item.error) for item in report.strategies]}


@pytest.mark.parametrize("models", [DEFAULT_MODELS, SLOW], ids=["at once", "late"])
@pytest.mark.parametrize(
    "makers",
    [
        [partial(Crossing, fast=fast, slow=slow) for fast in (0.5, 0.2, 0.3) for slow in (0.05, 0.1)],
        [partial(Trader, every=every) for every in (5, 7, 11)],
        [partial(Reader, hidden=hidden) for hidden in (True, False, True)],
        [partial(Careless, last=last) for last in (50, 300, 10_000)],
        [partial(Leaving, stay=stay) for stay in (0.5, 3.0, 1e6)],
        [partial(ByBars, many=many) for many in (1, 2, 5)],
        [partial(Crossing, fast=0.3), partial(Trader, every=3), Crossing, Reader, ByBars],
    ],
    ids=["crossing", "trader", "reader", "careless", "leaving", "bars", "mixed"],
)
def test_each_run_comes_out_as_it_does_alone(makers: Sequence[Callable[[], Strategy]], models: FillModels) -> None:
    source = make_source(make_market(3, 1200))

    found = backtest_abreast(source, [partial(plan_of, source, make, models) for make in makers])

    alone = [backtest(plan_of(source, make, models)) for make in makers]
    assert [facts(report) for report in found] == [facts(report) for report in alone]
    assert any(report.orders for report in alone)
