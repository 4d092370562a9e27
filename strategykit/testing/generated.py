"""A generated market, as events: the crowd of the simulated venues, without a venue around it."""

from __future__ import annotations

import math
from typing import Final

from strategykit.errors import ConfigError
from strategykit.model.events import BookSnapshot, Quote, Trade
from strategykit.model.instruments import Instrument
from strategykit.sim.exchange import SimulatedExchange
from strategykit.testing.markets import START

__all__ = ["make_market"]

_STEP: Final = 100_000_000
"""Nanoseconds between two looks at the market."""


def make_market(
    instrument: str | Instrument, *, seconds: float = 60.0, seed: int = 0, rate: float = 20.0, start: int = START
) -> list[Trade | Quote | BookSnapshot]:
    """Generate trades, quotes and books of one instrument, as `run_strategy` takes them.

    Args:
        instrument: Symbol, or reference data; give those to `run_strategy`, too.
        seconds: How long the market goes on.
        seed: Of the crowd; the same one trades the same again.
        rate: Actions of the crowd a second.
        start: When it begins, nanoseconds UTC.

    Raises:
        ConfigError: A value that can't be.
    """
    if not 0 < seconds < math.inf:
        raise ConfigError(f"seconds={seconds!r}: give seconds above 0")
    listed = Instrument(instrument) if isinstance(instrument, str) else instrument
    exchange = SimulatedExchange({listed.symbol: listed}, seed=seed, start=start, accounts={}, actions_per_second=rate)
    events: list[Trade | Quote | BookSnapshot] = []
    end = start + int(seconds * 1e9)
    for now in [*range(start + _STEP, end, _STEP), end]:
        events += (event for event in exchange.advance(now) if isinstance(event, Trade | Quote | BookSnapshot))
    return events
