"""Every indicator equals talipp's, an independent library, on random walks and on recorded bars."""

from __future__ import annotations

import csv
import os
import random
from collections.abc import Callable, Sequence
from math import fsum, isclose
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from talipp.indicators import ATR, EMA, RSI, SMA, DonchianChannels
from talipp.ohlcv import OHLCV

from strategykit.indicators.kernels import (
    AverageTrueRange,
    ExponentialMean,
    Highest,
    Kernel,
    Lowest,
    RelativeStrength,
    SimpleMean,
)
from strategykit.model.events import Bar

DATA: Final = Path(os.environ.get("STRATEGYKIT_DATA", Path(__file__).parents[2].parent / "shared" / "data"))

RECORDED: Final = (
    "basana/bitstamp_btcusd_day_2015.csv",
    "basana/bitstamp_btcusd_min_2020_01_01.csv",
    "moex/SBER_1D.csv",
)

LENGTHS: Final = (2, 3, 14, 50)


def bar(open_: float, high: float, low: float, close: float, number: int) -> Bar:
    return Bar("X", number, 1, open_, high, low, close, 1.0, True, None, number, "g")


def walk(seed: int, count: int = 1500) -> list[Bar]:
    source = random.Random(seed)
    price, bars = 100.0, []
    for number in range(count):
        # Now and then nothing happens: equal prices are where windows of extremes and Wilder's means go wrong.
        steps = [price] + [price := max(0.01, price + source.choice((0, 1)) * source.gauss(0, 0.3)) for _ in range(4)]
        bars.append(bar(steps[0], max(steps), min(steps), steps[-1], number))
    return bars


def recorded(name: str) -> list[Bar]:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"no recorded bars at {path}; set STRATEGYKIT_DATA to the folder that holds {name}")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        bar(float(row["open"]), float(row["high"]), float(row["low"]), float(row["close"]), number)
        for number, row in enumerate(rows)
    ]


def candles(bars: Sequence[Bar]) -> list[OHLCV]:
    return [OHLCV(one.open, one.high, one.low, one.close, one.volume, None) for one in bars]


def closes(bars: Sequence[Bar]) -> list[float]:
    return [one.close for one in bars]


def outputs(kernel: Kernel, items: Sequence[Any]) -> list[float | None]:
    return [kernel.update(item) for item in items]


def check_equal(ours: Sequence[float | None], theirs: Sequence[float | None]) -> None:
    assert len(ours) == len(theirs)
    assert any(value is not None for value in ours)
    for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        if one is None or other is None:
            assert one is other, number
        else:
            assert isclose(one, other, rel_tol=1e-9, abs_tol=1e-9), (number, one, other)


def check_against_talipp(bars: list[Bar], n: int) -> None:
    prices = closes(bars)
    check_equal(outputs(SimpleMean(n), prices), list(SMA(n, prices)))
    check_equal(outputs(ExponentialMean(n), prices), list(EMA(n, prices)))
    check_equal(outputs(RelativeStrength(n), prices), list(RSI(n, prices)))
    check_equal(outputs(AverageTrueRange(n), bars), list(ATR(n, candles(bars))))
    channels = list(DonchianChannels(n, candles(bars)))
    check_equal(outputs(Highest(n), [one.high for one in bars]), [None if one is None else one.ub for one in channels])
    check_equal(outputs(Lowest(n), [one.low for one in bars]), [None if one is None else one.lb for one in channels])


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("seed", [1, 2])
def test_indicators_equal_the_oracle_on_random_walks(seed: int, n: int) -> None:
    check_against_talipp(walk(seed), n)


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("name", RECORDED)
def test_indicators_equal_the_oracle_on_recorded_bars(name: str, n: int) -> None:
    check_against_talipp(recorded(name), n)


@pytest.mark.parametrize("kernel", [SimpleMean, ExponentialMean, Highest, Lowest])
def test_a_window_of_one_gives_back_what_came(kernel: Callable[[int], Kernel]) -> None:
    assert outputs(kernel(1), [3.0, 1.0, 2.0]) == [3.0, 1.0, 2.0]


def test_a_market_that_only_rises_or_stands_has_full_strength() -> None:
    assert outputs(RelativeStrength(2), [1.0, 2.0, 3.0]) == [None, None, 100.0]
    assert outputs(RelativeStrength(2), [1.0, 1.0, 1.0]) == [None, None, 100.0]
    assert outputs(RelativeStrength(1), [3.0, 2.0, 3.0]) == [None, 0.0, 100.0]


@pytest.mark.slow
def test_the_mean_is_still_exact_after_a_million_updates() -> None:
    """A plain running sum is off by 1e-8 and more by then."""
    source, n = random.Random(3), 20
    prices = [1e5 + source.random() for _ in range(1_000_000)]
    kernel = SimpleMean(n)
    last = [kernel.update(price) for price in prices][-1]

    assert last is not None
    assert isclose(last, fsum(prices[-n:]) / n, rel_tol=1e-15)


def test_a_mean_forgets_a_huge_number_that_has_left_the_window() -> None:
    """One print of 1e18 must not blur what comes after it."""
    kernel = SimpleMean(3)
    found = outputs(kernel, [0.1, 1e18, 0.2, 0.3, 0.4])

    assert found[-1] is not None
    assert isclose(found[-1], 0.3, rel_tol=1e-9)


numbers = st.floats(-1e6, 1e6) | st.integers(-3, 3).map(float)


@settings(deadline=None, max_examples=150)
@given(st.lists(numbers, min_size=1, max_size=60), st.integers(1, 10))
def test_whatever_comes_windows_equal_their_definition(items: list[float], n: int) -> None:
    found = zip(outputs(SimpleMean(n), items), outputs(Highest(n), items), outputs(Lowest(n), items), strict=True)
    for end, (mean, high, low) in enumerate(found, 1):
        window = items[max(0, end - n) : end]
        if len(window) < n:
            assert (mean, high, low) == (None, None, None)
        else:
            assert mean is not None
            assert isclose(mean, fsum(window) / n, rel_tol=1e-12, abs_tol=1e-12)
            assert (high, low) == (max(window), min(window))


def test_extremes_keep_only_what_can_still_count() -> None:
    """Falling prices are the worst case for a greatest value: all of the window can still count, and no more."""
    kernel = Highest(50)
    for number in range(1000):
        kernel.update(float(-number))

    assert len(kernel._candidates) == 50
