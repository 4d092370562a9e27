"""Exported tapes: what their streams told, gaps and past trades included, is what the archive gives back."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from strategykit import Books, Quotes, Strategy, Trades, define
from strategykit.archive.reader import Archive
from strategykit.cli import main
from strategykit.columns.batch import TradeBatch
from strategykit.errors import ConfigError, TapeError
from strategykit.model.codec import make_converter
from strategykit.model.events import BookDelta, BookSnapshot, Gap, Quote, Trade
from strategykit.runtime.export import Told, export_tapes
from strategykit.runtime.recorded import scan
from strategykit.runtime.recorded_events import stream_events
from strategykit.runtime.recorded_venue import recorded_venue
from strategykit.runtime.run import backtest_tape
from strategykit.tape.format import TapeHeader
from strategykit.tape.reader import open_tape
from strategykit.tape.writer import TapeWriter, open_tape_writer
from strategykit.venues.asks import Ask, AskBook, AskInstrument, AskPastTrades
from strategykit.venues.streams import Stream, StreamKind

START = 1_723_161_255_000_000_000
MS = 1_000_000
WIRE = "market-0"
TRADES = Stream(kind=StreamKind.TRADES, instrument="BTCUSDT", depth=2)
QUOTES = Stream(kind=StreamKind.QUOTES, instrument="BTCUSDT")
BOOK = Stream(kind=StreamKind.BOOK, instrument="BTCUSDT")
ORDERS = Stream(kind=StreamKind.ORDERS, account="A")

LISTED = {
    "symbols": [
        {
            "symbol": "BTCUSDT",
            "quoteAsset": "USDT",
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": "0.01"},
                {"filterType": "LOT_SIZE", "stepSize": "0.00001"},
            ],
        }
    ]
}


@define
class Single(Strategy):
    """Notes trades one by one."""

    trades = Trades("BTCUSDT")
    quotes = Quotes("BTCUSDT")
    books = Books("BTCUSDT")
    seen: list[tuple[int, int]] = attrs.field(factory=list, init=False)

    def on_trade(self, trade: Trade) -> None:
        assert isinstance(trade.trade_id, int)
        self.seen.append((trade.trade_id, trade.receive_time))


@define
class Many(Strategy):
    """Notes trades by the batch."""

    trades = Trades("BTCUSDT")
    seen: list[tuple[int, int]] = attrs.field(factory=list, init=False)

    def on_trades(self, batch: TradeBatch) -> None:
        self.seen += zip(batch.array("trade_id").tolist(), batch.receive_time.tolist(), strict=True)


def header(**changes: Any) -> TapeHeader:
    return TapeHeader(
        **{
            "created": START,
            "venue": "binance",
            "seed": 7,
            "clock_origin": START - 5,
            "strategykit_version": "0.2.0",
            "python_version": "3.11",
            "session": {"venue": "binance", "options": {}},
            **changes,
        }
    )


def make(path: Path, fill: Callable[[Session], None], **changes: Any) -> Path:
    async def record() -> None:
        async with open_tape_writer(path, header(**changes), now=lambda: START, compress=False) as writer:
            fill(Session(writer))

    trio.run(record)
    return path


@attrs.define
class Session:
    """Writes what a run would have; time goes on by a millisecond a record."""

    writer: TapeWriter
    now: int = START

    def tick(self) -> int:
        self.now += MS
        return self.now

    def begin(self, *streams: Stream, session: int = 1) -> None:
        converter = make_converter()
        for stream in streams:
            facts = {"guid": f"guid-{stream.kind.value}", "connection": WIRE, "owners": []}
            self.writer.subscription(self.now, {**facts, "stream": converter.unstructure(stream)})
        self.writer.opened(WIRE, self.tick(), "market", "wss://x", session)

    def frame(self, name: str, **data: Any) -> None:
        text = json.dumps({"stream": f"btcusdt@{name}", "data": data}, separators=(",", ":"))
        self.writer.frame_in(WIRE, self.tick(), text)

    def trade(self, number: int) -> None:
        self.frame("trade", e="trade", t=number, p="61800.10", q="0.5", T=START // MS, m=True)

    def quote(self, number: int) -> None:
        self.frame("bookTicker", u=number, b="61800.1", B="1", a="61800.25", A="2")

    def depth(self, first: int, last: int) -> None:
        self.frame("depth@100ms", U=first, u=last, b=[["61799.5", "1.5"]], a=[])

    def answer(self, ask: Ask, body: object) -> None:
        plain: Any = make_converter().unstructure(ask, unstructure_as=Ask)
        self.writer.answer(plain, self.tick(), 200, json.dumps(body))

    def lose(self) -> None:
        self.writer.closed(WIRE, self.tick(), "it broke")


def whole(session: Session) -> None:
    """Past trades, a book that begins by HTTP, a broken wire, and a book that begins again."""
    book = {"lastUpdateId": 11, "bids": [["61800.0", "1"]], "asks": [["61801.0", "3"]]}
    past = [{"id": n, "price": "61799", "qty": "1", "time": START // MS - 1, "isBuyerMaker": False} for n in (8, 9)]
    session.begin(TRADES, QUOTES, BOOK, ORDERS)
    session.answer(AskInstrument(instrument="BTCUSDT"), LISTED)
    session.trade(10)
    session.answer(AskPastTrades(instrument="BTCUSDT", since=0, until=START + 1, count=1_000), past)
    session.quote(1)
    session.depth(10, 12)
    session.answer(AskBook(instrument="BTCUSDT", depth=1_000, number=1), book)
    session.depth(13, 14)
    session.trade(11)
    session.lose()
    session.begin(session=2)
    session.quote(2)
    session.trade(20)
    session.answer(AskPastTrades(instrument="BTCUSDT", since=START, until=START + 1, count=1_000), [])
    session.depth(20, 21)
    session.answer(AskBook(instrument="BTCUSDT", depth=1_000, number=2), book | {"lastUpdateId": 20})
    session.depth(22, 22)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return make(tmp_path / "tape", whole)


def told(tape: Path) -> list[Any]:
    opened = open_tape(tape)
    return [event for _, _, event in stream_events(opened, recorded_venue(opened)[0], scan(opened))]


def plain(events: list[Any]) -> list[Any]:
    return [(type(event), attrs.astuple(event, recurse=False)) for event in events]


def test_an_archive_holds_what_the_streams_of_a_tape_told(tape: Path, tmp_path: Path) -> None:
    archive = export_tapes([tape], tmp_path / "archive")

    events = list(archive.events())
    assert plain(events) == plain(told(tape))
    kinds = [type(event) for event in events]
    assert (kinds.count(Gap), kinds.count(BookSnapshot), kinds.count(BookDelta)) == (3, 2, 4)
    assert [event.trade_id for event in events if isinstance(event, Trade)] == [8, 9, 10, 11, 20]
    assert [event.snapshot for event in events if isinstance(event, Trade)] == [True, True, False, False, False]
    assert kinds.count(Quote) == 2
    gap = next(event for event in events if isinstance(event, Gap))
    assert gap.reason == "it broke"
    assert archive.streams == (TRADES, QUOTES, BOOK)
    assert archive.guid(BOOK) == "guid-book"
    assert str(archive.instruments["BTCUSDT"].tick) == "0.01"
    assert (archive.manifest.seed, archive.manifest.clock_origin, archive.manifest.venue) == (7, START - 5, "binance")
    assert archive.first == scan(open_tape(tape)).first


def test_strategies_see_the_same_on_a_tape_and_on_its_archive(tape: Path, tmp_path: Path) -> None:
    """One event at a time or in batches; trades that waited for an answer are among them."""
    export_tapes([tape], tmp_path / "archive")

    runs = []
    for source in (tape, tmp_path / "archive"):
        single, many = Single(), Many()
        report = backtest_tape(source, [("single", single), ("many", many)])
        assert not [strategy.error for strategy in report.strategies if strategy.error]
        runs.append((report.digest, single.seen, many.seen))

    assert runs[0] == runs[1]
    assert [number for number, *_ in runs[0][1]] == [8, 9, 10, 11, 20]
    assert sorted(runs[0][1]) == sorted(runs[0][2])


def test_tapes_that_follow_each_other_become_one_archive(tape: Path, tmp_path: Path) -> None:
    def later(session: Session) -> None:
        session.now += 10**12
        session.begin(QUOTES)
        session.quote(5)

    archive = export_tapes([tape, make(tmp_path / "later", later)], tmp_path / "archive")

    assert len(list(archive.events([QUOTES]))) == 4
    assert archive.manifest.source.names == ["tape", "later"]
    assert archive.last >= START + 10**12


def test_tapes_that_dont_go_together_are_refused(tape: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "other", whole, session={"venue": "binance-usdm", "options": {}})

    with pytest.raises(ConfigError, match=r"begins before .*tape ends; name tapes in the order of time"):
        export_tapes([tape, tape], tmp_path / "a")
    with pytest.raises(ConfigError, match="aren't of the same venue"):
        export_tapes([tape, other], tmp_path / "a")
    with pytest.raises(ConfigError, match="no tape was named"):
        export_tapes([], tmp_path / "a")
    with pytest.raises(TapeError, match="there is no such tape"):
        export_tapes([tmp_path / "nowhere"], tmp_path / "a")
    with pytest.raises(ConfigError, match="is there already"):
        export_tapes([tape], tmp_path)
    assert not (tmp_path / "a").exists()


def test_a_tape_without_market_data_makes_no_archive(tmp_path: Path) -> None:
    tape = make(tmp_path / "tape", lambda session: session.begin(ORDERS))

    with pytest.raises(TapeError, match="no market data"):
        export_tapes([tape], tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["tape"]


def test_a_torn_tape_gives_what_is_whole_and_a_damaged_one_nothing(tape: Path, tmp_path: Path) -> None:
    (segment,) = tape.glob("*.tape")
    raw = segment.read_bytes()
    part = segment.with_name(f"{segment.name}.part")
    segment.rename(part)
    part.write_bytes(raw[:-300])
    assert export_tapes([tape], tmp_path / "torn").rows > 5

    part.write_bytes(raw[:600] + bytes([raw[600] ^ 1]) + raw[601:])
    with pytest.raises(TapeError):
        export_tapes([tape], tmp_path / "damaged")
    assert not (tmp_path / "damaged").exists()


def test_who_waits_is_told_how_far_it_is(tape: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strategykit.runtime.export._EVERY", 2)
    seen: list[Told] = []

    export_tapes([tape], tmp_path / "a", on_progress=seen.append)

    assert seen[-1] == Told(1.0, 16, storing=True)
    reading = [now.part for now in seen if not now.storing]
    assert reading == sorted(reading)
    assert len(reading) == 8


def test_the_command_says_what_it_made(tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tape", "export", str(tape), "--to", str(tmp_path / "a")]) == 0
    shown = capsys.readouterr().out
    assert "16 events from 2024-08-08 23:54:15" in shown
    assert "BookDelta" in shown

    assert main(["tape", "export", str(tape), "--to", str(tmp_path / "b"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["rows"], said["archive"]) == (16, str(tmp_path / "b"))
    assert {(row["stream"], row["kind"]): row["rows"] for row in said["of"]}["trades BTCUSDT", "Trade"] == 5

    assert main(["tape", "export", str(tape), "--to", str(tmp_path / "b")]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["tape", "export", str(tmp_path / "none"), "--to", str(tmp_path / "c")]) == 1


def test_what_waited_for_an_answer_that_nobody_recorded_is_told_all_the_same(tmp_path: Path) -> None:
    """Such as on a tape that was made of somebody else's frames."""

    def fill(session: Session) -> None:
        session.begin(TRADES)
        session.trade(10)
        session.trade(15)

    archive = export_tapes([make(tmp_path / "tape", fill)], tmp_path / "a")

    first, gap, second = archive.events()
    assert isinstance(first, Trade)
    assert isinstance(gap, Gap)
    assert isinstance(second, Trade)
    assert (first.trade_id, second.trade_id, gap.reason) == (10, 15, "the venue's trade numbers have a hole")


