"""A run of very many orders: what is looked after stays small, and what stays of an order is no more than is said."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from decimal import Decimal

from strategykit import Instrument, Order, Strategy, Trade, Trades, define
from strategykit.runtime.assembly import Run
from strategykit.runtime.desk import Desk
from strategykit.runtime.simulate import simulate
from strategykit.testing import make_trades
from strategykit.testing.markets import START

BYTES_AN_ORDER = 4_096
"""What docs/orders.md says that an order takes, until its run ends."""


@define
class Busy(Strategy):
    """Place an order at each trade: by turns one that rests until the next trade but one, and one at the market."""

    trades = Trades("SBER")

    def attach(self, desk: Desk) -> None:
        super().attach(desk)
        self.count = self.fills = 0
        self.resting: list[Order] = []
        self.most_open = 0
        self.look: Callable[[int], None] = lambda _: None

    def on_trade(self, trade: Trade) -> None:
        self.look(self.count)
        self.count += 1
        if self.count % 2:
            self.resting.append(self.buy_nowait(1, limit=trade.price * 0.95))
        else:
            (self.buy_nowait if self.count % 4 else self.sell_nowait)(1)
            self.resting.pop().cancel_nowait()
        self.most_open = max(self.most_open, len(self.open_orders()))

    def on_fill(self, _: object) -> None:
        self.fills += 1


def trade(orders: int, look: Callable[[int], None] = lambda _: None) -> tuple[Busy, Run]:
    """Run with so many orders; `look` is called before each."""
    busy, runs = Busy(), list[Run]()

    def ready(run: Run) -> None:
        runs.append(run)
        busy.look = look

    instruments = {"SBER": Instrument("SBER", tick=Decimal("0.01"))}
    trades = make_trades("SBER", [270 + place % 100 * 0.01 for place in range(orders)])
    simulate([("busy", busy)], trades, instruments=instruments, start=START, ready=ready)
    return busy, runs[0]


def test_twenty_thousand_orders_leave_none_open() -> None:
    busy, run = trade(20_000)

    assert len(run.gateway.orders) == busy.count == 20_000
    assert busy.fills == 10_000
    assert busy.most_open <= 2
    assert run.gateway.open_orders() == run.gateway.doubtful() == []
    states = [order.state.value for order in run.gateway.orders.values()]
    assert {state: states.count(state) for state in set(states)} == {"cancelled": 10_000, "filled": 10_000}


def test_what_stays_of_an_order_is_as_much_as_is_said() -> None:
    sizes: dict[int, int] = {}

    def weigh(count: int) -> None:
        if count in (200, 1_200):
            gc.collect()
            sizes[count], _ = tracemalloc.get_traced_memory()

    tracemalloc.start()
    try:
        trade(1_201, weigh)
    finally:
        tracemalloc.stop()

    assert 0 < (sizes[1_200] - sizes[200]) / 1_000 < BYTES_AN_ORDER, sizes
