"""Orders: what one costs in simulation, and how soon it is on the wire.

In simulation, microseconds an order, from `buy_nowait` by the paper exchange to `on_order` and `on_fill`: the time of a
run that places a market order at every hundredth trade, less that of the same run that places none. The floor is a
loop over the same trades with the least that an order needs in Python: an id, a request, a look-up, a fill in Decimal
at the last price, a position, a handler.

Live, microseconds from before `buy_nowait` until the system has the bytes of the command for a venue in another process
(both read the system's monotonic clock), recorded, one order at a time with pauses between. Beside it the least on the
same wire: `json.dumps` and trio-websocket's ``send_message``.

Rounds are interleaved, figures are medians; both sides must have filled, or sent, the same orders.
"""

from __future__ import annotations

import gc
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import trio
import trio_websocket

from benchmarks.blast import open_blast
from benchmarks.figures import Figure, figure
from benchmarks.live import run_strategies
from strategykit import Fill, Instrument, Order, Strategy, Trade, Trades, define
from strategykit.model.events import Side
from strategykit.model.orders import OrderState
from strategykit.runtime.assembly import Run
from strategykit.runtime.desk import Desk
from strategykit.runtime.simulate import simulate
from strategykit.testing import make_trades
from strategykit.testing.markets import START

__all__ = ["main", "measure_live", "measure_simulated"]

TRADES: Final = 100_000
EVERY: Final = 100
"""Trades from one order to the next."""
ROUNDS: Final = 5
LIVE_ORDERS: Final = 400
PAUSE: Final = 0.003
"""Seconds between two live orders, so that none waits for the one before."""


@attrs.define
class Filled:
    """What handlers were told."""

    fills: int = 0
    money: Decimal = Decimal(0)


@define
class Trader(Strategy):
    """Buy and sell in turns, at every so many trades; 0: never."""

    every: int

    trades = Trades("SBER")

    def attach(self, desk: Desk) -> None:
        super().attach(desk)
        self.count = 0
        self.filled = Filled()

    def on_trade(self, trade: Trade) -> None:  # noqa: ARG002 - the signature of handlers
        self.count += 1
        if self.every and not self.count % self.every:
            (self.buy_nowait if self.count % (2 * self.every) else self.sell_nowait)(1)

    def on_order(self, order: Order) -> None:
        pass

    def on_fill(self, fill: Fill) -> None:
        self.filled.fills += 1
        self.filled.money += fill.price * fill.quantity


@attrs.frozen
class BareRequest:
    id: str
    side: Side
    quantity: Decimal


@attrs.frozen
class BareFill:
    id: str
    side: Side
    quantity: Decimal
    price: Decimal


class Bare:
    """The least."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.count = 0
        self.filled = Filled()
        self.orders: dict[str, BareRequest] = {}
        self.position = Decimal(0)

    def on_trade(self, trade: Trade) -> None:
        self.count += 1
        if self.every and not self.count % self.every:
            self.submit(Side.BUY if self.count % (2 * self.every) else Side.SELL, trade.price)

    def submit(self, side: Side, last: float) -> None:
        request = BareRequest(f"bare-{len(self.orders)}", side, Decimal(1))
        self.orders[request.id] = request
        self.fill(request.id, Decimal(str(last)))

    def fill(self, number: str, price: Decimal) -> None:
        request = self.orders[number]
        self.position += request.quantity if request.side is Side.BUY else -request.quantity
        self.on_fill(BareFill(number, request.side, request.quantity, price))

    def on_fill(self, fill: BareFill) -> None:
        self.filled.fills += 1
        self.filled.money += fill.price * fill.quantity


def _timed(work: Callable[[], Filled]) -> tuple[float, Filled]:
    gc.collect()
    begin = time.perf_counter()
    filled = work()
    return time.perf_counter() - begin, filled


def measure_simulated(*, trades: int, rounds: int) -> tuple[dict[str, float], dict[str, Filled]]:
    """Give the median microseconds an order, and what the handlers were told, of ``floor`` and ``ours``."""
    events = make_trades("SBER", [270 + i % 100 * 0.01 for i in range(trades)], every=0.001)
    orders = trades // EVERY

    def floor(every: int) -> Filled:
        bare = Bare(every)
        for event in events:
            bare.on_trade(event)
        return bare.filled

    def ours(every: int) -> Filled:
        trader = Trader(every=every)
        instrument = Instrument("SBER", tick=Decimal("0.01"))
        simulate([("trader", trader)], events, instruments={"SBER": instrument}, start=START)
        return trader.filled

    times: dict[str, list[float]] = {"floor": [], "ours": []}
    told: dict[str, Filled] = {}
    for number in range(rounds + 1):
        for name, case in (("floor", floor), ("ours", ours)):
            without, _ = _timed(partial(case, 0))
            with_orders, told[name] = _timed(partial(case, EVERY))
            if number:
                times[name].append((with_orders - without) / orders * 1e6)
    return {name: statistics.median(values) for name, values in times.items()}, told


@define
class Sender(Strategy):
    """Place limit orders one by one, and note when each was decided."""

    orders: int

    trades = Trades("SBER")

    def attach(self, desk: Desk) -> None:
        super().attach(desk)
        self.sent: list[tuple[int, Order]] = []
        self.done = trio.Event()

    async def run(self) -> None:
        for _ in range(self.orders):
            now = time.monotonic_ns()
            self.sent.append((now, self.buy_nowait(1, limit=Decimal("299.00"))))
            await trio.sleep(PAUSE)
        for _, order in self.sent:
            await order.accepted()
        self.done.set()


def live(port: int, orders: int, folder: Path) -> list[float]:
    """Give microseconds to the venue's reading, of orders of a live run with a tape."""
    sender = Sender(orders=orders)

    async def stop(run: Run) -> None:
        # The event is made when the strategy is attached, which was before.
        await sender.done.wait()
        run.supervisor.stop()

    url = f"http://127.0.0.1:{port}"
    run_strategies(url, [("sender", sender)], tape=folder / "tape", keep_orders=True, meanwhile=stop)
    if any(order.state is not OrderState.WORKING for _, order in sender.sent):
        raise RuntimeError("an order of the live run wasn't accepted")
    return [(int(order.venue_order_id or 0) - decided) / 1e3 for decided, order in sender.sent]


