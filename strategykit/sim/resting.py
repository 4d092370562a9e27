"""Own orders that live on a paper exchange, and how far what the market shows reaches them."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import attrs

from strategykit.model.events import Side
from strategykit.sim.ledger import OrderRecord
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.models.queues import FillRule, Place
from strategykit.sim.recorded import Probe, RecordedMarket, exact

__all__ = ["Budget", "Resting"]

_ZERO: Final = Decimal(0)
_BUY: Final = Side.BUY


@attrs.define(eq=False)
class Budget:
    """The lots that one event leaves for own orders, all of them together; None: any number."""

    left: Decimal | None

    def take(self, lots: Decimal) -> Decimal:
        """Give as many of `lots` as there are, and count them as gone."""
        if self.left is None:
            return lots
        lots = min(lots, self.left)
        self.left -= lots
        return lots


@attrs.define(eq=False, init=False)
class Resting:
    """One order, with its numbers as the data have theirs: doubles compare as what was printed does."""

    record: OrderRecord
    buys: bool
    is_stop: bool
    limit: float | None
    place: Place | None
    """Its place in the queue, where one is kept."""

    def __init__(self, record: OrderRecord) -> None:
        request = record.request
        self.record = record
        self.buys = request.side is _BUY
        self.is_stop = request.stop_price is not None
        self.limit = None if request.price is None else float(request.price)
        self.place = None

    @property
    def waits_for_market(self) -> bool:
        """Whether it is a market order, which takes what comes."""
        return self.limit is None and not self.is_stop

    def fires(self, price: float | None) -> bool:
        """Whether it is a stop whose trigger a price has reached."""
        trigger = self.record.trigger
        if price is None or trigger is None or not self.record.request.active:
            return False
        return self.reaches(price, trigger)

    def fires_by(self, probe: Probe) -> bool:
        return self.fires(probe.highest if self.buys else probe.lowest)

    def reaches(self, price: float, trigger: Decimal) -> bool:
        """Whether a price would fire it, had it this trigger."""
        return price >= float(trigger) if self.buys else price <= float(trigger)

    def follow(self, price: float | None) -> bool:
        """Let the trigger of a trailing stop come after the market, in one direction only; say whether it has moved."""
        record = self.record
        if record.request.trail is None or price is None:
            return False
        before, record.trigger = record.trigger, self.trailed(price)
        return record.trigger != before

    def trailed(self, price: float) -> Decimal:
        """Give where the trigger of a trailing stop stands once the market was at a price."""
        trail, trigger = self.record.request.trail, self.record.trigger
        assert trail is not None
        there = exact(price) + trail * (1 if self.buys else -1)
        if trigger is None:
            return there
        return min(trigger, there) if self.buys else max(trigger, there)

    def queue_up(self, models: FillModels, market: RecordedMarket) -> None:
        """Take a place behind all that is shown at the limit now."""
        if models.rule.queues and self.limit is not None:
            chance = models.chance if models.rule is FillRule.PROBABILITY else None
            self.place = Place(chance, market.resting(self.record.request.side, self.limit))

    def met_by(self, probe: Probe, market: RecordedMarket, models: FillModels) -> Decimal:
        """Give the lots of a limit order that an event reaches, all that is left or, by its queue, fewer."""
        assert self.limit is not None
        place, bar = self.place, probe.opened is not None
        if place is not None and probe.volume is None:
            place.shown(market.resting(self.record.request.side, self.limit))
        reached = probe.buys if self.buys else probe.sells
        if reached is None or (models.only_trades and probe.volume is None):
            return _ZERO
        gap = self.limit - reached if self.buys else reached - self.limit
        if gap < 0:
            return _ZERO
        left = self.record.left
        if place is not None and probe.volume is not None and not bar:
            if probe.taker is self.record.request.side:
                return _ZERO  # Who takes on our side meets the others.
            if gap == 0:
                ours = exact(place.traded(float(market.lots(probe.volume))))
                return _ZERO if ours <= 0 else min(ours, left) if models.partial else left
        strict = models.rule is FillRule.TRADE_THROUGH or (bar and place is not None)
        return left if gap > 0 or not strict else _ZERO
