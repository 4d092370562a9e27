"""Profit over time: right at every moment, and the same at the end as what was counted exactly."""

from __future__ import annotations

from decimal import Decimal
from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import ConfigError
from strategykit.report.figures import drawdown_of
from strategykit.report.summary import METRICS
from strategykit.report.thinning import thin_out
from strategykit.report.words import duration_in_words, in_words, money, time_in_words
from tests.report.conftest import DAY, SECOND, START, Filled, collected, result

amounts = st.decimals("0.01", "100", places=2).map(str)
some = st.lists(
    st.builds(
        Filled,
        side=st.sampled_from(["buy", "sell"]),
        lots=amounts,
        price=amounts,
        after=st.integers(0, 90),
        strategy=st.sampled_from(["one", "two"]),
        symbol=st.sampled_from(["SBER", "GAZP"]),
        fee=st.none() | amounts,
    ),
    max_size=15,
).map(lambda rows: sorted(rows, key=lambda row: row.after))


@settings(max_examples=80, deadline=None)
@given(some, st.lists(st.floats(1, 100), min_size=100, max_size=100))
def test_whatever_happened_the_curve_ends_at_the_profit(rows: list[Filled], prices: list[float]) -> None:
    run = result(
        *rows,
        prices={"SBER": prices, "GAZP": prices[::-1]},
        marks={"SBER": str(Decimal(prices[-1])), "GAZP": str(Decimal(prices[0]))},
        strategies=["one", "two"],
        length=99,
    )

    for strategy in (None, "one", "two"):
        if strategy is None or strategy in run.owners:
            exact = run.metrics(strategy)["pnl"]
            assert exact is not None
            assert run.curve(strategy).pnl[-1] == pytest.approx(float(exact), rel=1e-9, abs=1e-6)


def test_profit_is_by_the_newest_price_and_after_fees() -> None:
    run = result(
        Filled(side="buy", lots="2", price="100", after=1, fee="1"),
        Filled(side="sell", lots="2", price="110", after=3, fee="2"),
        prices={"SBER": [99.0, 99.0, 105.0, 105.0, 120.0]},
        length=4,
    )
    curve = run.curve()

    assert ((curve.times - START) // SECOND).tolist() == [0, 1, 2, 3, 4]
    assert curve.pnl.tolist() == [0.0, -3.0, 9.0, 17.0, 17.0]
    assert curve.gross.tolist() == [0.0, 198.0, 210.0, 0.0, 0.0]


def test_a_lot_is_worth_what_its_instrument_says() -> None:
    run = result(Filled(side="sell", lots="1", price="100", symbol="GAZP"), prices={"GAZP": [100.0, 90.0]}, length=1)

    assert run.curve().pnl.tolist() == [0.0, 100.0]


def test_what_was_held_before_begins_with_its_open_profit() -> None:
    run = result(prices={"SBER": [nan, 12.0, 15.0]}, begin=[("old", "SBER", "2", "20")], length=2)

    assert run.owners == ["one", "old"]
    assert run.curve("old").pnl.tolist() == [4.0, 4.0, 10.0]
    assert run.market.position("old", "SBER").lots == [Decimal(2)]


def test_what_has_no_price_is_worth_what_it_has_cost() -> None:
    """The profit says so, too; else a run that only carries a position would have lost all of it."""
    run = result(begin=[("one", "SBER", "2", "20")], length=2)

    assert run.curve().pnl.tolist() == [0.0, 0.0]
    assert run.metrics()["pnl"] == 0
    assert (run.metrics()["total_return"], run.metrics()["exposure"], run.metrics()["mean_gross"]) == (0, 1, 20)
    assert isnan(run.market.prices("SBER")[0])


@pytest.mark.parametrize(("capital", "deepest"), [({}, -10.0), ({"RUB": "1000"}, -0.01)])
def test_a_loss_of_the_first_moment_is_a_drawdown_in_figures_and_drawings(
    capital: dict[str, str], deepest: float
) -> None:
    run = result(Filled(side="buy", lots="1", price="100"), prices={"SBER": [90.0, 95.0]}, length=2, capital=capital)

    found, drawn = run.metrics(), drawdown_of(run, run.curve(), "RUB")[0]

    assert found["max_drawdown_money"] == -10
    assert found["max_drawdown"] == (pytest.approx(deepest) if capital else None)
    assert found["max_drawdown_length"] == 2 * SECOND
    assert drawn.tolist() == pytest.approx([deepest, deepest / 2, deepest / 2])


def test_positions_are_steps_at_the_fills() -> None:
    market = result(
        Filled(side="buy", lots="0.1", price="1"),
        Filled(side="buy", lots="0.2", price="1", after=1),
        Filled(side="sell", lots="0.3", price="1", after=2),
        Filled(side="sell", lots="5", price="1", after=2, symbol="GAZP"),
        prices={"SBER": [1.0] * 10, "GAZP": [1.0] * 10},
    ).market

    assert [str(lots) for lots in market.position("one", "SBER").lots] == ["0", "0.1", "0.3", "0.0"]
    assert market.curve(["one"], "RUB").gross[5:].tolist() == [50.0] * 6
    assert market.held("one") == ["SBER", "GAZP"]


def test_strategies_and_currencies_that_arent_there_are_named() -> None:
    run = result()

    with pytest.raises(ConfigError, match="no strategy 'two' in this run; there are one"):
        run.metrics("two")
    with pytest.raises(ConfigError, match="no money in 'EUR' in this run; there is RUB, USDT"):
        run.capital("EUR")
    with pytest.raises(ConfigError, match="no table 'tea' in a result; there are orders, fills"):
        run.columns("tea")  # type: ignore[arg-type]  # as a user may


def test_a_run_of_nothing_is_a_result_too() -> None:
    run = result(strategies=[], instruments=[])

    assert (run.name, run.currencies, run.owners, run.trips) == ("run", [], [], [])
    assert run.metrics()["pnl"] == 0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-5, 5) | st.just(nan), max_size=400), st.integers(1, 40))
