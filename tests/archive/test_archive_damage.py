"""Damaged archives and caches: nothing wrong is taken for right, and what is half-written isn't taken at all."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from strategykit.archive.cache import Cache
from strategykit.archive.manifest import FORMAT, MANIFEST, Source, digest_of, signed
from strategykit.archive.reader import Archive
from strategykit.archive.writer import open_archive_writer
from strategykit.cli import main
from strategykit.errors import ConfigError, TapeError
from strategykit.model.events import Side, Trade
from strategykit.venues.streams import Stream, StreamKind

START = 1_700_000_000_000_000_000
TRADES = Stream(kind=StreamKind.TRADES, instrument="SBER")
FILE = "trades-SBER/Trade/2023-11-14.parquet"
COUNT = 300


def write(to: Path, count: int = COUNT) -> Path:
    with open_archive_writer(to, source=Source(format="test", names=["a"]), venue="alor") as writer:
        for number in range(count):
            time = START + number * 1_000_000
            writer.add(TRADES, Trade("SBER", 100 + number / 100, 1.0, Side.BUY, number, time, time, "g"))
    return to


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "archive")


def facts(folder: Path) -> Any:
    said = json.loads((folder / MANIFEST).read_bytes())
    del said["sha256"]
    return said


def say(folder: Path, value: dict[str, Any]) -> None:
    (folder / MANIFEST).write_bytes(signed(value))


def read(folder: Path, **options: Any) -> list[Any]:
    return [event.trade_id for event in Archive.open(folder, **options).events()]  # type: ignore[union-attr]


def test_a_folder_that_is_there_is_never_written_to(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()

    for name in ("archive", "file", "link"):
        with pytest.raises(ConfigError, match="is there already"):
            write(tmp_path / name)
    assert len(read(write(tmp_path / "empty"))) == COUNT


def test_an_error_while_it_is_written_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with open_archive_writer(tmp_path / "a" / "b", source=Source(format="test", names=[]), venue="x") as writer:
            writer.add(TRADES, Trade("SBER", 1.0, 1.0, None, None, None, START, "g"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list((tmp_path / "a").iterdir()) == []
    with (
        pytest.raises(TapeError, match="no market data"),
        open_archive_writer(tmp_path / "c", source=Source(format="test", names=[]), venue="x"),
    ):
        pass
    assert not (tmp_path / "c").exists()


def test_a_disk_that_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(TapeError, match=r"can't be written: .*file: File exists"):
        write(tmp_path / "file" / "archive")


KILLED = """
import os, signal, sys
from pathlib import Path
from strategykit.archive import files
from strategykit.archive.manifest import Source
from strategykit.archive.writer import open_archive_writer
from strategykit.model.events import Trade
from strategykit.venues.streams import Stream, StreamKind

def die(path):
    os.kill(os.getpid(), signal.SIGKILL)

files.digest_of = die  # The first file is whole; the manifest isn't written yet.
stream = Stream(kind=StreamKind.TRADES, instrument="SBER")
with open_archive_writer(Path(sys.argv[1]), source=Source(format="test", names=[]), venue="x") as writer:
    writer.add(stream, Trade("SBER", 1.0, 1.0, None, None, None, 10**18, "g"))
