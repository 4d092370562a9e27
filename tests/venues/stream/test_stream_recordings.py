"""Recordings that others made of Binance: through the decoder, and on a tape and back, with the counts they published.

The file of barter-rs among them isn't read: it holds that program's own events (21 trades, 3 disconnections), and no
frame of the venue's that a decoder could read.

"This product includes software developed by Bryant Moscon (http://www.bryantmoscon.com/)": the sessions of cryptofeed.
"""

from __future__ import annotations

import gzip
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import attrs
import pytest
import trio

from strategykit import Books, Quotes, Strategy, Trades, define
from strategykit.model.book import Book
from strategykit.model.codec import make_converter
from strategykit.model.events import Bar, BookDelta, BookSnapshot, Event, Gap, Quote, Side, Trade
from strategykit.net.inbox import Input, InputKind
from strategykit.runtime.backtest import BacktestPlan, backtest
from strategykit.runtime.recorded import inputs
from strategykit.tape.format import TapeHeader
from strategykit.tape.reader import open_tape
from strategykit.tape.writer import TapeWriter, open_tape_writer
from strategykit.venues.asks import Ask, AskBook, AskInstrument
from strategykit.venues.dialect import Confirmed, Decoded, Need
from strategykit.venues.stream.dialect import StreamFamily
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import Subscriptions

DATA = Path(os.environ.get("STRATEGYKIT_DATA") or Path(__file__).resolve().parents[4] / "shared" / "data")

pytestmark = pytest.mark.skipif(
    not (DATA / "hftbacktest").is_dir(),
    reason=f"recordings are absent: no {DATA}; set STRATEGYKIT_DATA to their folder",
)

CONNECTION = "market-0"
MINUTE = 60 * 10**9


@attrs.frozen
class Line:
    """One line of a recording."""

    time: int
    """Nanoseconds UTC."""
    text: str
    snapshot_of: str = ""
    """The instrument whose book this answer holds; empty: it is a frame."""


@attrs.define(eq=False)
class Session:
    """A table with streams that were asked for, told a recording line by line."""

    family: StreamFamily
    streams: Sequence[Stream]
    table: Subscriptions = attrs.field(init=False)
    counts: Counter[str] = attrs.field(factory=Counter)
    events: list[Event] = attrs.field(factory=list)
    books: dict[str, Book] = attrs.field(factory=dict)
    needs: dict[str, Need] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        family = self.family
        self.table = Subscriptions(family.limits, {"market": 1}, lambda: "", family.cursor, family.lane, family.key)
        for number, stream in enumerate(self.streams):
            self.table.restore(f"g{number}", stream, CONNECTION)
            self.table.asked(f"g{number}")

    def frame(self, text: str | bytes, now: int) -> None:
        self._take(self.family.decode(text, self.table, connection=CONNECTION, receive_time=now), now)

    def answer(self, ask: Ask, body: bytes, now: int) -> None:
        need = self.needs.pop(ask.instrument)  # type: ignore[union-attr]  # only books are asked for
        assert need.ask == ask
        rows = self.family.decode_answer(ask, body, receive_time=now)
        self._take(need.asker.answered(rows, "", now), now)

    def _take(self, things: Sequence[Decoded], now: int) -> None:
        for thing in things:
            if isinstance(thing, Confirmed):
                self.table.confirmed(thing.guid, now)
            elif isinstance(thing, Need):
                assert isinstance(thing.ask, AskBook)
                self.needs[thing.ask.instrument] = thing
            else:
                self.counts[type(thing).__name__] += 1
                assert isinstance(thing, Trade | Quote | BookSnapshot | BookDelta | Bar | Gap)
                self.events.append(thing)
                if isinstance(thing, BookSnapshot | BookDelta):
                    self.books.setdefault(thing.instrument, Book(thing.instrument)).apply(thing)


def hftbacktest(*names: str, symbol: str) -> list[Line]:
    lines = []
    for name in names:
        with gzip.open(DATA / "hftbacktest" / f"{name}.gz", "rt", encoding="utf-8") as file:
            for line in file:
                time, _, text = line.rstrip("\n").partition(" ")
                lines.append(Line(int(time), text, "" if text.startswith('{"stream"') else symbol))
    return lines


