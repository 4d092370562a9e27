"""What a run comes to in figures: which there are, what each means, and how it is found."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext
from math import isnan
from typing import Any, Final

import attrs
import numpy as np

from strategykit.report.curves import Curve, Market, as_floats
from strategykit.report.metrics import (
    YEAR,
    Floats,
    cagr,
    max_drawdown,
    max_fall,
    period_of,
    returns_by_period,
    sharpe,
    sortino,
    total_return,
    volatility,
)
from strategykit.report.trips import Trip
from strategykit.runtime.collector import Collected

__all__ = ["METRICS", "Metric", "Number", "summarise"]

Number = Decimal | float | int | None

_DAY: Final = 86_400_000_000_000


@attrs.frozen
class Metric:
    """One figure."""

    name: str
    label: str
    unit: str
    """``"money"``, ``"part"`` (1 is 100 %), ``"ratio"``, ``"count"``, ``"ns"`` or ``"times"``."""
    means: str
    group: str = ""


METRICS: Final = (
    Metric("pnl", "Profit", "money", "realised and open, less fees; exact", "Result"),
    Metric("open_pnl", "of it open", "money", "of positions that are held at the end, at the last price", "Result"),
    Metric("fees", "Fees", "money", "paid in this currency; rebates are below 0", "Result"),
    Metric("capital", "Capital", "money", "cash at the start: what returns are parts of", "Result"),
    Metric("total_return", "Total return", "part", "profit for the capital", "Result"),
    Metric("cagr", "CAGR", "part", "constant yearly growth that leads to the same; of runs of a day or more", "Result"),
    Metric("volatility", "Volatility", "part", "standard deviation of returns, a year", "Risk"),
    Metric("sharpe", "Sharpe", "ratio", "mean return for its standard deviation, a year; no interest off", "Risk"),
    Metric("sortino", "Sortino", "ratio", "mean return for its downside deviation, a year", "Risk"),
    Metric("max_drawdown", "Max drawdown", "part", "deepest fall of capital and profit below a peak", "Risk"),
    Metric("max_drawdown_money", "Max drawdown in money", "money", "deepest fall of profit below its peak", "Risk"),
    Metric(
        "max_drawdown_length",
        "Max drawdown's length",
        "ns",
        "from the peak until it was reached again, or the end",
        "Risk",
    ),
    Metric("exposure", "Time in the market", "part", "of the run, with a position", "Activity"),
    Metric("mean_gross", "Mean position", "money", "worth of longs and shorts, mean over the run", "Activity"),
    Metric("turnover", "Turnover", "money", "bought and sold, added up", "Activity"),
    Metric("turnover_capital", "Turnover for capital", "times", "how often the capital was turned over", "Activity"),
    Metric("orders", "Orders", "count", "placed", "Activity"),
    Metric("fills", "Fills", "count", "", "Activity"),
    Metric(
        "trades", "Trades", "count", "closed round trips, first in first out, an entry and an exit order each", "Trades"
    ),
    Metric("hit_rate", "Hit rate", "part", "of the trades, those with a profit after fees", "Trades"),
    Metric("profit_factor", "Profit factor", "ratio", "profits of the winners for losses of the losers", "Trades"),
    Metric("average_win", "Average win", "money", "after fees", "Trades"),
    Metric("average_loss", "Average loss", "money", "after fees", "Trades"),
    Metric("mean_duration", "Mean duration", "ns", "of a trade", "Trades"),
    Metric(
        "slippage",
        "Slippage",
        "money",
        "price paid against the last one known at the decision; above 0 it cost",
        "Execution",
    ),
    Metric("slippage_part", "Slippage for value", "part", "the same, of the value at the decision", "Execution"),
    Metric("answer_p50", "Order to answer, median", "ns", "until the venue's first word on an order", "Execution"),
    Metric("answer_p95", "Order to answer, 95 %", "ns", "", "Execution"),
    Metric("fill_p50", "Market order to fill, median", "ns", "until its first fill", "Execution"),
)
"""In the order in which they are shown."""


def summarise(
    collected: Collected,
    market: Market,
    trips: Sequence[Trip],
    strategies: Sequence[str],
    currency: str,
    capital: Decimal | None,
) -> dict[str, Number]:
    """Find every figure of `METRICS` for `strategies` together, in one currency; None where there is no such thing."""
    mine = [trip for trip in trips if trip.strategy in strategies]
    curve = market.curve(strategies, currency)
    with localcontext() as context:
        context.prec = 200
        fees = sum((trip.fees.get(currency, Decimal(0)) for trip in mine), Decimal(0))
        ours = [trip for trip in mine if trip.currency == currency]
        pnl = sum((trip.pnl for trip in ours), Decimal(0)) - fees
        open_pnl = sum((trip.pnl for trip in ours if trip.open), Decimal(0))
    found: dict[str, Number] = dict.fromkeys(metric.name for metric in METRICS)
    found |= {"pnl": pnl, "open_pnl": open_pnl, "fees": fees, "capital": capital}
    found |= _of_equity(curve, capital)
    found |= _of_activity(collected, curve, strategies, currency, capital)
    found |= _of_trades([trip for trip in ours if not trip.open])
    found |= _of_execution(collected, strategies, currency)
    return found


def _of_equity(curve: Curve, capital: Decimal | None) -> dict[str, Number]:
    # From what there was before a first fill at the very beginning.
    times, profit = np.concatenate((curve.times[:1], curve.times)), np.concatenate(([0.0], curve.pnl))
    fall = max_fall(times, profit)
    found: dict[str, Number] = {"max_drawdown_money": fall.money, "max_drawdown_length": fall.length}
    equity = profit + float(capital or 0)
    span = int(curve.times[-1] - curve.times[0])
    # Returns of what is nothing, or less, are none; nor are there any without time.
    if not capital or np.min(equity) <= 0.0 or not span:
        return found
    fall = max_drawdown(times, equity)
    found |= {"total_return": total_return(equity), "max_drawdown": fall.part, "max_drawdown_length": fall.length}
    if span >= _DAY:
        period = period_of(span)[1]
        returns, yearly = returns_by_period(times, equity, period), YEAR / period
        found |= {
            "cagr": cagr(equity, span),
            "volatility": volatility(returns, yearly),
            "sharpe": sharpe(returns, yearly),
            "sortino": sortino(returns, yearly),
        }
    return found


def _of_activity(
    collected: Collected, curve: Curve, strategies: Sequence[str], currency: str, capital: Decimal | None
) -> dict[str, Number]:
    lengths = np.diff(curve.times).astype(np.float64)
    whole = float(np.sum(lengths))
    fills, known = collected.fills, {item.symbol: item for item in collected.instruments}
    turnover = Decimal(0)
    count = 0
    for strategy, symbol, price, quantity in zip(
        *(fills[key] for key in ("strategy", "instrument", "price", "quantity")), strict=True
    ):
        if strategy in strategies and known[symbol].currency == currency:
            count += 1
            turnover += known[symbol].value(price, quantity)
    orders = zip(collected.orders["strategy"], collected.orders["instrument"], strict=True)
    return {
        "exposure": float(np.sum(lengths[curve.gross[:-1] > 0.0])) / whole if whole else None,
        "mean_gross": float(np.sum(lengths * curve.gross[:-1])) / whole if whole else None,
        "turnover": turnover,
        "turnover_capital": float(turnover / capital) if capital else None,
        "orders": sum(strategy in strategies and known[symbol].currency == currency for strategy, symbol in orders),
        "fills": count,
    }


def _of_trades(trips: Sequence[Trip]) -> dict[str, Number]:
    nets = [trip.net for trip in trips]
    wins, losses = [net for net in nets if net > 0], [net for net in nets if net < 0]
    gained, lost = sum(wins, Decimal(0)), sum(losses, Decimal(0))
    return {
        "trades": len(trips),
        "hit_rate": len(wins) / len(trips) if trips else None,
        "profit_factor": float(gained / -lost) if lost else None,
        "average_win": float(gained / len(wins)) if wins else None,
        "average_loss": float(lost / len(losses)) if losses else None,
        "mean_duration": sum(trip.duration for trip in trips) // len(trips) if trips else None,
    }


def _of_execution(collected: Collected, strategies: Sequence[str], currency: str) -> dict[str, Number]:
    known = {item.symbol: item for item in collected.instruments}
    orders = _by_order(collected, strategies, currency)
    fills = collected.fills
    cost, value, first = 0.0, 0.0, dict[str, int]()
    keys = ("order", "side", "instrument", "price", "quantity", "time")
    for number, side, symbol, price, quantity, time in zip(*(fills[key] for key in keys), strict=True):
        if number not in orders:
            continue
        first.setdefault(number, time)
        decided = orders[number]["decision_price"]
        if not isnan(decided):  # Somebody knew a price.
            lots = float(known[symbol].value(Decimal(1), quantity))
            cost += (float(price) - decided) * (lots if side == "buy" else -lots)
            value += decided * lots
    waited = [row["answered"] - row["placed"] for row in orders.values() if row["answered"] is not None]
    filled = [time - orders[number]["placed"] for number, time in first.items() if orders[number]["type"] == "market"]
    return {
        "slippage": cost if value else None,
        "slippage_part": cost / value if value else None,
        "answer_p50": _percentile(waited, 50),
        "answer_p95": _percentile(waited, 95),
        "fill_p50": _percentile(filled, 50),
    }


def _by_order(collected: Collected, strategies: Sequence[str], currency: str) -> dict[str, dict[str, Any]]:
    known = {item.symbol: item.currency for item in collected.instruments}
    columns = collected.orders
    rows = (dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True))
    return {
        row["order"]: row for row in rows if row["strategy"] in strategies and known.get(row["instrument"]) == currency
    }


def _percentile(values: Sequence[int], part: float) -> int | None:
    waits: Floats = as_floats(values)
    return round(float(np.percentile(waits, part))) if len(waits) else None
