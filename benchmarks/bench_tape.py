"""What recording costs the event loop, and how fast a tape is read; each beside the least that Python could do."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import trio

from benchmarks.figures import Figure, figure
from strategykit.tape.format import Kind, TapeHeader
from strategykit.tape.reader import open_tape
from strategykit.tape.writer import open_tape_writer

FRAMES: Final = 200_000
ROUNDS: Final = 5
FRAME: Final = (
    '{"data":{"id":7458214501,"orderno":31845214821,"symbol":"SBER","board":"TQBR","qty":12,"price":318.21,'
    '"timestamp":1763715851123,"oi":0,"existing":false,"side":"buy"},"guid":"c328fcf1-e495-408a-a0ed-e20f95d6b8"}'
)
"""Of 208 bytes, as a trade is."""
SECRETS: Final = ("a3f0c1de-4f4b-4b6e-9a63-51c0dbe3ab11", "eyJhbGciOiJFUzI1NiJ9." + "Zq8x" * 150)
HEADER: Final = TapeHeader(
    created=0, venue="alor", seed=1, clock_origin=0, strategykit_version="bench", python_version="bench"
)
AT: Final = 1_763_715_851_000_000_000


Timed = tuple[float, int]
"""Seconds, and the frames that were written or seen."""


def append_lines(folder: Path, frames: int) -> Timed:
    """The floor: append every frame to a file, buffered, with nothing around it."""
    with (folder / "floor").open("a", encoding="utf-8") as file:
        start = time.perf_counter()
        for index in range(frames):
            file.write(f"{AT + index} {FRAME}\n")
        file.flush()
        return time.perf_counter() - start, frames


def record(folder: Path, frames: int) -> Timed:
    """Record every frame, with two secrets to look for; sealing isn't counted, writing is."""

    async def run() -> float:
        async with open_tape_writer(
            folder / "tape", HEADER, now=lambda: AT, secrets=SECRETS, required=True, compress=False
        ) as writer:
            start = time.perf_counter()
            for index in range(frames):
                writer.frame_in("market-0", AT + index, FRAME)
                if not index % 256:
                    await trio.lowlevel.checkpoint()
            return time.perf_counter() - start

    return trio.run(run), frames


def read_lines(folder: Path, _: int) -> Timed:
    with (folder / "floor").open(encoding="utf-8") as file:
        start = time.perf_counter()
        deque(file, maxlen=0)
        took = time.perf_counter() - start
        file.seek(0)
        return took, sum(1 for _ in file)


def read_tuples(folder: Path, _: int) -> Timed:
    tape = open_tape(folder / "tape")
    start = time.perf_counter()
    deque(tape.frames(), maxlen=0)
    return time.perf_counter() - start, sum(kind == Kind.IN.value for kind, *_ in tape.frames())


def read_records(folder: Path, _: int) -> Timed:
    tape = open_tape(folder / "tape")
    start = time.perf_counter()
    deque(tape, maxlen=0)
    return time.perf_counter() - start, sum(record.kind is Kind.IN for record in tape)


CASES: Final[dict[str, Callable[[Path, int], Timed]]] = {
    "write: plain append (floor)": append_lines,
    "write: TapeWriter.frame_in": record,
    "read: lines of a file (floor)": read_lines,
    "read: Tape.frames, tuples": read_tuples,
    "read: Tape, Record objects": read_records,
}


def main(scale: float = 1.0) -> dict[str, Figure]:
    """Measure, print, and give the figures by name."""
    frames = max(int(FRAMES * scale), 10)
    rounds = ROUNDS if scale >= 1 else 1
    seconds: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            for name, case in CASES.items():
                took, count = case(Path(folder), frames)
                if count != frames:
                    raise RuntimeError(f"{name}: {count} frames of {frames}")
                seconds[name].append(took)
    print(f"tape, {frames:,} frames of {len(FRAME)} bytes")
    nanoseconds = {name: statistics.median(values) / frames * 1e9 for name, values in seconds.items()}
    for name, value in nanoseconds.items():
        print(f"  {name:32} {value:8.0f} ns a frame   {1e3 / value:6.2f} M/s")
    append, write, lines, tuples, _records = nanoseconds.values()
    return {
        "tape_write_vs_append": figure(
            "recording a frame, against appending a line",
            f"{write:.0f} ns a frame",
            write / append,
            must=6.0,
            goal=3.0,
            better="lower",
        ),
        "tape_read_vs_lines": figure(
            "reading a tape's frames, against reading lines",
            f"{tuples:.0f} ns a frame",
            tuples / lines,
            must=12.0,
            goal=6.0,
            better="lower",
        ),
    }


if __name__ == "__main__":
    main()
