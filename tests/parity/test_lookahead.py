"""Who looks ahead is found, and who doesn't isn't."""

from __future__ import annotations

import errno
import functools
import os
import random
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from strategykit import Strategy
from strategykit.columns.gathering import columns_of_all
from strategykit.errors import ConfigError, StrategyError, TapeError
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.parity.cut import CutColumns, cut_off
from strategykit.parity.lookahead import LookAheadReport, look_ahead
from strategykit.parity.openings import link_aside, recorded_files, watch_openings
from strategykit.parity.watching import Reads
from strategykit.runtime.bench import BacktestPlan
from strategykit.runtime.column_source import MemoryColumns
from strategykit.runtime.export import export_tapes
from strategykit.runtime.load import find_strategy, load_strategy, make_strategy, sample_names
from strategykit.runtime.recordings import open_recording
from strategykit.testing import START, make_bars, make_books
from strategykit.venues.streams import Stream, StreamKind
from tests.parity.recorded_runs import trading_run

MINUTE = 60_000_000_000
SAMPLES: dict[str, dict[str, Any]] = {
    "breakout": {"instrument": "SBER", "window": 5, "hold": 600.0},
    "cross": {"instrument": "SBER", "fast": 3, "slow": 8},
    "maker": {"instrument": "SBER", "refresh": 30.0, "quiet": 100.0},
    "rider": {"instrument": "SBER", "window": 5, "stop": 0.002, "trailing": 0.003},
    "spread": {"near": "SBER", "far": "GAZP", "window": 5, "entry": 0.002},
}

HEAD = """
import threading
from pathlib import Path
from strategykit import Bars, Strategy, define, param

SEEN = {}
"""
PLANTED = {
    "reads the recording ahead": """
@define
class Peeker(Strategy):
    instrument: str
    path: str
    bars = Bars("{instrument}", "1m")

    def on_bar(self, bar):
        if len(next(Path(self.path).rglob("*.tape*")).read_bytes()) % 2 or not self.open_orders():
            self.buy_nowait(1)
""",
    "has a thread read it": """
@define
class Peeker(Strategy):
    instrument: str
    path: str
    bars = Bars("{instrument}", "1m")

    def on_bar(self, bar):
        file = next(Path(self.path).rglob("*.tape*"))
        thread = threading.Thread(target=file.read_bytes)
        thread.start()
        thread.join()
""",
    "reads it while it is imported": """
AHEAD = [file.read_bytes() for file in Path(PATH).rglob("*.tape*")]

@define
class Peeker(Strategy):
    instrument: str
    path: str
    bars = Bars("{instrument}", "1m")
""",
}
CACHE = """
@define
class Peeker(Strategy):
    instrument: str
    bars = Bars("{instrument}", "1m")

    def on_bar(self, bar):
        following = SEEN.get(bar.open_time + 60_000_000_000)
        SEEN[bar.open_time] = bar.close
        if (bar.close if following is None else following) > bar.open:
            self.buy_nowait(1)
        else:
            self.sell_nowait(1)
"""


def walk(seed: int, count: int) -> list[float]:
    chance, prices = random.Random(seed), [300.0]
    for _ in range(count):
        prices.append(round(prices[-1] + chance.gauss(0, 0.6), 2))
    return prices


def source(count: int = 120) -> MemoryColumns:
    streams: dict[Stream, Sequence[Event]] = {}
    for seed, symbol in enumerate(("SBER", "GAZP")):
        prices = walk(seed, count)
        streams[Stream(kind=StreamKind.BARS, instrument=symbol, interval=MINUTE)] = make_bars(symbol, prices)
        books = make_books(symbol, prices, spread=0.02, every=60.0)
        streams[Stream(kind=StreamKind.BOOK, instrument=symbol, depth=10, frequency=50_000_000)] = books
    instruments = {symbol: Instrument(symbol) for symbol in ("SBER", "GAZP")}
    return MemoryColumns({stream: list(columns_of_all(stream, rows)) for stream, rows in streams.items()}, instruments)


