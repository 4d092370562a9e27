"""The cache of archives: what is damaged there is noticed, told and made anew, and takes no memory once it was read."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.archive.cache import Cache
from strategykit.archive.manifest import FileEntry, Source
from strategykit.archive.reader import Archive
from strategykit.archive.rows import Rows, rows_of
from strategykit.archive.writer import open_archive_writer
from strategykit.errors import TapeError
from strategykit.model.events import Side, Trade
from strategykit.venues.streams import Stream, StreamKind

START = 1_700_000_000_000_000_000
TRADES = Stream(kind=StreamKind.TRADES, instrument="SBER")
COUNT = 300
WANTED = list(range(COUNT))
SEAL = len("crc32:00000000")


def trades(count: int) -> Iterator[Trade]:
    for number in range(count):
        time = START + number * 1_000_000
        yield Trade("SBER", 100 + number / 100, 1.0, Side.BUY, number, time, time, "g")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with an archive, and its cache."""
    folder = tmp_path_factory.mktemp("made")
    with open_archive_writer(folder / "archive", source=Source(format="test", names=["a"]), venue="alor") as writer:
        for trade in trades(COUNT):
            writer.add(TRADES, trade)
    assert read(opened(folder)) == WANTED
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


def opened(folder: Path) -> Archive:
    return Archive.open(folder / "archive", cache=folder / "cache")


def read(archive: Archive) -> list[Any]:
    return [event.trade_id for event in archive.events()]  # type: ignore[union-attr]


def kept(folder: Path) -> Path:
    (path,) = (folder / "cache").iterdir()
    return path


