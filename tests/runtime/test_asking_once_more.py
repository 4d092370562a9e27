"""What is known once the venue has been asked once more: only answers to questions from after that count."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from strategykit.runtime.reconcile import ANSWER_WITHIN

if TYPE_CHECKING:
    from tests.runtime.conftest import Stage


async def test_a_round_that_was_under_way_is_followed_by_another(stage: Stage, autojump_clock: MockClock) -> None:
    stage.silent = True
    stage.gateway.doubt(0.0)
    await wait_all_tasks_blocked()
    assert stage.asked == 1
    over = trio.Event()

    async def ask() -> None:
        await stage.reconciler.once_more(stage.gateway)
        over.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        stage.silent = False
        await trio.sleep(ANSWER_WITHIN / 2)
        assert not over.is_set()

    assert stage.asked == 6, "two questions had been left of the first round, and the second one has three"


async def test_one_that_isnt_answered_in_whole_doesnt_count(stage: Stage, autojump_clock: MockClock) -> None:
    stage.silent = True
    with trio.move_on_after(60) as scope:
        await stage.reconciler.once_more(stage.gateway)
    assert scope.cancelled_caught

    stage.silent = False
    await stage.reconciler.once_more(stage.gateway)

    assert stage.reconciler.rounds


async def test_pauses_of_a_doubt_that_stays_are_drawn_and_the_same_in_a_rerun(
    stage: Stage, autojump_clock: MockClock
) -> None:
    async def times(seed: int) -> list[float]:
        stage.reconciler.rng, stage.silent, asked = random.Random(seed), False, list[float]()
        answer = stage.reconciler.ask
        stage.reconciler.ask = lambda *_: asked.append(trio.current_time() - begun)
        begun = trio.current_time()
        with trio.move_on_after(600):
            await stage.reconciler.once_more(stage.gateway)
        stage.reconciler.ask = answer
        await stage.reconciler.once_more(stage.gateway)
        return [round(when, 3) for when in asked]

    first, same, other = [await times(seed) for seed in (1, 1, 2)]

    assert first == same
    assert first != other
    unanswered = ANSWER_WITHIN * 3
    assert first[:9:3] == other[:9:3] == [0.0, unanswered + 0.25, 2 * unanswered + 0.75], "the first ones are steady"
