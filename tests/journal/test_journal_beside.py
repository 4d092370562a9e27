"""Syncing by a process beside: one sync at a time, every failure told, nothing left when it is over."""

from __future__ import annotations

import errno
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from strategykit.errors import JournalError
from strategykit.journal import syncing
from strategykit.journal.beside import BesideSync, SyncProcess
from strategykit.journal.sync import Waiting
from tests.journal.conftest import never


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

    def ask(self, sync: BesideSync) -> None:
        self.written += 1
        name = str(self.written)
        self.waiting.add(
            self.written, lambda: self.told.append(name), lambda error: self.told.append(f"{name}: {error}"), sync
        )


class HeldProcess(SyncProcess):
    """A process that isn't one: it ends syncs when it is told to."""

    def __init__(self, fd: int) -> None:
        self.wire, self.far = socket.socketpair()
        self.wire.setblocking(False)
        self.begun = 0

    def begin(self) -> None:
        self.begun += 1
        super().begin()
        assert self.far.recv(10) == b"?", "one at a time"

    def let_end(self, code: int = 0) -> None:
        self.far.send(code.to_bytes(4, "little"))

    def end(self, within: float) -> None:
        self.far.close()


@pytest.fixture
def held(file: int) -> Iterator[HeldProcess]:
    process = HeldProcess(file)
    yield process
    process.end(0)
    process.close()


def test_a_process_syncs_and_says_how_it_went(file: int) -> None:
    process = SyncProcess(file)
    for _ in range(3):
        os.write(file, b"x" * 5_000)
        assert not process.ended()
        process.begin()
        assert process.ended(20)
    process.end(20)
    process.close()


def test_what_it_cant_sync_is_told() -> None:
    read, write = os.pipe()
    process = SyncProcess(write)
    process.begin()
    with pytest.raises(OSError, match="Invalid argument"):
        process.ended(20)
    process.end(20)
    process.close()
    os.close(read)
    os.close(write)


def test_it_lives_as_long_as_who_asks_and_no_signal_ends_it_before(file: int) -> None:
    process = SyncProcess(file)
    process.begin()
    assert process.ended(20)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(process.pid, number)
    process.begin()
    assert process.ended(20)
    process.wire.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        process.begin()
    process.end(20)
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def may_go_first() -> bool:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        return False
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True


def test_it_goes_before_usual_processes_where_it_may(file: int) -> None:
    process = SyncProcess(file)
    process.begin()
    assert process.ended(20)
    assert os.sched_getscheduler(process.pid) == (os.SCHED_FIFO if may_go_first() else os.SCHED_OTHER)
    process.end(20)
    process.close()


