"""The course that every engine runs: the same trades, the same rules, the same stopwatch. NumPy is all it needs."""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["EVERY", "FAST", "FIRST", "NEVER", "SLOW", "SYMBOL", "Lap", "Trades", "make_trades"]

SYMBOL: Final = "SBER"
FIRST: Final = 1_763_715_851_000_000_000
"""Nanoseconds UTC before the first trade."""

FAST: Final = 100
SLOW: Final = 1_000
"""Trades that the two exponential averages reach back: each begins at the first price and moves by 2 / (n + 1) of the
way to every later one. From trade `SLOW` + 1 on, a market order turns the position to the side of the faster one
whenever that changes; the first order is for one lot, the others for two."""

EVERY: Final = 100
"""Trades from one order to the next, where orders are what is measured: one lot each, bought and sold in turns."""

NEVER: Final = 1_000_000_000
"""The same where the strategy only looks whether it is time: what is left to the other is what orders cost."""


class Trades(NamedTuple):
    """Columns, oldest first."""

    times: NDArray[np.int64]
    """Nanoseconds UTC, a millisecond apart on average."""
    prices: NDArray[np.float64]
    """Multiples of 0.01."""
    quantities: NDArray[np.int64]
    buys: NDArray[np.bool_]


def make_trades(count: int, seed: int = 1) -> Trades:
    """Give a random walk; a longer one begins with the shorter one."""
    streams = [np.random.default_rng((seed, number)) for number in range(4)]
    times = FIRST + streams[0].integers(100_000, 1_900_000, count).cumsum()
    walk = 17_000 + streams[1].integers(-1, 2, count).cumsum()
    ticks = 10_000 + np.abs(walk)  # It turns back at 100.00.
    return Trades(times, np.round(ticks * 0.01, 2), streams[2].integers(1, 100, count), streams[3].random(count) < 0.5)


class Lap:
    """Times of one engine on one course, in a process of its own: made once the libraries are imported.

    `load` is whatever an engine needs before its first event: its objects made of the columns, and itself.
    """

    def __init__(self) -> None:
        self._before = _memory()
        self._load = (0.0, 0.0)
        self._run = (0.0, 0.0)
        self._began = _now()

    def loaded(self) -> None:
        now = _now()
        self._load = (now[0] - self._began[0], now[1] - self._began[1])
        self._began = _now()

    def ran(self) -> None:
        now = _now()
        self._run = (now[0] - self._began[0], now[1] - self._began[1])

    def tell(self, *, count: int, total: float, **facts: Any) -> None:
        """Print the times, and what the engine saw, as the last line."""
        times = {"load": self._load[0], "load_cpu": self._load[1], "run": self._run[0], "run_cpu": self._run[1]}
        seen = {"count": count, "total": round(total, 2), "memory": _memory() - self._before}
        print(json.dumps({**times, **seen, **facts}), flush=True)


def _now() -> tuple[float, float]:
    """Seconds of the wall clock, and of the processor."""
    return time.perf_counter(), time.process_time()


def _memory() -> int:
    """Give the most bytes that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
