"""Price-time priority, checked by example and against a naive book that anyone can read."""

from __future__ import annotations

from itertools import count

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.model.events import Side
from strategykit.model.orders import TimeInForce
from strategykit.sim.matching import Ended, Match, MatchingEngine, Order, Outcome, SelfTrade, Triggered, Why

BUY, SELL = Side.BUY, Side.SELL


class Book:
    """An engine, and orders numbered as they come."""

    def __init__(self, *, self_trade: SelfTrade = SelfTrade.ALLOWED) -> None:
        self.number = count(1).__next__
        self.engine = MatchingEngine(number=self.number, self_trade=self_trade)

    def send(
        self,
        side: Side,
        quantity: int,
        price: int | None = None,
        force: TimeInForce = TimeInForce.DAY,
        *,
        owner: str = "",
        display: int | None = None,
        stop: int | None = None,
    ) -> tuple[Order, list[Outcome]]:
        order = Order(self.number(), owner, side, quantity, price, force, display, stop)
        return order, self.engine.submit(order)


def trades(outcomes: list[Outcome]) -> list[tuple[int, int, int]]:
    """``(maker's number, price, lots)`` of each match."""
    return [(one.maker.number, one.price, one.quantity) for one in outcomes if isinstance(one, Match)]


def endings(outcomes: list[Outcome]) -> list[tuple[int, Why]]:
    return [(one.order.number, one.why) for one in outcomes if isinstance(one, Ended)]


@pytest.fixture
def book() -> Book:
    return Book()


def test_better_prices_then_older_orders_are_filled_first(book: Book) -> None:
    for price in (101, 100, 100):
        book.send(SELL, 5, price)

    taker, outcomes = book.send(BUY, 12, 101)

    assert trades(outcomes) == [(2, 100, 5), (3, 100, 5), (1, 101, 2)]
    assert [(one.maker_left, one.taker_left) for one in outcomes if isinstance(one, Match)] == [(0, 7), (0, 2), (3, 0)]
    assert not taker.remaining
    assert book.engine.depth(SELL, 5) == [(101, 3)]
    assert book.engine.last == 101


def test_what_a_limit_order_cannot_take_rests_at_its_price(book: Book) -> None:
    book.send(SELL, 5, 100)

    order, outcomes = book.send(BUY, 8, 100)

    assert trades(outcomes) == [(1, 100, 5)]
    assert book.engine.depth(BUY, 5) == [(100, 3)]
    assert book.engine.best(BUY) == 100
    assert book.engine.best(SELL) is None
    assert book.engine.find(order.number) is order


def test_what_a_market_order_cannot_take_ends(book: Book) -> None:
    book.send(BUY, 5, 100)

    order, outcomes = book.send(SELL, 8)

    assert trades(outcomes) == [(1, 100, 5)]
    assert endings(outcomes) == [(order.number, Why.NO_LIQUIDITY)]
    assert order.remaining == 3
    assert book.engine.find(order.number) is None


def test_immediate_or_cancel_takes_what_its_limit_allows_and_ends(book: Book) -> None:
    book.send(SELL, 5, 100)
    book.send(SELL, 5, 102)

    order, outcomes = book.send(BUY, 8, 101, TimeInForce.IMMEDIATE_OR_CANCEL)

    assert trades(outcomes) == [(1, 100, 5)]
    assert endings(outcomes) == [(order.number, Why.NO_LIQUIDITY)]
    assert book.engine.depth(BUY, 5) == []


@pytest.mark.parametrize("force", [TimeInForce.FILL_OR_KILL, TimeInForce.AT_THE_CLOSE])
def test_all_or_nothing_counts_hidden_lots_and_leaves_the_book_alone_if_they_are_too_few(
    book: Book, force: TimeInForce
) -> None:
    book.send(SELL, 10, 100, display=2)
    book.send(SELL, 5, 102)

    for quantity, limit in ((11, 101), (16, None)):
        order, outcomes = book.send(BUY, quantity, limit, force)
        assert outcomes
        assert endings(outcomes) == [(order.number, Why.NOT_WHOLE)]
        assert book.engine.depth(SELL, 5) == [(100, 2), (102, 5)]
    _, outcomes = book.send(BUY, 10, 101, force)
    assert trades(outcomes) == [(1, 100, 2)] * 5


