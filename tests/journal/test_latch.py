"""The kill switch as a file: whoever made it and whatever is in it, it holds until it is released."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.disk import RealDisk
from strategykit.errors import ConfigError, JournalError, KillSwitchPulled
from strategykit.journal.latch import (
    KILL_FILE,
    Latch,
    _read,
    check_released,
    is_pulled,
    pull_latch,
    read_latch,
    remove_latch,
    sync_latch,
)

NOON = 1_773_316_800_000_000_000
PULLED = Latch(reason="too many orders", by="the desk", time=NOON, pid=7)


def test_what_is_written_is_read_and_is_its_owners_alone(tmp_path: Path) -> None:
    assert not is_pulled(tmp_path)
    assert read_latch(tmp_path) is None
    check_released(tmp_path)

    assert pull_latch(tmp_path, PULLED) == PULLED

    assert is_pulled(tmp_path)
    assert read_latch(tmp_path) == PULLED
    assert stat.S_IMODE((tmp_path / KILL_FILE).stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == [KILL_FILE]


def test_the_first_reason_stands(tmp_path: Path) -> None:
    pull_latch(tmp_path, PULLED)

    assert pull_latch(tmp_path, Latch(reason="later", by="somebody else")) == PULLED
    assert read_latch(tmp_path) == PULLED


def test_no_run_begins_and_the_error_says_who_why_when_and_what_to_do(tmp_path: Path) -> None:
    pull_latch(tmp_path, PULLED, sync=False)
    sync_latch(tmp_path)

    with pytest.raises(KillSwitchPulled) as caught:
        check_released(tmp_path)

    assert isinstance(caught.value, ConfigError)
    assert (caught.value.reason, caught.value.by, caught.value.time) == ("too many orders", "the desk", NOON)
    assert str(caught.value) == (
        f"{tmp_path}: the kill switch was pulled by the desk, 2026-03-12 12:00:00 UTC: too many orders; no run begins "
        f"on this account until somebody has looked and released it: strategykit kill {tmp_path} --release"
    )
    remove_latch(tmp_path)
    remove_latch(tmp_path)
    check_released(tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "no reason given"),
        (b"market is mad\n", "market is mad"),
        (b"[1]", "[1]"),
        (b'{"reason": 7, "time": "noon", "pid": null}', "no reason given"),
        (b"\xff", "\ufffd"),
        (b'{"reason": "two\\nlines \\u001b[31m"}', "'two lines \\x1b[31m'"),
    ],
)
def test_a_file_that_somebody_made_by_hand_counts(tmp_path: Path, text: bytes, reason: str) -> None:
    (tmp_path / KILL_FILE).write_bytes(text)

    assert read_latch(tmp_path) == Latch(reason=reason, by="file")


def test_what_is_no_file_counts_too(tmp_path: Path) -> None:
    (tmp_path / KILL_FILE).mkdir()

    found = read_latch(tmp_path)

    assert found == Latch(reason="the file can't be read (Is a directory)", by="file")
    with pytest.raises(JournalError, match="can't be removed"):
        remove_latch(tmp_path)


def test_a_link_that_leads_nowhere_counts_too(tmp_path: Path) -> None:
    (tmp_path / KILL_FILE).symlink_to("nowhere")

    found = read_latch(tmp_path)

    assert found is not None
    assert "can't be read" in found.reason


class Failing(RealDisk):
    def write(self, fd: int, data: bytes | memoryview) -> int:
        raise OSError(28, "No space left on device")

    def fsync(self, fd: int) -> None:
        raise OSError(5, "Input/output error")


def test_a_disk_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="KILL can't be written: No space left on device"):
        pull_latch(tmp_path, PULLED, disk=Failing())
    assert not is_pulled(tmp_path)
    assert os.listdir(tmp_path) == []
    pull_latch(tmp_path, PULLED)
    with pytest.raises(JournalError, match="KILL can't be kept: Input/output error"):
        sync_latch(tmp_path, disk=Failing())


@given(st.text() | st.integers().map(str))
@settings(max_examples=100, deadline=None)
def test_whatever_is_in_the_file_can_be_told_in_one_line(text: str) -> None:
    latch = _read(text.strip())

    assert latch.words.isprintable()


@pytest.mark.parametrize("time", [10**30, -(10**30)])
def test_a_time_that_cannot_be_is_left_out(time: int) -> None:
    assert Latch(reason="why", by="who", time=time).words == "pulled by who: why"