def cryptofeed() -> list[Line]:
    def find(name: str, pattern: str) -> list[re.Match[str]]:
        with gzip.open(DATA / "cryptofeed" / name, "rt", encoding="utf-8") as file:
            return list(re.finditer(pattern, file.read(), re.MULTILINE))

    frames = find("BINANCE.ws.1.0.gz", r"^(\d+\.\d+): (.*)$")
    answers = find("BINANCE.http.0.0.gz", r"^\S+symbol=(\w+)\S* -> (\d+\.\d+): (.*?)(?: header: \{.*\})?$")
    lines = [Line(int(float(time) * 1e9), text) for time, text in (found.groups() for found in frames)]
    lines += [Line(int(float(time) * 1e9), text, of) for of, time, text in (found.groups() for found in answers)]
    return sorted(lines, key=lambda line: line.time)


def three(symbol: str, *, frequency: int | None) -> list[Stream]:
    return [
        Stream(kind=StreamKind.TRADES, instrument=symbol),
        Stream(kind=StreamKind.QUOTES, instrument=symbol),
        Stream(kind=StreamKind.BOOK, instrument=symbol, frequency=frequency),
    ]


RECORDINGS: Mapping[str, tuple[StreamFamily, Callable[[], list[Line]], list[Stream], dict[str, int]]] = {
    "spot": (
        StreamFamily("binance"),
        lambda: hftbacktest("spot_btcusdt_20240808", "spot_btcusdt_20240809", symbol="BTCUSDT"),
        three("BTCUSDT", frequency=None),
        {"Quote": 28_040 + 45_134, "Trade": 9_757 + 10_147, "BookSnapshot": 1, "BookDelta": 3_451 + 3_044 - 2},
    ),
    "usdm": (
        StreamFamily("binance_usdm", trades="trade"),
        lambda: hftbacktest("usdm_btcusdt_20240808", symbol="BTCUSDT"),
        three("BTCUSDT", frequency=0),
        {"Quote": 66_089, "Trade": 21_313, "BookSnapshot": 1, "BookDelta": 6_551 - 4},
    ),
    "coinm": (
        StreamFamily("binance_coinm", trades="trade"),
        lambda: hftbacktest("cm_btcusd_perp_20240808", symbol="BTCUSD_PERP"),
        three("BTCUSD_PERP", frequency=0),
        {"Quote": 19_136, "Trade": 2_286, "BookSnapshot": 1, "BookDelta": 26_847 - 23},
    ),
    "cryptofeed": (
        StreamFamily("binance", trades="aggTrade"),
        cryptofeed,
        [
            Stream(kind=kind, instrument=symbol, interval=MINUTE if kind is StreamKind.BARS else None)
            for symbol in ("NKNUSDT", "BLZETH", "LRCBTC", "RUNEEUR")
            for kind in (StreamKind.TRADES, StreamKind.QUOTES, StreamKind.BOOK, StreamKind.BARS)
        ],
        # Published: l2_book 176, which is snapshots and changes together; ticker 84, trades 2, candles 2.
        {"Quote": 84, "Trade": 2, "BookSnapshot": 4, "BookDelta": 172, "Bar": 2},
    ),
}
"""The counts are those of the recordings' own description, less the changes that the snapshot held already."""


def play(name: str, lines: Sequence[Line]) -> Session:
    family, _, streams, _ = RECORDINGS[name]
    session = Session(family, streams)
    for line in lines:
        if line.snapshot_of:
            session.answer(session.needs[line.snapshot_of].ask, line.text.encode(), line.time)
        else:
            session.frame(line.text, line.time)
    return session


@pytest.fixture(scope="module", params=RECORDINGS)
def recording(request: pytest.FixtureRequest) -> tuple[str, list[Line], Session]:
    name = str(request.param)
    lines = RECORDINGS[name][1]()
    return name, lines, play(name, lines)


