"""Backtests on columns: streams as tasks read them, many strategies at once, archives against what they are made of.

Strategies run on the trades of `peers/course.py`. Figures are of the processor's time, medians of interleaved rounds,
but for two processes, which is the wall clock's business. Every side has to see the same trades.
"""

from __future__ import annotations

import gc
import gzip
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import trio

from benchmarks.figures import Figure, figure
from benchmarks.peers import ours
from benchmarks.peers.course import FIRST, SYMBOL, Trades, make_trades
from strategykit import Instrument, Strategy, Trade, define
from strategykit import Trades as TradeStream
from strategykit.archive.manifest import Source
from strategykit.archive.reader import Archive
from strategykit.archive.writer import open_archive_writer
from strategykit.columns.columns import CHUNK, Columns
from strategykit.runtime.backtest import BacktestPlan, backtest
from strategykit.runtime.column_source import MemoryColumns
from strategykit.runtime.desk import Desk
from strategykit.runtime.export import export_tapes
from strategykit.runtime.importing import ImportPlan, import_files
from strategykit.runtime.recorded_venue import recorded_venue
from strategykit.tape.reader import open_tape
from strategykit.venues.alor.server_data import encode_data
from strategykit.venues.streams import Stream

__all__ = [
    "main",
    "make_sets",
    "measure_size",
    "measure_tape",
    "read_channel",
    "read_stream",
    "run_here",
    "run_long",
    "run_sets",
]

TRADES: Final = 300_000
SETS: Final = 10
"""Parameter sets of a sweep."""
FRAMES: Final = 50_000
"""Of a tape."""
MEMORY: Final = (1_000_000, 20_000_000)
"""Trades of the two runs whose memory is compared."""
ROUNDS: Final = 3
GUID: Final = "c328fcf1-e495-408a-a0ed-e20f95d6b8d1"
MILLISECOND: Final = 1_000_000

Seen = tuple[int, float]
"""Trades, and the sum of their prices."""


@define
class Reader(Strategy):
    """Read the trades one by one in a task."""

    trades = TradeStream(SYMBOL)

    def attach(self, desk: Desk) -> None:
        super().attach(desk)
        self.count, self.total = 0, 0.0

    async def run(self) -> None:
        async for trade in self.trades:
            self.count += 1
            self.total += trade.price


@define
class Averages(Strategy):
    """Two moving averages, and the trades at which they cross."""

    fast: int
    slow: int

    trades = TradeStream(SYMBOL)

    def attach(self, desk: Desk) -> None:
        super().attach(desk)
        self.count, self.crosses, self.total = 0, 0, 0.0
        self.quick = self.calm = 0.0

    def on_trade(self, trade: Trade) -> None:
        price = trade.price
        self.count += 1
        self.total += price
        above = self.quick > self.calm
        self.quick += 2 / (self.fast + 1) * (price - self.quick)
        self.calm += 2 / (self.slow + 1) * (price - self.calm)
        self.crosses += (self.quick > self.calm) is not above


def _timed(work: Callable[[], Seen]) -> tuple[float, Seen]:
    gc.collect()
    begin = time.process_time()
    seen = work()
    return time.process_time() - begin, seen


