"""The arithmetic of the indicators, without streams: numbers in, one number out once there were enough.

Every `update` costs the same however long the window is (for extremes: on average) and however long it has run.
"""

from __future__ import annotations

from collections import deque
from math import fsum
from typing import Any, Protocol

from strategykit.model.events import Bar

__all__ = [
    "AverageTrueRange",
    "ExponentialMean",
    "Highest",
    "Kernel",
    "Lowest",
    "RelativeStrength",
    "SimpleMean",
    "WilderMean",
]


class Kernel(Protocol):
    """One running computation."""

    def update(self, item: Any, /) -> float | None:
        """Take the next number, or bar; give the new result, or None while there were too few."""
        ...


class SimpleMean:
    """Mean of the last `n` numbers.

    A plain running sum drifts: what a sum of doubles rounds off never comes back. Here it is kept in a second
    double and added back (Neumaier's summation), so a million updates later the mean is still right.
    """

    __slots__ = ("_lost", "_n", "_sum", "_window")

    def __init__(self, n: int) -> None:
        self._n = n
        self._window: deque[float] = deque()
        self._sum = 0.0
        self._lost = 0.0

    def update(self, item: float, /) -> float | None:
        window = self._window
        window.append(item)
        total = self._sum
        new = total + item
        self._lost += (total - new) + item if abs(total) >= abs(item) else (item - new) + total
        if len(window) > self._n:
            old = -window.popleft()
            total = new
            new = total + old
            self._lost += (total - new) + old if abs(total) >= abs(old) else (old - new) + total
        self._sum = new
        return (new + self._lost) / self._n if len(window) == self._n else None


class _Seeded:
    """A recursive mean that begins with the plain mean of the first `n` numbers."""

    __slots__ = ("_first", "_mean", "_n", "_weight")

    def __init__(self, n: int, weight: float) -> None:
        self._n = n
        self._weight = weight
        self._first: list[float] = []
        self._mean: float | None = None

    def update(self, item: float, /) -> float | None:
        mean = self._mean
        if mean is None:
            self._first.append(item)
            if len(self._first) < self._n:
                return None
            mean = fsum(self._first) / self._n
            self._first.clear()
        else:
            mean += self._weight * (item - mean)
        self._mean = mean
        return mean


class ExponentialMean(_Seeded):
    """Exponential mean with the weight ``2 / (n + 1)``."""

    __slots__ = ()

    def __init__(self, n: int) -> None:
        super().__init__(n, 2 / (n + 1))


class WilderMean(_Seeded):
    """Wilder's smoothing: an exponential mean with the weight ``1 / n``."""

    __slots__ = ()

    def __init__(self, n: int) -> None:
        super().__init__(n, 1 / n)


class RelativeStrength:
    """Wilder's RSI, 0 to 100, from the second number on over `n` changes; 100 where nothing fell."""

    __slots__ = ("_falls", "_previous", "_rises")

    def __init__(self, n: int) -> None:
        self._rises = WilderMean(n)
        self._falls = WilderMean(n)
        self._previous: float | None = None

    def update(self, item: float, /) -> float | None:
        previous, self._previous = self._previous, item
        if previous is None:
            return None
        change = item - previous
        rise = self._rises.update(max(change, 0.0))
        fall = self._falls.update(max(-change, 0.0))
        if rise is None or fall is None:
            return None
        return 100.0 - 100.0 / (1.0 + rise / fall) if fall else 100.0


class AverageTrueRange:
    """Wilder's ATR of bars; the first bar's true range is its high less its low."""

    __slots__ = ("_close", "_mean")

    def __init__(self, n: int) -> None:
        self._mean = WilderMean(n)
        self._close: float | None = None

    def update(self, item: Bar, /) -> float | None:
        high, low = item.high, item.low
        if self._close is not None:
            high, low = max(high, self._close), min(low, self._close)
        self._close = item.close
        return self._mean.update(high - low)


class Highest:
    """Greatest of the last `n` numbers.

    Kept are only those that can still become the greatest: each is smaller and later than the one before it.
    """

    __slots__ = ("_candidates", "_count", "_n")

    def __init__(self, n: int) -> None:
        self._n = n
        self._count = 0
        self._candidates: deque[tuple[int, float]] = deque()

    def update(self, item: float, /) -> float | None:
        candidates, count = self._candidates, self._count
        while candidates and candidates[-1][1] <= item:
            candidates.pop()
        candidates.append((count, item))
        if candidates[0][0] <= count - self._n:
            candidates.popleft()
        self._count = count + 1
        return candidates[0][1] if self._count >= self._n else None


class Lowest:
    """Least of the last `n` numbers."""

    __slots__ = ("_negated",)

    def __init__(self, n: int) -> None:
        self._negated = Highest(n)

    def update(self, item: float, /) -> float | None:
        highest = self._negated.update(-item)
        return None if highest is None else -highest
