"""A maker in its queue, between the bounds that hftbacktest's queue models draw; and the book that it stands in."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest
import trio

from strategykit import Books, Order, Strategy, define
from strategykit.model.events import Event, Fill, Side
from strategykit.model.instruments import Instrument
from strategykit.model.orders import TimeInForce
from strategykit.model.risk_limits import NO_PLAN
from strategykit.runtime.simulate import simulate
from strategykit.sim.fees import FeeModel
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.models.latency import Constant
from strategykit.sim.models.queues import Chance, Family, FillRule, Shape
from strategykit.venues.streams import StreamKind
from tests.agreement.recordings import binance_market, needs_recordings

pytestmark = needs_recordings

LOT = Decimal("0.001")


@define
class Maker(Strategy):
    """Every 10.1 s one order at the best price: a bid if flat, an offer if long."""

    book = Books("BTCUSDT")

    def __attrs_post_init__(self) -> None:
        self.filled: list[Fill] = []
        self.steps = 0

    async def run(self) -> None:
        await trio.sleep(5)
        order: Order | None = None
        while self.steps < 33:
            await trio.sleep(10)
            if order is not None and order.is_open:
                order.cancel_nowait()
            await trio.sleep(0.1)
            self.steps += 1
            bid, ask = self.book.book.best_bid, self.book.book.best_ask
            how = {"time_in_force": TimeInForce.POST_ONLY}
            order = self.sell_nowait(1, limit=ask, **how) if self.position() else self.buy_nowait(1, limit=bid, **how)

    def on_fill(self, fill: Fill) -> None:
        self.filled.append(fill)


def make(events: Sequence[Event], rule: FillRule, chance: Chance) -> tuple[Maker, Decimal, Decimal, Decimal]:
    """Give the strategy, what it holds, its balance before fees, and its fees."""
    strategy, travel = Maker(), Constant(span=10_000_000)
    fees = FeeModel(maker_rate=Decimal("0.0002"), step=Decimal("0.00000001"))
    done = simulate(
        [("maker", strategy)],
        events,
        instruments={"BTCUSDT": Instrument("BTCUSDT", Decimal("0.1"), LOT, currency="USDT", counts_units=True)},
        start=events[0].receive_time,
        streams={StreamKind.TRADES, StreamKind.BOOK},
        cash=Decimal(100_000),
        models=FillModels(fees=fees, rule=rule, chance=chance, order_latency=travel, answer_latency=travel),
        limits=NO_PLAN,
    )
    paper = done.run.engine.paper
    assert paper is not None
    now = done.run.clock.reading
    account, (holding, *_) = paper.account(now), paper.positions(now)
    assert account.cash is not None
    assert account.fees is not None
    return strategy, holding.quantity, account.cash + account.fees - 100_000, account.fees


@pytest.fixture(scope="module")
def events() -> Sequence[Event]:
    return list(binance_market("usdm_btcusdt_20240808", "BTCUSDT"))


@pytest.mark.parametrize(
    ("rule", "chance", "balance", "paid"),
    [
        (FillRule.RISK_AVERSE, Chance(), "-0.2228", "0.32094132"),
        (FillRule.PROBABILITY, Chance(family=Family.LOG), "-0.2213", "0.32094102"),
    ],
)
def test_a_maker_gets_to_the_last_digit_what_hftbacktest_gives_it(
    events: Sequence[Event], rule: FillRule, chance: Chance, balance: str, paid: str
) -> None:
    maker, held, earned, fees = make(events, rule, chance)

    assert (maker.steps, len(maker.filled)) == (33, 26)
    assert held == 0
    assert earned == Decimal(balance)
    assert fees == Decimal(paid)
    check_book(maker)


@pytest.mark.agreement
@pytest.mark.parametrize(
    "chance",
    [
        Chance(),
        Chance(family=Family.SQUARE),
        Chance(shape=Shape.OF_ALL),
        Chance(family=Family.LOG, shape=Shape.OF_ALL),
        Chance(shape=Shape.NOT_BEFORE),
    ],
    ids=lambda chance: f"{chance.family.value}-{chance.shape.value}",
)
def test_every_family_of_queues_stays_within_the_bounds(events: Sequence[Event], chance: Chance) -> None:
    maker, held, earned, _ = make(events, FillRule.PROBABILITY, chance)

    assert len(maker.filled) == 26
    assert held == 0
    assert Decimal("-0.2228") <= earned <= Decimal("-0.2213")


def check_book(maker: Maker) -> None:
    """The book at the end, as three other rebuilds of the same file have it."""
    bids, asks = (maker.book.book.levels(side) for side in Side)
    assert (len(bids), len(asks)) == (5_019, 4_578)
    assert bids[:5] == ((61659.7, 1.486), (61659.0, 0.002), (61658.1, 0.033), (61658.0, 6.718), (61657.9, 0.007))
    assert asks[:3] == ((61659.8, 0.981), (61659.9, 0.188), (61660.0, 7.977))
    assert asks[-5:] == ((77354.3, 0.015), (77905.9, 0.003), (80000.0, 10.708), (104765.0, 0.034), (617050.0, 0.003))
