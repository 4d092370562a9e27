"""What trading costs."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import attrs

from strategykit.errors import ConfigError
from strategykit.model.instruments import Instrument

__all__ = ["NO_FEES", "FeeModel", "round_money"]

_NOTHING: Final = Decimal(0)
_ONE: Final = Decimal(1)


def _finite(_: FeeModel, attribute: attrs.Attribute[Decimal], value: Decimal) -> None:
    if not value.is_finite():
        raise ConfigError(f"fee {attribute.name} must be a finite number, not {value}")


def _above_zero(_: FeeModel, attribute: attrs.Attribute[Decimal], value: Decimal) -> None:
    if not value.is_finite() or value <= 0:
        raise ConfigError(f"fee {attribute.name} must be above 0, not {value}")


def round_money(money: Decimal, step: Decimal, rounding: str = ROUND_HALF_EVEN) -> Decimal:
    """Round to a multiple of `step` by one of the `decimal` module's rounding modes."""
    return (money / step).quantize(_ONE, rounding=rounding) * step


@attrs.frozen(kw_only=True)
class FeeModel:
    """A share of the value, a sum a lot, or both; a negative rate is a rebate.

    A maker's order rested when it was filled; a taker's order met one that did.
    """

    maker_rate: Decimal = attrs.field(default=_NOTHING, validator=_finite)
    """Share of the traded value: 0.001 is 0.1 %."""
    taker_rate: Decimal = attrs.field(default=_NOTHING, validator=_finite)
    maker_per_lot: Decimal = attrs.field(default=_NOTHING, validator=_finite)
    """Money a lot, in the instrument's currency."""
    taker_per_lot: Decimal = attrs.field(default=_NOTHING, validator=_finite)
    step: Decimal = attrs.field(default=Decimal("0.01"), validator=_above_zero)
    """The smallest money unit; each fill's fee is rounded to it."""
    rounding: str = ROUND_HALF_EVEN
    """One of the `decimal` module's rounding modes."""

    def fee(self, instrument: Instrument, price: Decimal, quantity: Decimal, *, maker: bool) -> Decimal:
        """Give the fee of a fill of `quantity` lots, in the instrument's currency."""
        rate = self.maker_rate if maker else self.taker_rate
        per_lot = self.maker_per_lot if maker else self.taker_per_lot
        exact = instrument.value(price, quantity) * rate + quantity * per_lot
        return round_money(exact, self.step, self.rounding)


NO_FEES: Final = FeeModel()
"""Trading for nothing."""
