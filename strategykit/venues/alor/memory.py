"""What a subscription was told already, bounded: how replayed rows are told from new ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Final

__all__ = ["REMEMBERED", "LastTold", "TradeMemory"]

REMEMBERED: Final = 20_000
"""Ids. A replay brings at most 5,000 past trades; an account rarely has so many orders in a session."""


class TradeMemory:
    """Trade ids. Nearly each is larger than all before it: for such a one, `append` is enough, and quick."""

    __slots__ = ("_fresh", "_seen", "append")

    def __init__(self) -> None:
        self._fresh: deque[int] = deque(maxlen=REMEMBERED)
        self._seen: dict[int, None] = {}
        self.append = self._fresh.append
        """Note an id that is known to be new."""

    def add(self, number: int) -> bool:
        """Note an id; say whether it is new."""
        seen = self._seen
        seen.update(dict.fromkeys(self._fresh))
        self._fresh.clear()
        if number in seen:
            return False
        seen[number] = None
        if len(seen) > REMEMBERED:
            # Half goes at once, the oldest: a dictionary keeps its order.
            self._seen = dict.fromkeys(list(seen)[-REMEMBERED // 2 :])
        return True


class LastTold:
    """The last state told of each thing."""

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: dict[str, Hashable] = {}

    def add(self, key: str, state: Hashable) -> bool:
        """Note the state of `key`; say whether it is news."""
        told = self._told
        if key in told and told[key] == state:
            return False
        told.pop(key, None)  # So that it counts as young again.
        told[key] = state
        if len(told) > REMEMBERED:
            for old in list(told)[: REMEMBERED // 2]:
                del told[old]
        return True
