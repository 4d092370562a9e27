"""Runs that meet an error of the program's own, and strategies that won't end: on real sockets and the real clock."""

from __future__ import annotations

import time
from typing import Any

import attrs
import pytest
import trio

from strategykit.cli._report import print_run, run_as_json
from strategykit.model.events import Event, Quote
from strategykit.runtime import run as runs
from strategykit.runtime.assembly import Run
from strategykit.runtime.live import run_live
from strategykit.runtime.run import rerun_tape
from strategykit.tape.verify import verify_tape

RESTING = """
    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        for step in range(3):
            await self.buy(1, limit=round(self.quotes.last.bid * (0.9 - step / 100), 2))
        await trio.sleep_forever()
"""

STUCK = """
    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        await self.buy(1, limit=round(self.quotes.last.bid * 0.9, 2))
        %s
"""

WAYS = {
    "shields itself": "with trio.CancelScope(shield=True): await trio.sleep_forever()",
    "catches its end and waits": (
        "while True:\n            try: await trio.sleep_forever()\n            except BaseException: pass"
    ),
    "catches its end and yields": (
        "while True:\n            try: await trio.sleep(0)\n            except BaseException: pass"
    ),
    "waits for a task that shields itself": (
        "async with trio.open_nursery() as nursery:\n"
        "            with trio.CancelScope(shield=True): nursery.start_soon(self.wait)"
    ),
}

WAIT = """
    async def wait(self) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()
"""


async def orders_of(run: Run, count: int) -> None:
    with trio.fail_after(10):
        while sum(order.venue_order_id is not None for order in run.gateway.orders.values()) < count:  # noqa: ASYNC110
            await trio.sleep(0.02)


def fail_over_quotes(event: Event) -> None:
    if isinstance(event, Quote):
        raise LookupError("a watcher's")  # noqa: TRY004 - any error


def test_an_error_of_the_programs_own_withdraws_orders_and_is_reported(venue: Any, bench: Any) -> None:
    async def break_watchers(run: Run) -> None:
        await orders_of(run, 3)
        run.engine.watchers.append(fail_over_quotes)

    spec = bench.strategy(RESTING, name="resting")
    began = time.monotonic()
    result = bench.run(venue.url, [spec], meanwhile=break_watchers, duration=30_000_000_000)

    assert time.monotonic() - began < 15
    assert venue.working() == []
    assert {order.state for order in result.orders} == {"cancelled"}
    assert len(result.orders) == 3
    (line,) = result.unaccounted
    assert "LookupError: a watcher's (test_live_leaving.py:" in line
    assert isinstance(result.fault, LookupError)
    assert not result.ok
    assert [item.error for item in result.strategies] == [""], "it isn't the strategy's"
    assert verify_tape(bench.tape).ok


def test_an_error_beside_the_driver_withdraws_orders_too(venue: Any, bench: Any) -> None:
    async def break_run(run: Run) -> None:
        await orders_of(run, 3)
        run.nursery.start_soon(fail)

    async def fail() -> None:
        await trio.lowlevel.checkpoint()
        raise LookupError("a task's")

    result = bench.run(venue.url, [bench.strategy(RESTING)], meanwhile=break_run, duration=30_000_000_000)

    assert venue.working() == []
    assert {order.state for order in result.orders} == {"cancelled"}
    assert any("LookupError: a task's" in line for line in result.unaccounted)


def test_a_report_is_made_though_the_wires_fail(venue: Any, bench: Any) -> None:
    """No order can be withdrawn then: the report says which are left."""

    async def break_wires(run: Run) -> None:
        await orders_of(run, 3)
        run.engine.wires._venue._new_asks.close()  # type: ignore[attr-defined]
        run.engine.wires._venue._new_links.send_nowait(None)  # type: ignore[attr-defined]

    began = time.monotonic()
    result = bench.run(venue.url, [bench.strategy(RESTING)], meanwhile=break_wires, duration=30_000_000_000)

    assert time.monotonic() - began < 15
    assert result.fault is not None
    assert sum("is still open or in doubt" in line for line in result.unaccounted) == 3


def test_the_fault_of_a_report_is_raised_when_it_has_been_printed(venue: Any, bench: Any, capsys: Any) -> None:
    async def break_watchers(run: Run) -> None:
        await orders_of(run, 1)
        run.engine.watchers.append(fail_over_quotes)

    result = bench.run(venue.url, [bench.strategy(RESTING)], meanwhile=break_watchers, duration=30_000_000_000)

    with pytest.raises(LookupError, match="a watcher's"):
        print_run(result, json=True)
    told = capsys.readouterr()
    assert "unaccounted for: the run was ended by an error of the program's own" in told.err
    assert '"ok": false' in told.out
    assert "fault" not in run_as_json(result)


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give strategies little time to leave."""
    monkeypatch.setattr(runs, "run_live", lambda plan: run_live(attrs.evolve(plan, leave_within=3.0)))


@pytest.mark.parametrize("way", WAYS)
def test_a_strategy_that_wont_end_doesnt_keep_the_run_from_ending(
    venue: Any, bench: Any, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    impatient(monkeypatch)
    stuck = bench.strategy(STUCK % WAYS[way] + WAIT, name="stuck")
    good = bench.strategy(RESTING, name="good", instrument="GAZP")
    began = time.monotonic()

    result = bench.run(venue.url, [stuck, good], duration=2_000_000_000)

    assert time.monotonic() - began < 15
    assert venue.working() == []
    left, ended = result.strategies
    assert (left.state, ended.state) == ("failed", "ended")
    # Who never waits is stopped for that before.
    assert ("caught its own end" if "yields" in way else "stuck didn't end when told to") in left.error
    assert (ended.error, ended.left) == ("", [])
    assert not result.ok
    assert verify_tape(bench.tape).ok
    again = rerun_tape(bench.tape)
    assert again.differences == ()
    assert again.run.strategies[0].state == "failed"


@pytest.mark.parametrize("place", ["run", "handler"])
def test_a_keyboard_interrupt_that_a_strategy_raises_is_its_own(venue: Any, bench: Any, place: str) -> None:
    body = {
        "run": "await trio.sleep(0.2); raise KeyboardInterrupt",
        "handler": "await trio.sleep_forever()",
    }[place]
    handler = "\n    def on_order(self, order) -> None:\n        raise KeyboardInterrupt\n"
    bad = bench.strategy(STUCK % body + (handler if place == "handler" else ""), name="bad")

    result = bench.run(venue.url, [bad], enough=lambda run: run.supervisor.seats[0].state == "failed")

    assert venue.working() == []
    assert not result.ok
    assert result.strategies[0].error.startswith("KeyboardInterrupt")
    assert result.unaccounted == []
