"""The orders of one instrument on a paper exchange, and how they meet what its data show."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from strategykit.model.events import Bar, Event, OrderStatus
from strategykit.model.orders import TimeInForce
from strategykit.sim.agenda import Agenda, Lapse
from strategykit.sim.ledger import Ledger, OrderRecord
from strategykit.sim.matching import Why
from strategykit.sim.models.bars import BarPrice
from strategykit.sim.models.depth import Offer, Taken
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.models.impact import NO_IMPACT
from strategykit.sim.models.queues import FillRule
from strategykit.sim.recorded import Probe, RecordedMarket, exact
from strategykit.sim.resting import Budget, Resting
from strategykit.sim.within_bar import NOWHERE, Met, Ways, depends, fired, leaves_limit_in_doubt, meet, those_that_wait
from strategykit.venues.dialect import Reply

__all__ = ["PaperMarket", "Told"]

Told = list[Reply | Event]

_WHOLE: Final = frozenset({TimeInForce.FILL_OR_KILL, TimeInForce.AT_THE_CLOSE})
_AT_ONCE: Final = _WHOLE | {TimeInForce.IMMEDIATE_OR_CANCEL}
_FILLED: Final = OrderStatus.FILLED
_UNBOUNDED: Final = Budget(None)


class PaperMarket:
    """One instrument.

    Args:
        market: Its data.
        models: What is assumed.
        ledger: Where orders and fills are written down.
        agenda: Takes when orders lapse.
        number: Gives the number of the order that a stop becomes.
        trade_number: Gives the numbers of fills.
    """

    def __init__(
        self,
        market: RecordedMarket,
        models: FillModels,
        ledger: Ledger,
        agenda: Agenda,
        number: Callable[[], int],
        trade_number: Callable[[], int],
    ) -> None:
        self.market = market
        self.live: dict[str, Resting] = {}
        """By number, in the order in which they were placed."""
        self.unpriced = False
        """Whether market orders wait for the first data."""
        self._models = models
        self._ledger = ledger
        self._agenda = agenda
        self._number = number
        self._trade_number = trade_number
        self._impact = models.impact != NO_IMPACT
        self._taken = Taken()
        self._doubtful = 0

    def place(self, record: OrderRecord, now: int, told: Told) -> None:
        """Let a new order in: it takes what it can, rests, waits or ends."""
        market = self.market
        order = self.live[record.venue_order_id] = Resting(record)
        if record.request.expire_time is not None or self._models.day_end is not None:
            self._plan_end(record, now)
        if not order.is_stop:
            # What is fine is known, and no order waits for a bar of it.
            if market.fine or (market.known and not self._waits_for_bar(order)):
                self._arrive(order, now, told)
            elif order.limit is None:
                self.unpriced = self.unpriced or not market.known
            else:
                order.queue_up(self._models, market)
            return
        last = market.last
        self._follow(order, last, now, told)
        if last is not None and order.fires(last) and not self._waits_for_bar(order):
            self._trigger(order, None, now, told)

    def meet(self, event: Event, now: int, told: Told) -> None:
        """Let the live orders meet what an event showed."""
        probe = self.market.probe(event)
        orders = list(self.live.values())
        firing: dict[Resting, Met] = {}
        if type(event) is Bar and (found := self._met_in_bar(orders, probe, event)):
            for late in those_that_wait(found, event, self._models.bars):
                orders.remove(late)
                self._follow(late, probe.lowest if late.buys else probe.highest, now, told)
            firing = self._fired_in_bar(found, event)
        budget = _UNBOUNDED
        if self._models.partial and probe.volume is not None:
            lots = self.market.lots(probe.volume)
            budget = Budget(lots if probe.opened is None else lots * exact(self._models.bar_share))
        for order in orders:
            self._meet(order, probe, budget, now, told, firing.get(order))

    def end(self, record: OrderRecord, status: OrderStatus, now: int, told: Told, reason: str | None = None) -> None:
        """Take an order out."""
        del self.live[record.venue_order_id]
        told.append(self._ledger.end(record.venue_order_id, status, now, reason=reason))

    def warnings(self) -> list[str]:
        """Say on what the result depends that the data don't tell."""
        if not self._doubtful:
            return []
        symbol, rule = self.market.instrument.symbol, self._models.bars.value
        if self._doubtful == 1:
            which, first = "1 bar", "its high or its low came first, which it doesn't"
        else:
            which, first = f"{self._doubtful:,} bars", "their high or their low came first, which they don't"
        return [f"{symbol}: what {which} made of the orders depends on whether {first} say (bars = {rule})"]

    def _plan_end(self, record: OrderRecord, now: int) -> None:
        request, day_end = record.request, self._models.day_end
        if request.expire_time is not None:
            self._agenda.add(request.expire_time, Lapse(record.venue_order_id))
        elif day_end is not None and request.time_in_force is TimeInForce.DAY:
            end = day_end.after(now, self.market.instrument.time_zone)
            self._agenda.add(end, Lapse(record.venue_order_id))

    def _waits_for_bar(self, order: Resting) -> bool:
        """Whether an order meets nothing before the next bar."""
        market, models = self.market, self._models
        waits = models.next_open if order.waits_for_market else models.next_bar
        return waits and market.top is None and not market.fine

    def _met_in_bar(self, orders: list[Resting], probe: Probe, bar: Bar) -> dict[Resting, Ways]:
        """Say what a bar may meet, and where; it takes up nothing of a queue, and fills nothing."""
        found: dict[Resting, Ways] = {}
        for one in orders:
            if bar.open_time >= one.record.created and (
                one.is_stop or (one.limit is not None and one.met_by(probe, self.market, self._models))
            ):
                ways = meet(one, bar)
                if ways != NOWHERE:
                    found[one] = ways
        return found

    def _fired_in_bar(self, found: dict[Resting, Ways], bar: Bar) -> dict[Resting, Met]:
        """Give the stops that a bar fires; count it if what becomes of all orders isn't known without a rule."""
        firing = {
            one: met
            for one, ways in found.items()
            if one.is_stop and (met := fired(one, ways, bar, self._models.bars)) is not None
        }
        doubtful = any(leaves_limit_in_doubt(one, met, bar) for one, met in firing.items())
        self._doubtful += doubtful or depends(found)
        return firing

    def _meet(self, order: Resting, probe: Probe, budget: Budget, now: int, told: Told, firing: Met | None) -> None:
        record, request = order.record, order.record.request
        if probe.since is not None and probe.since < record.created:
            if order.waits_for_market and not self._models.next_open:  # It waited for data, and takes the close.
                self._arrive(order, now, told)
            return
        if order.is_stop:
            if firing is not None:
                self._fire_in_bar(order, firing, now, told)
            elif probe.opened is None and order.fires_by(probe):
                self._trigger(order, None, now, told)
            else:
                self._follow(order, probe.lowest if order.buys else probe.highest, now, told)
            return
        if request.price is None:
            opened = probe.opened if self._models.next_open else None
            self._arrive(order, now, told, at=None if opened is None else exact(opened))
            return
        lots = order.met_by(probe, self.market, self._models)
        if lots and self._models.partial:
            lots = self._had(order, lots, probe, budget)
        if lots:
            self._fill(record, self._maker_price(order, probe), lots, now, told, maker=True)

    def _fire_in_bar(self, stop: Resting, met: Met, now: int, told: Told) -> None:
        """Fire a stop where a bar met it: at its trigger, or at the open if that lay beyond it already."""
        record, at = stop.record, met.price
        assert record.trigger is not None
        if at < record.trigger if stop.buys else at > record.trigger:  # It trails, and had followed before.
            record.trigger, record.updated = at, now
            told.append(record.update(now))
        if self._models.stop_at_close and self.market.last is not None:
            close = exact(self.market.last)
            at = max(at, close) if stop.buys else min(at, close)
        self._trigger(stop, at, now, told)

    def _follow(self, order: Resting, price: float | None, now: int, told: Told) -> None:
        """Let a trailing stop come after the market; its owner is told of each new trigger, as venues tell it."""
        if order.follow(price):
            order.record.updated = now
            told.append(order.record.update(now))

    def _had(self, order: Resting, lots: Decimal, probe: Probe, budget: Budget) -> Decimal:
        """Give how many of the lots that an order could have are there for it."""
        if probe.volume is not None:
            return budget.take(lots)
        limit, side = order.record.request.price, order.record.request.side
        assert limit is not None
        shown = self.market.offers(side, limit=limit)
        left = self._taken.left(side, shown)
        there = sum((lots if size is None else size for _, size in left), Decimal(0))
        lots = min(lots, there)
        self._taken.take(side, shown, lots)
        return lots

    def _maker_price(self, order: Resting, probe: Probe) -> Decimal:
        request, rule = order.record.request, self._models.bar_price
        assert request.price is not None
        if rule is BarPrice.LIMIT or probe.opened is None:
            return request.price
        # A buy's limit lies above what it can get; the bar's worst price for it is the highest.
        worst = probe.highest if order.buys else probe.lowest
        there = exact(probe.opened if rule is BarPrice.OPEN or worst is None else worst)
        return min(there, request.price) if order.buys else max(there, request.price)

    def _trigger(self, stop: Resting, at: Decimal | None, now: int, told: Told) -> None:
        number = str(self._number())
        told += self._ledger.trigger(stop.record.venue_order_id, number, now)
        del self.live[stop.record.venue_order_id]
        child = self.live[number] = Resting(self._ledger.records[number])
        self._plan_end(child.record, now)
        self._arrive(child, now, told, at=at)

    def _arrive(self, order: Resting, now: int, told: Told, *, at: Decimal | None = None) -> None:
        """Let an order take what it can; the rest of it rests or ends.

        Args:
            order: New, or one that has waited.
            now: Nanoseconds UTC.
            told: Takes what is told of it.
            at: The price at which a bar has any number of lots for it; None: it takes what the market offers now.
        """
        record, request, models = order.record, order.record.request, self._models
        force, price, side, left = request.time_in_force, request.price, request.side, record.left
        offers: list[Offer]
        if at is None:  # Of a deep book, no more levels than it needs.
            offers = self.market.offers(side, limit=price, lots=None if models.partial else left)
        else:
            offers = [(at, None)]
        if price is not None:
            # A last price that only touches the limit fills it by the rule; a quote that does can be taken.
            strict = models.rule is not FillRule.TOUCH and self.market.top is None
            offers = [
                offer
                for offer in offers
                if (offer[0] <= price if order.buys else offer[0] >= price) and not (strict and offer[0] == price)
            ]
            if force is TimeInForce.POST_ONLY:
                if offers:
                    self.end(record, OrderStatus.CANCELLED, now, told, Why.WOULD_TAKE.value)
                else:
                    order.queue_up(models, self.market)
                return
        there = self._taken.left(side, offers) if models.partial else offers
        if force in _WHOLE:
            lots = sum((left if size is None else size for _, size in there), Decimal(0))
            if lots < left:
                self.end(record, OrderStatus.CANCELLED, now, told, Why.NOT_WHOLE.value)
                return
        before = left
        for level, size in there:
            taken = left if size is None else min(size, left)
            if taken:
                self._fill(record, level, taken, now, told, maker=False)
                left -= taken
        if models.partial:
            self._taken.take(side, offers, before - left)
        if not left:
            return
        if price is None and offers and force not in _AT_ONCE and models.beyond_depth:
            beyond = offers[-1][0] + self.market.instrument.tick * side.sign
            self._fill(record, beyond, left, now, told, maker=False)
        elif price is None or force in _AT_ONCE:
            self.end(record, OrderStatus.CANCELLED, now, told, Why.NO_LIQUIDITY.value)
        else:
            order.queue_up(models, self.market)

    def _fill(
        self, record: OrderRecord, price: Decimal, quantity: Decimal, now: int, told: Told, *, maker: bool
    ) -> None:
        request = record.request
        if not maker and self._impact:
            price = self._models.impact.price(self.market.instrument, request.side, price, quantity, request.price)
        told += self._ledger.fill(record, price, quantity, now, trade_id=str(self._trade_number()), maker=maker)
        if record.status is _FILLED:
            del self.live[record.venue_order_id]
