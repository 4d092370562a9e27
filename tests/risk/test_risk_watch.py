"""A position that loses too much while nobody places an order: the limit is met all the same."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from strategykit import Instrument, OrderState, RiskLimit, Side, Strategy, Trades, define
from strategykit.config import StrategySpec
from strategykit.journal.format import RecordKind
from strategykit.journal.reader import read_journal
from strategykit.model.codec import make_converter
from strategykit.model.risk_limits import DEFAULT_PLAN, RiskPlan
from strategykit.runtime.carried import carry
from strategykit.runtime.risk import Risk
from strategykit.runtime.simulate import Simulation, simulate
from strategykit.testing import make_trades
from strategykit.testing.markets import START
from strategykit.testing.world import World, run_world
from strategykit.venues.streams import StreamKind

SECOND = 1_000_000_000
MIDNIGHT = START - START % (86_400 * SECOND) + 86_400 * SECOND


def plan_of(scope: str) -> RiskPlan:
    """Give limits of which one scope's loss of 100 a day is narrow."""
    narrow = attrs.evolve(DEFAULT_PLAN.account, max_daily_loss=Decimal(100))
    if scope == "account":
        return RiskPlan(account=narrow, strategy=DEFAULT_PLAN.strategy)
    return RiskPlan(
        account=DEFAULT_PLAN.account, strategy=attrs.evolve(DEFAULT_PLAN.strategy, max_daily_loss=Decimal(100))
    )


@define
class Holder(Strategy):
    """Buys ten lots, bids for more far below, and does nothing any more."""

    trades = Trades("X")

    async def run(self) -> None:
        await self.when(self.trades.price > 0)
        await (await self.buy(10)).filled()
        await self.buy(5, limit=95.0 * 0.9)
        await trio.sleep_forever()


def play(
    prices: Sequence[float], *strategies: Strategy, scope: str = "account", every: float = 300.0, start: int = START
) -> Simulation:
    named = [(f"s{number}", strategy) for number, strategy in enumerate(strategies or [Holder()])]
    events = make_trades("X", prices, every=every, start=start)
    streams = frozenset({StreamKind.TRADES})
    known = {"X": Instrument("X")}
    return simulate(named, events, instruments=known, start=start, streams=streams, limits=plan_of(scope))


def told(done: Simulation) -> list[str]:
    return [text for _, source, text in done.notes.lines if source == "risk"]


def bid_of(done: Simulation) -> Any:
    return next(order for order in done.run.gateway.orders.values() if order.request.price is not None)


@pytest.mark.parametrize(("scope", "name"), [("account", "account"), ("strategy", "strategy s0")])
def test_a_fall_without_an_order_stops_opening_before_the_bid_is_filled(scope: str, name: str) -> None:
    done = play([100.0] * 2 + [95.0] * 4 + [90.0] * 4 + [89.99] + [80.0] * 4, scope=scope)

    (line,) = told(done)
    assert line.startswith(f"ALARM: {name} has lost 100.10 RUB today, more than max_daily_loss = 100")
    bid = bid_of(done)
    assert bid.state is OrderState.CANCELLED
    assert not bid.filled_quantity
    (seat,) = done.run.supervisor.seats
    assert seat.desk.position("X") == 10


def test_a_loss_at_the_limit_changes_nothing() -> None:
    done = play([100.0] * 2 + [95.0] * 4 + [90.0] * 8)

    assert not told(done)
    with pytest.raises(RiskLimit, match="max_order_quantity"):
        done.run.gateway.submit("s0", "X", Side.BUY, 5_000)


def test_nobody_looks_while_nothing_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look leaves the hot loop of a replay."""

    @define
    class Brief(Strategy):
        trades = Trades("X")

        async def run(self) -> None:
            await self.when(self.trades.price > 0)
            await (await self.buy(1)).filled()
            await (await self.sell(1)).filled()
            await trio.sleep_forever()

    looks: list[int] = []
    look = Risk.look

    def counted(self: Risk, now: int) -> Decimal | None:
        looks.append(now)
        return look(self, now)

    monkeypatch.setattr(Risk, "look", counted)
    play([100.0] * 100, Brief(), every=3_600.0)

    assert len(looks) <= 2


def test_far_from_its_limit_a_replay_seldom_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    look = Risk.look

    def counted(self: Risk, now: int) -> Decimal | None:
        looks.append(now)
        return look(self, now)

    monkeypatch.setattr(Risk, "look", counted)
    play([100.0] * 2 + [250.0] * 18, every=3_600.0)

    assert 13 < len(looks) < 20, "each ten minutes at first"


def test_the_next_day_it_may_open_again_and_is_watched_as_before() -> None:
    @define
    class Again(Strategy):
        trades = Trades("X")

        async def run(self) -> None:
            await self.when(self.trades.price > 0)
            await (await self.buy(10)).filled()
            await self.when(self.trades.price < 90)
            await trio.sleep(1_200)
            with pytest.raises(RiskLimit, match="it has lost"):
                await self.buy(1)
            await trio.sleep((MIDNIGHT - self.now()) * 1e-9 + 1)
            await self.buy(1, limit=70.0)
            self.log("opened again")

    prices = [100.0] * 4 + [85.0] * 12 + [74.0] * 100
    done = play(prices, Again(), start=MIDNIGHT - 4_000 * SECOND)

    assert [text for _, source, text in done.notes.lines if source == "s0"] == ["opened again"]
    first, second = told(done)
    assert "lost 150.00 RUB" in first
    assert "lost 110.00 RUB" in second


BIDDER = '''
import trio

from strategykit import Quotes, Strategy, define


@define
class Bidder(Strategy):
    """Holds a position, and a bid that nobody meets; whatever is lost, it places nothing more."""

    instrument: str

    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid > 0)
        await (await self.buy(50)).filled()
        await self.buy(1, limit=round(self.quotes.last.bid * 0.95, 2))
        await trio.sleep_forever()
'''


def test_a_live_run_looks_each_second_and_keeps_the_trip_for_the_next(tmp_path: Path) -> None:
    file = tmp_path / "bidder.py"
    file.write_text(BIDDER)
    world = World(
        strategies=[StrategySpec(name="bidder", file=str(file), params={"instrument": "SBER"})],
        instruments=["SBER"],
        seconds=60.0,
        limits=plan_of("account"),
        seed=1,
    )
    outing = run_world(world, journal=tmp_path)
    report, run = outing.report, outing.run

    assert report is not None
    assert run is not None
    (alarm,) = report.alarms
    assert alarm.startswith("risk: account has lost ")
    assert not report.ok
    bid = list(run.gateway.orders.values())[1]
    assert bid.state is OrderState.CANCELLED
    (path,) = tmp_path.rglob("*.journal")
    records = read_journal(path).records
    (trip,) = carry(records, make_converter()).trips
    assert trip.strategy is None
    assert trip.loss > 100
    first, second, third = [record.time for record in records if record.kind is RecordKind.INTENT]
    assert second + SECOND < trip.time, "nobody had asked for anything any more"
    assert trip.time <= third < trip.time + SECOND // 10, "the bid is withdrawn then"
    assert first < second
