"""Figures of merit: pure functions over numpy arrays, each with its unit.

Returns are simple (0.01 is one percent) and of equal periods of the calendar, nights and weekends included. What is
annualised is by the calendar, too: `periods` a year, of `YEAR` nanoseconds. So a market that is closed at times needs
no count of its trading days: its closed hours have no returns, and no risk. No rate of interest is taken off.
"""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "YEAR",
    "Drawdown",
    "Floats",
    "Times",
    "cagr",
    "drawdowns",
    "max_drawdown",
    "max_fall",
    "period_of",
    "returns_by_period",
    "sharpe",
    "sortino",
    "total_return",
    "volatility",
]

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

_SECOND: Final = 1_000_000_000
_DAY: Final = 86_400 * _SECOND

YEAR: Final = 365.25 * _DAY
"""Nanoseconds."""


def total_return(equity: Floats) -> float:
    """Give what became of one unit, less that unit: 0.5 is a gain of half."""
    return float(equity[-1] / equity[0] - 1.0)


def cagr(equity: Floats, nanoseconds: float) -> float:
    """Give the constant yearly rate of growth that leads from the first value to the last one in `nanoseconds`."""
    return float((equity[-1] / equity[0]) ** (YEAR / nanoseconds) - 1.0)


def volatility(returns: Floats, periods: float) -> float | None:
    """Give the standard deviation (of a sample) of returns a year; None of fewer than two."""
    if len(returns) < 2:
        return None
    return float(np.std(returns, ddof=1) * np.sqrt(periods))


def sharpe(returns: Floats, periods: float) -> float | None:
    """Give the mean return for its standard deviation, a year; None where that is 0, or of fewer than two."""
    if len(returns) < 2 or np.ptp(returns) == 0.0:
        return None
    return float(np.mean(returns) / np.std(returns, ddof=1) * np.sqrt(periods))


def sortino(returns: Floats, periods: float) -> float | None:
    """Give the mean return for its downside deviation (the root mean square of losses over all periods), a year.

    None where nothing was lost, or of fewer than two.
    """
    downside = np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2)) if len(returns) else 0.0
    if len(returns) < 2 or downside == 0.0:
        return None
    return float(np.mean(returns) / downside * np.sqrt(periods))


def drawdowns(equity: Floats) -> Floats:
    """Give at each point how far equity is below its highest value so far, as a part of that: 0 or below."""
    peaks = np.maximum.accumulate(equity)
    return np.asarray(equity / peaks - 1.0)


@attrs.frozen
class Drawdown:
    """The deepest fall of a curve."""

    part: float
    """Of the peak: -0.2 is a fall by a fifth. 0 if it never fell."""
    money: float
    """Below the peak at its deepest point, 0 or below."""
    peak: int
    """Nanoseconds UTC: when it began."""
    trough: int
    end: int
    """When the peak was reached again; the curve's end if it wasn't."""
    recovered: bool

    @property
    def length(self) -> int:
        """Nanoseconds from the peak until that was reached again."""
        return self.end - self.peak


def max_drawdown(times: Times, equity: Floats) -> Drawdown:
    """Give the fall that is deepest as a part of its peak; `equity` has to be above 0."""
    return _fall(times, equity, drawdowns(equity))


def max_fall(times: Times, values: Floats) -> Drawdown:
    """Give the fall that is deepest in money, of values that may be below 0; its `part` is 0."""
    return attrs.evolve(_fall(times, values, values - np.maximum.accumulate(values)), part=0.0)


def _fall(times: Times, values: Floats, depth: Floats) -> Drawdown:
    peaks = np.maximum.accumulate(values)
    trough = int(np.argmin(depth))
    peak = int(np.flatnonzero(values[: trough + 1] == peaks[trough])[-1])
    after = np.flatnonzero(values[trough:] >= peaks[trough])
    end = trough + int(after[0]) if len(after) else len(values) - 1
    return Drawdown(
        part=float(depth[trough]),
        money=float(values[trough] - peaks[trough]),
        peak=int(times[peak]),
        trough=int(times[trough]),
        end=int(times[end]),
        recovered=bool(len(after)),
    )


def period_of(nanoseconds: int) -> tuple[str, int]:
    """Give the period whose returns are looked at in a run of that length: name and nanoseconds."""
    if nanoseconds >= 30 * _DAY:
        return "day", _DAY
    if nanoseconds >= 2 * _DAY:
        return "hour", 3_600 * _SECOND
    if nanoseconds >= 3_600 * _SECOND:
        return "minute", 60 * _SECOND
    return "second", _SECOND


def returns_by_period(times: Times, equity: Floats, period: int) -> Floats:
    """Give the returns of the calendar's periods (UTC), the parts of one at both ends included.

    Args:
        times: Nanoseconds UTC, rising; of equal ones the last counts, but at the very beginning.
        equity: At each of them, and until the next.
        period: Nanoseconds.
    """
    first, last = int(times[0]), int(times[-1])
    inner = np.arange((first // period + 1) * period, last, period, dtype=np.int64)
    marks = np.concatenate(([first], inner, [last])).astype(np.int64)
    values = equity[np.searchsorted(times, marks, side="right") - 1]
    values[0] = equity[0]
    return np.asarray(values[1:] / values[:-1] - 1.0)
