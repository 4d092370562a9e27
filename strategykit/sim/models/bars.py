"""What orders meet within a bar: its four prices don't say in which order the others came about."""

from __future__ import annotations

import enum

__all__ = ["BarPrice", "BarRule", "stops_go_first"]


class BarPrice(enum.Enum):
    """What a bar fills a resting limit order at."""

    LIMIT = "limit"
    """Its own price."""
    OPEN = "open"
    """The bar's open, where that is better for its owner: the market jumped over the limit."""
    WORST = "worst"
    """The bar's price that is worst for its owner within the limit: careful."""


class BarRule(enum.Enum):
    """Which of two resting orders a bar fills that reaches both: a stop on one side, a limit on the other.

    It says, too, whether a bar fires a stop that trails, where that depends on which extreme came first.
    """

    BOTH = "both"
    """Each order meets the bar by itself: both are filled, in the order in which they were placed. The extreme that a
    trail follows came last."""
    STOP_FIRST = "stop_first"
    """The stop; the limit of that side waits for the next bar: careful. A trail that may have been hit was hit."""
    LIMIT_FIRST = "limit_first"
    """The limit; the stop of that side waits for the next bar: hopeful. The extreme that a trail follows came last."""
    NEAREST_FIRST = "nearest_first"
    """The one on the side of the extreme that lay nearer to the open; the other waits for the next bar. That extreme
    came first for a trail, too."""


def stops_go_first(rule: BarRule, opened: float, high: float, low: float, *, buys: bool) -> bool:
    """Say whether a bar meets the stops of one side before its limits.

    Args:
        rule: Which one is used; not `BarRule.BOTH`, of which nothing goes first.
        opened: First price.
        high: Highest price.
        low: Lowest price.
        buys: Which side: stops of buys are met above, their limits below.
    """
    rises = high - opened <= opened - low
    return rule is BarRule.STOP_FIRST or (rule is BarRule.NEAREST_FIRST and rises is buys)
