"""What others take for granted: whose a fill is, what a broken wire leaves certain, what an alarm does."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from strategykit import Strategy
from strategykit.errors import RiskLimit
from strategykit.model.event_class import altered
from strategykit.model.events import Fill, Side, Trade
from strategykit.model.orders import Command, OrderState
from strategykit.runtime.order import Order
from strategykit.runtime.playing import Identity
from strategykit.runtime.ports import News
from strategykit.runtime.report import Digest, report
from strategykit.runtime.simulate import simulate
from strategykit.venues.dialect import Reply


class Idle(Strategy):
    """Does nothing."""


class Stumbles:
    """Fails over the first fill that it is told."""

    stumbled = False

    def intend(self, order: Order, command: Command) -> None: ...
    def unsent(self, command: Command, reason: str) -> None: ...
    def learnt(self, order: Order) -> None: ...

    def heard(self, order: Order, news: News) -> None:
        if isinstance(news, Fill) and not self.stumbled:
            self.stumbled = True
            raise MemoryError


class Lists:
    """Lists what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def unsent(self, command: Command, reason: str) -> None: ...

    def intend(self, order: Order, command: Command) -> None:
        self.lines.append(f"intends {type(command).__name__}")

    def heard(self, order: Order, news: News) -> None:
        self.lines.append(f"heard {type(news).__name__}")

    def learnt(self, order: Order) -> None:
        self.lines.append(f"learnt that it is {order.state.value}")


async def test_what_works_is_in_doubt_while_its_wire_is_down(stage: Any, autojump_clock: MockClock) -> None:
    order, _ = await stage.working()

    stage.lane(up=False)

    assert order.state is OrderState.UNKNOWN
    stage.lane(up=True)
    await trio.sleep(30)
    stage.check()  # It works again, by the venue's own word.


async def test_a_fill_that_couldnt_be_taken_in_counts_when_it_comes_again(
    nursery: trio.Nursery, stage: Any, next_stage: Any
) -> None:
    own = next_stage(nursery, stage.venue, journal=Stumbles())
    order, truth = await own.working()
    fill = own.venue.fill(truth, 2)
    with pytest.raises(MemoryError):
        own.hear(fill)

    own.hear(fill)

    assert order.filled_quantity == 2
    assert own.ear.fills == [fill]


@pytest.mark.parametrize("way", ["nobody answers", "the lane ends", "the venue has trouble"])
async def test_an_order_without_an_answer_is_never_placed_again(
    stage: Any, autojump_clock: MockClock, way: str
) -> None:
    """Neither under its own id nor under another one: the venue may have it."""
    order = stage.order()
    (create,) = stage.sent
    if way == "the lane ends":
        stage.lane(up=False)
        stage.lane(up=True)
    elif way == "the venue has trouble":
        stage.gateway.replied(Reply(create.guid, 503, "try later", ok=False))
    await trio.sleep(60)

    assert stage.sent == [create]
    assert list(stage.gateway.orders) == [order.client_order_id]
    stage.check()


async def test_orders_of_others_arent_withdrawn_with_ours(stage: Any, autojump_clock: MockClock) -> None:
    order, truth = await stage.working()
    theirs = stage.venue.open(altered(order.request, client_order_id="theirs"))
    await stage.tell()
    stage.gateway.withdraw_opening(None)
    stage.lane(up=False)
    stage.lane(up=True)
    await trio.sleep(60)

    assert {command.venue_order_id for command in stage.sent} == {truth.number}
    assert list(stage.gateway.foreign) == [theirs.number]


async def test_news_are_written_down_before_anybody_is_told(nursery: trio.Nursery, stage: Any, next_stage: Any) -> None:
    journal = Lists()
    own = next_stage(nursery, stage.venue, journal=journal)
    own.ear.on_fill = lambda order: journal.lines.append(f"told of {order.filled_quantity} lots")
    own.ear.on_order = lambda order: journal.lines.append(f"told that it is {order.state.value}")
    _, truth = await own.working()
    own.venue.fill(truth)
    await own.tell(0)

    lines = journal.lines
    assert lines[0] == "intends CreateOrder"
    assert lines.index("heard Reply") < lines.index("told that it is working")
    assert lines.index("heard Fill") < lines.index("told of 5 lots") < lines.index("learnt that it is filled")
    for before, line in pairwise(lines):
        if line.startswith("told that"):
            assert before == line.replace("told", "learnt")


async def test_after_the_kill_switch_orders_are_closed_and_withdrawn_and_nothing_else(stage: Any) -> None:
    bought, truth = await stage.working()
    stage.venue.fill(truth, 2)
    await stage.tell()
    stage.gateway.killed = "somebody pulled it"

    with pytest.raises(RiskLimit, match="nothing is amended any more"):
        stage.gateway.amend_nowait(bought, limit=99.0, quantity=None)
    with pytest.raises(RiskLimit, match="nothing is placed any more but what closes a position"):
        stage.order(1)
    with pytest.raises(RiskLimit, match="nothing is placed any more but what closes a position"):
        stage.gateway.submit("s", "X", Side.SELL, 3)
    stage.gateway.submit("s", "X", Side.SELL, 2)
    bought.cancel_nowait()

    assert [type(command).__name__ for command in stage.sent] == ["CreateOrder", "CancelOrder"]


async def test_a_fill_is_booked_for_who_placed_the_order(stage: Any) -> None:
    other = type(stage.ear)()
    stage.gateway.listen("other", other)
    order = stage.gateway.submit("other", "X", Side.BUY, 3, limit=Decimal(100))
    stage.execute()
    await stage.reply()
    (truth,) = stage.venue.of(order.client_order_id)
    fill = stage.venue.fill(truth)
    await stage.tell()

    assert other.fills == [fill]
    assert stage.ear.fills == []


def test_ids_of_two_runs_differ_and_those_of_a_re_run_dont() -> None:
    assert Identity(1, 10).tag == Identity(1, 10).tag
    assert len({Identity(seed, start).tag for seed in range(50) for start in range(50)}) == 2_500


def test_a_kill_switch_that_doesnt_get_done_ends_in_an_alarm() -> None:
    done = simulate([("idle", Idle())], [], instruments={}, start=0)
    latched: list[tuple[str, str]] = []
    kill = attrs.evolve(done.run.kill, start=lambda *_: None, latch=lambda reason, by: latched.append((reason, by)))
    kill.pull("enough", "the test")
    kill.pull("never mind", "the test")

    kill.give_up()

    assert latched == [("enough", "the test")]
    (alarm,) = kill.alarms.lines
    assert "not finished within 15 s" in alarm


def test_an_alarm_makes_a_run_red() -> None:
    done = simulate([("idle", Idle())], [], instruments={}, start=0)
    facts: Any = {
        "notes": done.notes,
        "digest": Digest(),
        "connections": (),
        "marks": {},
        "unaccounted": (),
        "tape": None,
        "tape_failure": "",
    }

    assert report(done.run, **facts).ok
    assert not report(done.run, **facts, alarms=["somebody has to look"]).ok


def test_a_digest_is_over_all_that_an_event_says_and_over_their_order() -> None:
    one = Trade("X", 1.0, 1.0, None, "1", 1, 1, "g")
    two = Trade("X", 1.0, 1.0, None, "2", 1, 1, "g")

    def digest(*events: Trade) -> str:
        found = Digest()
        for event in events:
            found(event)
        return found.text()

    assert digest(one, two) == digest(one, two)
    assert len({digest(one), digest(two), digest(one, two), digest(two, one), digest(one, one)}) == 5
