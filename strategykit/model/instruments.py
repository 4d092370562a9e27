"""What is traded, and how its prices and quantities are counted."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Final

import attrs

from strategykit.errors import ConfigError
from strategykit.model.events import Side

__all__ = ["Instrument", "TickBand"]

_PLAIN: Final = Decimal(1)


def _positive(_: Instrument, attribute: attrs.Attribute[Decimal], value: object) -> None:
    if not isinstance(value, Decimal) or not value.is_finite() or value <= 0:
        raise ConfigError(f"instrument {attribute.name} must be a Decimal above 0, not {value!r}")


@attrs.frozen(kw_only=True)
class TickBand:
    """Prices of an instrument whose step is another there."""

    tick: Decimal
    above: Decimal | None = None
    below: Decimal | None = None

    def holds(self, price: Decimal) -> bool:
        return (self.above is None or price > self.above) and (self.below is None or price < self.below)


@attrs.frozen
class Instrument:
    """One tradable thing on one venue."""

    symbol: str
    """The venue's string, such as ``"SBER"``."""
    tick: Decimal = attrs.field(default=Decimal("0.01"), validator=_positive)
    """Smallest step of a price; in `bands` it is another."""
    lot: Decimal = attrs.field(default=_PLAIN, validator=_positive)
    """Units a lot. Orders and positions are counted in lots."""
    multiplier: Decimal = attrs.field(default=_PLAIN, validator=_positive)
    """Money that one unit moves by for one whole point of price: 1 for shares, the point value for futures."""
    currency: str = "RUB"
    exchange: str = "MOEX"
    board: str | None = None
    description: str = ""
    time_zone: str = "Europe/Moscow"
    counts_units: bool = False
    """Whether its market data count units, not lots, as venues of currencies do. Orders are in lots all the same."""
    bands: tuple[TickBand, ...] = ()
    """Where prices have another step than `tick`; the first one that holds a price counts."""

    def tick_at(self, price: Decimal) -> Decimal:
        """Give the step of prices at `price`."""
        return next((band.tick for band in self.bands if band.holds(price)), self.tick)

    def round_price(self, price: Decimal | float | str, *, side: Side | None = None) -> Decimal:
        """Round to the tick: to the nearest, or away from crossing (a buy down, a sell up) when `side` is given.

        Raises:
            ConfigError: `price` is no number.
        """
        number = self._number(price)
        tick = self.tick_at(number) if self.bands else self.tick
        mode = ROUND_HALF_EVEN if side is None else ROUND_FLOOR if side is Side.BUY else ROUND_CEILING
        return (number / tick).to_integral_value(rounding=mode) * tick

    def ticks(self, price: Decimal | float | str) -> int:
        """Give `price` as a whole number of ticks.

        Raises:
            ConfigError: It lies between two ticks, or is no number.
        """
        steps = self._number(price) / self.tick
        whole = steps.to_integral_value()
        if whole != steps:
            raise ConfigError(f"{self.symbol}: price {price} isn't a multiple of the tick {self.tick}")
        return int(whole)

    def price(self, ticks: int) -> Decimal:
        """Give `ticks` as a price."""
        return self.tick * ticks

    def value(self, price: Decimal, quantity: Decimal) -> Decimal:
        """Money that `quantity` lots are worth at `price`."""
        return price * quantity * self.lot * self.multiplier

    def _number(self, price: Decimal | float | str) -> Decimal:
        try:
            number = Decimal(str(price))
        except ArithmeticError as exc:  # What `Decimal("abc")` raises is no ValueError.
            raise ConfigError(f"{self.symbol}: price {price!r} isn't a number") from exc
        if not number.is_finite():
            raise ConfigError(f"{self.symbol}: price {price!r} isn't a number")
        return number
