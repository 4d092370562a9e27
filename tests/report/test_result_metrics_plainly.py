"""Figures of whatever runs, against plain sums over their fills, and against pandas: nothing here is the product's."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import isnan, nan
from typing import Any, Final

import attrs
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.report.facts import RunFacts
from strategykit.report.metrics import max_drawdown, max_fall, returns_by_period
from strategykit.report.result import Result
from strategykit.runtime.collector import Collected
from tests.report.conftest import DAY, SECOND, START, Filled, collected

LENGTH: Final = 20
"""Seconds of a run."""

LOT: Final = {"SBER": 1, "GAZP": 10, "BTCUSDT": 1}
CURRENCY: Final = {"SBER": "RUB", "GAZP": "RUB", "BTCUSDT": "USDT"}
OWNERS: Final = ("one", "two")


def money(cents: int) -> str:
    return str(Decimal(cents).scaleb(-2))


# So few prices that profits come back to where they were.
cents = st.integers(9_995, 10_005)
maybe_cents = st.none() | cents


@st.composite
def runs(draw: st.DrawFn) -> Collected:
    """Make runs of two strategies: orders with several fills, some that are never answered, positions of before."""
    rows: list[tuple[int, Filled, int | None]] = []
    answers: dict[str, int | None] = {}
    for number in range(draw(st.integers(0, 6))):
        decided = draw(maybe_cents)
        order: dict[str, Any] = {
            "order": f"o{number}",
            "strategy": draw(st.sampled_from(OWNERS)),
            "symbol": draw(st.sampled_from(sorted(LOT))),
            "side": draw(st.sampled_from(["buy", "sell"])),
            "type": draw(st.sampled_from(["market", "limit"])),
            "decided": nan if decided is None else decided / 100,
            "waited": draw(st.integers(0, SECOND)),
        }
        answers[order["order"]] = draw(st.none() | st.integers(0, SECOND))
        for _ in range(draw(st.integers(1, 3))):
            lots, fee = draw(st.integers(1, 4)), draw(st.none() | st.integers(-1, 3))
            row = Filled(
                **order,
                lots=str(lots),
                price=money(draw(cents)),
                after=draw(st.integers(0, LENGTH)),
                # Of a lot, so that parts of it have no more digits.
                fee=None if fee is None else money(fee * lots),
                fee_currency=draw(st.sampled_from([None, None, "BNB"])),
            )
            rows.append((row.after, row, draw(maybe_cents)))
    rows.sort(key=lambda item: item[0])
    held = [
        (owner, symbol, str(lots), str(lots * LOT[symbol] * Decimal(money(draw(cents)))))
        for owner in OWNERS
        for symbol in LOT
        if (lots := draw(st.sampled_from([0, 0, 0, 0, 0, -2, 1, 3])))
    ]
    sampled = {
        symbol: [nan if value is None else value / 100 for value in draw(st.lists(maybe_cents, min_size=8, max_size=8))]
        for symbol in draw(st.sets(st.sampled_from(sorted(LOT))))
    }
    capital = draw(st.sampled_from([{}, {"RUB": "5000"}, {"RUB": "100000", "USDT": "300"}]))
    found = collected(
        [row for _, row, _ in rows],
        prices=sampled,
        length=LENGTH,
        begin=held,
        capital=capital,
        strategies=OWNERS,
    )
    orders = found.orders
    answered = [
        None if answers[name] is None else placed + (answers[name] or 0)
        for name, placed in zip(orders["order"], orders["placed"], strict=True)
    ]
    found = attrs.evolve(
        found,
        orders={**orders, "answered": answered},
        fills={**found.fills, "mark": [nan if mark is None else mark / 100 for _, _, mark in rows]},
    )
    last = {symbol: price_at(found, symbol, found.ended) for symbol in LOT}
    marks = {symbol: Decimal(str(float(price))) for symbol, price in last.items() if price is not None}
    return attrs.evolve(found, marks=marks)


# The same, worked out plainly


def fraction(value: object) -> Fraction:
    return Fraction(str(value))


def rows_of(columns: Any) -> list[dict[str, Any]]:
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def price_at(run: Collected, symbol: str, time: int) -> Fraction | None:
    """Give the last price known at a time; before the first one that."""
    known = [
        (row["time"], 0, fraction(row["price"] if isnan(row["mark"]) else row["mark"]))
        for row in rows_of(run.fills)
        if row["instrument"] == symbol
    ]
    samples = zip(run.times, run.prices.get(symbol, []), strict=False)
    known += [(moment, 1, fraction(price)) for moment, price in samples if not isnan(price)]
    known.sort(key=lambda item: item[:2])
    before = [price for moment, _, price in known if moment <= time]
    return before[-1] if before else known[0][2] if known else None


def signed(row: dict[str, Any]) -> Fraction:
    return fraction(row["quantity"]) * (1 if row["side"] == "buy" else -1)


def worth(row: dict[str, Any]) -> Fraction:
    return fraction(row["price"]) * fraction(row["quantity"]) * LOT[row["instrument"]]


@attrs.frozen
class Plain:
    """What some strategies did in one currency."""

    run: Collected
    owners: Sequence[str]
    currency: str

    @property
    def fills(self) -> list[dict[str, Any]]:
        return [row for row in rows_of(self.run.fills) if self.mine(row)]

    @property
    def orders(self) -> list[dict[str, Any]]:
        return [row for row in rows_of(self.run.orders) if self.mine(row)]

    def mine(self, row: dict[str, Any]) -> bool:
        return row["strategy"] in self.owners and CURRENCY[row["instrument"]] == self.currency

    @property
    def moments(self) -> list[int]:
        return sorted({self.run.started, self.run.ended, *self.run.times, *self.run.fills["time"]})

    def fees(self, until: int) -> Fraction:
        return sum(
            (
                fraction(row["fee"])
                for row in rows_of(self.run.fills)
                if row["strategy"] in self.owners
                and row["fee"] is not None
                and (row["fee_currency"] or CURRENCY[row["instrument"]]) == self.currency
                and row["time"] <= until
            ),
            Fraction(0),
        )

    def positions(self, time: int) -> list[tuple[Fraction, Fraction]]:
        """Give what each position is worth, and what it has cost, of those that are held or were."""
        found = []
        for owner in self.owners:
            for symbol in LOT:
                begin = [
                    row
                    for row in rows_of(self.run.begin)
                    if (row["strategy"], row["instrument"]) == (owner, symbol) and self.mine(row)
                ]
                ours = [
                    row
                    for row in self.fills
                    if (row["strategy"], row["instrument"]) == (owner, symbol) and row["time"] <= time
                ]
                lots = sum((fraction(row["quantity"]) for row in begin), Fraction(0)) + sum(map(signed, ours))
                cost = sum((fraction(row["cost"]) for row in begin), Fraction(0))
                cost += sum(worth(row) * (1 if row["side"] == "buy" else -1) for row in ours)
                price = price_at(self.run, symbol, time)
                # What has no price is worth what it has cost.
                found.append((cost if price is None else lots * price * LOT[symbol], cost))
        return found

    def profit(self, time: int) -> Fraction:
        return sum((value - cost for value, cost in self.positions(time)), Fraction(0)) - self.fees(time)

    def gross(self, time: int) -> Fraction:
        return sum((abs(value) for value, _ in self.positions(time)), Fraction(0))

    def exposed(self, time: int) -> Fraction:
        return Fraction(self.gross(time) > 0)

    def mean(self, of: Callable[[int], Fraction]) -> Fraction:
        """Give the mean over the run of what is told at each moment and stays until the next."""
        moments = self.moments
        steps = pairwise(moments)
        return sum((of(begin) * (end - begin) for begin, end in steps), Fraction(0)) / (moments[-1] - moments[0])

    def trades(self) -> dict[tuple[str, ...], list[Any]]:
        """Give profit after fees, entry and exit of each closed trade, lot by lot, first in first out."""
        found: dict[tuple[str, ...], list[Any]] = {}
        queues: dict[tuple[str, str], deque[tuple[Any, ...]]] = {}
        for row in rows_of(self.run.begin):
            if self.mine(row):
                lots = int(row["quantity"])
                lot = (1 if lots > 0 else -1, "", self.run.started, fraction(row["cost"]) / lots, Fraction(0))
                queues[row["strategy"], row["instrument"]] = deque([lot] * abs(lots))
        for row in self.fills:
            key = (row["strategy"], row["instrument"])
            queue = queues.setdefault(key, deque())
            side = 1 if row["side"] == "buy" else -1
            fee = Fraction(0)
            if row["fee"] is not None and (row["fee_currency"] or self.currency) == self.currency:
                fee = fraction(row["fee"]) / int(row["quantity"])
            price = fraction(row["price"]) * LOT[row["instrument"]]
            for _ in range(int(row["quantity"])):
                if queue and queue[0][0] == -side:
                    _, order, time, paid, other = queue.popleft()
                    trade = found.setdefault((*key, order, row["order"]), [Fraction(0), time, row["time"]])
                    trade[0] += (paid - price) * side - fee - other
                    trade[1], trade[2] = min(trade[1], time), max(trade[2], row["time"])
                else:
                    queue.append((side, row["order"], row["time"], price, fee))
        return found


def near(value: Fraction | float | None) -> Any:
    return None if value is None else pytest.approx(float(value), rel=1e-9, abs=1e-7)


def ratio(part: Fraction, whole: Fraction | int) -> Fraction | None:
    return Fraction(part) / whole if whole else None


def percentile(values: Iterable[int], percent: int) -> Any:
    """Give it between the two nearest ones, in proportion; whole nanoseconds."""
    waits = sorted(values)
    if not waits:
        return None
    place, rest = divmod((len(waits) - 1) * percent, 100)
    between = waits[min(place + 1, len(waits) - 1)] - waits[place]
    return pytest.approx(waits[place] + between * rest / 100, abs=1)


def lengths(moments: Sequence[int], values: Sequence[Fraction], depths: Sequence[Fraction]) -> set[int]:
    """Give how long the deepest fall was; of several that are as deep each."""
    found = set()
    for trough, depth in enumerate(depths):
        if float(depth - min(depths)) <= 1e-9:
            top = max(values[: trough + 1])
            peak = max(n for n in range(trough + 1) if values[n] == top)
            again = [n for n in range(trough, len(values)) if values[n] >= top]
            found.add(moments[again[0] if again else -1] - moments[peak])
    return found


def choices(run: Collected) -> list[tuple[dict[str, Any], Plain]]:
    """Give the figures of each strategy and of both, in each currency, and what they are worked out from here."""
    result = Result(RunFacts(kind="backtest", source=""), run)
    return [
        (result.metrics(owner, currency), Plain(run, OWNERS if owner is None else [owner], currency))
        for owner in (None, "one")
        for currency in result.currencies
    ]


@settings(max_examples=25, deadline=None)
@given(runs())
def test_whatever_was_filled_activity_and_fees_are_plain_sums(run: Collected) -> None:
    for found, plain in choices(run):
        turnover = sum(map(worth, plain.fills), Fraction(0))
        capital = run.capital.get(plain.currency)

        assert fraction(found["fees"]) == plain.fees(run.ended)
        assert fraction(found["pnl"]) == plain.profit(run.ended)
        assert fraction(found["turnover"]) == turnover
        assert found["turnover_capital"] == near(ratio(turnover, fraction(capital or 0)))
        assert (found["orders"], found["fills"]) == (len(plain.orders), len(plain.fills))
        assert found["exposure"] == near(plain.mean(plain.exposed))
        assert found["mean_gross"] == near(plain.mean(plain.gross))


@settings(max_examples=25, deadline=None)
@given(runs())
def test_whatever_was_filled_trades_are_those_of_lots_that_leave_as_they_came(run: Collected) -> None:
    for found, plain in choices(run):
        trades = list(plain.trades().values())
        wins = [net for net, _, _ in trades if net > 0]
        losses = [-net for net, _, _ in trades if net < 0]

        assert found["trades"] == len(trades)
        assert found["hit_rate"] == near(ratio(Fraction(len(wins)), len(trades)))
        assert found["profit_factor"] == near(ratio(sum(wins, Fraction(0)), sum(losses, Fraction(0))))
        assert found["average_win"] == near(ratio(sum(wins, Fraction(0)), len(wins)))
        assert found["average_loss"] == near(ratio(-sum(losses, Fraction(0)), len(losses)))
        spans = [last - first for _, first, last in trades]
        assert found["mean_duration"] == (sum(spans) // len(spans) if spans else None)


@settings(max_examples=25, deadline=None)
@given(runs())
def test_whatever_was_filled_slippage_and_latency_are_of_each_order_as_it_was_decided(run: Collected) -> None:
    for found, plain in choices(run):
        orders = {row["order"]: row for row in plain.orders}
        cost = value = Fraction(0)
        for row in plain.fills:
            decided = orders[row["order"]]["decision_price"]
            if not isnan(decided):
                at_decision = worth({**row, "price": decided})
                value += at_decision
                cost += (worth(row) - at_decision) * (1 if row["side"] == "buy" else -1)
        waited = [row["answered"] - row["placed"] for row in orders.values() if row["answered"] is not None]
        filled = [
            min(row["time"] for row in plain.fills if row["order"] == name) - order["placed"]
            for name, order in orders.items()
            if order["type"] == "market"
        ]

        assert found["slippage"] == near(cost if value else None)
        assert found["slippage_part"] == near(ratio(cost, value))
        assert (found["answer_p50"], found["answer_p95"]) == (percentile(waited, 50), percentile(waited, 95))
        assert found["fill_p50"] == percentile(filled, 50)


@settings(max_examples=25, deadline=None)
@given(runs())
def test_whatever_was_filled_drawdowns_are_those_of_profit_from_nothing_on(run: Collected) -> None:
    """A profit that comes back to its peak has made the fall good, though sums of doubles may not show it."""
    for found, plain in choices(run):
        moments = [run.started, *plain.moments]
        profits = [Fraction(0), *map(plain.profit, plain.moments)]
        tops = [max(profits[: n + 1]) for n in range(len(profits))]
        below = [profit - top for profit, top in zip(profits, tops, strict=True)]
        capital = fraction(run.capital.get(plain.currency, 0))
        parts = [depth / (capital + top) if capital else depth for depth, top in zip(below, tops, strict=True)]
        alive = bool(capital) and min(profits) + capital > 0

        assert found["max_drawdown_money"] == near(min(below))
        assert found["max_drawdown"] == near(min(parts) if alive else None)
        assert found["max_drawdown_length"] in lengths(moments, profits, parts if alive else below)
        assert found["total_return"] == near(profits[-1] / capital if alive else None)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(1, 1_000))
def test_whatever_the_curve_a_fall_is_as_long_as_pandas_finds_it(values: list[int], step: int) -> None:
    series = pd.Series(values, index=[n * step for n in range(len(values))], dtype=float)
    top = series.cummax()
    for found, below in (
        (max_drawdown(series.index.to_numpy(), series.to_numpy()), series / top - 1),
        (max_fall(series.index.to_numpy(), series.to_numpy()), series - top),
    ):
        trough = below.idxmin()
        before, after = below.loc[:trough], below.loc[trough:]
        peak, again = before[before == 0].index[-1], after[after == 0].index

        assert (found.trough, found.peak) == (trough, peak)
        assert (found.end, found.recovered) == (again[0] if len(again) else series.index[-1], bool(len(again)))
        assert found.length == found.end - peak
        assert found.money == (series - top)[trough]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 20 * 24), st.integers(1, 100)), min_size=2, max_size=60),
    st.sampled_from([DAY, DAY // 24]),
)
def test_whatever_the_curve_returns_are_those_of_pandas_at_the_ends_of_periods(
    points: list[tuple[int, int]], period: int
) -> None:
    points.sort(key=lambda point: point[0])
    times = np.array([START + hours * (DAY // 24) for hours, _ in points], dtype=np.int64)
    if times[0] == times[-1]:
        return
    equity = np.array([float(value) for _, value in points])
    series = pd.Series(equity, index=pd.DatetimeIndex(times)).groupby(level=0).last()
    ends = series.resample(pd.Timedelta(period, "ns"), closed="right", label="right").last().ffill().to_numpy()
    # A first value that stands right at a period's end is what there was before, not a period of its own.
    ends = ends[1:] if times[0] % period == 0 else ends
    expected = pd.Series([equity[0], *ends]).pct_change().dropna()

    assert returns_by_period(times, equity, period).tolist() == pytest.approx(expected.tolist(), abs=1e-12)
