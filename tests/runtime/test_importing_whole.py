"""Imports are whole or not there, and say what they lack."""

from __future__ import annotations

import gzip
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from strategykit.archive.importers.ohlcv import BarTable, read_ohlcv
from strategykit.archive.importers.rows import Facts, import_rows
from strategykit.errors import ConfigError, StrategykitError, TapeError
from strategykit.foreign.refusals import Place, Refusals, RowRefused
from strategykit.foreign.text import open_lines, open_members
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
    if rows:
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