def test_post_only_rests_or_ends_but_never_takes(book: Book) -> None:
    book.send(SELL, 5, 100)

    crossing, outcomes = book.send(BUY, 1, 100, TimeInForce.POST_ONLY)
    resting, nothing = book.send(BUY, 1, 99, TimeInForce.POST_ONLY)

    assert endings(outcomes) == [(crossing.number, Why.WOULD_TAKE)]
    assert nothing == []
    assert book.engine.find(resting.number) is resting
    assert book.engine.levels(BUY) == 1


def test_an_icebergs_next_part_goes_to_the_back_of_the_queue(book: Book) -> None:
    book.send(SELL, 10, 100, display=4)
    book.send(SELL, 5, 100)
    assert book.engine.depth(SELL, 5) == [(100, 9)]

    _, outcomes = book.send(BUY, 12, 100)

    assert trades(outcomes) == [(1, 100, 4), (2, 100, 5), (1, 100, 3)]
    assert book.engine.depth(SELL, 5) == [(100, 1)], "of the second part of 4, one lot is left to see"
    assert book.engine.cancel(1) is not None
    assert book.engine.depth(SELL, 5) == []


def test_cancelling_frees_the_level_and_a_second_cancel_finds_nothing(book: Book) -> None:
    order, _ = book.send(BUY, 5, 100)
    book.send(BUY, 5, 100)

    assert book.engine.cancel(order.number) is order
    assert book.engine.depth(BUY, 5) == [(100, 5)]
    assert book.engine.cancel(order.number) is None
    assert book.engine.cancel(2) is not None
    assert book.engine.levels(BUY) == 0


def test_an_amended_order_has_lost_its_place(book: Book) -> None:
    book.send(SELL, 5, 100)
    book.send(SELL, 5, 100)

    book.engine.amend(1, Order(book.number(), "", SELL, 5, 100))
    _, outcomes = book.send(BUY, 10, 100)

    assert [number for number, _, _ in trades(outcomes)] == [2, 3]


def test_amending_an_order_that_is_gone_submits_nothing(book: Book) -> None:
    with pytest.raises(KeyError):
        book.engine.amend(99, Order(book.number(), "", SELL, 5, 100))

    assert book.engine.depth(SELL, 5) == []


def test_an_owners_orders_meet_where_that_is_allowed(book: Book) -> None:
    book.send(SELL, 5, 100, owner="A")

    _, outcomes = book.send(BUY, 5, 100, owner="A")

    assert trades(outcomes) == [(1, 100, 5)]


def test_an_owners_older_order_gives_way_where_meeting_is_prevented() -> None:
    book = Book(self_trade=SelfTrade.CANCEL_RESTING)
    for owner in ("A", "B", "A"):
        book.send(SELL, 5, 100, owner=owner)

    whole, refusal = book.send(BUY, 6, 100, TimeInForce.FILL_OR_KILL, owner="A")
    order, outcomes = book.send(BUY, 6, 100, owner="A")

    assert endings(refusal) == [(whole.number, Why.NOT_WHOLE)], "its own lots are nothing it could be filled with"
    assert endings(outcomes) == [(1, Why.SELF_TRADE), (3, Why.SELF_TRADE)]
    assert trades(outcomes) == [(2, 100, 5)]
    assert book.engine.depth(BUY, 5) == [(100, 1)]
    assert book.engine.levels(SELL) == 0
    assert book.engine.find(order.number) is order


def test_an_order_that_meets_only_its_owners_rests_in_their_place() -> None:
    book = Book(self_trade=SelfTrade.CANCEL_RESTING)
    book.send(SELL, 5, 100, owner="A")

    _, outcomes = book.send(BUY, 2, 100, owner="A")

    assert endings(outcomes) == [(1, Why.SELF_TRADE)]
    assert book.engine.last is None
    assert book.engine.depth(BUY, 1) == [(100, 2)]


def test_the_crowd_may_always_trade_with_itself() -> None:
    book = Book(self_trade=SelfTrade.CANCEL_RESTING)
    book.send(SELL, 5, 100)

    assert trades(book.send(BUY, 5, 100)[1]) == [(1, 100, 5)]


def test_a_stop_waits_for_a_trade_at_its_trigger_and_becomes_a_new_order(book: Book) -> None:
    stop, outcomes = book.send(BUY, 2, stop=101)
    assert outcomes == []
    assert book.engine.find(stop.number) is stop
    for price in (100, 101, 103):
        book.send(SELL, 5, price)

    assert trades(book.send(BUY, 5)[1]) == [(2, 100, 5)], "a trade below the trigger leaves it waiting"
    _, outcomes = book.send(BUY, 1)

    assert isinstance(outcomes[1], Triggered)
    assert outcomes[1].stop is stop
    child = outcomes[1].child
    assert child.number not in (stop.number, 0)
    assert trades(outcomes) == [(3, 101, 1), (3, 101, 2)]
    assert book.engine.find(stop.number) is None


