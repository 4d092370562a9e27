"""When a resting order is filled: by what the market shows, or by its place in the queue at its price.

The families are those of the literature on order queues (Cont, Stoikov and Talreja; Moallemi and Yuan; and what the
documentation of hftbacktest sums up): a level that shrinks without trades shrank by cancels, and nobody says whether
those stood before us or behind.
"""

from __future__ import annotations

import enum
from math import log1p

import attrs

from strategykit.errors import ConfigError

__all__ = ["Chance", "Family", "FillRule", "Place", "Shape"]


class FillRule(enum.Enum):
    """When a resting limit order counts as filled."""

    TOUCH = "touch"
    """The market has reached its price: hopeful, as others may have stood before it in the queue."""
    TRADE_THROUGH = "trade_through"
    """The market has gone beyond its price: careful, as the whole level must have been filled."""
    RISK_AVERSE = "risk_averse"
    """All that stood at its price when it came was traded first: careful, as no cancel brings it forward, but for
    those that leave less at its price than stood before it."""
    PROBABILITY = "probability"
    """Its place in the queue, estimated: of what is cancelled, a part stood before it, by `Chance`."""

    @property
    def queues(self) -> bool:
        """Whether it keeps places in queues."""
        return self in (FillRule.RISK_AVERSE, FillRule.PROBABILITY)


class Family(enum.Enum):
    """By which function of lots a cancel's place is weighed."""

    POWER = "power"
    LOG = "log"
    """By ``log(1 + lots)``."""
    SQUARE = "square"
    """By ``lots ** 2``."""


class Shape(enum.Enum):
    """What is made of the function `f` of the lots before and behind."""

    SHARE = "share"
    """``f(behind) / (f(behind) + f(before))``."""
    OF_ALL = "of_all"
    """``f(behind) / f(behind + before)``."""
    NOT_BEFORE = "not_before"
    """``1 - f(before) / f(behind + before)``."""


def _above_zero(_: Chance, __: attrs.Attribute[float], value: float) -> None:
    if not 0 < value < 100:
        raise ConfigError(f"a queue's exponent must be above 0 and below 100, not {value}")


@attrs.frozen(kw_only=True)
class Chance:
    """How likely a cancelled lot stood behind us."""

    family: Family = Family.POWER
    exponent: float = attrs.field(default=3.0, validator=_above_zero)
    """Of `Family.POWER`: the higher, the more of what is cancelled comes from the longer part of the queue."""
    shape: Shape = Shape.SHARE

    def behind(self, before: float, behind: float) -> float:
        """Give the probability that a cancelled lot stood behind, 0 to 1.

        Args:
            before: Lots before us.
            behind: Lots behind us.
        """
        whole = before + behind
        if whole <= 0:
            return 0.0
        if self.family is not Family.LOG:  # Parts of the whole: powers of them don't overflow.
            before, behind, whole = before / whole, behind / whole, 1.0
        weight = self._weight
        match self.shape:
            case Shape.SHARE:
                return weight(behind) / (weight(behind) + weight(before))
            case Shape.OF_ALL:
                return weight(behind) / weight(whole)
            case Shape.NOT_BEFORE:
                return 1.0 - weight(before) / weight(whole)

    def _weight(self, lots: float) -> float:
        if self.family is Family.LOG:
            return log1p(lots)
        exponent: float = 2.0 if self.family is Family.SQUARE else self.exponent
        weight: float = lots**exponent
        return weight


@attrs.define(eq=False)
class Place:
    """Where one order stands at its price.

    A change of the level that trades explain isn't a cancel: what was traded since the level was told last is taken
    off first.
    """

    chance: Chance | None
    """None: nothing that is cancelled stood before us."""
    level: float | None
    """Lots of others at our price, as they were told last; None: that price isn't shown."""
    front: float | None = attrs.field(init=False)
    """Lots before us; None until the price is shown: all that stands there then counts as before us."""
    _traded: float = attrs.field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self.front = self.level

    def traded(self, lots: float) -> float:
        """Take in a trade at our price; give the lots of it that reached us."""
        if self.front is None:
            return 0.0
        self._traded += lots
        reached = round(lots - self.front, 9)  # Sums of doubles leave crumbs, which would be a fill.
        self.front = min(max(-reached, 0.0), self.front)  # Rounded up, it would fall back.
        return max(reached, 0.0)

    def shown(self, level: float | None) -> None:
        """Take in how many lots stand at our price now; None: that isn't shown any more."""
        before, self.level = self.level, level
        if level is None:
            return
        traded, self._traded = self._traded, 0.0
        if self.front is None:
            self.front = level
            return
        gone = (level if before is None else before) - level - traded
        front = self.front
        if gone > 0 and self.chance is not None:
            behind = max(level + gone - front, 0.0)
            ours = self.chance.behind(front, behind)
            # What can't have been cancelled behind us, because so many never stood there, stood before us.
            front -= (1.0 - ours) * gone + max(ours * gone - behind, 0.0)
        self.front = max(min(front, level), 0.0)
