"""When a record is safe: one sync for many, never a second one after a failure, and no waiting in the loop."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from strategykit.disk import RealDisk
from strategykit.errors import JournalError, JournalFull
from strategykit.journal.format import RecordKind
from strategykit.journal.reader import read_journal
from tests.journal.conftest import RESERVE, FaultyDisk, Open, intent, never, never_safe


class Heard:
    """What was told of records, in order."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.changed = trio.Event()

    def safe(self, name: object) -> Callable[[], None]:
        return lambda: self._add(f"{name} safe")

    def lost(self, name: object) -> Callable[[JournalError], None]:
        return lambda error: self._add(f"{name} lost: {error}")

    def _add(self, words: str) -> None:
        self.words.append(words)
        self.changed.set()

    async def count(self, count: int) -> list[str]:
        with trio.fail_after(10):
            while len(self.words) < count:
                self.changed = trio.Event()
                await self.changed.wait()
        return self.words


class GatedDisk(RealDisk):
    """Syncs wait until they are let through."""

    def __init__(self) -> None:
        self.syncs = 0
        self.begun = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)
        self.code = 0

    def fdatasync(self, fd: int) -> None:
        self.syncs += 1
        self.begun.release()
        self.gate.acquire()
        if self.code:
            raise OSError(self.code, "broken")
        super().fdatasync(fd)


