"""A writer that is killed at any moment has lost nothing that was written, and the next one goes on from there."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from strategykit.journal.format import RecordKind
from strategykit.journal.reader import journal_files, read_journal
from strategykit.journal.salvage import check_journal

NURSERY = """
import os, sys, time, trio
from pathlib import Path
from strategykit.errors import JournalLocked
from strategykit.journal.format import RecordKind
from strategykit.journal.writer import open_journal

def say(words):
    os.write(1, words.encode() + b"\\n")

async def run(folder, turn):
    with open_journal(folder, now=time.time_ns, run={"tag": f"run-{turn}"}, reserve=4096) as writer:
        said = [record.facts["n"] for record in writer.past if "n" in record.facts]
        say(f"p{max(said, default=0)}")
        number = max(said, default=0)
        writer.write(RecordKind.CARRIED, {"n": number})
        while True:
            for _ in range(3):
                number += 1
                seq = writer.write(RecordKind.INTENT, {"n": number, "more": "x" * (number * 37 % 3000)})
                say(f"w{number}")
                writer.when_durable(seq, lambda number=number: say(f"d{number}"), lambda error: None)
            await trio.sleep(0.0005)

for line in sys.stdin:  # A process each: importing everything anew would take most of the time.
    if (pid := os.fork()) == 0:
        say(f"c{os.getpid()}")
        for _ in range(500):
            try:
                trio.run(run, Path(sys.argv[1]), line.strip())
            except JournalLocked:  # Who was killed while it started its helper has a copy of itself for a moment.
                time.sleep(0.01)
    os.waitpid(pid, 0)
    say("x")
"""


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY, str(tmp_path / "alor-D1")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield process
        process.kill()


def lines_until(process: subprocess.Popen[bytes], letter: bytes) -> list[bytes]:
    """Give what it says up to a line with that letter."""
    assert process.stdout is not None
    found: list[bytes] = []
    while not found or not found[-1].startswith(letter):
        line = process.stdout.readline()
        assert line, "it ended"
        assert letter == b"x" or not line.startswith(b"x"), "the writer ended by itself"
        found.append(line)
    return found


@pytest.mark.slow
def test_nothing_is_lost_by_thirty_kills(nursery: subprocess.Popen[bytes], tmp_path: Path) -> None:
    folder, chance = tmp_path / "alor-D1", random.Random(7)
    folder.mkdir()
    assert nursery.stdin is not None
    newest = 0
    for turn in range(30):
        nursery.stdin.write(b"%d\n" % turn)
        nursery.stdin.flush()
        pid = int(lines_until(nursery, b"c")[-1][1:])
        said: list[bytes] = []
        if turn % 3:  # Else while it begins.
            said = lines_until(nursery, b"p")
            assert int(said[-1][1:]) >= newest, "the next run wasn't given all"
        time.sleep(chance.uniform(0.0, 0.03))  # The moment of the kill is what varies.
        os.kill(pid, signal.SIGKILL)
        said += lines_until(nursery, b"x")
        newest = max([newest, *(int(line[1:]) for line in said if line[:1] in b"wdp" and line[:1])])

        files = journal_files(folder)
        kept = [record for path in files.values() for record in read_journal(path).records]
        assert max((record.facts["n"] for record in kept if "n" in record.facts), default=0) >= newest

    *older, last = check_journal(folder)
    assert all(checked.ok and checked.torn is None for checked in older)
    assert last.ok
    assert [record.seq for record in kept] == list(range(1, len(kept) + 1))
    placed = [record.facts["n"] for record in kept if record.kind is RecordKind.INTENT]
    assert placed == list(range(1, len(placed) + 1)), "one was lost, or came twice"
    assert placed
    told = [record.facts["aside"] for record in kept if record.kind is RecordKind.RECOVERED]
    assert set(told) >= {path.name for path in folder.glob("*.torn-*")} - {f"{last.path.stem}.torn-1"}
