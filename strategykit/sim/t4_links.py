"""Linked orders of the simulated T4 venue: one cancels the other, and brackets around a trigger.

Source: T4 protocol sheet, section 3.5. What it marks as hearsay, or leaves open, is done in the simplest way that
fits: an exit of AUTO_OCO_M reduces the exits of the other kind only.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from strategykit.sim.t4_live import LinkGroup, LiveOrder
from strategykit.sim.t4_orders import OrderDesk
from strategykit.sim.t4_tickets import BRACKETS, OFFSETS, SPARKS
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.server_orders import OrderTrade

__all__ = ["Links"]

_MANY = frozenset({enums.ORDER_LINK_AUTO_OCO_M, enums.ORDER_LINK_AUTO_OCO_MP})


class Links:
    """What one order's news means for those that it is linked with."""

    def __init__(self, desk: OrderDesk) -> None:
        self._desk = desk

    def settle(self, now: int) -> bool:
        """Do all that follows from what happened; give whether there was anything."""
        news = self._desk.news
        any_news = bool(news)
        while news:
            live, trade = news.popleft()
            if live.group is not None:
                self._settle(live.group, live, trade, now)
        return any_news

    def _settle(self, group: LinkGroup, live: LiveOrder, trade: OrderTrade | None, now: int) -> None:
        trigger, *children = group.orders
        if group.kind == enums.ORDER_LINK_OCO:
            if trade is not None:
                self._reduce(group.orders, live, trade.volume, now)
        elif live is trigger:
            if trade is None:
                if not live.told.filled:
                    self._pull(children, "its trigger ended unfilled", now)
            elif group.kind in SPARKS:
                self._release(children, now)
            else:
                self._extend(group, children, trade, now)
        elif trade is not None and group.kind in BRACKETS:
            self._pull([trigger], "its exit began to fill", now)
            if group.kind in _MANY:
                children = [child for child in children if child.stops is not live.stops]
            self._reduce(children, live, trade.volume, now)

    def _reduce(self, orders: Iterable[LiveOrder], live: LiveOrder, lots: int, now: int) -> None:
        """Take from the others what one has filled; cancel them once it is filled whole."""
        for other in orders:
            if other is live or other.finished:
                continue
            told = other.told
            volume = told.current_volume - lots
            if live.finished or volume <= told.filled:
                self._desk.pull(other, now, reason="an order linked with it was filled")
            else:
                told.new_volume = volume
                self._desk.revise(other, now, detail="an order linked with it was filled in part")

    def _release(self, children: Iterable[LiveOrder], now: int) -> None:
        for child in children:
            if child.held:
                self._desk.send(child, now)

    def _pull(self, orders: Iterable[LiveOrder], reason: str, now: int) -> None:
        for order in orders:
            if not order.finished:
                self._desk.pull(order, now, reason=reason)

    def _extend(self, group: LinkGroup, children: Iterable[LiveOrder], trade: OrderTrade, now: int) -> None:
        """Let the exits cover what the trigger has filled."""
        first = group.base is None
        if group.base is None:
            group.base = trade.price
        for child in children:
            told = child.told
            if child.finished:
                continue
            if first:
                _place(child, group.base if group.kind in OFFSETS else Decimal(0), group.base)
            volume = told.current_volume + trade.volume
            told.new_volume = min(volume, told.max_volume) if told.max_volume else volume
            if child.held:
                self._desk.send(child, now)
            elif told.new_volume != told.current_volume:
                self._desk.revise(child, now)


def _place(child: LiveOrder, base: Decimal, filled_at: Decimal) -> None:
    """Make prices of an exit's offsets."""
    told = child.told
    if told.new_limit is not None:
        told.new_limit += base
    if told.new_stop is not None:
        told.new_stop += base
    elif told.trail is not None:
        told.new_stop = filled_at + child.side.sign * told.trail