WAYS: dict[str, Callable[[], dict[str, Any]]] = {
    "process": lambda: {"disk": RealDisk()},
    "thread": lambda: {"disk": FaultyDisk()},
    "loop": lambda: {"disk": FaultyDisk(), "in_loop": True},
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> dict[str, Any]:
    """One of the ways of syncing."""
    return WAYS[request.param]()


async def test_a_record_becomes_safe_and_its_writer_is_told_later(opened: Open, way: dict[str, Any]) -> None:
    writer, heard = opened(**way), Heard()
    seq = writer.write(RecordKind.INTENT, intent(1))
    writer.when_durable(seq, heard.safe("it"), never)
    assert heard.words == [], "never from inside the call"
    assert await heard.count(1) == ["it safe"]
    assert writer.durable >= seq

    writer.when_durable(seq, heard.safe("it again"), never)
    assert heard.words == ["it safe"]
    assert await heard.count(2) == ["it safe", "it again safe"]


async def test_whoever_asks_is_told_in_the_order_of_the_records(opened: Open, way: dict[str, Any]) -> None:
    writer, heard = opened(**way), Heard()
    numbers = [writer.write(RecordKind.NOTE, {}) for _ in range(5)]
    for place in (3, 0, 4, 1, 2):
        writer.when_durable(numbers[place], heard.safe(place), never)
    assert await heard.count(5) == [f"{place} safe" for place in range(5)]


async def test_one_sync_is_for_all_that_came_meanwhile(opened: Open) -> None:
    disk, heard = GatedDisk(), Heard()
    writer = opened(disk=disk)
    writer.when_durable(writer.write(RecordKind.INTENT, intent(0)), heard.safe(0), never)
    await trio.to_thread.run_sync(disk.begun.acquire)
    for number in range(1, 101):
        writer.when_durable(writer.write(RecordKind.INTENT, intent(number)), heard.safe(number), never)
    disk.gate.release()
    await heard.count(1)
    await trio.to_thread.run_sync(disk.begun.acquire)
    assert heard.words == ["0 safe"], "what came after a sync began isn't safe by it"
    disk.gate.release()
    assert await heard.count(101) == [f"{number} safe" for number in range(101)]
    assert disk.syncs == 2
    disk.gate.release(10)


async def test_a_slow_disk_doesnt_hold_the_loop(opened: Open, autojump_clock: trio.testing.MockClock) -> None:
    disk, heard = GatedDisk(), Heard()
    writer = opened(disk=disk)
    writer.when_durable(writer.write(RecordKind.INTENT, intent(1)), heard.safe("it"), never)
    begin = trio.current_time()
    for _ in range(50):  # Five seconds, in which everything else goes on: timers, and news that are written down.
        await trio.sleep(0.1)
        writer.write(RecordKind.HEARD, {"client_order_id": "a"})
    assert trio.current_time() - begin == pytest.approx(5)
    assert heard.words == []
    disk.gate.release(10)
    await trio.to_thread.run_sync(writer.close)
    await wait_all_tasks_blocked()
    assert heard.words == ["it safe"]
    assert len(read_journal(writer.path).records) == 52


async def test_a_failed_sync_is_final(opened: Open) -> None:
    disk, heard = GatedDisk(), Heard()
    disk.code = errno.EIO
    writer = opened(disk=disk)
    for number in range(3):
        writer.when_durable(writer.write(RecordKind.INTENT, intent(number)), never_safe, heard.lost(number))
    disk.gate.release(10)
    words = await heard.count(3)
    assert [line.partition(": ")[0] for line in words] == ["0 lost", "1 lost", "2 lost"]
    assert f"{writer.path}: the disk failed (broken); nothing is written to it any more" in words[0]
    failed = writer.failed
    assert failed is not None
    size = writer.path.stat().st_size
    for kind in (RecordKind.INTENT, RecordKind.HEARD, RecordKind.CLOSED):
        with pytest.raises(JournalError, match="the disk failed"):
            writer.write(kind, {})
    writer.when_durable(1, heard.safe("the first"), never)
    writer.when_durable(4, never_safe, heard.lost("a late one"))
    assert [line.partition(": ")[0] for line in (await heard.count(5))[3:]] == ["the first safe", "a late one lost"]
    writer.close()
    assert writer.failed is failed
    assert disk.syncs == 1, "a second sync would report success for what was dropped"
    assert writer.path.stat().st_size == size


@pytest.mark.parametrize("in_loop", [False, True])
async def test_a_failed_write_loses_what_wasnt_safe_yet(opened: Open, in_loop: bool) -> None:
    disk, heard = FaultyDisk("write", 6, errno.EIO), Heard()
    writer = opened(disk=disk, in_loop=in_loop)
    safe = writer.write(RecordKind.INTENT, intent(1))
    writer.when_durable(safe, heard.safe("first"), never)
    await heard.count(1)
    second = writer.write(RecordKind.INTENT, intent(2))
    writer.when_durable(second, heard.safe("second"), heard.lost("second"))
    with pytest.raises(JournalError, match="Input/output error"):
        writer.write(RecordKind.HEARD, {})
    (_, last) = await heard.count(2)
    # In a thread, the sync may have been quicker.
    assert last == "second safe" or last.startswith("second lost")
    before = disk.calls["fdatasync"]
    writer.close()
    assert disk.calls["fdatasync"] == before
    journal = read_journal(writer.path)
    assert len(journal.records) == 3
    assert journal.torn is not None


async def test_a_full_disk_takes_cancels_and_news_and_no_orders(opened: Open) -> None:
    disk, heard = FaultyDisk("write", 5, errno.ENOSPC), Heard()
    writer = opened(disk=disk)
    writer.write(RecordKind.INTENT, intent(1))
    reserve = writer.path.with_name("reserve")
    assert reserve.stat().st_size == RESERVE

    with pytest.raises(JournalFull, match="the disk is full; orders are refused, cancels and the venue's news"):
        writer.write(RecordKind.INTENT, intent(2))

    assert writer.failed is None
    assert writer.full is not None
    assert not reserve.exists()
    with pytest.raises(JournalFull):
        writer.write(RecordKind.INTENT, intent(3, "AmendOrder"))
    seq = writer.write(RecordKind.INTENT, intent(1, "CancelOrder"))
    assert seq == 3, "the refused one has no number"
    writer.write(RecordKind.HEARD, {"news": {}})
    flat = writer.write(RecordKind.INTENT, intent(4), essential=True)
    writer.when_durable(flat, heard.safe("all"), never)
    await heard.count(1)
    writer.close()
    journal = read_journal(writer.path)
    assert journal.torn is None
    assert [record.kind.value for record in journal.records] == ["run", "intent", "intent", "heard", "intent"]
    assert not (opened().full)


async def test_news_that_find_the_disk_full_are_written_all_the_same(opened: Open) -> None:
    writer = opened(disk=FaultyDisk("write", 4, errno.EDQUOT))
    assert writer.write(RecordKind.HEARD, {"news": {"type": "Fill"}}) == 2
    assert writer.full is not None
    writer.close()
    assert read_journal(writer.path).records[1].facts == {"news": {"type": "Fill"}}


@pytest.mark.parametrize("call", ["remove", "truncate", "write"])
async def test_a_disk_that_is_full_without_its_reserve_has_failed(opened: Open, call: str) -> None:
    class Full(FaultyDisk):
        def write(self, fd: int, data: bytes | memoryview) -> int:
            if self.full and (call == "write" or not self.calls[call]):
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(fd, data)

        full = False

    disk = Full(call if call != "write" else "", 1, errno.EIO)
    writer = opened(disk=disk)
    disk.full = True
    with pytest.raises(JournalError, match="the disk failed"):
        writer.write(RecordKind.HEARD, {})
    assert writer.failed is not None
    assert not isinstance(writer.failed, JournalFull)


async def test_a_write_that_takes_less_goes_on(opened: Open) -> None:
    class Small(RealDisk):
        def write(self, fd: int, data: bytes | memoryview) -> int:
            return super().write(fd, data[:7])

    writer = opened(disk=Small())
    writer.write(RecordKind.INTENT, intent(1))
    writer.close()
    assert read_journal(writer.path).records[1].facts == intent(1)


async def test_what_nobody_waits_for_is_synced_within_a_second_or_so(opened: Open) -> None:
    disk = GatedDisk()
    disk.gate.release(10)
    writer = opened(disk=disk)
    seq = writer.write(RecordKind.HEARD, {})
    assert await trio.to_thread.run_sync(lambda: disk.begun.acquire(timeout=20))
    writer.close()
    assert writer.durable == seq


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_bug_in_the_thread_leaves_nobody_waiting(opened: Open) -> None:
    class Broken(RealDisk):
        def fdatasync(self, fd: int) -> None:
            raise ZeroDivisionError

    writer, heard = opened(disk=Broken()), Heard()
    writer.when_durable(writer.write(RecordKind.NOTE, {}), never_safe, heard.lost("it"))
    assert "the journal's sync broke" in (await heard.count(1))[0]
    with pytest.raises(JournalError, match="sync broke"):
        writer.write(RecordKind.NOTE, {})


def test_a_disk_that_takes_too_long_at_the_end_is_left(opened: Open) -> None:
    disk = GatedDisk()
    writer = opened(disk=disk, close_within=0.05)
    writer.write(RecordKind.NOTE, {})
    writer.close()
    assert "the disk didn't take everything within 0.05 s" in str(writer.failed)
    opened().close()  # The lock is free.
    disk.gate.release(10)


def test_a_loop_that_has_ended_is_told_nothing(opened: Open) -> None:
    disk, heard = GatedDisk(), Heard()
    writer = opened(disk=disk)

    async def ask() -> None:
        writer.when_durable(writer.write(RecordKind.NOTE, {}), heard.safe("it"), never)

    trio.run(ask)
    disk.gate.release(10)
    writer.close()
    assert writer.failed is None
    assert heard.words == []


def test_one_journal_can_serve_one_loop_after_another(opened: Open, way: dict[str, Any]) -> None:
    writer, heard = opened(**way), Heard()

    async def ask() -> None:
        for _ in range(2):
            before = len(heard.words)
            writer.when_durable(writer.write(RecordKind.NOTE, {}), heard.safe("it"), never)
            await heard.count(before + 1)

    for _ in range(2):
        trio.run(ask)
    assert len(heard.words) == 4
    writer.write(RecordKind.NOTE, {})
    writer.close()
    assert (writer.durable, writer.failed) == (6, None)


def test_what_nobody_waited_for_is_safe_at_the_end(opened: Open, way: dict[str, Any]) -> None:
    writer = opened(**way)
    seq = writer.write(RecordKind.NOTE, {})
    assert writer.durable < seq
    writer.close()
    assert writer.durable == seq
