"""Linked orders between a strategy and a venue: sent together, answered each by itself, all or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from strategykit import OrderSpec, Strategy, define
from strategykit.errors import ConfigError, JournalError, LocalProtocolError, OrderRefused, RiskLimit, TapeError
from strategykit.journal.reader import read_journal
from strategykit.journal.writer import open_journal
from strategykit.model.codec import from_dict, make_converter, to_dict
from strategykit.model.event_class import altered
from strategykit.model.events import OrderStatus, Side
from strategykit.model.instruments import Instrument
from strategykit.model.orders import (
    Command,
    CreateGroup,
    GroupKind,
    OrderState,
    OrderType,
    TimeInForce,
    VenueCommand,
    single_order,
)
from strategykit.runtime.adopt import adopt_orders
from strategykit.runtime.alarms import Alarms
from strategykit.runtime.carried import carry
from strategykit.runtime.groups import exits_of, make_group, to_check
from strategykit.runtime.in_flight import REPLY_WITHIN
from strategykit.runtime.order import Order
from strategykit.runtime.order_journal import RunJournal
from strategykit.runtime.ports import News
from strategykit.runtime.risk_books import may_fill
from strategykit.testing import make_trades, run_strategy
from strategykit.venues.alor.dialect import Alor
from strategykit.venues.dialect import Reply

if TYPE_CHECKING:
    from tests.runtime.conftest import Stage, Truth

D = Decimal
X = Instrument("X", tick=D("0.05"))
LOW, LOWER = OrderSpec(Side.BUY, 5, limit=D(100)), OrderSpec(Side.BUY, 5, limit=D(99))
REJECTED, WORKING = OrderState.REJECTED, OrderState.WORKING

OCO, BRACKET, OFFSET = GroupKind.ONE_CANCELS_OTHER, GroupKind.BRACKET, GroupKind.OFFSET_BRACKET


def submit(stage: Stage, *specs: OrderSpec, kind: GroupKind = OCO) -> tuple[Order, ...]:
    return stage.gateway.submit_group("s", "X", kind, specs or (LOW, LOWER))


def states(*orders: Order) -> list[str]:
    return [order.state.value for order in orders]


def execute(stage: Stage) -> CreateGroup:
    """Let the venue take the group, each of its orders."""
    group = stage.groups.pop()
    for create in group.creates:
        stage.venue.execute(create)
    return group


async def working(stage: Stage, *specs: OrderSpec, kind: GroupKind = OCO) -> list[tuple[Order, Truth]]:
    """Give orders of a group that work, each with what the venue has of it."""
    orders = submit(stage, *specs, kind=kind)
    execute(stage)
    while stage.venue.replies:
        await stage.reply()
    await stage.tell()
    assert set(states(*orders)) == {"working"}
    return [(order, stage.venue.of(order.client_order_id)[0]) for order in orders]


@contextmanager
def writing(folder: Path) -> Iterator[RunJournal]:
    times = iter(range(1, 1_000_000))
    with open_journal(folder, now=lambda: next(times), run={"tag": "tag"}, reserve=0, in_loop=True) as writer:
        yield RunJournal(
            writer=writer,
            converter=make_converter(),
            alarms=Alarms(lambda *_: None),
            why=lambda _: {},
            instruments={"X": Instrument("X", tick=D("0.01"))},
        )


async def test_a_group_is_one_command_and_each_order_is_answered_by_itself(stage: Stage) -> None:
    first, second = submit(stage)
    group = execute(stage)
    assert states(first, second) == ["sent", "sent"]
    assert group.guid == first.group == second.group

    assert stage.gateway.replied(Reply(group.guid, 0, "taken", ok=True))
    assert states(first, second) == ["sent", "sent"]
    await stage.reply()
    assert states(first, second) == ["working", "sent"]
    await stage.reply()
    await stage.tell()

    assert states(first, second) == ["working", "working"]
    assert not stage.gateway.replied(Reply(group.guid, 0, "taken", ok=True)), "nothing waits for that any more"
    stage.check()


async def test_a_no_to_the_group_refuses_all_of_it(stage: Stage) -> None:
    orders = submit(stage)
    other = stage.order()

    assert stage.gateway.replied(Reply(orders[0].group, 400, "no money", ok=False))

    assert states(*orders, other) == ["rejected", "rejected", "sent"]
    for order in orders:
        with pytest.raises(OrderRefused, match="no money"):
            await order.accepted()


async def test_orders_of_a_group_whose_answer_is_lost_are_all_unknown(stage: Stage, autojump_clock: MockClock) -> None:
    stage.silent = True
    orders = submit(stage)
    execute(stage)
    stage.venue.replies.clear()
    stage.venue.said.clear()
    await trio.sleep(REPLY_WITHIN + 0.1)
    assert states(*orders) == ["unknown", "unknown"]

    stage.silent = False
    await trio.sleep(30)

    assert states(*orders) == ["working", "working"]
    stage.check()


async def test_a_group_that_never_arrived_is_found_missing(stage: Stage, autojump_clock: MockClock) -> None:
    orders = submit(stage)
    await trio.sleep(30)

    assert states(*orders) == ["rejected", "rejected"]
    stage.check()


async def test_nothing_of_a_group_leaves_while_the_lane_is_down(stage: Stage) -> None:
    stage.up = False
    orders = submit(stage)

    assert states(*orders) == ["rejected", "rejected"]
    assert orders[1].reason == "the command lane is down; nothing was sent"
    assert not stage.gateway.doubtful()


async def test_a_group_that_the_venue_has_no_words_for_never_leaves(stage: Stage) -> None:
    def dumb(strategy: str, command: VenueCommand) -> bool:
        raise LocalProtocolError("no such group")

    stage.command = dumb  # type: ignore[method-assign]  # the far end of this port
    with pytest.raises(LocalProtocolError, match="no such group"):
        submit(stage)

    assert states(*stage.gateway.orders.values()) == ["rejected", "rejected"]


async def test_a_group_that_couldnt_be_made_durable_is_known_not_to_have_left(stage: Stage) -> None:
    orders = submit(stage)

    stage.gateway.unsent(orders[0].group, "the disk failed")

    assert [(order.state, order.reason) for order in orders] == [(REJECTED, "the disk failed")] * 2


async def test_if_one_order_makes_no_sense_none_is_known(stage: Stage) -> None:
    with pytest.raises(RiskLimit, match="whole number of lots"):
        submit(stage, LOW, OrderSpec(Side.BUY, 0))

    assert not stage.gateway.orders
    assert not stage.groups
    (order, _) = submit(stage)
    assert order.client_order_id == "tag-s-1"


async def test_client_order_ids_go_on_after_a_group(stage: Stage) -> None:
    submit(stage)

    assert stage.order().client_order_id == "tag-s-3"


async def test_an_exit_that_is_filled_with_the_lots_that_were_left_it_is_filled(stage: Stage) -> None:
    """Of the 5 lots asked for, the venue has left it 2: the entry got no more."""
    entry, (exit_, truth) = await working(stage, LOW, OrderSpec(Side.SELL, 5, limit=D(101)), kind=BRACKET)
    truth.request = altered(truth.request, quantity=D(2))
    stage.venue.fill(truth)
    await stage.tell()

    assert (exit_.state, exit_.filled_quantity, exit_.quantity) == (OrderState.FILLED, D(2), D(5))
    await exit_.filled()
    assert not stage.gateway.contradictions
    assert entry[0].state is WORKING


async def test_what_the_venue_cancels_for_another_is_cancelled(stage: Stage) -> None:
    (first, one), (second, other) = await working(stage)
    stage.venue.fill(one)
    stage.venue.end(other, OrderStatus.CANCELLED)
    await stage.tell()

    assert states(first, second) == ["filled", "cancelled"]
    stage.check()


async def test_linked_orders_are_withdrawn_and_never_amended(stage: Stage) -> None:
    (first, _), _ = await working(stage)
    with pytest.raises(OrderRefused, match="linked with others"):
        await first.amend(limit=98.0)
    first.cancel_nowait()
    stage.execute()
    await stage.reply()
    await stage.tell()

    assert first.state is OrderState.CANCELLED


async def test_nothing_of_a_group_that_cant_be_written_down_leaves(
    tmp_path: Path, nursery: trio.Nursery, stage: Stage, next_stage: Callable[..., Any]
) -> None:
    with writing(tmp_path) as journal:
        own = next_stage(nursery, stage.venue, journal=journal)
        journal.writer.close()
        orders = submit(own)

        assert states(*orders) == ["rejected", "rejected"]
        assert "can't be written down" in orders[1].reason
        assert own.groups == []


class FullJournal:
    """One that has room for one intent."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def heard(self, order: Order, news: News) -> None: ...
    def learnt(self, order: Order) -> None: ...

    def intend(self, order: Order, command: Command) -> None:
        if self.lines:
            raise JournalError("no space left")
        self.lines.append(f"intent {command.guid}")

    def unsent(self, command: Command, reason: str) -> None:
        self.lines.append(f"unsent {command.guid}")


