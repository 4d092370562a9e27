"""Driving a strategy in a unit test: give it a market, look at what it did.

A test makes a market out of prices, runs the strategy over it in virtual time, and looks at the `Outcome`::

    from strategykit.testing import make_bars, run_strategy

    def test_it_buys_when_the_price_rises() -> None:
        outcome = run_strategy(Cross(instrument="SBER", fast=2, slow=3), make_bars("SBER", [10, 9, 8, 9, 10, 11]))

        assert [fill.side for fill in outcome.check().fills] == [Side.BUY, Side.SELL]

The clock reads what the events say: an hour of market takes milliseconds, ``trio.sleep`` and deadlines included, and
two runs give the same orders. Orders are answered by a fill model, at once or after a `latency`.
"""

from strategykit.testing.drive import Outcome, run_strategy
from strategykit.testing.markets import START, make_bars, make_books, make_quotes, make_trades

__all__ = ["START", "Outcome", "make_bars", "make_books", "make_quotes", "make_trades", "run_strategy"]
