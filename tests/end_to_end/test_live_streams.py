"""The stream family live against its simulated venues, on real sockets, while they break: nothing twice, no hole."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio

from strategykit.config import RunPlan, Session, StrategySpec, VenuePlan
from strategykit.net.endpoints import Endpoints
from strategykit.runtime.assembly import Run
from strategykit.runtime.run import rerun_tape, run_session
from strategykit.sim.server_stream import open_simulated_stream
from strategykit.sim.stream_config import StreamVenueConfig

STRATEGY = """
from strategykit import *
from strategykit import Books, Strategy, Trades, define
import attrs, trio

@define
class Own(Strategy):
    instrument: str
    trades = Trades("{instrument}")
    book = Books("{instrument}", depth=30)
    numbers: list = attrs.field(factory=list, init=False)
    gaps: list = attrs.field(factory=list, init=False)
    books: int = attrs.field(default=0, init=False)

    def on_trade(self, trade) -> None:
        self.numbers.append(trade.trade_id)

    def on_book(self, book) -> None:
        self.books += 1
        assert book.bid_prices[0] < book.ask_prices[0]
        assert len(book.bid_prices) <= 30
        assert 0.0 not in book.bid_sizes

    def on_gap(self, gap) -> None:
        self.gaps.append(gap.reason)

    async def run(self) -> None:
        await self.when(self.book.bid < self.book.ask)
        while True:
            self.buy_nowait(1)
            await trio.sleep(0.1)
"""


@attrs.define(eq=False)
class Venue:
    url: str

    def fault(self, fault: str, **fields: Any) -> None:
        httpx.post(f"{self.url}/sim/faults", json={"fault": fault, **fields}, timeout=5).raise_for_status()


@contextmanager
def open_venue(variant: str, **settings: Any) -> Generator[Venue]:
    """Run a venue in a thread; leaving stops it."""
    told: list[Any] = []
    ready = threading.Event()

    async def main() -> None:
        scope = trio.CancelScope()
        with scope:
            config = StreamVenueConfig(actions_per_second=200.0, book_interval=0.03, **settings)
            async with open_simulated_stream(variant, config) as venue:
                told.extend((venue.url, scope, trio.lowlevel.current_trio_token()))
                ready.set()
                await trio.sleep_forever()

    thread = threading.Thread(target=trio.run, args=(main,), name="venue")
    thread.start()
    try:
        assert ready.wait(10), "the venue didn't start"
        url, scope, token = told
        try:
            yield Venue(url)
        finally:
            token.run_sync_soon(scope.cancel)
    finally:
        thread.join(10)


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - a run tells nobody of its insides
        await trio.sleep(0.005)


@pytest.mark.parametrize(
    ("variant", "name", "symbol", "settings"),
    [
        ("binance", "binance", "BTCUSDT", {}),
        ("binance_usdm", "binance-usdm", "BTCUSDT", {}),
        ("backpack", "backpack", "SOL_USDC", {}),
        ("seed", "seed", "SOL_USDC", {"reference_quirks": True}),
    ],
)
def test_what_breaks_is_mended(tmp_path: Path, variant: str, name: str, symbol: str, settings: dict[str, Any]) -> None:
    file = tmp_path / "own.py"
    file.write_text(STRATEGY)
    found: list[Any] = []
    quirks = bool(settings.get("reference_quirks"))

    async def break_it(run: Run) -> None:
        own: Any = run.supervisor.seats[0].strategy
        found.append(own)

        async def more(trades: int = 3) -> None:
            told, books = len(own.numbers), own.books
            await until(lambda: len(own.numbers) >= told + trades and own.books >= books + 2)

        with trio.fail_after(30):
            await more()
            venue.fault("reset")
            await until(lambda: len(own.gaps) >= 2)
            await more()
            if not quirks:  # Without numbers nobody can tell.
                gaps = len(own.gaps)
                venue.fault("skip")
                await until(lambda: len(own.gaps) > gaps)
                await more()
            venue.fault("shutdown", seconds=0.3)
            if variant.startswith("binance"):
                await until(lambda: "market-0" not in run.engine.sessions)
            else:
                gaps = len(own.gaps)
                await until(lambda: len(own.gaps) >= gaps + 2)
            await more()
            os.kill(os.getpid(), signal.SIGINT)
            await trio.sleep_forever()

    with open_venue(variant, **settings) as venue:
        session = Session(
            venue=VenuePlan(name=name, endpoints=Endpoints.at(venue.url)),
            run=RunPlan(duration=None, seed=1, tape=None),
            strategies=(StrategySpec(name="own", file=str(file), params={"instrument": symbol}),),
        )
        result = run_session(session, tape=tmp_path / "tape", meanwhile=break_it)

    (own,) = found
    report = {row.stream.partition(" ")[0]: row for row in result.subscriptions}
    assert result.ok, (result.strategies, result.unaccounted)
    assert result.paper
    assert result.strategies[0].fills
    assert own.numbers == list(range(own.numbers[0], own.numbers[-1] + 1)), "each trade once, none missing"
    assert len(own.gaps) == sum(len(row.gaps) for row in report.values())
    if variant.startswith("binance"):
        assert len(report["trades"].gaps) == 1, "another connection took over before the venue went"
        assert len(report["book"].gaps) == 2
        assert {row.connection for row in report.values()} == {"market-0~2"}
    again = rerun_tape(tmp_path / "tape")
    assert (again.differences, again.digest_equal) == ((), True)
