"""What all events have in common: how their classes are made, and the two sides of a market."""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast, dataclass_transform

import attrs

__all__ = ["FROZEN", "Side", "altered", "event", "value"]

T = TypeVar("T")

FROZEN: Final = sys.flags.dev_mode
"""A frozen attrs class costs three times as much to build, so only ``python -X dev`` really freezes events."""


@dataclass_transform(frozen_default=True, field_specifiers=(attrs.field,))
def event(cls: type[T]) -> type[T]:
    """Make an event class: slots, no weak references, positional, compared by identity, frozen to type checkers."""
    return attrs.define(cls, slots=True, eq=False, weakref_slot=False, frozen=FROZEN)


@dataclass_transform(frozen_default=True, field_specifiers=(attrs.field,))
def value(*, kw_only: bool = False) -> Callable[[type[T]], type[T]]:
    """Make a class that is frozen as an `event` is, and compared by its fields."""
    return attrs.define(slots=True, unsafe_hash=True, kw_only=kw_only, frozen=FROZEN)


def altered(thing: T, **changes: object) -> T:
    """Give a copy of an event or a value with other fields."""
    # To type checkers such classes are dataclass-like, which `attrs.evolve` doesn't take.
    return cast("T", attrs.evolve(cast("Any", thing), **changes))


class Side(enum.Enum):
    """Direction of an order, fill or aggressor."""

    BUY = "buy"
    SELL = "sell"

    sign: int
    """+1 for a buy, -1 for a sell."""

    def __init__(self, word: str) -> None:
        self.sign = 1 if word == "buy" else -1

    # Members are their own only equals. What `Enum` has instead is written in Python, and looked up a lot.
    __hash__ = object.__hash__

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY
