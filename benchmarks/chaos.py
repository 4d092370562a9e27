"""A campaign of whole programs under random faults, in virtual time: `make chaos [SCHEDULES=200] [SEED=1]`.

Each schedule is a venue, a network, strategies and some fifty faults, all drawn from a seed; the same seed does the
same again. Afterwards a checker that shares no code with the client compares its books with the venue's log. What it
finds is shrunk and kept in ``tests/chaos/regressions``, where the suite plays it again.

Then come all edges, a connection that breaks at every moment in the life of one to five orders, and all checkpoints,
every public coroutine cancelled wherever it waits.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Final

from tests.chaos.trial import Verdict, save, try_schedule

__all__ = ["main"]

VENUES: Final = ("alor", "t4", "alor", "t4", "alor", "t4", "coinapi", "backpack", "binance", "seed")
"""In turn: those that take orders three times as often."""

REGRESSIONS: Final = Path(__file__).parents[1] / "tests" / "chaos" / "regressions"

SHOWN: Final = 4
"""Lines a schedule."""


def main() -> int:
    """Run the campaign and give the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--schedules", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="of the first schedule; the next has the next")
    parser.add_argument("--faults", type=int, default=50, help="a schedule")
    parser.add_argument("--venue", choices=sorted(set(VENUES)), default=None, help="only this one")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--keep", type=Path, default=REGRESSIONS, help="where schedules that found something go")
    options = parser.parse_args()
    began, done, faults, wrong = time.monotonic(), 0, 0, 0
    with ProcessPoolExecutor(options.jobs) as pool:
        for verdict in _finished(pool, options):
            done += 1
            faults += verdict.faults
            wrong += len(verdict.lines)
            if verdict.lines:
                path = save(verdict, options.keep)
                print(
                    f"{verdict.venue} seed {verdict.seed}: {len(verdict.lines)} VIOLATIONS, kept as {path}", flush=True
                )
                for line in verdict.lines[:SHOWN]:
                    print(f"  {line[:300]}", flush=True)
            elif done % 50 == 0:
                rate = done / (time.monotonic() - began) * 60
                print(f"{done} of {options.schedules}, {rate:.0f} a minute", flush=True)
    print(f"chaos: {done} schedules, {faults} faults, {wrong} violations")
    return 1 if wrong or done < options.schedules else 0


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


if __name__ == "__main__":
    sys.exit(main())
