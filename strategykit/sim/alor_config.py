"""Everything that can be chosen about the simulated ALOR venue."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from decimal import Decimal

import attrs

from strategykit.errors import ConfigError
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.sim.fees import NO_FEES, FeeModel
from strategykit.sim.http_calls import HttpLimits
from strategykit.sim.instruments import default_instruments

__all__ = ["AlorVenueConfig"]


def _above_zero(_: AlorVenueConfig, attribute: attrs.Attribute[float], value: float) -> None:
    if not value > 0:
        raise ConfigError(f"the simulated venue's {attribute.name} must be above 0, not {value}")


@attrs.frozen(kw_only=True)
class AlorVenueConfig:
    """The venue's market, clients, limits and habits. Whatever is left out is as the real venue has it.

    Source: ALOR protocol sheet, sections 1.2, 2.2 and 6.1.
    """

    instruments: Mapping[str, Instrument] = attrs.field(factory=default_instruments)
    prices: Mapping[str, Decimal] | None = None
    """Where markets open, by symbol."""
    seed: int = 1
    actions_per_second: float = 200.0
    """Of the generated crowd, on each instrument."""
    fees: FeeModel = NO_FEES
    margin_rate: Decimal = Decimal(1)
    source: Iterable[tuple[int, Event]] | AsyncIterable[tuple[int, Event]] | None = None
    """A recording to serve in place of a generated market: market data with times in nanoseconds, oldest first."""
    source_speed: float = attrs.field(default=1.0, validator=_above_zero)
    """How much faster than recorded."""

    login: str = "P12345"
    agreements: tuple[str, ...] = ("12345",)
    cash: Decimal = Decimal(1_000_000)
    """Of every portfolio, at the start."""
    refresh_token: str = attrs.field(default="simulated-refresh-token", repr=False)
    token_life: float = attrs.field(default=1800.0, validator=_above_zero)
    """Seconds."""

    max_connections: int = 10
    max_subscriptions: int = 5_000
    """A connection."""
    max_unread: int = 5_000
    """Messages waiting for one client; beyond, it is hung up on."""
    max_message: int = 1_048_576
    """Bytes of a client's message."""
    http: HttpLimits = attrs.field(factory=HttpLimits)

    advances_per_second: float = attrs.field(default=100.0, validator=_above_zero)
    """How often the market goes on and the streams are told."""
    acknowledge_first: bool = True
    """False: a subscription's first data comes before its confirmation, which clients have to bear."""
    unknown_guid_code: int = 200
    """What unsubscribing from nothing is answered with; 404 is stricter."""
    commands_remembered: int = 100_000
    """Answers kept to tell repeated commands."""
    log_size: int = 200_000
    """Entries of the venue's own log."""
    clock: Callable[[], int] | None = attrs.field(default=None, repr=False)
    """Gives nanoseconds UTC; None: the machine's clock."""

    @property
    def portfolios(self) -> tuple[str, ...]:
        """Three an agreement: shares, currency, futures. Source: ALOR protocol sheet, sections 1.4 and 7.1."""
        return tuple(f"{kind}{number}" for number in self.agreements for kind in ("D", "G", "75"))
