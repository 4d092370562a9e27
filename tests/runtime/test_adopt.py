"""What a run that was killed has written down, folded by the next one, at the same venue."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from strategykit.errors import JournalError, OrderRefused
from strategykit.journal.format import RecordKind
from strategykit.journal.reader import read_journal
from strategykit.journal.writer import JournalWriter, open_journal
from strategykit.model.codec import make_converter
from strategykit.model.event_class import altered
from strategykit.model.events import Fill, OrderStatus
from strategykit.model.instruments import Instrument
from strategykit.model.orders import AmendOrder, OrderState
from strategykit.model.portfolio import Portfolio
from strategykit.runtime.adopt import adopt_orders, take_positions
from strategykit.runtime.alarms import Alarms
from strategykit.runtime.carried import Carried, carried_facts, carry, read_carried
from strategykit.runtime.order_journal import RunJournal
from strategykit.venues.dialect import OrderReply

THINGS = "place place execute reply tell tell fill fill cancel amend drop lane".split()  # noqa: SIM905 - easier to read

MakeStage = Callable[..., Any]


@contextmanager
def writing(folder: Path) -> Iterator[tuple[JournalWriter, RunJournal]]:
    times = iter(range(1, 1_000_000))
    with open_journal(folder, now=lambda: next(times), run={"tag": "tag"}, reserve=0, in_loop=True) as writer:
        instruments = {"X": Instrument("X", tick=Decimal("0.01"))}
        yield (
            writer,
            RunJournal(
                writer=writer,
                converter=make_converter(),
                alarms=Alarms(lambda *_: None),
                why=lambda _: {"at": "own.py:1 run"},
                instruments=instruments,
            ),
        )


def left_by(writer: JournalWriter) -> Carried:
    """What the next run finds if this one is killed now: by way of JSON, as it is handed on."""
    converter = make_converter()
    carried = carry(read_journal(writer.path).records, converter)
    return read_carried(carried_facts(carried, converter), converter)


async def live(stage: Any, rng: random.Random) -> None:
    """Let one thing happen, at the strategy, on the wire, or at the venue."""
    gateway, venue = stage.gateway, stage.venue
    orders = [order for order in gateway.orders.values() if order.is_open]
    working = [order for order in venue.orders.values() if order.status is OrderStatus.WORKING]
    match rng.choice(
        ["place", "place", "execute", "reply", "tell", "tell", "fill", "fill", "cancel", "amend", "drop", "lane"]
    ):
        case "place":
            stage.order(rng.randint(1, 9), **({"stop": 101.0} if rng.random() < 0.2 else {}))
        case "execute" if stage.sent:
            stage.execute(refuse=rng.random() < 0.1)
        case "reply" if venue.replies:
            await stage.reply()
        case "tell" if venue.said:
            await stage.tell(rng.randrange(len(venue.said)))
        case "fill" if working:
            order = rng.choice(working)
            if order.request.stop_price is not None:
                venue.trigger(order)
            else:
                venue.fill(order, rng.randint(1, int(order.left)))
        case "cancel" if orders:
            rng.choice(orders).cancel_nowait()
        case "amend" if orders:
            try:
                gateway.amend_nowait(rng.choice(orders), limit=99.0 + rng.random(), quantity=None)
            except OrderRefused:
                """It can't be just now."""
        case "drop" if stage.sent:
            stage.sent.clear()  # It is lost on its way; nobody answers.
        case "lane":
            stage.lane(up=not stage.up)
    await wait_all_tasks_blocked()


def held(fills: list[Fill]) -> Decimal:
    return sum((fill.quantity * fill.side.sign for fill in fills), Decimal(0))


@pytest.mark.parametrize("seed", range(25))
async def test_whatever_the_moment_the_next_run_knows_what_the_venue_knows(
    tmp_path: Path, nursery: trio.Nursery, autojump_clock: MockClock, stage: Any, next_stage: MakeStage, seed: int
) -> None:
    rng = random.Random(seed)
    venue = stage.venue
    with writing(tmp_path / "first") as (writer, journal), trio.CancelScope() as first_run:
        async with trio.open_nursery() as tasks:
            first = next_stage(tasks, venue, journal=journal, tag="a")
            for _ in range(rng.randint(5, 60)):
                await live(first, rng)
            told = list(first.ear.fills)
            first_run.cancel()
    carried = left_by(writer)
    portfolio = Portfolio()
    take_positions("s", portfolio, carried)
    assert portfolio.quantity("X") == held(told)
    venue.replies.clear()

    second = next_stage(nursery, venue, tag="b")
    second.lane(up=False)
    second.ear.fills.clear()
    adopted = adopt_orders(second.gateway, carried, make_converter(), now=second.now())

    # Those it had seen end need no looking after; every other one is in doubt.
    assert all(order.earlier for order in adopted)
    assert {order.state for order in adopted if order.is_open} <= {OrderState.UNKNOWN, OrderState.CANCEL_UNKNOWN}
    alive = {order.request.client_order_id for order in venue.orders.values() if order.status is OrderStatus.WORKING}
    assert alive <= {order.client_order_id for order in adopted}

    second.lane(up=True)
    await trio.sleep(30)

    while second.sent:  # What was to be withdrawn when the first one died still is.
        second.execute()
        await second.reply()
        await second.tell()
        await trio.sleep(30)
    assert not second.gateway.doubtful()
    for order in adopted:
        truths = venue.of(order.client_order_id)
        assert order.filled_quantity == sum(truth.filled for truth in truths), order
        still = any(truth.status is OrderStatus.WORKING for truth in truths)
        assert order.is_open == still, order
    assert held(told) + held(second.ear.fills) == held(venue.fills)
    assert len(venue.created) == len(set(venue.created))


