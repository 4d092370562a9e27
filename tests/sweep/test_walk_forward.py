"""Walking forward: what a window is chosen by ends where the one begins that it is reported on."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.archive.reader import Archive
from strategykit.errors import ConfigError
from strategykit.runtime.column_source import MemoryColumns
from strategykit.sweep.forward import Split, read_splits
from strategykit.sweep.run import Choice, run_sweep
from strategykit.sweep.sweeping import Objective
from strategykit.sweep.window import WindowOfColumns
from strategykit.sweep.work import Task
from tests.sweep.conftest import make_prices, write_archive

MINUTE = 60_000_000_000
CHOICE = Choice(axes=("fast=2,3,5", "slow=8,13"))


def test_each_split_reports_on_what_had_no_part_in_its_choice(archive: Path) -> None:
    splits = read_splits("train=2h,test=1h", Archive.open(archive))

    assert [split.middle - split.since for split in splits] == [120 * MINUTE] * len(splits)
    assert [split.until - split.middle for split in splits] == [60 * MINUTE] * len(splits)
    assert [split.middle for split in splits[1:]] == [split.until for split in splits[:-1]]
    assert len(splits) == (400 - 120) // 60


def test_a_number_of_splits_takes_all_of_the_recording(archive: Path) -> None:
    source = Archive.open(archive)

    splits = read_splits("3", source)

    assert [split.middle for split in splits[:-1]] == [split.since for split in splits[1:]]
    assert (splits[0].since, splits[-1].until) == (source.first, source.last + 1)


@given(st.integers(0, 400), st.integers(0, 400))
@settings(max_examples=30, deadline=None)
def test_a_window_holds_what_came_in_it_and_nothing_else(archive: Path, start: int, length: int) -> None:
    source = Archive.open(archive)
    (stream,) = source.streams
    since, until = source.first + start * MINUTE, source.first + (start + length) * MINUTE
    window = WindowOfColumns(source, since, until)

    times = [time for columns in window.chunks(stream) for time in columns.times.tolist()]

    whole = [time for columns in source.chunks(stream) for time in columns.times.tolist()]
    assert times == [time for time in whole if since <= time < until]
    assert all(window.first <= time <= window.last for time in times)
    part = [time for columns in window.chunks(stream, since=0, until=1 << 62) for time in columns.times.tolist()]
    assert part == times


def test_what_comes_later_changes_no_choice(task: Task, archive: Path, tmp_path: Path) -> None:
    (split,) = read_splits("train=4h,test=2h", Archive.open(archive))
    bars = (split.middle - split.since) // MINUTE
    prices = make_prices(400, 3)
    other = write_archive(tmp_path / "other", [*prices[: bars + 1], *(price * 2 for price in prices[bars + 1 :])])
    assert _closes(archive, split) == _closes(other, split)

    (one,) = run_sweep(task, CHOICE, objective=Objective("pnl"), walk_forward="train=4h,test=2h").forward
    again = attrs.evolve(task, data=str(other))
    (two,) = run_sweep(again, CHOICE, objective=Objective("pnl"), walk_forward="train=4h,test=2h").forward

    assert one.tried == two.tried
    assert one.chosen == two.chosen == max(one.tried, key=lambda outcome: outcome.metrics["pnl"] or 0.0)
    assert one.proven.digest != two.proven.digest
    assert one.proven.parameters == one.chosen.parameters


def _closes(folder: Path, split: Split) -> list[list[float]]:
    source = Archive.open(folder)
    window = WindowOfColumns(source, split.since, split.middle)
    return [columns.arrays["close"].tolist() for columns in window.chunks(source.streams[0])]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0", "at least 1 split, and at most 1,000"),
        ("1001", "at least 1 split, and at most 1,000"),
        ("-3", "can't be read; give train=10d,test=2d"),
        ("train=1h", "can't be read"),
        ("train=1x,test=1h", "duration '1x' should look like"),
        ("train=10d,test=2d", "the recording is too short: it has 23,"),
        ("train=1s,test=1s", "23,"),
    ],
)
def test_splits_that_can_t_be_are_told(archive: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_splits(text, Archive.open(archive))

    assert said in str(error.value)
    assert f"--walk-forward {text}" in str(error.value) or repr(text) in str(error.value)


def test_a_window_of_what_is_in_memory_has_no_place(archive: Path) -> None:
    source = Archive.open(archive)
    (stream,) = source.streams
    memory = MemoryColumns({stream: list(source.chunks(stream))}, source.instruments)
    window = WindowOfColumns(memory, 0, 1 << 62)

    assert (window.path, window.seed, window.clock_origin) == ("", memory.seed, memory.clock_origin)
    assert (window.first, window.last) == (memory.first, memory.last)
