"""All venues, by name; each is loaded when somebody asks for it, with its language and its simulation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Final

from strategykit.errors import ConfigError
from strategykit.registry.venue import Venue

__all__ = ["VENUES", "find_venue"]

_ENTRIES: Final[Mapping[str, tuple[str, str]]] = {
    "alor": ("alor", "ALOR"),
    "t4": ("t4", "T4_VENUE"),
    "coinapi": ("coinapi", "COINAPI"),
    "coinapi-ds": ("coinapi", "COINAPI_DS"),
    "seed": ("stream", "SEED"),
    "backpack": ("stream", "BACKPACK"),
    "binance": ("stream", "BINANCE"),
    "binance-usdm": ("stream", "BINANCE_USDM"),
    "relay": ("relay", "RELAY"),
}
"""The module beside this one that has a venue, and what it is called there."""


class _Venues(Mapping[str, Venue]):
    def __getitem__(self, name: str) -> Venue:
        module, entry = _ENTRIES[name]
        found = getattr(import_module(f"strategykit.registry.{module}"), entry)
        assert isinstance(found, Venue)
        return found

    def __contains__(self, name: object) -> bool:
        return name in _ENTRIES

    def __iter__(self) -> Iterator[str]:
        return iter(_ENTRIES)

    def __len__(self) -> int:
        return len(_ENTRIES)


VENUES: Final[Mapping[str, Venue]] = _Venues()


def find_venue(name: str) -> Venue:
    """Look one up.

    Raises:
        ConfigError: There's none of this name; it lists what there is.
    """
    if name not in VENUES:
        raise ConfigError(f"no venue is called {name!r}; there are {', '.join(VENUES)}")
    return VENUES[name]
