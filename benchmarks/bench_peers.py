"""The same course run by this framework, by other engines, and by a bare loop; see `peers/course.py`.

Each run is a process of its own; rounds go through all of them before the next one begins; figures are medians of the
processor's time, which a busy machine lengthens less than that of the wall clock. First it is checked that every engine
saw the same trades, and placed the same orders, with the same position at the end.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from benchmarks.figures import Figure, Incomplete, figure
from benchmarks.peers.course import EVERY
from benchmarks.peers.environments import NEWEST, OUR_OWN, PEERS, WHERE, Absent, find_python, install

__all__ = ["CASES", "Case", "Seen", "check", "main", "race"]

ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / "build" / "peers"
ROUNDS: Final = 5
WITHIN: Final = 300.0
"""Seconds for one run."""

OURS: Final = "ours"
FLOOR: Final = "floor"


@attrs.frozen
class Case:
    """One engine on one course."""

    engine: str
    course: str
    """``trades``: count them. ``batches``: the same by numpy, many at a time. ``cross``: trade by two averages.
    ``orders``: one at every hundredth trade. ``waits``: the same strategy, which finds that it is never time. ``ten``:
    ten strategies count them."""
    trades: int

    @property
    def label(self) -> str:
        return f"{self.course} {self.engine}"


CASES: Final = (
    *(Case(engine, course, 400_000) for course in ("trades", "cross") for engine in (FLOOR, OURS, "hftbacktest")),
    Case(OURS, "batches", 2_000_000),
    *(Case(engine, course, 200_000) for course in ("orders", "waits", "ten") for engine in (FLOOR, OURS)),
    *(Case("nautilus", course, 200_000) for course in ("trades", "cross", "orders", "waits", "ten")),
    *(Case("basana", course, 50_000) for course in ("trades", "cross")),
    *(Case("backtrader", course, 20_000) for course in ("trades", "cross")),
)

_THREADLESS: Final = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
"""NumPy starts no threads: while they wait for work they take time of the processor, a lot of it in short runs."""


@attrs.frozen
class Seen:
    """What one run told, per trade: nanoseconds of the processor, and of the wall clock."""

    run: float
    load: float
    wall: float
    memory: float
    """Bytes that came on top of the libraries."""
    version: str
    facts: tuple[Any, ...]
    """Trades, the sum of their prices, orders, and the position at the end."""


def run_one(case: Case, python: Path) -> Seen:
    """Run one case in a process of its own.

    Raises:
        RuntimeError: It failed.
    """
    command = [str(python), "-m", f"benchmarks.peers.{case.engine}", case.course, str(case.trades)]
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=WITHIN, cwd=ROOT, env=_THREADLESS
    )
    lines = [line for line in result.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError(f"{case.label}: {(result.stderr.strip().splitlines() or ['it said nothing'])[-1]}")
    told = json.loads(lines[-1])
    facts = (told["count"], told["total"], told["orders"], told["position"])
    each = 1e9 / case.trades
    return Seen(
        told["run_cpu"] * each,
        told["load_cpu"] * each,
        told["run"] * each,
        told["memory"] / case.trades,
        told["version"],
        facts,
    )


def race(cases: Sequence[Case], pythons: Mapping[str, Path], rounds: int) -> dict[Case, list[Seen]]:
    """Run all cases `rounds` times, one after the other in each round."""
    seen: dict[Case, list[Seen]] = {case: [] for case in cases}
    for _ in range(rounds):
        for case in cases:
            seen[case].append(run_one(case, pythons[case.engine]))
    return seen


def check(seen: Mapping[Case, Sequence[Seen]], wanted: Mapping[tuple[str, int], tuple[Any, ...]]) -> None:
    """Pass if every engine saw what the bare loop saw on the same course, and did what it did.

    Raises:
        RuntimeError: One didn't.
    """
    for case, runs in seen.items():
        for run in runs:
            if run.facts != wanted[case.course, case.trades]:
                expected = wanted[case.course, case.trades]
                raise RuntimeError(
                    f"{case.label}: trades, their sum, orders, position: {run.facts}; the bare loop: {expected}"
                )


def _expected(cases: Sequence[Case], python: Path) -> dict[tuple[str, int], tuple[Any, ...]]:
    courses = dict.fromkeys((case.course, case.trades) for case in cases)
    return {key: run_one(Case(FLOOR, *key), python).facts for key in courses}


@attrs.frozen
class Medians:
    """Of one case, per trade."""

    run: float
    whole: float
    wall: float
    memory: float
    version: str


def _medians(runs: Sequence[Seen]) -> Medians:
    return Medians(
        statistics.median(run.run for run in runs),
        statistics.median(run.run + run.load for run in runs),
        statistics.median(run.wall for run in runs),
        max(run.memory for run in runs),
        runs[0].version,
    )


def _print(found: Mapping[Case, Medians]) -> None:
    print(f"  {'course':8}{'engine':24}{'ns a trade':>11}{'wall':>9}{'with load':>11}{'trades/s':>13}{'B/trade':>9}")
    labels = {peer.name: peer.label for peer in PEERS} | {OURS: "strategykit", FLOOR: "bare loop"}
    for case, row in sorted(found.items(), key=lambda item: (item[0].course, item[1].run)):
        label = f"{labels[case.engine]} {row.version}" if case.engine not in (OURS, FLOOR) else labels[case.engine]
        print(
            f"  {case.course:8}{label:24}{row.run:11,.0f}{row.wall:9,.0f}{row.whole:11,.0f}"
            f"{1e9 / row.run:13,.0f}{row.memory:9,.0f}"
        )


def make_figures(found: Mapping[str, Medians]) -> dict[str, Figure]:
    """Give the figures that can be had of these cases, by their labels."""
    figures: dict[str, Figure] = {}

    def add(name: str, what: str, course: str, peer: str, must: float, goal: float, *, whole: bool = False) -> None:
        mine, other = found.get(f"{course} {OURS}"), found.get(f"{course} {peer}")
        if mine is None or other is None:
            return
        ours, theirs = (mine.whole, other.whole) if whole else (mine.run, other.run)
        words = f"{ours:,.0f} ns a trade, {theirs:,.0f} there"
        figures[name] = figure(what, words, theirs / ours, must=must, goal=goal)

    add("trades_vs_nautilus", "trades with a simulated exchange, against NautilusTrader", "trades", "nautilus", 4, 8)
    add("cross_vs_nautilus", "EMA cross with orders, against NautilusTrader", "cross", "nautilus", 4, 8)
    add("whole_vs_nautilus", "the same with loading, against NautilusTrader", "trades", "nautilus", 6, 12, whole=True)
    add("ten_vs_nautilus", "ten strategies, against NautilusTrader", "ten", "nautilus", 5, 10)
    add("trades_vs_basana", "trades, against basana", "trades", "basana", 4, 6)
    add("trades_vs_backtrader", "trades, against backtrader", "trades", "backtrader", 25, 45)
    costs = {engine: _cost(found, engine) for engine in (OURS, "nautilus")}
    mine, other = costs[OURS], costs["nautilus"]
    if mine is not None and other is not None:
        figures["order_vs_nautilus"] = figure(
            "an order, from submit to fill and handler, against NautilusTrader",
            f"{mine / 1e3:,.0f} µs, {other / 1e3:,.0f} there",
            mine / other,
            must=1 / 5,
            goal=1 / 15,
            better="lower",
        )
    ours, bare = found.get(f"trades {OURS}"), found.get(f"trades {FLOOR}")
    if ours is not None and bare is not None:
        figures["engine_vs_floor"] = figure(
            "the engine with its exchange, against a bare loop that makes its objects",
            f"{ours.run:,.0f} ns a trade",
            ours.run / bare.run,
            must=2.5,
            goal=1.6,
            better="lower",
        )
    compiled = found.get("trades hftbacktest")
    if ours is not None and compiled is not None:
        figures["handler_vs_hftbacktest"] = figure(
            "a Python handler, against hftbacktest's compiled one",
            f"{ours.run:,.0f} ns a trade, {compiled.run:,.0f} there",
            compiled.run / ours.run,
            must=1 / 15,
            goal=1 / 8,
        )
    batches = found.get(f"batches {OURS}")
    if batches is not None and compiled is not None:
        figures["batches_vs_hftbacktest"] = figure(
            "a batch handler, against hftbacktest's compiled one",
            f"{batches.run:,.0f} ns a trade, {compiled.run:,.0f} there",
            compiled.run / batches.run,
            must=1 / 15,
            goal=1 / 3,
        )
    theirs = found.get("trades nautilus")
    if ours is not None and theirs is not None:
        figures["memory_vs_nautilus"] = figure(
            "memory on top of the libraries, against NautilusTrader",
            f"{ours.memory:,.0f} B a trade, {theirs.memory:,.0f} there",
            ours.memory / theirs.memory,
            must=1 / 5,
            goal=1 / 9,
            better="lower",
        )
    return figures


def _cost(found: Mapping[str, Medians], engine: str) -> float | None:
    """Give the nanoseconds of one order: a run with orders less the same without them."""
    placing, waiting = found.get(f"orders {engine}"), found.get(f"waits {engine}")
    return None if placing is None or waiting is None else (placing.run - waiting.run) * EVERY


def main(scale: float = 1.0) -> dict[str, Figure]:
    """Measure, print, and give the figures by name.

    Raises:
        Incomplete: An engine isn't there; the figures that don't need it come with it.
    """
    here, base, missing = Path(sys.executable), find_python(), list[str]()
    mine = here
    if base != here:
        try:
            mine = install(OUR_OWN, FOLDER, base)
        except Absent as exc:
            missing.append(f"nothing runs on {base.name}: {exc}")
            base = here
    print(f"  all on {base.name if base != here else 'Python {}.{}'.format(*sys.version_info)}", flush=True)
    if base == here and sys.version_info < NEWEST[-1]:
        print(f"  newer releases of some engines need Python 3.12 or 3.13; {WHERE} names folders that have one")
    pythons = {OURS: mine, FLOOR: mine}
    for peer in PEERS:
        try:
            pythons[peer.name] = install(peer, FOLDER, base)
        except Absent as exc:
            missing.append(f"{peer.label} isn't there: {exc}")
    cases = [attrs.evolve(case, trades=int(case.trades * scale)) for case in CASES if case.engine in pythons]
    seen = race(cases, pythons, ROUNDS if scale >= 1 else 1)
    check(seen, _expected(cases, mine))
    found = {case: _medians(runs) for case, runs in seen.items()}
    _print(found)
    figures = make_figures({case.label: row for case, row in found.items()})
    if missing:
        raise Incomplete(figures, missing)
    return figures


if __name__ == "__main__":
    main()