def plain(port: int, orders: int, _: Path) -> list[float]:
    """Give the same of the least that can be sent."""
    decided: list[int] = []
    answers: list[int] = []

    async def run() -> None:
        async with trio_websocket.open_websocket_url(f"ws://127.0.0.1:{port}/cws") as ws:
            for number in range(orders):
                decided.append(time.monotonic_ns())
                order = {"opcode": "create:limit", "guid": f"plain-{number}", "side": "buy", "quantity": 1}
                order |= {"price": 299.0, "instrument": {"symbol": "SBER", "exchange": "MOEX"}}
                await ws.send_message(json.dumps(order))
                answers.append(int(json.loads(await ws.get_message())["orderNumber"]))
                await trio.sleep(PAUSE)

    trio.run(run)
    return [(answer - then) / 1e3 for answer, then in zip(answers, decided, strict=True)]


def measure_live(*, orders: int, rounds: int) -> dict[str, list[float]]:
    """Give the microseconds of every order, of ``plain`` and ``ours``."""
    delays: dict[str, list[float]] = {"plain": [], "ours": []}
    with open_blast(0) as port:
        for _ in range(rounds):
            for name, case in (("plain", plain), ("ours", live)):
                gc.collect()
                with tempfile.TemporaryDirectory() as folder:
                    delays[name] += case(port, orders, Path(folder))
    return delays


def main(scale: float = 1.0) -> dict[str, Figure]:
    """Measure, print, and give the figures by name."""
    rounds = ROUNDS if scale >= 1 else 1
    cost, told = measure_simulated(trades=max(int(TRADES * scale), 10 * EVERY), rounds=rounds)
    if told["floor"] != told["ours"]:
        raise RuntimeError(f"the sides didn't fill the same orders: {told}")
    print(
        f"orders in simulation, µs from submit to fill and handler: {cost['ours']:.1f} "
        f"(bare Python {cost['floor']:.1f})"
    )
    delays = measure_live(orders=max(int(LIVE_ORDERS * scale), 5), rounds=rounds)
    if len(delays["plain"]) != len(delays["ours"]):
        raise RuntimeError("the sides didn't send the same orders")
    shown = {}
    print("orders live, µs from submit until the venue has the bytes")
    for name, values in delays.items():
        values.sort()
        shown[name] = values[len(values) // 2], values[len(values) * 99 // 100]
        print(f"  {name:6} p50 {shown[name][0]:8.0f}   p99 {shown[name][1]:8.0f}   of {len(values)}")
    p50, p99 = shown["ours"]
    return {
        "order_simulated_vs_floor": figure(
            "an order in simulation, against bare Python",
            f"{cost['ours']:.0f} µs",
            cost["ours"] / cost["floor"],
            must=50.0,
            goal=15.0,
            better="lower",
        ),
        "order_live_vs_plain": figure(
            "submit to wire, against json + trio-websocket",
            f"p50 {p50:.0f} µs, p99 {p99:.0f} µs",
            p50 / shown["plain"][0],  # To the other end's kernel: that the venue wakes up is in neither.
            must=6.0,
            goal=3.0,
            better="lower",
        ),
    }


if __name__ == "__main__":
    main()
