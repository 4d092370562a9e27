"""Everything that can be chosen about a simulated CoinAPI."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from strategykit.errors import ConfigError
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.secret import Secret
from strategykit.sim.coinapi_symbols import CoinSymbol
from strategykit.sim.served import ServerLimits

__all__ = ["SIMULATED_KEY", "CoinApiVenueConfig", "default_coinapi_instruments", "default_prices"]

SIMULATED_KEY: Final = "51d0a7ed-c01a-4a91-8e57-000000000001"
"""The key that opens a simulated venue unless others are chosen; the real venue knows it not."""

_OPENING: Final = {"BTC": Decimal(61_800), "ETH": Decimal(2_600), "SOL": Decimal("155.00")}

_STEPS: Final = {"BTC": ("0.1", "0.00001"), "ETH": ("0.01", "0.0001"), "SOL": ("0.01", "0.01")}
"""Tick and lot."""

_LISTED: Final = (
    *("KRAKEN_SPOT_ETH_EUR", "KRAKEN_SPOT_BTC_USD", "COINBASE_SPOT_BTC_USD"),
    *("COINBASE_SPOT_SOL_USD", "BINANCE_SPOT_BTC_USDT"),
)


def _not_negative(_: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if not value >= 0:
        raise ConfigError(f"the simulated venue's {attribute.name} must be 0 or above, not {value}")


def _above_zero(_: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if not value > 0:
        raise ConfigError(f"the simulated venue's {attribute.name} must be above 0, not {value}")


def _close_code(_: object, attribute: attrs.Attribute[Any], value: int) -> None:
    if not 1000 <= value <= 4999 or value in (1005, 1006, 1015):
        raise ConfigError(f"the simulated venue's {attribute.name} {value} can't be sent as a close code")


def _make_keys(keys: Iterable[str | Secret]) -> tuple[Secret, ...]:
    return tuple(key if isinstance(key, Secret) else Secret(key) for key in keys)


def default_coinapi_instruments() -> dict[str, Instrument]:
    """Give five markets on three venues, by symbol id."""
    return {symbol: _make_instrument(symbol) for symbol in _LISTED}


def _make_instrument(symbol: str) -> Instrument:
    exchange, _, base, quote = symbol.split("_")
    tick, lot = _STEPS[base]
    return Instrument(symbol, Decimal(tick), Decimal(lot), currency=quote, exchange=exchange, time_zone="UTC")


@attrs.frozen(kw_only=True)
class CoinApiVenueConfig:
    """The venue's market, limits and habits. A limit of 0 is none."""

    instruments: Mapping[str, Instrument] = attrs.field(factory=default_coinapi_instruments)
    """By symbol id, such as ``"KRAKEN_SPOT_ETH_EUR"``."""
    prices: Mapping[str, Decimal] = attrs.field(factory=dict)
    """Where markets open, by symbol id; those of BTC, ETH and SOL have a price of their own."""
    seed: int = 1
    actions_per_second: float = attrs.field(default=50.0, validator=_not_negative)
    """Of the generated crowd, on each instrument."""
    source: Iterable[tuple[int, Event]] | AsyncIterable[tuple[int, Event]] | None = None
    """A recording to serve in place of a generated market: market data with times in nanoseconds, oldest first. It has
    no books by order: they come by level."""
    source_speed: float = attrs.field(default=1.0, validator=_above_zero)
    """How much faster than recorded."""
    without_orders: frozenset[str] = frozenset({"BINANCE"})
    """Venues whose ``book_l3`` comes by level, without ids."""

    keys: tuple[Secret, ...] = attrs.field(default=(SIMULATED_KEY,), converter=_make_keys)
    exchange: str = ""
    """For DS: the venue of connections that name none by host or path; empty: that of the first instrument."""
    refuse_upgrades: bool = False
    """Answer an upgrade without a good key with 401; else the first message is answered with an error, as by the real
    venue. With it no key can come inside a message."""
    refusal_code: int = attrs.field(default=1008, validator=_close_code)
    """Close code after an error. What the real venue has isn't known, here and below."""
    overflow_code: int = attrs.field(default=1013, validator=_close_code)
    connections_per_key: int = attrs.field(default=10, validator=_not_negative)
    """At a time. Ordinary plans allow one."""
    window: float = attrs.field(default=10.0, validator=_above_zero)
    """Seconds that the next two count over."""
    connections_per_window: int = attrs.field(default=0, validator=_not_negative)
    """From one address, which here is everybody's; the real venue allows 10."""
    hellos_per_window: int = attrs.field(default=10, validator=_not_negative)
    """Of hello and subscribe messages of a key."""
    max_queue: int = attrs.field(default=131_072, validator=_above_zero)
    """Messages that wait for one client; beyond, it gets the documented error and is closed."""
    ping_every: float = attrs.field(default=60.0, validator=_not_negative)
    """Seconds; a client that hasn't answered by the next one is closed."""
    credits: int = attrs.field(default=1_000_000, validator=_not_negative)
    """For REST, a day; each costs up to 100 items."""
    sample_files: bool = False
    """Flat files as the venue's sample programs read them; else as its documentation has them."""

    limits: ServerLimits = attrs.field(factory=ServerLimits)
    """Its `max_unread` doesn't matter: `max_queue` does."""
    advances_per_second: float = attrs.field(default=100.0, validator=_above_zero)
    """How often the market goes on and the streams are told."""
    clock: Callable[[], int] | None = attrs.field(default=None, repr=False)
    """Gives nanoseconds UTC; None: the machine's clock."""


def default_prices(symbols: Iterable[CoinSymbol]) -> dict[str, Decimal]:
    """Give where markets open, as far as that is known, by symbol id."""
    return {symbol.name: _OPENING[symbol.base] for symbol in symbols if symbol.base in _OPENING}
