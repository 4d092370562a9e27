"""Syncing by the kernel: no thread, one sync at a time, and every failure told."""

from __future__ import annotations

import errno
import os
import platform
import signal
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from strategykit.errors import JournalError
from strategykit.journal.kernel_sync import KernelSync, KernelSyncs
from strategykit.journal.sync import Waiting
from tests.journal.conftest import never

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"), reason="a call of Linux"
)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    yield fd
    os.close(fd)


class Log:
    """Records that are only numbers."""

    def __init__(self) -> None:
        self.written = 0
        self.waiting = Waiting(lambda: self.written, lambda exc: JournalError(str(exc)))
        self.told: list[str] = []

    def ask(self, sync: KernelSync) -> None:
        self.written += 1
        name = str(self.written)
        self.waiting.add(
            self.written, lambda: self.told.append(name), lambda error: self.told.append(f"{name}: {error}"), sync
        )


class HeldSyncs(KernelSyncs):
    """Ends syncs when it is told to."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd)
        self.begun = 0
        self.ready = False
        self.code = 0
        self.refuses = False

    def begin(self) -> None:
        if self.refuses:
            raise OSError(errno.EAGAIN, "too many")
        assert not self.ready
        self.begun += 1

    def let_end(self) -> None:
        self.ready = True
        os.eventfd_write(self.told, 1)

    def ended(self, within: float = 0.0) -> bool:
        ready, self.ready = self.ready, False
        if ready and self.code:
            raise OSError(self.code, os.strerror(self.code))
        if not ready:
            time.sleep(min(within, 0.01))
        return ready


def test_the_kernel_syncs_and_says_so(file: int) -> None:
    syncs = KernelSyncs(file)
    for _ in range(3):
        os.write(file, b"x" * 5_000)
        assert not syncs.ended()
        syncs.begin()
        assert syncs.ended(20)
        assert os.eventfd_read(syncs.told) == 1
    syncs.close()


def test_what_it_cant_sync_is_told() -> None:
    read, write = os.pipe()
    syncs = KernelSyncs(write)
    with pytest.raises(OSError, match="Invalid argument"):
        syncs.begin()
    os.close(read)
    os.close(write)
    syncs.close()


def test_a_signal_is_no_failure(file: int) -> None:
    syncs, before = KernelSyncs(file), signal.signal(signal.SIGALRM, lambda *_: None)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        assert not syncs.ended(20)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    syncs.close()


def test_a_machine_that_cant_has_none(file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log()
    monkeypatch.setattr(platform, "machine", lambda: "vax")
    with pytest.raises(OSError, match="no asynchronous I/O of Linux on this machine"):
        KernelSyncs(file)
    assert KernelSync.of(log.waiting, file) is None


def test_a_system_that_forbids_it_has_none(file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Numbers that no call has, so that the system refuses as it does where they are forbidden.
    monkeypatch.setattr("strategykit.journal.kernel_sync._CALLS", {platform.machine(): (1_000_000,) * 4})
    log, fds = Log(), len(os.listdir("/proc/self/fd"))
    assert KernelSync.of(log.waiting, file) is None
    assert len(os.listdir("/proc/self/fd")) == fds


async def test_one_at_a_time_and_one_for_all_that_came_meanwhile(file: int) -> None:
    log, syncs = Log(), HeldSyncs(file)
    sync = KernelSync(log.waiting, syncs)
    sync.start()
    log.ask(sync)
    for _ in range(50):
        log.ask(sync)
    assert syncs.begun == 1
    await wait_all_tasks_blocked()
    assert log.told == []
    syncs.let_end()
    await wait_all_tasks_blocked()
    assert log.told == ["1"]
    assert syncs.begun == 2
    syncs.let_end()
    await wait_all_tasks_blocked()
    assert log.told == [str(number) for number in range(1, 52)]
    assert syncs.begun == 2
    assert sync.stop(1)


async def test_a_wake_up_that_means_nothing_changes_nothing(file: int) -> None:
    log, syncs = Log(), HeldSyncs(file)
    sync = KernelSync(log.waiting, syncs)
    log.ask(sync)
    os.eventfd_write(syncs.told, 1)
    await wait_all_tasks_blocked()
    assert log.told == []
    syncs.let_end()
    await wait_all_tasks_blocked()
    os.eventfd_write(syncs.told, 1)
    await wait_all_tasks_blocked()
    assert (log.told, syncs.begun) == (["1"], 1)
    assert sync.stop(1)


async def test_where_syncs_are_slow_one_is_for_all_of_a_turn(file: int) -> None:
    log, syncs = Log(), HeldSyncs(file)
    seconds = [0.0]
    sync = KernelSync(log.waiting, syncs, clock=lambda: seconds[0])
    log.ask(sync)
    seconds[0] += 0.005
    syncs.let_end()
    await wait_all_tasks_blocked()
    for _ in range(10):
        log.ask(sync)
    assert syncs.begun == 1, "it waits for the turn's end"
    await wait_all_tasks_blocked()
    assert syncs.begun == 2
    syncs.let_end()
    await wait_all_tasks_blocked()
    assert log.told == [str(number) for number in range(1, 12)]
    assert sync.stop(1)


@pytest.mark.parametrize("begins", [True, False])
async def test_a_failure_is_final(file: int, begins: bool) -> None:
    log, syncs = Log(), HeldSyncs(file)
    sync = KernelSync(log.waiting, syncs)
    syncs.code, syncs.refuses = errno.EIO, not begins
    log.ask(sync)
    log.ask(sync)
    if begins:
        syncs.let_end()
    await wait_all_tasks_blocked()
    words = "Input/output error" if begins else "too many"
    assert [line.partition(": ")[0] for line in log.told] == ["1", "2"]
    assert all(words in line for line in log.told)
    log.ask(sync)
    await wait_all_tasks_blocked()
    assert len(log.told) == 3
    assert sync.stop(1)
    assert syncs.begun == begins, "a second sync would report success for what was dropped"


async def test_the_end_waits_for_a_sync_but_not_for_ever(file: int) -> None:
    log, syncs = Log(), HeldSyncs(file)
    sync = KernelSync(log.waiting, syncs)
    log.ask(sync)
    assert not sync.stop(0.05)
    syncs.let_end()
    assert sync.stop(5)
    await wait_all_tasks_blocked()
    assert log.told == ["1"]


def test_what_nobody_waits_for_is_synced_with_a_later_record(file: int) -> None:
    log, syncs = Log(), HeldSyncs(file)
    seconds = [0.0]
    sync = KernelSync(log.waiting, syncs, clock=lambda: seconds[0])
    log.written = 1
    sync.note()
    assert syncs.begun == 0
    seconds[0] += 1.01
    log.written = 2
    sync.note()
    log.written = 3
    sync.note()
    assert syncs.begun == 1
    syncs.let_end()
    log.written = 2
    assert sync.stop(1)
    assert log.waiting.durable == 2


def test_nothing_is_left_open(file: int) -> None:
    before = set(os.listdir("/proc/self/fd"))
    log = Log()

    async def use(*, ends: bool) -> None:
        sync = KernelSync.of(log.waiting, file)
        assert sync is not None
        syncs.append(sync)
        log.written += 1
        done = trio.Event()
        log.waiting.add(log.written, done.set, never, sync)
        await done.wait()
        if ends:
            assert sync.stop(1)

    syncs: list[KernelSync] = []
    trio.run(lambda: use(ends=True))
    trio.run(lambda: use(ends=False))
    assert syncs[1].stop(1)
    unused = KernelSync.of(log.waiting, file)
    assert unused is not None
    assert unused.stop(1)
    assert set(os.listdir("/proc/self/fd")) == before


def test_what_the_disk_said_in_the_end_is_told(file: int) -> None:
    class Broken(KernelSyncs):
        def _do(self, call: int, *arguments: object) -> int:
            if call != self._events:
                return super()._do(call, *arguments)
            struct.pack_into("<QQqq", self._event, 0, 0, 0, -errno.EIO, 0)
            return 1

    syncs = Broken(file)
    with pytest.raises(OSError, match="Input/output error") as caught:
        syncs.ended()
    assert caught.value.errno == errno.EIO
    syncs.close()
