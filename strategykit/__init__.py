"""Trading strategies as structured concurrency: the same code live, simulated and replayed.

The house, from the bottom up; imports only point downwards:

    errors, secret          what can go wrong; what nobody may see
    model                   nouns: events, instruments, orders, book, bars, portfolio
    venues                  languages: how each venue says things; the guid table
    net · tape · sim        wires · recordings · a venue that isn't there
    runtime                 the program: clock, engine, gateway, supervision, live and replay
    strategy, indicators    what users subclass and combine
    testing, cli            for tests of strategies; for the command line

This module gives what the author of a strategy needs, and nothing else.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__all__: list[str]  # Those of `author`.

if TYPE_CHECKING:
    from strategykit.author import *  # noqa: F403 - the same names for type checkers
else:

    def __getattr__(name):
        # Loaded when first asked for. The program's own entry comes before: Ctrl-C is quiet while all of it loads.
        author = import_module("strategykit.author")
        if name in author.__all__ or name == "__all__":
            return getattr(author, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
