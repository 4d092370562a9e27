"""A venue that answers no subscriptions and ignores one: told in time, asked again, and nobody else is disturbed."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import trio

from strategykit.config import RunPlan, Session, StrategySpec, VenuePlan
from strategykit.net.endpoints import Endpoints
from strategykit.runtime.assembly import Run
from strategykit.runtime.run import rerun_tape, run_session
from tests.end_to_end.test_live_streams import open_venue, until

STRATEGY = """
from strategykit import Strategy, Tickers, Trades, define
import attrs

@define
class Own(Strategy):
    ignored = Trades("ETH_USDT", fresh=0.5)
    heard = Trades("SOL_USDC")
    seen: dict = attrs.field(factory=lambda: {"ETH_USDT": [], "SOL_USDC": []}, init=False)
    silences: list = attrs.field(factory=list, init=False)
    gaps: list = attrs.field(factory=list, init=False)

    def on_trade(self, trade) -> None:
        self.seen[trade.instrument].append(trade.trade_id)

    def on_stale(self, stale) -> None:
        self.silences.append((stale.instrument, stale.silent_for, len(self.seen["ETH_USDT"])))

    def on_gap(self, gap) -> None:
        self.gaps.append(gap.instrument)
"""


@pytest.mark.parametrize("quirks", [False, True])
def test_an_ignored_subscription_is_told_and_had_as_soon_as_the_venue_listens(tmp_path: Path, quirks: bool) -> None:
    """By the reference server's rules, too, which sends twice what is asked for twice."""
    file = tmp_path / "own.py"
    file.write_text(STRATEGY)
    found: list[Any] = []

    async def wait_for_all(run: Run) -> None:
        own: Any = run.supervisor.seats[0].strategy
        found.append(own)
        with trio.fail_after(20):
            await until(lambda: bool(own.silences))
            await until(lambda: len(own.seen["ETH_USDT"]) >= 5 and len(own.seen["SOL_USDC"]) >= 5)
        os.kill(os.getpid(), signal.SIGINT)
        await trio.sleep_forever()

    with open_venue("seed", reference_quirks=quirks) as venue:
        venue.fault("silent", instrument="ETH_USDT", count=2)
        session = Session(
            venue=VenuePlan(name="seed", endpoints=Endpoints.at(venue.url)),
            run=RunPlan(duration=None, seed=1, tape=None),
            strategies=(StrategySpec(name="own", file=str(file)),),
        )
        result = run_session(session, tape=tmp_path / "tape", meanwhile=wait_for_all)

    (own,) = found
    report = {row.stream: row for row in result.subscriptions}
    notes = [text for _, _, text in result.notes if "trades ETH_USDT: nothing within 0.5 s of asking" in text]
    assert result.ok, (result.strategies, result.unaccounted)
    assert own.silences == [("ETH_USDT", 500_000_000, 0)], "once, and before the first trade"
    assert len(notes) == 1
    for numbers in own.seen.values():
        assert numbers == list(range(numbers[0], numbers[-1] + 1)), "each once, none missing"
    assert own.gaps == []
    assert (report["trades ETH_USDT"].state, report["trades SOL_USDC"].state) == ("active", "active")
    again = rerun_tape(tmp_path / "tape")
    assert (again.differences, again.digest_equal) == ((), True)
