"""A recorder that is killed loses nothing that it had handed to the operating system."""

from __future__ import annotations

import random
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from strategykit.errors import TapeError
from strategykit.tape.disk import RealDisk, lock_tape
from strategykit.tape.format import Kind, TapeHeader
from strategykit.tape.reader import open_tape
from strategykit.tape.recover import recover_tape
from strategykit.tape.verify import verify_tape
from strategykit.tape.writer import open_tape_writer

CHILD = """
import os, sys, trio
from strategykit.tape.disk import RealDisk
from strategykit.tape.format import Kind, TapeHeader
from strategykit.tape.spool import TapeLimits
from strategykit.tape.writer import open_tape_writer

class Telling(RealDisk):
    def write(self, fd, data):
        done = super().write(fd, data)
        os.write(1, b"%d\\n" % bytes(data).count(b"frame "))
        return done

async def main():
    header = TapeHeader(created=1, venue="v", seed=1, clock_origin=0, strategykit_version="0", python_version="3")
    limits = TapeLimits(segment_bytes=int(sys.argv[2]), batch_bytes=2_000, sync_bytes=20_000, batch_within=0.002)
    async with open_tape_writer(
        sys.argv[1], header, now=lambda: 0, disk=Telling(), limits=limits, compress=False
    ) as writer:
        number = 0
        while True:
            for _ in range(20):
                number += 1
                writer.frame_in(f"c{number // 500}", number, "frame %d %s" % (number, "x" * (number % 300)))
            await trio.sleep(0.0005)

trio.run(main)
"""


@pytest.fixture
def children() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for child in started:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def start(path: Path, segment: int, children: list[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(path), str(segment)], stdout=subprocess.PIPE)
    children.append(child)
    assert child.stdout is not None
    assert child.stdout.readline() == b"0\n", "the lock's text comes first"
    return child


@pytest.mark.parametrize("turn", range(5))
def test_nothing_that_was_written_is_lost_by_a_kill(
    turn: int, tmp_path: Path, children: list[subprocess.Popen[bytes]]
) -> None:
    path = tmp_path / "t"
    child = start(path, 60_000 if turn % 2 else 10**9, children)
    assert child.stdout is not None
    told = sum(int(child.stdout.readline()) for _ in range(10))
    time.sleep(random.Random(turn).uniform(0.0, 0.15))  # The moment of the kill is what varies.
    child.kill()
    child.wait()
    # What the pipe holds was written before the kill.
    told += sum(int(line) for line in child.stdout.read().split())

    before = open_tape(path)
    frames = [record.frame for record in before]
    assert len(frames) >= told > 0
    assert frames == [f"frame {number} {'x' * (number % 300)}" for number in range(1, len(frames) + 1)]
    sealed, tail = before.sealed, before.torn

    recovery = recover_tape(path)
    if sealed:  # The kill fell in the instant between two segments.
        assert recovery is None
        assert verify_tape(path).ok
        return
    assert recovery is not None
    after = list(open_tape(path))
    assert [record.frame for record in after if record.kind is Kind.IN] == frames
    torn = 0 if tail is None else tail.bytes
    assert recovery.cut == torn
    notes = [record.facts() for record in after if record.kind is Kind.NOTE]
    # None if the kill fell between the footer and the sealed name: then only the name was missing.
    assert [(note["note"], note["bytes"]) for note in notes] in ([("RECOVERED", torn)], [] if torn == 0 else None)
    assert verify_tape(path).ok
    assert recover_tape(path) is None


async def test_two_processes_cant_write_one_tape(
    header: TapeHeader, tmp_path: Path, children: list[subprocess.Popen[bytes]]
) -> None:
    child = await trio.to_thread.run_sync(start, tmp_path / "t", 10**9, children)
    with pytest.raises(TapeError, match=f"another recorder .process {child.pid}, instance"):
        async with open_tape_writer(tmp_path / "t", header, now=lambda: 0):
            pass
    with pytest.raises(TapeError, match="another recorder"):
        recover_tape(tmp_path / "t")
    # The other one goes on unharmed, and can be read while it writes.
    assert child.stdout is not None
    for _ in range(20):
        child.stdout.readline()
        assert select.select([child.stdout], [], [], 5)[0]
    first, second = (len(list(open_tape(tmp_path / "t"))) for _ in range(2))
    assert 0 < first <= second
    assert child.poll() is None
    child.kill()
    child.wait()
    assert recover_tape(tmp_path / "t") is not None


def test_a_recorder_that_has_its_lock_and_no_segment_yet_is_told_of(tmp_path: Path) -> None:
    with lock_tape(tmp_path, "recorder", RealDisk()), pytest.raises(TapeError, match="another recorder"):
        recover_tape(tmp_path)


def test_the_lock_is_no_link_to_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "000001.tape.part").touch()
    (tmp_path / "t" / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(TapeError, match="can't be recovered"):
        recover_tape(tmp_path / "t")
    assert (tmp_path / "precious").read_text() == "kept"
