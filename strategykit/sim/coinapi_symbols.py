"""Instruments of the simulated CoinAPI as it names them.

Source: CoinAPI protocol sheet, section 8, "Symbol ids".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from strategykit.errors import ConfigError
from strategykit.model.instruments import Instrument
from strategykit.venues.coinapi.server_scope import Subject

__all__ = ["CoinSymbol", "list_symbols"]

_KIND: Final = "SPOT"


@attrs.frozen(eq=False)
class CoinSymbol:
    """One of them."""

    name: str
    """The symbol id."""
    exchange: str
    base: str
    quote: str
    price_step: float
    size_step: float
    """Base units a lot."""
    _price_places: int
    _size_places: int
    subject: Subject

    @property
    def venue_name(self) -> str:
        """What the venue itself calls it."""
        return f"{self.base}-{self.quote}"

    def price(self, value: float) -> float:
        """Give a price without the dust of binary arithmetic."""
        return round(value, self._price_places)

    def size(self, lots: float) -> float:
        """Give lots in base units."""
        return self.units(lots * self.size_step)

    def units(self, value: float) -> float:
        """Give base units without such dust."""
        return round(value, self._size_places)


def list_symbols(instruments: Iterable[Instrument]) -> dict[str, CoinSymbol]:
    """Name instruments, by symbol id.

    Raises:
        ConfigError: A symbol isn't one of a spot market.
    """
    return {instrument.symbol: _make_symbol(instrument) for instrument in instruments}


def _make_symbol(instrument: Instrument) -> CoinSymbol:
    name = instrument.symbol
    parts = name.split("_")
    # A duplicate has another part at the end.
    if len(parts) not in (4, 5) or parts[1] != _KIND or not all(parts):
        raise ConfigError(f"{name!r} is no symbol id of a spot market, such as 'KRAKEN_SPOT_ETH_EUR'")
    exchange, _, base, quote = parts[:4]
    return CoinSymbol(
        name,
        exchange,
        base,
        quote,
        float(instrument.tick),
        float(instrument.lot),
        _places(instrument.tick.as_tuple().exponent),
        _places(instrument.lot.as_tuple().exponent),
        Subject(name, exchange, base, quote),
    )


def _places(exponent: int | str) -> int:
    return max(0, -int(exponent))
