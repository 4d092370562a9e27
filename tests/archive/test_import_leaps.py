"""One row from a far future is the row that is refused, not all that stand behind it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.archive.reader import Archive
from strategykit.errors import TapeError
from strategykit.foreign.leaps import without_leaps
from strategykit.foreign.refusals import RowRefused
from strategykit.runtime.importing import ImportPlan, ImportReport, import_files

START = 1_723_161_255_000_000_000
SECOND = 10**9
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
BEGIN = datetime(2020, 1, 1, tzinfo=UTC)


def sifted(*times: int) -> tuple[list[int], list[int]]:
    refused: list[int] = []
    given = list(without_leaps(times, lambda time: time, lambda time, _: refused.append(time)))
    return given, refused


@pytest.mark.parametrize(
    ("hours", "refused"),
    [
        ((0, 1, 900, 2, 3, 4), [900]),
        ((900, 0, 1, 2), [900]),
        ((0, 1, 900, 901, 2, 3, 4), [900, 901]),
        ((0, 900, 1), [900]),
        ((0, 1, 24, 2, 3), []),
        ((0, 1, 26, 2, 3), []),
        ((0, 1, 27, 2, 2), [27]),
        # A weekend, a row that is late behind it, and the last row, behind which there is nothing to tell by.
        ((0, 1, 60, 61, 62), []),
        ((0, 1, 60, 2, 61, 62), []),
        ((0, 1, 900), []),
        # Files in the wrong order: what stands behind would be late without this row, too.
        ((700, 800, 900, 0, 100, 200), []),
    ],
)
def test_a_row_is_refused_that_lies_a_day_ahead_of_what_stands_before_and_behind_it(
    hours: Sequence[int], refused: list[int]
) -> None:
    _, found = sifted(*(START + hour * HOUR for hour in hours))

    assert [(time - START) // HOUR for time in found] == refused


@given(
    steps=st.lists(st.integers(0, 20 * HOUR), min_size=4, max_size=40),
    place=st.integers(0, 100),
    ahead=st.integers(DAY + 80 * HOUR, 5_000 * DAY),
)
@settings(max_examples=100, deadline=None)
def test_whatever_the_steps_one_leap_among_them_is_found_and_nothing_else(
    steps: list[int], place: int, ahead: int
) -> None:
    times = [START + sum(steps[:count]) for count in range(len(steps))]
    place %= len(times)
    leap = times[place] + ahead
    rows = [*times[:place], leap, *times[place:]]

    assert sifted(*rows) == (times, [leap])


def test_rows_of_different_kinds_have_nothing_to_do_with_each_other() -> None:
    rows = [("a", 0), ("b", 900), ("b", 901), ("a", 1), ("a", 900), ("b", 902), ("a", 2), ("a", 3)]
    refused: list[tuple[str, int]] = []

    found = list(
        without_leaps(
            rows, lambda row: START + row[1] * HOUR, lambda row, _: refused.append(row), kind=lambda row: row[0]
        )
    )

    assert refused == [("a", 900)]
    assert found == [row for row in rows if row not in refused]


def test_what_stands_far_behind_isnt_sought_for_ever() -> None:
    rows = [("a", 900), *(("b", number) for number in range(5_000)), ("a", 1), ("a", 2)]
    source = iter(rows)

    found = without_leaps(source, lambda row: START + row[1], lambda *_: None, kind=lambda row: row[0])

    assert next(found) == ("a", 900)
    assert len(list(source)) >= 4_000


def bring_in(format: str, paths: list[Path], to: Path) -> tuple[ImportReport, list[str]]:  # noqa: A002
    told: list[str] = []
    plan = ImportPlan(
        format=format,
        paths=paths,
        to=to,
        now=lambda: START,
        tell=told.append,
        symbol="X" if format == "ohlcv" else None,
    )
    return import_files(plan), told


def hyperliquid(folder: Path) -> Path:
    times = [START + number * SECOND for number in range(9)]
    times[4] = START + 40 * DAY
    frame = '{{"channel":"trades","data":[{{"coin":"BTC","side":"A","px":"1.5","sz":"2","time":1,"tid":{}}}]}}'
    (folder / "a.txt").write_text("".join(f"{time} {frame.format(number)}\n" for number, time in enumerate(times)))
    return folder / "a.txt"


def binance(folder: Path) -> Path:
    times = [START + number * SECOND for number in range(9)]
    times[4] = START + 40 * DAY
    frame = '{{"stream":"btcusdt@bookTicker","data":{{"u":{},"s":"BTCUSDT","b":"1.5","B":"1","a":"2","A":"2"}}}}'
    (folder / "a.txt").write_text("".join(f"{time} {frame.format(number)}\n" for number, time in enumerate(times)))
    return folder / "a.txt"


def kraken(folder: Path) -> Path:
    times = [1_618_677_817 + number for number in range(9)]
    times[4] += 40 * 86_400
    frame = '[1,[["55000.10","0.5","1618677817.074","b","l",""]],"trade","XBT/USD"]'
    lines = [f"{time}.5: {frame}" for time in times]
    lines[0] = f"wss://ws.kraken.com/ <-> {times[0]}.5"
    (folder / "KRAKEN.ws.1.0").write_text("\n".join(lines))
    return folder / "KRAKEN.ws.1.0"


def tardis(folder: Path) -> Path:
    times = [START // 1_000 + number for number in range(8)]
    times[3] += 40 * 86_400 * 10**6
    rows = [f"bitmex,XBTUSD,{time},{time},{number},buy,1.5,2" for number, time in enumerate(times)]
    (folder / "a.csv").write_text(
        "\n".join(["exchange,symbol,timestamp,local_timestamp,id,side,price,amount", *rows, ""])
    )
    return folder / "a.csv"


def lean(folder: Path) -> Path:
    days = [BEGIN + timedelta(number) for number in range(9)]
    days[4] += timedelta(400)
    path = folder / "equity" / "usa" / "daily" / "spy.zip"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("spy.csv", "\n".join(f"{day:%Y%m%d %H:%M},10000,10000,10000,10000,1" for day in days))
    return path


def bars(folder: Path) -> Path:
    times = [BEGIN + timedelta(minutes=number) for number in range(8)]
    times[3] += timedelta(400)
    rows = [f"{time:%Y-%m-%d %H:%M},1,1,1,1,1" for time in times]
    (folder / "a.csv").write_text("\n".join(["datetime,open,high,low,close,volume", *rows, ""]))
    return folder / "a.csv"


@pytest.mark.parametrize(
    ("format", "make", "value"),
    [
        ("hftbacktest", binance, "40.0 days ahead of the rows behind it: '2024-09-17T23:54:15+00:00'"),
        ("hftbacktest", hyperliquid, "40.0 days ahead of the rows behind it: '2024-09-17T23:54:15+00:00'"),
        ("cryptofeed", kraken, "40.0 days ahead of the rows behind it: '2021-05-27T16:43:41+00:00'"),
        ("tardis", tardis, "40.0 days ahead of the rows behind it: '2024-09-17T23:54:15+00:00'"),
        ("lean", lean, "ahead of the rows behind it: '2021-02-08T05:00:00+00:00'"),
        ("ohlcv", bars, "400.0 days ahead of the rows behind it: '2021-02-04T00:03:00+00:00'"),
    ],
)
def test_a_row_of_a_far_future_is_refused_with_its_line_and_value_and_the_others_are_taken(
    format: str,  # noqa: A002 - what it is called
    make: Callable[[Path], Path],
    value: str,
    tmp_path: Path,
) -> None:
    path = make(tmp_path)

    report, told = bring_in(format, [path], tmp_path / "to")

    assert report.refused == len(told) == 1
    assert f"{path.name}" in told[0]
    assert ":5: its time lies" in told[0]
    assert value in told[0]
    assert report.messages in (7, 8)


def test_bars_that_are_written_newest_first_are_taken_though_one_leaps(tmp_path: Path) -> None:
    path = bars(tmp_path)
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *reversed([rows[3], *rows[:3], *rows[4:]]), ""]))

    report, told = bring_in("ohlcv", [path], tmp_path / "to")

    assert (report.messages, report.refused) == (7, 1)
    assert "a.csv:9: its time lies" in told[0]
    assert len(list(Archive.open(tmp_path / "to").events())) == 7


def test_a_file_of_a_session_isnt_held_back_by_an_entry_of_a_far_future(tmp_path: Path) -> None:
    path = kraken(tmp_path)
    other = tmp_path / "KRAKEN.ws.2.0"
    frame = '[1,[["55000.10","0.5","1618677817.074","b","l",""]],"trade","ETH/USD"]'
    other.write_text("\n".join(f"{1_618_677_817 + number}.7: {frame}" for number in range(8)))

    report, told = bring_in("cryptofeed", [path, other], tmp_path / "to")

    assert (report.messages, len(told)) == (15, 1)


def test_a_flat_file_with_a_leap_is_refused_by_the_line(tmp_path: Path) -> None:
    head = "time_exchange;time_coinapi;guid;price;base_amount;taker_side"
    times = [f"2024-05-06T07:08:0{number}.0000000" for number in range(6)]
    times[2] = "2025-05-06T07:08:02.0000000"
    path = tmp_path / "x+SC-KRAKEN_SPOT_ETH_EUR+S.csv"
    path.write_text("\n".join([head, *(f"{time};{time};A{n};2895.41;1;BUY" for n, time in enumerate(times)), ""]))

    with pytest.raises(TapeError, match=r"line 4: its time lies 365\.0 days ahead .* '2025-05-06T07:08:02\+00:00'"):
        bring_in("coinapi", [path], tmp_path / "to")


def test_what_is_refused_says_the_moment() -> None:
    told: list[RowRefused] = []

    list(without_leaps([START + 2 * DAY, START], lambda time: time, lambda _, why: told.append(why)))

    assert str(told[0]) == "its time lies 2.0 days ahead of the rows behind it: '2024-08-10T23:54:15+00:00'"
