"""Strategies that won't end: a simulation and a backtest return without them, and say so."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress

import pytest
import trio

from strategykit import OrderState, Quotes, Strategy, define
from strategykit.errors import ConnectionLost, StrategyBlocked
from strategykit.runtime.clock import ReplayClock, RunClock, WallClock
from strategykit.runtime.home import imports_left_alone, run_with_home
from strategykit.runtime.turns import LAST_STEPS, MOST_STEPS
from strategykit.testing import make_quotes, run_strategy


@define
class Stuck(Strategy):
    """Places an order and stays, in the way that it is told."""

    way: str
    quotes = Quotes("X")

    async def run(self) -> None:
        await self.when(self.quotes.bid > 0)
        self.buy_nowait(1, limit=50.0)
        if self.way == "shields itself":
            with trio.CancelScope(shield=True):
                await trio.sleep_forever()
        while True:
            with suppress(BaseException):
                if self.way == "yields":
                    await trio.lowlevel.checkpoint()
                else:
                    await trio.sleep_forever()


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("shields itself", "strategy didn't end when told to; the run was ended without it"),
        ("waits", "strategy didn't end when told to"),
        ("yields", "caught its own end, again and again; it gets no more turns"),
    ],
)
def test_a_simulation_ends_without_a_strategy_that_wont(way: str, words: str) -> None:
    outcome = run_strategy(Stuck(way=way), make_quotes("X", [100.0] * 5, spread=0.5))

    with pytest.raises(StrategyBlocked):
        outcome.check()
    assert words in str(outcome.error)
    assert sum("failed: StrategyBlocked" in note for note in outcome.notes) >= 1
    if way == "yields":
        assert [order.state for order in outcome.orders] == [OrderState.CANCELLED], "its orders are seen to"


def test_who_catches_being_told_that_it_blocks_gets_few_more_steps() -> None:
    """Meanwhile nobody gets a turn who would withdraw the others' orders."""
    steps = 0

    @define
    class Spinning(Strategy):
        quotes = Quotes("X")

        async def run(self) -> None:
            nonlocal steps
            while True:
                with suppress(BaseException):
                    await trio.lowlevel.checkpoint()
                steps += 1

    outcome = run_strategy(Spinning(), make_quotes("X", [100.0] * 3, spread=0.5))

    assert isinstance(outcome.error, StrategyBlocked)
    assert MOST_STEPS <= steps <= MOST_STEPS + LAST_STEPS


def test_another_run_can_follow_in_the_same_thread() -> None:
    for _ in range(2):
        outcome = run_strategy(Stuck(way="shields itself"), make_quotes("X", [100.0] * 3, spread=0.5))
        assert isinstance(outcome.error, StrategyBlocked)

    trio.run(trio.lowlevel.checkpoint)


async def sleep_shielded() -> None:
    with trio.CancelScope(shield=True):
        await trio.sleep_forever()


def test_what_is_raised_comes_out_though_tasks_are_left() -> None:
    async def main(home: trio.Nursery) -> None:
        home.start_soon(sleep_shielded)
        await trio.lowlevel.checkpoint()
        raise ConnectionLost("gone")

    with pytest.raises(StrategyBlocked, match="wouldn't end"):
        run_with_home(ReplayClock(10**18), main)


def kept() -> int:
    """Count the runs whose remains are held."""
    return sum(thread.name == "left behind" for thread in threading.enumerate())


def test_who_ends_in_time_isnt_left_behind() -> None:
    left: list[str] = []

    async def main(home: trio.Nursery) -> str:
        started = trio.Event()

        async def wait() -> None:
            started.set()
            try:
                await trio.sleep_forever()
            finally:
                left.append("properly")

        home.start_soon(wait)
        await started.wait()
        return "done"

    before = kept()
    assert run_with_home(ReplayClock(10**18), main) == "done"
    assert left == ["properly"]
    assert kept() == before


def test_an_error_of_trio_itself_is_no_strategys() -> None:
    class Broken(ReplayClock):
        def deadline_to_sleep_time(self, deadline: float) -> float:
            raise LookupError(f"{deadline}")

    async def main(home: trio.Nursery) -> None:
        await trio.sleep_forever()

    with pytest.raises(trio.TrioInternalError):
        run_with_home(Broken(10**18), main)


def test_a_program_leaves_what_it_has_imported_alone_and_nothing_that_died() -> None:
    class Ring:
        def __init__(self) -> None:
            self.me = self

    ring = Ring()
    gone = weakref.ref(ring)
    del ring
    before = gc.get_freeze_count()

    with imports_left_alone():
        assert gone() is None
        assert gc.get_freeze_count() > before + 1_000
    assert gc.get_freeze_count() == before


@pytest.mark.parametrize("make", [lambda: ReplayClock(0), lambda: WallClock(time.time_ns)], ids=["replay", "live"])
def test_what_died_in_one_run_is_collected_in_the_next(make: Callable[[], RunClock]) -> None:
    class Ring:
        def __init__(self) -> None:
            self.me = self

    rings: list[weakref.ref[Ring]] = []

    async def main(_: trio.Nursery) -> int:
        await trio.lowlevel.checkpoint()
        gc.collect()
        alive = sum(ring() is not None for ring in rings)
        rings.append(weakref.ref(Ring()))
        return alive

    assert [run_with_home(make(), main) for _ in range(3)] == [0, 0, 0]
