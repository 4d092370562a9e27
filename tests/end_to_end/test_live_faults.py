"""Live runs on real sockets while the venue does everything wrong: books agree, and tapes run again equal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio

from benchmarks.faults_check import check_books, check_gaps, check_rerun, check_secrets
from benchmarks.faults_plan import LIMITS, Fault, Plan
from benchmarks.faults_run import run_plan
from strategykit.runtime.assembly import Run
from strategykit.runtime.report import RunReport
from strategykit.runtime.run import rerun_tape

CHURN = str(Path(__file__).parents[2] / "benchmarks" / "churn.py")

KEEP_TRYING = """
    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        while True:
            self.buy_nowait(1, limit=round(self.quotes.last.bid * 0.9, 2)).cancel_nowait()
            await trio.sleep(0.1)
"""

MOVE = """
    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        far = round(self.quotes.last.bid * 0.9, 2)
        order = await self.buy(1, limit=far)
        for step in range(4):
            await trio.sleep(0.3)
            while order.request.price != Decimal(str(round(far - 1 - step, 2))):
                try:
                    await order.amend(limit=round(far - 1 - step, 2))
                except OrderRefused:  # While the lane is down.
                    await trio.sleep(0.1)
            self.log(f"moved to {order.request.price} as {order.venue_order_id}")
        await order.cancel()
        self.log(f"ended {order.state.value}")
"""


def wrong(result: RunReport, told: dict[str, Any], tape: Path, *, forgets: bool = False) -> Sequence[str]:
    """All that isn't as it should be after a run."""
    again = rerun_tape(tape)
    return [
        *(() if forgets else result.unaccounted),
        *check_books(result, told, forgets=forgets),
        *check_gaps(tape),
        *check_rerun(result, again),
        *check_secrets(tape, ()),
    ]


async def until(done: Callable[[], bool]) -> None:
    """Wait for something that only shows by looking."""
    while not done():  # noqa: ASYNC110 - a run tells nobody of its insides
        await trio.sleep(0.005)


async def settled(run: Run) -> None:
    """Wait until all wires are open and all streams confirmed."""

    def is_settled() -> bool:
        rows = [row.state.value in ("active", "stale") for row in run.engine.table]
        return bool(rows) and all(rows) and set(run.engine.lanes) == set(run.engine.sessions)

    await until(is_settled)


@pytest.mark.slow
def test_books_agree_and_the_tape_runs_again_after_faults_of_every_kind(tmp_path: Path) -> None:
    faults: list[dict[str, Any]] = [
        {"fault": "reset", "lane": "all"},
        {"fault": "duplicate_reply", "count": 5},
        {"fault": "duplicate_fill", "count": 5},
        {"fault": "garbage", "lane": "all"},
        {"fault": "duplicate_acknowledgement", "count": 5},
        {"fault": "late_acknowledgement", "seconds": 0.5, "count": 3},
        {"fault": "reset", "lane": "orders"},
        {"fault": "late_reply", "seconds": 0.4, "count": 10},
        {"fault": "drop", "lane": "commands"},
        {"fault": "revoke_tokens"},
        {"fault": "halt", "instrument": "SBER"},
        {"fault": "stall", "lane": "market", "seconds": 0.5},
        {"fault": "resume", "instrument": "SBER"},
        {"fault": "missing_reply", "count": 2},
        {"fault": "restart", "seconds": 0.3},
        {"fault": "drop", "lane": "market"},
        {"fault": "reset", "lane": "commands"},
    ]
    at = [0.2 + 0.18 * number for number in range(len(faults))]
    plan = Plan(
        seed=7,
        faults=tuple(Fault(when, command) for when, command in zip(at, faults, strict=True)),
        token_life=3.0,
        forgets=False,
        pace=0.02,
    )

    struck, found = run_plan(plan, tmp_path)

    assert not found
    assert struck >= len(faults) - 2, "what falls into the restart finds nobody"


def test_orders_go_through_again_after_tokens_were_revoked(venue: Any, bench: Any) -> None:
    revoked: list[int] = []

    async def revoke(run: Run) -> None:
        await settled(run)
        await trio.sleep(0.3)
        venue.fault("revoke_tokens")
        revoked.append(len(run.gateway.orders))
        await until(lambda: len(run.gateway.orders) > revoked[0] + 20)

    result = bench.run(venue.url, [bench.strategy(KEEP_TRYING)], meanwhile=revoke, enough=lambda _: True)

    later = [order.state for order in result.orders[revoked[0] :]]
    first = later.index("cancelled", 1)  # The first may have been under way when its token died.
    assert first <= 10, "a new login takes a moment, not seconds"
    assert set(later[first:]) == {"cancelled"}
    assert not wrong(result, venue.told(), bench.tape)


