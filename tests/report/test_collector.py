"""What a run notes for its result: at regular times, at orders and fills, and without changing the run."""

from __future__ import annotations

from decimal import Decimal
from math import isnan

import attrs
import pytest
import trio

from strategykit import Strategy, Trade, Trades, define
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.report.facts import RunFacts
from strategykit.report.result import Result
from strategykit.runtime.carried import Carried
from strategykit.runtime.clock import ReplayClock
from strategykit.runtime.collector import POINTS, Collected, Collector
from strategykit.runtime.simulate import simulate, stream_guid
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.models.latency import Constant
from strategykit.tape.redact import Redactor
from strategykit.venues.streams import StreamKind
from tests.report.conftest import SBER, SECOND, START, Filled, bars, collected, run_cross, walk


@define
class Limits(Strategy):
    """Buys by a limit that waits, and is refused something else."""

    trades = Trades("SBER")
    lots: int = 1

    async def run(self) -> None:
        async for _ in self.trades:
            break
        await self.buy_nowait(self.lots, limit=99).filled()
        self.sell_nowait(self.lots, limit=105)
        await trio.sleep(5)


def trades(*prices: float) -> list[Event]:
    guid = stream_guid(StreamKind.TRADES, "SBER")
    return [
        Trade("SBER", price, 1.0, None, None, START + n * SECOND, START + n * SECOND, guid)
        for n, price in enumerate(prices)
    ]


def run(events: list[Event], collector: Collector) -> Collected:
    simulation = simulate(
        [("limits", Limits(lots=2))],
        events,
        instruments={"SBER": SBER},
        start=START,
        models=FillModels(order_latency=Constant(span=SECOND // 4)),
        collector=collector,
    )
    found = simulation.run.collected()
    assert found is not None
    return found


def test_orders_tell_when_they_were_decided_answered_and_over() -> None:
    found = run(trades(100.0, 101.0, 98.0, 97.0), Collector(3 * SECOND, Decimal(1_000)))
    buy, sell = ({name: column[n] for name, column in found.orders.items()} for n in range(len(found.orders["order"])))

    assert (buy["strategy"], buy["side"], buy["type"], buy["price"], buy["state"]) == (
        "limits",
        "buy",
        "limit",
        99,
        "filled",
    )
    assert (buy["decision_price"], sell["decision_price"]) == (100.0, 98.0)
    assert buy["answered"] - buy["placed"] == SECOND // 4
    assert (buy["ended"] - START) == 2 * SECOND
    assert (sell["state"], sell["filled"]) == ("cancelled", 0)
    assert found.fills["order"] == [buy["order"]]
    assert (found.fills["quantity"], found.fills["price"], found.fills["mark"]) == ([2], [99], [98.0])
    assert found.capital == {"RUB": 1_000}
    assert [(item.name, item.strategy, dict(item.parameters)) for item in found.strategies] == [
        ("limits", "Limits", {"lots": "2"})
    ]


def test_prices_are_sampled_at_whole_intervals_of_the_runs_clock_and_at_its_end() -> None:
    found = run(trades(100.0, 101.0, 98.0, 97.0), Collector(3 * SECOND))

    assert found.interval == SECOND // 100
    assert found.times[0] == START + SECOND // 100
    assert set(found.times) >= {START + SECOND, START + 2 * SECOND, found.ended}
    prices = dict(zip(found.times, found.prices["SBER"], strict=True))
    # A sample at the time of an event is taken before it.
    assert [prices[START + n] for n in (SECOND, SECOND + SECOND // 100, found.ended - START)] == [100.0, 101.0, 97.0]
    assert found.marks == {"SBER": 97}


def test_a_live_run_isnt_sampled_more_often_than_it_can_bear() -> None:
    found = run(trades(100.0, 101.0), Collector(SECOND, finest=SECOND // 5))

    assert found.interval == SECOND
    assert list(found.times) == [START + SECOND, found.ended]


def test_nothing_is_sampled_after_the_data() -> None:
    """What still ends by itself ends when it would have ended without anybody looking."""
    found = run(trades(100.0, 98.0), Collector(SECOND))

    assert [time for time in found.times if time > START + SECOND] == [found.ended]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_run_that_is_looked_at_is_the_same_run(seed: int) -> None:
    events = bars(walk(400, seed))

    alone, seen = run_cross(events), run_cross(events, collector=Collector(400 * 60 * SECOND, Decimal(1)))

    assert alone.run.collected() is None
    assert [repr(order) for order in alone.run.gateway.orders.values()] == [
        repr(order) for order in seen.run.gateway.orders.values()
    ]
    assert alone.run.clock.reading == seen.run.clock.reading


def test_a_price_that_isnt_known_yet_is_none() -> None:
    found = run([], Collector(SECOND))

    assert (len(found.times), isnan(found.prices["SBER"][0]), found.orders["order"], found.marks) == (1, True, [], {})


def test_a_run_of_unknown_length_keeps_fewer_samples_the_longer_it_lasts() -> None:
    known: dict[str, Instrument] = {}
    collector = Collector(None)
    clock = ReplayClock(START)

    async def main() -> None:
        collector.attach(clock=clock, seats=[], instruments=known, price=lambda _: Decimal(5))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(collector.keep)
            await trio.sleep(2)
            known["SBER"] = SBER  # Known late, as live.
            await trio.sleep(5 * POINTS)
            collector.stop()

    trio.run(main, clock=clock, instruments=[clock])
    found = collector.collect([], Carried(), [])

    assert found.interval == 5 * SECOND
    assert POINTS < len(found.times) < 2.5 * POINTS
    assert len(found.prices["SBER"]) == len(found.times)
    assert list(found.times) == sorted(set(found.times))
    assert isnan(found.prices["SBER"][0])
    assert set(found.prices["SBER"][3:]) == {5.0}
    assert found.capital == {}


def test_secrets_that_a_venue_quotes_dont_reach_a_result() -> None:
    redactor = Redactor()
    redactor.protect("t0ken-of-somebody")
    ours = collected(
        [Filled(side="buy", lots="1", price="1")],
        gaps=[("SBER", "trades SBER", 1, 2, "closed: t0ken-of-somebody")],
        prices={"SBER": [1.0]},
    )
    told = attrs.evolve(ours, orders={**ours.orders, "reason": ["no: t0ken-of-somebody"]})

    shown = redactor.report(told)

    assert "t0ken" not in repr(attrs.asdict(shown))
    assert shown.fills == ours.fills
    assert (
        Result(RunFacts(kind="live", source="ALOR"), shown).metrics()
        == Result(RunFacts(kind="live", source="ALOR"), ours).metrics()
    )
