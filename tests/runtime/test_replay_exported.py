"""A tape and the archive made of it: one recording, one result."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from strategykit import Books, BookSnapshot, Gap, Quote, Quotes, Trade, Trades, define
from strategykit.cli import main
from strategykit.runtime.export import export_tapes
from strategykit.runtime.recordings import open_recording
from strategykit.runtime.run import backtest_tape
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.models.latency import Constant
from strategykit.tape.reader import Tape
from strategykit.venues.dialect import AskInstrument
from tests.runtime.columnar import Diarist
from tests.runtime.test_export import LISTED, QUOTES, TRADES, Session, make, whole


@define
class Watcher(Diarist):
    """Notes all, and trades on some of it."""

    trades = Trades("BTCUSDT")
    quotes = Quotes("BTCUSDT")
    book = Books("BTCUSDT", depth=5)

    def on_trade(self, trade: Trade) -> None:
        self.note("trade", (trade.trade_id, trade.price, trade.snapshot))

    def on_quote(self, quote: Quote) -> None:
        self.note("quote", quote.bid)
        self.buy_nowait(1)

    def on_book(self, book: BookSnapshot) -> None:
        self.note("book", book.bid_prices)

    def on_gap(self, gap: Gap) -> None:
        self.note("gap", gap.guid)

    async def run(self) -> None:
        while True:
            await trio.sleep(0.0015)
            self.note("tick", None)


@define
class Narrow(Diarist):
    """Wants trades alone; the exchange knows the quotes and the book all the same."""

    trades = Trades("BTCUSDT")

    def on_trade(self, trade: Trade) -> None:
        self.note("trade", trade.price)
        if not trade.snapshot:
            self.buy_nowait(2)


@pytest.mark.parametrize("kind", [Watcher, Narrow])
def test_a_tape_and_its_export_give_the_same_result(kind: type[Diarist], tmp_path: Path) -> None:
    tape = make(tmp_path / "tape", whole)
    export_tapes([tape], tmp_path / "archive")
    first, second = kind(), kind()

    on_tape = backtest_tape(tape, [("one", first)])
    on_archive = backtest_tape(tmp_path / "archive", [("one", second)])

    assert first.seen == second.seen
    assert any(what == "fill" for what, _, _ in first.seen)
    assert on_tape.orders == on_archive.orders
    assert on_tape.strategies == on_archive.strategies
    assert (on_tape.started, on_tape.ended) == (on_archive.started, on_archive.ended)
    assert on_tape.events == on_archive.events > 0
    assert on_tape.digest == on_archive.digest


def quoted_last(session: Session) -> None:
    """A trade, and quotes after it, which move away."""
    session.begin(TRADES, QUOTES)
    session.answer(AskInstrument(instrument="BTCUSDT"), LISTED)
    session.quote(1)
    session.trade(10)
    for number in range(2, 9):
        session.quote(number)


def test_what_is_held_at_the_end_is_worth_the_same_though_nobody_wants_the_quotes(tmp_path: Path) -> None:
    tape = make(tmp_path / "tape", quoted_last)
    export_tapes([tape], tmp_path / "archive")

    on_tape = backtest_tape(tape, [("one", Narrow())])
    on_archive = backtest_tape(tmp_path / "archive", [("one", Narrow())])

    assert on_tape.strategies[0].pnl != {}
    assert on_tape.strategies == on_archive.strategies
    assert [row.data for row in on_tape.subscriptions] == [row.data for row in on_archive.subscriptions] == [1, 8]
    assert on_tape.digest == on_archive.digest


@pytest.mark.parametrize("of", ["tape", "archive"])
def test_answers_come_in_time_and_not_with_the_next_data(of: str, tmp_path: Path) -> None:
    def silent_later(session: Session) -> None:
        session.begin(TRADES, QUOTES)
        session.answer(AskInstrument(instrument="BTCUSDT"), LISTED)
        session.quote(1)
        session.trade(10)
        session.now += 10**9
        session.trade(11)

    export_tapes([make(tmp_path / "tape", silent_later)], tmp_path / "archive")
    models = FillModels(order_latency=Constant(span=2_000_000), answer_latency=Constant(span=500_000))
    narrow = Narrow()

    backtest_tape(tmp_path / of, [("one", narrow)], models=models)

    first, *_, fill = narrow.seen[: 1 + next(n for n, (what, _, _) in enumerate(narrow.seen) if what == "fill")]
    assert first[0] == "trade"
    assert fill[2] - first[2] == 2_500_000


def test_whatever_is_recorded_is_opened_by_its_folder(tmp_path: Path) -> None:
    tape = make(tmp_path / "tape", whole)
    export_tapes([tape], tmp_path / "archive")

    opened, dialect = open_recording(tape)
    archive, none = open_recording(tmp_path / "archive")

    assert isinstance(opened, Tape)
    assert dialect is not None
    assert none is None
    assert not isinstance(archive, Tape)
    assert [stream.label for stream in archive.streams] == ["trades BTCUSDT", "quotes BTCUSDT", "book BTCUSDT"]


STRATEGY = """
from strategykit import Strategy, Trades, define

@define
class Look(Strategy):
    trades = Trades("BTCUSDT")
"""


def test_the_command_line_replays_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export_tapes([make(tmp_path / "tape", whole)], tmp_path / "archive")
    (tmp_path / "look.py").write_text(STRATEGY)
    digests = []
    for name in ("tape", "archive"):
        assert main(["replay", str(tmp_path / "look.py"), "--tape", str(tmp_path / name), "--json"]) == 0
        out = capsys.readouterr().out
        digests.append(out[out.index('"digest"') :].split(",")[0])

    assert digests[0] == digests[1]