async def test_what_was_written_down_of_a_group_before_the_journal_failed_is_told_unsent(
    nursery: trio.Nursery, stage: Stage, next_stage: Callable[..., Any]
) -> None:
    journal = FullJournal()
    own = next_stage(nursery, stage.venue, journal=journal)
    orders = submit(own)

    assert states(*orders) == ["rejected", "rejected"]
    assert journal.lines == ["intent tag-s-1", "unsent tag-s-1"]
    assert own.groups == []


@pytest.mark.parametrize("arrived", [True, False])
async def test_the_next_run_takes_over_a_group_and_asks(
    tmp_path: Path,
    nursery: trio.Nursery,
    autojump_clock: MockClock,
    stage: Stage,
    next_stage: Callable[..., Any],
    arrived: bool,
) -> None:
    with writing(tmp_path) as journal:
        own = next_stage(nursery, stage.venue, journal=journal)
        placed = submit(own)
        if arrived:
            execute(own)
            await own.reply()
        carried = carry(read_journal(journal.writer.path).records, make_converter())

    second = next_stage(nursery, stage.venue, tag="b")
    second.lane(up=False)
    adopted = adopt_orders(second.gateway, carried, make_converter(), now=second.now())
    assert states(*adopted) == ["unknown", "unknown"]
    assert {order.group for order in adopted} == {placed[0].group}
    second.lane(up=True)
    await trio.sleep(30)

    assert states(*adopted) == (["working", "working"] if arrived else ["rejected", "rejected"])
    await wait_all_tasks_blocked()
    assert not second.gateway.doubtful()


