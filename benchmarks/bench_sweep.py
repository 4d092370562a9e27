"""Sweeps: sets of parameters in one pass over an archive against a pass each, and two processes against one.

Each set has its own account and leaves all its figures; every side has to come to the same orders and fills. Beside two
processes stands what two that only count come to here: processors that share caches, heat or a host aren't two.
"""

from __future__ import annotations

import gc
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from random import Random

from benchmarks.figures import Figure, figure
from strategykit.archive.manifest import Source
from strategykit.archive.writer import open_archive_writer
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.sweep.local import Batch, run_in_processes
from strategykit.sweep.work import Outcome, Task, run_batch
from strategykit.testing import make_trades
from strategykit.venues.streams import Stream, StreamKind

__all__ = ["main"]

TRADES = 200_000
SETS = 24
ROUNDS = 3
SHIFTS = 8
"""Times as many sets for the processes, each with other parameters: some ten seconds of work for two of them."""

COUNTED = 20_000_000
PROCESSES_FROM = 0.1
"""Scale from which processes are started: for less, starting them is all that there would be to see."""

STRATEGY = '''\
from strategykit import Strategy, Trade, Trades, define


@define
class Averages(Strategy):
    """Two exponential averages; an order at each cross."""

    fast: int = 20
    slow: int = 200
    trades = Trades("SBER")

    def __attrs_post_init__(self) -> None:
        self.f = self.s = 0.0
        self.side = 0

    def on_trade(self, trade: Trade) -> None:
        price = trade.price
        if self.side:
            f = self.f = self.f + 2 / (self.fast + 1) * (price - self.f)
            s = self.s = self.s + 2 / (self.slow + 1) * (price - self.s)
            side = 1 if f > s else -1
            if side != self.side:
                self.side = side
                (self.buy_nowait if side > 0 else self.sell_nowait)(1)
        else:
            self.f = self.s = price
            self.side = -1
'''

Digests = list[str]


def _make(folder: Path, count: int) -> Task:
    rng, prices = Random(7), [270.0]
    while len(prices) < count:
        prices.append(round(prices[-1] + rng.gauss(0, 0.02), 2))
    stream = Stream(kind=StreamKind.TRADES, instrument="SBER")
    with open_archive_writer(folder / "sber", source=Source(format="made", names=["made"]), venue="alor") as writer:
        writer.instruments = {"SBER": Instrument("SBER")}
        for trade in make_trades("SBER", prices, every=0.5):
            event: Event = trade
            writer.declare(stream, guid=event.guid)
            writer.add(stream, event)
    (folder / "averages.py").write_text(STRATEGY)
    return Task(file=str(folder / "averages.py"), data=str(folder / "sber"), cache=str(folder / "cache"))


def _in_processes(task: Task, sets: Sequence[dict[str, str]], processes: int) -> Digests:
    found: dict[int, str] = {}
    batches = [Batch(task, sets[number::2]) for number in range(2)]

    def told(batch: Batch, outcomes: list[Outcome]) -> None:
        first = batches.index(batch)
        found.update({first + 2 * n: outcome.digest for n, outcome in enumerate(outcomes)})

    run_in_processes(batches, told, processes=processes)
    return [found[number] for number in sorted(found)]


def _count(until: int) -> int:
    total = 0
    for number in range(until):
        total += number
    return total


def _most(rounds: int) -> float:
    """Give how many times as fast two processes count as one: nothing else can gain more by them."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:

        def alone() -> Digests:
            return [str(pool.submit(_count, COUNTED).result()) for _ in range(2)]

        def together() -> Digests:
            return [str(total) for total in pool.map(_count, [COUNTED, COUNTED])]

        together()  # Starts both.
        took = _raced({"one": alone, "two": together}, rounds, time.perf_counter)
    return took["one"] / took["two"]


def _raced(sides: dict[str, Callable[[], Digests]], rounds: int, clock: Callable[[], float]) -> dict[str, float]:
    """Run each in turn; give the median seconds of each."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    seen = []
    for _ in range(rounds):
        for name, side in sides.items():
            gc.collect()
            begin = clock()
            seen.append(side())
            times[name].append(clock() - begin)
    if any(digests != seen[0] for digests in seen):
        raise RuntimeError("the sides didn't come to the same orders")
    return {name: statistics.median(values) for name, values in times.items()}


def main(scale: float = 1.0) -> dict[str, Figure]:
    """Measure, print, and give the figures by name."""
    count, rounds = max(int(TRADES * scale), 2_000), ROUNDS if scale >= 1 else 1
    count_sets = SETS if scale >= PROCESSES_FROM else 3
    sets = [{"fast": str(200 + 10 * number), "slow": str(5_000 + 100 * number)} for number in range(count_sets)]
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as folder:
        task = _make(Path(folder), count)
        run_batch(task, sets[:1])  # Unpacks the archive.
        sides: dict[str, Callable[[], Digests]] = {
            "one": lambda: [outcome.digest for outcome in run_batch(task, sets)],
            "separate": lambda: [outcome.digest for values in sets for outcome in run_batch(task, [values])],
        }
        took = _raced(sides, rounds, time.process_time)
        one, separate = (took[name] / count / count_sets * 1e9 for name in ("one", "separate"))
        print(f"sweep, {count_sets} sets over {count:,} trades: {one:,.0f} ns a trade and set; apart {separate:,.0f}")
        figures["sweep_one_pass"] = figure(
            f"sweep: {count_sets} sets in one pass, against a pass each",
            f"{one:,.0f} ns a trade and set",
            separate / one,
            must=2,
            goal=3,
        )
        if scale >= PROCESSES_FROM:
            many = [{**values, "fast": str(int(values["fast"]) + more)} for more in range(SHIFTS) for values in sets]
            workers: dict[str, Callable[[], Digests]] = {
                "one": lambda: _in_processes(task, many, 1),
                "two": lambda: _in_processes(task, many, 2),
            }
            took = _raced(workers, rounds, time.perf_counter)
            here = f"{os.cpu_count()} processors, which count {_most(rounds):.2f} times as fast as one"
            words = f"{took['two']:.1f} s, {took['one']:.1f} s ({here})"
            print(f"  {len(many)} sets by two processes, and by one, with starting them: {words}")
            figures["sweep_two_processes"] = figure(
                "sweep: two processes, against one", words, took["one"] / took["two"], must=1.6, goal=1.85
            )
    return figures


if __name__ == "__main__":
    main()
