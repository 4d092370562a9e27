"""What goes into an archive comes out of it: the same events, bit for bit, in the same order."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.archive.fields import KINDS, Form, fields_of
from strategykit.archive.manifest import Source
from strategykit.archive.reader import Archive
from strategykit.archive.rows import Needs, rows_of
from strategykit.archive.stored import Layout, plain_rows
from strategykit.archive.taken import columns_of_rows
from strategykit.archive.writer import open_archive_writer
from strategykit.errors import ConfigError, TapeError
from strategykit.model.events import (
    AssetUpdate,
    BookDelta,
    BookSnapshot,
    ByOrderDelta,
    Event,
    Gap,
    Quote,
    Side,
    Ticker,
    Trade,
    VenueStatus,
)
from strategykit.model.instruments import Instrument
from strategykit.venues.streams import Stream, StreamKind

SECOND = 10**9
DAY = 86_400 * SECOND
START = 19_000 * DAY - 3 * SECOND
TRADES = Stream(kind=StreamKind.TRADES, instrument="SBER")
BOOK = Stream(kind=StreamKind.BOOK, instrument="SBER", depth=20)
QUOTES = Stream(kind=StreamKind.QUOTES, instrument="GAZP")

Told = tuple[Stream, Event]


def put(to: Path, told: Sequence[Told], **facts: Any) -> Archive:
    with open_archive_writer(to, source=Source(format="test", names=["a"]), venue="alor") as writer:
        for name, value in facts.items():
            setattr(writer, name, value)
        for stream, event in told:
            writer.declare(stream, guid=event.guid)
            writer.add(stream, event)
    return Archive.open(to)


def changed(event: Any, **values: Any) -> Any:
    """Give another event; values may be such as none should have."""
    return attrs.evolve(event, **values)


def bits(event: Any) -> tuple[Any, ...]:
    """Give what an event holds, with numbers as they are in memory, and the types of all."""

    def exactly(value: Any) -> Any:
        if isinstance(value, float):
            return struct.pack("<d", value)
        if isinstance(value, tuple):
            return tuple(map(exactly, value))
        return type(value), value

    return type(event), *(exactly(value) for value in attrs.astuple(event, recurse=False))


def trade(time: int, price: float = 101.5, *, number: int | str | None = 1, side: Side | None = Side.BUY) -> Trade:
    return Trade("SBER", price, 3.0, side, number, time - 5_000_000, time, "g-trades")


def delta(time: int, levels: int = 2) -> BookDelta:
    prices = tuple(100.0 - level * 0.25 for level in range(levels))
    return BookDelta("SBER", prices, (1.0,) * levels, (), (), None, time, "g-book", 7)


FINITE = st.floats(allow_nan=False, allow_infinity=False)
TICKS = st.integers(-(10**9), 10**9).map(lambda ticks: ticks / 100)
NUMBERS = st.one_of(TICKS, FINITE)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
INTS = st.integers(-(1 << 63), (1 << 63) - 1)

VALUES = {
    Form.NUMBER: NUMBERS,
    Form.TIME: INTS,
    Form.COUNT: INTS,
    Form.FLAG: st.booleans(),
    Form.SIDE: st.sampled_from(Side),
    Form.WORDS: WORDS,
    Form.NAME: st.one_of(INTS, WORDS),
    Form.NUMBERS: st.lists(NUMBERS, max_size=4).map(tuple),
    Form.NAMES: st.lists(st.one_of(st.none(), WORDS), max_size=4).map(tuple),
}


@st.composite
def some_events(draw: st.DrawFn) -> list[Told]:
    """Events of some streams: times rise, often by nothing, and sometimes by a day."""
    chosen = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=3, unique=True))
    steps = st.sampled_from([0, 0, 1, 1_000_000, DAY])
    time = START
    told: list[Told] = []
    for _ in range(draw(st.integers(1, 8))):
        name = draw(st.sampled_from(chosen))
        kind: Any = KINDS[name]
        time += draw(steps)
        values: dict[str, Any] = {
            field.name: draw(st.one_of(st.none(), VALUES[field.form]) if field.optional else VALUES[field.form])
            for field in fields_of(kind)
        }
        symbol = draw(st.sampled_from(["A", "B"]))
        stream = Stream(kind=StreamKind.TRADES, instrument=symbol)
        told.append((stream, kind(instrument=symbol, guid=f"g-{symbol}", **(values | {"receive_time": time}))))
    return told


@settings(max_examples=15, deadline=None)
@given(told=some_events())
def test_all_kinds_of_events_come_back_bit_for_bit(told: list[Told], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("round")

    archive = put(folder / "archive", told)
    cached = [list(Archive.open(folder / "archive", cache=folder / "cache").events()) for _ in range(2)]

    wanted = [bits(event) for _, event in told]
    assert [bits(event) for event in archive.events()] == wanted
    assert [[bits(event) for event in once] for once in cached] == [wanted, wanted]
    archive.verify()


def through(kind: type, stream: Stream, events: list[Event]) -> list[tuple[Any, ...]]:
    """Put events into the columns that are stored, and take them out again, without a disk."""
    times = [event.receive_time for event in events]
    rows = rows_of(kind, events, times, [0] * len(events))
    needs = Needs(kind)
    needs.see(rows)
    back = plain_rows(kind, Layout.of(needs).store(rows), "memory")
    return [bits(event) for event in columns_of_rows(stream, kind, back).events(events[0].guid)]


@settings(max_examples=100, deadline=None)
@given(told=some_events())
def test_all_kinds_of_events_fit_into_columns_bit_for_bit(told: list[Told]) -> None:
    groups: dict[tuple[Stream, type], list[Event]] = {}
    for stream, event in told:
        groups.setdefault((stream, type(event)), []).append(event)

    for (stream, kind), events in groups.items():
        assert through(kind, stream, events) == [bits(event) for event in events]


@settings(max_examples=150, deadline=None)
@given(numbers=st.lists(NUMBERS, min_size=1, max_size=20))
def test_numbers_come_back_to_the_last_bit(numbers: list[float]) -> None:
    trades: list[Event] = [trade(START + place, price) for place, price in enumerate(numbers)]

    assert through(Trade, TRADES, trades) == [bits(event) for event in trades]


@pytest.mark.parametrize("numbers", [(1, 2), (1, None), ("a", "b"), ("a", None), (1, "a", None), (None, None)])
def test_names_of_trades_keep_their_types(numbers: tuple[Any, ...], tmp_path: Path) -> None:
    told: list[Told] = [(TRADES, trade(START + n, number=number, side=None)) for n, number in enumerate(numbers)]

    archive = put(tmp_path / "a", told)

    assert [bits(event) for event in archive.events()] == [bits(event) for _, event in told]


def test_holes_in_flags_counts_words_and_books_by_order_come_back(tmp_path: Path) -> None:
    ids = (("a", None), ("b",), ())
    told: list[Told] = []
    for number, (flag, words, names) in enumerate(zip((True, None, False), ("x", None, "y"), ids, strict=True)):
        time, levels = START + number, tuple(range(len(names)))
        told += [
            (TRADES, AssetUpdate("SBER", words, flag, None, 1.5, None, None, "{}", None, time, "g-trades")),
            (TRADES, Ticker("SBER", None, 1.0, None, None, None, None, number or None, None, time, "g-trades")),
            (BOOK, ByOrderDelta("SBER", names, levels, levels, (), (), (), None, time, "g-book", number or None)),
        ]

    archive = put(tmp_path / "a", told)

    back = list(archive.events())
    assert [attrs.astuple(event, recurse=False) for event in back] == [  # type: ignore[arg-type]  # all are attrs classes
        attrs.astuple(event, recurse=False)  # type: ignore[arg-type]
        for _, event in told
    ]


def test_events_of_one_time_keep_their_order_across_streams(tmp_path: Path) -> None:
    quote = Quote("GAZP", 1.0, 2.0, 3.0, 4.0, None, None, START, "g-quotes")
    gap = Gap("SBER", START - 9, START, "lost", None, START, "g-book")
    told: list[Told] = [
        (QUOTES, quote),
        (TRADES, trade(START, number=1)),
        (BOOK, gap),
        (BOOK, delta(START)),
        (TRADES, trade(START, number=2)),
        (TRADES, trade(START, number=3)),
        (QUOTES, quote),
        (BOOK, BookSnapshot("SBER", (1.0,), (2.0,), (), (), None, START, "g-book", True)),
        (BOOK, delta(START)),
    ]

    archive = put(tmp_path / "a", told)

    assert [bits(event) for event in archive.events()] == [bits(event) for _, event in told]
    assert [bits(event) for event in archive.events([BOOK])] == [bits(event) for at, event in told if at == BOOK]


def test_a_file_holds_one_class_of_one_stream_and_one_day_utc(tmp_path: Path) -> None:
    told: list[Told] = [(TRADES, trade(START + number * SECOND)) for number in range(6)]
    told += [(BOOK, delta(START + 7 * SECOND))]

    archive = put(tmp_path / "a", told)

    files = sorted(path.relative_to(tmp_path / "a").as_posix() for path in (tmp_path / "a").rglob("*.parquet"))
    assert files == [
        "book-SBER/BookDelta/2022-01-08.parquet",
        "trades-SBER/Trade/2022-01-07.parquet",
        "trades-SBER/Trade/2022-01-08.parquet",
    ]
    (entry,) = [entry for entry in archive.manifest.streams if entry.stream == TRADES]
    assert [file.rows for file in entry.files["Trade"]] == [3, 3]
    assert (archive.rows, archive.first, archive.last) == (7, START, START + 7 * SECOND)


def test_a_part_of_a_stream_is_what_lies_in_it(tmp_path: Path) -> None:
    told: list[Told] = [(TRADES, trade(START + number * SECOND, number=number)) for number in range(9)]
    archive = put(tmp_path / "a", told)

    def numbers(since: int | None, until: int | None) -> list[Any]:
        chunks = archive.chunks(TRADES, since=since, until=until)
        return [event.trade_id for columns in chunks for event in columns.events("g")]  # type: ignore[union-attr]

    assert numbers(None, None) == list(range(9))
    assert numbers(START + 2 * SECOND, None) == list(range(2, 9))
    assert numbers(START + 2 * SECOND + 1, START + 5 * SECOND) == [3, 4]
    assert numbers(None, START) == []
    assert numbers(START + 9 * SECOND, None) == []


def test_an_archive_says_what_it_is(tmp_path: Path) -> None:
    sber = Instrument("SBER")

    archive = put(tmp_path / "a", [(TRADES, trade(START))], instruments={"SBER": sber}, first=START - 5, seed=7)

    assert archive.streams == (TRADES,)
    assert archive.instruments == {"SBER": sber}
    assert (archive.guid(TRADES), archive.first, archive.last) == ("g-trades", START - 5, START)
    assert (archive.manifest.seed, archive.manifest.venue, archive.manifest.source.format) == (7, "alor", "test")
    with pytest.raises(ConfigError, match=r"has no quotes GAZP; it has trades SBER"):
        next(archive.chunks(QUOTES))


def test_names_of_streams_that_no_folder_could_have_are_told_apart(tmp_path: Path) -> None:
    streams = [Stream(kind=StreamKind.TRADES, instrument=symbol) for symbol in ("A/B", "A:B", "a/b", "..", "Ж" * 99)]
    told: list[Told] = [
        (stream, changed(trade(START + place), instrument=stream.instrument)) for place, stream in enumerate(streams)
    ]

    archive = put(tmp_path / "a", told)

    names = [path.name for path in (tmp_path / "a").iterdir() if path.is_dir()]
    assert len({name.lower() for name in names}) == len(streams)
    assert all(name.isascii() and name.isprintable() and "/" not in name for name in names)
    assert [event.instrument for event in archive.events()] == [stream.instrument for stream in streams]


def test_events_that_were_held_back_keep_their_own_times(tmp_path: Path) -> None:
    told: list[Told] = [
        (TRADES, trade(START + 5)),
        (TRADES, trade(START)),
        (BOOK, delta(START + 1)),
        (TRADES, trade(START + 6)),
    ]

    archive = put(tmp_path / "a", told)

    assert [bits(event) for event in archive.events()] == [bits(event) for _, event in told]
    (columns,) = archive.chunks(TRADES)
    assert columns.times.tolist() == [START + 5, START + 5, START + 6]
    assert [event.receive_time for event in archive.events(since=START + 6)] == [START + 6]


def test_more_events_than_are_kept_in_memory_are_all_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strategykit.archive.writer._PILE", 7)
    monkeypatch.setattr("strategykit.archive.writer._ALL", 9)
    monkeypatch.setattr("strategykit.archive.files._ROWS", 10)
    told: list[Told] = []
    for number in range(60):
        told.append((TRADES, trade(START + number * SECOND // 7, number=number)))
        if number % 3 == 0:
            told.append((BOOK, delta(START + number * SECOND // 7, number % 4)))

    archive = put(tmp_path / "a", told)

    assert [bits(event) for event in archive.events()] == [bits(event) for _, event in told]
    part = archive.events(since=START + SECOND, until=START + 5 * SECOND)
    assert [bits(event) for event in part] == [
        bits(event) for _, event in told if START + SECOND <= event.receive_time < START + 5 * SECOND
    ]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(value: float, tmp_path: Path) -> None:
    with pytest.raises(TapeError, match=r"Trade\.price of a row is no number to compute with"):
        put(tmp_path / "a", [(TRADES, trade(START, value))])

    book = BookDelta("SBER", (value,), (1.0,), (), (), None, START, "g")
    with pytest.raises(TapeError, match=r"BookDelta\.bid_prices"):
        put(tmp_path / "a", [(BOOK, book)])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (VenueStatus("SBER", "open", None, START, "g"), "VenueStatus is no market data"),
        (changed(trade(START), instrument="GAZP"), "an event is of 'GAZP'"),
        (changed(trade(START), price=None), r"Trade\.price of a row is missing"),
        (changed(trade(START), price="dear"), "Trade can't be kept"),
        (changed(trade(START), trade_id=1 << 63), "Trade can't be kept"),
        (changed(trade(START), side="buy"), "Trade can't be kept"),
        (changed(delta(START), bid_prices=(1.0, None)), "lacks a number"),
    ],
)
def test_what_is_no_market_data_of_the_stream_is_refused(event: Event, words: str, tmp_path: Path) -> None:
    with pytest.raises(TapeError, match=words):
        put(tmp_path / "a", [(TRADES, event)])
    assert list(tmp_path.iterdir()) == []


def test_streams_can_be_written_one_after_the_other(tmp_path: Path) -> None:
    with open_archive_writer(tmp_path / "a", source=Source(format="test", names=[]), venue="x") as writer:
        writer.add_all(BOOK, [delta(START + 1), delta(START + 3)])
        writer.add_all(TRADES, [trade(START), trade(START + 2), trade(START + 2, number=2)])

    times = [event.receive_time - START for event in Archive.open(tmp_path / "a").events()]
    assert times == [0, 1, 2, 2, 3]
    with (
        pytest.raises(TapeError, match=f"an event of {START} ns stands behind one of {START + 1}"),
        open_archive_writer(tmp_path / "b", source=Source(format="test", names=[]), venue="x") as writer,
    ):
        writer.add_all(TRADES, [trade(START + 1), trade(START)])
