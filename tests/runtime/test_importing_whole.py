"""Imports are whole or not there, and say what they lack."""

from __future__ import annotations

import gzip
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from strategykit.archive.importers.ohlcv import BarTable, read_ohlcv
from strategykit.archive.importers.rows import Facts, import_rows
from strategykit.errors import ConfigError, StrategykitError, TapeError
from strategykit.foreign.progress import ReadProgress
from strategykit.foreign.refusals import Place, Refusals, RowRefused
from strategykit.foreign.text import TOLD_EVERY, Reading, open_lines, open_members
from strategykit.runtime.importing import ImportPlan, import_files

START = 1_723_161_255_000_000_000
TRADE = (
    '{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"s":"BTCUSDT","t":%d,"p":"1.5","q":"1","T":1723161256000,'
    '"m":true,"M":true}}'
)

KILLED = """
import os, signal, sys
from pathlib import Path
from strategykit.runtime.importing import ImportPlan, import_files

def die(part, rows):
    if part > 0.5:  # The files are read twice; the second time the tape is written.
        os.kill(os.getpid(), signal.SIGKILL)

import_files(ImportPlan(format="hftbacktest", paths=[Path(sys.argv[1])], to=Path(sys.argv[2]), on_progress=die))
"""

WITHOUT = """
import sys
sys.modules["pyarrow"] = None
from strategykit.cli import main
sys.exit(main(sys.argv[1:]))
"""


def frames(path: Path, count: int) -> Path:
    path.write_text("".join(f"{START + number} {TRADE % number}\n" for number in range(count)))
    return path


def test_what_a_killed_import_leaves_isnt_under_the_name_that_was_wanted(tmp_path: Path) -> None:
    path = frames(tmp_path / "frames", 2_000)

    done = subprocess.run([sys.executable, "-c", KILLED, str(path), str(tmp_path / "tape")], check=False)

    assert done.returncode == -signal.SIGKILL
    (left,) = (each for each in tmp_path.iterdir() if each != path)
    assert left.name.startswith(".tape-")
    assert left.name.endswith(".partial")
    report = import_files(ImportPlan(format="hftbacktest", paths=[path], to=tmp_path / "tape"))
    assert report.messages == 2_000


def test_a_library_that_is_missing_is_named_and_tapes_need_none(tmp_path: Path) -> None:
    path = frames(tmp_path / "frames", 10)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", WITHOUT, "tape", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    imported = run("import", "--from", "hftbacktest", str(path), "--to", str(tmp_path / "tape"))
    exported = run("export", str(tmp_path / "tape"), "--to", str(tmp_path / "archive"))

    assert imported.returncode == 0, imported.stderr
    assert exported.returncode == 2
    assert "archives need pyarrow: pip install 'strategykit[archive]'" in exported.stderr
    assert not (tmp_path / "archive").exists()