@pytest.mark.parametrize("filled", [0, 2, 5])
async def test_exits_that_are_taken_over_count_from_when_their_entry_is_filled(
    tmp_path: Path,
    nursery: trio.Nursery,
    autojump_clock: MockClock,
    stage: Stage,
    next_stage: Callable[..., Any],
    filled: int,
) -> None:
    """An exit can't open anything as long as its entry has no lots: limits don't count it, in the next run either."""
    exits = exits_of(LOW, target=110, stop=90, offsets=False)
    with writing(tmp_path) as journal:
        own = next_stage(nursery, stage.venue, journal=journal)
        submit(own, LOW, *exits, kind=BRACKET)
        group = execute(own)
        await own.reply()
        carried = carry(read_journal(journal.writer.path).records, make_converter())
    if filled:
        stage.venue.fill(stage.venue.of(group.requests[0].client_order_id)[0], filled)

    second = next_stage(nursery, stage.venue, tag="b")
    second.lane(up=False)
    entry, *adopted = adopt_orders(second.gateway, carried, make_converter(), now=second.now())
    assert [order.entry for order in adopted] == [entry, entry]
    # As long as nobody knows how the entry stands, it may have been filled.
    assert [may_fill(order) for order in (entry, *adopted)] == [5, 5, 5]
    second.lane(up=True)
    await trio.sleep(30)

    counted = [5, 5] if filled else [0, 0]
    assert [may_fill(order) for order in adopted] == counted
    assert may_fill(entry) == 5 - filled


