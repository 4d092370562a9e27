"""One order of events for several streams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.columns.columns import CHUNK, Columns
from strategykit.columns.merging import Stretch, merge
from strategykit.model.events import Trade
from strategykit.venues.streams import Stream, StreamKind


def chunk(place: int, times: Sequence[int], ties: Sequence[int] | None = None) -> Columns:
    count = len(times)
    arrays = {
        "price": np.full(count, float(place)),
        "quantity": 1.0,
        "side": None,
        "trade_id": None,
        "event_time": None,
        "receive_time": np.array(times, dtype=np.int64),
        "snapshot": False,
        "open_interest": None,
    }
    stream = Stream(kind=StreamKind.TRADES, instrument=f"S{place}")
    return Columns(stream=stream, kind=Trade, arrays=arrays, ties=None if ties is None else np.array(ties, np.int32))


def told(stretches: Iterator[Stretch]) -> list[tuple[int, int]]:
    """Give time and stream of each event, in the order in which they come."""
    found = []
    for stretch in stretches:
        rows = [iter(columns.events("g")) for _, columns in stretch.parts]
        order = [0] * len(stretch) if stretch.order is None else stretch.order.tolist()
        found += [(next(rows[part]).receive_time, stretch.parts[part][0]) for part in order]
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.lists(st.integers(0, 12), max_size=5), max_size=4), max_size=4))
def test_events_come_by_time_and_at_one_time_by_the_order_of_the_streams(streams: list[list[list[int]]]) -> None:
    given_in = []
    for chunks in streams:
        times, cut = sorted(time for part in chunks for time in part), []
        for part in chunks:
            cut.append(times[: len(part)])
            times = times[len(part) :]
        given_in.append(cut)

    merged = told(merge([[chunk(place, part) for part in cut] for place, cut in enumerate(given_in)]))

    assert merged == sorted((time, place) for place, cut in enumerate(given_in) for part in cut for time in part)


def test_no_more_than_a_chunk_of_each_stream_is_built_at_a_time() -> None:
    lengths = [len(stretch) for stretch in merge([[chunk(0, range(3 * CHUNK))], [chunk(1, [0])]])]

    assert sum(lengths) == 3 * CHUNK + 1
    assert max(lengths) <= 2 * CHUNK


def test_a_stream_whose_time_goes_back_between_chunks_is_refused() -> None:
    with pytest.raises(ValueError, match="trades S0: a chunk begins at 4, before the end of the one above it, 5"):
        list(merge([[chunk(0, [1, 5]), chunk(0, [4])]]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(1, 3)), max_size=30))
def test_what_was_kept_together_comes_in_the_order_in_which_it_was_kept(events: list[tuple[int, int, int]]) -> None:
    """Events of one frame have one time: nothing but their ties tells which was first."""
    happened = [(time, place) for time, place, _ in sorted(events, key=lambda event: event[0])]
    streams: list[list[Columns]] = []
    for place in range(3):
        rows = [(time, tie) for tie, (time, whose) in enumerate(happened) if whose == place]
        size = 1 + len(rows) // 3
        parts = [rows[start : start + size] for start in range(0, len(rows), size)]
        streams.append([chunk(place, [time for time, _ in part], [tie for _, tie in part]) for part in parts])

    assert told(merge(streams)) == happened
