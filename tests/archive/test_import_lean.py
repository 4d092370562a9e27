"""LEAN's zips: what a path says and what its rows say, in the time zone that LEAN has for them."""

from __future__ import annotations

import os
import re
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from strategykit.archive.importers.factors import read_factors
from strategykit.archive.importers.lean import read_lean_name
from strategykit.archive.reader import Archive
from strategykit.errors import ConfigError, TapeError
from strategykit.model.events import Bar, Quote, Trade
from strategykit.runtime.importing import ImportPlan, ImportReport, import_files

DATA = Path(os.environ.get("STRATEGYKIT_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
recorded = pytest.mark.skipif(
    not (DATA / "lean").is_dir(), reason=f"recordings are absent: no {DATA}; set STRATEGYKIT_DATA to their folder"
)
MINUTE = 60 * 10**9
DAY = 1_440 * MINUTE


def bring_in(to: Path, *paths: Path, **more: Any) -> ImportReport:
    return import_files(ImportPlan(format="lean", paths=paths, to=to, **more))


def events(archive: Path) -> list[Any]:
    return list(Archive.open(archive).events())


def write(folder: Path, name: str, *rows: str, member: str = "a.csv", **others: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, "\n".join(rows))
        for other, text in others.items():
            archive.writestr(f"{other}.csv", text)
    return path


def nanoseconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("Data/equity/usa/minute/spy/20131004_trade.zip", ("equity", "usa", "minute", "SPY", date(2013, 10, 4), False)),
        ("equity_usa_tick_spy_20131007_trade.zip", ("equity", "usa", "tick", "SPY", date(2013, 10, 7), False)),
        ("equity_usa_second_brk.b_20131007_quote.zip", ("equity", "usa", "second", "BRK.B", date(2013, 10, 7), True)),
        ("Data/equity/usa/daily/spy.zip", ("equity", "usa", "daily", "SPY", None, False)),
        (
            "crypto/coinbase/minute/btcusd/20180404_quote.zip",
            ("crypto", "coinbase", "minute", "BTCUSD", date(2018, 4, 4), True),
        ),
        ("forex_fxcm_tick_eurusd_20140507_quote.zip", ("forex", "fxcm", "tick", "EURUSD", date(2014, 5, 7), True)),
        ("future_cme_hour_es_trade.zip", ("future", "cme", "hour", "ES", None, False)),
    ],
)
def test_a_path_says_what_its_zip_holds(path: str, wanted: tuple[Any, ...]) -> None:
    file = read_lean_name(Path(path))

    assert (file.type, file.market, file.resolution, file.symbol, file.day, file.quotes) == wanted


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("spy.zip", "its path isn't one of LEAN's, such as equity/usa/minute/spy/20131007_trade.zip"),
        ("option/usa/minute/spy/20131007_trade_american.zip", "isn't one of LEAN's"),
        ("equity/usa/minute/spy/20131307_trade.zip", "20131307 is no day"),
        (
            "equity/india/minute/spy/20131007_trade.zip",
            "the time zone of LEAN's equity india isn't known; known are equity_usa",
        ),
    ],
)
def test_other_paths_are_refused_with_what_would_be_right(path: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_lean_name(Path(path))


def test_bars_of_shares_are_in_ten_thousandths_and_new_yorks_time(tmp_path: Path) -> None:
    path = write(tmp_path, "equity/usa/minute/spy/20131007_trade.zip", "34200000,1671000,1673500,1670000,1672500,900")

    report = bring_in(tmp_path / "a", path)

    (bar,) = events(tmp_path / "a")
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (167.1, 167.35, 167.0, 167.25, 900.0)
    assert (bar.open_time, bar.interval) == (nanoseconds("2013-10-07 13:30"), MINUTE)
    assert bar.receive_time == bar.open_time + MINUTE
    assert report.streams[0].label == "bars SPY 1m"
    spy = Archive.open(tmp_path / "a").instruments["SPY"]
    assert (str(spy.tick), str(spy.lot), spy.currency, spy.time_zone) == ("0.01", "1", "USD", "America/New_York")


def test_a_bar_of_quotes_is_its_close_when_it_ends(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "crypto/coinbase/minute/btcusd/20180404_quote.zip",
        "0,1,2,0.5,7424.9,1.5,3,4,2,7425,0.25",
        "60000,,,,,,3,4,2,7426,1",
    )

    bring_in(tmp_path / "a", path)

    first, second = events(tmp_path / "a")
    assert (first.bid, first.bid_size, first.ask, first.ask_size) == (7424.9, 1.5, 7425.0, 0.25)
    assert first.receive_time == nanoseconds("2018-04-04") + MINUTE
    assert (second.bid, second.bid_size, second.ask) == (None, None, 7426.0)


def test_ticks_of_trades_and_quotes(tmp_path: Path) -> None:
    told: list[str] = []
    trades = write(
        tmp_path,
        "equity/usa/tick/spy/20131007_trade.zip",
        "14400464,1674100,100,P,0,0",
        "14400500,1,100,P,0,1",
        "14400500,1674200,5,P,0,0",
    )
    quotes = write(
        tmp_path,
        "equity/usa/tick/spy/20131007_quote.zip",
        "14400000,1674000,300,0,0,P,0,0",
        "14400001,0,0,1674500,200,P,0,0",
        "14400002,0,0,1,1,P,0,1",
    )

    report = bring_in(tmp_path / "a", trades, quotes, tell=told.append)

    found = events(tmp_path / "a")
    assert [(e.price, e.quantity) for e in found if isinstance(e, Trade)] == [(167.41, 100.0), (167.42, 5.0)]
    assert [(e.bid, e.ask, e.ask_size) for e in found if isinstance(e, Quote)] == [
        (167.4, None, None),
        (167.4, 167.45, 200.0),
    ]
    assert found[0].receive_time == nanoseconds("2013-10-07 08:00")
    assert report.refused == 0
    assert sorted(line.rpartition(": ")[2] for line in told) == ["1 suspicious ticks left out"] * 2


def test_times_are_those_of_the_market(tmp_path: Path) -> None:
    forex = write(tmp_path, "forex/fxcm/tick/eurusd/20140507_quote.zip", "1014,1.39248,1.3925")
    hours = write(
        tmp_path,
        "equity/usa/hour/spy.zip",
        "20130103 09:00,1000000,1000000,1000000,1000000,5",
        "20130703 09:00,1000000,1000000,1000000,1000000,5",
    )
    # The clocks were set back at 2 in the morning.
    night = write(
        tmp_path,
        "equity/usa/minute/spy/20131103_trade.zip",
        "0,10000,10000,10000,10000,1",
        "36000000,10000,10000,10000,10000,1",
    )

    bring_in(tmp_path / "forex-archive", forex)
    bring_in(tmp_path / "hours-archive", hours)
    bring_in(tmp_path / "night-archive", night)

    assert events(tmp_path / "forex-archive")[0].receive_time == nanoseconds("2014-05-07 05:00:01") + 14 * 10**6
    assert [bar.open_time for bar in events(tmp_path / "hours-archive")] == [
        nanoseconds("2013-01-03 14:00"),
        nanoseconds("2013-07-03 13:00"),
    ]
    assert [bar.open_time for bar in events(tmp_path / "night-archive")] == [
        nanoseconds("2013-11-03 04:00"),
        nanoseconds("2013-11-03 15:00"),
    ]


def test_a_futures_zip_holds_one_instrument_an_expiry(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "future/cme/minute/es/20131007_trade.zip",
        "0,1680.25,1680.5,1680,1680.25,7",
        member="20131007_es_minute_trade_201312.csv",
        **{"20131007_es_minute_trade_201403": "0,1670,1670,1670,1670,1"},
    )

    assert [stream.instrument for stream in bring_in(tmp_path / "a", path).streams] == ["ES-201312", "ES-201403"]
    assert [stream.instrument for stream in bring_in(tmp_path / "b", path, symbol="ES-201403").streams] == ["ES-201403"]


def test_factors_take_splits_and_dividends_out_of_prices(tmp_path: Path) -> None:
    factors = tmp_path / "spy.csv"
    factors.write_text("20130102,0.9,0.5,100\n20130103,0.8,1,100\n20501231,1,1,0\n")
    path = write(
        tmp_path,
        "equity/usa/daily/spy.zip",
        *(f"2013010{day} 00:00,1000000,1000000,1000000,1000000,50" for day in (2, 3, 4)),
    )

    bring_in(tmp_path / "a", path, factors=factors)

    assert [(bar.close, bar.volume) for bar in events(tmp_path / "a")] == [(45.0, 100.0), (80.0, 50.0), (100.0, 50.0)]
    assert read_factors(factors).at(date(2060, 1, 1)) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no factors"),
        ("20130102,1\n", r"f\.csv:1: has 2 columns; a day, two factors and a price would be right"),
        ("2013,1,1,1\n", r"f\.csv:1: the day isn't one: '2013'"),
        ("20130102,1,1,1\n20130102,1,1,1\n", r"f\.csv:2: its day isn't after that of the line above"),
        ("20130102,0.9,1", r"f\.csv:1: the file ends within this line"),
        ("20130102,0,1,1\n", r"f\.csv:1: price factor can't be '0'"),
    ],
)
def test_a_wrong_factor_file_is_told_by_the_line(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(text)

    with pytest.raises(TapeError, match=words):
        read_factors(tmp_path / "f.csv")


GOOD = "0,10000,10000,10000,10000,1"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (GOOD, "its time isn't after that of the row above: '0'"),
        ("60000,1,2,3", "has 4 columns; 6 columns would be right"),
        ("86400001,1,1,1,1,1", "milliseconds since midnight, at most 86,400,000 would be right"),
        ("09:30,1,1,1,1,1", "the time isn't one: '09:30'"),
        ("60000,nan,1,1,1,1", "open is no number to compute with"),
        ("60000,1,1,1,0,1", "close can't be '0'; a price above 0"),
        ("60000,1,1,1,1,-5", "volume can't be '-5'"),
        ("60000,1,2,3,2,1", "its prices aren't between its low and its high"),
    ],
)
def test_a_row_that_cant_be_taken_is_told_with_its_place(row: str, words: str, tmp_path: Path) -> None:
    told: list[str] = []

    report = bring_in(
        tmp_path / "a", write(tmp_path, "equity/usa/minute/spy/20131007_trade.zip", GOOD, row), tell=told.append
    )

    assert (report.messages, report.refused) == (1, 1)
    assert re.fullmatch(rf".*20131007_trade\.zip/a\.csv:2: .*{re.escape(words)}.*", told[0]), told


