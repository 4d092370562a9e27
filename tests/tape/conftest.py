from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from strategykit.tape.format import TapeHeader
from strategykit.tape.spool import TapeLimits
from strategykit.tape.writer import TapeWriter, open_tape_writer

HEADER = TapeHeader(
    created=1_000,
    venue="alor",
    seed=7,
    clock_origin=900,
    strategykit_version="0.1.0",
    python_version="3.11",
    session={"strategies": [{"class": "Cross", "fast": 5}]},
)


@pytest.fixture(scope="session")
def header() -> TapeHeader:
    return HEADER


Fill = Callable[[TapeWriter], None]
Make = Callable[..., Path]


def make_tape(path: Path, fill: Fill, *, compress: bool = False, limits: TapeLimits | None = None, **more: Any) -> Path:
    """Record what `fill` says, from beginning to end."""

    async def record() -> None:
        async with open_tape_writer(
            path, HEADER, now=lambda: 5_000, compress=compress, limits=limits, **more
        ) as writer:
            fill(writer)
        assert writer.failed is None

    trio.run(record)
    return path


@pytest.fixture(scope="session")
def make() -> Make:
    return make_tape


def fill_small(writer: TapeWriter) -> None:
    """A little of every kind."""
    writer.opened("market-0", 1_001, "market", "ws://127.0.0.1/ws", 1)
    writer.frame_out("market-0", 1_002, '{"opcode":"TradesSubscribe"}')
    writer.frame_in("market-0", 1_003, '{"data":{"price":101.5},"guid":"g-1"}')
    writer.frame_in("market-0", 1_004, b"\x00\xff binary")
    writer.frame_out("market-0", 1_005, b"\x01")
    writer.subscription(1_006, {"guid": "g-1", "stream": "trades SBER", "connection": "market-0", "owners": ["a"]})
    writer.mark(1_007, 2)
    writer.command(1_008, {"strategy": "a", "command": {"quantity": 1}})
    writer.answer({"kind": "bars"}, 1_009, 200, b'{"history":[]}\nmore')
    writer.gap(1_010, {"guid": "g-1", "since": 1_003, "until": 1_010, "reason": "reset"})
    writer.closed("market-0", 1_011, "code 1006")
    writer.opened("market-0", 1_012, "market", "ws://127.0.0.1/ws", 2)
    writer.note("a remark", {"source": "test"})
    writer.summary({"orders": 1})


@pytest.fixture(scope="session")
def small() -> Fill:
    return fill_small


@pytest.fixture(scope="session")
def small_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A sealed segment with a little of every kind."""
    path = make_tape(tmp_path_factory.mktemp("small") / "t", fill_small)
    return (path / "000001.tape").read_bytes()


@pytest.fixture(scope="session")
def unsealed_bytes(small_bytes: bytes) -> bytes:
    """The same without its footer, as a killed writer leaves it."""
    return small_bytes[: footer_at(small_bytes)]


def footer_at(data: bytes) -> int:
    return boundaries(data)[-2]


def boundaries(data: bytes) -> list[int]:
    """Where the records of a segment end; the first is where the header ends."""
    at, ends = 12, []
    while at < len(data):
        at += 27 + int.from_bytes(data[at : at + 4], "little")
        ends.append(at)
    return ends


@pytest.fixture(scope="session")
def ends_of() -> Callable[[bytes], list[int]]:
    return boundaries
