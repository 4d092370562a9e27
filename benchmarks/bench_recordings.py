"""Replay of a tape's raw frames beside that of the archive made of it.

The trades are those of `peers/course.py`. Medians of the processor's time, of interleaved rounds; both have to see the
same.
"""

from __future__ import annotations

import gc
import gzip
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure, figure
from benchmarks.peers import ours
from benchmarks.peers.course import Trades, make_trades
from strategykit import Trades as TradeStream
from strategykit import define
from strategykit.archive.reader import Archive
from strategykit.runtime.backtest import BacktestPlan, backtest
from strategykit.runtime.export import export_tapes
from strategykit.runtime.importing import ImportPlan, import_files
from strategykit.runtime.recorded_venue import recorded_venue
from strategykit.tape.reader import open_tape

__all__ = ["main", "measure_tape"]

FRAMES: Final = 100_000
ROUNDS: Final = 3
MILLISECOND: Final = 1_000_000

Seen = tuple[int, float]
"""Trades, and the sum of their prices."""


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
    trades = make_trades(max(int(FRAMES * scale), 200))
    with tempfile.TemporaryDirectory() as folder:
        return {"raw_vs_columns": measure_tape(trades, ROUNDS if scale >= 1 else 1, Path(folder))}


if __name__ == "__main__":
    main()