def test_nothing_is_missing_and_all_is_counted(recording: tuple[str, list[Line], Session]) -> None:
    """No gap: each book's changes lead on from its snapshot to the end, and trade numbers have no holes."""
    name, lines, session = recording

    assert dict(session.counts) == RECORDINGS[name][3]
    assert (session.table.late, session.table.foreign) == (0, 0)
    assert sum(row.data for row in session.table) == sum(not line.snapshot_of for line in lines)
    assert not session.needs


def test_quotes_are_never_crossed(recording: tuple[str, list[Line], Session]) -> None:
    quotes = [event for event in recording[2].events if isinstance(event, Quote)]

    assert all(quote.bid is not None and quote.ask is not None and quote.bid < quote.ask for quote in quotes)


def test_books_are_whole(recording: tuple[str, list[Line], Session]) -> None:
    """The counts and prices were published with the recording, and made by two other programs."""
    name, _, session = recording
    for book in session.books.values():
        assert book.best_bid is not None
        assert book.best_ask is not None
        assert book.best_bid < book.best_ask
    if name == "usdm":
        book = session.books["BTCUSDT"]
        bids, asks = book.levels(Side.BUY), book.levels(Side.SELL)
        assert (len(bids), len(asks), len(bids) + len(asks)) == (5_019, 4_578, 9_597)
        assert bids[:5] == (
            (61659.7, 1.486),
            (61659.0, 0.002),
            (61658.1, 0.033),
            (61658.0, 6.718),
            (61657.9, 0.007),
        )
        assert asks[:3] == ((61659.8, 0.981), (61659.9, 0.188), (61660.0, 7.977))
        assert asks[-5:] == (
            (77354.3, 0.015),
            (77905.9, 0.003),
            (80000.0, 10.708),
            (104765.0, 0.034),
            (617050.0, 0.003),
        )


def test_the_last_change_is_the_recordings(recording: tuple[str, list[Line], Session]) -> None:
    name, _, session = recording
    last = {"spot": 50_093_696_318, "usdm": 5_123_135_475_514, "coinm": 1_007_202_248_021}
    if name in last:
        assert [event.sequence for event in session.events if isinstance(event, BookDelta)][-1] == last[name]


INFO = b"""{"symbols":[{"symbol":"BTCUSDT","quoteAsset":"USDT","filters":[
{"filterType":"PRICE_FILTER","tickSize":"0.01000000"},{"filterType":"LOT_SIZE","stepSize":"0.00001000"}]}]}"""


def write_tape(path: Path, name: str, lines: Sequence[Line]) -> Path:
    """Record what a run would have recorded."""
    family, _, streams, _ = RECORDINGS[name]
    converter = make_converter()
    header = TapeHeader(
        created=lines[0].time,
        venue=family.name,
        seed=1,
        clock_origin=lines[0].time,
        strategykit_version="0",
        python_version="3",
        session={},
    )

    def fill(writer: TapeWriter) -> None:
        session, begin = Session(family, streams), lines[0].time
        writer.opened(CONNECTION, begin, "market", "wss://x", 1)
        for row in session.table:
            facts = {"guid": row.guid, "stream": converter.unstructure(row.stream), "connection": row.connection}
            writer.subscription(begin, facts)
        writer.answer(converter.unstructure(AskInstrument(instrument="BTCUSDT"), unstructure_as=Ask), begin, 200, INFO)
        for line in lines:
            if line.snapshot_of:
                ask = AskBook(instrument=line.snapshot_of, depth=1_000, number=1)
                writer.answer(converter.unstructure(ask, unstructure_as=Ask), line.time, 200, line.text)
            else:
                writer.frame_in(CONNECTION, line.time, line.text)

    async def record() -> None:
        async with open_tape_writer(path, header, now=lambda: lines[-1].time, compress=False) as writer:
            fill(writer)
        assert writer.failed is None

    trio.run(record)
    return path


def replayed(tape: Path) -> Iterator[Input]:
    for item in inputs(open_tape(tape)):
        if isinstance(item, Input) and item.kind in (InputKind.FRAME, InputKind.ANSWER):
            yield item


def values(events: Sequence[Event]) -> list[Any]:
    return [attrs.astuple(cast("Any", event), recurse=False) for event in events]


