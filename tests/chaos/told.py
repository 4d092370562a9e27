"""What a strategy was told of trades, against what was printed: every one, or a gap. Imports nothing of ours, too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

__all__ = ["check_numbered", "check_unnumbered"]

_TAIL: Final = 1_500_000_000
"""Nanoseconds before the look at both sides in which a trade may still have been on its way."""

_NEAR: Final = 500_000_000
"""Nanoseconds for a trade to travel: a gap is told by our clock, a trade printed by the venue's."""


def check_numbered(
    name: str, told: Sequence[Sequence[Any]], prints: Sequence[Sequence[Any]], time: int, ahead: int
) -> Iterator[str]:
    """Every trade that isn't told lies where a gap is told; none is told twice or out of order."""
    by_id = {str(row[0]): place for place, row in enumerate(prints)}
    last, gap = None, False
    for row in told:
        if row[0] == "gap":
            gap = True
        elif row[0] == "trade":
            place = by_id.get(str(row[1]))
            if place is None:
                yield f"I5: {name}: trade {row[1]} was never printed"
                continue
            if last is not None and place <= last:
                yield f"I5: {name}: trade {row[1]} was told again, or too late"
                continue
            if last is not None and not gap and not _in_gaps(prints[last + 1 : place], told, ahead):
                yield f"I5: {name}: {place - last - 1} trades are missing before {row[1]}, and no gap was told"
            last, gap = place, False
    missing = [row for row in prints[0 if last is None else last + 1 :] if row[1] < time - _TAIL]
    if missing and last is not None and not gap:
        yield f"I5: {name}: the last {len(missing)} trades are missing, and no gap was told"


def check_unnumbered(
    name: str, told: Sequence[Sequence[Any]], prints: Sequence[Sequence[Any]], time: int, ahead: int
) -> Iterator[str]:
    """The same by time, price and size: venues number trades in ways of their own, or not at all."""
    place, gap, seen = -1, True, set[int]()
    first = False  # Whether the last one was the first behind a gap: of equal prints it may have been any.
    for row in told:
        if row[0] == "gap":
            gap = True
        elif row[0] == "trade":
            found = next((at for at in range(place + 1, len(prints)) if _is_same(prints[at], row)), None)
            if found is None:
                # What was asked for once more after a loss may hold one from an earlier loss, and says that it is old.
                past = (at for at in range(place) if at not in seen and row[5] and _is_same(prints[at], row))
                found = next(past, None)
                if found is None:
                    yield f"I5: {name}: {row[2:5]} was told, which was never printed, or told before"
                else:
                    seen.add(found)
                continue
            seen.add(found)
            between = prints[place + 1 : found]
            equal = first and all(one[1:] == prints[place][1:] for one in between)
            if not gap and not equal and not _in_gaps(between, told, ahead):
                yield f"I5: {name}: {found - place - 1} trades are missing before {row[2:5]}, and no gap was told"
            first = gap or (first and prints[found][1:] == prints[place][1:])
            place, gap = found, False
    missing = [row for row in prints[place + 1 :] if row[1] < time - _TAIL]
    if missing and place >= 0 and not gap:
        yield f"I5: {name}: the last {len(missing)} trades are missing, and no gap was told"


def _in_gaps(missing: Sequence[Sequence[Any]], told: Sequence[Sequence[Any]], ahead: int) -> bool:
    """Whether all that is missing lies in a gap that was told: what waited for news of it may come behind the gap."""
    gaps = [(row[1] - _NEAR, row[2] + _NEAR) for row in told if row[0] == "gap"]
    return all(any(since <= row[1] - ahead <= until for since, until in gaps) for row in missing)


def _is_same(printed: Sequence[Any], told: Sequence[Any]) -> bool:
    """Whether a trade that was told is this one, as far as its time, price and size tell; venues round times."""
    return printed[2:4] == told[3:5] and 0 <= printed[1] - told[2] < 1_000_000