def flip(path: Path, bit: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[bit // 8] ^= 1 << bit % 8
    path.write_bytes(raw)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_whatever_bits_are_flipped_in_the_cache_the_events_are_the_same(data: st.DataObject, made: Path) -> None:
    whole = kept(made).read_bytes()
    for bit in data.draw(st.sets(st.integers(0, 8 * len(whole) - 1), min_size=1, max_size=3)):
        flip(kept(made), bit)

    archive = opened(made)

    assert read(archive) == WANTED
    assert kept(made).read_bytes() == whole
    (note,) = archive.notes
    assert str(kept(made)) in note
    assert "made anew: its checksum is wrong" in note


@pytest.mark.parametrize(
    ("stop", "words"),
    [
        (0, "it has 0 bytes"),
        (SEAL, "it has 14 bytes"),
        (SEAL + 1, "its checksum is wrong, or missing"),
        (-SEAL, "its checksum is wrong, or missing"),  # As versions left it that had none.
        (-1, "its checksum is wrong, or missing"),
        (5_000, "its checksum is wrong, or missing"),
    ],
)
def test_a_cached_file_that_was_cut_or_has_no_checksum_is_made_anew(stop: int, words: str, folder: Path) -> None:
    whole = kept(folder).read_bytes()
    kept(folder).write_bytes(whole[:stop])

    archive = opened(folder)

    assert read(archive) == WANTED
    assert kept(folder).read_bytes() == whole
    (note,) = archive.notes
    assert words in note


def test_a_cached_file_of_something_else_is_made_anew_though_its_checksum_is_right(folder: Path) -> None:
    whole = kept(folder).read_bytes()
    for body in (b"no columns", whole[:-SEAL].replace(b"sha256", b"sha255")):
        kept(folder).write_bytes(body + b"crc32:%08x" % zlib.crc32(body))

        archive = opened(folder)

        assert read(archive) == WANTED
        assert kept(folder).read_bytes() == whole
        assert len(archive.notes) == 1


def test_a_cached_file_is_looked_at_once_until_it_changes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    crc32 = zlib.crc32

    def look(data: Any, before: int = 0) -> int:
        looked.append(len(data))
        return crc32(data, before)

    monkeypatch.setattr(zlib, "crc32", look)
    whole = kept(folder).stat().st_size
    archive = opened(folder)
    assert [read(archive), read(archive), read(archive)] == [WANTED] * 3
    assert sum(looked) == whole - SEAL
    flip(kept(folder), 4_000)
    assert read(archive) == WANTED
    assert len(archive.notes) == 1


def test_verify_reads_the_archive_itself_and_drops_what_is_wrong_in_the_cache(folder: Path) -> None:
    archive = opened(folder)
    archive.verify()
    assert list(archive.notes) == []
    state = kept(folder).stat()
    flip(kept(folder), 4_000)
    os.utime(kept(folder), ns=(state.st_atime_ns, state.st_mtime_ns))  # A disk that forgets changes no time.

    archive.verify()

    assert list((folder / "cache").iterdir()) == []
    assert len(archive.notes) == 1
    assert read(archive) == WANTED
    file = next((folder / "archive").rglob("*.parquet"))
    flip(file, 4_000)
    with pytest.raises(TapeError, match="isn't what was written: its SHA-256"):
        archive.verify()


def test_verify_says_what_it_cant_drop(folder: Path) -> None:
    path = kept(folder)
    path.unlink()
    path.mkdir()

    with pytest.raises(TapeError, match="is wrong, and can't be removed"):
        opened(folder).verify()


def test_a_disk_that_gives_back_something_else_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(folder).unlink()
    sums = iter(range(1_000_000))
    monkeypatch.setattr(zlib, "crc32", lambda *_: next(sums))

    with pytest.raises(TapeError, match="cache doesn't give back what was written there"):
        read(opened(folder))

    assert list((folder / "cache").iterdir()) == []


READER = """
import os, sys
from pathlib import Path
from strategykit.archive.reader import Archive

print("ready", flush=True)
sys.stdin.readline()
wrong = Path(sys.argv[2]) / f"{os.getpid()}.wrong"
for _ in range(10):
    for path in Path(sys.argv[2]).glob("*.arrow"):
        wrong.write_bytes(b"wrong" * 10)
        wrong.rename(path) if sys.argv[3] == "damage" else path.unlink(missing_ok=True)
    wrong.unlink(missing_ok=True)
    archive = Archive.open(sys.argv[1], cache=Path(sys.argv[2]))
    assert [event.trade_id for event in archive.events()] == list(range(300))
"""


def test_processes_that_fill_one_cache_at_once_all_read_what_is_right(folder: Path) -> None:
    command = [sys.executable, "-c", READER, str(folder / "archive"), str(folder / "cache")]
    both = [
        subprocess.Popen([*command, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for how in ("damage", "remove")
    ]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in both:
        process.communicate(timeout=60)

    assert [process.returncode for process in both] == [0, 0]
    assert read(opened(folder)) == WANTED
    assert kept(folder).suffix == ".arrow"


def test_what_a_killed_process_leaves_in_the_cache_goes_after_a_day(folder: Path) -> None:
    kept(folder).unlink()
    old, new = folder / "cache" / "old.partial", folder / "cache" / "new.partial"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (START / 1e9, START / 1e9))

    assert read(opened(folder)) == WANTED

    assert not old.exists()
    assert new.exists()


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="the system doesn't tell what is in memory")
def test_what_was_read_of_the_cache_takes_no_memory(tmp_path: Path) -> None:
    events = list(trades(10_000))
    times = [event.receive_time for event in events]
    rows = rows_of(Trade, events, times, [0] * len(events))
    parts = 20
    entry = FileEntry(path="x", rows=parts * len(events), first=times[0], last=times[-1], bytes=1, sha256="0" * 64)
    most = 0
    cache = Cache(tmp_path / "cache")
    for source in (iter([rows] * parts), iter(())):  # Once while it is made, once from there.
        held: list[Rows] = []
        for found in cache.rows(Trade, entry, source):
            held[:] = [*held[-1:], found]
            assert found.equals(rows)
            most = max(most, _resident(tmp_path))
        assert held[0].equals(rows)

    (path,) = (tmp_path / "cache").iterdir()
    assert path.stat().st_size > 15 * rows.nbytes
    assert 0 < most < 4 * rows.nbytes


def _resident(folder: Path) -> int:
    """Give the bytes of files in a folder that are in this process's memory."""
    parts = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text(), flags=re.MULTILINE)
    return sum(
        int(re.findall(r"^Rss: +(\d+) kB", part, re.MULTILINE)[0]) * 1024 for part in parts if str(folder) in part
    )
