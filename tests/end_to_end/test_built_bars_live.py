"""Bars live where a venue has only trades, while wires break: whole, the same again, after history if there is some."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from socket import socket
from typing import Any

import attrs
import httpx
import trio

from strategykit.config import RunPlan, Session, StrategySpec, VenuePlan
from strategykit.model.events import Bar, Trade
from strategykit.net.endpoints import Endpoints
from strategykit.registry.simulation import SimPlan
from strategykit.registry.table import find_venue
from strategykit.runtime.assembly import Run
from strategykit.runtime.load import load_strategy
from strategykit.runtime.parameters import make_strategy
from strategykit.runtime.recorded_events import market_events
from strategykit.runtime.report import RunReport
from strategykit.runtime.run import backtest_tape, recorded_dialect, rerun_tape, run_session
from strategykit.tape.reader import open_tape
from strategykit.venues.streams import StreamKind

SECOND = 1_000_000_000
PARAMS = {"interval": "1s", "fast": 2, "slow": 3, "stop": 0.01}
SYMBOLS = {"seed": "SOL_USDC", "coinapi-ds": "COINBASE_SPOT_SOL_USD"}


@contextmanager
def open_venue(name: str) -> Generator[str]:
    """Run a busy venue in a thread; yield its address."""
    told: list[Any] = []
    ready = threading.Event()

    async def main() -> None:
        with trio.CancelScope() as scope:
            plan = SimPlan(rate=300.0, instruments=[SYMBOLS[name]])
            async with find_venue(name).simulation.open(plan) as server:
                told.extend((server.url, scope, trio.lowlevel.current_trio_token()))
                ready.set()
                await trio.sleep_forever()

    thread = threading.Thread(target=trio.run, args=(main,), name="venue")
    thread.start()
    try:
        assert ready.wait(10), "the venue didn't start"
        url, scope, token = told
        try:
            yield url
        finally:
            token.run_sync_soon(scope.cancel)
    finally:
        thread.join(10)


def make_session(name: str, endpoints: Endpoints) -> Session:
    params = {"instrument": SYMBOLS[name], **PARAMS}
    return Session(
        venue=VenuePlan(name=name, endpoints=endpoints),
        run=RunPlan(seed=1, tape=None),
        strategies=(StrategySpec(name="cross", file="sample:cross", params=params),),
    )


def run_cross(name: str, tape: Path, enough: Callable[[list[Bar], Any], bool]) -> tuple[RunReport, list[Bar]]:
    """Run the sample live until it has bars enough, and give its bars."""
    known, runs = find_venue(name), list[Run]()

    def bars() -> list[Bar]:
        feed = runs[0].supervisor.seats[0].desk.feeds.get("bars")
        return [] if feed is None else list(feed.held)

    with open_venue(name) as url:

        def cut() -> bool:
            httpx.post(f"{url}/sim/faults", json={"fault": "reset"}, timeout=5).raise_for_status()
            return True

        async def meanwhile(run: Run) -> None:
            runs.append(run)
            with trio.fail_after(30):
                while not enough(bars(), cut):  # noqa: ASYNC110 - a run tells nobody of its insides
                    await trio.sleep(0.005)
            os.kill(os.getpid(), signal.SIGINT)

        session = make_session(name, Endpoints.at(url))
        result = run_session(session, tape=tape, meanwhile=meanwhile)
    assert [each.error for each in result.strategies] == [""]
    assert known.dialect({}).offers.streams.isdisjoint({StreamKind.BARS})
    return result, bars()


def live(bars: list[Bar]) -> list[Bar]:
    return [bar for bar in bars if not bar.snapshot]


def facts(bars: list[Bar]) -> list[tuple[float, ...]]:
    return [(bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in bars]


def fold(tape: Path) -> dict[int, tuple[float, ...]]:
    """Make bars of all trades that the tape has, without a thought for what it lacks."""
    recording = open_tape(tape)
    groups: dict[int, list[Trade]] = {}
    for _, event in market_events(recording, recorded_dialect(recording)):
        if isinstance(event, Trade) and event.event_time is not None:
            groups.setdefault(event.event_time // SECOND * SECOND, []).append(event)
    return {
        opened: (
            opened,
            trades[0].price,
            max(trade.price for trade in trades),
            min(trade.price for trade in trades),
            trades[-1].price,
            sum(trade.quantity for trade in trades),
        )
        for opened, trades in groups.items()
    }


def test_a_venue_without_bars_runs_the_cross_cold_and_its_tape_says_the_same_again(tmp_path: Path) -> None:
    tape = tmp_path / "tape"
    cuts: list[bool] = []

    def enough(bars: list[Bar], cut: Callable[[], bool]) -> bool:
        if len(bars) == 1 and not cuts:
            cuts.append(cut())
        return len(bars) >= 3

    result, bars = run_cross("seed", tape, enough)

    notes = [text for _, source, text in result.notes if source == "cross"]
    assert any("no history, so its indicators begin empty: seed has no bars" in text for text in notes), notes
    (row,) = result.subscriptions
    assert (row.stream, len(row.gaps)) == ("trades SOL_USDC", 1)
    whole = fold(tape)
    assert facts(bars) == [whole[bar.open_time] for bar in bars]
    told = {bar.open_time for bar in bars}
    (gap,) = row.gaps
    assert told.isdisjoint({min(whole), gap.since // SECOND * SECOND}), "neither the first nor the one that was cut"

    assert rerun_tape(tape).ok
    again = make_strategy(load_strategy("sample:cross"), {"instrument": "SOL_USDC", **PARAMS})
    backtest_tape(tape, [("cross", again)])
    # The tape may go on a little after the strategy has left.
    assert facts(list(again.desk.feeds["bars"].held))[: len(bars)] == facts(bars), "a backtest builds the same"


def test_history_is_asked_for_where_a_venue_without_live_bars_has_some(tmp_path: Path) -> None:
    result, bars = run_cross("coinapi-ds", tmp_path / "tape", lambda bars, _: len(live(bars)) >= 2)

    assert not [text for _, source, text in result.notes if source == "cross"]
    assert bars[0].snapshot
    assert [bar.open_time for bar in bars] == sorted({bar.open_time for bar in bars})
    assert [row.stream for row in result.subscriptions] == ["trades COINBASE_SPOT_SOL_USD"]
    assert rerun_tape(tmp_path / "tape").ok


def test_history_that_a_venue_has_and_does_not_give_stops_its_strategy(tmp_path: Path) -> None:
    with socket() as taken, open_venue("coinapi-ds") as url:
        taken.bind(("127.0.0.1", 0))  # Nobody listens there.
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"
        endpoints = attrs.evolve(Endpoints.at(url), http=nowhere)
        result = run_session(make_session("coinapi-ds", endpoints), tape=tmp_path / "tape", handle_signals=False)

    (cross,) = result.strategies
    assert "its history can't be loaded" in cross.error
    assert not result.ok
