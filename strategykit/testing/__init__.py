"""Driving a strategy in a test: give it a market, look at what it did; or give it a whole world that breaks.

A test makes a market out of prices, runs the strategy over it in virtual time, and looks at the `Outcome`::

    from strategykit.testing import make_bars, run_strategy

    def test_it_buys_when_the_price_rises() -> None:
        outcome = run_strategy(Cross(instrument="SBER", fast=2, slow=3), make_bars("SBER", [10, 9, 8, 9, 10, 11]))

        assert [fill.side for fill in outcome.check().fills] == [Side.BUY, Side.SELL]

The clock reads what the events say: an hour of market takes milliseconds, ``trio.sleep`` and deadlines included, and
two runs give the same orders. Orders are answered by a fill model, at once or after a `latency`.

`run_world` runs strategies as a live run does, over a network in memory, against a simulated venue, while a fault
script breaks both. It is in virtual time, too, and a seed gives the same again.
"""

from strategykit.testing.drive import Outcome, run_strategy
from strategykit.testing.faults import Fault, NetworkFault, parse_script, write_script
from strategykit.testing.markets import START, make_bars, make_books, make_quotes, make_trades
from strategykit.testing.scripts import draw_script, shrink_script
from strategykit.testing.world import Outing, World, run_world

__all__ = [
    "START",
    "Fault",
    "NetworkFault",
    "Outcome",
    "Outing",
    "World",
    "draw_script",
    "make_bars",
    "make_books",
    "make_quotes",
    "make_trades",
    "parse_script",
    "run_strategy",
    "run_world",
    "shrink_script",
    "write_script",
]