def test_a_folder_that_cant_be_written_is_named(tmp_path: Path) -> None:
    path = frames(tmp_path / "frames", 10)

    with pytest.raises(TapeError, match=r"frames/tape can't be written: .*File exists|Not a directory"):
        import_files(ImportPlan(format="hftbacktest", paths=[path], to=path / "tape"))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"symbol": ""}, "symbol '' should be a name"),
        ({"symbol": "a\nb"}, r"symbol 'a\\nb' should be a name in one line"),
        ({"most_refused": -1}, "-1 rows can't be refused; 0 or more would be right"),
        ({"paths": [Path(__file__).parent]}, "runtime: there is no such file, but a folder; name the files in it"),
    ],
)
def test_options_that_cant_be_are_told_before_a_file_is_read(more: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        import_files(ImportPlan(**{"format": "ohlcv", "paths": [Path(__file__)], "to": tmp_path / "a", **more}))


def test_files_that_arent_there_are_named(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(TapeError, match="there is no such file"), open_lines(tmp_path / "folder"):
        pass
    with pytest.raises(TapeError, match="there is no such file"), open_members(tmp_path / "none"):
        pass
    table = BarTable(symbol="X")
    with pytest.raises(TapeError, match="there is no such file"):
        list(read_ohlcv([tmp_path / "none"], table, Refusals()))
    with pytest.raises(TapeError, match="none can't be read: No such file"):
        import_rows(
            [],
            tmp_path / "a",
            format="ohlcv",
            venue="x",
            paths=[tmp_path / "none"],
            facts=Facts(exchange=""),
            refusals=Refusals(),
        )
    with pytest.raises(ConfigError, match="there is no such file"):
        import_files(ImportPlan(format="ohlcv", paths=[tmp_path / "folder"], to=tmp_path / "a"))


SAMPLES = {
    "ohlcv": "datetime,open,high,low,close,volume\n2020-01-01 00:00,1,2,1,2,5\n2020-01-01 00:01,1,2,1,2,5\n",
    "hftbacktest": "".join(f"{START + number} {TRADE % number}\n" for number in range(3)),
    "tardis": "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"
    "bitmex,X,1585699200000000,1585699200000007,a,buy,1.5,2\n",
    "cryptofeed": "wss://ws.kraken.com <-> 1618678132.3\n"
    '1618678134.2: [1,{"b":[["10.5","1","1618678133.7"]],"c":"1"},"book-10","X"]\n',
}


@settings(max_examples=50, deadline=None)
@given(
    name=st.sampled_from(sorted(SAMPLES)),
    place=st.floats(0, 1),
    cut=st.integers(0, 12),
    put=st.sampled_from(["", "\0", "-", "nan", "1e400", "9" * 25, '"', "{", "[", ",", "\n", "null", "é", "\\"])
    | st.text(max_size=4),
)
@example(name="cryptofeed", place=0.125, cut=0, put="[")
def test_whatever_is_in_a_file_it_makes_something_whole_or_nothing(
    name: str, place: float, cut: int, put: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    text = SAMPLES[name]
    at = int(place * len(text))
    (folder / "file").write_bytes(f"{text[:at]}{put}{text[at + cut :]}".encode("utf-8", "surrogatepass"))
    plan = ImportPlan(format=name, paths=[folder / "file"], to=folder / "made", symbol="X" if name == "ohlcv" else None)

    try:
        report = import_files(plan)
    except StrategykitError:
        assert [path.name for path in folder.iterdir()] == ["file"]
    else:
        assert report.messages >= 1
        assert sorted(path.name for path in folder.iterdir()) == ["file", "made"]


@pytest.mark.parametrize("name", sorted(SAMPLES))
@pytest.mark.parametrize("blank", ["\n", " \t\r\n"])
def test_a_small_file_of_empty_lines_ends_soon(name: str, blank: str, tmp_path: Path) -> None:
    """They are packed to a thousandth; and whoever passes over them one by one is busy for minutes."""
    path = tmp_path / "file"
    path.write_bytes(gzip.compress((SAMPLES[name] + blank * 100_000).encode()))

    with pytest.raises(TapeError, match=r"file:10[0-9]{2}: (more than 1000 empty lines; no file of market|no )"):
        import_files(
            ImportPlan(
                format=name,
                paths=[path],
                to=tmp_path / "made",
                symbol="X" if name == "ohlcv" else None,
                most_refused=1_001,
            )
        )
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("name", ["hftbacktest", "cryptofeed"])
def test_a_file_without_a_row_that_can_be_read_isnt_read_to_its_end(name: str, tmp_path: Path) -> None:
    """What is found out beforehand is sought among as many rows as may be refused."""
    path = tmp_path / "file"
    begin = "1618678134.2: {}\n" if name == "cryptofeed" else ""
    path.write_text(begin + "x\n" * 1_000)

    with pytest.raises(TapeError, match=r"file:1[0-9]{2}: .*more than 100 rows can't be taken"):
        import_files(ImportPlan(format=name, paths=[path], to=tmp_path / "made"))


def many(name: str, folder: Path, *, count: int) -> Path:
    """A file of one format with that many rows."""
    path = folder / "file"
    if name == "hftbacktest":
        return frames(path, count)
    if name == "lean":
        path = folder / "equity" / "usa" / "minute" / "spy" / "20131007_trade.zip"
        path.parent.mkdir(parents=True)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.csv", "".join(f"{number * 1_000},1,1,1,1,{number}\n" for number in range(count)))
        return path
    if name == "parquet":
        columns = {
            column: [float(number + 1) for number in range(count)] for column in ("open", "high", "low", "close")
        }
        times = [1_577_836_800 + 60 * number for number in range(count)]
        pq.write_table(pa.table({"time": times, **columns, "volume": times}), path, row_group_size=2_000)
        return path
    head, make = {
        "ohlcv": ("time,open,high,low,close,volume", lambda n: f"{1_577_836_800 + 60 * n},1,2,1,2,{n}"),
        "tardis": (
            "exchange,symbol,timestamp,local_timestamp,id,side,price,amount",
            lambda n: f"bitmex,X,{1_585_699_200_000_000 + n},{1_585_699_200_000_000 + n},{n},buy,1.5,2",
        ),
        "cryptofeed": (
            "wss://ws.kraken.com <-> 1618678132.3",
            lambda n: f'{1_618_678_133 + n}.5: [1,[["1","{n}","1618678133.7","b","l",""]],"trade","X"]',
        ),
        "coinapi": (
            "time_exchange;time_coinapi;guid;price;base_amount;taker_side",
            lambda n: f"2024-05-06T07:{n // 60 % 60:02d}:{n % 60:02d};2024-05-06T07:08:00;A{n};1.5;1;BUY",
        ),
    }[name]
    path.write_text("".join(f"{line}\n" for line in (head, *map(make, range(count)))))
    return path


@pytest.mark.parametrize("name", [*sorted(SAMPLES), "lean", "parquet", "coinapi"])
def test_progress_rises_while_a_single_file_is_read(name: str, tmp_path: Path) -> None:
    told: list[tuple[float, int]] = []
    path = many(name, tmp_path, count=10_000)
    symbol = {"ohlcv": "X", "parquet": "X", "coinapi": "KRAKEN_SPOT_ETH_EUR"}.get(name)

    import_files(
        ImportPlan(
            format="ohlcv" if name == "parquet" else name,
            paths=[path],
            to=tmp_path / "made",
            symbol=symbol,
            interval=60 * 10**9,
            most_refused=0,
            on_progress=lambda part, rows: told.append((part, rows)),
        )
    )

    parts = [part for part, _ in told]
    assert parts == sorted(parts)
    assert parts[0] < 0.6
    assert len(set(parts)) >= 4
    assert parts[-1] > 0.9
    assert told[-1][1] - told[0][1] >= 4_000


def test_how_far_a_packed_file_is_read_is_told_by_its_own_bytes(tmp_path: Path) -> None:
    rng, path = Random(1), tmp_path / "a.gz"
    path.write_bytes(gzip.compress("".join(f"{rng.getrandbits(800):x}\n" for _ in range(20_000)).encode()))
    told: list[tuple[float, int]] = []
    reading = Reading(on_read=ReadProgress([path], lambda part, lines: told.append((part, lines))).on_read)

    with open_lines(path, reading) as lines:
        assert sum(1 for _ in lines) == 20_000

    assert [count for _, count in told] == [TOLD_EVERY * place for place in range(1, 21)]
    assert told[4][0] < 0.6 < told[15][0] <= told[-1][0] <= 1.0


def test_files_that_are_read_twice_are_counted_twice(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text("x" * 50)
    told: list[tuple[float, int]] = []
    progress = ReadProgress([tmp_path / "a", tmp_path / "b"], lambda *each: told.append(each), times=2)

    for name, at in (("a", 40), ("b", 50), ("a", 10), ("b", 50), ("other", 7), ("a", 50)):
        progress.on_read(tmp_path / name, at, 3)

    assert told == [(0.2, 3), (0.45, 6), (0.5, 9), (0.5, 12), (0.7, 15)]


def test_refusals_are_one_line_each_whatever_a_value_holds() -> None:
    told: list[str] = []
    refusals = Refusals(told.append, most=2)

    refusals.add(Place(Path("a\nb.csv"), 3), RowRefused("no price:", "x" * 200 + "\n", right="a number"))
    refusals.add(Place(Path("b.zip"), 4, "c.csv"), "why")

    assert told[0].startswith(r"'a\nb.csv':3: no price: 'xxx")
    assert told[0].endswith("…; a number would be right")
    assert told[1] == "b.zip/c.csv:4: why"
    assert not any("\n" in line for line in told)
    with pytest.raises(TapeError, match="more than 2 rows can't be taken, and nothing is kept"):
        refusals.add(Place(Path("c"), 1), "why")
