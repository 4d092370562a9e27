"""A failing, full, slow or shared disk: the run goes on, the tape says so, and what it holds can be read."""

from __future__ import annotations

import errno
import os
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio

from strategykit.errors import TapeError
from strategykit.tape.disk import RealDisk
from strategykit.tape.format import MAX_BODY, TapeHeader
from strategykit.tape.reader import open_tape
from strategykit.tape.spool import TapeLimits
from strategykit.tape.verify import verify_tape
from strategykit.tape.writer import TapeWriter, open_tape_writer

ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EMFILE, errno.EDQUOT)
SMALL = TapeLimits(segment_bytes=6_000, batch_bytes=500, sync_bytes=1_000)


class FaultyDisk(RealDisk):
    """Fails one call, the `nth` of its name, and notes whether a file is synced again after that has failed."""

    def __init__(self, call: str = "", nth: int = 0, code: int = 0) -> None:
        self.call, self.nth, self.code = call, nth, code
        self.calls: Counter[str] = Counter()
        self.hit = False
        self.distrusted: str | None = None
        self.synced_again = False
        self.lock = threading.Lock()

    def _enter(self, name: str, fd: int | None = None) -> None:
        with self.lock:
            self.calls[name] += 1
            if fd is not None and self.distrusted is not None and os.readlink(f"/proc/self/fd/{fd}") == self.distrusted:
                self.synced_again = True
            if name == self.call and self.calls[name] == self.nth:
                self.hit = True
                if fd is not None:
                    link = os.readlink(f"/proc/self/fd/{fd}")
                    # Of the directory, one thread may be in the middle of a sync when another one's fails.
                    self.distrusted = link if ".tape" in link else None
                raise OSError(self.code, os.strerror(self.code))

    def open(self, path: Path, flags: int) -> int:
        self._enter("open")
        return super().open(path, flags)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        try:
            self._enter("write")
        except OSError:
            super().write(fd, data[: len(data) // 2])  # A disk fills in the middle of a record.
            raise
        return super().write(fd, data[:400])  # A call may write less than it was asked to.

    def fdatasync(self, fd: int) -> None:
        self._enter("fdatasync", fd)
        super().fdatasync(fd)

    def fsync(self, fd: int) -> None:
        self._enter("fsync", fd)
        super().fsync(fd)

    def rename(self, source: Path, target: Path) -> None:
        self._enter("rename")
        super().rename(source, target)

    def remove(self, path: Path) -> None:
        self._enter("remove")
        super().remove(path)


async def record(path: Path, header: TapeHeader, disk: RealDisk, **more: Any) -> TapeWriter:
    """Record 60 frames of 200 bytes: about three segments."""
    async with open_tape_writer(path, header, now=lambda: 0, disk=disk, limits=SMALL, **more) as writer:
        for time in range(60):
            writer.frame_in("market-0", time, "x" * 200)
            await trio.lowlevel.checkpoint()
    return writer


async def test_every_failing_call_leaves_a_readable_tape_and_a_running_program(
    header: TapeHeader, tmp_path: Path
) -> None:
    sound = FaultyDisk()
    assert (await record(tmp_path / "sound", header, sound)).failed is None
    assert set(sound.calls) >= {"open", "write", "fsync", "rename", "remove"}
    turn = 0
    for call in ("open", "write", "fdatasync", "fsync", "rename", "remove"):
        for nth in range(1, sound.calls[call] + 2):
            code = ERRORS[turn % len(ERRORS)]
            turn += 1
            path = tmp_path / f"{call}-{nth}"
            disk = FaultyDisk(call, nth, code)
            try:
                writer = await record(path, header, disk)
            except TapeError as exc:
                assert disk.hit
                assert os.strerror(code) in str(exc)  # noqa: PT017 - whether it raises depends on the turn.
                continue
            assert not disk.synced_again
            times: list[int] = []
            with suppress(TapeError):
                times = [record.time for record in open_tape(path)]
            assert times == list(range(len(times)))
            if writer.failed is None:
                assert len(times) == 60, "only a failure that is told may lose something"
            else:
                assert disk.hit
                assert os.strerror(code) in str(writer.failed)
                assert await writer.wait_failed() is writer.failed


async def test_a_required_tape_that_fails_ends_the_run(header: TapeHeader, tmp_path: Path) -> None:
    disk = FaultyDisk("write", 8, errno.ENOSPC)

    async def run() -> None:
        async with open_tape_writer(
            tmp_path / "t", header, now=lambda: 0, disk=disk, limits=SMALL, required=True
        ) as writer:
            for time in range(60):
                writer.frame_in("market-0", time, "x" * 200)
            await trio.sleep_forever()

    with pytest.raises(TapeError, match="No space left on device"):
        await run()


async def test_after_a_failure_records_are_counted_and_not_kept(header: TapeHeader, tmp_path: Path) -> None:
    disk = FaultyDisk("write", 8, errno.EIO)
    async with open_tape_writer(tmp_path / "t", header, now=lambda: 0, disk=disk, limits=SMALL) as writer:
        for time in range(60):
            writer.frame_in("market-0", time, "x" * 200)
        failure = await writer.wait_failed()
        before = writer.dropped
        writer.mark(1, 1)
        writer.note("nobody hears it")
        assert writer.dropped == before + 2
    assert "Input/output error" in str(failure)
    assert open_tape(tmp_path / "t").torn is not None
    report = verify_tape(tmp_path / "t")
    assert not report.ok
    assert any("torn tail" in finding.words for finding in report.findings)


class _StuckDisk(RealDisk):
    """Syncs of segments after `free` ones wait until `go` is set."""

    def __init__(self, free: int) -> None:
        self.free = free
        self.go = threading.Event()
        self.stuck = threading.Event()

    def fsync(self, fd: int) -> None:
        if ".tape" in os.readlink(f"/proc/self/fd/{fd}"):
            self.free -= 1
            if self.free < 0:
                self.stuck.set()
                self.go.wait(20)
        super().fsync(fd)


async def test_while_segments_change_on_a_slow_disk_nothing_waits_and_nothing_is_lost(
    header: TapeHeader, tmp_path: Path
) -> None:
    disk = _StuckDisk(1)
    async with open_tape_writer(tmp_path / "t", header, now=lambda: 0, disk=disk, limits=SMALL) as writer:
        for time in range(200):
            writer.frame_in("market-0", time, "x" * 200)
        assert await trio.to_thread.run_sync(disk.stuck.wait, 5)
        writer.frame_in("market-0", 200, "y")
        disk.go.set()
    assert writer.failed is None
    assert [record.time for record in open_tape(tmp_path / "t")] == list(range(201))


async def test_a_busy_event_loop_doesnt_starve_the_recorder(header: TapeHeader, tmp_path: Path) -> None:
    """A loop that polls often releases the GIL too briefly for a thread to get it: segments never changed."""
    limits = TapeLimits(segment_bytes=4 << 20, waiting_bytes=16 << 20)
    async with open_tape_writer(tmp_path / "t", header, now=lambda: 0, limits=limits) as writer:
        for time in range(40_000):
            writer.frame_in("market-0", time, "x" * 1_000)
            if not time % 50:
                await trio.lowlevel.checkpoint()
        assert writer.failed is None
    assert [time for _, _, time, _, _ in open_tape(tmp_path / "t").frames()] == list(range(40_000))


async def test_too_much_waiting_for_a_slow_disk_is_a_failure_that_the_tape_tells(
    header: TapeHeader, tmp_path: Path
) -> None:
    disk = _StuckDisk(1)
    limits = TapeLimits(segment_bytes=6_000, batch_bytes=500, waiting_bytes=20_000)
    async with open_tape_writer(tmp_path / "t", header, now=lambda: 0, disk=disk, limits=limits) as writer:
        time = 0
        while writer.failed is None:
            writer.frame_in("market-0", time, "x" * 200)
            time += 1
        assert time < 200
        disk.go.set()
    assert "disk is too slow" in str(writer.failed)
    *frames, last = open_tape(tmp_path / "t")
    assert [record.time for record in frames] == list(range(len(frames)))
    assert last.facts()["note"].startswith("recording stopped: the disk is too slow")
    report = verify_tape(tmp_path / "t")
    assert report.ok
    assert any("recording stopped" in finding.words for finding in report.findings)


async def test_a_disk_that_hangs_at_the_end_holds_nobody_up(header: TapeHeader, tmp_path: Path) -> None:
    disk = _StuckDisk(1)
    limits = TapeLimits(close_within=0.1)
    with trio.fail_after(5):
        async with open_tape_writer(tmp_path / "t", header, now=lambda: 0, disk=disk, limits=limits) as writer:
            writer.frame_in("market-0", 1, "x")
    disk.go.set()
    assert "within 0.1 s; the tape isn't sealed" in str(writer.failed)


async def test_what_a_tape_cant_hold_stops_it_and_is_told(header: TapeHeader, tmp_path: Path) -> None:
    async with open_tape_writer(tmp_path / "a", header, now=lambda: 0, compress=False) as writer:
        writer.frame_in("market-0", 1, "fits")
        writer.frame_in("market-0", 2, bytes(MAX_BODY + 1))
        writer.frame_in("market-0", 3, "too late")
    assert "the largest that a tape holds" in str(writer.failed)
    assert [record.kind.name for record in open_tape(tmp_path / "a")] == ["IN", "NOTE"]
    async with open_tape_writer(tmp_path / "b", header, now=lambda: 0) as writer:
        for index in range(1 << 16):
            writer.frame_in(f"c{index}", 1, "")
    assert "beyond 65535" in str(writer.failed)


async def test_a_caller_that_passes_nonsense_leaves_the_tape_whole(header: TapeHeader, tmp_path: Path) -> None:
    async with open_tape_writer(tmp_path / "t", header, now=lambda: 0) as writer:
        writer.frame_in("market-0", 1, "a")
        with pytest.raises(Exception, match="int"):
            writer.frame_in("market-0", 1.5, "b")  # type: ignore[arg-type]  # that's the point
        writer.frame_in("market-0", 2, "c")
    assert [record.frame for record in open_tape(tmp_path / "t")] == ["a", "c"]


async def test_a_second_writer_is_refused(header: TapeHeader, tmp_path: Path) -> None:
    async with open_tape_writer(tmp_path / "t", header, now=lambda: 0) as writer:
        with pytest.raises(TapeError, match=f"another recorder .process {os.getpid()}"):
            async with open_tape_writer(tmp_path / "t", header, now=lambda: 0):
                pass
        writer.frame_in("market-0", 1, "a")
    assert len(list(open_tape(tmp_path / "t"))) == 1


async def test_a_recording_is_never_written_over(header: TapeHeader, tmp_path: Path) -> None:
    async with open_tape_writer(tmp_path / "t", header, now=lambda: 0) as writer:
        writer.frame_in("market-0", 1, "a")
    with pytest.raises(TapeError, match="holds a recording already"):
        async with open_tape_writer(tmp_path / "t", header, now=lambda: 0):
            pass
    (tmp_path / "file").write_text("x")
    for name in ("file", "file/below"):
        with pytest.raises(TapeError, match="can't be recorded to"):
            async with open_tape_writer(tmp_path / name, header, now=lambda: 0):
                pass


class _BrokenDisk(RealDisk):
    def write(self, fd: int, data: bytes | memoryview) -> int:
        if b"poison" in bytes(data):
            raise ZeroDivisionError
        return super().write(fd, data)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_bug_in_the_recorder_is_no_quiet_end(header: TapeHeader, tmp_path: Path) -> None:
    async with open_tape_writer(tmp_path / "t", header, now=lambda: 0, disk=_BrokenDisk()) as writer:
        writer.frame_in("market-0", 1, "poison")
        with trio.fail_after(5):
            assert "the recorder broke" in str(await writer.wait_failed())


async def test_a_failed_comparison_keeps_the_plain_segment(header: TapeHeader, tmp_path: Path) -> None:
    class Forgetful(RealDisk):
        """Loses what is written to compressed files, but for the beginning."""

        def write(self, fd: int, data: bytes | memoryview) -> int:
            if os.readlink(f"/proc/self/fd/{fd}").endswith(".zst.tmp"):
                super().write(fd, data[:50])
                return len(data)
            return super().write(fd, data)

    async with open_tape_writer(tmp_path / "t", header, now=lambda: 0, disk=Forgetful()) as writer:
        writer.frame_in("market-0", 1, "a")
    assert writer.failed is None
    assert sorted(file.name for file in (tmp_path / "t").iterdir()) == ["000001.tape", "lock"]


Make = Callable[..., Path]


def test_sealed_segments_are_compressed_and_hold_the_same(make: Make, tmp_path: Path) -> None:
    def fill(writer: TapeWriter) -> None:
        for time in range(2_000):
            writer.frame_in("market-0", time, f'{{"data":{{"price":{time}}},"guid":"g-1"}}')

    limits = TapeLimits(segment_bytes=30_000)
    plain = make(tmp_path / "plain", fill, limits=limits)
    packed = make(tmp_path / "packed", fill, limits=limits, compress=True)
    assert {file.suffix for file in packed.glob("*.tape*")} == {".zst"}
    assert list(open_tape(packed)) == list(open_tape(plain))
    assert verify_tape(packed).ok
    assert verify_tape(packed).segments == len(list(plain.glob("*.tape"))) > 2
    sizes = [sum(file.stat().st_size for file in path.glob("*.tape*")) for path in (packed, plain)]
    assert sizes[0] < sizes[1] / 3
