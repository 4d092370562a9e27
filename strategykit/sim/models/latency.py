"""How long news and orders are on their way: always the same, drawn from what was measured, or as it was recorded."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Annotated, Any, Final

import attrs

from strategykit.errors import ConfigError

__all__ = ["NONE", "Constant", "Drawn", "Duration", "Latency", "Recorded", "meter"]

Duration = Annotated[int, "nanoseconds"]
"""A time span; files write it with its unit, such as ``"5ms"`` or ``"250us"``."""


def _not_negative(_: object, attribute: attrs.Attribute[Any], value: int | tuple[int, ...]) -> None:
    for span in value if isinstance(value, tuple) else (value,):
        if span < 0:
            raise ConfigError(f"a latency's {attribute.name} must be 0 ns or more, not {span}")


def _not_empty(_: object, attribute: attrs.Attribute[Any], value: tuple[int, ...]) -> None:
    if not value:
        raise ConfigError(f"a latency's {attribute.name} must hold at least one value")


@attrs.frozen(kw_only=True)
class Constant:
    """Always the same."""

    span: Duration = attrs.field(default=0, validator=_not_negative)


@attrs.frozen(kw_only=True)
class Drawn:
    """As often short or long as it was measured: drawn from between the samples, independently each time.

    That knows nothing of bad minutes: a slow answer makes the next one no slower.
    """

    samples: tuple[Duration, ...] = attrs.field(validator=[_not_empty, _not_negative])
    """Measured spans, or evenly spaced quantiles of them, in any order."""
    seed: int = 0
    """The same seed draws the same spans."""


@attrs.frozen(kw_only=True)
class Recorded:
    """As it was at that time: interpolated between recorded answers; before the first and after the last, theirs."""

    times: tuple[int, ...] = attrs.field(validator=_not_empty)
    """When each was measured, nanoseconds UTC, rising."""
    spans: tuple[Duration, ...] = attrs.field(validator=_not_negative)
    """Parallel to `times`."""

    def __attrs_post_init__(self) -> None:
        if len(self.spans) != len(self.times):
            raise ConfigError(f"a recorded latency has {len(self.times)} times, but {len(self.spans)} spans")
        if any(later <= earlier for earlier, later in pairwise(self.times)):
            raise ConfigError("the times of a recorded latency must rise")

    def at(self, now: int) -> int:
        after = bisect_right(self.times, now)
        if after in (0, len(self.times)):
            return self.spans[max(after - 1, 0)]
        begin, end = self.times[after - 1], self.times[after]
        low, high = self.spans[after - 1], self.spans[after]
        return low + (high - low) * (now - begin) // (end - begin)


Latency = Constant | Drawn | Recorded

NONE: Final = Constant()
"""Everything is there at once."""


def meter(latency: Latency, purpose: str) -> Callable[[int], int] | None:
    """Give what says, asked at a time, how long what leaves then is on its way; None where that is always 0.

    Args:
        latency: What is assumed.
        purpose: Keeps two meters of one seed apart, such as ``"orders"``.
    """
    match latency:
        case Constant(span=span):
            return (lambda _: span) if span else None
        case Recorded():
            return latency.at
        case Drawn(samples=samples, seed=seed):
            spans = sorted(samples)
            random = Random(f"{seed} {purpose}").random

            def draw(_: int) -> int:
                place = random() * (len(spans) - 1)
                below = int(place)
                low = spans[below]
                return low + round((spans[min(below + 1, len(spans) - 1)] - low) * (place - below))

            return draw