def check(
    file: str, params: dict[str, Any], *, count: int = 120, path: Path = Path("/nowhere"), **more: Any
) -> LookAheadReport:
    classes: list[type[Strategy]] = []

    def make() -> list[tuple[str, Strategy]]:
        if not classes:
            classes.append(load_strategy(file))
        return [("it", make_strategy(classes[0], params))]

    plan = BacktestPlan(source=source(count), strategies=())
    return look_ahead(plan, make, path=path, code=[find_strategy(file)], **more)


@pytest.mark.parametrize("name", sample_names())
def test_samples_pass_on_columns(name: str) -> None:
    found = check(f"sample:{name}", SAMPLES[name], cuts=2)

    assert found.ok, found
    assert found.decisions > 2
    assert [cut.compared for cut in found.cuts] == sorted(cut.compared for cut in found.cuts)
    assert found.cuts[0].compared > 0


@pytest.mark.parametrize("kind", PLANTED)
def test_who_opens_files_of_the_recording_is_told(kind: str, tmp_path: Path) -> None:
    tape = tmp_path / "tape"
    tape.mkdir()
    (tape / "000001.tape").write_bytes(b"x" * 1_000)
    file = tmp_path / "peeker.py"
    file.write_text(f"{HEAD}PATH = {str(tape)!r}\n{PLANTED[kind]}")

    found = check(str(file), {"instrument": "SBER", "path": str(tape)}, count=20, path=tape, cuts=1)

    assert found.reads == (str(tape / "000001.tape"),)
    assert not found.ok


def test_memory_of_a_former_run_is_found_with_the_first_order_that_differs(tmp_path: Path) -> None:
    file = tmp_path / "peeker.py"
    file.write_text(HEAD + CACHE)

    found = check(str(file), {"instrument": "SBER"}, count=60, cuts=4)

    assert not found.ok
    first = found.cuts[0]
    assert first.difference is not None
    assert first.repeats is False
    assert START < first.difference.time <= first.last
    assert first.difference.number <= first.compared
    assert first.difference.whole is not None
    assert first.difference.cut is not None
    assert first.difference.fields == ["side"]
    assert first.difference.strategy == "it"


def test_an_order_that_is_missing_is_a_difference(tmp_path: Path) -> None:
    file = tmp_path / "once.py"
    file.write_text(
        HEAD
        + """
@define
class Once(Strategy):
    instrument: str
    bars = Bars("{instrument}", "1m")

    def on_bar(self, bar):
        SEEN.setdefault("first", self)
        if SEEN["first"] is self:
            self.buy_nowait(1)
"""
    )

    found = check(str(file), {"instrument": "SBER"}, count=20, cuts=1)

    (only,) = found.cuts
    assert only.difference is not None
    assert (only.difference.number, only.difference.cut) == (1, None)
    assert "quantity" in only.difference.fields


def test_one_without_orders_is_cut_evenly_in_time(tmp_path: Path) -> None:
    file = tmp_path / "idle.py"
    file.write_text(HEAD + CACHE.partition("    def")[0])
    parts: list[float] = []

    found = check(str(file), {"instrument": "SBER"}, count=30, cuts=2, on_progress=parts.append)

    assert found.ok
    assert found.decisions == 0
    assert len(found.cuts) == 2
    assert found.cuts[0].last < found.cuts[1].last
    assert parts == sorted(parts)
    assert parts[-1] == 1.0


