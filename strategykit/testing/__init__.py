"""Driving a strategy in a unit test: give it a market, look at what it did."""

from strategykit.testing.drive import Outcome, run_strategy
from strategykit.testing.markets import make_bars, make_quotes, make_trades

__all__ = ["Outcome", "make_bars", "make_quotes", "make_trades", "run_strategy"]
