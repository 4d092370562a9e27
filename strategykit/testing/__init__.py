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

Where pytest is installed, `strategykit.testing.plugin` gives fixtures and a marker for all of this.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__all__: list[str]  # Those of `api`.

if TYPE_CHECKING:
    from strategykit.testing.api import *  # noqa: F403 - the same names for type checkers
else:

    def __getattr__(name):
        # Loaded when first asked for: pytest loads the plugin in every run, also where no strategy is tested.
        api = import_module("strategykit.testing.api")
        if name in api.__all__ or name == "__all__":
            return getattr(api, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
