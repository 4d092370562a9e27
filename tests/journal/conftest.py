from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from strategykit.disk import RealDisk
from strategykit.errors import JournalError
from strategykit.journal.format import RecordKind
from strategykit.journal.writer import JournalWriter, open_journal

NOON = 1_773_000_000_000_000_000
"""Sunday, 8 March 2026, 20:00 UTC."""

RESERVE = 1 << 16


@attrs.define
class Clock:
    """Goes on by a millisecond whenever it is read."""

    time: int = NOON

    def __call__(self) -> int:
        self.time += 1_000_000
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


Open = Callable[..., JournalWriter]


@pytest.fixture
def opened(tmp_path: Path, clock: Clock) -> Iterator[Open]:
    """Opens journals; those that are still open when the test is over are closed."""
    writers: list[JournalWriter] = []

    def give(folder: Path | None = None, **more: Any) -> JournalWriter:
        given = {
            "now": clock,
            "monotonic": clock,
            "run": {"tag": "a1"},
            "reserve": RESERVE,
            "disk": FaultyDisk(),
            **more,
        }
        writers.append(open_journal(folder or tmp_path / "alor-D1", **given))
        return writers[-1]

    yield give
    for writer in writers:
        writer.close()


def intent(number: int, kind: str = "CreateOrder", **more: Any) -> dict[str, Any]:
    """The facts of an intent as the gateway writes them."""
    name = f"a1-cross-{number}"
    request = {
        "client_order_id": name,
        "account": "D1",
        "instrument": "SBER",
        "side": "buy",
        "quantity": "2",
        "type": "limit",
        "price": "318.21",
    }
    command: dict[str, Any] = {"type": kind, "guid": name, "request": request}
    if kind != "CreateOrder":
        command |= {"guid": f"{name}-c1", "venue_order_id": "31845"}
    return {"guid": command["guid"], "client_order_id": name, "strategy": "cross", "command": command, **more}


def write_day(writer: JournalWriter, orders: int) -> list[tuple[RecordKind, Mapping[str, Any]]]:
    """Write orders that are placed, accepted and filled; give the records."""
    records: list[tuple[RecordKind, Mapping[str, Any]]] = []
    for number in range(1, orders + 1):
        name = f"a1-cross-{number}"
        reply = {
            "type": "Reply",
            "guid": name,
            "code": 200,
            "message": "ok",
            "ok": True,
            "venue_order_id": f"9{number}",
        }
        records += [
            (RecordKind.INTENT, intent(number)),
            (RecordKind.LEARNT, {"client_order_id": name, "state": "sent", "evidence": "left", "reason": ""}),
            (RecordKind.HEARD, {"client_order_id": name, "news": reply}),
            (RecordKind.LEARNT, {"client_order_id": name, "state": "working", "evidence": "accepted", "reason": ""}),
        ]
    for kind, facts in records:
        writer.write(kind, facts)
    return records


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file of about 4 KiB, left by a run that didn't end in order."""
    folder = tmp_path_factory.mktemp("small") / "alor-D1"
    clock = Clock()
    with open_journal(folder, now=clock, monotonic=clock, run={"tag": "a1"}, reserve=0) as writer:
        write_day(writer, 5)
    data = writer.path.read_bytes()
    assert 3_500 < len(data) < 4_500
    return data


def never(error: JournalError) -> None:
    """What is called when a record can't become safe, where it should."""
    raise AssertionError(error)


def never_safe() -> None:
    """What is called when a record is safe, where it can't be."""
    raise AssertionError("safe")


def ends(data: bytes | bytearray) -> list[int]:
    """Where the records of a file end; first, where its head does."""
    found = [32]
    while found[-1] < len(data):
        at = found[-1]
        found.append(at + 45 + int.from_bytes(data[at + 1 : at + 5], "little"))
    assert found[-1] == len(data)
    return found


class FaultyDisk(RealDisk):
    """Fails the `nth` call of one name, and all later ones if it `stays` so; notes syncs of a file that failed one."""

    def __init__(self, call: str = "", nth: int = 0, code: int = 0, *, stays: bool = False) -> None:
        self.call, self.nth, self.code, self.stays = call, nth, code, stays
        self.calls: Counter[str] = Counter()
        self.hits = 0
        self.distrusted: set[str] = set()
        self.synced_again = False
        self.guard = threading.Lock()

    def _enter(self, name: str, fd: int | None = None) -> None:
        with self.guard:
            self.calls[name] += 1
            link = "" if fd is None else os.readlink(f"/proc/self/fd/{fd}")
            if link in self.distrusted and "sync" in name:
                self.synced_again = True
            if name == self.call and (self.calls[name] == self.nth or (self.stays and self.calls[name] > self.nth)):
                self.hits += 1
                if "sync" in name and link:
                    self.distrusted.add(link)
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
        return super().write(fd, data)

    def fdatasync(self, fd: int) -> None:
        self._enter("fdatasync", fd)  # And no more: these tests pull no plug, and syncing takes its time.

    def fsync(self, fd: int) -> None:
        self._enter("fsync", fd)

    def rename(self, source: Path, target: Path) -> None:
        self._enter("rename")
        super().rename(source, target)

    def remove(self, path: Path) -> None:
        self._enter("remove")
        super().remove(path)

    def truncate(self, path: Path, size: int) -> None:
        self._enter("truncate")
        super().truncate(path, size)

    def allocate(self, fd: int, size: int) -> None:
        self._enter("allocate")
        super().allocate(fd, size)
