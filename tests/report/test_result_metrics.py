"""Figures of merit against another library's, and against examples worked out by hand."""

from __future__ import annotations

import warnings
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.report.metrics import (
    YEAR,
    cagr,
    drawdowns,
    max_drawdown,
    max_fall,
    period_of,
    returns_by_period,
    sharpe,
    sortino,
    total_return,
    volatility,
)
from strategykit.report.summary import METRICS
from tests.report.conftest import DAY, SECOND, START, Filled, result

PERIODS = 252

returns = st.lists(st.floats(-0.5, 0.5).filter(lambda x: abs(x) > 1e-6 or x == 0), min_size=1, max_size=60)


@pytest.fixture(scope="module")
def oracle() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Its own, at import.
        import empyrical
    return empyrical


@settings(max_examples=150, deadline=None)
@given(returns)
def test_whatever_the_returns_figures_are_those_of_another_library(oracle: Any, values: list[float]) -> None:
    found = np.array(values)
    equity = np.concatenate(([1.0], np.cumprod(1.0 + found)))
    days = np.arange(len(equity), dtype=np.int64) * DAY

    with np.errstate(all="ignore"):
        assert total_return(equity) == pytest.approx(oracle.cum_returns_final(found), abs=1e-12)
        assert cagr(equity, len(found) / PERIODS * YEAR) == pytest.approx(
            oracle.cagr(found, annualization=PERIODS), rel=1e-9, abs=1e-12
        )
        assert max_drawdown(days, equity).part == pytest.approx(oracle.max_drawdown(found), abs=1e-12)
        if len(found) > 1:
            assert volatility(found, PERIODS) == pytest.approx(
                oracle.annual_volatility(found, annualization=PERIODS), abs=1e-12
            )
        if np.ptp(found) > 1e-9:
            assert sharpe(found, PERIODS) == pytest.approx(oracle.sharpe_ratio(found, annualization=PERIODS), rel=1e-9)
        if len(found) > 1 and np.min(found) < 0:
            assert sortino(found, PERIODS) == pytest.approx(
                oracle.sortino_ratio(found, annualization=PERIODS), rel=1e-9
            )


def test_what_has_no_meaning_has_no_figure() -> None:
    one, flat = np.array([0.1]), np.zeros(5)

    assert [volatility(one, 1), sharpe(one, 1), sortino(one, 1), sharpe(flat, 1), sortino(flat, 1)] == [None] * 5
    assert sortino(np.array([]), 1) is None
    assert volatility(flat, 1) == 0.0


def test_a_drawdown_says_when_it_was() -> None:
    times = np.arange(6, dtype=np.int64)
    fall = max_drawdown(times, np.array([100.0, 120.0, 90.0, 60.0, 120.0, 119.0]))

    assert (fall.part, fall.money, fall.peak, fall.trough, fall.end) == (-0.5, -60.0, 1, 3, 4)
    assert (fall.length, fall.recovered) == (3, True)
    assert drawdowns(np.array([100.0, 50.0])).tolist() == [0.0, -0.5]


def test_a_fall_that_isnt_made_good_lasts_until_the_end() -> None:
    fall = max_fall(np.arange(4, dtype=np.int64), np.array([0.0, -5.0, -8.0, -3.0]))

    assert (fall.part, fall.money, fall.peak, fall.end, fall.recovered) == (0.0, -8.0, 0, 3, False)
    assert max_fall(np.arange(2, dtype=np.int64), np.array([1.0, 2.0])).length == 0


