"""Ending what a killed recorder left."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from strategykit.errors import TapeError
from strategykit.tape.disk import RealDisk, in_words
from strategykit.tape.reader import Record, open_tape
from strategykit.tape.recover import recover_tape
from strategykit.tape.spool import TapeLimits
from strategykit.tape.verify import verify_tape
from strategykit.tape.writer import TapeWriter

Make = Callable[..., Path]
Ends = Callable[[bytes], list[int]]


def put(path: Path, data: bytes) -> Path:
    path.mkdir(exist_ok=True)
    (path / "000001.tape.part").write_bytes(data)
    return path


def test_the_tail_is_kept_aside_and_the_rest_sealed(unsealed_bytes: bytes, ends_of: Ends, tmp_path: Path) -> None:
    ends = ends_of(unsealed_bytes)
    path = put(tmp_path / "t", unsealed_bytes[:-5])
    (path / "000001.tape.zst.tmp").write_bytes(b"left over")
    before = list(open_tape(path))
    recovery = recover_tape(path)
    assert recovery is not None
    assert recovery.segment == path / "000001.tape"
    assert recovery.cut == ends[-1] - 5 - ends[-2]
    assert recovery.aside is not None
    assert recovery.aside.read_bytes() == unsealed_bytes[ends[-2] : -5]
    assert sorted(file.name for file in path.iterdir()) == ["000001.tape", "000001.torn-1", "lock"]
    *records, note = open_tape(path)
    assert records == before
    assert note.facts() == {"note": "RECOVERED", "bytes": recovery.cut, "aside": "000001.torn-1"}
    assert note.time == records[-1].time
    report = verify_tape(path)
    assert report.ok
    assert [finding.words for finding in report.findings] == [
        f"record {note.seq}: the writer was killed; {recovery.cut} bytes were cut then"
    ]


def test_a_tape_that_only_lacks_its_seal_gets_it(unsealed_bytes: bytes, small_bytes: bytes, tmp_path: Path) -> None:
    recovery = recover_tape(put(tmp_path / "a", unsealed_bytes))
    assert recovery is not None
    assert (recovery.cut, recovery.aside) == (0, None)
    assert verify_tape(tmp_path / "a").ok
    # Killed between the footer and the rename: nothing is missing, and nothing is added.
    recovery = recover_tape(put(tmp_path / "b", small_bytes))
    assert recovery is not None
    assert (recovery.cut, recovery.aside) == (0, None)
    assert (tmp_path / "b" / "000001.tape").read_bytes() == small_bytes
    assert recover_tape(tmp_path / "b") is None


def test_a_tape_without_a_record_can_be_sealed(unsealed_bytes: bytes, ends_of: Ends, tmp_path: Path) -> None:
    path = put(tmp_path / "t", unsealed_bytes[: ends_of(unsealed_bytes)[0] + 3])
    assert recover_tape(path) is not None
    (note,) = open_tape(path)
    assert note.time == open_tape(path).header.created


def test_a_last_segment_without_a_header_is_made_anew(make: Make, tmp_path: Path) -> None:
    def fill(writer: TapeWriter) -> None:
        for index in range(30):
            writer.frame_in(f"c{index % 3}", index, "x" * 50)

    path = make(tmp_path / "t", fill, limits=TapeLimits(segment_bytes=1_500))
    last = max(path.glob("*.tape"))
    number = int(last.name[:6]) + 1
    (path / f"{number:06d}.tape.part").write_bytes(last.read_bytes()[:40])
    before = list(open_tape(path))
    recovery = recover_tape(path)
    assert recovery is not None
    assert recovery.cut == 40
    *records, note = open_tape(path)
    assert records == before
    assert note.facts()["bytes"] == 40
    assert open_tape(path).segments[-1] == number
    assert verify_tape(path).ok


def test_what_is_damaged_or_no_tape_is_left_as_it_is(unsealed_bytes: bytes, ends_of: Ends, tmp_path: Path) -> None:
    at = ends_of(unsealed_bytes)[3]
    damaged = unsealed_bytes[:at] + b"\xff" * 20 + unsealed_bytes[at + 20 :]
    path = put(tmp_path / "t", damaged)
    with pytest.raises(TapeError, match="whole records follow"):
        recover_tape(path)
    assert (path / "000001.tape.part").read_bytes() == damaged
    with pytest.raises(TapeError, match="no tape's directory"):
        recover_tape(path / "000001.tape.part")
    with pytest.raises(TapeError, match="no record can be read"):
        recover_tape(put(tmp_path / "u", unsealed_bytes[:30]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(TapeError, match="without segments"):
        recover_tape(tmp_path / "empty")
    assert not list((tmp_path / "empty").iterdir())  # No lock either.


class _Failing(RealDisk):
    """Fails the `nth` call of any kind."""

    def __init__(self, nth: int) -> None:
        self.nth = nth
        self.calls: Counter[str] = Counter()

    def _enter(self, name: str) -> None:
        self.calls[name] += 1
        if self.calls.total() == self.nth:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def open(self, path: Path, flags: int) -> int:
        self._enter("open")
        return super().open(path, flags)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        try:
            self._enter("write")
        except OSError:
            super().write(fd, data[: len(data) // 2])
            raise
        return super().write(fd, data)

    def fsync(self, fd: int) -> None:
        self._enter("fsync")
        super().fsync(fd)

    def rename(self, source: Path, target: Path) -> None:
        self._enter("rename")
        super().rename(source, target)

    def truncate(self, path: Path, size: int) -> None:
        self._enter("truncate")
        super().truncate(path, size)


@pytest.mark.parametrize("headless", [False, True])
def test_recovery_that_fails_anywhere_can_be_done_again(
    headless: bool, make: Make, small: Callable[[TapeWriter], None], unsealed_bytes: bytes, tmp_path: Path
) -> None:
    def left(path: Path) -> Path:
        if headless:
            make(path, small)
            (path / "000002.tape.part").write_bytes(unsealed_bytes[:50])
            return path
        return put(path, unsealed_bytes[:-5])

    def frames(path: Path) -> list[Record]:
        return [record for record in open_tape(path) if record.kind.name != "NOTE"]

    before = frames(left(tmp_path / "before"))
    failed = 0
    for nth in range(1, 60):
        path = left(tmp_path / str(nth))
        disk = _Failing(nth)
        with suppress(TapeError):
            recover_tape(path, disk=disk)
        failed += disk.calls.total() >= nth
        assert frames(path) == before
        recover_tape(path)
        assert frames(path) == before
        assert open_tape(path).sealed
        assert verify_tape(path).ok
    assert failed > 10


def test_what_the_system_refuses_is_said_in_words(tmp_path: Path) -> None:
    path = tmp_path / "file"
    known = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    assert in_words(known, path) == "No such file or directory"
    assert in_words(known, tmp_path) == f"{path}: No such file or directory"
    assert in_words(OSError("odd")) == "odd"
