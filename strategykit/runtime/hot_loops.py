"""The hot loops of a replay of columns.

Each takes pairs of time and event, and returns when they are over, or as soon as something is to be done before the
next event that `settled` can't do: it is asked when the clock was poked or a task woken. A `try` costs nothing where
nothing is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from strategykit.runtime.clock import ReplayClock
from strategykit.runtime.courses import Show, Way, slow

__all__ = ["Raised", "Settled", "give_lanes", "give_long", "give_one", "give_ways"]

Raised = Callable[[object, BaseException], None]
"""Takes the feed at which a strategy raised, and what."""

Settled = Callable[[], bool]
"""Does what an event has led to; says whether the next one may follow at once."""


def give_one(
    batch: Iterator[tuple[int, Any]],
    show: Show,
    way: Way,
    clock: ReplayClock,
    failures: tuple[type[BaseException], ...],
    raised: Raised,
    settled: Settled,
) -> None:
    newest, meet = show
    sink, call, feed = way
    for time, event in batch:
        clock.reading = time
        newest.last = event
        if meet is not None:
            meet(event)
        sink.last = event
        try:
            call(event)
        except failures as exc:  # A strategy's boundary: whatever it raises stops it alone.
            raised(feed, exc)
        if clock.woken and not settled():
            return


def give_ways(
    batch: Iterator[tuple[int, Any]],
    show: Show,
    ways: Sequence[Way],
    clock: ReplayClock,
    failures: tuple[type[BaseException], ...],
    raised: Raised,
    settled: Settled,
) -> None:
    newest, meet = show
    for time, event in batch:
        clock.reading = time
        newest.last = event
        if meet is not None:
            meet(event)
        for sink, call, feed in ways:
            sink.last = event
            try:
                (slow(sink, call, feed) if clock.woken else call)(event)
            except failures as exc:  # As above.
                raised(feed, exc)
        if clock.woken and not settled():
            return


def give_lanes(
    batch: Iterator[tuple[int, int, Any]],
    lanes: Sequence[tuple[Any, Callable[[Any], object] | None, Sequence[Way]]],
    clock: ReplayClock,
    failures: tuple[type[BaseException], ...],
    raised: Raised,
    settled: Settled,
) -> None:
    for time, code, event in batch:
        newest, meet, ways = lanes[code]
        clock.reading = time
        newest.last = event
        if meet is not None:
            meet(event)
        for sink, call, feed in ways:
            sink.last = event
            try:
                (slow(sink, call, feed) if clock.woken else call)(event)
            except failures as exc:  # As above.
                raised(feed, exc)
        if clock.woken and not settled():
            return


def give_long(
    batch: Iterator[tuple[int, Any]], clock: ReplayClock, route: Callable[[Any], None], local: Sequence[Any]
) -> None:
    """Events that aren't market data alone, or that a model holds back: the engine knows what to do."""
    for time, event in batch:
        clock.reading = time
        route(event)
        if clock.woken or local:
            return