def test_an_amend_whose_answer_is_lost_is_found_by_its_new_number(venue: Any, bench: Any) -> None:
    async def silence(run: Run) -> None:
        await until(lambda: any(len(order.filled_by_number) == 2 for order in run.gateway.orders.values()))
        venue.fault("missing_reply", count=1)
        venue.fault("stall", lane="orders", seconds=2.0)
        await until(lambda: any(order.amending is not None for order in run.gateway.orders.values()))
        await trio.sleep(0.1)
        venue.fault("reset", lane="commands")
        lost.append(len(venue.told()["orders"]))

    lost: list[int] = []
    result = bench.run(venue.url, [bench.strategy(MOVE)], meanwhile=silence, duration=6_000_000_000)

    told = venue.told()
    (order,) = result.orders
    assert lost == [3], "the amend took effect"
    assert [text for _, source, text in result.notes if source == "own"][-1] == "ended cancelled"
    assert len(order.venue_order_ids) == 5
    assert {row["status"] for row in told["orders"]} == {"cancelled"}
    assert not wrong(result, told, bench.tape)


def test_a_late_answer_to_one_amend_isnt_taken_for_the_next_ones(venue: Any, bench: Any) -> None:
    async def delay(run: Run) -> None:
        await settled(run)
        await until(lambda: bool(run.gateway.orders))
        venue.fault("late_reply", seconds=0.15, count=20)

    def ended(run: Run) -> bool:
        return any(not order.is_open for order in run.gateway.orders.values())

    result = bench.run(venue.url, [bench.strategy(MOVE)], meanwhile=delay, enough=ended)

    (order,) = result.orders
    assert len(order.venue_order_ids) == 5
    assert not wrong(result, venue.told(), bench.tape)


def test_a_stop_that_has_fired_can_be_moved_and_withdrawn(venue: Any, bench: Any) -> None:
    strategy = bench.strategy(
        """
        quotes = Quotes("{instrument}")

        async def run(self) -> None:
            await self.when(self.quotes.bid < self.quotes.ask)
            bid = self.quotes.last.bid
            order = await self.buy(1, stop=round(bid * 0.95, 2), limit=round(bid * 0.9, 2))
            while order.request.stop_price is not None:
                await trio.sleep(0.05)
            await order.amend(limit=round(bid * 0.89, 2))
            await order.cancel()
            self.log(f"ended {order.state.value} after {len(order.filled_by_number)} numbers")
        """
    )

    result = bench.run(venue.url, [strategy], duration=4_000_000_000)

    assert [text for _, source, text in result.notes if source == "own"] == ["ended cancelled after 3 numbers"]
    assert not wrong(result, venue.told(), bench.tape)


def test_a_venue_that_forgets_its_orders_ends_in_words_not_in_guesses(venue: Any, bench: Any) -> None:
    async def forget(run: Run) -> None:
        await settled(run)
        await trio.sleep(0.5)
        venue.fault("restart", seconds=0.2, forget_orders=True)
        await trio.sleep(0.5)
        await settled(run)
        await trio.sleep(2.5)

    strategy = bench.strategy("", name="churn")
    spec = type(strategy)(name="churn", file=CHURN, params={"instrument": "SBER", "pace": 0.02})
    result = bench.run(venue.url, [spec], meanwhile=forget, enough=lambda _: True, limits=LIMITS)

    told = venue.told()
    forgotten = {order.client_order_id for order in result.orders} - {row["client_order_id"] for row in told["orders"]}
    assert forgotten
    assert any("no longer shows" in line or "doesn't show" in line for line in result.unaccounted)
    assert not wrong(result, told, bench.tape, forgets=True)


def test_what_no_dialect_can_read_on_the_order_lane_is_no_obstacle_to_a_re_run(venue: Any, bench: Any) -> None:
    async def mumble(run: Run) -> None:
        await settled(run)
        venue.fault("garbage", lane="commands")
        venue.fault("garbage", lane="commands", frame='{"requestGuid":1}')

        await until(lambda: run.engine.unreadable == 2)
        traded = len(run.gateway.orders)
        await until(lambda: len(run.gateway.orders) > traded + 3)

    result = bench.run(venue.url, [bench.strategy(KEEP_TRYING)], meanwhile=mumble, enough=lambda _: True)

    assert result.unreadable == 2
    assert not wrong(result, venue.told(), bench.tape)
