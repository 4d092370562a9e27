"""Every call that reaches the disk fails once, in each way: nothing that was promised is lost, and all can go on."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import trio

from strategykit.disk import RealDisk
from strategykit.errors import JournalError
from strategykit.journal.format import RecordKind
from strategykit.journal.reader import journal_files, read_journal
from tests.journal.conftest import FaultyDisk, Open, intent

CODES = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EMFILE, errno.EDQUOT)


class Promises:
    """What a run was promised of its records."""

    def __init__(self) -> None:
        self.written: list[int] = []
        self.safe: list[int] = []
        self.lost: list[int] = []
        self.refused = 0


async def run(opened: Open, folder: Path, disk: RealDisk) -> Promises:
    """Open, write twelve records and wait for each to be safe, close. What fails on the way is counted."""
    promises = Promises()
    try:
        writer = opened(folder, disk=disk, in_loop=True)
    except JournalError:
        promises.refused += 1
        return promises
    for number in range(6):
        for kind, facts in ((RecordKind.INTENT, intent(number)), (RecordKind.HEARD, {"number": number})):
            try:
                seq = writer.write(kind, facts)
            except JournalError:
                promises.refused += 1
                continue
            promises.written.append(seq)
            told = trio.Event()

            def safe(seq: int = seq, told: trio.Event = told) -> None:
                promises.safe.append(seq)
                told.set()

            def lost(_: JournalError, seq: int = seq, told: trio.Event = told) -> None:
                promises.lost.append(seq)
                told.set()

            writer.when_durable(seq, safe, lost)
            await told.wait()
    writer.close()
    return promises


@pytest.mark.parametrize("code", CODES, ids=errno.errorcode.get)
async def test_whatever_call_fails_promises_are_kept(opened: Open, tmp_path: Path, code: int) -> None:
    counting = FaultyDisk()
    sound = await run(opened, tmp_path / "sound", counting)
    assert (len(sound.safe), sound.refused) == (12, 0)
    assert set(counting.calls) == {"open", "write", "fsync", "rename", "fdatasync", "allocate", "truncate"}
    for stays in (False, True) if code in (errno.ENOSPC, errno.EIO) else (False,):
        for call, count in counting.calls.items():
            for nth in range(1, count + 1):
                folder = tmp_path / f"{call}-{nth}-{stays}"
                disk = FaultyDisk(call, nth, code, stays=stays)

                promises = await run(opened, folder, disk)

                assert disk.hits
                harmless = call in ("allocate", "truncate") or code in (errno.ENOSPC, errno.EDQUOT)
                assert promises.refused or promises.lost or harmless, "it is told"
                assert sorted(promises.safe + promises.lost) == promises.written
                assert not disk.synced_again
                files = journal_files(folder) if folder.exists() else {}
                found = [record.seq for path in files.values() for record in read_journal(path).records]
                assert found[: len(promises.written) + 1] == list(range(1, len(found) + 1))
                assert set(promises.written) <= set(found), "a failing disk takes nothing back from the system's cache"
                with opened(folder) as again:
                    assert [record.seq for record in again.past] == found


async def test_a_failing_disk_says_which_call_and_why(opened: Open, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=os.strerror(errno.EROFS)) as caught:
        opened(tmp_path / "a", disk=FaultyDisk("rename", 1, errno.EROFS))
    assert isinstance(caught.value.__cause__, OSError)
    assert not list((tmp_path / "a").glob("*.journal"))
