"""What a bar's four prices say of own orders: which of them it met, and what depends on which extreme came first.

A bar is taken to go straight from its open to one extreme, to the other, and to its close: two ways, on each of which
an order is met somewhere or nowhere. Where both agree, the bar tells what happened; where they don't, a rule decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import attrs

from strategykit.model.events import Bar
from strategykit.sim.models.bars import BarRule, stops_go_first
from strategykit.sim.recorded import exact
from strategykit.sim.resting import Resting

__all__ = ["NOWHERE", "Met", "Ways", "depends", "fired", "leaves_limit_in_doubt", "meet", "those_that_wait"]


@attrs.frozen
class Met:
    """Where on a way an order is met."""

    at: tuple[int, float]
    """0: at the open, 1 and 2: before the first and the second extreme, 3: before the close; and how far from there."""
    price: Decimal
    """The order's trigger or limit, or the open where a stop's lay beyond that."""


Ways = tuple[Met | None, Met | None]
"""The way on which the high came first, and that on which the low did; None: the order isn't met."""

_OPEN: Final = (0, 0.0)
_NEVER: Final = (4, 0.0)
NOWHERE: Final[Ways] = (None, None)


def meet(order: Resting, bar: Bar) -> Ways:
    """Hold an order against a bar that began after it was placed: a stop, or a limit order that the bar reaches."""
    if not order.is_stop:
        limit = order.record.request.price
        assert limit is not None
        return _meet_price(limit, bar, above=not order.buys)
    trigger = order.record.trigger
    assert trigger is not None
    if not order.record.request.active:
        return NOWHERE
    if order.fires(bar.open):
        met = Met(_OPEN, exact(bar.open))
        return met, met
    if order.record.request.trail is not None:
        return _meet_trailing(order, bar)
    return _meet_price(trigger, bar, above=order.buys) if order.fires(_ahead(order, bar)) else NOWHERE


def fired(stop: Resting, ways: Ways, bar: Bar, rule: BarRule) -> Met | None:
    """Say by a rule where a bar fires a stop.

    `BOTH` and `LIMIT_FIRST` have the extreme that the stop lies on come first, before its trail follows the other one;
    `STOP_FIRST` fires what may have fired.
    """
    near, far = ways if stop.buys else ways[::-1]
    if rule is BarRule.STOP_FIRST:
        return near or far
    if rule is BarRule.NEAREST_FIRST and not stops_go_first(rule, bar.open, bar.high, bar.low, buys=stop.buys):
        return far
    return near


def depends(found: Mapping[Resting, Ways]) -> bool:
    """Whether it depends on the first extreme which orders are met, where, or in which order."""
    return _in_order(found, 0) != _in_order(found, 1)


def leaves_limit_in_doubt(stop: Resting, met: Met, bar: Bar) -> bool:
    """Whether the limit that a stop becomes is met by the bar's other extreme if that came later, and not otherwise."""
    limit = stop.limit
    if limit is None or met.at == _OPEN:
        return False
    if stop.buys:
        return bar.low <= limit < min(float(met.price), bar.close)
    return bar.high >= limit > max(float(met.price), bar.close)


def those_that_wait(found: Mapping[Resting, Ways], bar: Bar, rule: BarRule) -> list[Resting]:
    """Give the orders that are left for the next bar, as this one met a stop, or a limit, of their side before.

    Args:
        found: What the bar may meet, and where.
        bar: That meets it.
        rule: Decides where both ways don't agree.
    """
    waiting: list[Resting] = []
    if rule is BarRule.BOTH:
        return waiting
    for buys in (True, False):
        stops = [one for one in found if one.buys is buys and one.is_stop]
        limits = [one for one in found if one.buys is buys and not one.is_stop]
        if not stops or not limits:
            continue
        times = [[min(_time(found[one][way]) for one in group) for group in (stops, limits)] for way in (0, 1)]
        stops_lead = {stop < limit for stop, limit in times if stop != limit}
        known = len(stops_lead) == 1
        first = stops_lead.pop() if known else stops_go_first(rule, bar.open, bar.high, bar.low, buys=buys)
        waiting += limits if first else stops
    return waiting


def _meet_price(price: Decimal, bar: Bar, *, above: bool) -> Ways:
    """Give where a bar that reaches a price does so."""
    there = float(price)
    if bar.open >= there if above else bar.open <= there:
        met = Met(_OPEN, price)
        return met, met
    soon = Met((1, abs(there - bar.open)), price)
    late = Met((2, abs(there - (bar.low if above else bar.high))), price)
    return (soon, late) if above else (late, soon)


def _meet_trailing(stop: Resting, bar: Bar) -> Ways:
    """Give where a stop fires that follows the market: by its trigger as it stood, or as the bar has moved it."""
    ahead, behind = _ahead(stop, bar), bar.low if stop.buys else bar.high
    moved = stop.trailed(behind)
    if not stop.reaches(ahead, moved):
        return NOWHERE  # Nor does anything else: the trigger was nowhere nearer, and the bar nowhere further.
    # On either way the open comes before the extremes, and the close after them.
    began = stop.trailed(bar.open)
    near: Met | None = None
    if stop.reaches(ahead, began):
        near = Met((1, abs(float(began) - bar.open)), began)
    elif stop.reaches(bar.close, moved):
        near = Met((3, abs(float(moved) - behind)), moved)
    far = Met((2, abs(float(moved) - behind)), moved)
    return (near, far) if stop.buys else (far, near)


def _ahead(stop: Resting, bar: Bar) -> float:
    """Give the extreme that can fire a stop."""
    return bar.high if stop.buys else bar.low


def _time(met: Met | None) -> tuple[int, float]:
    return _NEVER if met is None else met.at


def _in_order(found: Mapping[Resting, Ways], way: int) -> Sequence[tuple[Resting, Decimal]]:
    met = [(place.at, one, place.price) for one, ways in found.items() if (place := ways[way]) is not None]
    return [(one, price) for _, one, price in sorted(met, key=lambda item: item[0])]
