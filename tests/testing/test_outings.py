"""Strategies in worlds, on tapes and in generated markets, by the fixtures that users have."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from strategykit import OrderState, Quotes, Strategy, Trade, Trades, define
from strategykit.errors import ConfigError, StrategyError, StrategykitError, TapeError
from strategykit.testing import Fault, NetworkFault, Outcome, World, make_market, run_strategy, run_world
from strategykit.testing.outings import draw_faults

Run = Callable[..., Outcome]


@define
class Buyer(Strategy):
    """Buy a lot once there is a price, or some seconds later; then fail, if it shall."""

    instrument: str
    fails: bool = False
    after: float = 0.0

    quotes = Quotes("{instrument}")
    trades = Trades("{instrument}")
    seen: int = attrs.field(default=0, init=False)

    async def run(self) -> None:
        await self.when(self.quotes.bid > 0)
        await trio.sleep(self.after)
        await self.buy_nowait(1).filled()
        if self.fails:
            raise ZeroDivisionError("as asked")
        self.log("bought")

    def on_trade(self, trade: Trade) -> None:
        self.seen += 1


@define
class Blind(Strategy):
    pass


def test_a_world_without_faults_gives_what_the_strategy_did(strategykit_world: Run) -> None:
    outcome = strategykit_world(Buyer(instrument="SBER"), seconds=5.0).check()

    assert [order.state for order in outcome.orders] == [OrderState.FILLED]
    assert outcome.positions == {"SBER": Decimal(1)}
    assert "strategy: bought" in outcome.notes


def test_a_world_breaks_as_its_script_says(strategykit_world: Run) -> None:
    slow = [Fault(at=1.0, network=NetworkFault(what="slow", seconds=3.0, late=1.0))]
    outcome = strategykit_world(Buyer(instrument="SBER", after=2.0), seconds=6.0, faults=slow, seed=3)

    (order,) = outcome.orders
    assert outcome.fills[0].receive_time - order.placed > 1e9


def test_what_a_strategy_raised_is_in_the_outcome(strategykit_world: Run) -> None:
    outcome = strategykit_world(Buyer(instrument="SBER", fails=True), seconds=5.0)

    with pytest.raises(ZeroDivisionError, match="as asked"):
        outcome.check()


@pytest.mark.parametrize(
    ("strategy", "world", "words"),
    [
        (Buyer, {}, "is no strategy; make one"),
        (Blind(), {}, "declares no stream of an instrument; name some"),
        (Buyer(instrument="SBER"), {"colour": 1}, "a world has no 'colour'; there are advances_per_second"),
        (Buyer(instrument="SBER"), {"venue": "nyse"}, "no venue is called 'nyse'"),
    ],
)
def test_worlds_that_cant_be_are_refused(
    strategykit_world: Run, strategy: object, world: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        strategykit_world(strategy, **world)


def test_an_instrument_that_the_venue_doesnt_have_is_refused(strategykit_world: Run) -> None:
    with pytest.raises(StrategykitError, match="'NONE': the simulated venue knows SBER"):
        strategykit_world(Buyer(instrument="NONE"))


@pytest.mark.strategykit_faults(seeds=2, faults=3, seconds=6)
def test_under_the_marker_worlds_and_markets_are_of_its_seeds(
    strategykit_world: Run, strategykit_market: Callable[..., list[Any]]
) -> None:
    strategy = Buyer(instrument="SBER")
    strategykit_world(strategy)

    with pytest.raises(ConfigError, match="has run already"):
        strategykit_world(strategy)
    with pytest.raises(ConfigError, match="seed is the marker's"):
        strategykit_world(Buyer(instrument="SBER"), seed=4)
    given = strategykit_market("SBER", seconds=2.0)
    assert str(given) in [str(make_market("SBER", seconds=2.0, seed=seed)) for seed in (1, 2)]


@pytest.mark.parametrize(("venue", "symbol"), [("t4", "CME_Eq/ES/XCME_Eq ES (Z26)"), ("alor", "SBER")])
def test_drawn_faults_leave_beginning_and_end_alone_and_name_what_the_venue_knows(venue: str, symbol: str) -> None:
    world = World(strategies=[], venue=venue, instruments=[symbol], seconds=30.0, seed=5)
    script = draw_faults(world, count=200)

    assert script == draw_faults(world, count=200)
    assert script != draw_faults(attrs.evolve(world, seed=6), count=200)
    assert min(fault.at for fault in script) >= 2.0
    assert max(fault.at for fault in script) <= 24.0
    named = {fault.venue["instrument"] for fault in script if fault.venue and fault.venue.get("instrument")}
    assert named == {symbol.rpartition("/")[2]}


def test_a_generated_market_is_one_that_strategies_trade_on(strategykit_market: Callable[..., list[Any]]) -> None:
    strategy = Buyer(instrument="SBER")
    outcome = run_strategy(strategy, strategykit_market("SBER", seconds=30.0)).check()

    assert outcome.positions == {"SBER": Decimal(1)}
    assert strategy.seen > 10


def test_a_market_of_no_length_is_refused() -> None:
    with pytest.raises(ConfigError, match="give seconds above 0"):
        make_market("SBER", seconds=0.0)


def test_a_strategy_runs_on_a_tape(strategykit_tape: Run, tmp_path: Path) -> None:
    recorded = World(strategies=[("buyer", Buyer(instrument="SBER"))], instruments=["SBER"], seconds=5.0)
    assert run_world(recorded, tape=tmp_path / "tape").error is None

    assert strategykit_tape(tmp_path / "tape", Buyer(instrument="SBER")).check().positions == {"SBER": Decimal(1)}
    with pytest.raises(StrategyError, match="ZeroDivisionError: as asked"):
        strategykit_tape(tmp_path / "tape", Buyer(instrument="SBER", fails=True)).check()
    with pytest.raises(StrategyError, match="the tape has no quotes GAZP"):
        strategykit_tape(tmp_path / "tape", Buyer(instrument="GAZP")).check()
    with pytest.raises(TapeError):
        strategykit_tape("nowhere", Buyer(instrument="SBER"))