def test_a_tape_gives_back_every_byte_and_every_event(
    recording: tuple[str, list[Line], Session], tmp_path: Path
) -> None:
    name, lines, session = recording
    lines = lines[:30_000]
    family, _, streams, _ = RECORDINGS[name]
    again = Session(family, streams)

    texts = []
    for item in replayed(write_tape(tmp_path / "tape", name, lines)):
        payload = item.payload
        if item.kind is InputKind.FRAME:
            again.frame(payload, item.receive_time)
        elif isinstance(item.ask, AskBook):
            assert isinstance(payload, bytes)
            again.answer(item.ask, payload, item.receive_time)
        else:
            continue
        texts.append((item.receive_time, payload if isinstance(payload, str) else payload.decode()))

    assert texts == [(line.time, line.text) for line in lines]
    assert values(again.events) == values(session.events[: len(again.events)])
    assert len(again.events) >= len(lines) - 30, "all but what the snapshot held already"


@define
class Watcher(Strategy):
    """Counts what it is told, and trades."""

    trades = Trades("BTCUSDT")
    quotes = Quotes("BTCUSDT")
    book = Books("BTCUSDT", depth=10)
    counts: Counter[str] = attrs.field(factory=Counter, init=False)

    def on_trade(self, trade: Trade) -> None:
        self.counts["trades"] += 1

    def on_quote(self, quote: Quote) -> None:
        self.counts["quotes"] += 1
        if self.counts["quotes"] % 500 == 0:
            self.buy_nowait(5)

    def on_book(self, book: BookSnapshot) -> None:
        self.counts["books"] += 1
        assert len(book.bid_prices) == len(book.ask_prices) == 10
        assert book.bid_prices[0] < book.ask_prices[0]


def test_strategies_trade_on_a_recording_and_do_so_again(tmp_path: Path) -> None:
    lines = hftbacktest("spot_btcusdt_20240808", symbol="BTCUSDT")[:4_000]
    tape = write_tape(tmp_path / "tape", "spot", lines)
    watcher, again = Watcher(), Watcher()

    reports = [
        backtest(BacktestPlan(source=open_tape(tape), dialect=StreamFamily("binance"), strategies=[("one", strategy)]))
        for strategy in (watcher, again)
    ]

    quotes = sum("bookTicker" in line.text for line in lines)
    assert watcher.counts["quotes"] == quotes
    assert watcher.counts["trades"] == sum("@trade" in line.text for line in lines)
    assert watcher.counts["books"] == sum("@depth" in line.text for line in lines) - 1
    assert reports[0].strategies[0].fills >= quotes // 500
    assert not reports[0].strategies[0].error
    assert reports[0].digest == reports[1].digest


def test_a_lone_change_of_a_book_is_read_to_its_last_level() -> None:
    """One frame of 2025, as basana keeps it: the payload without its envelope."""
    text = (DATA / "basana" / "binance_depth_update.json").read_text(encoding="utf-8")
    change = json.loads(text)
    dialect = StreamFamily("binance")
    table = Subscriptions(dialect.limits, {"market": 1}, lambda: "g", dialect.cursor, dialect.lane, dialect.key)
    row = table.want(Stream(kind=StreamKind.BOOK, instrument="BTCUSDT", depth=1_000), "test")
    table.asked(row.guid)
    frame = json.dumps({"stream": "btcusdt@depth@100ms", "data": change})
    found = dialect.decode(frame, table, connection=row.connection, receive_time=1)
    (need,) = [thing for thing in found if isinstance(thing, Need)]
    body = json.dumps({"lastUpdateId": change["U"], "bids": [["1", "5"]], "asks": [["9999999", "5"]]}).encode()
    book = Book("BTCUSDT")
    for thing in need.asker.answered(dialect.decode_answer(need.ask, body, receive_time=2), "", 2):
        if isinstance(thing, BookSnapshot | BookDelta):
            book.apply(thing)

    for side, letter, far in ((Side.BUY, "b", 1.0), (Side.SELL, "a", 9999999.0)):
        wanted = {float(price): float(size) for price, size in change[letter] if float(size)}
        assert dict(book.levels(side)) == wanted | {far: 5.0}