@pytest.mark.parametrize("code", [0, errno.EINVAL])
def test_what_it_does_is_done_here_too(file: int, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process itself is out of the reach of what measures the tests' coverage."""
    near, far = socket.socketpair()
    near.send(b"?")
    near.shutdown(socket.SHUT_WR)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    syncs = far.fileno() if code else file
    monkeypatch.setattr(sys, "argv", [syncing.__file__, str(syncs), str(far.fileno())])
    try:
        runpy.run_path(syncing.__file__, run_name="__main__")
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    answer = near.recv(20)
    assert len(answer) == 4
    assert int.from_bytes(answer, "little", signed=True) == code
    near.close()
    far.close()


def test_where_no_process_can_be_started_there_is_none(file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    before = len(os.listdir("/proc/self/fd"))
    assert BesideSync.of(Log().waiting, file) is None
    assert len(os.listdir("/proc/self/fd")) == before


async def test_one_at_a_time_and_one_for_all_that_came_meanwhile(held: HeldProcess) -> None:
    log = Log()
    sync = BesideSync(log.waiting, held)
    sync.start()
    log.ask(sync)
    await wait_all_tasks_blocked()
    for _ in range(50):
        log.ask(sync)
    await wait_all_tasks_blocked()
    assert held.begun == 1
    assert log.told == []
    held.let_end()
    await wait_all_tasks_blocked()
    assert log.told == ["1"]
    assert held.begun == 2
    held.let_end()
    await wait_all_tasks_blocked()
    assert log.told == [str(number) for number in range(1, 52)]
    assert held.begun == 2
    assert sync.stop(1)


async def test_one_is_for_all_of_a_turn(held: HeldProcess) -> None:
    log = Log()
    sync = BesideSync(log.waiting, held)
    for _ in range(10):
        log.ask(sync)
    assert held.begun == 0, "it waits for the turn's end"
    await wait_all_tasks_blocked()
    assert held.begun == 1
    held.let_end()
    await wait_all_tasks_blocked()
    assert log.told == [str(number) for number in range(1, 11)]
    assert held.begun == 1
    assert sync.stop(1)


async def test_a_failure_is_final(held: HeldProcess) -> None:
    log = Log()
    sync = BesideSync(log.waiting, held)
    log.ask(sync)
    log.ask(sync)
    held.let_end(errno.EIO)
    await wait_all_tasks_blocked()
    assert log.told == ["1: [Errno 5] Input/output error", "2: [Errno 5] Input/output error"]
    log.ask(sync)
    await wait_all_tasks_blocked()
    assert len(log.told) == 3
    assert sync.stop(1)
    assert held.begun == 1, "a second sync would report success for what was dropped"


@pytest.mark.parametrize("asks", [True, False])
async def test_a_process_that_dies_is_a_failure(held: HeldProcess, asks: bool) -> None:
    """Nobody knows then what its last sync would have said."""
    log = Log()
    sync = BesideSync(log.waiting, held)
    log.ask(sync)
    await wait_all_tasks_blocked()
    if not asks:
        held.let_end()
        await wait_all_tasks_blocked()
        assert log.told == ["1"]
    held.far.close()
    await wait_all_tasks_blocked()
    log.ask(sync)
    await wait_all_tasks_blocked()
    assert all("the process that syncs has died" in line for line in log.told[not asks :])
    assert len(log.told) == 2
    assert sync.stop(1)


def test_a_process_that_is_gone_when_it_is_needed_is_a_failure(held: HeldProcess) -> None:
    log = Log()
    sync = BesideSync(log.waiting, held)
    held.far.close()
    log.written = 1
    assert sync.stop(1)
    assert "Broken pipe" in str(log.waiting.failed)


async def test_the_end_waits_for_a_sync_but_not_for_ever(held: HeldProcess) -> None:
    log = Log()
    sync = BesideSync(log.waiting, held)
    log.ask(sync)
    await wait_all_tasks_blocked()
    log.written += 1
    assert not sync.stop(0.05)
    held.let_end()
    ending = threading.Timer(0.05, held.let_end)
    ending.start()
    assert sync.stop(20)
    ending.join()
    await wait_all_tasks_blocked()
    assert log.told == ["1"]
    assert log.waiting.durable == 2


async def test_what_nobody_waits_for_is_synced_with_a_later_record(held: HeldProcess) -> None:
    log, seconds = Log(), [0.0]
    sync = BesideSync(log.waiting, held, clock=lambda: seconds[0])
    log.written = 1
    sync.note()
    assert held.begun == 0
    seconds[0] += 1.01
    log.written = 2
    sync.note()
    log.written = 3
    sync.note()
    assert held.begun == 1
    held.let_end()
    seconds[0] += 1.01
    sync.note()
    assert (log.waiting.durable, held.begun) == (2, 2)
    held.let_end()
    assert sync.stop(1)
    assert log.waiting.durable == 3


def test_nothing_is_left_open(file: int) -> None:
    before = set(os.listdir("/proc/self/fd"))
    log = Log()
    syncs: list[BesideSync] = []

    async def use(*, ends: bool) -> None:
        sync = BesideSync.of(log.waiting, file)
        assert sync is not None
        syncs.append(sync)
        for _ in range(2):
            log.written += 1
            done = trio.Event()
            log.waiting.add(log.written, done.set, never, sync)
            await done.wait()
        if ends:
            assert sync.stop(20)

    trio.run(lambda: use(ends=True))
    trio.run(lambda: use(ends=False))
    assert syncs[1].stop(20)
    unused = BesideSync.of(log.waiting, file)
    assert unused is not None
    assert unused.stop(20)
    assert set(os.listdir("/proc/self/fd")) == before


def test_a_writer_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    script = (
        "import os, sys, time; from pathlib import Path; from strategykit.journal.writer import open_journal\n"
        "w = open_journal(Path(sys.argv[1]), now=time.time_ns, run={}, reserve=0)\n"
        "print(w._syncer._process.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "j")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        pid = int(child.stdout.readline())
        watched = os.pidfd_open(pid)
        child.kill()
    # It is nobody's child any more; its end makes this readable.
    assert select.select([watched], [], [], 20)[0]
    os.close(watched)
