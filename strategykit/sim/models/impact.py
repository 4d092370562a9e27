"""What taking costs beyond the prices that were there: nothing, unless one says so."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from typing import Any, Final

import attrs

from strategykit.errors import ConfigError
from strategykit.model.events import Side
from strategykit.model.instruments import Instrument

__all__ = ["NO_IMPACT", "Impact"]

_ZERO: Final = Decimal(0)


def _sound(_: Impact, attribute: attrs.Attribute[Any], value: Decimal) -> None:
    if not value.is_finite() or value < 0:
        raise ConfigError(f"impact {attribute.name} must be 0 ticks or more, not {value}")


@attrs.frozen(kw_only=True)
class Impact:
    """Ticks by which a taker's price is worse, summed up and rounded up to whole ticks; a limit is never passed.

    The recorded market doesn't notice: who comes next meets it as it was.
    """

    ticks: Decimal = attrs.field(default=_ZERO, validator=_sound)
    """In any case."""
    ticks_per_lot: Decimal = attrs.field(default=_ZERO, validator=_sound)
    ticks_per_root_lot: Decimal = attrs.field(default=_ZERO, validator=_sound)
    """Times the square root of the lots, as studies of large orders find it."""

    def price(
        self, instrument: Instrument, side: Side, price: Decimal, quantity: Decimal, limit: Decimal | None
    ) -> Decimal:
        """Give what a taker pays or gets.

        Args:
            instrument: For its tick.
            side: The taker's.
            price: What was there.
            quantity: Lots taken at it.
            limit: The order's own; None: any price.
        """
        ticks = self.ticks + self.ticks_per_lot * quantity
        if self.ticks_per_root_lot:
            ticks += self.ticks_per_root_lot * quantity.sqrt()
        if not ticks:
            return price
        worse = price + ticks.to_integral_value(ROUND_CEILING) * instrument.tick * side.sign
        worse = max(worse, instrument.tick)
        if limit is None:
            return worse
        return min(worse, limit) if side is Side.BUY else max(worse, limit)


NO_IMPACT: Final = Impact()
"""One gets the prices that were there."""