def test_rows_of_whole_times_are_checked_too(tmp_path: Path) -> None:
    told: list[str] = []
    path = write(tmp_path, "equity/usa/daily/spy.zip", "20130102 00:00,1,1,1,1,1", "2013-01-03,1,1,1,1,1")
    quotes = write(
        tmp_path, "equity/usa/minute/spy/20131007_quote.zip", *["0,1,1,1,1,1,1,1,1,1,1"] * 2, "60000,1,1,1,1"
    )

    assert bring_in(tmp_path / "a", path, tell=told.append).refused == 1
    assert bring_in(tmp_path / "b", quotes, tell=told.append).refused == 2
    assert "such as 20131007 09:30 would be right" in told[0]


def test_files_of_several_markets_make_no_archive(tmp_path: Path) -> None:
    paths = [write(tmp_path, "equity/usa/daily/spy.zip", GOOD), write(tmp_path, "future/cme/hour/es_trade.zip", GOOD)]

    with pytest.raises(ConfigError, match="several of LEAN's markets"):
        bring_in(tmp_path / "a", *paths)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_bytes(b""), "can't be read as a zip"),
        (lambda path: path.write_bytes(path.read_bytes()[:-30]), "can't be read as a zip"),
        (lambda path: path.write_text("a,b"), "can't be read as a zip"),
        (lambda path: path.write_bytes(path.read_bytes().replace(GOOD[:4].encode(), b"9999")), "Bad CRC|no row|Error"),
        (lambda path: zipfile.ZipFile(path, "w").close(), "holds 0 files"),
    ],
)
def test_a_damaged_zip_leaves_nothing(make: Any, words: str, tmp_path: Path) -> None:
    path = write(tmp_path, "equity/usa/minute/spy/20131007_trade.zip", *(f"{n}{GOOD[1:]}" for n in range(9)))
    with zipfile.ZipFile(path, "w") as stored:  # Not packed, so that a byte can be changed in it.
        stored.writestr("a.csv", "\n".join([GOOD] * 9))
    make(path)

    with pytest.raises(TapeError, match=words):
        bring_in(tmp_path / "a", path)
    assert not (tmp_path / "a").exists()


