"""What tests of strategies need, and nothing else: `strategykit.testing` gives it under its own name."""

from strategykit.testing.drive import Outcome, run_strategy
from strategykit.testing.faults import Fault, NetworkFault, parse_script, write_script
from strategykit.testing.generated import make_market
from strategykit.testing.markets import START, make_bars, make_books, make_quotes, make_trades
from strategykit.testing.outings import run_in_world, run_on_tape
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
    "make_market",
    "make_quotes",
    "make_trades",
    "parse_script",
    "run_in_world",
    "run_on_tape",
    "run_strategy",
    "run_world",
    "shrink_script",
    "write_script",
]