def test_whatever_is_drawn_each_pixel_keeps_its_lowest_and_highest(values: list[float], pixels: int) -> None:
    series = np.array(values, dtype=np.float64)
    times = START + np.arange(len(series), dtype=np.int64) * SECOND

    kept = thin_out(times, series, pixels)

    known = series[~np.isnan(series)]
    assert len(kept) <= max(len(known) if len(known) <= 3 * pixels else 0, 3 * pixels)
    assert (np.diff(kept) > 0).all()
    if len(known):
        drawn = series[kept]
        assert (drawn.min(), drawn.max(), drawn[-1]) == (known.min(), known.max(), known[-1])


def test_few_points_are_all_drawn() -> None:
    assert thin_out(np.arange(3, dtype=np.int64), np.array([1.0, nan, 2.0]), 1).tolist() == [0, 2]


@pytest.mark.parametrize(
    ("nanoseconds", "words"),
    [
        (0, "0 s"),
        (250_000, "250 µs"),
        (1_500_000, "1.5 ms"),
        (1_500_000_000, "1.5 s"),
        (200 * SECOND, "3 min 20 s"),
        (7_200 * SECOND, "2 h"),
        (2 * DAY + 4 * 3_600 * SECOND, "2 d 4 h"),
    ],
)
def test_lengths_of_time_in_words(nanoseconds: int, words: str) -> None:
    assert duration_in_words(nanoseconds) == words


def test_amounts_and_times_in_words() -> None:
    assert [money(Decimal("1234.567")), money(0.00012345), money(Decimal(0)), money(-0.05)] == [
        "1,234.57",
        "0.000123",
        "0.00",
        "-0.05",
    ]
    assert [money(Decimal("-0.00")), money(-0.0), money(Decimal("-0.004"))] == ["0.00", "0.00", "-0.004"]
    assert {in_words(metric, -0.0) for metric in METRICS if metric.unit not in ("count", "ns")} == {
        *("0.00", "0.00%", "0.00 ×")
    }
    assert time_in_words(START + 1_234_567) == "2026-01-01 00:00:00"
    assert time_in_words(START + 1_234_567, digits=3) == "2026-01-01 00:00:00.001"


def test_collected_columns_have_one_length() -> None:
    ours = collected(
        [Filled(side="buy", lots="1", price="1", order="a"), Filled(side="buy", lots="1", price="1", order="a")]
    )

    assert {len(column) for column in ours.orders.values()} == {1}
    assert ours.orders["quantity"] == [Decimal(2)]
