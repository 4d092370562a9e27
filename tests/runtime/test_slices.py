"""How many inputs a live run dispatches before its wires get their turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, cast

import attrs
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.net.inbox import Inbox, Input, InputKind
from strategykit.runtime.clock import WallClock
from strategykit.runtime.driver import HURRIED, SLICE, SLICE_TAKES, Driver
from strategykit.runtime.engine import Engine
from strategykit.runtime.waking import Doorbell, Wakes

START = 1_767_225_600_000_000_000


@attrs.define
class Work:
    """Takes inputs where an engine would, each for some nanoseconds; the last one ends the run."""

    takes: Callable[[int], int]
    """Nanoseconds that the input of this number takes."""
    left: int
    done: trio.Event = attrs.field(factory=trio.Event)
    now: int = START
    taken: list[int] = attrs.field(factory=list)
    slices: list[int] = attrs.field(factory=list)
    paper: None = None
    local: deque[Any] = attrs.field(factory=deque)

    def process(self, item: Input) -> None:
        self.now += self.takes(item.status)
        self.taken.append(item.status)
        self.left -= 1
        if not self.left:
            self.done.set()

    def mark(self, reading: int, count: int) -> None:
        self.slices.append(count)


def followed(
    takes: Callable[[int], int], count: int, *, hurried: Callable[[Work], bool] = lambda _: False
) -> tuple[Work, list[int]]:
    """Dispatch `count` inputs that are all there; give what was done, and how many inputs each slice had."""
    work = Work(takes, count)

    async def main() -> None:
        bell = Doorbell()
        inbox = Inbox(bell.ring)
        for number in range(count):
            inbox.put_nowait(Input(InputKind.FRAME, "market-0", START, "", status=number))
        driver = Driver(engine=cast("Engine", work), clock=clock, wakes=Wakes(bell.ring))
        await driver.follow(inbox, bell, clock, work, work.done, hurried=lambda: hurried(work))

    clock = WallClock(lambda: work.now)
    trio.run(main, clock=clock, instruments=[clock])
    assert work.taken == list(range(count))
    *slices, last = work.slices
    assert last == 0
    assert sum(slices) == count
    return work, slices


def test_slices_are_long_where_inputs_take_no_time() -> None:
    _, slices = followed(lambda _: 100, 1_000)

    assert slices == [SLICE] * 3 + [1_000 - 3 * SLICE]


def test_slices_get_short_where_inputs_take_long() -> None:
    _, slices = followed(lambda _: SLICE_TAKES // 10, 2_000)

    assert slices[:5] == [256, 128, 64, 32, 16]
    assert max(slices[5:]) <= 16  # Twice what is aimed at, at the most: that is how one finds that more may be done.


def test_an_input_that_takes_longer_than_a_slice_should_is_alone_in_it() -> None:
    _, slices = followed(lambda _: 2 * SLICE_TAKES, 600)

    assert set(slices[8:]) == {1}


def test_slices_get_long_again_when_the_inputs_that_took_long_are_over() -> None:
    _, slices = followed(lambda number: SLICE_TAKES if number < 1_000 else 100, 4_000)

    assert 1 in slices
    assert slices[-2] == SLICE


def test_slices_are_short_while_an_order_is_on_its_way() -> None:
    _, slices = followed(lambda _: 100, 600, hurried=lambda work: 300 < work.left < 500)

    assert slices == [256, *[HURRIED] * 3, 256, 600 - 2 * 256 - 3 * HURRIED]


@settings(deadline=None, max_examples=50)
@given(
    times=st.lists(st.integers(0, 4 * SLICE_TAKES), min_size=1, max_size=50),
    count=st.integers(1, 700),
    hurried=st.booleans(),
)
def test_whatever_inputs_take_each_is_dispatched_once_and_in_its_order(
    times: list[int], count: int, hurried: bool
) -> None:
    _, slices = followed(lambda number: times[number % len(times)], count, hurried=lambda _: hurried)

    assert max(slices) <= (HURRIED if hurried else SLICE)
