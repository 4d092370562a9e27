"""Orders named as a run of ours names its own, and that nobody here knows: they are told of, and never touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from strategykit.model.events import OrderStatus, OrderUpdate

__all__ = ["Strays"]


@attrs.define(eq=False)
class Strays:
    """Tells of each once.

    What this run sends is known before it leaves: one of its name that isn't is told of at once. An earlier run's is
    one whose record was lost, or one that had ended. That it works may be old news then; so the venue is asked, and it
    is told of when two of its lists have it at work.
    """

    _tag: str
    """Of this run."""
    _earlier: Sequence[str]
    """Tags of the account's runs before."""
    _contradict: Callable[[str], None]
    _doubt: Callable[[float], None]
    """Has the venue asked, after so many seconds."""
    _lists: dict[str, int] = attrs.field(factory=dict, init=False)
    """How many lists had an order of an earlier run at work, by its number."""
    _told: set[str] = attrs.field(factory=set, init=False)
    """Numbers."""

    def shown(self, update: OrderUpdate, *, listed: bool) -> None:
        """Look at what the venue says of an order that isn't known; in a list that it was asked for or not."""
        name, number = update.client_order_id or "", update.venue_order_id
        tag = name.partition("-")[0]
        if number in self._told or not (tag == self._tag or tag in self._earlier):
            return
        if tag != self._tag:
            if update.status is not OrderStatus.WORKING:
                return
            if number not in self._lists or self._lists[number] + listed < 2:
                self._lists[number] = self._lists.get(number, 0) + listed
                self._doubt(0.0)
                return
        self._told.add(number)
        words = "an order of this run" if tag == self._tag else "an order of an earlier run of ours"
        self._contradict(
            f"the venue shows {name} as order {number} ({update.status.value}: {update.side.value} {update.quantity} "
            f"{update.instrument}), which is named as {words} and isn't known; it isn't touched"
        )
