"""The machine's wall clock steps while a run trades, and between two runs: nobody waits for it, and nothing is lost."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trio

from strategykit.journal.reader import journal_files, read_journal
from strategykit.model.events import Event, Gap, Stale
from strategykit.model.orders import OrderState
from strategykit.runtime.assembly import Run
from strategykit.runtime.run import rerun_tape
from strategykit.wall import wall_time

SECOND = 10**9
HOUR = 3600 * SECOND
STEPS = (HOUR, -2 * HOUR, HOUR - 2 * SECOND, SECOND)
"""Nanoseconds: forward, back, nearly to the right time again, and a leap second."""

PLACING = """
    quotes = Quotes("{instrument}", fresh=5)

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        while True:
            with trio.fail_after(5):
                async with self.fresh(self.quotes, within=5):
                    order = await self.buy(1, limit=round(self.quotes.last.bid * 0.95, 2))
                    await trio.sleep(0.01)
                    await order.cancel()
"""

LEAVING = """
    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        bought = await self.buy(2)
        await bought.filled()
        await self.buy(1, limit=round(self.quotes.last.bid * 0.9, 2))
        await trio.sleep_forever()
"""

CLEARING = """
    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        self.log(f"begins with {self.position()} lots and {len(self.open_orders())} order")
        for order in self.open_orders():
            await order.cancel()
        sold = await self.sell(self.position())
        await sold.filled()
"""


class WallClock:
    """The machine's clock, which somebody sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = 0
        real = time.time_ns
        monkeypatch.setattr(time, "time_ns", lambda: real() + self.ahead)
        monkeypatch.setattr(time, "time", lambda: (real() + self.ahead) / SECOND)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    return WallClock(monkeypatch)


def test_a_runs_clock_goes_on_whatever_the_machines_clock_is_set_to(clock: WallClock) -> None:
    wall = wall_time()
    last = first = wall()
    for step in STEPS:
        clock.ahead += step
        now = wall()
        assert last <= now < first + 60 * SECOND
        last = now


def test_steps_of_the_clock_change_nothing_for_a_run(venue: Any, bench: Any, tmp_path: Path, clock: WallClock) -> None:
    told: list[Event] = []
    began = time.time_ns()

    def placed(run: Run) -> int:
        return sum(order.state is OrderState.CANCELLED for order in run.gateway.orders.values())

    def watch(event: Event) -> None:
        told.append(event)

    async def set_clock(run: Run) -> None:
        run.engine.watchers.append(watch)
        for step in STEPS:
            before, data = placed(run), len(told)
            clock.ahead += step
            while placed(run) < before + 3 or len(told) < data + 5:  # noqa: ASYNC110 - a run tells nobody of its insides
                await trio.sleep(0.005)

    result = bench.run(
        venue.url,
        [bench.strategy(PLACING, name="own")],
        meanwhile=set_clock,
        enough=lambda run: placed(run) >= 3 * len(STEPS),
        journal=tmp_path / "journal",
    )

    assert [row.error for row in result.strategies] == [""]
    assert (result.unaccounted, result.alarms) == ([], ())
    assert [row.reconnects for row in result.connections] == [0] * len(result.connections)
    assert [event for event in told if isinstance(event, Gap | Stale)] == []
    times = [event.receive_time for event in told if hasattr(event, "receive_time")]
    assert times == sorted(times)
    assert began <= times[0]
    assert times[-1] < began + 60 * SECOND
    assert venue.working() == []
    assert rerun_tape(bench.tape).ok
    (journal,) = (tmp_path / "journal").iterdir()
    (path,) = journal_files(journal).values()
    written = [record.time for record in read_journal(path).records]
    assert written == sorted(written)
    assert written[-1] < began + 60 * SECOND


@pytest.mark.parametrize("step", [-HOUR, HOUR])
def test_after_a_step_of_the_clock_the_next_run_takes_over_all_the_same(
    venue: Any, bench: Any, tmp_path: Path, clock: WallClock, step: int
) -> None:
    def cleared(run: Run) -> bool:
        orders = run.gateway.orders.values()
        return len(orders) == 2 and all(order.state.terminal for order in orders)

    def left(run: Run) -> bool:
        return any(order.state is OrderState.WORKING for order in run.gateway.orders.values())

    journal = tmp_path / "journal"
    first = bench.run(
        venue.url, [bench.strategy(LEAVING, name="own")], enough=left, journal=journal, on_stop="keep", tape=None
    )
    assert first.unaccounted == []
    assert len(venue.working()) == 1
    clock.ahead += step
    bench.folder = tmp_path / "second"
    bench.folder.mkdir()

    second = bench.run(
        venue.url,
        [bench.strategy(CLEARING, name="own")],
        enough=cleared,
        journal=journal,
        on_stop="keep",
    )

    assert [text for _, source, text in second.notes if source == "own"] == ["begins with 2 lots and 1 order"]
    assert (second.unaccounted, second.alarms) == ([], ())
    (row,) = second.strategies
    assert (row.error, row.left, row.positions.get("SBER", Decimal(0))) == ("", [], Decimal(0))
    assert venue.working() == []
    assert rerun_tape(bench.tape).ok
    for path in journal_files(next(journal.iterdir())).values():
        read_journal(path)
