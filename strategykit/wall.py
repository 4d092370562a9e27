"""The time of day, as runs read it."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["wall_time"]


def wall_time() -> Callable[[], int]:
    """Make a clock that gives nanoseconds UTC and never goes back: the origin is read once."""
    origin = time.time_ns() - time.perf_counter_ns()
    counter = time.perf_counter_ns
    return lambda: origin + counter()
