"""Rows whose time lies in a far future: without a look at those behind them, all of these would seem to be late."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Final, TypeVar

from strategykit.foreign.refusals import RowRefused

__all__ = ["without_leaps"]

_DAY: Final = 86_400 * 10**9
_BEHIND: Final = 3
"""Rows of the same kind that are asked."""

_SOUGHT: Final = 1_000
"""Rows among which they're sought."""

_Row = TypeVar("_Row")


def without_leaps(
    rows: Iterable[_Row],
    time: Callable[[_Row], int],
    refuse: Callable[[_Row, RowRefused], None],
    *,
    kind: Callable[[_Row], Hashable] = lambda _: None,
) -> Iterator[_Row]:
    """Give rows but for those that lie more than a day ahead of both their neighbours.

    Such a row is one that lies more than a day behind the latest of its kind that was given, or is the first; and most
    of the three behind it (or of as many as are left) lie more than a day before it, and would be in order without it.
    The last row of a kind is therefore given whatever its time is.

    Args:
        rows: In the order in which they stand in their files.
        time: Tells a row's, in nanoseconds.
        refuse: Takes a row that isn't given.
        kind: Tells which rows have to be in the order of time among themselves; by default all.
    """
    source, waiting = iter(rows), deque[_Row]()
    latest: dict[Hashable, int] = {}
    for row in _each(waiting, source):
        at, of = time(row), kind(row)
        before = latest.get(of, 0)
        if at - before > _DAY:
            unseen = _kept(waiting, islice(source, _SOUGHT - len(waiting)))
            same = (other for other in chain(tuple(waiting), unseen) if kind(other) == of)
            behind = [time(other) for other in islice(same, _BEHIND)]
            early = [other for other in behind if before <= other < at - _DAY]
            if 2 * len(early) > len(behind):
                days = (at - max(early)) / _DAY
                moment = datetime.fromtimestamp(at // 10**9, UTC).isoformat()
                refuse(row, RowRefused(f"its time lies {days:.1f} days ahead of the rows behind it:", moment))
                continue
        if at > before:
            latest[of] = at
        yield row


def _each(waiting: deque[_Row], source: Iterator[_Row]) -> Iterator[_Row]:
    while True:
        if waiting:
            yield waiting.popleft()
            continue
        try:
            yield next(source)
        except StopIteration:
            return


def _kept(waiting: deque[_Row], source: Iterator[_Row]) -> Iterator[_Row]:
    for row in source:
        waiting.append(row)
        yield row