def _interleaved(sides: Mapping[str, Callable[[], Seen]], rounds: int) -> dict[str, float]:
    """Give the median seconds of each side, of which all must see the same."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    told: dict[str, Seen] = {}
    for _ in range(rounds):
        for name, work in sides.items():
            took, (count, total) = _timed(work)
            times[name].append(took)
            told[name] = (count, round(total, 2))
    if len(set(told.values())) != 1:
        raise RuntimeError(f"the sides didn't see the same trades: {told}")
    return {name: statistics.median(values) for name, values in times.items()}


# Streams


def read_stream(source: MemoryColumns) -> Seen:
    reader = Reader()
    backtest(BacktestPlan(source=source, strategies=[("reader", reader)]))
    return reader.count, reader.total


def read_channel(source: MemoryColumns) -> Seen:
    """Send every trade to a task through a memory channel."""
    seen = [0, 0.0]

    async def read(incoming: trio.MemoryReceiveChannel[Trade]) -> None:
        async for trade in incoming:
            seen[0] += 1
            seen[1] += trade.price

    async def run() -> None:
        outgoing, incoming = trio.open_memory_channel[Trade](0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read, incoming)
            with outgoing:
                for (parts,) in source.columns.values():
                    for trade in parts.events(""):
                        await outgoing.send(trade)  # type: ignore[arg-type]  # there is nothing else in there

    trio.run(run)
    return int(seen[0]), seen[1]


def measure_streams(trades: Trades, rounds: int) -> Figure:
    source = ours.make_columns(trades)
    count = len(trades.times)
    times = _interleaved({"stream": partial(read_stream, source), "channel": partial(read_channel, source)}, rounds)
    stream, channel = (times[name] / count * 1e9 for name in ("stream", "channel"))
    print(f"  async for over a stream of a replay: {stream:,.0f} ns a trade; a memory channel: {channel:,.0f}")
    return figure(
        "an async for over a stream, against a memory channel",
        f"{stream:,.0f} ns a trade, {channel:,.0f} there",
        channel / stream,
        must=15,
        goal=35,
    )


# Sweeps


def make_sets(count: int) -> list[tuple[int, int]]:
    return [(5 + number, 50 + 10 * number) for number in range(count)]


def run_sets(source: MemoryColumns, sets: Sequence[tuple[int, int]], *, together: bool) -> Seen:
    """Run parameter sets, in one pass over the data or one after the other."""
    many = [Averages(fast=fast, slow=slow) for fast, slow in sets]
    passes = [many] if together else [[one] for one in many]
    for each in passes:
        named = [(f"set-{number}", one) for number, one in enumerate(each)]
        backtest(BacktestPlan(source=source, strategies=named, cash=Decimal(10**9)))
    return sum(one.count for one in many), sum(one.total for one in many) + sum(one.crosses for one in many)


def run_here(count: int, sets: Sequence[tuple[int, int]]) -> Seen:
    """In a process of its own: make the data, and run the sets in one pass."""
    return run_sets(ours.make_columns(make_trades(count)), sets, together=True)


def measure_sets(trades: Trades, rounds: int) -> Figure:
    source, sets = ours.make_columns(trades), make_sets(SETS)
    sides = {name: partial(run_sets, source, sets, together=name == "one") for name in ("one", "separate")}
    times = _interleaved(sides, rounds)
    one, separate = (times[name] / len(trades.times) / SETS * 1e9 for name in ("one", "separate"))
    print(f"  {SETS} parameter sets in one pass: {one:,.0f} ns a trade and set; in separate passes: {separate:,.0f}")
    return figure(
        f"{SETS} parameter sets in one pass, against separate passes",
        f"{one:,.0f} ns a trade and set, {separate:,.0f}",
        separate / one,
        must=2,
        goal=3,
    )


def measure_processes(count: int, rounds: int) -> Figure:
    """Run twice as many sets by two processes, and by one; by the wall clock, without starting them."""
    sets = make_sets(2 * SETS)
    halves = (sets[::2], sets[1::2])
    times: dict[int, list[float]] = {1: [], 2: []}
    told: dict[int, Seen] = {}
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.starmap(run_here, [(100, half) for half in halves], chunksize=1)  # Both import what they need.
        for _ in range(rounds):
            for workers, parts in ((1, (sets,)), (2, halves)):
                begin = time.perf_counter()
                seen = pool.starmap(run_here, [(count, part) for part in parts], chunksize=1)
                times[workers].append(time.perf_counter() - begin)
                told[workers] = (sum(number for number, _ in seen), round(sum(total for _, total in seen), 2))
    if told[1] != told[2]:
        raise RuntimeError(f"one process and two didn't see the same: {told}")
    one, two = (min(times[workers]) for workers in (1, 2))
    print(
        f"  {2 * SETS} parameter sets by two processes: {two:.2f} s; by one: {one:.2f} s ({os.cpu_count()} processors)"
    )
    return figure("two processes, against one", f"{two:.2f} s, {one:.2f} s", one / two, must=1.6, goal=1.85)


# Archives


def make_frames(trades: Trades) -> list[str]:
    """Give the trades as Binance words them."""
    columns = (trades.times.tolist(), trades.prices.tolist(), trades.quantities.tolist(), trades.buys.tolist())
    frames = []
    for number, (at, price, lots, buys) in enumerate(zip(*columns, strict=True), 1):
        ms = at // MILLISECOND
        facts = {"e": "trade", "E": ms, "s": "BTCUSDT", "t": number, "p": f"{price:.2f}", "q": f"{lots}.00000"}
        data = {**facts, "T": ms, "m": not buys, "M": True}
        frames.append(f"{at} {json.dumps({'stream': 'btcusdt@trade', 'data': data}, separators=(',', ':'))}")
    return frames


def run_recorded(plan: BacktestPlan, counter: ours.Counter) -> Seen:
    backtest(plan)
    return counter.count, counter.total


def measure_tape(trades: Trades, rounds: int, folder: Path) -> Figure:
    """Replay the frames of a tape, and the archive made of it."""
    raw, tape_path, archive_path = (folder / name for name in ("frames.gz", "tape", "archive"))
    raw.write_bytes(gzip.compress("\n".join(make_frames(trades)).encode(), 1))
    import_files(ImportPlan(format="hftbacktest", paths=[raw], to=tape_path))
    export_tapes([tape_path], archive_path)

    @define
    class Count(ours.Counter):
        trades = TradeStream("BTCUSDT")

    def frames() -> Seen:
        counter, tape = Count(), open_tape(tape_path)
        dialect, _ = recorded_venue(tape)
        return run_recorded(BacktestPlan(source=tape, dialect=dialect, strategies=[("count", counter)]), counter)

    def columns() -> Seen:
        counter = Count()
        plan = BacktestPlan(source=Archive.open(archive_path), strategies=[("count", counter)])
        return run_recorded(plan, counter)

    times = _interleaved({"frames": frames, "columns": columns}, rounds)
    by_frames, by_columns = (times[name] / len(trades.times) * 1e9 for name in ("frames", "columns"))
    print(f"  replay of a tape's frames: {by_frames:,.0f} ns a trade; of the archive made of it: {by_columns:,.0f}")
    return figure(
        "replay of raw frames, against an archive's columns",
        f"{by_frames:,.0f} ns a trade, {by_columns:,.0f}",
        by_columns / by_frames,
        must=0.2,
        goal=0.35,
    )


def measure_size(trades: Trades, folder: Path) -> Figure:
    """Compare the bytes of an archive with those of the frames, as ALOR words them."""
    ((stream, (columns,)),) = ours.make_columns(trades).columns.items()
    instrument, raw, total, to = Instrument(SYMBOL, board="TQBR"), 0, 0.0, folder / "size"
    with open_archive_writer(to, source=Source(format="bench", names=[]), venue="alor") as writer:
        writer.instruments[SYMBOL] = instrument
        for made in columns.events(GUID):
            assert isinstance(made, Trade)
            # ALOR stamps trades with milliseconds; when one came, we know to the nanosecond.
            told, came = (made.event_time or 0) // MILLISECOND * MILLISECOND, made.receive_time
            trade = Trade(SYMBOL, made.price, made.quantity, made.side, made.trade_id, told, came, GUID)
            raw += len(encode_data(trade, "Simple", GUID, instrument))
            total += trade.price
            writer.add(stream, trade)
    found = [event for event in Archive.open(to).events() if isinstance(event, Trade)]
    if (len(found), round(sum(event.price for event in found), 2)) != (len(trades.times), round(total, 2)):
        raise RuntimeError("the archive doesn't give back what it was made of")
    size = sum(path.stat().st_size for path in to.rglob("*") if path.is_file())
    each = (size / len(found), raw / len(found))
    print(f"  an archive: {each[0]:.2f} bytes a trade; its frames: {each[1]:.0f}")
    words = f"{each[0]:.2f} bytes a trade, {each[1]:.0f}"
    return figure("an archive, against the raw JSON", words, size / raw, must=1 / 30, goal=1 / 50, better="lower")


# Memory


@attrs.frozen(eq=False)
class Made:
    """Trades that are made as they are asked for."""

    count: int
    one: MemoryColumns = attrs.field(factory=lambda: ours.make_columns(make_trades(CHUNK)))

    @property
    def streams(self) -> Sequence[Stream]:
        return self.one.streams

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return self.one.instruments

    first = clock_origin = property(lambda _: FIRST)
    last = property(lambda self: self.one.last + self.count * MILLISECOND)
    seed = 0

    def guid(self, stream: Stream) -> str:
        return self.one.guid(stream)

    def chunks(
        self,
        stream: Stream,
        *,
        since: int | None = None,  # noqa: ARG002 - the signature of sources; a backtest wants all of them
        until: int | None = None,  # noqa: ARG002 - as above
    ) -> Iterator[Columns]:
        ((columns,),) = self.one.columns.values()
        span = int(columns.times[-1]) - FIRST
        for number in range(-(-self.count // CHUNK)):
            times = columns.times + number * span
            arrays = {**columns.arrays, "receive_time": times, "event_time": times}
            yield Columns(stream=stream, kind=Trade, arrays=arrays).rows(0, min(CHUNK, self.count - number * CHUNK))


def run_long(count: int) -> None:
    """Replay so many trades, and print the most memory that this process has had: a process of its own."""
    import resource

    counter = ours.Counter()
    backtest(BacktestPlan(source=Made(count), strategies=[("count", counter)]))
    if counter.count != count:
        raise RuntimeError(f"{counter.count} trades of {count}")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def measure_memory(counts: tuple[int, int]) -> Figure:
    """Compare the most memory of a long run with that of a short one."""
    peaks = []
    for count in counts:
        command = [sys.executable, "-m", "benchmarks.bench_recordings", str(count)]
        peaks.append(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    short, long = peaks
    print(f"  memory of {counts[1]:,} trades: {long / 1024:,.0f} MB; of {counts[0]:,}: {short / 1024:,.0f} MB")
    return figure(
        f"memory of {counts[1]:,} trades, against {counts[0]:,}",
        f"{long / 1024:,.0f} MB, {short / 1024:,.0f} MB",
        long / short,
        must=1.1,
        goal=1.02,
        better="lower",
    )


def main(scale: float = 1.0) -> dict[str, Figure]:
    """Measure, print, and give the figures by name."""
    rounds = ROUNDS if scale >= 1 else 1
    trades = make_trades(max(int(TRADES * scale), 200))
    few = make_trades(max(int(FRAMES * scale), 200))
    print(f"backtests on columns, {len(trades.times):,} trades")
    with tempfile.TemporaryDirectory() as folder:
        return {
            "stream_vs_channel": measure_streams(few, rounds),
            "sets_in_one_pass": measure_sets(trades, rounds),
            "two_processes": measure_processes(len(trades.times), rounds),
            "raw_vs_columns": measure_tape(few, rounds, Path(folder)),
            "archive_vs_json": measure_size(trades, Path(folder)),
            "memory_constant": measure_memory((max(int(MEMORY[0] * scale), CHUNK), max(int(MEMORY[1] * scale), CHUNK))),
        }


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run_long(int(sys.argv[1]))
    else:
        main()
