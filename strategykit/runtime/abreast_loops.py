"""The hot loops over events that several runs get, one after the other, from one exchange's knowledge of the market.

As those of one run, each returns when the events are over, or as soon as a run has something to do before its next
event: then it says at which event, and at whose way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from strategykit.runtime.clock import ReplayClock

__all__ = ["Meet", "WayOfOne", "give_abreast", "give_lanes_abreast"]

WayOfOne = tuple[Any, Callable[[Any], None], tuple[int, Any]]
"""What keeps the last event, what is called with each, and whose it is: place of the run, and feed."""

Meet = Callable[[Any], object]


def give_abreast(
    batch: Iterator[tuple[int, Any]],
    meet: Meet,
    ways: Sequence[WayOfOne],
    clock: ReplayClock,
    failures: tuple[type[BaseException], ...],
    raised: Callable[[tuple[int, Any], BaseException], None],
) -> tuple[Any, WayOfOne] | None:
    for time, event in batch:
        clock.reading = time
        meet(event)
        for way in ways:
            sink, call, owner = way
            sink.last = event
            try:
                call(event)
            except failures as exc:  # A strategy's boundary: whatever it raises stops it alone.
                raised(owner, exc)
            if clock.woken:
                return event, way
    return None


def give_lanes_abreast(
    batch: Iterator[tuple[int, int, Any]],
    meets: Sequence[Meet],
    ways: Sequence[Sequence[WayOfOne]],
    clock: ReplayClock,
    failures: tuple[type[BaseException], ...],
    raised: Callable[[tuple[int, Any], BaseException], None],
) -> tuple[Any, WayOfOne] | None:
    for time, code, event in batch:
        clock.reading = time
        meets[code](event)
        for way in ways[code]:
            sink, call, owner = way
            sink.last = event
            try:
                call(event)
            except failures as exc:  # As above.
                raised(owner, exc)
            if clock.woken:
                return event, way
    return None