def test_returns_are_of_the_calendars_days_with_what_is_left_at_both_ends() -> None:
    times = np.array([START - DAY // 2, START - 1, START, START + DAY, START + DAY + SECOND], dtype=np.int64)

    found = returns_by_period(times, np.array([100.0, 105.0, 110.0, 121.0, 242.0]), DAY)

    assert found.tolist() == pytest.approx([0.1, 0.1, 1.0])


@pytest.mark.parametrize(
    ("length", "period"),
    [(45 * DAY, "day"), (3 * DAY, "hour"), (7_200 * SECOND, "minute"), (20 * SECOND, "second")],
)
def test_longer_runs_are_looked_at_in_longer_periods(length: int, period: str) -> None:
    assert period_of(length)[0] == period


def test_figures_of_a_run_worked_out_by_hand() -> None:
    """100,000 at the start; won 10 twice, lost 5 once, each trade with fees of 1 at either end."""
    found = result(
        Filled(side="buy", lots="1", price="100", fee="1", decided=99.5, waited=20_000_000),
        Filled(side="sell", lots="1", price="112", fee="1", after=10, decided=112.5, waited=40_000_000),
        Filled(side="buy", lots="1", price="110", fee="1", after=20, decided=110.0, waited=20_000_000),
        Filled(side="sell", lots="1", price="107", fee="1", after=30, decided=107.0, waited=20_000_000),
        Filled(side="sell", lots="2", price="107", fee="1", after=40, decided=107.0, waited=20_000_000),
        Filled(side="buy", lots="2", price="101", fee="1", after=50, decided=101.0, waited=20_000_000),
        prices={"SBER": [100.0] * 100},
        capital={"RUB": "100000"},
    ).metrics()

    assert {name: found[name] for name in ("pnl", "open_pnl", "fees", "capital", "trades", "orders", "fills")} == {
        "pnl": 15, "open_pnl": 0, "fees": 6, "capital": 100_000, "trades": 3, "orders": 6, "fills": 6,
    }  # fmt: skip
    assert found["hit_rate"] == pytest.approx(2 / 3)
    assert found["profit_factor"] == pytest.approx(20 / 5)
    assert (found["average_win"], found["average_loss"], found["mean_duration"]) == (10, -5, 10 * SECOND)
    assert found["turnover"] == 100 + 112 + 110 + 107 + 214 + 202
    assert found["turnover_capital"] == pytest.approx(845 / 100_000)
    assert found["exposure"] == pytest.approx(0.3)
    assert found["slippage"] == pytest.approx(1.0)
    assert found["slippage_part"] == pytest.approx(1.0 / (99.5 + 112.5 + 110 + 107 + 214 + 202))
    assert (found["answer_p50"], found["fill_p50"]) == (20_000_000, 20_000_000)
    assert found["answer_p95"] == 35_000_000
    assert found["total_return"] == pytest.approx(15 / 100_000)
    assert found["cagr"] is None
    assert found["sharpe"] is None


def test_a_run_of_days_is_annualised() -> None:
    found = result(
        Filled(side="buy", lots="10", price="100"),
        prices={"SBER": [100.0, 102.0, 101.0, 104.0, 103.0]},
        every=DAY,
        length=4,
        capital={"RUB": "1000"},
        marks={"SBER": "103"},
    ).metrics()
    equity = np.array([1000.0, 1020.0, 1010.0, 1040.0, 1030.0])
    hourly = np.zeros(96)
    hourly[23::24] = np.diff(equity) / equity[:-1]

    assert found["cagr"] == pytest.approx(1.03 ** (365.25 / 4) - 1)
    assert found["volatility"] == pytest.approx(np.std(hourly, ddof=1) * np.sqrt(365.25 * 24))
    assert found["sharpe"] == pytest.approx(np.mean(hourly) / np.std(hourly, ddof=1) * np.sqrt(365.25 * 24))
    assert found["max_drawdown"] == pytest.approx(-10 / 1020)
    assert (found["open_pnl"], found["trades"], found["hit_rate"], found["profit_factor"]) == (30, 0, None, None)


@pytest.mark.parametrize("capital", [{}, {"RUB": "5"}])
def test_without_capital_or_after_its_loss_there_are_no_returns(capital: dict[str, str]) -> None:
    found = result(
        Filled(side="buy", lots="1", price="100"),
        Filled(side="sell", lots="1", price="90", after=5),
        capital=capital,
    ).metrics()

    assert (found["total_return"], found["max_drawdown"]) == (None, None)
    assert (found["max_drawdown_money"], found["pnl"]) == (-10, -10)


def test_a_run_without_orders_has_figures_of_nothing() -> None:
    found = result(prices={"SBER": [100.0] * 5}).metrics()

    assert (found["pnl"], found["fees"], found["trades"], found["slippage"], found["answer_p50"]) == (
        0,
        0,
        0,
        None,
        None,
    )
    assert found.keys() == {metric.name for metric in METRICS}


def test_a_run_that_lasted_no_time_has_no_shares_of_it() -> None:
    found = result(length=0).metrics()

    assert (found["exposure"], found["mean_gross"], found["total_return"]) == (None, None, None)


def test_fees_in_another_currency_are_counted_there() -> None:
    run = result(
        Filled(side="buy", lots="1", price="100", symbol="BTCUSDT", fee="0.01", fee_currency="BNB"),
        Filled(side="sell", lots="1", price="101", symbol="BTCUSDT", fee="0.02", fee_currency="BNB", after=1),
        capital={"USDT": "1000"},
    )

    assert run.currencies == ["USDT", "RUB", "BNB"]
    assert (run.metrics()["pnl"], run.metrics()["fees"]) == (1, 0)
    assert (run.metrics(None, "BNB")["pnl"], run.metrics(None, "BNB")["fees"]) == (Decimal("-0.03"), Decimal("0.03"))
