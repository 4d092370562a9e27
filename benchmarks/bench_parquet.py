"""How small archives are beside the frames that they were made of, and how fast they are read."""

from __future__ import annotations

import gzip
import math
import os
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.figures import Figure, figure
from strategykit.archive.manifest import Source
from strategykit.archive.reader import Archive
from strategykit.archive.writer import open_archive_writer
from strategykit.model.events import Side, Trade
from strategykit.venues.streams import Stream, StreamKind

__all__ = ["main"]

TRADES: Final = 300_000
ROUNDS: Final = 5
START: Final = 1_763_715_851_000_000_000
DATA: Final = Path(os.environ.get("STRATEGYKIT_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
RECORDED: Final = ("usdm_btcusdt_20240808", "spot_btcusdt_20240808", "spot_btcusdt_20240809")
"""Of the hftbacktest collector: frames of Binance's, in the order in which they came."""

FRAME: Final = (
    '{"data":{"id":%d,"orderno":%d,"symbol":"SBER","board":"TQBR","qty":%d,"price":%.2f,'
    '"time":"2025-11-21T09:04:11.1234567Z","timestamp":%d,"oi":0,"existing":false,"side":"%s"},'
    '"guid":"c328fcf1-e495-408a-a0ed-e20f95d6b8a1"}'
)
"""A trade as Alor sends it."""

Told = tuple[int, Trade]
"""Bytes of a frame, and what it says."""


class _Data(msgspec.Struct):
    t: int
    p: str
    q: str
    T: int
    m: bool


class _Frame(msgspec.Struct):
    data: _Data


def generated(count: int) -> Iterator[Told]:
    """Make trades that come in bursts, at times of a nanosecond clock, as a wire's do."""
    source = random.Random(7)
    tick, stamp, now = 31_800, START // 10**6, START
    for number in range(count):
        if source.random() < 0.3:
            stamp += int(source.expovariate(1 / 40))
        now = max(now + source.randrange(4_000, 9_000), stamp * 10**6 + source.randrange(2_000_000, 3_000_000))
        tick += source.choice((-1, 0, 0, 0, 0, 1))
        quantity = 1 + int(source.expovariate(1 / 12))
        side = Side.BUY if source.random() < 0.5 else Side.SELL
        text = FRAME % (7_458_214_501 + number, 31_845_214_821 + number, quantity, tick / 100, stamp, side.value)
        name = str(7_458_214_501 + number)
        yield len(text), Trade("SBER", tick / 100, float(quantity), side, int(name), stamp * 10**6, now, "g")


def recorded(name: str, count: int) -> Iterator[Told]:
    """Read the trades of a recording; at the most `count` of them."""
    decode = msgspec.json.Decoder(_Frame).decode
    with gzip.open(DATA / "hftbacktest" / f"{name}.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            when, _, text = line.rstrip().partition(" ")
            if text.startswith('{"stream":"btcusdt@trade"'):
                row = decode(text).data
                side = Side.SELL if row.m else Side.BUY
                yield (
                    len(text),
                    Trade("BTCUSDT", float(row.p), float(row.q), side, row.t, row.T * 10**6, int(when), "g"),
                )
                count -= 1
                if not count:
                    return


def _bits(known: Iterable[object], told: Iterable[object]) -> float:
    """Give the bits that `told` takes at the least if its frequencies beside each of `known` cost nothing."""
    pairs = Counter(zip(known, told, strict=True))
    before: Counter[object] = Counter()
    for (each, _), count in pairs.items():
        before[each] += count
    return -sum(count * math.log2(count / before[each]) for (each, _), count in pairs.items())


def least(trades: Sequence[Trade]) -> float:
    """Estimate the bytes that a perfect coder needs for each of these trades, knowing all frequencies beforehand.

    A receive time is the clock's noise: how many bits its step has follows from that of the venue's own time, and all
    bits below the first are as good as random. What the rest says follows from the trade before it.
    """
    pairs = list(pairwise(trades))
    venue = [(new.event_time or 0) - (old.event_time or 0) for old, new in pairs]
    noise = [new.receive_time - old.receive_time - step for (old, new), step in zip(pairs, venue, strict=True)]
    widths = [step.bit_length() for step in venue]
    sides = [(old.side, new.side) for old, new in pairs]
    together = [(bool(step), old is new) for step, (old, new) in zip(venue, sides, strict=True)]
    bits = _bits(widths, [(step < 0, step.bit_length()) for step in noise])
    bits += sum(max(step.bit_length() - 1, 0) for step in noise)
    bits += _bits([(new.receive_time - old.receive_time).bit_length() for old, new in pairs], venue)
    bits += _bits(together, [round((new.price - old.price) * 100) for old, new in pairs])
    bits += _bits([None] * len(pairs), [new.quantity for _, new in pairs])
    bits += _bits([old for old, _ in sides], [new for _, new in sides])
    return bits / 8 / max(len(pairs), 1)


def store(folder: Path, told: Iterator[Told]) -> tuple[int, int, int]:
    """Store trades; give how many, the bytes of their frames, and those of the archive's files of rows."""
    rows = frames = 0
    with open_archive_writer(folder, source=Source(format="bench", names=[]), venue="bench") as writer:
        for size, trade in told:
            writer.add(Stream(kind=StreamKind.TRADES, instrument=trade.instrument), trade)
            rows += 1
            frames += size
    return rows, frames, sum(path.stat().st_size for path in folder.rglob("*.parquet"))


def read(archive: Archive) -> tuple[float, int]:
    """Read all columns; give seconds and rows."""
    start = time.perf_counter()
    rows = sum(len(columns) for stream in archive.streams for columns in archive.chunks(stream))
    return time.perf_counter() - start, rows


def _size(what: str, told: tuple[int, int, int]) -> Figure:
    rows, frames, stored = told
    return figure(
        f"archive: JSON of {what}, beside Parquet",
        f"{stored / rows:.2f} bytes a trade",
        frames / stored,
        must=30,
        goal=50,
    )


def main(scale: float = 1.0) -> dict[str, Figure]:
    """Store and read, and print what comes out."""
    count = max(int(TRADES * scale), 200)
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures["archive_alor"] = _size("trades like Alor's", store(folder / "made", generated(count)))
        if (DATA / "hftbacktest").is_dir():
            told = {name: list(recorded(name, max(int(10**6 * scale), 200))) for name in RECORDED}
            sizes = [store(folder / name, iter(each)) for name, each in told.items()]
            rows, frames, stored = (sum(each) for each in zip(*sizes, strict=True))
            perfect = sum(least([trade for _, trade in each]) * len(each) for each in told.values()) / rows
            print(
                f"the least that Binance's could take: {perfect:.2f} bytes a trade, ratio {frames / rows / perfect:.1f}"
            )
            figures["archive_binance"] = _size("recorded trades of Binance's", (rows, frames, stored))
        plain, mapped = Archive.open(folder / "made"), Archive.open(folder / "made", cache=folder / "cache")
        assert read(plain)[1] == read(mapped)[1] == count
        # Opened anew each time: what is in the cache is looked at again, as it is in each process.
        times = [
            (read(plain)[0], read(Archive.open(folder / "made", cache=folder / "cache"))[0]) for _ in range(ROUNDS)
        ]
    parquet, cached = (statistics.median(each) for each in zip(*times, strict=True))
    figures["archive_cache"] = figure(
        "archive: columns from the cache, beside Parquet",
        f"{count / cached / 1e6:.1f} M rows/s",
        parquet / cached,
        must=2,
        goal=4,
    )
    for item in figures.values():
        print(f"{item['what']}: {item['figure']}, ratio {item['ratio']:.1f}")
    return figures
