"""What a kill switch calls proof: the venue's own list without an order of ours, asked when nothing is under way."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
import trio
from trio.testing import MockClock

from strategykit.errors import OrderRefused
from strategykit.model.events import OrderStatus
from strategykit.model.orders import AmendOrder, CancelOrder, OrderState
from strategykit.runtime.alarms import Alarms
from strategykit.runtime.engine import Engine
from strategykit.runtime.kill import KILL_WITHIN, KillSwitch
from strategykit.runtime.reconcile import ON_ITS_WAY
from strategykit.runtime.supervise import Supervisor
from strategykit.runtime.unwatched import ADVICE

if TYPE_CHECKING:
    from tests.runtime.conftest import Stage, Truth

ARRIVES_WITHIN = ON_ITS_WAY * 1e-9


class Pulled:
    """A kill switch in front of a stage whose strategies have all gone."""

    def __init__(self, stage: Stage, nursery: trio.Nursery, **how: Any) -> None:
        self.stage = stage
        self.proofs: list[str] = []
        self.held: list[tuple[str, str, Decimal]] = []
        # There is no more of an engine than a supervisor without strategies asks for.
        engine = cast("Engine", SimpleNamespace(gateway=stage.gateway))
        supervisor = Supervisor(engine=engine, seats=(), now=stage.now, note=lambda *_: None, home=nursery)
        facts: dict[str, Any] = {
            "gateway": stage.gateway,
            "supervisor": supervisor,
            "reconciler": stage.reconciler,
            "alarms": Alarms(lambda *_: None),
            "start": nursery.start_soon,
            "latch": lambda *_: None,
            "proven": self.proofs.append,
            "flatten": False,
            "held": lambda: self.held,
        }
        self.kill = KillSwitch(**{**facts, **how})

    async def settle(self) -> float:
        """Pull, take every cancel to the venue at once, and give the seconds until it is known how that ended."""
        began = trio.current_time()
        self.kill.pull("why", "the test")
        while not self.kill.settled.is_set():
            for cancel in [each for each in self.stage.sent if isinstance(each, CancelOrder)]:
                self.stage.sent.remove(cancel)
                self.stage.venue.execute(cancel)
                await self.stage.reply()
                await self.stage.tell()
            with trio.move_on_after(0.01):
                await self.kill.settled.wait()
        return trio.current_time() - began

    @property
    def alarm(self) -> str:
        (line,) = self.kill.alarms.lines
        return line


@pytest.fixture
def pulled(stage: Stage, nursery: trio.Nursery) -> Pulled:
    return Pulled(stage, nursery)


async def back_again(stage: Stage) -> Truth:
    """Give an order that the venue has at work, though it had told us of its end."""
    order, truth = await stage.working()
    stage.venue.end(truth, OrderStatus.CANCELLED)
    await stage.tell()
    truth.status = OrderStatus.WORKING
    assert order.state is OrderState.CANCELLED
    return truth


async def test_where_all_was_answered_the_proof_is_there_at_once(
    stage: Stage, pulled: Pulled, autojump_clock: MockClock
) -> None:
    await stage.working()

    took = await pulled.settle()

    assert took < 0.1
    assert pulled.proofs == ["the venue has no order of ours; positions: flat"]


async def test_one_that_ended_for_us_and_works_at_the_venue_is_withdrawn_before_that(
    stage: Stage, pulled: Pulled, autojump_clock: MockClock
) -> None:
    truth = await back_again(stage)

    await pulled.settle()

    assert truth.status is OrderStatus.CANCELLED
    assert pulled.proofs == ["the venue has no order of ours; positions: flat"]


async def test_one_that_the_venue_goes_on_listing_is_an_alarm_that_names_it(
    stage: Stage, pulled: Pulled, autojump_clock: MockClock
) -> None:
    truth = await back_again(stage)
    pulled.kill.pull("why", "the test")

    await pulled.kill.settled.wait()

    assert pulled.proofs == []
    assert [type(command) for command in stage.sent][:1] == [CancelOrder], "which nobody answers"
    assert "not finished within 15 s; nothing is left by our books; it isn't proven that the venue" in pulled.alarm
    assert f"the newest list that it gave has {truth.request.client_order_id} (1001) at work" in pulled.alarm


async def lose_amend(stage: Stage) -> AmendOrder:
    """Have an order amended and ended before that arrived; its answer is lost."""
    order, truth = await stage.working()
    stage.gateway.amend_nowait(order, limit=99.0, quantity=None)
    (amend,) = stage.sent
    stage.sent.clear()
    stage.lane(up=False)
    stage.lane(up=True)
    stage.venue.end(truth, OrderStatus.CANCELLED)
    await stage.tell()
    stage.gateway.amend_failed(order, OrderRefused("given up"))
    assert order.state is OrderState.CANCELLED
    assert isinstance(amend, AmendOrder)
    return amend


async def test_what_nobody_has_answered_is_waited_for_as_long_as_it_may_arrive(
    stage: Stage, pulled: Pulled, autojump_clock: MockClock
) -> None:
    amend = await lose_amend(stage)
    async with trio.open_nursery() as late:

        @late.start_soon
        async def arrive() -> None:
            await trio.sleep(ARRIVES_WITHIN - 1)
            stage.venue.open(amend.request)
            stage.venue.said.clear()

        took = await pulled.settle()

    assert took >= ARRIVES_WITHIN
    assert {each.status for each in stage.venue.orders.values()} == {OrderStatus.CANCELLED}
    assert pulled.proofs == ["the venue has no order of ours; positions: flat"]


async def test_an_answer_that_comes_late_ends_that_wait(
    stage: Stage, pulled: Pulled, autojump_clock: MockClock
) -> None:
    amend = await lose_amend(stage)
    stage.venue.execute(amend)
    await stage.reply()

    took = await pulled.settle()

    assert took < 0.1
    assert pulled.proofs == ["the venue has no order of ours; positions: flat"]


@pytest.mark.parametrize("sent", [True, False])
async def test_a_venue_that_tells_nothing_proves_nothing(
    stage: Stage, pulled: Pulled, autojump_clock: MockClock, *, sent: bool
) -> None:
    await stage.working()
    stage.silent = True
    pulled.kill.pull("why", "the test")
    if sent:  # By who closes what a block holds: it leaves after the pull.
        await trio.sleep(KILL_WITHIN - 3)
        stage.gateway.killed = ""
        stage.order()

    await pulled.kill.settled.wait()

    assert pulled.proofs == []
    why = "what was sent last may still arrive" if sent else "it hasn't told how our orders stand"
    assert pulled.alarm.endswith(f"it isn't proven that the venue has no order of ours: {why}")


async def test_without_a_venue_behind_the_orders_there_is_nothing_to_ask(
    stage: Stage, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    pulled = Pulled(stage, nursery, reconciler=None)
    await stage.working()
    stage.up = False
    pulled.kill.pull("why", "the test")

    await pulled.kill.settled.wait()

    assert "isn't proven" not in pulled.alarm


async def test_where_the_venue_counts_other_positions_being_flat_by_our_fills_proves_nothing(
    stage: Stage, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    pulled = Pulled(stage, nursery, amiss=lambda: {"X": Decimal(2)})
    await stage.working()

    took = await pulled.settle()

    assert took == pytest.approx(KILL_WITHIN)
    assert pulled.proofs == []
    words = "nothing is left by our books; the venue counts +2 X besides what our fills and other people's come to"
    assert pulled.alarm.endswith(f"not finished within 15 s; {words}")


async def test_its_word_on_positions_may_come_after_its_list_of_orders(
    stage: Stage, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    late = [{"X": Decimal(2)}, {"X": Decimal(2)}]
    pulled = Pulled(stage, nursery, amiss=lambda: late.pop() if late else {})

    took = await pulled.settle()

    assert 1 <= took < 2, "two more rounds"
    assert pulled.proofs == ["the venue has no order of ours; positions: flat"]


async def test_where_positions_can_not_be_compared_the_proof_says_whose_word_they_are(
    stage: Stage, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    pulled = Pulled(stage, nursery, amiss=lambda: None)

    await pulled.settle()

    assert pulled.proofs == ["the venue has no order of ours; positions by our fills: flat"]


async def test_what_can_not_be_closed_is_an_alarm_that_names_it_and_its_strategy_and_keeps_nothing_else_from_it(
    stage: Stage, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    pulled = Pulled(stage, nursery, flatten=True)
    pulled.held = [("gone", "Y", Decimal(2)), ("s", "X", Decimal(1))]
    pulled.kill.pull("why", "the test")

    await pulled.kill.settled.wait()

    assert pulled.proofs == []
    assert "Y of gone can't be closed: no instrument 'Y' in this run" in pulled.alarm
    assert "X of s can't be closed: the kill switch was pulled" in pulled.alarm, "it holds nothing by the limits"
    assert pulled.alarm.endswith("left are +2 Y of gone; +1 X of s")


async def test_a_position_that_stays_is_an_alarm_that_names_its_stop(
    stage: Stage, pulled: Pulled, autojump_clock: MockClock
) -> None:
    """The orders were withdrawn, its stop too: flat is the only end without an alarm."""
    stop, _ = await stage.working(2, limit=None, stop=105.0)
    await stage.working(3)
    pulled.held.append(("s", "X", Decimal(-2)))

    await pulled.settle()

    assert stop.state is OrderState.CANCELLED
    assert pulled.proofs == ["the venue has no order of ours; positions: -2 X of s"]
    assert pulled.alarm == (
        "kill: the venue has no order of ours, but positions stay open, and nothing watches over them: -2 X of s; "
        f"withdrawn with all other orders: their stop {stop.client_order_id} (buy 2 X at 105.0); {ADVICE}"
    )


async def test_on_paper_a_position_ends_with_its_run(
    stage: Stage, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    pulled = Pulled(stage, nursery, reconciler=None)
    pulled.held.append(("s", "X", Decimal(2)))

    await pulled.settle()

    assert pulled.proofs == ["no order is open; positions: +2 X of s"]
    assert pulled.kill.alarms.lines == []
