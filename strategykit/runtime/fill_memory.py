"""Which fills have been counted, and which came before anybody knew whose they are."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from strategykit.model.events import Fill, Side

__all__ = ["FillMemory"]

_Key = tuple[str, str, Side]

_EARLY: Final = 1_000
"""Fills for numbers that aren't known yet, kept until a reply names the number; older ones are other people's."""

_FOREIGN: Final = 100_000
"""Fills of other people's orders that are told apart; an account with more has somebody else's books to look after."""


class FillMemory:
    """Makes a fill count once."""

    def __init__(self) -> None:
        self._counted: set[_Key] = set()
        self.early: OrderedDict[_Key, Fill] = OrderedDict()
        """For orders that may turn out to be ours."""
        self._others: set[_Key] = set()
        self._foreign: dict[str, Decimal] = {}

    @property
    def foreign(self) -> Mapping[str, Decimal] | None:
        """Lots that fills which aren't ours have added up to, by instrument; None: they were too many to be counted."""
        return self._foreign if len(self._others) < _FOREIGN else None

    def counted(self, fill: Fill) -> bool:
        """Whether it has been counted."""
        return _key(fill) in self._counted

    def count(self, fill: Fill) -> None:
        """Note that it was counted. After it was applied: a fill that failed halfway would be lost otherwise."""
        key = _key(fill)
        self._counted.add(key)
        if self._others and key in self._others:  # It came before anybody knew whose it is.
            self._others.discard(key)
            self._add(fill, -fill.side.sign)

    def keep(self, fill: Fill) -> None:
        """Keep it for the order that may turn out to be its own."""
        key = _key(fill)
        self.early[key] = fill
        if key not in self._others and len(self._others) < _FOREIGN:
            self._others.add(key)
            self._add(fill, fill.side.sign)
        if len(self.early) > _EARLY:
            self.early.popitem(last=False)

    def take(self, number: str) -> list[Fill]:
        """Give what was kept for the order `number`, oldest first, and keep it no longer."""
        keys = [key for key, fill in self.early.items() if fill.venue_order_id == number]
        return [self._ours(key) for key in keys]

    def _ours(self, key: _Key) -> Fill:
        fill = self.early.pop(key)
        if key in self._others:
            self._others.discard(key)
            self._add(fill, -fill.side.sign)
        return fill

    def _add(self, fill: Fill, sign: int) -> None:
        self._foreign[fill.instrument] = self._foreign.get(fill.instrument, Decimal(0)) + fill.quantity * sign


def _key(fill: Fill) -> _Key:
    # The side belongs to it: where two orders of the account meet, both fills carry one number.
    return fill.instrument, fill.trade_id, fill.side
