"""How a venue's simulation is opened, and what can be chosen about it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any, Literal

import attrs

from strategykit.errors import ConfigError
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.sim.server import Listen, SimulatedServer, listen_tcp

__all__ = ["Choice", "SimPlan", "Simulation", "listed"]

Choice = Literal["cash", "fee_rate", "source", "token_life"]
"""Fields of `SimPlan` that mean nothing to some venues."""


@attrs.frozen(kw_only=True)
class SimPlan:
    """What a simulated venue shall be like."""

    port: int = 0
    """0: any free one."""
    instruments: Sequence[str] | None = None
    """Symbols; None: all that it knows."""
    rate: float
    """Actions of the generated crowd a second, on each instrument."""
    seed: int = 1
    cash: Decimal = Decimal(1_000_000)
    """Of every account, at the start."""
    fee_rate: Decimal = Decimal("0.0003")
    """Part of the traded value."""
    source: Iterable[tuple[int, Event]] | None = None
    """A recording to serve in place of a generated market."""
    recorded: Mapping[str, Instrument] = attrs.field(factory=dict)
    """What is recorded there, by symbol: that is listed then, and nothing else."""
    token_life: float = 1800.0
    """Seconds."""
    advances_per_second: float = 100.0
    """How often the market goes on and the streams are told."""
    clock: Callable[[], int] | None = None
    """Gives nanoseconds UTC; None: the machine's clock."""
    listen: Listen = listen_tcp
    """Opens what it listens on."""


@attrs.frozen(kw_only=True)
class Simulation:
    """A venue that isn't there."""

    open: Callable[[SimPlan], AbstractAsyncContextManager[SimulatedServer[Any]]]
    symbols: Callable[[], Collection[str]]
    """Gives what it knows."""
    rate: float
    """Where `SimPlan.rate` isn't chosen."""
    takes: frozenset[Choice] = frozenset()
    """Which of the fields that mean nothing to some venues mean something here."""
    account: str = ""
    """The one that a session trades if it names none; empty: there are none."""
    facts: Mapping[str, object] = attrs.field(factory=dict)
    """What somebody has to know to use it, such as its accounts and keys."""


def listed(plan: SimPlan, known: Mapping[str, Any]) -> dict[str, Any]:
    """Give what is chosen of `known`, or of what was recorded, by symbol.

    Raises:
        ConfigError: Something else is chosen.
    """
    known = plan.recorded or known
    for symbol in plan.instruments or ():
        if symbol not in known:
            raise ConfigError(f"--instruments {symbol!r}: the simulated venue knows {', '.join(known)}")
    return {symbol: known[symbol] for symbol in plan.instruments or known}
