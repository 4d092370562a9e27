"""Who is woken when, and that nobody's news is lost."""

from __future__ import annotations

import trio
from trio.testing import wait_all_tasks_blocked

from strategykit.runtime.waking import Doorbell, Signal, Wakes


def no_ring() -> None:
    """Nobody drives: the tests wake by hand."""


async def wake_all(wakes: Wakes) -> None:
    while wakes:
        wakes.wake_next()
        await wait_all_tasks_blocked()


async def test_tasks_are_woken_in_the_order_in_which_they_began_to_wait(nursery: trio.Nursery) -> None:
    rings: list[None] = []
    wakes = Wakes(lambda: rings.append(None))
    signal, order = Signal(wakes), list[int]()

    async def wait(number: int) -> None:
        await signal.wait()
        order.append(number)

    for number in range(6):
        nursery.start_soon(wait, number)
        await wait_all_tasks_blocked()
    signal.notify()
    assert len(rings) == 1
    await wake_all(wakes)

    assert order == list(range(6))


async def test_one_that_is_cancelled_while_it_waits_is_passed_over(nursery: trio.Nursery) -> None:
    wakes = Wakes(no_ring)
    signal, order, scopes = Signal(wakes), list[str](), [trio.CancelScope() for _ in range(4)]

    async def wait(number: int) -> None:
        with scopes[number]:
            await signal.wait()
            order.append(f"{number} told")
            return
        order.append(f"{number} cancelled")

    for number in range(4):
        nursery.start_soon(wait, number)
        await wait_all_tasks_blocked()
    scopes[0].cancel()  # Before the news: it stands in the signal's list.
    await wait_all_tasks_blocked()
    signal.notify()
    scopes[2].cancel()  # After the news: it stands in the queue of the woken.
    await wait_all_tasks_blocked()
    await wake_all(wakes)

    assert order == ["0 cancelled", "2 cancelled", "1 told", "3 told"]


async def test_who_begins_to_wait_after_the_news_waits_for_the_next(nursery: trio.Nursery) -> None:
    wakes = Wakes(no_ring)
    signal, told = Signal(wakes), list[int]()

    async def wait() -> None:
        for number in range(2):
            await signal.wait()
            told.append(number)

    nursery.start_soon(wait)
    await wait_all_tasks_blocked()
    signal.notify()
    signal.notify()
    await wake_all(wakes)
    assert told == [0]

    signal.notify()
    await wake_all(wakes)
    assert told == [0, 1]


async def test_waiting_for_a_condition_looks_again_after_each_change(nursery: trio.Nursery) -> None:
    wakes = Wakes(no_ring)
    signal, numbers, done = Signal(wakes), list[int](), trio.Event()

    async def wait() -> None:
        await signal.until(lambda: len(numbers) >= 2)
        await signal.until(lambda: True)
        done.set()

    nursery.start_soon(wait)
    for number in range(2):
        await wait_all_tasks_blocked()
        assert not done.is_set()
        numbers.append(number)
        signal.notify()
        await wake_all(wakes)

    assert done.is_set()


async def test_a_bell_rung_before_anybody_waits_is_heard() -> None:
    bell = Doorbell()
    bell.ring()
    bell.ring()
    await bell.wait()

    with trio.move_on_after(0) as scope:
        await bell.wait()
    assert scope.cancelled_caught


async def test_a_bell_wakes_who_waits(nursery: trio.Nursery) -> None:
    bell, heard = Doorbell(), list[int]()

    async def wait() -> None:
        for number in range(2):
            await bell.wait()
            heard.append(number)

    nursery.start_soon(wait)
    await wait_all_tasks_blocked()
    bell.ring()
    bell.ring()  # It hasn't run yet: remembered.
    await wait_all_tasks_blocked()

    assert heard == [0, 1]


async def test_a_ring_isnt_lost_when_who_hears_it_is_cancelled() -> None:
    bell = Doorbell()
    bell.ring()
    with trio.CancelScope() as scope:
        scope.cancel()
        await bell.wait()

    with trio.fail_after(1):
        await bell.wait()
