"""What was handed to a writer comes back from a reader."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import TapeError
from strategykit.tape.disk import RealDisk
from strategykit.tape.format import Kind, TapeHeader, text_of
from strategykit.tape.reader import Record, open_tape
from strategykit.tape.spool import TapeLimits
from strategykit.tape.writer import TapeWriter, open_tape_writer

Make = Callable[..., Path]

NAMES = st.sampled_from(["market-0", "market-1", "orders-0", "Ж"])
TIMES = st.integers(min_value=-(2**63), max_value=2**63 - 1)
FRAMES = st.text(st.characters(), max_size=60) | st.binary(max_size=60)
FACTS = st.dictionaries(st.text(max_size=5), st.integers(-(2**53), 2**53) | st.text(max_size=9) | st.none(), max_size=3)
STEPS = st.one_of(
    st.tuples(st.just("frame_in"), NAMES, TIMES, FRAMES),
    st.tuples(st.just("frame_out"), NAMES, TIMES, FRAMES),
    st.tuples(st.just("closed"), NAMES, TIMES, st.text(max_size=9)),
    st.tuples(st.just("mark"), TIMES, st.integers(0, 2**32 - 1)),
    st.tuples(st.just("subscription"), TIMES, FACTS),
    st.tuples(st.just("answer"), FACTS, TIMES, st.integers(0, 599), st.binary(max_size=50)),
)


def said(record: Record) -> tuple[Any, ...]:
    match record.kind:
        case Kind.IN | Kind.IN_BINARY:
            assert record.incoming
            return "frame_in", record.connection, record.time, record.frame
        case Kind.OUT | Kind.OUT_BINARY:
            assert not record.incoming
            return "frame_out", record.connection, record.time, record.frame
        case Kind.CLOSED:
            return "closed", record.connection, record.time, record.facts()["reason"]
        case Kind.MARK:
            assert record.mark()[0] == record.time
            return "mark", *record.mark()
        case Kind.SUBSCRIPTION:
            return "subscription", record.time, record.facts()
        case _:
            answer = record.answer()
            return "answer", answer.ask, record.time, answer.status, answer.body


@given(steps=st.lists(STEPS, max_size=12), segment=st.sampled_from([1, 900, 1_500, 10**6]), compress=st.booleans())
@settings(max_examples=60, deadline=None)
async def test_whatever_is_recorded_comes_back(
    steps: list[Any], segment: int, compress: bool, header: TapeHeader
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t"
        limits = TapeLimits(segment_bytes=segment)
        async with open_tape_writer(path, header, now=lambda: 0, limits=limits, compress=compress) as writer:
            for name, *arguments in steps:
                getattr(writer, name)(*arguments)
        tape = open_tape(path)
        assert [said(record) for record in tape] == [tuple(step) for step in steps]
        assert tape.header == header
        assert tape.sealed
        assert tape.torn is None


async def test_records_can_be_read_as_often_as_one_likes_and_interleaved(
    make: Make, small: Callable[[TapeWriter], None], tmp_path: Path
) -> None:
    path = await trio.to_thread.run_sync(make, tmp_path / "t", small)
    with open_tape(path) as tape:
        once, again = list(tape), list(tape)
        assert once == again
        pairs = list(zip(tape, tape.frames(), strict=True))
    for record, (kind, seq, time, number, body) in pairs:
        assert (record.kind, record.seq, record.time, record.body) == (kind, seq, time, body)
        assert record.connection == tape.names[number]


def test_one_segment_can_be_read_alone(make: Make, tmp_path: Path) -> None:
    def fill(writer: TapeWriter) -> None:
        for index in range(30):
            writer.frame_in(f"market-{index % 2}", index, "x" * 50)

    path = make(tmp_path / "t", fill, limits=TapeLimits(segment_bytes=1_200))
    files = sorted(path.glob("*.tape"))
    assert len(files) > 2
    alone = [record for file in files for record in open_tape(file)]
    assert alone == list(open_tape(path))
    assert [record.time for record in alone] == list(range(30))
    assert open_tape(files[1]).segments == [2]


def test_segments_roll_by_recorded_time(make: Make, tmp_path: Path) -> None:
    hour = 3_600 * 10**9

    def fill(writer: TapeWriter) -> None:
        for time in (0, hour - 1, 5, hour, hour + 1, 3 * hour):
            writer.frame_in("market-0", time, "x")

    path = make(tmp_path / "t", fill)
    assert [[record.time // hour for record in open_tape(file)] for file in sorted(path.glob("*.tape"))] == [
        [0, 0, 0],
        [1, 1],
        [3],
    ]


def test_a_kilobyte_a_record_fills_many_batches_in_order(make: Make, tmp_path: Path) -> None:
    def fill(writer: TapeWriter) -> None:
        for index in range(5_000):
            writer.frame_in("market-0", index, "x" * 1_000)

    path = make(tmp_path / "t", fill, limits=TapeLimits(segment_bytes=1 << 20, sync_bytes=1 << 18))
    assert [time for _, _, time, _, _ in open_tape(path).frames()] == list(range(5_000))
    assert len(list(path.glob("*.tape"))) == 5


def test_a_frame_of_sixteen_mebibytes_fits(make: Make, tmp_path: Path) -> None:
    frame = "é" * (8 << 20)
    path = make(tmp_path / "t", lambda writer: writer.frame_in("market-0", 1, frame), compress=True)
    (record,) = open_tape(path)
    assert record.frame == frame


def test_values_that_json_lacks_are_written_as_texts(make: Make, tmp_path: Path) -> None:
    facts = {"price": Decimal("1.10"), "kind": Kind.GAP, "odd": object, "inner": [("a", {"b": None})]}
    path = make(tmp_path / "t", lambda writer: writer.command(1, facts))
    (record,) = open_tape(path)
    assert record.facts() == {"price": "1.10", "kind": 11, "odd": "<class 'object'>", "inner": [["a", {"b": None}]]}


def test_asking_a_record_for_what_it_is_not_says_so(make: Make, tmp_path: Path) -> None:
    path = make(tmp_path / "t", lambda writer: (writer.closed("c", 1, "r"), writer.frame_in("c", 2, "[1]")))
    closed, frame = open_tape(path)
    with pytest.raises(TapeError, match="is CLOSED, not a frame"):
        _ = closed.frame
    with pytest.raises(TapeError, match="not a mark"):
        closed.mark()
    with pytest.raises(TapeError, match="CLOSED"):
        closed.answer()
    with pytest.raises(TapeError, match="IN"):
        frame.facts()
    with pytest.raises(TapeError, match="isn't UTF-8"):
        text_of(b"\xff")


class _Watched(RealDisk):
    def __init__(self) -> None:
        self.wrote = threading.Semaphore(0)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        done = super().write(fd, data)
        if b"hello" in bytes(data):
            self.wrote.release()
        return done


async def test_a_lonely_frame_reaches_the_file_without_waiting_for_a_full_batch(
    header: TapeHeader, tmp_path: Path
) -> None:
    disk = _Watched()
    async with open_tape_writer(tmp_path / "t", header, now=lambda: 0, disk=disk) as writer:
        for time in (1, 2):
            writer.frame_in("market-0", time, "hello")
            assert await trio.to_thread.run_sync(disk.wrote.acquire, True, 5)
            tape = open_tape(tmp_path / "t")
            assert [record.time for record in tape] == list(range(1, time + 1))
            assert not tape.sealed
            assert tape.torn is None
    writer.frame_in("market-0", 3, "too late")
    assert writer.dropped == 1
    assert len(list(open_tape(tmp_path / "t"))) == 2


async def test_a_cancelled_recording_is_sealed_too(header: TapeHeader, tmp_path: Path) -> None:
    with trio.CancelScope() as scope:
        async with open_tape_writer(tmp_path / "t", header, now=lambda: 0) as writer:
            writer.frame_in("market-0", 1, "a")
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    tape = open_tape(tmp_path / "t")
    assert tape.sealed
    assert len(list(tape)) == 1


async def test_a_virtual_clock_does_not_hurry_the_disk(
    header: TapeHeader, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_tape_writer(tmp_path / "t", header, now=lambda: 0) as writer:
        writer.frame_in("market-0", 1, "a")
        await trio.sleep(3_600)
    assert writer.failed is None
    assert open_tape(tmp_path / "t").sealed


def test_files_are_the_owners_alone(make: Make, tmp_path: Path) -> None:
    path = make(tmp_path / "t", lambda writer: writer.mark(1, 1), compress=True)
    assert path.stat().st_mode & 0o077 == 0
    assert {file.stat().st_mode & 0o077 for file in path.iterdir()} == {0}
