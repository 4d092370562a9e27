"""A book that was recorded as changes, served from its tape: the same book, by changes and snapshots of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from strategykit.cli import main
from strategykit.config import RunPlan, Session, StrategySpec, VenuePlan
from strategykit.model.book import Book
from strategykit.model.events import BookDelta, BookSnapshot, Side
from strategykit.net.endpoints import Endpoints
from strategykit.runtime.assembly import Run
from strategykit.runtime.recorded_events import market_events, recorded_instruments
from strategykit.runtime.run import recorded_dialect, run_session
from strategykit.tape.reader import open_tape
from strategykit.venues.streams import Stream, StreamKind
from tests.end_to_end.test_live_streams import open_venue, until

STRATEGY = """
from strategykit import Books, Strategy, define
import attrs

@define
class Own(Strategy):
    instrument: str
    book = Books("{instrument}", depth=1000)
    told: int = attrs.field(default=0, init=False)
    gaps: list = attrs.field(factory=list, init=False)

    def on_book(self, book) -> None:
        self.told += 1
        assert book.bid_prices[0] < book.ask_prices[0]

    def on_gap(self, gap) -> None:
        self.gaps.append(gap.reason)
"""


@contextmanager
def serve(name: str, tape: Path) -> Generator[dict[str, Any]]:
    """Run ``strategykit sim`` on a tape; give what it says of itself."""
    command = [sys.executable, "-m", "strategykit", "sim", name, "--tape", str(tape), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            text = ""
            while not text.endswith("}\n"):
                line = process.stdout.readline()
                assert line, "it has ended"
                text += line
            yield json.loads(text)
        finally:
            process.send_signal(signal.SIGINT)


def run_with(session: Session, tape: Path | None, meanwhile: Any) -> Any:
    async def under_deadline(run: Run) -> None:
        with trio.fail_after(20):
            await meanwhile(run)
        os.kill(os.getpid(), signal.SIGINT)
        await trio.sleep_forever()

    return run_session(session, tape=tape, meanwhile=under_deadline)


@pytest.mark.slow
def test_a_tapes_book_is_served_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, symbol = "binance", "BTCUSDT"
    own = tmp_path / "own.py"
    own.write_text(STRATEGY)
    spec = StrategySpec(name="own", file=str(own), params={"instrument": symbol})

    async def listen(run: Run) -> None:
        strategy: Any = run.supervisor.seats[0].strategy
        await until(lambda: strategy.told >= 40)

    with open_venue(name) as venue:
        plan = VenuePlan(name=name, endpoints=Endpoints.at(venue.url))
        trades = Stream(kind=StreamKind.TRADES, instrument=symbol, skip_history=True)
        session = Session(venue=plan, run=RunPlan(seed=1), strategies=(spec,), record=(trades,))
        assert run_with(session, tmp_path / "tape", listen).ok

    tape = open_tape(tmp_path / "tape")
    assert list(recorded_instruments(tape, recorded_dialect(tape))) == [symbol]
    book, changes = Book(symbol), 0
    for _, event in market_events(tape, recorded_dialect(tape)):
        if isinstance(event, BookSnapshot | BookDelta):
            changes += isinstance(event, BookDelta)
            book.apply(event)
    assert changes >= 10

    def levels(of: Book) -> list[list[tuple[float, float]]]:
        return [[(price, round(size, 8)) for price, size in of.levels(side)] for side in Side]

    async def compare(run: Run) -> None:
        strategy: Any = run.supervisor.seats[0].strategy
        await until(lambda: strategy.told > 0 and levels(strategy.book.book) == levels(book))
        assert strategy.told >= 2, "it moved"
        assert strategy.gaps == []

    with serve(name, tmp_path / "tape") as facts:
        assert facts["instruments"] == [symbol], "what is recorded, and nothing else"
        served = httpx.get(f"{facts['url']}/api/v3/depth?symbol={symbol}")
        assert served.status_code == 200
        plan = VenuePlan(name=name, endpoints=Endpoints.at(facts["url"]))
        result = run_with(Session(venue=plan, run=RunPlan(seed=2), strategies=(spec,)), None, compare)
    assert result.ok, (result.strategies, result.unaccounted)

    assert main(["sim", name, "--tape", str(tmp_path / "tape"), "--instruments", "NOPE"]) == 2
    assert f"the simulated venue knows {symbol}" in capsys.readouterr().err
