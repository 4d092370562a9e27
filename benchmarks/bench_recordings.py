"""Many backtests on one recording: in one pass, by two processes; and what a replay of raw frames costs beside columns.

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
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure, figure
from benchmarks.peers import ours
from benchmarks.peers.course import SYMBOL, Trades, make_trades
from strategykit import Strategy, Trade, define
from strategykit import Trades as TradeStream
from strategykit.archive.reader import Archive
from strategykit.runtime.abreast import backtest_abreast
from strategykit.runtime.backtest import BacktestPlan, backtest
from strategykit.runtime.column_source import MemoryColumns
from strategykit.runtime.desk import Desk
from strategykit.runtime.export import export_tapes
from strategykit.runtime.importing import ImportPlan, import_files
from strategykit.runtime.recorded_venue import recorded_venue
from strategykit.tape.reader import open_tape

__all__ = ["main", "make_sets", "measure_tape", "run_here", "run_sets"]

TRADES: Final = 300_000
SETS: Final = 10
"""Parameter sets of a sweep."""
FRAMES: Final = 100_000
"""Of a tape."""
ROUNDS: Final = 3
MILLISECOND: Final = 1_000_000

Seen = tuple[int, float]
"""Trades, and the sum of their prices."""


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


# Sweeps


def make_sets(count: int) -> list[tuple[int, int]]:
    return [(5 + number, 50 + 10 * number) for number in range(count)]


def run_sets(source: MemoryColumns, sets: Sequence[tuple[int, int]], *, together: bool) -> Seen:
    """Run parameter sets, in one pass over the data or one after the other."""
    many: dict[int, Averages] = {}

    def make(number: int) -> BacktestPlan:
        fast, slow = sets[number]
        many[number] = Averages(fast=fast, slow=slow)
        return BacktestPlan(source=source, strategies=[("averages", many[number])], cash=Decimal(10**9))

    makers = [partial(make, number) for number in range(len(sets))]
    if together:
        backtest_abreast(source, makers)
    else:
        for maker in makers:
            backtest(maker())
    runs = many.values()
    return sum(one.count for one in runs), sum(one.total + one.crosses for one in runs)


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


def main(scale: float = 1.0) -> dict[str, Figure]:
    """Measure, print, and give the figures by name."""
    rounds = ROUNDS if scale >= 1 else 1
    trades = make_trades(max(int(TRADES * scale), 200))
    few = make_trades(max(int(FRAMES * scale), 200))
    print(f"many backtests, {len(trades.times):,} trades")
    with tempfile.TemporaryDirectory() as folder:
        return {
            "sets_in_one_pass": measure_sets(trades, rounds),
            "two_processes": measure_processes(len(trades.times), rounds),
            "raw_vs_columns": measure_tape(few, rounds, Path(folder)),
        }


if __name__ == "__main__":
    main()
