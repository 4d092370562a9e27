"""Walking forward: the best set of one window is run on the next, which had no part in choosing it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from strategykit.config_values import parse_duration
from strategykit.errors import ConfigError
from strategykit.runtime.column_source import ColumnSource
from strategykit.sweep.sweeping import Sweeping
from strategykit.sweep.work import Outcome

__all__ = ["Forward", "Split", "read_splits", "walk_forward_over"]

_MOST: Final = 1_000
"""Splits."""

_LENGTHS: Final = re.compile(r"\s*train=([^,]+),\s*test=([^,]+)")


@attrs.frozen
class Split:
    """Two windows, the second right behind the first; nanoseconds UTC."""

    since: int
    middle: int
    """First that doesn't count for choosing."""
    until: int


@attrs.frozen
class Forward:
    """What came of one split."""

    split: Split
    tried: Sequence[Outcome]
    """In the first window."""
    chosen: Outcome
    """The best of them."""
    proven: Outcome
    """The same set in the second window."""


def read_splits(text: str, source: ColumnSource) -> list[Split]:
    """Read ``"train=10d,test=2d"``, which moves on by the length of ``test``, or a number of splits.

    Of N splits, the recording is N + 1 windows of one length; each but the last is for choosing, each but the first
    for reporting.

    Raises:
        ConfigError: It can't be read, or the recording is too short.
    """
    begin, end = source.first, source.last + 1
    if text.strip().isdigit():
        count = int(text)
        if not 1 <= count <= _MOST or end - begin <= count:
            raise ConfigError(f"--walk-forward {text}: at least 1 split, and at most {_MOST:,}")
        edges = [begin + (end - begin) * number // (count + 1) for number in range(count + 2)]
        return [Split(*edges[number : number + 3]) for number in range(count)]
    found = _LENGTHS.fullmatch(text)
    if found is None:
        raise ConfigError(f"--walk-forward {text!r} can't be read; give train=10d,test=2d or a number of splits")
    train, test = (_length(text, part) for part in found.groups())
    if train + test > end - begin:
        raise ConfigError(
            f"--walk-forward {text}: the recording is too short: it has {(end - begin) * 1e-9:,.0f} s, and one split "
            f"takes {(train + test) * 1e-9:,.0f} s"
        )
    count = (end - begin - train) // test
    if count > _MOST:
        raise ConfigError(f"--walk-forward {text}: that are {count:,} splits; at most {_MOST:,} make sense")
    starts = [begin + number * test for number in range(count)]
    return [Split(start, start + train, start + train + test) for start in starts]


def _length(text: str, part: str) -> int:
    try:
        length = parse_duration(part.strip())
    except ConfigError as exc:
        raise ConfigError(f"--walk-forward {text}: {exc}") from exc
    if length <= 0:
        raise ConfigError(f"--walk-forward {text}: {part} should be longer than nothing")
    return length


def walk_forward_over(
    sweeping: Sweeping, splits: Sequence[Split], trial: Callable[[tuple[int, int]], list[Outcome]]
) -> list[Forward]:
    """Choose in each split's first window, and run what was chosen in its second."""
    found = []
    for split in splits:
        tried = trial((split.since, split.middle))
        chosen = sweeping.objective.best(tried)[0]
        (proven,) = sweeping.run([chosen.parameters], (split.middle, split.until))
        found.append(Forward(split, tried, chosen, proven))
    return found
