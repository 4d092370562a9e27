"""Tables of bars, whoever wrote them: what is in them is what a replay gets, when it could have been known."""

from __future__ import annotations

import gzip
import os
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.archive.reader import Archive
from strategykit.errors import ConfigError, TapeError
from strategykit.model.events import Bar
from strategykit.runtime.importing import ImportPlan, ImportReport, import_files

DATA = Path(os.environ.get("STRATEGYKIT_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
recorded = pytest.mark.skipif(
    not (DATA / "basana").is_dir(), reason=f"recordings are absent: no {DATA}; set STRATEGYKIT_DATA to their folder"
)
MINUTE = 60 * 10**9
DAY = 1_440 * MINUTE
START = 1_577_836_800 * 10**9

HEADER = "datetime,open,high,low,close,volume\n"
ROWS = [
    "2020-01-01 00:00:00,10,12,9.5,11,100",
    "2020-01-01 00:01:00,11,11.25,10,10.5,0",
    "2020-01-01 00:02:00,10.5,10.5,10.5,10.5,7.5",
]


def bring_in(to: Path, *paths: Path, **more: Any) -> ImportReport:
    plan = {"symbol": "X", **more}
    return import_files(ImportPlan(format="ohlcv", paths=paths, to=to, **plan))


def bars(tmp_path: Path, text: str, **more: Any) -> list[Bar]:
    path = tmp_path / "a.csv"
    path.write_text(text if text.endswith("\n") else f"{text}\n")
    bring_in(tmp_path / "archive", path, **more)
    return [event for event in Archive.open(tmp_path / "archive").events() if isinstance(event, Bar)]


def nanoseconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def test_a_bar_comes_when_it_ends(tmp_path: Path) -> None:
    first, second, third = bars(tmp_path, HEADER + "\n".join(ROWS))

    assert (first.open, first.high, first.low, first.close, first.volume) == (10.0, 12.0, 9.5, 11.0, 100.0)
    assert (first.open_time, first.interval, first.closed) == (START, MINUTE, True)
    assert (first.event_time, first.receive_time) == (START + MINUTE, START + MINUTE)
    assert [bar.open_time - START for bar in (second, third)] == [MINUTE, 2 * MINUTE]
    archive = Archive.open(tmp_path / "archive")
    assert archive.streams[0].label == "bars X 1m"
    assert (str(archive.instruments["X"].tick), str(archive.instruments["X"].lot)) == ("0.01", "0.1")


@pytest.mark.parametrize(
    "text",
    [
        HEADER + "\n".join(reversed(ROWS)),
        "\ufeff" + HEADER + "\r\n".join(ROWS) + "\r\n\r\n",
        (HEADER + "\n".join(ROWS)).replace(",", ";"),
        (HEADER + "\n".join(ROWS)).replace(",", "\t"),
        "Date,Time,<Open>,<HIGH>,Low,Close,Vol,Note\n" + "\n".join(f"{row.replace(' ', ',')},x" for row in ROWS),
        "Open Time,open,high,low,close,volume\n" + "\n".join(row.replace("2020-01-01 ", "20200101 ") for row in ROWS),
        HEADER + "\n".join(row.replace("2020-01-01 ", "2020.01.01 ") for row in ROWS),
        HEADER + "\n".join(row.replace(":00,", ":00+00:00,", 1) for row in ROWS),
        HEADER + "\n".join(f"{1_577_836_800 + 60 * n}{row[19:]}" for n, row in enumerate(ROWS)),
        HEADER + "\n".join(f"{1_577_836_800 + 60 * n}.0{row[19:]}" for n, row in enumerate(ROWS)),
        HEADER + "\n".join(f"{1_577_836_800 + 60 * n}000{row[19:]}" for n, row in enumerate(ROWS)),
        HEADER + "\n".join(f"{1_577_836_800 + 60 * n}000000{row[19:]}" for n, row in enumerate(ROWS)),
        HEADER + "\n".join(f"{1_577_836_800 + 60 * n}000000000{row[19:]}" for n, row in enumerate(ROWS)),
        HEADER + "\n".join(f"2020010100{n:02d}00{row[19:]}" for n, row in enumerate(ROWS)),
        "symbol," + HEADER + "\n".join(f"X,{row}" for row in ROWS),
    ],
)
def test_tables_are_read_however_they_are_written(text: str, tmp_path: Path) -> None:
    found = bars(tmp_path, text)

    assert [(bar.open_time, bar.close, bar.volume) for bar in found] == [
        (START, 11.0, 100.0),
        (START + MINUTE, 10.5, 0.0),
        (START + 2 * MINUTE, 10.5, 7.5),
    ]


@pytest.mark.parametrize(
    ("price", "volume", "tick", "lot"),
    [
        ("1e-06", "3", "0.000001", "1"),
        ("2.5E-3", "1e5", "0.0001", "1"),
        ("1.50e+1", "2.5e1", "1", "1"),
        ("4e-12", "5e-400", "1E-8", "1"),
        ("9.5e-05,0.00015,9.5e-05,0.0001", "1", "0.000001", "1"),
    ],
)
def test_ticks_and_lots_are_as_fine_as_numbers_with_exponents(
    price: str, volume: str, tick: str, lot: str, tmp_path: Path
) -> None:
    prices = price if "," in price else ",".join([price] * 4)
    rows = "\n".join(f"{row[:19]},{prices},{volume}" for row in ROWS)

    (first, *_) = bars(tmp_path, HEADER + rows)

    known = Archive.open(tmp_path / "archive").instruments["X"]
    assert (first.close, first.volume) == (float(prices.rpartition(",")[2]), float(volume))
    assert (known.tick, known.lot) == (Decimal(tick), Decimal(lot))


def test_times_without_a_zone_are_those_of_the_zone_that_is_said(tmp_path: Path) -> None:
    """Both hours of the night in which clocks are set back are there; so are days of 23 hours."""
    hours = ["2019-11-03 00:00", "2019-11-03 01:00", "2019-11-03 01:00", "2019-11-03 02:00"]

    found = bars(tmp_path, HEADER + "\n".join(f"{hour},1,1,1,1,1" for hour in hours), time_zone="America/New_York")

    assert [bar.open_time for bar in found] == [nanoseconds(f"2019-11-03 0{hour}:00") for hour in (4, 5, 6, 7)]
    days = [f"2020-03-{day:02d},1,1,1,1,1" for day in range(6, 11)]
    (tmp_path / "days.csv").write_text(HEADER + "\n".join([*days, ""]))
    report = bring_in(tmp_path / "days", tmp_path / "days.csv", time_zone="America/New_York")
    assert (report.messages, report.refused, report.streams[0].interval) == (5, 0, DAY)


def test_adjusted_columns_are_taken_where_that_is_said(tmp_path: Path) -> None:
    header = "Date,Open,High,Low,Close,Volume,Adj Close\n"
    rows = [f"2020-01-0{day},10,12,9,11,100,5.5" for day in (1, 2, 3)]

    assert [bar.open for bar in bars(tmp_path, header + "\n".join(rows), adjusted=True)] == [5.0] * 3
    named = "Date,Open,High,Low,Close,Volume,Adj. Open,Adj. High,Adj. Low,Adj. Close,Adj. Volume\n"
    (tmp_path / "named").mkdir()
    wide = [f"2020-01-0{day},10,12,9,11,100,1,4,0.5,2,50" for day in (1, 2, 3)]
    assert [(bar.high, bar.volume) for bar in bars(tmp_path / "named", named + "\n".join(wide), adjusted=True)] == [
        (4.0, 50.0)
    ] * 3
    (tmp_path / "plain.csv").write_text(HEADER + ROWS[0])
    with pytest.raises(ConfigError, match="no column is adjusted"):
        bring_in(tmp_path / "b", tmp_path / "plain.csv", adjusted=True)


@pytest.mark.parametrize(
    "row",
    [
        (ROWS[2], "its time is that of the row before it; each bar once would be right"),
        ("2020-01-01 00:00:30,1,1,1,1,1", "it stands 90 s behind where it belongs"),
        ("2020-01-01 00:02:30,1,1,1,1,1", "begins 30 s after the bar before it, which is 60 s long"),
        ("2020-01-01 00:03:00,nan,1,1,1,1", "open is no number to compute with: 'nan'"),
        ("2020-01-01 00:03:00,1,1,1,inf,1", "close is no number to compute with"),
        ("2020-01-01 00:03:00,1,1,1,1,-1", "volume can't be '-1'; a size of 0 or more would be right"),
        ("2020-01-01 00:03:00,1,1,0,1,1", "low can't be '0'; a price above 0 would be right"),
        ("2020-01-01 00:03:00,1,1_000,1,1,1", "high is no number"),
        ("2020-01-01 00:03:00,5,6,7,6,1", "its prices aren't between its low and its high"),
        ("2020-01-01 00:03:00,1,1,1,1", "has 5 columns; 6, as the header has, would be right"),
        ("1577836980,1,1,1,1,1", "the time is in seconds, and those above are in text"),
        ("15778369,1,1,1,1,1", "in whatever unit"),
        ("03/01/2020 00:03,1,1,1,1,1", "day and month can't be told apart in '03/01/2020 00:03'"),
        ("2020-13-01 00:03,1,1,1,1,1", "the time isn't one: '2020-13-01 00:03'"),
        ("soon,1,1,1,1,1", "the time isn't one: 'soon'; ISO, such as 2020-01-31 09:30"),
    ],
    ids=lambda row: row[1][:40],
)
def test_a_row_that_cant_be_taken_is_told_with_its_place(row: tuple[str, str], tmp_path: Path) -> None:
    told: list[str] = []

    found = bars(tmp_path, HEADER + "\n".join([*ROWS, row[0]]), tell=told.append)

    assert len(found) == 3
    assert re.fullmatch(rf".*a\.csv:5: .*({row[1]}).*", "".join(told)), told


def test_bars_of_another_symbol_are_refused(tmp_path: Path) -> None:
    told: list[str] = []
    text = "ticker," + HEADER + "\n".join(f"X,{row}" for row in ROWS) + f"\nY,{ROWS[2]}\n"

    assert len(bars(tmp_path, text, tell=told.append)) == 3
    assert told[0].endswith("a.csv:5: it is of another symbol: 'Y'; X would be right")
    (tmp_path / "both").mkdir()
    archive_rows = bars(tmp_path / "both", text, symbol=None, interval=MINUTE)
    assert [bar.instrument for bar in archive_rows] == ["X", "X", "X", "Y"]


def test_an_hour_that_never_was_is_refused(tmp_path: Path) -> None:
    told: list[str] = []
    rows = [f"2020-03-08 0{hour}:30,1,1,1,1,1" for hour in (0, 1, 2, 3)]

    assert len(bars(tmp_path, HEADER + "\n".join(rows), time_zone="America/New_York", tell=told.append)) == 3
    assert "the clocks of its zone never showed '2020-03-08 02:30'" in told[0]


@pytest.mark.parametrize(
    ("text", "more", "words"),
    [
        ("x,y,z\n1,2,3\n", {}, "names no column for time, open, high, low, close, volume"),
        ("date,open,high,low,close\n", {}, "names no column for volume"),
        (HEADER + ROWS[0], {}, "its rows don't tell how long a bar is; say it by --interval"),
        (HEADER + "\n".join((ROWS[0], ROWS[1], ROWS[2].replace(":02:", ":07:"))), {}, "say it by --interval"),
        (HEADER + ROWS[0], {"symbol": None}, "no column says whose bars they are; say it by --symbol"),
        (HEADER + ROWS[0], {"time_zone": "Mars/Olympus"}, "there is no time zone 'Mars/Olympus'"),
    ],
)
def test_what_a_file_doesnt_tell_has_to_be_said(text: str, more: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        bars(tmp_path, text, **more)
    assert not (tmp_path / "archive").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty|no row could be taken"),
        (HEADER.encode(), "no row could be taken"),
        (b"PAR1" + b"x" * 50, "a.csv can't be read"),
        (b"\xff\xfe\x00", "a.csv:1: isn't UTF-8"),
        (b"PK\x03\x04rest", "is a zip"),
        (b"x" * 100_000, "a.csv:1: a line of more than 65536 bytes"),
        (HEADER.encode() + b'"2020-01-01,1\n', "columns"),
    ],
)
def test_a_file_of_another_format_leaves_nothing(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(content)

    with pytest.raises(TapeError, match=words):
        bring_in(tmp_path / "archive", tmp_path / "a.csv", most_refused=0)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize("kind", ["zoned", "naive", "integers", "texts"])
def test_parquet_is_read_as_csv_is(kind: str, tmp_path: Path) -> None:
    times: Any = [START + n * MINUTE for n in range(3)]
    column: Any = {
        "zoned": lambda: pa.array(times, pa.timestamp("ns", "UTC")),
        "naive": lambda: pa.array([time // 1_000 for time in times], pa.timestamp("us")),
        "integers": lambda: pa.array([time // 10**6 for time in times]),
        "texts": lambda: pa.array([row[:19] for row in ROWS]),
    }[kind]()
    numbers = [[float(cell) for cell in row[20:].split(",")] for row in ROWS]
    table = pa.table(
        {"Timestamp": column, "note": ["a"] * 3}
        | {
            name: [row[place] for row in numbers]
            for place, name in enumerate(("Open", "High", "Low", "Close", "Volume"))
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")

    bring_in(tmp_path / "archive", tmp_path / "a.parquet")

    found = [event for event in Archive.open(tmp_path / "archive").events() if isinstance(event, Bar)]
    assert [(bar.open_time, bar.open, bar.volume) for bar in found] == [
        (time, row[0], row[4]) for time, row in zip(times, numbers, strict=True)
    ]


def test_parquet_with_holes_is_told_by_the_row(tmp_path: Path) -> None:
    told: list[str] = []
    values: list[float | None] = [1.0, None, 1.0, 1.0]
    columns = {name: pa.array(values) for name in ("open", "high", "low", "close", "volume")}
    pq.write_table(
        pa.table({"time": pa.array([1_577_836_800 + 60 * n for n in range(4)]), **columns}), tmp_path / "a.pq"
    )

    report = bring_in(tmp_path / "archive", tmp_path / "a.pq", tell=told.append, interval=MINUTE)

    assert (report.messages, report.refused) == (3, 1)
    assert told[0].endswith("a.pq:2: open is no number: ''")


@settings(max_examples=25, deadline=None)
@given(
    order=st.permutations(range(6)),
    wrong=st.sets(st.integers(0, 5), max_size=3),
    separator=st.sampled_from(",;\t|"),
)
def test_whatever_the_order_what_is_taken_rises_and_all_else_is_told(
    order: list[int], wrong: set[int], separator: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("order")
    rows = [
        separator.join((str(1_577_836_800 + 60 * n), "1", "nan" if n in wrong else "2", "1", "1", "3")) for n in order
    ]
    (folder / "a.csv").write_text("\n".join([HEADER.strip().replace(",", separator), *rows, ""]))

    report = bring_in(folder / "archive", folder / "a.csv", interval=MINUTE)

    times = [event.receive_time for event in Archive.open(folder / "archive").events()]
    assert times == sorted(set(times))
    assert len(times) + report.refused == 6
    assert report.refused >= len(wrong)


def test_a_bar_that_ends_one_file_and_begins_the_next_is_taken_once(tmp_path: Path) -> None:
    told: list[str] = []
    for name, rows in (("1.csv", ROWS), ("2.csv", [*ROWS[2:], "2020-01-01 00:03:00,1,1,1,1,1"])):
        (tmp_path / name).write_text(HEADER + "\n".join([*rows, ""]))

    report = bring_in(tmp_path / "archive", tmp_path / "1.csv", tmp_path / "2.csv", interval=MINUTE, tell=told.append)

    assert (report.messages, report.refused) == (4, 1)
    assert told[0].endswith("2.csv:2: its time is that of the row before it; each bar once would be right")


@pytest.mark.parametrize("cut", [3, 2, 1, 0])
def test_a_file_that_ends_within_its_last_number_isnt_taken_for_whole(cut: int, tmp_path: Path) -> None:
    """A volume of 100 that lost two digits is a volume of 1; that it lost none can't be told, either."""
    told: list[str] = []
    rows = [*ROWS, "2020-01-01 00:03:00,1,1,1,1,100"]
    text = HEADER + "\n".join(rows)
    (tmp_path / "a.csv").write_text(text[: len(text) - cut])

    report = bring_in(tmp_path / "archive", tmp_path / "a.csv", tell=told.append)

    assert (report.messages, report.refused) == (3, 1)
    assert told[0].endswith(
        "a.csv:5: the file ends within this line, so that the rest of it may be missing; a line end behind it, or "
        "--whole if nothing is missing, would be right"
    )


def test_a_last_line_without_an_end_is_taken_where_that_is_said_or_proven(tmp_path: Path) -> None:
    text = HEADER + "\n".join(ROWS)
    (tmp_path / "a.csv").write_text(text)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "note.csv").write_text(text.replace("\n", ",a note\n").replace(",a note", ",note", 1) + ",a no")

    assert bring_in(tmp_path / "said", tmp_path / "a.csv", whole=True).messages == 3
    assert bring_in(tmp_path / "packed", tmp_path / "a.csv.gz").messages == 3
    assert bring_in(tmp_path / "unread", tmp_path / "note.csv").messages == 3


@recorded
@pytest.mark.parametrize(
    ("name", "more", "count", "first", "interval"),
    [
        ("pyalgotrade/WIKI-ORCL-2000-quandl.csv", {"time_zone": "America/New_York"}, 252, "2000-01-03 05:00", DAY),
        ("basana/bitstamp_btcusd_min_2020_01_01.csv", {}, 1_440, "2020-01-01 00:00", MINUTE),
        ("basana/bitstamp_btcusd_day_2015.csv", {"whole": True}, 365, "2015-01-01 00:00", DAY),
        ("moex/SBER_1D.csv", {"time_zone": "Europe/Moscow"}, 254, "2022-12-11 21:00", DAY),
    ],
)
def test_recorded_tables_are_whole(
    name: str, more: dict[str, Any], count: int, first: str, interval: int, tmp_path: Path
) -> None:
    report = bring_in(tmp_path / "archive", DATA / name, **more)

    assert (report.messages, report.refused) == (count, 0)
    assert report.first == nanoseconds(first) + interval
    assert report.streams[0].interval == interval
