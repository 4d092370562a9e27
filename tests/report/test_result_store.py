"""Results in files: what is read is what was written, whole or not at all; anything else is told, with the file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from strategykit.disk import RealDisk
from strategykit.errors import ResultError
from strategykit.report import store
from strategykit.report.result import Result
from strategykit.report.tables import TABLES, TableName
from tests.report.conftest import SECOND, START, Filled, result

FILLS = (
    Filled(side="buy", lots="1.5", price="100.25", fee="0.1", order="in", decided=100.0),
    Filled(side="sell", lots="1", price="101", fee=None, after=3, fee_currency="BNB", order="out"),
)


def made() -> Result:
    return result(
        *FILLS,
        prices={"SBER": [100.0, float("nan"), 101.5], "GAZP": [1.0, 2.0, 3.0]},
        begin=[("one", "GAZP", "-2", "-30.5")],
        gaps=[("SBER", "trades SBER", START, START + SECOND, "closed")],
        marks={"SBER": "101.50"},
        limits={"out": "101"},
        length=2,
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return made().save(tmp_path / "results" / "one")


def values(run: Result, name: TableName) -> dict[str, list[Any]]:
    """Give a table's columns; None for NaN, which isn't itself."""
    columns = run.columns(name)
    return {key: [None if value != value else value for value in column] for key, column in columns.items()}


def test_what_is_read_is_what_was_written(saved: Path) -> None:
    again, before = Result.load(saved), made()

    assert again.facts == before.facts
    assert again.metrics() == before.metrics()
    assert [attrs.asdict(trip) for trip in again.trips] == [attrs.asdict(trip) for trip in before.trips]
    for name in TABLES:
        assert values(again, name) == values(before, name)
    assert again.collected.prices["GAZP"] == before.collected.prices["GAZP"]
    assert (again.name, Result.load(saved, name="mine").name) == ("one", "mine")


def test_warnings_are_kept_and_a_result_from_before_them_has_none(saved: Path, tmp_path: Path) -> None:
    run = Result.load(saved)
    doubtful = Result(attrs.evolve(run.facts, warnings=("SBER: who knows",)), run.collected)

    assert list(Result.load(doubtful.save(tmp_path / "two")).facts.warnings) == ["SBER: who knows"]
    assert doubtful.as_json()["warnings"] == ("SBER: who knows",)
    whole = json.loads((saved / "result.json").read_text())
    del whole["facts"]["warnings"], whole["sha256"]
    (saved / "result.json").write_bytes(store.signed(whole))
    assert list(Result.load(saved).facts.warnings) == []


def test_reading_and_writing_again_gives_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    other = tmp_path / "two"
    Result.load(saved, name="one").save(other)
    Result.load(other, name="one").save(tmp_path / "three")

    assert {path.name: path.read_bytes() for path in other.iterdir()} == {
        path.name: path.read_bytes() for path in (tmp_path / "three").iterdir()
    }


def test_every_table_is_a_file_that_other_programs_read(saved: Path) -> None:
    assert {path.name for path in saved.iterdir()} == {"result.json", *(f"{name}.parquet" for name in TABLES)}
    fills = pq.read_table(saved / "fills.parquet")
    assert fills.column("price").to_pylist() == [Decimal("100.25"), Decimal("101.00")]
    assert str(fills.schema.field("time").type) == "timestamp[ns, tz=UTC]"
    summary = json.loads((saved / "result.json").read_text())["summary"]
    assert summary["metrics"]["RUB"][""]["orders"] == 2


def test_frames_of_other_libraries_have_amounts_as_doubles() -> None:
    fills = made().to_polars("fills")
    assert fills["price"].to_list() == [100.25, 101.0]
    assert fills["fee"].to_list() == [0.1, None]

    frame = made().to_pandas("trips")
    assert frame["net"].tolist()[0] == pytest.approx(0.75 - 0.1 * 2 / 3)
    assert str(frame["entry_time"].dtype) == "datetime64[ns, UTC]"


def test_a_folder_that_is_there_is_never_touched(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="is there already"):
        made().save(saved)
    with pytest.raises(ResultError, match="is there already"):
        made().save(saved / "result.json")
    dangling = tmp_path / "link"
    dangling.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ResultError, match="is there already"):
        made().save(dangling)
    (tmp_path / "empty").mkdir()
    assert made().save(tmp_path / "empty").is_dir()


class _Full(RealDisk):
    """A disk that is full after some bytes."""

    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, fd: int, data: bytes | memoryview) -> int:
        self.room -= len(data)
        if self.room < 0:
            raise OSError(28, "No space left on device")
        return super().write(fd, data)


@pytest.mark.parametrize("room", [0, 5_000])
def test_on_a_full_disk_nothing_is_taken_for_a_result(tmp_path: Path, room: int) -> None:
    run, folder = made(), tmp_path / "one"
    tables = {name: run.to_arrow(name) for name in TABLES}

    with pytest.raises(ResultError, match="one: can't be written: No space left"):
        store.save(folder, run.facts, run.collected, {}, tables, _Full(room))
    assert not folder.exists()
    assert run.save(folder).is_dir()

    page = tmp_path / "page.html"
    page.write_text("before")
    with pytest.raises(ResultError, match=r"page\.html: can't be written"):
        store.write_text(page, "after", _Full(0))
    assert page.read_text() == "before"


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def _change(path: Path, old: bytes, new: bytes) -> None:
    text = path.read_bytes()
    assert old in text
    path.write_bytes(text.replace(old, new, 1))


def _rewrite(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def do(folder: Path) -> None:
        path = folder / "result.json"
        facts = json.loads(path.read_text())
        change(facts)
        del facts["sha256"]
        path.write_bytes(store.signed(facts))

    return do


def _replace(name: str, table: pa.Table | bytes) -> Callable[[Path], None]:
    """Put another table there, and say so in the head: only reading it shows what it is."""

    def do(folder: Path) -> None:
        path = folder / f"{name}.parquet"
        path.write_bytes(table) if isinstance(table, bytes) else pq.write_table(table, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        _rewrite(lambda facts: facts["files"][path.name].update(sha256=digest))(folder)

    return do


def _table(name: TableName, column: str, values: list[Any]) -> pa.Table:
    table = made().to_arrow(name)
    return table.set_column(table.column_names.index(column), column, pa.array(values))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (lambda folder: folder.rename(folder.parent / "gone"), "no such folder; `strategykit replay"),
    "no head": (lambda folder: (folder / "result.json").unlink(), r"holds no result\.json, so it is no result"),
    "cut head": (lambda folder: _cut(folder / "result.json"), r"result\.json: is damaged"),
    "binary head": (lambda folder: (folder / "result.json").write_bytes(b"\xff\xfe{"), r"result\.json: is damaged"),
    "foreign head": (lambda folder: (folder / "result.json").write_text("[1]"), "isn't a result of strategykit"),
    "head changed": (
        lambda folder: _change(folder / "result.json", b'"SBER"', b'"SBEP"'),
        "its own SHA-256 is another",
    ),
    "figure changed": (lambda folder: _change(folder / "result.json", b'"pnl": "', b'"pnl": "9'), "its own SHA-256 is"),
    "newer": (_rewrite(lambda facts: facts.update(version=2)), "is of version 2, and this strategykit reads version 1"),
    "head without begin": (_rewrite(lambda facts: facts.pop("begin")), "a stored _Head can't be read"),
    "wrong amount": (_rewrite(lambda facts: facts["marks"].update(SBER=1.5)), "an amount is a text"),
    "unknown instrument": (_rewrite(lambda facts: facts.update(instruments=[])), "says nothing of GAZP, SBER"),
    "no files": (_rewrite(lambda facts: facts.update(files=[])), r"orders\.parquet: isn't what was written"),
    "file missing": (lambda folder: (folder / "fills.parquet").unlink(), r"fills\.parquet: is missing"),
    "file cut": (
        lambda folder: _cut(folder / "fills.parquet"),
        r"fills\.parquet: isn't what was written \([\d,]+ bytes",
    ),
    "file of another kind": (_replace("gaps", b"PAR1 and so on"), r"gaps\.parquet: can't be read"),
    "column missing": (_replace("gaps", pa.table({"since": [1]})), r"gaps\.parquet: can't be read"),
    "column of another type": (_replace("fills", _table("fills", "price", ["1", "2"])), "'price' holds string"),
    "times as numbers": (
        _replace("gaps", _table("gaps", "since", [7])),
        "'since' holds int64, and should hold timestamp",
    ),
    "prices apart": (_replace("prices", made().to_arrow("prices").slice(0, 5)), "weren't sampled at the same times"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_what_isnt_a_whole_result_is_told(saved: Path, case: str) -> None:
    damage, words = DAMAGE[case]
    damage(saved)

    with pytest.raises(ResultError, match=words):
        Result.load(saved)


def test_a_file_beyond_all_measure_isnt_read(saved: Path) -> None:
    os.truncate(saved / "result.json", store.MOST + 1)  # A hole: it takes no room.

    with pytest.raises(ResultError, match=r"result\.json: has 1,073,741,825 bytes, and 1,073,741,824 are the most"):
        Result.load(saved)


def test_a_file_that_may_not_be_read_is_named(saved: Path) -> None:
    path = saved / "orders.parquet"
    path.unlink()
    path.symlink_to(path)

    with pytest.raises(ResultError, match=r"orders\.parquet: is missing"):
        Result.load(saved)
