"""All venues, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from strategykit.errors import ConfigError
from strategykit.registry.alor import ALOR
from strategykit.registry.coinapi import COINAPI, COINAPI_DS
from strategykit.registry.relay import RELAY
from strategykit.registry.stream import BACKPACK, BINANCE, BINANCE_USDM, SEED
from strategykit.registry.t4 import T4_VENUE
from strategykit.registry.venue import Venue

__all__ = ["VENUES", "find_venue"]

VENUES: Final[Mapping[str, Venue]] = {
    venue.name: venue for venue in (ALOR, T4_VENUE, COINAPI, COINAPI_DS, SEED, BACKPACK, BINANCE, BINANCE_USDM, RELAY)
}


def find_venue(name: str) -> Venue:
    """Look one up.

    Raises:
        ConfigError: There's none of this name; it lists what there is.
    """
    try:
        return VENUES[name]
    except KeyError:
        raise ConfigError(f"no venue is called {name!r}; there are {', '.join(VENUES)}") from None
