"""A tape's frames go the short way through a backtest, and nobody can tell."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import pytest

from strategykit import Quote, Quotes, Trade, Trades, define
from strategykit.runtime.backtest import BacktestPlan, backtest
from strategykit.runtime.export import export_tapes
from strategykit.runtime.recorded_venue import recorded_venue
from strategykit.runtime.run import backtest_tape
from strategykit.tape.reader import open_tape
from strategykit.venues.asks import AskInstrument
from tests.runtime.columnar import Diarist
from tests.runtime.test_export import LISTED, MS, QUOTES, TRADES, WIRE, Session, make

STREAM = attrs.evolve(TRADES, depth=None)

STEPS = ("trade", "trade", "trade", "quote", "quote", "bytes", "Ж", "noise", "broken", "stranger", "mark", "lose")


@define
class Taker(Diarist):
    """Notes all; every fifth trade it buys."""

    trades = Trades("BTCUSDT")
    quotes = Quotes("BTCUSDT")

    def on_trade(self, trade: Trade) -> None:
        self.note("trade", (trade.trade_id, trade.price, trade.receive_time))
        if isinstance(trade.trade_id, int) and not trade.trade_id % 5:
            self.buy_nowait(1)

    def on_quote(self, quote: Quote) -> None:
        self.note("quote", quote.bid)


def fill(session: Session, steps: list[str]) -> int:
    """Record what the steps say; give how many frames came by the wire."""
    session.answer(AskInstrument(instrument="BTCUSDT"), LISTED)
    session.begin(STREAM, QUOTES)
    writer, trades, frames, lost = session.writer, 0, 0, 1
    for number, step in enumerate(steps):
        if step in ("trade", "bytes", "Ж"):
            trades += 1
            data: dict[str, Any] = {"t": trades, "p": f"{61_800 + number}", "q": "0.5", "T": session.now // MS}
            data |= {"m": True, "note": step}
            text = json.dumps({"stream": "btcusdt@trade", "data": data}, ensure_ascii=False, separators=(",", ":"))
            writer.frame_in(WIRE, session.tick(), text.encode() if step == "bytes" else text)
        elif step == "quote":
            session.quote(number)
        elif step == "noise":
            writer.frame_in(WIRE, session.tick(), '{"stream":"ethusdt@trade","data":{}}')
        elif step == "broken":
            writer.frame_in(WIRE, session.tick(), '{"stream":"btcusdt@trade","data":{"t":')
        elif step == "stranger":
            writer.frame_in("market-1", session.tick(), '{"stream":"btcusdt@trade","data":{}}')
            continue
        elif step == "mark":
            writer.mark(session.now, 1)
            continue
        else:
            session.lose()
            lost += 1
            writer.opened(WIRE, session.tick(), "market", "wss://x", lost)
            continue
        frames += 1
    return frames


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_on_a_tape_a_backtest_of_its_frames_is_that_of_its_export(seed: int, tmp_path: Path) -> None:
    """What has been exported went the long way, event by event. Few tapes, and long ones: each takes some files."""
    steps = random.Random(seed).choices(STEPS, k=150)
    counts: list[int] = []
    tape = make(tmp_path / "tape", lambda session: counts.append(fill(session, ["trade", "quote", *steps])))
    export_tapes([tape], tmp_path / "archive")
    first, second = Taker(), Taker()

    on_tape, on_archive = backtest_tape(tape, [("one", first)]), backtest_tape(tmp_path / "archive", [("one", second)])

    assert first.seen == second.seen
    assert {"trade", "quote", "fill"} <= {what for what, _, _ in first.seen}
    assert on_tape.digest == on_archive.digest
    assert on_tape.orders == on_archive.orders
    assert on_tape.strategies == on_archive.strategies
    assert on_tape.events == on_archive.events
    (wire,) = on_tape.connections
    assert wire.frames_in == counts[0]


def test_progress_is_told_in_steps_however_many_pieces_a_tape_is_read_in(tmp_path: Path) -> None:
    """Who shows it on a screen takes longer than a piece does."""
    counts: list[int] = []
    steps = ["noise", "trade", "quote"] * 4_000
    tape = open_tape(make(tmp_path / "tape", lambda session: counts.append(fill(session, steps))))
    dialect, _ = recorded_venue(tape)
    told: list[float] = []

    backtest(BacktestPlan(source=tape, dialect=dialect, strategies=[("one", Taker())], on_progress=told.append))

    assert counts == [12_000]
    assert told[-1] == 1.0
    assert 3 < len(told) < 202
    assert all(one <= other for one, other in pairwise(told))
