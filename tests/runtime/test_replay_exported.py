"""A tape and the archive made of it: one recording, one result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import trio

from strategykit import Books, BookSnapshot, Gap, Quote, Quotes, Trade, Trades, define
from strategykit.cli import main
from strategykit.config import StrategySpec
from strategykit.errors import TapeError
from strategykit.runtime.export import export_tapes
from strategykit.runtime.load import load_strategy, make_strategy
from strategykit.runtime.recordings import open_recording
from strategykit.runtime.report import RunReport
from strategykit.runtime.run import backtest_tape
from strategykit.tape.reader import Tape
from strategykit.testing.world import World, run_world
from tests.runtime.columnar import Diarist
from tests.runtime.test_export import make, whole


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


def test_a_part_of_a_live_run_gives_the_same_result(tmp_path: Path) -> None:
    """Both end when the recording did, whatever else was recorded last."""
    symbols, file = ("SBER", "GAZP"), "sample:maker"
    both = [StrategySpec(name=name, file=file, params={"instrument": name, "refresh": 0.3}) for name in symbols]
    run_world(World(strategies=both, seconds=3.0, seed=5), tape=tmp_path / "tape")
    export_tapes([tmp_path / "tape"], tmp_path / "archive")

    def replay(source: Path) -> RunReport:
        return backtest_tape(source, [("maker", make_strategy(load_strategy(file), both[0].params))])

    on_tape, on_archive = replay(tmp_path / "tape"), replay(tmp_path / "archive")

    assert on_tape.orders == on_archive.orders != []
    assert on_tape.ended == on_archive.ended
    assert on_tape.digest == on_archive.digest


@define
class Fragile(Narrow):
    """Fails at its second trade."""

    def on_trade(self, trade: Trade) -> None:
        super().on_trade(trade)
        if len([what for what, _, _ in self.seen if what == "trade"]) == 2:
            raise ValueError("enough")


@pytest.mark.parametrize("of", ["tape", "archive"])
def test_a_strategy_that_fails_at_an_event_is_stopped_alone(of: str, tmp_path: Path) -> None:
    export_tapes([make(tmp_path / "tape", whole)], tmp_path / "archive")
    fragile, other = Fragile(), Narrow()

    told = backtest_tape(tmp_path / of, [("fragile", fragile), ("other", other)])

    assert {item.name: bool(item.error) for item in told.strategies} == {"fragile": True, "other": False}
    assert [what for what, _, _ in fragile.seen].count("trade") == 2
    assert [what for what, _, _ in other.seen].count("trade") > 2


def test_a_frame_that_is_damaged_on_the_disk_leaves_no_result(tmp_path: Path) -> None:
    tape = make(tmp_path / "tape", whole)
    (segment,) = tape.glob("*.tape")
    data = segment.read_bytes()
    segment.write_bytes(data.replace(b'"p":"', b'"q":"', 1))

    with pytest.raises(TapeError, match="checksum is wrong"):
        backtest_tape(tape, [("one", Narrow())])


@pytest.mark.parametrize("of", ["tape", "archive"])
def test_a_strategy_that_wants_what_is_not_there_leaves_no_result(
    of: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export_tapes([make(tmp_path / "tape", whole)], tmp_path / "archive")
    (tmp_path / "look.py").write_text(STRATEGY.replace("BTCUSDT", "NOPE"))
    out = tmp_path / "result"

    assert main(["replay", str(tmp_path / "look.py"), "--tape", str(tmp_path / of), "--out", str(out)]) == 2

    said = capsys.readouterr()
    assert "has no trades NOPE; it has book BTCUSDT, quotes BTCUSDT, trades BTCUSDT" in said.err
    assert not out.exists()
    assert "SHA-256" not in said.out


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


def test_the_command_line_replays_by_way_of_a_cache_with_the_same_digest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export_tapes([make(tmp_path / "tape", whole)], tmp_path / "archive")
    (tmp_path / "look.py").write_text(STRATEGY)
    cache = tmp_path / "cache"
    command = ["replay", str(tmp_path / "look.py"), "--tape", str(tmp_path / "archive"), "--json"]

    def report(*more: str) -> Any:
        assert main([*command, *more]) == 0
        return json.loads(capsys.readouterr().out)

    plain, cold, warm = report(), report("--cache", str(cache)), report("--cache", str(cache))
    for kept in cache.iterdir():
        kept.write_bytes(kept.read_bytes()[:-1])
    cut = report("--cache", str(cache))

    assert list(cache.glob("*-Trade.arrow"))
    assert len({each["digest"] for each in (plain, cold, warm, cut)}) == 1
    assert [len(each["notes"]) - len(plain["notes"]) for each in (cold, warm)] == [0, 0]
    assert any("its checksum is wrong, or missing" in str(note) for note in cut["notes"])


def test_a_cache_is_refused_where_there_is_nothing_to_unpack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tape = str(make(tmp_path / "tape", whole))
    (tmp_path / "look.py").write_text(STRATEGY)
    cache = ["--cache", str(tmp_path / "cache")]

    assert main(["replay", str(tmp_path / "look.py"), "--tape", tape, *cache]) == 2
    assert "a cache is for archives; make one of" in capsys.readouterr().err
    assert main(["replay", "--rerun", tape, *cache]) == 2
    assert "--cache is for archives" in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()