async def test_nothing_of_an_order_that_cant_be_written_down_leaves(
    tmp_path: Path, nursery: trio.Nursery, stage: Any, next_stage: MakeStage
) -> None:
    with writing(tmp_path) as (writer, journal):
        own = next_stage(nursery, stage.venue, journal=journal)
        standing, truth = await own.working()
        writer.close()

        order = own.order()

        assert order.state is OrderState.REJECTED
        assert "can't be written down" in order.reason
        with pytest.raises(OrderRefused, match="can't be written down"):
            await standing.amend(limit=99.0)
        assert own.sent == []
        standing.cancel_nowait()  # Cancels stay possible.
        own.execute()
        await own.reply()
        await own.tell()
        assert standing.state is OrderState.CANCELLED
        assert truth.status is OrderStatus.CANCELLED
    (alarm,) = journal.alarms.lines
    assert "no orders are placed any more" in alarm


async def test_what_couldnt_be_made_durable_is_known_not_to_have_left(stage: Any) -> None:
    order, _ = await stage.working()
    new = stage.order()
    stage.gateway.amend_nowait(order, limit=99.0, quantity=None)
    amend = stage.sent[-1]

    stage.gateway.unsent(new.client_order_id, "the disk failed")
    stage.gateway.unsent(amend.guid, "the disk failed")
    stage.gateway.unsent("unheard of", "the disk failed")

    assert (new.state, new.reason) == (OrderState.REJECTED, "the disk failed")
    assert order.amending is None
    assert order.amend_refusal is not None
    assert order.state is OrderState.WORKING


async def test_the_venues_repetitions_are_written_down_once(
    tmp_path: Path, nursery: trio.Nursery, stage: Any, next_stage: MakeStage
) -> None:
    with writing(tmp_path) as (writer, journal):
        own = next_stage(nursery, stage.venue, journal=journal)
        _, truth = await own.working()
        before = len(read_journal(writer.path).records)
        for _ in range(5):
            own.hear(truth.update())

        assert len(read_journal(writer.path).records) == before


def test_a_record_that_isnt_ours_is_an_error_that_says_which(tmp_path: Path) -> None:
    with writing(tmp_path) as (writer, _):
        writer.write(RecordKind.HEARD, {"client_order_id": "a", "news": {"type": "Fill", "colour": "red"}})

    with pytest.raises(JournalError, match=r"record 2 \(heard\) can't be read"):
        left_by(writer)


@pytest.mark.parametrize("what", ["amend", "create"])
@pytest.mark.parametrize("set_back", [0, 3600])
async def test_what_a_dead_run_had_sent_is_given_up_seven_seconds_after_the_next_one_began_whatever_the_clocks(
    tmp_path: Path,
    nursery: trio.Nursery,
    autojump_clock: MockClock,
    stage: Any,
    next_stage: MakeStage,
    what: str,
    set_back: int,
) -> None:
    await trio.sleep(1_000)
    with writing(tmp_path / "first") as (writer, journal), trio.CancelScope() as scope:
        async with trio.open_nursery() as tasks:
            first = next_stage(tasks, stage.venue, journal=journal, tag="a")
            first.now = lambda: int((trio.current_time() + set_back) * 1e9)
            first.gateway.now = first.now
            if what == "amend":
                order, _ = await first.working()
                first.gateway.amend_nowait(order, limit=Decimal(99), quantity=None)
            else:
                first.order()
            scope.cancel()
    second = next_stage(nursery, stage.venue, tag="b")
    second.lane(up=False)
    (adopted,) = adopt_orders(second.gateway, left_by(writer), make_converter(), now=second.now())
    began = trio.current_time()
    second.lane(up=True)
    with trio.fail_after(20):
        while second.gateway.doubtful():  # noqa: ASYNC110 - nobody is told when nothing is in doubt
            await trio.sleep(0.1)

    assert 7 <= trio.current_time() - began < 12
    assert adopted.state is (OrderState.WORKING if what == "amend" else OrderState.REJECTED)


@pytest.mark.parametrize("took_effect", [True, False])
async def test_an_amend_whose_answer_was_lost_is_what_the_run_before_saw_of_it(
    tmp_path: Path,
    nursery: trio.Nursery,
    autojump_clock: MockClock,
    stage: Any,
    next_stage: MakeStage,
    took_effect: bool,
) -> None:
    """A venue that amends in place answers one amend never, and says no to the next, by a guid of its own."""
    with writing(tmp_path / "first") as (writer, journal), trio.CancelScope() as scope:
        async with trio.open_nursery() as tasks:
            first = next_stage(tasks, stage.venue, journal=journal, tag="a")
            order, truth = await first.working()
            first.gateway.amend_nowait(order, limit=Decimal(101), quantity=None)
            command = first.sent.pop()
            if took_effect:
                truth.request = altered(truth.request, price=command.request.price)
            first.lane(up=False)
            first.lane(up=True)
            await order.changed.until(lambda: order.amending is None)
            first.gateway.amend_nowait(order, limit=Decimal(102), quantity=None)
            first.sent.pop()
            no = OrderReply(truth.number, AmendOrder, "another", 2013, "not trading", ok=False)
            assert first.gateway.replied(no)
            scope.cancel()
    second = next_stage(nursery, stage.venue, tag="b")
    second.lane(up=False)
    (adopted,) = adopt_orders(second.gateway, left_by(writer), make_converter(), now=second.now())

    assert adopted.request.price == order.request.price == (101 if took_effect else 100)
    assert adopted.amending is None
    assert (order.absent_amend is None) is took_effect, "it may still arrive"
    assert (adopted.absent_amend is None) is took_effect
    assert not second.gateway.contradictions
    second.lane(up=True)
    assert await adopted.known() is OrderState.WORKING
    assert not second.gateway.contradictions
