"""Which fills have been counted, and which came before anybody knew whose they are."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from strategykit.model.events import Fill, Side

__all__ = ["FillMemory"]

_Key = tuple[str, str, Side]

_EARLY: Final = 1_000
"""Fills for numbers that aren't known yet, kept until a reply names the number; older ones are other people's."""


class FillMemory:
    """Makes a fill count once."""

    def __init__(self) -> None:
        self._counted: set[_Key] = set()
        self._early: OrderedDict[_Key, Fill] = OrderedDict()

    def counted(self, fill: Fill) -> bool:
        """Whether it has been counted."""
        return _key(fill) in self._counted

    def count(self, fill: Fill) -> None:
        """Note that it was counted. After it was applied: a fill that failed halfway would be lost otherwise."""
        self._counted.add(_key(fill))

    def keep(self, fill: Fill) -> None:
        """Keep it for the order that may turn out to be its own."""
        self._early[_key(fill)] = fill
        if len(self._early) > _EARLY:
            self._early.popitem(last=False)

    def take(self, number: str) -> list[Fill]:
        """Give what was kept for the order `number`, oldest first, and keep it no longer."""
        found = [key for key, fill in self._early.items() if fill.venue_order_id == number]
        return [self._early.pop(key) for key in found]


def _key(fill: Fill) -> _Key:
    # The side belongs to it: where two orders of the account meet, both fills carry one number.
    return fill.instrument, fill.trade_id, fill.side
