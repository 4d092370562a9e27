"""What own orders have taken of the lots that a recorded market goes on showing."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import attrs

from strategykit.model.events import Side

__all__ = ["Offer", "Taken"]

Offer = tuple[Decimal, Decimal | None]
"""A price, and the lots to be had at it; None: any number."""

_ZERO: Final = Decimal(0)


@attrs.define(eq=False)
class Taken:
    """One instrument's levels that own orders took of; each counts as whole again once another size of it is told."""

    _levels: dict[tuple[Side, Decimal], tuple[Decimal, Decimal]] = attrs.field(factory=dict, init=False)
    """What was shown and what was taken, by the takers' side and the price."""

    def left(self, side: Side, offers: list[Offer]) -> list[Offer]:
        """Give what is left of `offers` for those who take on `side`; levels that are used up are left out."""
        found: list[Offer] = []
        for price, size in offers:
            left = None if size is None else size - self._of(side, price, size)
            if left is None or left > 0:
                found.append((price, left))
        return found

    def take(self, side: Side, offers: list[Offer], lots: Decimal) -> None:
        """Note that `lots` were taken from the best of `offers`, which are as the market shows them."""
        for price, size in offers:
            if size is not None:
                before = self._of(side, price, size)
                more = min(lots, size - before)
                self._levels[side, price] = size, before + more
                lots -= more

    def _of(self, side: Side, price: Decimal, size: Decimal) -> Decimal:
        shown, taken = self._levels.get((side, price), (size, _ZERO))
        return taken if shown == size else _ZERO