def test_one_that_fails_is_not_said_to_be_honest(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text(HEAD + CACHE.replace("        following", "        raise ValueError('no')\n        following"))

    found = check(str(file), {"instrument": "SBER"}, count=20, cuts=1)

    assert not found.ok
    assert found.errors == ("it: ValueError: no",)


@pytest.mark.parametrize("cuts", [0, -1, 1_001])
def test_too_few_and_too_many_cuts_are_refused(cuts: int) -> None:
    with pytest.raises(ConfigError, match=f"must be 1 to 1000, not {cuts}"):
        check("sample:cross", SAMPLES["cross"], cuts=cuts)


def test_what_the_recording_does_not_have_is_told() -> None:
    with pytest.raises(StrategyError, match=r"strategy .*: the recording has no bars NONE .*; it has "):
        check("sample:cross", {**SAMPLES["cross"], "instrument": "NONE"}, count=20, cuts=1)


def test_a_tape_is_cut_at_its_records(tmp_path: Path) -> None:
    """A timer decides between two frames: the shorter run's clock has to go on to it."""
    path = trading_run(tmp_path / "run", seconds=3.0)
    tape, dialect = open_recording(path)
    file = find_strategy("sample:maker")
    cls = load_strategy("sample:maker")
    params = {"instrument": "SBER", "refresh": 0.3}
    plan = BacktestPlan(source=tape, dialect=dialect, strategies=())

    found = look_ahead(plan, lambda: [("maker", make_strategy(cls, params))], path=path, code=[file], cuts=3)

    assert found.ok, found
    assert found.decisions > 10
    assert 0 < found.cuts[0].compared < found.cuts[-1].compared < found.decisions


def test_columns_end_where_they_are_cut() -> None:
    whole = source(20)
    stream = whole.streams[0]
    until = whole.first + 5 * MINUTE

    cut = cut_off(whole, until)

    assert isinstance(cut, CutColumns)
    assert (cut.first, cut.last, cut.seed, cut.clock_origin) == (whole.first, until, whole.seed, whole.clock_origin)
    assert (cut.streams, cut.instruments, cut.guid(stream)) == (whole.streams, whole.instruments, whole.guid(stream))
    times = [time for part in cut.chunks(stream) for time in part.times.tolist()]
    assert times == [time for part in whole.chunks(stream) for time in part.times.tolist() if time <= until]
    assert not list(cut.chunks(stream, until=whole.first))
    assert CutColumns(whole, whole.last + 1).last == whole.last


def test_only_opened_files_of_the_recording_count(tmp_path: Path) -> None:
    reads = Reads(tmp_path, [Path(__file__)])
    hear = reads.hear

    hear("open", (str(tmp_path / "a"), "r", 0))
    hear("open", (str(tmp_path / "a"), "r", 0))
    hear("open", (str(tmp_path.parent / "b"), "r", 0))
    hear("open", (3, "r", 0))
    hear("open", ())
    hear("import", (str(tmp_path / "c"),))
    reads.on = False
    hear("open", (str(tmp_path / "d"), "r", 0))

    assert list(reads.found) == [str(tmp_path / "a")]
    others = Reads(tmp_path, [tmp_path / "strategy.py"])
    others.hear("open", (str(tmp_path / "a"), "r", 0))
    assert not others.found


def test_the_report_can_be_written_as_json() -> None:
    found = check("sample:cross", SAMPLES["cross"], count=60, cuts=1)

    assert attrs.asdict(found)["cuts"][0]["difference"] is None


LIBRARIES = {
    "pyarrow": "import pyarrow.parquet as pq\ndef read(file): return pq.read_table(file)",
    "memory maps": "import pyarrow.parquet as pq\ndef read(file): return pq.read_table(file, memory_map=True)",
    "polars": "import polars\ndef read(file): return polars.read_parquet(file)",
    "duckdb": "import duckdb\ndef read(file): return duckdb.read_parquet(file).fetchall()",
    "another process": "import subprocess\ndef read(file): return subprocess.run(['cat', file], capture_output=True)",
}
READER = """
@define
class Reader(Strategy):
    instrument: str
    trades = Trades("{instrument}")

    def on_trade(self, trade):
        read(FILE)
        self.buy_nowait(1)
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    export_tapes([trading_run(folder / "tape", seconds=3.0)], folder / "archive")
    return folder / "archive"


def look_at(file: Path, recording: Path) -> LookAheadReport:
    source, dialect = open_recording(recording)
    plan = BacktestPlan(source=source, dialect=dialect, strategies=())
    load = functools.cache(load_strategy)
    make = functools.partial(make_strategy, params={"instrument": "SBER"})
    return look_ahead(plan, lambda: [("it", make(load(str(file))))], path=recording, code=[file], cuts=1)


def state(folder: Path) -> dict[str, tuple[int, int, int, bytes]]:
    found = {}
    for file in recorded_files(folder):
        its = file.stat()
        found[str(file)] = (its.st_ino, its.st_nlink, its.st_mtime_ns, file.read_bytes())
    return found


def reader_of(archive: Path, folder: Path, read: str) -> tuple[Path, str]:
    target = next(str(file) for file in recorded_files(archive) if file.suffix == ".parquet" and "trades" in str(file))
    file = folder / "reader.py"
    file.write_text(f"{HEAD.replace('Bars', 'Trades')}FILE = {target!r}\n{read}\n{READER}")
    return file, target


@pytest.mark.skipif(sys.platform != "linux", reason="no other system tells which files are opened")
@pytest.mark.parametrize("kind", LIBRARIES)
def test_a_library_that_opens_the_recording_without_python_is_told(kind: str, archive: Path, tmp_path: Path) -> None:
    file, target = reader_of(archive, tmp_path, LIBRARIES[kind])
    before = state(archive)

    found = look_at(file, archive)

    assert found.decisions > 0
    assert target in (*found.opened, *found.reads)
    assert not found.ok
    assert not found.unwatched
    assert state(archive) == before


def test_an_honest_one_passes_on_an_archive_which_stays_as_it_was(archive: Path, tmp_path: Path) -> None:
    file, _ = reader_of(archive, tmp_path, "def read(file): return None")
    before, beside = state(archive), sorted(archive.parent.iterdir())

    found = look_at(file, archive)

    assert found.ok, found
    assert (found.reads, found.opened) == ((), ())
    assert found.decisions > 0
    assert state(archive) == before
    assert sorted(archive.parent.iterdir()) == beside


def test_where_the_system_does_not_tell_who_opens_files_the_report_says_so(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    file, _ = reader_of(archive, tmp_path, "def read(file): return None")
    monkeypatch.setattr("strategykit.parity.openings.os.link", forbidden)

    found = look_at(file, archive)

    assert found.unwatched == "Operation not permitted"
    assert found.ok
    assert not list(archive.parent.glob(".lookahead-*"))


def test_a_recording_that_is_damaged_is_named_as_its_owner_knows_it(archive: Path, tmp_path: Path) -> None:
    file, target = reader_of(archive, tmp_path, "def read(file): return None")
    damaged = tmp_path / "damaged"
    shutil.copytree(archive, damaged)
    (damaged / Path(target).relative_to(archive)).write_bytes(b"PAR1")

    with pytest.raises(TapeError, match=re.escape(str(damaged))):
        look_at(file, damaged)


def test_names_of_another_file_system_are_made_beside_the_recording(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def near(source: str, target: Path) -> None:
        if archive.parent not in target.parents:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        link(source, target)

    monkeypatch.setattr("strategykit.parity.openings.os.link", near)
    with link_aside(archive) as aside:
        assert archive.parent in aside.parents
        files, others = recorded_files(archive), recorded_files(aside)
        assert [file.relative_to(archive) for file in files] == [file.relative_to(aside) for file in others]
        assert all(file.samefile(other) for file, other in zip(files, others, strict=True))
    assert not list(archive.parent.glob(".lookahead-*"))


@pytest.mark.skipif(sys.platform != "linux", reason="no other system tells which files are opened")
def test_more_openings_than_can_be_noted_count_as_all(tmp_path: Path) -> None:
    names = [tmp_path / name for name in "ab"]
    for name in names:
        name.touch()
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    other = tmp_path / "c"
    other.touch()

    with watch_openings(names) as opened:
        assert opened() == []
        names[0].read_bytes()
        other.read_bytes()
        assert opened() == [str(names[0])]
        for at in range(most + 2):  # Two of a kind in a row would count as one.
            os.close(os.open(other if at % 2 else tmp_path, os.O_RDONLY))
        assert opened() == [str(name) for name in names]


def test_a_watch_that_is_refused_is_an_error_in_the_systems_words(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"), watch_openings([tmp_path / "none" / "a"]):
        pass
