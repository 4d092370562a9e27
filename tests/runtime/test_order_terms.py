"""Orders that lapse at a time and stops that trail: asked for by strategies, refused where a venue has none."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest

from strategykit import Order, OrderState, Quotes, Strategy, Trade, Trades, define
from strategykit.errors import LocalProtocolError, OrderEnded, RiskLimit
from strategykit.model.events import Side
from strategykit.model.instruments import Instrument
from strategykit.model.orders import CreateOrder, OrderRequest, OrderType
from strategykit.runtime.requests import make_request
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.models.latency import Constant
from strategykit.testing import START, make_quotes, make_trades, run_strategy
from strategykit.venues.alor.commands import encode_command
from strategykit.venues.t4.commands import ticket_of

SECOND = 1_000_000_000
KNOWN = Instrument("X", Decimal("0.5"))


@define
class Lapsing(Strategy):
    """Rests an order that lapses after two and a half seconds."""

    quotes = Quotes("X")

    def __attrs_post_init__(self) -> None:
        self.states: list[OrderState] = []
        self.ended = 0.0

    async def run(self) -> None:
        async for _ in self.quotes:
            break
        order: Order = await self.buy(1, limit=90.0, until=START + 4 * SECOND)
        with suppress(OrderEnded):
            await order.filled()
        self.states.append(order.state)
        self.ended = (self.now() - START) / SECOND


def test_an_order_lapses_when_its_owner_said() -> None:
    strategy = Lapsing()

    run_strategy(strategy, make_quotes("X", [100.0] * 8, spread=1)).check()

    assert strategy.states == [OrderState.EXPIRED]
    assert strategy.ended == 4


@define
class Trailing(Strategy):
    """Sells by a stop that trails by a number that lies between two ticks."""

    trades = Trades("X")

    async def run(self) -> None:
        async for _ in self.trades:
            break
        await self.buy(1)
        stop = await self.sell(1, stop=90.0, trail=4.2)
        await stop.filled()


def test_a_stop_trails_by_whole_ticks() -> None:
    outcome = run_strategy(Trailing(), make_trades("X", [100.0, 110.0, 106.5, 106.0, 90.0]), instruments=[KNOWN])

    assert [float(fill.price) for fill in outcome.check().fills] == [100, 106]


@define
class Following(Strategy):
    """Writes down each trigger that its stop is said to have."""

    trades = Trades("X")

    def __attrs_post_init__(self) -> None:
        self.triggers: list[tuple[int, float | None]] = []
        self.placed = False

    def on_trade(self, trade: Trade) -> None:
        if not self.placed:
            self.placed = True
            self.sell_nowait(1, stop=90.0, trail=4.0)

    def on_order(self, order: Order) -> None:
        stop = order.request.stop_price
        self.triggers.append((self.now() - START, None if stop is None else float(stop)))


@pytest.mark.parametrize("delay", [0, 500_000_000])
def test_a_strategy_is_told_of_each_trigger_of_its_stop_that_trails(delay: int) -> None:
    strategy = Following()
    models = FillModels(answer_latency=Constant(span=delay))
    trades = make_trades("X", [100.0, 110.0, 107.0, 112.0, 111.0, 108.0, 107.0])

    run_strategy(strategy, trades, instruments=[KNOWN], models=models).check()

    moved = [
        told for told, before in zip(strategy.triggers[1:], strategy.triggers, strict=False) if told[1] != before[1]
    ]
    # It follows, comes no further back, and fires: then it is a plain order.
    assert moved == [
        (delay, 96.0),
        (SECOND + delay, 106.0),
        (3 * SECOND + delay, 108.0),
        (5 * SECOND + delay, None),
    ]
    assert [stop for _, stop in strategy.triggers].count(106.0) == 1


@pytest.mark.parametrize(
    "how",
    [
        {"trail": 1.0},
        {"trail": 1.0, "stop": 5.0, "limit": 5.0},
        {"trail": 0.1, "stop": 5.0},
        {"trail": Decimal("0.3"), "stop": 5.0},
    ],
)
def test_a_trail_is_a_tick_or_more_of_a_stop_without_a_limit(how: dict[str, Any]) -> None:
    with pytest.raises(RiskLimit):
        make_request("c", "A", KNOWN, Side.SELL, 1, **how)


def order(**values: Any) -> CreateOrder:
    plain = OrderRequest(
        client_order_id="c", account="A", instrument="X", side=Side.SELL, quantity=Decimal(1), **values
    )
    return CreateOrder(guid="g", request=plain)


def test_venues_without_stops_that_trail_are_sent_none() -> None:
    trailing = order(type=OrderType.STOP, stop_price=Decimal(5), trail=Decimal(1))

    with pytest.raises(LocalProtocolError, match="trail"):
        encode_command(trailing, exchange="MOEX", board=None)
    with pytest.raises(LocalProtocolError, match="trail"):
        ticket_of(trailing.request)


def test_alor_has_end_times_of_stops_alone() -> None:
    with pytest.raises(LocalProtocolError, match="end time"):
        encode_command(order(expire_time=5), exchange="MOEX", board=None)