def test_events_keep_their_times_where_the_clock_was_set_back(tmp_path: Path) -> None:
    def fill(session: Session) -> None:
        session.begin(QUOTES)
        session.quote(1)
        session.now -= 5 * MS
        session.quote(2)

    archive = export_tapes([make(tmp_path / "tape", fill)], tmp_path / "a")

    first, second = (event.receive_time for event in archive.events())
    assert first - second == 4 * MS
    (columns,) = archive.chunks(QUOTES)
    assert columns.times.tolist() == [first, first]


def test_the_command_brings_in_files_and_tells_each_row_that_it_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"2020-01-01 00:0{n},1,1,1,1,{'x' if n == 2 else 1}" for n in range(5)]
    (tmp_path / "a.csv").write_text("\n".join(["time,open,high,low,close,volume", *rows, ""]))
    command = [
        "tape",
        "import",
        "--from",
        "ohlcv",
        str(tmp_path / "a.csv"),
        "--symbol",
        "X",
        "--interval",
        "1m",
        "--to",
    ]

    assert main([*command, str(tmp_path / "a")]) == 1
    shown = capsys.readouterr()
    assert "a.csv:4: volume is no number: 'x'" in shown.err
    assert "4 messages from 2020-01-01 00:01:00.000" in shown.out
    assert "1 row refused" in shown.out
    assert f"archive: {tmp_path / 'a'}" in shown.out

    assert main([*command, str(tmp_path / "b"), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    future = ["--currency", "RUB", "--multiplier", "50"]
    assert main([*command, str(tmp_path / "future"), *future]) == 1
    instrument = Archive.open(tmp_path / "future").instruments["X"]
    assert (instrument.currency, instrument.multiplier) == ("RUB", Decimal(50))
    capsys.readouterr()
    assert (said["made"], said["messages"], said["refused"]) == ("archive", 4, 1)
    assert main([*command, str(tmp_path / "c"), "--refuse", "0"]) == 1
    assert "more than 0 rows can't be taken" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()
    assert main([*command[:3], "nothing", *command[4:], str(tmp_path / "d")]) == 2
