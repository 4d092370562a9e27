"""Events by stretches: whatever is asked for, in whatever steps, none is lost, doubled, or given too early or late."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategykit.model.events import Event
from strategykit.runtime.clock import NEVER
from strategykit.runtime.reel import Reel
from strategykit.testing import make_trades
from strategykit.testing.markets import START

TIMES = st.lists(st.integers(0, 30), max_size=60).map(sorted)
STEPS = st.lists(st.tuples(st.one_of(st.integers(-1, 31), st.just(NEVER)), st.integers(0, 60), st.booleans()))


def trades_at(times: list[int]) -> list[Event]:
    return [event for time in times for event in make_trades("X", [100.0], start=START + time)]


@pytest.mark.parametrize("lazy", [False, True], ids=["list", "generator"])
@given(times=TIMES, steps=STEPS)
def test_stretches_have_what_comes_before_their_time_and_leave_the_rest(
    lazy: bool, times: list[int], steps: list[tuple[int, int, bool]]
) -> None:
    events = trades_at(times)
    given: Iterable[Event] = (event for event in events) if lazy else events
    reel, left = Reel(given), list(events)
    for due, most, again in steps:
        until = NEVER if due == NEVER else START + due
        early = [event for event in left if event.receive_time < until]
        taken = [event for event, _ in zip(reel.before(until), range(most), strict=False)]

        # `zip` asks for one more event than it gives, where there are more: it is the one that is put back.
        assert taken == early[:most]
        left = left[len(taken) :]
        if len(early) > most:
            left = left[1:] if not again else left
            if again:
                reel.put_back(early[most])
    assert [*reel.before(NEVER)] == left
    assert reel.next() is None


def test_the_next_event_comes_whatever_its_time_also_one_that_was_put_back() -> None:
    events = trades_at([1, 2, 3])
    reel = Reel(events)

    assert [*reel.before(START + 2)] == events[:1]
    assert reel.next() is events[1]
    reel.put_back(events[1])
    assert [*reel.before(START + 2)] == []
    assert reel.next() is events[1]
    assert [*reel.before(NEVER)] == events[2:]
    assert reel.next() is None