"""


def test_what_a_killed_process_leaves_isnt_taken_for_an_archive(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a")], check=False)

    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".a-")
    assert left.name.endswith(".partial")
    assert list(left.rglob("*.parquet"))
    with pytest.raises(TapeError, match="is no archive, or one whose writing was cut short"):
        Archive.open(left)
    assert len(read(write(tmp_path / "a"))) == COUNT


def _cut(folder: Path) -> None:
    os.truncate(folder / FILE, 100)


def _grow(folder: Path) -> None:
    with (folder / FILE).open("ab") as file:
        file.write(b"x")


def _empty(folder: Path) -> None:
    (folder / FILE).write_bytes(b"")


def _remove(folder: Path) -> None:
    (folder / FILE).unlink()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_cut, r"2023-11-14\.parquet has 100 bytes; it was written with"),
        (_grow, r"bytes; it was written with"),
        (_empty, r"has 0 bytes; it was written with"),
        (_remove, r"2023-11-14\.parquet can't be read: No such file"),
        (lambda folder: (folder / MANIFEST).unlink(), "is no archive"),
        (lambda folder: (folder / MANIFEST).write_text('{"format":1'), "manifest.json: "),
        (lambda folder: (folder / MANIFEST).write_bytes(b"\xff\xfe"), "manifest.json: "),
        (lambda folder: (folder / MANIFEST).write_text("[" * 9_000), "manifest.json: "),
        (lambda folder: (folder / MANIFEST).write_text("[1]"), "manifest.json isn't what was written"),
        (lambda folder: say(folder, facts(folder) | {"format": FORMAT + 1}), f"has format {FORMAT + 1}; this version"),
        (lambda folder: say(folder, facts(folder) | {"extra": 1}), "extra"),
        (lambda folder: say(folder, facts(folder) | {"first": "soon"}), "first"),
    ],
)
def test_a_damaged_archive_isnt_opened(damage: Callable[[Path], None], words: str, folder: Path) -> None:
    damage(folder)

    with pytest.raises(TapeError, match=words):
        Archive.open(folder)


@pytest.mark.parametrize(
    "path", ["../secret/2023-11-14.parquet", "/etc/x/2023-11-14.parquet", "a/b/c/2023-11-14.parquet", "..//x.parquet"]
)
def test_no_file_outside_of_an_archive_is_read(path: str, folder: Path) -> None:
    said = facts(folder)
    said["streams"][0]["files"]["Trade"][0]["path"] = path
    say(folder, said)

    with pytest.raises(TapeError, match="is no file of an archive"):
        Archive.open(folder)


def test_a_file_that_stands_twice_is_refused(folder: Path) -> None:
    said = facts(folder)
    said["streams"][0]["files"]["Trade"] *= 2
    say(folder, said)

    with pytest.raises(TapeError, match="stands there twice"):
        Archive.open(folder)


@pytest.mark.parametrize("part", [0.01, 0.2, 0.5, 0.8, 0.99])
@pytest.mark.parametrize("name", [FILE, MANIFEST])
def test_a_flipped_bit_is_found(name: str, part: float, folder: Path) -> None:
    raw = (folder / name).read_bytes()
    place = int(len(raw) * part)
    (folder / name).write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])

    with pytest.raises(TapeError, match=r"isn't what was written|manifest\.json: "):
        read(folder)
    with pytest.raises(TapeError):
        Archive.open(folder).verify()


def test_the_command_line_says_whether_an_archive_is_whole_and_that_it_is_no_tape(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tape", "verify", str(folder)]) == 0
    assert f"whole: {COUNT:,} rows in " in capsys.readouterr().out
    assert main(["tape", "verify", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == COUNT
    for command in (["info", str(folder)], ["export", str(folder), "--to", str(folder / "other")]):
        assert main(["tape", *command]) == 1
        assert "is an archive, not a tape" in capsys.readouterr().err
    data = bytearray((folder / FILE).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / FILE).write_bytes(data)
    assert main(["tape", "verify", str(folder)]) == 1
    assert "isn't what was written" in capsys.readouterr().err


@pytest.mark.parametrize("symbol", ["../x", "[red]../../x", "a..b", "..", "x/..", ".\n."])
def test_whatever_an_instrument_is_called_its_archive_can_be_opened(symbol: str, tmp_path: Path) -> None:
    stream = Stream(kind=StreamKind.TRADES, instrument=symbol)
    with open_archive_writer(tmp_path / "a", source=Source(format="test", names=[]), venue="x") as writer:
        writer.add(stream, Trade(symbol, 1.0, 1.0, None, None, None, START, "g"))

    archive = Archive.open(tmp_path / "a")

    archive.verify()
    assert [event.instrument for event in archive.events()] == [symbol]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_is_in_a_cache_is_verified_by_its_source(folder: Path, tmp_path: Path) -> None:
    archive = Archive.open(folder, cache=tmp_path / "cache")
    assert len(list(archive.events())) == COUNT
    raw = (folder / FILE).read_bytes()
    (folder / FILE).write_bytes(raw[:60] + b"x" + raw[61:])

    assert len(list(archive.events())) == COUNT
    with pytest.raises(TapeError, match="isn't what was written: its SHA-256"):
        archive.verify()


def replace(folder: Path, table: Any, **options: Any) -> None:
    """Put another table in the place of the file, and have the manifest agree."""
    pq.write_table(table, folder / FILE, **options)
    said = facts(folder)
    entry = said["streams"][0]["files"]["Trade"][0]
    entry |= {"bytes": (folder / FILE).stat().st_size, "rows": len(table), "sha256": digest_of(folder / FILE)}
    say(folder, said)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop_columns(["price"]), "column 'price' is missing"),
        (lambda t: t.set_column(0, "price", pa.array(["a"] * len(t))), "column 'price' is string: double is meant"),
        (lambda t: t.set_column(0, "price", pa.array([float("nan")] * len(t))), "no number to compute with"),
        (lambda t: t.set_column(0, "price", pa.nulls(len(t), pa.float64())), "price of a row is missing"),
        (lambda t: t.set_column(2, "side", pa.array(["up"] * len(t))), "a side is 'buy' or 'sell'"),
        (lambda t: t.take(list(reversed(range(len(t))))), "came before the row above it"),
        (
            lambda t: t.set_column(0, "price", pa.array([1] * len(t), pa.decimal128(30, 2))),
            "decimals of at most 18 digits",
        ),
        (lambda t: t.set_column(4, "event_time", pa.array([1 << 62] * len(t), pa.timestamp("ms"))), "event_time"),
    ],
)
def test_a_file_of_something_else_is_refused(change: Callable[[Any], Any], words: str, folder: Path) -> None:
    replace(folder, change(pq.read_table(folder / FILE)))

    with pytest.raises(TapeError, match=words):
        read(folder)


def test_a_file_with_other_rows_than_the_manifest_says_is_refused(folder: Path) -> None:
    said = facts(folder)
    said["streams"][0]["files"]["Trade"][0]["rows"] += 1
    say(folder, said)

    with pytest.raises(TapeError, match=f"has {COUNT} rows; the manifest says {COUNT + 1}"):
        read(folder)


def test_a_group_that_would_fill_the_memory_isnt_unpacked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strategykit.archive.parquet._MOST_UNPACKED", 100)

    with pytest.raises(TapeError, match=r"row group 0 unpacks to [0-9]+ bytes, 300 rows; at most 100 and"):
        read(folder)


def test_the_cache_is_used_and_made_anew_where_it_is_wrong(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    wanted = list(range(COUNT))
    assert read(folder, cache=cache) == wanted
    (kept,) = cache.iterdir()
    whole = kept.read_bytes()

    # What isn't there any more shows that the cache is read, and not the file.
    shutil.move(folder / FILE, tmp_path / "aside")
    (folder / FILE).write_bytes(b"\0" * (tmp_path / "aside").stat().st_size)
    assert read(folder, cache=cache) == wanted
    shutil.move(tmp_path / "aside", folder / FILE)

    for wrong in (b"", whole[:1_000], whole[:-20], b"x" * len(whole)):
        kept.write_bytes(wrong)
        assert read(folder, cache=cache) == wanted
        assert kept.read_bytes() == whole
    other = write(tmp_path / "other", COUNT - 1)
    assert read(other, cache=cache) == wanted[:-1]
    (foreign,) = (path for path in cache.iterdir() if path != kept)
    foreign.rename(kept)
    assert read(folder, cache=cache) == wanted


def test_the_cache_is_bounded_and_keeps_what_was_used_last(folder: Path, tmp_path: Path) -> None:
    def fill(most: int) -> list[str]:
        archive = Archive.open(folder, cache=tmp_path / "cache")
        archive._cache = Cache(tmp_path / "cache", most)
        list(archive.events())
        return sorted(path.name for path in (tmp_path / "cache").iterdir())

    (tmp_path / "cache").mkdir()
    for age, name in ((30, "old"), (20, "older"), (10, "new")):
        path = tmp_path / "cache" / f"{name}.arrow"
        path.write_bytes(b"x" * 100_000)
        os.utime(path, (START / 1e9 - age, START / 1e9 - age))
    names = fill(250_000)
    assert [name for name in names if len(name) < 20] == ["new.arrow", "older.arrow"]
    assert len(fill(1)) == 3  # Nothing new was kept, so nothing goes.
    (tmp_path / "cache" / next(name for name in names if len(name) > 20)).unlink()
    assert len(fill(1)) == 1


def test_a_cache_that_cant_be_written_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(TapeError, match="file/cache can't be written"):
        read(folder, cache=tmp_path / "file" / "cache")


def test_a_damaged_file_leaves_nothing_in_the_cache(folder: Path, tmp_path: Path) -> None:
    replace(folder, pq.read_table(folder / FILE).drop_columns(["price"]))

    with pytest.raises(TapeError, match="'price' is missing"):
        read(folder, cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