@pytest.mark.parametrize("kind", list(GroupKind))
def test_a_group_reads_back_as_it_was_written(kind: GroupKind) -> None:
    converter = make_converter()
    group = make_group("t-s", 1, "D1", X, BRACKET, [LOW, *exits_of(LOW, target=110.0, stop=90.0, offsets=False)])
    group = attrs.evolve(group, kind=kind)

    assert from_dict(converter, to_dict(converter, group, VenueCommand), VenueCommand) == group
    with pytest.raises(TapeError, match="CreateGroup"):
        from_dict(converter, to_dict(converter, group, VenueCommand), Command)


def test_other_venues_say_that_they_link_no_orders() -> None:
    group = make_group("t-s", 1, "D1", X, OCO, [LOW, LOWER])

    with pytest.raises(LocalProtocolError, match="ALOR takes no groups"):
        Alor().command(group)
    assert single_order(group.creates[0], "it") is not None


@pytest.mark.parametrize("side", list(Side))
def test_offsets_count_from_the_fill_with_the_sign_that_the_venue_wants(side: Side) -> None:
    entry = OrderSpec(side, 2)
    group = make_group("t-s", 1, "D1", X, OFFSET, [entry, *exits_of(entry, target=1.02, stop=D("0.5"), offsets=True)])

    _, target, stop = group.requests
    assert (target.side, stop.side) == (side.opposite, side.opposite)
    assert (target.type, target.price, target.stop_price) == (OrderType.LIMIT, D("1.00") * side.sign, None)
    assert (stop.type, stop.price, stop.stop_price) == (OrderType.STOP, None, D("-0.50") * side.sign)
    assert {target.time_in_force, stop.time_in_force} == {TimeInForce.GOOD_TILL_CANCELLED}
    assert [request.client_order_id for request in group.requests] == ["t-s-1", "t-s-2", "t-s-3"]


@pytest.mark.parametrize("distance", [0, -1.0, 0.01, D("0.07"), D("NaN"), float("inf"), float("nan")])
def test_a_distance_that_is_none_is_refused(distance: Any) -> None:
    with pytest.raises(RiskLimit):
        make_group("t-s", 1, "D1", X, OFFSET, [LOW, *exits_of(LOW, target=distance, stop=None, offsets=True)])


def test_a_bracket_needs_an_exit_and_a_group_two_orders() -> None:
    with pytest.raises(RiskLimit, match="a target, a stop, or both"):
        exits_of(LOW, target=None, stop=None, offsets=False)
    with pytest.raises(RiskLimit, match="two or more"):
        make_group("t-s", 1, "D1", X, OCO, [LOW])


@pytest.mark.parametrize(
    ("entry", "last", "prices"),
    [
        (OrderSpec(Side.BUY, 1, limit=D(100)), D(200), [D(110), D(95)]),
        (OrderSpec(Side.BUY, 1, stop=D(100)), D(200), [D(110), D(95)]),
        (OrderSpec(Side.BUY, 1), D(200), [D(210), D(195)]),
        (OrderSpec(Side.BUY, 1), None, [None, None]),
    ],
)
def test_limits_are_held_against_where_an_exit_would_be(
    entry: OrderSpec, last: Decimal | None, prices: list[Decimal | None]
) -> None:
    exits = exits_of(entry, target=10.0, stop=5.0, offsets=True)
    group = make_group("t-s", 1, "D1", X, OFFSET, [entry, *exits])

    first, target, stop = to_check(group, last)
    assert first == group.requests[0]
    assert [target.price, stop.stop_price] == prices
    absolute = attrs.evolve(group, kind=BRACKET)
    assert to_check(absolute, last) == list(group.requests)


@define
class Links(Strategy):
    instrument: str

    async def run(self) -> None:
        await self.one_cancels_other(LOW, LOWER, instrument=self.instrument)


def test_where_orders_stay_on_paper_a_strategy_is_told_what_works_everywhere() -> None:
    outcome = run_strategy(Links(instrument="X"), make_trades("X", [100, 100]))

    assert isinstance(outcome.error, ConfigError)
    assert "`self.long` and `self.short` with stop= and target=" in str(outcome.error)
