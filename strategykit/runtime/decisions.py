"""What strategies decided in a backtest: every order command, and when it was given."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from strategykit.model.orders import VenueCommand
from strategykit.runtime.ports import OrderPort

__all__ = ["Decision", "DecisionLog", "LoggingPort"]


@attrs.frozen
class Decision:
    """One order command."""

    time: int
    """Reading of the clock, nanoseconds UTC."""
    strategy: str
    command: VenueCommand


@attrs.define(eq=False)
class DecisionLog:
    """Takes the decisions of one run for as long as there are data: what strategies do when they leave is none."""

    through: int | None = None
    """How far the clock goes on when the data are over, nanoseconds UTC: timers may be due by then."""
    decisions: list[Decision] = attrs.field(factory=list, init=False)
    until: int | None = attrs.field(default=None, init=False)
    """When the data were over, by the run's clock; None while they aren't."""


class LoggingPort:
    """Notes each command before it goes its way."""

    def __init__(self, port: OrderPort, log: DecisionLog, now: Callable[[], int]) -> None:
        self._port = port
        self._log = log
        self._now = now

    def command(self, strategy: str, command: VenueCommand) -> bool:
        if self._log.until is None:
            self._log.decisions.append(Decision(self._now(), strategy, command))
        return self._port.command(strategy, command)

    def suspect(self, reason: str) -> None:
        self._port.suspect(reason)
