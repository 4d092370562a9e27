"""How soon an order is on the wire while market data flow: journal, tape and 20,000 trades a second.

Microseconds from before `buy_nowait` until the system at the venue's end has the bytes of the command; the venue is
another process, and both read the system's monotonic clock. The order's intent is synced to the disk before; every
trade is recorded, decoded and told to the strategy. The same without market data, and with as many in bursts, is
printed beside it.
"""

from __future__ import annotations

import gc
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import Final

import attrs
import trio

from benchmarks.blast import open_blast
from benchmarks.figures import Figure, Incomplete, figure
from benchmarks.live import run_strategies
from strategykit import Order, Strategy, Trade, Trades, define
from strategykit.model.orders import OrderState
from strategykit.runtime.assembly import Run
from strategykit.runtime.desk import Desk

__all__ = ["Outcome", "main", "measure"]

RATE: Final = 20_000
"""Trades a second."""
EVERY: Final = 0.001
"""Seconds of trades that come at once …"""
BURST: Final = 0.05
"""… and as many where they come in bursts."""
ORDERS: Final = 1_000
PAUSE: Final = 0.01
"""Seconds between two orders, on average."""
MOST: Final = 5_000.0
"""Microseconds that the 99th of a hundred may take."""


@define
class Sender(Strategy):
    """Place resting orders one after the other, whatever is traded meanwhile."""

    orders: int

    trades = Trades("SBER")

    def attach(self, desk: Desk) -> None:
        super().attach(desk)
        self.seen = 0
        self.sent: list[tuple[int, Order]] = []
        self.took = 0.0
        self.done = trio.Event()

    def on_trade(self, trade: Trade) -> None:  # noqa: ARG002 - the signature of handlers
        self.seen += 1

    async def run(self) -> None:
        before, begin = self.seen, time.perf_counter()
        for _ in range(self.orders):
            now = time.monotonic_ns()
            self.sent.append((now, self.buy_nowait(1, limit=Decimal("299.00"))))
            await trio.sleep(PAUSE * self.random.uniform(0.5, 1.5))  # Not in step with the trades.
        self.took = time.perf_counter() - begin
        self.seen -= before
        for _, order in self.sent:
            await order.accepted()
        self.done.set()


@attrs.frozen
class Outcome:
    """What one run gave."""

    delays: list[float]
    """Microseconds, the shortest first."""
    rate: float
    """Trades a second that the strategy was told while it placed orders."""

    def at(self, part: float) -> float:
        return self.delays[min(len(self.delays) - 1, int(len(self.delays) * part))]


def measure(orders: int, rate: int, every: float = EVERY) -> Outcome:
    """Place `orders` while `rate` trades a second come, all of `every` seconds at once."""
    sender = Sender(orders=orders)

    async def stop(run: Run) -> None:
        await sender.done.wait()
        run.supervisor.stop()

    gc.collect()
    # Enough for twice the time that the pauses take: a slow machine mustn't run out of trades.
    count = max(int(rate * (2 * orders * PAUSE + 0.2)), 1)
    with open_blast(count if rate else 0, rate=rate, every=every) as port, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run_strategies(
            f"http://127.0.0.1:{port}",
            [("sender", sender)],
            tape=folder / "tape",
            journal=folder / "journal",
            keep_orders=True,
            meanwhile=stop,
        )
    lost = sum(order.state is not OrderState.WORKING for _, order in sender.sent)
    if lost:
        raise Incomplete({}, [f"{lost} of {orders} orders weren't accepted in time: this machine is too busy"])
    delays = sorted((int(order.venue_order_id or 0) - decided) / 1e3 for decided, order in sender.sent)
    return Outcome(delays, sender.seen / sender.took)


def main(scale: float = 1.0) -> dict[str, Figure]:
    """Measure, print, and give the figures by name."""
    orders = max(int(ORDERS * scale), 2)
    print(f"orders with a synced journal and a tape, µs from submit until the venue has the bytes, {orders} each")
    quiet, loud, bursts = measure(orders, 0), measure(orders, RATE), measure(orders, RATE, BURST)
    shown = (("quiet", quiet), (f"{RATE:,} trades/s", loud), (f"… {RATE * BURST:,.0f} at once", bursts))
    for name, found in shown:
        told = f"   {found.rate:8,.0f} trades/s were told" if found.rate else ""
        print(f"  {name:16} p50 {found.at(0.5):7.0f}   p99 {found.at(0.99):7.0f}{told}")
    return {
        "order_under_load_vs_5ms": figure(
            f"submit to wire, synced journal, {RATE:,} trades a second: p99 against 5 ms",
            f"p50 {loud.at(0.5):.0f} µs, p99 {loud.at(0.99):.0f} µs, {loud.rate:,.0f} trades/s",
            loud.at(0.99) / MOST,
            must=1.0,
            goal=0.6,
            better="lower",
        )
    }


if __name__ == "__main__":
    main()
