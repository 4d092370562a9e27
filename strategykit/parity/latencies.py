"""Latencies out of what a run recorded, in the time of its data.

Its own clock and the venue's needn't agree. Market data carry both: how much later than the venue's stamp they came. A
command's effect is stamped by the venue alone; what came with that stamp would have come by as much later. From giving
a command to that moment is the order latency that a replay of the recording needs: the way there, and the time by
which the data are behind the market. The clocks' difference is in both terms, and falls out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import gcd
from statistics import median_low
from typing import Final

import attrs

from strategykit.model.events import BookDelta, BookSnapshot, Event, Quote, Trade
from strategykit.parity.session import Session
from strategykit.sim.models.latency import Constant, Drawn, Latency

__all__ = ["Latencies", "Spans", "arrivals", "fit_latencies"]

_ROUND: Final = 0.1
"""Part of the middle value by which nine tenths of the spans may differ for them to count as always the same."""
_CRUMBS: Final = 20_000
"""Nanoseconds by which they may differ in any case: what a program needs to note a time."""
_QUANTILES: Final = 20
"""Steps between the quantiles that are kept of spans that differ."""
_ENOUGH: Final = 20
"""Trades that say enough of how late data come."""
_STAMPED: Final = (Trade, Quote, BookSnapshot, BookDelta)


@attrs.frozen(kw_only=True)
class Spans:
    """How long something took, in nanoseconds."""

    count: int
    low: int
    """A twentieth was shorter."""
    middle: int
    high: int
    """A twentieth was longer."""
    latency: Latency
    """What models should say: the middle where they hardly differ, else quantiles to draw between."""


@attrs.frozen(kw_only=True)
class Latencies:
    """What a run's commands and data took."""

    round_trip: Spans | None
    """From giving a command to the first news of what it did; None where none was answered."""
    order: Spans | None
    """From giving a command to its taking effect, in the time of the data."""
    answer: Spans | None
    """From then to the news of it."""
    feed: Spans | None
    """From the venue's stamp on market data to their coming, by two clocks; None where there is no such stamp, or one
    that is too coarse. A recording has this in its times."""
    resolution: int | None
    """Of the venue's stamps on market data, nanoseconds: errors of `feed`, `order` and `answer` are as large."""
    split: bool
    """Whether the venue's stamps told which part of a round trip was the way there; else half of it is taken."""


def fit_latencies(session: Session) -> Latencies:
    """Measure the latencies of a session."""
    feed, resolution = _feed(session.market)
    there, back, whole = [], [], []
    split = False
    for one in session.sent:
        if one.answered is None:
            continue
        trip = one.answered - one.time
        whole.append(trip)
        if feed is not None and one.venue_time is not None:
            way = min(max(one.venue_time + feed - one.time, 0), trip)
            split = True
            there.append(way)
            back.append(trip - way)
    if not split:
        there = [trip // 2 for trip in whole]
        back = [trip - way for trip, way in zip(whole, there, strict=True)]
    return Latencies(
        round_trip=_spans(whole),
        order=_spans(there),
        answer=_spans(back),
        feed=None if feed is None else _spans(_fed(session.market)),
        resolution=resolution,
        split=split,
    )


def arrivals(session: Session, latencies: Latencies) -> list[int]:
    """Give when each command took effect, in the time of the data; where that isn't known, when it usually would."""
    usual = 0 if latencies.order is None else latencies.order.middle
    feed = latencies.feed.middle if latencies.feed is not None else None
    found, latest = [], 0
    for one in session.sent:
        at = one.time + usual
        if latencies.split and feed is not None and one.venue_time is not None:
            at = max(one.venue_time + feed, one.time)
        elif one.answered is not None:
            at = one.time + (one.answered - one.time) // 2
        if one.answered is not None:
            at = min(at, one.answered)
        latest = max(latest, at)
        found.append(latest)
    return found


def _fed(market: Iterable[tuple[int, Event]]) -> list[int]:
    """Give by how much data came after their stamps: trades, where there are some; what is conflated waits besides."""
    late: dict[bool, list[int]] = {True: [], False: []}
    for time, event in market:
        if isinstance(event, _STAMPED) and event.event_time is not None and not getattr(event, "snapshot", False):
            late[isinstance(event, Trade)].append(time - event.event_time)
    return late[True] if len(late[True]) >= _ENOUGH else late[True] + late[False]


def _feed(market: Sequence[tuple[int, Event]]) -> tuple[int | None, int | None]:
    """Give how late data usually are, and how fine their stamps are; no lateness where those are too coarse for it."""
    late = _fed(market)
    if not late:
        return None, None
    stamps = [event.event_time for _, event in market if isinstance(event, _STAMPED) and event.event_time is not None]
    resolution, common = 1_000_000_000, gcd(*stamps)
    while common % resolution:
        resolution //= 10
    middle = median_low(late)
    return (middle if resolution <= max(abs(middle), 1_000_000) else None), resolution


def _spans(values: Sequence[int]) -> Spans | None:
    if not values:
        return None
    rising = sorted(values)
    low, middle, high = (_quantile(rising, part) for part in (0.05, 0.5, 0.95))
    latency: Latency = Constant(span=max(middle, 0))
    if high - low > max(_ROUND * abs(middle), _CRUMBS) and len(rising) > 2:
        steps = min(_QUANTILES, len(rising) - 1)
        latency = Drawn(samples=tuple(max(_quantile(rising, step / steps), 0) for step in range(steps + 1)))
    return Spans(count=len(rising), low=low, middle=middle, high=high, latency=latency)


def _quantile(rising: Sequence[int], part: float) -> int:
    place = part * (len(rising) - 1)
    below = int(place)
    low = rising[below]
    return low + round((rising[min(below + 1, len(rising) - 1)] - low) * (place - below))
