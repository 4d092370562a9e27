"""Indicators over streams, one update at a time: averages, RSI, ATR, extremes, and conditions over them.

::

    fast, slow = sma(self.bars, 10), sma(self.bars, 30)
    await self.when(fast > slow)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from strategykit.errors import ConfigError
from strategykit.indicators.conditions import Condition
from strategykit.indicators.fields import USUAL, Field, Source, bar_or_none
from strategykit.indicators.kernels import (
    AverageTrueRange,
    ExponentialMean,
    Highest,
    Kernel,
    Lowest,
    RelativeStrength,
    SimpleMean,
)
from strategykit.indicators.values import Indicator, Latest, Value, crosses_above, crosses_below
from strategykit.model.events import Bar

__all__ = [
    "Condition",
    "Latest",
    "Source",
    "Value",
    "atr",
    "crosses_above",
    "crosses_below",
    "ema",
    "highest",
    "lowest",
    "rsi",
    "sma",
]

_HIGHS: Final[Mapping[type, str]] = {**USUAL, Bar: "high"}
_LOWS: Final[Mapping[type, str]] = {**USUAL, Bar: "low"}


def sma(source: Source | Value, n: int, *, of: str | None = None) -> Value:
    """Give the mean of the last `n` closes, or prices, mids or values.

    Args:
        source: A stream of bars, trades, quotes or books, or another value.
        n: How many, at least 1. There is no number until there were that many.
        of: Another field of the event, such as ``"high"`` or ``"volume"``.

    Raises:
        ConfigError: `source` is no stream, `n` isn't a whole number above 0, or no event has a field `of`.
    """
    return _indicator("sma", source, n, SimpleMean, Field(of), of)


def ema(source: Source | Value, n: int, *, of: str | None = None) -> Value:
    """Give the exponential mean with the weight ``2 / (n + 1)``, begun with the mean of the first `n`; see `sma`."""
    return _indicator("ema", source, n, ExponentialMean, Field(of), of)


def rsi(source: Source | Value, n: int = 14, *, of: str | None = None) -> Value:
    """Give Wilder's relative strength index, 0 to 100, over `n` changes; 100 where nothing fell. See `sma`."""
    return _indicator("rsi", source, n, RelativeStrength, Field(of), of)


def atr(bars: Source, n: int = 14) -> Value:
    """Give Wilder's average true range of `n` bars, in price.

    Raises:
        ConfigError: `n` isn't a whole number above 0; or later, when something comes that is no bar.
    """
    return _indicator("atr", bars, n, AverageTrueRange, bar_or_none)


def highest(source: Source | Value, n: int, *, of: str | None = None) -> Value:
    """Give the greatest of the last `n`: of bars the highs, unless `of` says otherwise. See `sma`."""
    return _indicator("highest", source, n, Highest, Field(of, usual=_HIGHS), of)


def lowest(source: Source | Value, n: int, *, of: str | None = None) -> Value:
    """Give the least of the last `n`: of bars the lows, unless `of` says otherwise. See `sma`."""
    return _indicator("lowest", source, n, Lowest, Field(of, usual=_LOWS), of)


def _indicator(
    name: str,
    source: Source | Value,
    n: object,
    kernel: Callable[[int], Kernel],
    read: Callable[[Any], float | Bar | None],
    of: str | None = None,
) -> Value:
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ConfigError(f"{name}: n must be a whole number above 0, not {n!r}")
    if not callable(getattr(source, "listen", None)):
        raise ConfigError(f"{name} needs a stream, such as self.bars, or another value, not {source!r}")
    field = "{}" if of is None else "{}." + of
    return Indicator(source, partial(kernel, n), read, named=f"{name}({field}, {n})")
