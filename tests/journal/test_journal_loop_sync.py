"""Syncs in the loop that take their time, by Trio's clock."""

from __future__ import annotations

from pathlib import Path

import trio
from trio.testing import MockClock

from strategykit.journal.format import RecordKind
from strategykit.journal.writer import open_journal
from tests.journal.conftest import FaultyDisk, intent, never


async def test_who_waits_for_a_slow_sync_waits_as_long_and_the_loop_doesnt(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    safe: list[tuple[int, float]] = []
    disk = FaultyDisk()
    with open_journal(
        tmp_path / "a", now=lambda: 1, run={"tag": "t"}, reserve=0, disk=disk, in_loop=True, sync_takes=lambda: 3.0
    ) as writer:
        for number in (1, 2):
            seq = writer.write(RecordKind.INTENT, intent(number))
            writer.when_durable(seq, lambda number=number: safe.append((number, trio.current_time())), never)  # type: ignore[misc]  # bound now
            await trio.sleep(1.0)
        assert safe == []
        await trio.sleep(2.0)

    assert safe == [(1, 3.0), (2, 3.0)]
    assert disk.calls["fdatasync"] == 1
