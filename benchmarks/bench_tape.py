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

from strategykit.tape.format import TapeHeader
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


def append_lines(folder: Path) -> float:
    """The floor: append every frame to a file, buffered, with nothing around it."""
    with (folder / "floor").open("a", encoding="utf-8") as file:
        start = time.perf_counter()
        for index in range(FRAMES):
            file.write(f"{AT + index} {FRAME}\n")
        file.flush()
        return time.perf_counter() - start


def record(folder: Path) -> float:
    """Record every frame, with two secrets to look for; sealing isn't counted, writing is."""

    async def run() -> float:
        async with open_tape_writer(
            folder / "tape", HEADER, now=lambda: AT, secrets=SECRETS, required=True, compress=False
        ) as writer:
            start = time.perf_counter()
            for index in range(FRAMES):
                writer.frame_in("market-0", AT + index, FRAME)
                if not index % 256:
                    await trio.lowlevel.checkpoint()
            return time.perf_counter() - start

    return trio.run(run)


def read_lines(folder: Path) -> float:
    with (folder / "floor").open(encoding="utf-8") as file:
        start = time.perf_counter()
        deque(file, maxlen=0)
        return time.perf_counter() - start


def read_tuples(folder: Path) -> float:
    tape = open_tape(folder / "tape")
    start = time.perf_counter()
    deque(tape.frames(), maxlen=0)
    return time.perf_counter() - start


def read_records(folder: Path) -> float:
    tape = open_tape(folder / "tape")
    start = time.perf_counter()
    deque(tape, maxlen=0)
    return time.perf_counter() - start


CASES: Final[dict[str, Callable[[Path], float]]] = {
    "write: plain append (floor)": append_lines,
    "write: TapeWriter.frame_in": record,
    "read: lines of a file (floor)": read_lines,
    "read: Tape.frames, tuples": read_tuples,
    "read: Tape, Record objects": read_records,
}


def main() -> None:
    """Print medians of interleaved rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            for name, case in CASES.items():
                seconds[name].append(case(Path(folder)))
    floor = 1.0
    print(f"tape: {FRAMES:,} frames of {len(FRAME)} bytes, median of {ROUNDS} rounds")
    for name, values in seconds.items():
        nanoseconds = statistics.median(values) / FRAMES * 1e9
        floor = nanoseconds if "floor" in name else floor
        rate = f"{1e3 / nanoseconds:6.2f} M/s"
        print(f"  {name:32} {nanoseconds:8.0f} ns a frame   {nanoseconds / floor:5.1f} x floor   {rate}")


if __name__ == "__main__":
    main()