def test_a_triggered_stop_limit_rests_at_its_limit(book: Book) -> None:
    book.send(SELL, 2, 98, stop=99)
    book.send(BUY, 1, 99)

    _, outcomes = book.send(SELL, 1)

    assert [type(one) for one in outcomes] == [Match, Triggered]
    assert book.engine.depth(SELL, 1) == [(98, 2)]


def test_a_stop_that_the_last_trade_has_passed_fires_at_once(book: Book) -> None:
    book.send(SELL, 1, 100)
    book.send(BUY, 1)
    book.send(BUY, 3, 99)

    _, outcomes = book.send(SELL, 3, stop=100)

    assert [type(one) for one in outcomes] == [Triggered, Match]


def test_stops_set_off_together_fire_nearest_first_then_oldest(book: Book) -> None:
    stops = [book.send(BUY, 1, 200, stop=trigger)[0].number for trigger in (103, 102, 102)]
    book.send(SELL, 1, 101)
    book.send(SELL, 1, 104)

    _, outcomes = book.send(BUY, 2)

    fired = [one.stop.number for one in outcomes if isinstance(one, Triggered)]
    assert fired == [stops[1], stops[2], stops[0]]


def test_stops_can_set_each_other_off(book: Book) -> None:
    """A cascade: deeper than a recursive engine would survive."""
    for step in range(2_000):
        book.send(SELL, 1, 100 + step)
        book.send(BUY, 1, stop=100 + step)

    _, outcomes = book.send(BUY, 1)

    assert len(trades(outcomes)) == 2_000
    assert len(endings(outcomes)) == 1, "the last one found nothing left"


def test_a_waiting_stop_can_be_cancelled_and_then_never_fires(book: Book) -> None:
    first, _ = book.send(SELL, 1, stop=90)
    book.send(SELL, 1, stop=90)
    assert book.engine.cancel(first.number) is first
    book.send(BUY, 5, 90)

    _, outcomes = book.send(SELL, 1)

    assert [one.stop.number for one in outcomes if isinstance(one, Triggered)] == [2]


@attrs.frozen
class Sent:
    side: Side
    quantity: int
    price: int | None
    force: TimeInForce
    display: int | None
    cancel: int
    """Which of the orders sent so far is cancelled or amended instead, if `act` says so."""
    act: str


FORCES = [
    TimeInForce.DAY,
    TimeInForce.DAY,
    TimeInForce.GOOD_TILL_CANCELLED,
    TimeInForce.IMMEDIATE_OR_CANCEL,
    TimeInForce.FILL_OR_KILL,
    TimeInForce.POST_ONLY,
]

sent = st.builds(
    Sent,
    side=st.sampled_from(Side),
    quantity=st.integers(1, 20),
    price=st.one_of(st.none(), st.integers(95, 105), st.integers(95, 105)),
    force=st.sampled_from(FORCES),
    display=st.one_of(st.none(), st.integers(1, 8)),
    cancel=st.integers(0, 60),
    act=st.sampled_from(["send", "send", "send", "cancel", "amend"]),
)


@attrs.define
class Naive:
    """A book as a list, oldest first: slow, and plainly right."""

    rest: list[list[int]] = attrs.field(factory=list)
    """``[number, sign, price, remaining, visible, display]``"""

    def submit(self, number: int, one: Sent) -> list[tuple[int, int, int]]:
        sign, left = one.side.sign, one.quantity
        limit = one.price
        facing = [row for row in self.rest if row[1] == -sign and (limit is None or (limit - row[2]) * sign >= 0)]
        if one.force is TimeInForce.POST_ONLY and facing:
            return []
        if one.force is TimeInForce.FILL_OR_KILL and sum(row[3] for row in facing) < left:
            return []
        made = []
        while left and facing:
            best = min(facing, key=lambda row: row[2] * sign)
            taken = min(left, best[4])
            left -= taken
            best[3] -= taken
            best[4] -= taken
            made.append((best[0], best[2], taken))
            if best[4] == 0:
                facing.remove(best)
                self.rest.remove(best)
                if best[3]:
                    best[4] = min(best[3], best[5])
                    facing.append(best)
                    self.rest.append(best)
        waits = one.force in (TimeInForce.DAY, TimeInForce.GOOD_TILL_CANCELLED, TimeInForce.POST_ONLY)
        if left and limit is not None and waits:
            display = left if one.display is None else one.display
            self.rest.append([number, sign, limit, left, min(left, display), display])
        return made

    def cancel(self, number: int) -> bool:
        before = len(self.rest)
        self.rest = [row for row in self.rest if row[0] != number]
        return len(self.rest) < before

    def depth(self, side: Side) -> list[tuple[int, int]]:
        prices = sorted({row[2] for row in self.rest if row[1] == side.sign}, reverse=side is Side.BUY)
        return [(price, sum(row[4] for row in self.rest if row[1:3] == [side.sign, price])) for price in prices]


