"""Orders of strategies that see nothing but figures of the day."""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from typing import Any

import attrs

from strategykit.model.events import Event, Fill, Quote, Side, Ticker
from strategykit.model.instruments import Instrument
from strategykit.model.orders import CreateOrder, OrderRequest, OrderType
from strategykit.sim.paper import PaperExchange
from strategykit.venues.dialect import Reply

D = Decimal


@attrs.define(eq=False)
class Desk:
    paper: PaperExchange = attrs.field(
        factory=lambda: PaperExchange({"X": Instrument("X")}, account="A", cash=D(100_000))
    )
    now: int = 0
    number: Any = attrs.field(factory=lambda: count(1).__next__)

    def ticker(self, last: float | None) -> list[float]:
        self.now += 1
        event = Ticker("X", last, 90.0, 120.0, 80.0, 5.0, 500.0, 7, self.now, self.now, "")
        return fills(self.paper.on_event(event, self.now))

    def send(self, side: Side, kind: OrderType, **prices: Any) -> list[float]:
        request = OrderRequest(
            client_order_id="mine", account="A", instrument="X", side=side, quantity=D(1), type=kind, **prices
        )
        return fills(self.paper.command(CreateOrder(guid=f"g{self.number()}", request=request), self.now))


def fills(told: Any) -> list[float]:
    rows: list[Reply | Event] = list(told)
    return [float(row.price) for row in rows if isinstance(row, Fill)]


def test_takers_get_the_last_price() -> None:
    desk = Desk()
    desk.ticker(100.0)

    assert desk.send(Side.BUY, OrderType.MARKET) == [100.0]


def test_a_market_order_waits_for_a_day_in_which_something_was_traded() -> None:
    desk = Desk()
    assert desk.send(Side.SELL, OrderType.MARKET) == []

    assert desk.ticker(None) == []
    assert desk.ticker(101.0) == [101.0]


def test_no_resting_limit_meets_a_last_price_that_may_be_older_than_itself() -> None:
    desk = Desk()
    desk.ticker(100.0)
    assert desk.send(Side.BUY, OrderType.LIMIT, price=D(99)) == []

    assert desk.ticker(98.0) == []
    assert desk.ticker(97.0) == []


def test_a_stop_fires_by_the_last_price() -> None:
    desk = Desk()
    desk.ticker(100.0)
    assert desk.send(Side.SELL, OrderType.STOP, stop_price=D(95)) == []

    assert desk.ticker(96.0) == []
    assert desk.ticker(94.0) == [94.0]


def test_tickers_count_for_nothing_beside_finer_data() -> None:
    desk = Desk()
    desk.paper.on_event(Quote("X", 99.0, 5.0, 101.0, 5.0, None, 1, 1, ""), 1)
    assert desk.send(Side.BUY, OrderType.LIMIT, price=D(100)) == []

    assert desk.ticker(90.0) == []
    assert desk.send(Side.BUY, OrderType.MARKET) == [101.0]
    assert desk.paper.positions(2)[0].average_price == 101
