"""A campaign of whole programs under random faults, in virtual time: `make chaos [SCHEDULES=200] [SEED=1]`.

Each schedule is a venue, a network, strategies and some fifty faults, all drawn from a seed; the same seed does the
same again. Afterwards a checker that shares no code with the client compares its books with the venue's log. What it
finds is shrunk and kept in ``tests/chaos/regressions``, where the suite plays it again.

Then come all edges, a connection that breaks at every moment in the life of one to five orders, and all checkpoints,
every public coroutine interrupted wherever it waits.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Final

from tests.chaos.checkpoints import checkpoints_of, scenarios_of, try_checkpoint
from tests.chaos.edges import WHERE, edges_of, try_edge
from tests.chaos.trial import Verdict, save, try_schedule

__all__ = ["main"]

VENUES: Final = ("alor", "t4", "alor", "t4", "alor", "t4", "coinapi", "backpack", "binance", "seed")
"""In turn: those that take orders three times as often."""

REGRESSIONS: Final = Path(__file__).parents[1] / "tests" / "chaos" / "regressions"

SHOWN: Final = 4
"""Lines a schedule, or a batch of edges or checkpoints."""

MOST_ORDERS: Final = 5
"""In flight while a connection breaks."""


def main() -> int:
    """Run the campaign and give the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--schedules", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="of the first schedule; the next has the next")
    parser.add_argument("--faults", type=int, default=50, help="a schedule")
    parser.add_argument("--venue", choices=sorted(set(VENUES)), default=None, help="only this one")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--keep", type=Path, default=REGRESSIONS, help="where schedules that found something go")
    parser.add_argument("--only", choices=("schedules", "edges", "checkpoints"), default=None)
    options = parser.parse_args()
    if options.only in (None, "schedules") and options.schedules < 1:
        parser.error(f"--schedules {options.schedules}: nothing was done; give at least 1")
    done = faults = wrong = 0
    with ProcessPoolExecutor(options.jobs) as pool:
        if options.only in (None, "schedules"):
            done, faults, wrong = _try_schedules(pool, options)
        for what, batches, try_batch in (
            ("edges", _edges(options.venue), _try_edges),
            ("checkpoints", _checkpoints(options.venue), _try_checkpoints),
        ):
            if options.only in (None, what):
                count, lines = _try_all(pool, try_batch, batches)
                print(f"{what}: {count}, {lines} violations", flush=True)
                faults, wrong = faults + count, wrong + lines
    if not faults:
        print("nothing was done: no fault has struck")
    print(f"chaos: {done} schedules, {faults} faults, {wrong} violations")
    return 1 if wrong or not faults else 0


def _try_schedules(pool: ProcessPoolExecutor, options: argparse.Namespace) -> tuple[int, int, int]:
    """Try them; give how many there were, the faults that struck, and the violations."""
    began, done, faults, wrong, alone = time.monotonic(), 0, 0, 0, 0
    for verdict in _finished(pool, options):
        done += 1
        faults += verdict.faults
        wrong += len(verdict.lines)
        alone += verdict.left_alone
        if verdict.lines:
            path = save(verdict, options.keep)
            count = len(verdict.lines)
            print(f"{verdict.venue} seed {verdict.seed}: {count} VIOLATIONS, kept as {path}", flush=True)
            for line in verdict.lines[:SHOWN]:
                print(f"  {line[:300]}", flush=True)
        if done % 50 == 0:
            rate = done / (time.monotonic() - began) * 60
            print(f"{done} of {options.schedules} schedules, {rate:.0f} a minute", flush=True)
    print(f"{alone} of {done} ended with what a first run had left, as no second one could begin", flush=True)
    return done, faults, wrong


def _finished(pool: ProcessPoolExecutor, options: argparse.Namespace) -> Iterator[Verdict]:
    """Give verdicts as they come; not all schedules wait in the pool's line at once."""
    seeds = iter(range(options.seed, options.seed + options.schedules))
    waiting: set[Future[Verdict]] = set()
    while True:
        while len(waiting) < 4 * options.jobs and (seed := next(seeds, None)) is not None:
            venue = options.venue or VENUES[seed % len(VENUES)]
            waiting.add(pool.submit(try_schedule, venue, seed, faults=options.faults))
        if not waiting:
            return
        done = next(as_completed(waiting))
        waiting.remove(done)
        yield done.result()


def _edges(venue: str | None) -> list[tuple[str, int]]:
    return [(name, orders) for name in WHERE for orders in range(1, MOST_ORDERS + 1) if venue in (None, name)]


def _try_edges(batch: tuple[str, int]) -> tuple[int, list[str]]:
    edges = list(edges_of(*batch, journal=True))
    return len(edges), [line for edge in edges for line in try_edge(edge, journal=True)]


def _checkpoints(venue: str | None) -> list[tuple[str, str]]:
    return [(name, scenario) for name in WHERE for scenario in scenarios_of(name) if venue in (None, name)]


def _try_checkpoints(batch: tuple[str, str]) -> tuple[int, list[str]]:
    found = list(checkpoints_of(*batch, journal=True))
    return len(found), [line for one in found for line in try_checkpoint(one, journal=True)]


def _try_all(
    pool: ProcessPoolExecutor, try_batch: Callable[[Any], tuple[int, list[str]]], batches: Sequence[object]
) -> tuple[int, int]:
    """Try batches; give how many runs that were, and the violations."""
    total = wrong = 0
    for count, lines in pool.map(try_batch, batches):
        total += count
        wrong += len(lines)
        for line in lines[:SHOWN]:
            print(f"  {line[:300]}", flush=True)
    return total, wrong


if __name__ == "__main__":
    sys.exit(main())
