"""One SHA-256 for a backtest: the same whenever and wherever it is run, and another if anything differs."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from strategykit import Strategy, Trade, define
from strategykit.model.events import Event
from strategykit.runtime.report import RunReport
from tests.runtime.columnar import Trader, make_market, replay_columns
from tests.runtime.many_streams import make_streams, replay_streams

ROOT: Final = Path(__file__).parents[2]

SCRIPT: Final = """
from tests.runtime.columnar import Trader, make_market, replay_columns
from tests.runtime.many_streams import make_streams, replay_streams
print(replay_columns({f"s{n}": Trader(every=5 + n) for n in range(3)}, make_market(2, 300), latency=1_000_000).digest)
print(*(replay_streams(make_streams(seed, 600)).digest for seed in range(3)), sep="\\n")
"""

NEEDED: Final = "import trio, attrs, cattrs, msgspec, numpy"
WHICH: Final = "import sys; print('%d.%d' % sys.version_info[:2])"


def replayed(events: Sequence[Event], *, every: int = 5, latency: int = 1_000_000, seed: int = 0) -> RunReport:
    strategies: Mapping[str, Strategy] = {f"s{number}": Trader(every=every + number) for number in range(3)}
    return replay_columns(strategies, events, latency=latency, seed=seed)


MARKET: Final = make_market(2, 300)


@pytest.fixture(scope="module")
def report() -> RunReport:
    return replayed(MARKET)


def test_a_hundred_repetitions_give_the_same_digest_whatever_trio_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    market, found = MARKET[:40], set()
    for seed in range(100):
        monkeypatch.setattr("trio._core._run._r", random.Random(seed))
        run = replayed(market)
        found.add((run.digest, len(run.orders)))

    ((_, orders),) = found
    assert orders > 10


def test_repetitions_of_a_longer_run_give_the_same_digest_whatever_trio_draws(
    report: RunReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = set()
    for seed in range(4):
        monkeypatch.setattr("trio._core._run._r", random.Random(seed))
        found.add(replayed(MARKET).digest)

    assert found == {report.digest}


@pytest.fixture(scope="module")
def digests(report: RunReport) -> list[str]:
    """Those that `SCRIPT` prints, as they are here."""
    return [report.digest, *(replay_streams(make_streams(seed, 600)).digest for seed in range(3))]


def digests_elsewhere(python: str, **environment: str) -> list[str]:
    found = subprocess.run(
        [python, "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )
    return found.stdout.split()


def test_another_hash_seed_gives_the_same_digests(digests: list[str]) -> None:
    assert digests_elsewhere(sys.executable, PYTHONHASHSEED="1") == digests


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_other_interpreters_give_the_same_digests(digests: list[str], version: str) -> None:
    """`STRATEGYKIT_PYTHONS` names folders of interpreters that have the libraries, to be looked in before ``PATH``."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        found: str | None = sys.executable
    else:
        path = os.pathsep.join(filter(None, [os.environ.get("STRATEGYKIT_PYTHONS"), os.environ.get("PATH")]))
        found = shutil.which(f"python{version}", path=path)
    how = f"install strategykit[archive] for it, and say make digests STRATEGYKIT_PYTHONS=/envs/{version}/bin:…"
    if found is None:
        pytest.skip(f"no python{version} here: {how}")
    able = subprocess.run([found, "-c", NEEDED], capture_output=True, check=False)
    if able.returncode:
        pytest.skip(f"{found} lacks the libraries: {how}")
    told = subprocess.run([found, "-c", WHICH], capture_output=True, text=True, check=True).stdout.strip()
    assert told == version, f"{found} is Python {told}"
    assert digests_elsewhere(found) == digests


def test_streams_of_all_kinds_lead_to_orders_that_are_filled_in_parts_and_cost_fees() -> None:
    run = replay_streams(make_streams(0, 600))

    assert [row.error for row in run.strategies] == ["", ""]
    for row in run.strategies:
        assert row.fills > row.orders > 20
        assert row.fees["RUB"] > 0
    assert {order.state for order in run.orders} == {"filled", "cancelled"}
    assert any(0 < order.filled < order.quantity for order in run.orders)


def test_a_hundred_repetitions_of_all_kinds_of_streams_give_the_same_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    streams, found = make_streams(1, 60), set()
    for seed in range(100):
        monkeypatch.setattr("trio._core._run._r", random.Random(seed))
        run = replay_streams(streams)
        found.add((run.digest, len(run.orders)))

    ((_, orders),) = found
    assert orders > 10


@pytest.mark.parametrize("other", [{"every": 6}, {"latency": 2_000_000}, {"seed": 1}], ids=str)
def test_other_decisions_fills_or_seeds_give_another_digest(report: RunReport, other: dict[str, int]) -> None:
    assert replayed(MARKET, **other).digest != report.digest


def test_a_price_that_changes_no_decision_gives_another_digest(report: RunReport) -> None:
    events = list(MARKET)
    last = max(number for number, event in enumerate(events) if type(event) is Trade)
    trade: Any = events[last]
    events[last] = attrs.evolve(trade, quantity=trade.quantity + 1)

    assert replayed(events).digest != report.digest


def test_the_digest_needs_no_orders(report: RunReport) -> None:
    @define
    class Idle(Trader):
        def on_trade(self, trade: Trade) -> None:
            """Look on."""

    first, second = (replay_columns({"a": Idle(every=10**6)}, MARKET) for _ in range(2))

    assert first.digest == second.digest != report.digest
