"""Results of runs as they are live: over a network, at a venue that answers late."""

from __future__ import annotations

import pytest

from strategykit.config import StrategySpec
from strategykit.report.facts import RunFacts
from strategykit.report.result import Result
from strategykit.testing import World, run_world
from tests.report.conftest import SECOND


def test_a_live_run_leaves_what_its_report_says() -> None:
    params = {"instrument": "SBER", "fast": 2, "slow": 3, "interval": "1s"}
    cross = StrategySpec(name="cross", file="sample:cross", params=params)
    world = World(strategies=[cross], seconds=20.0, instruments=["SBER"], seed=4, collect=True, latency=(0.01, 0.01))

    report = run_world(world).report

    assert report is not None
    assert report.collected is not None
    run = Result(RunFacts(kind="simulated venue", source="ALOR"), report.collected)
    (strategy,) = report.strategies
    found = run.metrics()
    assert found["pnl"] == strategy.pnl["RUB"]
    assert found["fees"] == strategy.fees["RUB"]
    assert (found["orders"], found["fills"]) == (strategy.orders, strategy.fills)
    assert strategy.fills > 0
    assert run.curve().pnl[-1] == pytest.approx(float(strategy.pnl["RUB"]))
    # There and back over the network, 10 ms each way.
    assert found["answer_p50"] is not None
    assert 0.02 * SECOND <= found["answer_p50"] < 0.1 * SECOND
    assert (run.collected.interval, run.capital("RUB")) == (SECOND, None)
