"""Everything that can be chosen about a simulated venue of the stream family."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from strategykit.errors import ConfigError
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.sim.served import ServerLimits
from strategykit.venues.stream.server_variants import ServerVariant

__all__ = ["StreamVenueConfig", "default_stream_instruments", "opening_prices"]

_OPENING: Final = {
    "BTC": Decimal(61_800),
    "ETH": Decimal(2_600),
    "SOL": Decimal("155.00"),
}

_LISTED: Final = {
    "seed": ("BTC_USDT", "ETH_USDT", "SOL_USDT", "SOL_USDC"),
    "backpack": ("BTC_USDC", "ETH_USDC", "SOL_USDC", "SOL_USDC_PERP"),
    "binance": ("BTCUSDT", "ETHUSDT", "SOLUSDT"),
    "binance_usdm": ("BTCUSDT", "ETHUSDT", "SOLUSDT"),
}

_STEPS: Final = {"BTC": ("0.01", "0.001"), "ETH": ("0.01", "0.01"), "SOL": ("0.01", "0.1")}
"""Tick and lot."""


def _not_negative(_: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and not value >= 0:
        raise ConfigError(f"the simulated venue's {attribute.name} must be 0 or above, not {value}")


def _above_zero(_: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if not value > 0:
        raise ConfigError(f"the simulated venue's {attribute.name} must be above 0, not {value}")


@attrs.frozen(kw_only=True)
class StreamVenueConfig:
    """The venue's market, limits and habits. What is None is as the real venue has it; a limit of 0 is none."""

    instruments: Mapping[str, Instrument] | None = None
    """By symbol. None: what `default_stream_instruments` gives."""
    prices: Mapping[str, Decimal] | None = None
    """Where markets open, by symbol."""
    seed: int = 1
    actions_per_second: float = attrs.field(default=50.0, validator=_not_negative)
    """Of the generated crowd, on each instrument."""
    source: Iterable[tuple[int, Event]] | AsyncIterable[tuple[int, Event]] | None = None
    """A recording to serve in place of a generated market: market data with times in nanoseconds, oldest first."""
    source_speed: float = attrs.field(default=1.0, validator=_above_zero)
    """How much faster than recorded."""

    reference_quirks: bool = False
    """For the seed's server: what its reference implementation does, not what its documentation says."""
    single_ids: bool = True
    """Every depth message carries one change (U equals u), which all known clients bear; False: what happened between
    two messages is merged."""
    book_interval: float = attrs.field(default=0.1, validator=_above_zero)
    """Seconds between two changes of a book, each with one number."""
    ping_every: float | None = attrs.field(default=None, validator=_not_negative)
    pong_within: float | None = attrs.field(default=None, validator=_not_negative)
    life: float | None = attrs.field(default=None, validator=_not_negative)
    """Seconds after which a connection is ended."""
    max_streams: int | None = attrs.field(default=None, validator=_not_negative)
    messages_per_second: int | None = attrs.field(default=None, validator=_not_negative)

    limits: ServerLimits = attrs.field(factory=ServerLimits)
    advances_per_second: float = attrs.field(default=100.0, validator=_above_zero)
    """How often the market goes on and the streams are told."""
    clock: Callable[[], int] | None = attrs.field(default=None, repr=False)
    """Gives nanoseconds UTC; None: the machine's clock."""

    def apply(self, variant: ServerVariant) -> ServerVariant:
        """Give a variant with the rules that are chosen here."""
        names = ("ping_every", "pong_within", "life", "max_streams", "messages_per_second")
        return attrs.evolve(variant, **{name: getattr(self, name) for name in names if getattr(self, name) is not None})


def default_stream_instruments(variant: ServerVariant) -> dict[str, Instrument]:
    """Give what a venue lists when nobody says otherwise, by symbol."""
    listed = {}
    for symbol in _LISTED[variant.name]:
        tick, lot = _STEPS[symbol[:3]]
        quote = "USDC" if "USDC" in symbol else "USDT"
        listed[symbol] = Instrument(
            symbol, Decimal(tick), Decimal(lot), currency=quote, exchange=variant.name.upper(), time_zone="UTC"
        )
    return listed


def opening_prices(instruments: Mapping[str, Instrument], chosen: Mapping[str, Decimal] | None) -> dict[str, Decimal]:
    """Give where markets open, as far as that is known; `chosen` goes first."""
    known = {symbol: _OPENING[symbol[:3]] for symbol in instruments if symbol[:3] in _OPENING}
    return {**known, **(chosen or {})}