def build(number: int, one: Sent) -> Order:
    return Order(number, "", one.side, one.quantity, one.price, one.force, one.display)


@settings(max_examples=200, deadline=None)
@given(st.lists(sent, max_size=60))
def test_whatever_is_sent_the_naive_book_agrees_volume_is_conserved_and_nothing_crosses(actions: list[Sent]) -> None:
    engine, naive = MatchingEngine(number=count(10**6).__next__), Naive()
    orders: dict[int, Order] = {}
    bought = sold = 0
    for number, one in enumerate(actions):
        target = one.cancel if one.act != "send" else -1
        if target >= 0:
            assert (engine.find(target) is not None) is any(row[0] == target for row in naive.rest)
        if one.act == "cancel":
            assert (engine.cancel(target) is not None) is naive.cancel(target)
            continue
        order = build(number, one)
        if one.act == "amend":
            if not naive.cancel(target):
                continue
            outcomes = engine.amend(target, order)
        else:
            outcomes = engine.submit(order)
        orders[number] = order
        made = trades(outcomes)
        assert made == naive.submit(number, one)
        for outcome in outcomes:
            if isinstance(outcome, Match):
                assert outcome.maker.side is not outcome.taker.side
                bought += outcome.quantity
                sold += outcome.quantity
        bid, ask = engine.best(BUY), engine.best(SELL)
        assert bid is None or ask is None or bid < ask
        assert engine.depth(BUY, 99) == naive.depth(BUY)
        assert engine.depth(SELL, 99) == naive.depth(SELL)
    filled = {side: sum(o.quantity - o.remaining for o in orders.values() if o.side is side) for side in Side}
    assert filled == {BUY: bought, SELL: sold}
    visible = sum(size for side in Side for _, size in engine.depth(side, 99))
    assert visible == sum(order.visible for order in orders.values())


@settings(max_examples=100, deadline=None)
@given(st.lists(sent, min_size=1, max_size=25), sent, st.integers(0, 30))
def test_whatever_is_amended_an_amend_is_a_cancel_and_a_new_order(actions: list[Sent], new: Sent, target: int) -> None:
    results = []
    for whole in (True, False):
        engine = MatchingEngine(number=count(10**6).__next__)
        for number, one in enumerate(actions):
            engine.submit(build(number, one))
        if engine.find(target) is None:
            return
        if whole:
            outcomes = engine.amend(target, build(999, new))
        else:
            engine.cancel(target)
            outcomes = engine.submit(build(999, new))
        results.append((trades(outcomes), endings(outcomes), engine.depth(BUY, 99), engine.depth(SELL, 99)))

    assert results[0] == results[1]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(Side),
            st.integers(1, 5),
            st.one_of(st.none(), st.integers(95, 105)),
            st.one_of(st.none(), st.integers(95, 105)),
        ),
        max_size=40,
    )
)
def test_whatever_trades_no_stop_is_left_waiting_behind_the_last_price(
    actions: list[tuple[Side, int, int | None, int | None]],
) -> None:
    book = Book()
    waiting: dict[int, Order] = {}
    for side, quantity, price, stop in actions:
        order, outcomes = book.send(side, quantity, price, stop=stop)
        if stop is not None:
            waiting[order.number] = order
        for outcome in outcomes:
            if isinstance(outcome, Triggered):
                del waiting[outcome.stop.number]
        last = book.engine.last
        for number, order in waiting.items():
            assert book.engine.find(number) is order
            assert order.stop is not None
            assert last is None or order.stop * order.side.sign > last * order.side.sign