def test_a_bomb_isnt_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strategykit.foreign.text._FREE", 1_000)
    path = write(tmp_path, "equity/usa/minute/spy/20131007_trade.zip", "0\n" * 1_000_000)

    with pytest.raises(TapeError, match=r"a\.csv says that it unpacks to 2000000 bytes"):
        bring_in(tmp_path / "a", path)


def test_a_zip_of_too_many_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strategykit.foreign.text._MEMBERS", 1)
    path = write(tmp_path, "equity/usa/minute/spy/20131007_trade.zip", GOOD, another=GOOD)

    with pytest.raises(TapeError, match="holds 2 files; 1 to 1 would be right"):
        bring_in(tmp_path / "a", path)


@recorded
@pytest.mark.parametrize(
    ("names", "counts"),
    [
        (["equity_usa_minute_spy_20131007_trade", "equity_usa_minute_spy_20131007_quote"], {Bar: 828, Quote: 908}),
        (["equity_usa_daily_spy"], {Bar: 5_849}),
        (
            ["crypto_coinbase_minute_btcusd_20180404_trade", "crypto_coinbase_minute_btcusd_20180405_trade"],
            {Bar: 2_447},
        ),
        (["crypto_bybit_minute_btcusdt_20221213_trade"], {Bar: 1_440}),
        (["future_cme_minute_es_20131007_trade"], {Bar: 1_671}),
        (["future_cme_hour_es_trade", "future_cme_hour_es_quote"], {Bar: 357, Quote: 529}),
    ],
)
def test_recorded_zips_are_whole(names: list[str], counts: dict[type, int], tmp_path: Path) -> None:
    report = bring_in(tmp_path / "a", *(DATA / "lean" / f"{name}.zip" for name in names))

    found = events(tmp_path / "a")
    assert report.refused == 0
    assert {kind: sum(isinstance(event, kind) for event in found) for kind in counts} == counts
    assert len(found) == sum(counts.values())
