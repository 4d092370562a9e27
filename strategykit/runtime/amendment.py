"""A change of an order that is on its way to the venue."""

from __future__ import annotations

from decimal import Decimal

import attrs

from strategykit.model.events import OrderUpdate
from strategykit.model.orders import OrderRequest

__all__ = ["Amendment"]


@attrs.frozen(eq=False)
class Amendment:
    """What an order is to become."""

    request: OrderRequest
    sets_quantity: bool
    """Whether the strategy named the lots that are to be open from then on."""
    filled: Decimal = Decimal(0)
    """Lots that were known as filled under its number when it was sent."""
    sent: int = 0
    """Nanoseconds UTC; 0: by a run before, nobody knows when."""

    def shown_by(self, update: OrderUpdate, before: OrderRequest) -> bool:
        """Whether `update` shows the order as this changes it, and not as it was before; for amends in place."""
        lots = self.request.quantity + self.filled if self.sets_quantity else before.quantity
        wanted = (self.request.price, self.request.stop_price, lots)
        shown = (update.price, update.stop_price, update.quantity)
        return wanted == shown != (before.price, before.stop_price, before.quantity)
