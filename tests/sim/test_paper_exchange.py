"""Own orders against data that don't notice them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from itertools import count
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import ConfigError
from strategykit.model.events import (
    AccountUpdate,
    Bar,
    BookDelta,
    BookSnapshot,
    Event,
    Fill,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    Quote,
    Side,
    Trade,
    VenueStatus,
)
from strategykit.model.instruments import Instrument
from strategykit.model.orders import AmendOrder, CancelOrder, Command, CreateOrder, OrderRequest, OrderType, TimeInForce
from strategykit.sim.fees import FeeModel
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.models.impact import Impact
from strategykit.sim.models.latency import Constant
from strategykit.sim.models.queues import FillRule
from strategykit.sim.paper import PaperExchange
from strategykit.venues.dialect import Reply

D = Decimal
T = TypeVar("T")
BUY, SELL = Side.BUY, Side.SELL
SHARE = Instrument("X", D("0.5"))
OTHER = Instrument("Y", D("0.01"), currency="USD")
Told = Sequence[Reply | Event]


class Desk:
    """A paper exchange fed one datum a nanosecond."""

    def __init__(self, *, cash: Any = None, latency: int = 0, **assumed: Any) -> None:
        models = FillModels(order_latency=Constant(span=latency), **assumed)
        money = D(100_000) if cash is None else cash
        self.paper = PaperExchange({"X": SHARE, "Y": OTHER}, account="A", cash=money, models=models)
        self.now = 0
        self.guid = count(1).__next__

    def tell(self, event: Event) -> Told:
        return self.paper.on_event(event, self.now)

    def trade(self, price: float, *, snapshot: bool = False) -> Told:
        self.now += 1
        return self.tell(Trade("X", price, 1.0, None, None, self.now, self.now, "", snapshot))

    def quote(
        self,
        bid: float | None,
        ask: float | None,
        size: float | None = 10.0,
        *,
        last: float | None = None,
    ) -> Told:
        self.now += 1
        return self.tell(Quote("X", bid, size, ask, size, last, self.now, self.now, ""))

    def book(self, bids: dict[float, float], asks: dict[float, float]) -> Told:
        self.now += 1
        sides = tuple(bids), tuple(bids.values()), tuple(asks), tuple(asks.values())
        return self.tell(BookSnapshot("X", *sides, self.now, self.now, ""))

    def bar(
        self, prices: tuple[float, float, float, float], *, since: int | None = None, snapshot: bool = False
    ) -> Told:
        start = self.now if since is None else since
        self.now += 10
        return self.tell(Bar("X", start, 10, *prices, 1.0, True, None, self.now, "", snapshot))

    def request(self, side: Side, quantity: Any = 1, **values: Any) -> OrderRequest:
        wanted: dict[str, Any] = {"client_order_id": "mine", "account": "A", "instrument": "X"}
        for name in ("price", "stop_price"):
            if name in values:
                values[name] = D(str(values[name]))
        if "price" in values or "stop_price" in values:
            stop = "stop_price" in values
            limit = OrderType.STOP_LIMIT if stop else OrderType.LIMIT
            wanted["type"] = limit if "price" in values else OrderType.STOP
        return OrderRequest(side=side, quantity=D(str(quantity)), **(wanted | values))

    def do(self, command: Command) -> Told:
        return self.paper.command(command, self.now)

    def send(self, side: Side, quantity: Any = 1, **values: Any) -> Told:
        return self.do(CreateOrder(guid=f"g{self.guid()}", request=self.request(side, quantity, **values)))

    def cancel(self, number: str) -> Told:
        return self.do(CancelOrder(guid="c", venue_order_id=number, request=self.request(BUY)))

    def amend(self, number: str, side: Side, quantity: Any, **values: Any) -> Told:
        return self.do(AmendOrder(guid="a", venue_order_id=number, request=self.request(side, quantity, **values)))


@pytest.fixture
def desk() -> Desk:
    return Desk()


def of(told: Told, kind: type[T]) -> list[T]:
    return [event for event in told if isinstance(event, kind)]


def prices(told: Told) -> list[tuple[float, float]]:
    """``(price, lots)`` of each fill."""
    return [(float(fill.price), float(fill.quantity)) for fill in of(told, Fill)]


def states(told: Told) -> list[tuple[OrderStatus, float]]:
    return [(update.status, float(update.filled)) for update in of(told, OrderUpdate)]


def number_of(told: Told) -> str:
    (reply,) = of(told, Reply)
    assert reply.ok, reply.message
    assert reply.venue_order_id is not None
    return reply.venue_order_id


def reason_of(told: Told) -> str | None:
    return of(told, OrderUpdate)[-1].reason


def test_an_order_that_nothing_comes_of_at_once_is_told_to_work() -> None:
    desk = Desk()
    desk.quote(100, 101)

    reply, update = desk.send(BUY, 2, price=99)

    assert isinstance(reply, Reply)
    assert isinstance(update, OrderUpdate)
    assert (update.venue_order_id, update.status, update.filled) == (reply.venue_order_id, OrderStatus.WORKING, D(0))


def test_a_command_is_answered_then_followed_by_what_it_led_to() -> None:
    desk = Desk(fees=FeeModel(taker_rate=D("0.001")))
    desk.quote(100, 101)

    told = desk.send(BUY, 2)

    assert [type(one) for one in told] == [
        Reply,
        Fill,
        OrderUpdate,
        PositionUpdate,
        PositionUpdate,
        AccountUpdate,
    ]
    (reply,), (fill,) = of(told, Reply), of(told, Fill)
    number = reply.venue_order_id
    assert (reply.guid, reply.code, reply.ok) == ("g1", 200, True)
    assert reply.message == f"An order '{number}' has been created."
    assert (fill.price, fill.quantity, fill.fee, fill.fee_currency) == (D(101), D(2), D("0.20"), "RUB")
    assert (fill.client_order_id, fill.venue_order_id, fill.account) == ("mine", number, "A")
    account = desk.paper.account(desk.now)
    assert (account.cash, account.equity) == (D("99797.80"), D("99998.80"))
    (share, *money) = desk.paper.positions(desk.now)
    assert (share.quantity, share.average_price, share.open_pnl) == (D(2), D(101), D(-1))
    assert [row.instrument for row in money] == ["RUB"]
    assert desk.paper.fills()[0].trade_id == fill.trade_id
    assert [row.status for row in desk.paper.orders(desk.now)] == [OrderStatus.FILLED]
    assert desk.paper.stop_orders(desk.now) == []


def test_takers_meet_the_opposite_side_of_a_quote(desk: Desk) -> None:
    desk.quote(100, 101)
    assert prices(desk.send(BUY)) == [(101, 1)]
    assert prices(desk.send(SELL)) == [(100, 1)]


def test_takers_walk_the_book_and_end_one_tick_beyond_it(desk: Desk) -> None:
    desk.book({100: 3, 99: 4}, {101: 2})

    assert prices(desk.send(SELL, 9)) == [(100, 3), (99, 4), (98.5, 2)]
    assert prices(desk.send(BUY, 3)) == [(101, 2), (101.5, 1)]
    assert prices(desk.send(BUY, 2)) == [(101, 2)], "the book doesn't notice"
    assert prices(desk.send(SELL, 1)) == [(100, 1)]


def test_the_newer_of_quote_and_book_counts(desk: Desk) -> None:
    desk.book({100: 3}, {101: 2})
    desk.quote(90, 91)
    assert prices(desk.send(BUY)) == [(91, 1)]
    desk.book({80: 3}, {81: 2})
    assert prices(desk.send(BUY)) == [(81, 1)]


def test_a_quote_without_sizes_has_lots_for_everyone(desk: Desk) -> None:
    desk.quote(100, 101, None)

    assert prices(desk.send(BUY, 500)) == [(101, 500)]


def test_where_there_are_only_trades_takers_get_the_last_price(desk: Desk) -> None:
    desk.trade(100)

    assert prices(desk.send(BUY, 3)) == [(100, 3)]


def test_where_there_are_only_bars_takers_get_the_close(desk: Desk) -> None:
    desk.bar((100, 110, 90, 105))

    assert prices(desk.send(SELL, 3)) == [(105, 3)]


def test_a_market_order_before_any_data_waits_for_the_first(desk: Desk) -> None:
    assert states(desk.send(BUY)) == [(OrderStatus.WORKING, 0)]
    assert prices(desk.trade(100)) == [(100, 1)]

    desk = Desk()
    desk.now = 5
    desk.send(BUY)
    assert prices(desk.bar((100, 110, 90, 105), since=0)) == [(105, 1)]


def test_a_market_order_that_waited_is_rejected_if_it_cant_be_afforded(desk: Desk) -> None:
    """What it costs isn't known before the first data; a backtest mustn't spend money that isn't there."""
    assert states(desk.send(BUY, 1_001)) == [(OrderStatus.WORKING, 0)]
    told = desk.trade(100)

    assert states(told) == [(OrderStatus.REJECTED, 0)]
    assert reason_of(told) == "Insufficient limits: the order needs 100100 RUB, 100000 are free"
    assert prices(desk.send(BUY, 1_000)) == [(100, 1_000)]


def test_of_market_orders_that_waited_those_placed_first_have_the_first_claim(desk: Desk) -> None:
    for lots in (600, 500, 400):
        desk.send(BUY, lots)
    told = desk.quote(99, 100, 1_000)

    assert prices(told) == [(100, 600), (100, 400)]
    assert (OrderStatus.REJECTED, 0) in states(told)
    assert not desk.trade(100)


def test_a_market_order_that_waited_finds_nobody_on_an_empty_side(desk: Desk) -> None:
    desk.send(BUY)

    assert states(desk.quote(100, None)) == [(OrderStatus.CANCELLED, 0)]


def test_a_market_order_finds_nobody_on_an_empty_side(desk: Desk) -> None:
    desk.quote(100, None)

    told = desk.send(BUY)

    assert states(told)[-1] == (OrderStatus.CANCELLED, 0)
    assert reason_of(told) == "nothing more to match with"


def test_immediate_or_cancel_takes_what_is_there_and_ends(desk: Desk) -> None:
    desk.book({100: 1}, {101: 2, 102: 2})
    force = TimeInForce.IMMEDIATE_OR_CANCEL

    assert prices(told := desk.send(BUY, 5, price=101.5, time_in_force=force)) == [(101, 2)]
    assert states(told)[-1] == (OrderStatus.CANCELLED, 2)
    assert prices(told := desk.send(BUY, 5, time_in_force=force)) == [(101, 2), (102, 2)]
    assert states(told)[-1] == (OrderStatus.CANCELLED, 4)


def test_all_or_nothing_counts_the_known_lots(desk: Desk) -> None:
    desk.book({100: 1}, {101: 2, 102: 2})
    force = TimeInForce.FILL_OR_KILL

    assert prices(told := desk.send(BUY, 5, time_in_force=force)) == []
    assert reason_of(told) == "it couldn't be filled whole"
    assert prices(desk.send(BUY, 4, price=102, time_in_force=force)) == [(101, 2), (102, 2)]
    desk.quote(100, 101, None)
    assert prices(desk.send(BUY, 400, time_in_force=force)) == [(101, 400)]


def test_post_only_rests_or_ends(desk: Desk) -> None:
    desk.quote(100, 101)

    assert reason_of(desk.send(BUY, price=101, time_in_force=TimeInForce.POST_ONLY)) == (
        "it would have matched at once, and was to rest only"
    )
    assert states(desk.send(BUY, price=100.5, time_in_force=TimeInForce.POST_ONLY)) == [(OrderStatus.WORKING, 0)]
    assert prices(desk.quote(99, 100.5)) == [(100.5, 1)]


def test_a_limit_order_takes_what_it_may_and_rests_with_the_remainder() -> None:
    desk = Desk(fees=FeeModel(taker_per_lot=D(2), maker_per_lot=D(1)))
    desk.book({100: 1}, {101: 2, 102: 5})

    first = desk.send(BUY, 5, price=101)
    rest = desk.quote(100, 101)

    assert prices(first) == [(101, 2)]
    assert states(first)[-1] == (OrderStatus.WORKING, 2)
    assert prices(rest) == [(101, 3)]
    assert [fill.fee for fill in of(first, Fill) + of(rest, Fill)] == [4, 3], "a taker, then a maker"


def rests_at(rule: FillRule, side: Side, price: float) -> Desk:
    desk = Desk(rule=rule)
    desk.send(side, 3, price=price)
    return desk


@pytest.mark.parametrize("side", Side)
def test_touch_fills_at_the_own_price_when_the_market_reaches_it(side: Side) -> None:
    sign = side.sign
    reaches: tuple[Callable[[Desk], Told], ...] = (
        lambda desk: desk.trade(100),
        lambda desk: desk.quote(100, 100),
        lambda desk: desk.book({100: 1}, {100: 1}),
        lambda desk: desk.bar((100 + sign, 101, 99, 100 + sign)),
    )
    for reach in reaches:
        desk = rests_at(FillRule.TOUCH, side, 100)
        assert prices(desk.trade(100 + sign, snapshot=True)) == []
        assert prices(reach(desk)) == [(100, 3)]
        assert prices(reach(desk)) == [], "once"


@pytest.mark.parametrize("side", Side)
def test_trade_through_waits_until_the_market_is_beyond(side: Side) -> None:
    beyond = 100 - side.sign / 2
    reaches: tuple[Callable[[Desk, float], Told], ...] = (
        lambda desk, price: desk.trade(price),
        lambda desk, price: desk.quote(price, price),
        lambda desk, price: desk.book({price: 1}, {price: 1}),
        lambda desk, price: desk.bar((price, price, price, price)),
    )
    for reach in reaches:
        desk = rests_at(FillRule.TRADE_THROUGH, side, 100)
        assert prices(reach(desk, 100)) == []
        assert prices(reach(desk, beyond)) == [(100, 3)]


def test_a_last_price_at_the_limit_fills_by_the_rule() -> None:
    for rule, filled in ((FillRule.TOUCH, [(100, 1)]), (FillRule.TRADE_THROUGH, [])):
        desk = Desk(rule=rule)
        desk.trade(100)
        assert prices(desk.send(BUY, price=100)) == filled
        assert prices(desk.send(BUY, price=101)) == [(100, 1)]
        desk.quote(99, 100)
        assert prices(desk.send(BUY, price=100)) == [(100, 1)], "a quote can be taken under either rule"


def test_a_one_sided_market_fills_one_side_only(desk: Desk) -> None:
    desk.send(BUY, price=100)
    desk.send(SELL, price=90)

    told = desk.quote(95, None)

    assert [fill.side for fill in of(told, Fill)] == [SELL]


def test_the_past_fills_nothing(desk: Desk) -> None:
    desk.send(BUY, price=100)

    assert not desk.trade(99, snapshot=True)
    assert not desk.bar((99, 99, 99, 99), snapshot=True)
    assert prices(desk.send(SELL)) == [(99, 1)], "but it is a price"


def test_a_bar_says_nothing_about_orders_that_came_while_it_formed(desk: Desk) -> None:
    desk.now = 5
    desk.send(BUY, price=100)
    desk.send(SELL, stop_price=95)

    assert not of(desk.bar((101, 102, 90, 101), since=0), Fill)
    assert prices(desk.bar((101, 102, 100, 101))) == [(100, 1)]


def test_bars_count_for_nothing_beside_finer_data(desk: Desk) -> None:
    desk.quote(101, 102)
    desk.send(BUY, price=100)

    assert not desk.bar((90, 90, 90, 90))
    assert prices(desk.send(SELL)) == [(101, 1)]


def test_a_stop_fires_by_the_last_trade_and_becomes_a_new_order(desk: Desk) -> None:
    desk.quote(100, 101)
    stop = number_of(desk.send(SELL, 2, stop_price=99))
    assert len(stop) < 11
    desk.trade(99.5)
    desk.quote(98, 98.5)

    told = desk.trade(99)

    fired, child = of(told, OrderUpdate)[:2]
    assert (fired.venue_order_id, fired.status, fired.linked_order_id) == (
        stop,
        OrderStatus.FILLED,
        child.venue_order_id,
    )
    assert (child.stop_price, child.client_order_id) == (None, "mine")
    assert len(child.venue_order_id) >= 11
    assert prices(told) == [(98, 2)], "at the quote, not at its trigger"


def test_a_stop_limit_rests_at_its_limit_if_the_market_has_left(desk: Desk) -> None:
    desk.trade(100)
    desk.send(BUY, stop_price=102, price=102.5)
    desk.quote(103, 104)

    assert prices(told := desk.trade(103.5)) == []
    assert [update.status for update in of(told, OrderUpdate)] == [OrderStatus.FILLED, OrderStatus.WORKING]
    assert prices(desk.trade(102.5)) == [(102.5, 1)]


def test_a_stop_that_the_last_price_has_passed_fires_at_once(desk: Desk) -> None:
    desk.trade(100)

    assert prices(desk.send(BUY, stop_price=99)) == [(100, 1)]
    assert prices(desk.send(BUY, stop_price=99, active=False)) == [], "a dormant one doesn't"
    assert prices(desk.trade(105)) == []


@pytest.mark.parametrize(
    ("side", "bar", "price"),
    [
        (BUY, (100, 106, 99, 101), 105),
        (BUY, (107, 108, 106, 107), 107),
        (SELL, (100, 101, 94, 100), 95),
        (SELL, (93, 94, 92, 93), 93),
    ],
)
def test_a_bar_fills_a_stop_at_its_price_or_at_the_open_beyond_it(
    desk: Desk, side: Side, bar: tuple[float, float, float, float], price: float
) -> None:
    desk.bar((100, 100, 100, 100))
    desk.send(side, stop_price=105 if side is BUY else 95)

    assert prices(desk.bar(bar)) == [(price, 1)]


def test_a_bar_that_jumps_over_a_stop_limit_leaves_it_resting(desk: Desk) -> None:
    desk.bar((100, 100, 100, 100))
    desk.send(BUY, stop_price=105, price=106)

    assert prices(desk.bar((107, 108, 107, 108))) == []
    assert prices(desk.bar((107, 108, 106, 108))) == [(106, 1)]


def test_where_nothing_trades_quotes_fire_stops(desk: Desk) -> None:
    desk.quote(100, 101)
    desk.send(BUY, stop_price=103)
    desk.send(SELL, stop_price=98)

    assert prices(desk.quote(102, 102.5)) == []
    assert prices(desk.quote(102.5, 103)) == [(103, 1)]
    assert prices(desk.quote(99, 99, last=98.5)) == []
    assert prices(desk.quote(99, 99.5, last=98)) == [(99, 1)]


def test_where_trades_are_known_quotes_fire_no_stops(desk: Desk) -> None:
    desk.trade(100)
    desk.send(BUY, stop_price=103)

    assert prices(desk.quote(105, 106, last=105)) == []


def test_stops_lapse_at_their_end(desk: Desk) -> None:
    lapsing = number_of(desk.send(BUY, stop_price=103, expire_time=50))
    cancelled = number_of(desk.send(BUY, stop_price=103, expire_time=60))
    desk.cancel(cancelled)

    assert desk.paper.due() == 50
    desk.now = 98
    told = desk.trade(104)

    assert [(one.venue_order_id, one.status, one.event_time) for one in of(told, OrderUpdate)] == [
        (lapsing, OrderStatus.EXPIRED, 50)
    ]
    assert desk.paper.due() is None
    assert not of(desk.send(BUY, stop_price=103, expire_time=99), Reply)[0].ok


def test_cancelling_ends_an_order_once(desk: Desk) -> None:
    number = number_of(desk.send(BUY, price=100))

    told = desk.cancel(number)
    assert of(told, Reply)[0] == Reply("c", 200, f"An order '{number}' has been deleted.", True, number)
    assert states(told) == [(OrderStatus.CANCELLED, 0)]
    assert not desk.trade(99)
    assert desk.cancel(number) == [Reply("c", 400, "Order to cancel not found", False)]


def test_amending_is_cancelling_and_placing_under_a_new_number(desk: Desk) -> None:
    old = number_of(desk.send(BUY, 2, price=100))

    told = desk.amend(old, BUY, 3, price=101)

    new = number_of(told)
    assert new != old
    assert [(one.venue_order_id, one.status) for one in of(told, OrderUpdate)] == [
        (old, OrderStatus.CANCELLED),
        (new, OrderStatus.WORKING),
    ]
    assert prices(desk.trade(101)) == [(101, 3)]


def test_a_refused_amend_leaves_the_order_as_it_was(desk: Desk) -> None:
    number = number_of(desk.send(BUY, 2, price=100))

    for told in (
        desk.amend("1", BUY, 3, price=101),
        desk.amend(number, BUY, 3, stop_price=101),
        desk.amend(number, BUY, 3, price=101, instrument="Y"),
        desk.amend(number, BUY, 3, price=100.3),
    ):
        (reply,) = told
        assert isinstance(reply, Reply)
        assert reply.code == 400
    assert prices(desk.trade(100)) == [(100, 2)]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"instrument": "NONE"}, "BAD_INSTRUMENT"),
        ({"quantity": 0}, "quantity"),
        ({"price": 100.3}, "Minimum price step: 0.5"),
        ({"quantity": 2_000}, "Insufficient limits"),
        ({"quantity": 2_000, "price": 90}, "Insufficient limits"),
        ({"quantity": 2_000, "stop_price": 110}, "Insufficient limits"),
    ],
)
def test_a_refused_order_does_not_exist(desk: Desk, values: dict[str, Any], words: str) -> None:
    desk.quote(100, 101)

    (reply,) = desk.send(BUY, **values)

    assert isinstance(reply, Reply)
    assert (reply.ok, reply.code, reply.venue_order_id) == (False, 400, None)
    assert words in reply.message
    assert desk.paper.orders(desk.now) == []


def test_without_margin_everything_is_affordable() -> None:
    desk = Desk(margin_rate=D(0))
    desk.quote(100, 101, None)

    assert prices(desk.send(BUY, 5_000)) == [(101, 5_000)]


def test_parts_of_a_lot_are_traded(desk: Desk) -> None:
    desk.quote(100, 101)

    assert prices(desk.send(BUY, "0.25")) == [(101, 0.25)]


def test_a_command_takes_effect_after_the_latency() -> None:
    desk = Desk(latency=10)
    desk.quote(100, 101)
    command = CreateOrder(guid="g", request=desk.request(BUY))
    assert desk.paper.command(command, 5) == ()
    assert desk.paper.due() == 15
    assert desk.paper.run_due(14) == ()
    desk.now = 13
    assert not desk.quote(102, 103)

    told = desk.paper.run_due(20)

    assert prices(told) == [(103, 1)]
    assert {one.event_time for one in told if not isinstance(one, Reply)} == {15}
    assert desk.paper.due() is None


def test_what_is_due_happens_before_the_event_of_the_same_moment() -> None:
    desk = Desk(latency=10)
    desk.quote(100, 101)
    desk.send(BUY)
    desk.send(SELL, price=150)
    desk.now = 10

    told = desk.trade(200)

    assert prices(told) == [(101, 1), (150, 1)]


def test_commands_and_lapses_happen_in_the_order_of_their_times() -> None:
    desk = Desk(latency=10)
    desk.send(BUY, stop_price=100, expire_time=15)
    desk.now = 3
    desk.send(BUY, price=90)
    desk.now = 8
    desk.send(BUY, price=80)

    told = desk.paper.run_due(30)

    kinds = [(one.event_time, one.status) for one in of(told, OrderUpdate)]
    working, expired = OrderStatus.WORKING, OrderStatus.EXPIRED
    assert kinds == [(10, working), (13, working), (15, expired), (18, working)]


def test_events_that_say_nothing_of_prices_are_passed_by(desk: Desk) -> None:
    desk.send(BUY)

    for event in (
        VenueStatus(None, "open", None, 1, ""),
        VenueStatus("X", "open", None, 1, ""),
        BookDelta("X", (100.0,), (1.0,), (), (), None, 1, ""),
        Trade("Z", 1.0, 1.0, None, None, 1, 1, ""),
    ):
        assert desk.tell(event) == ()


def test_an_instrument_is_idle_while_none_of_its_orders_lives(desk: Desk) -> None:
    assert desk.paper.idle("X")
    desk.trade(10)
    desk.send(BUY, price=9)
    assert not desk.paper.idle("X")
    assert desk.paper.idle("Y")
    desk.trade(9)
    assert desk.paper.idle("X")


def test_what_was_noted_while_idle_is_what_takers_meet(desk: Desk) -> None:
    desk.paper.markets["X"].note(Quote("X", 9, 5, 10, 5, None, 1, 1, ""))

    assert prices(desk.send(BUY, 2)) == [(10, 2)]


def test_positions_are_valued_at_what_is_known(desk: Desk) -> None:
    def pnl() -> Decimal | None:
        return desk.paper.positions(desk.now)[0].open_pnl

    desk.quote(100, 101)
    desk.send(BUY)
    desk.quote(103, 105)
    assert pnl() == 3
    desk.quote(103, None)
    assert pnl() == 2
    desk.quote(None, None)
    assert pnl() == 2, "the last known"
    desk.trade(110)
    assert pnl() == 9


def test_cash_can_be_of_several_currencies() -> None:
    desk = Desk(cash={"RUB": D(10), "USD": D(20)})

    assert desk.paper.account(0).by_currency == (("RUB", D(10)), ("USD", D(20)))


def test_impossible_values_are_refused() -> None:
    with pytest.raises(ConfigError, match="latency"):
        Desk(latency=-1)
    with pytest.raises(ConfigError, match="needs an instrument"):
        PaperExchange({}, account="A", cash=D(1))


steps = st.lists(
    st.one_of(
        st.tuples(st.just("trade"), st.integers(180, 220), st.just(0)),
        st.tuples(st.just("quote"), st.integers(180, 220), st.integers(1, 4)),
        st.tuples(st.just("bar"), st.integers(180, 220), st.integers(0, 6)),
        st.tuples(
            st.sampled_from(["market", "limit", "stop", "stop_limit"]), st.integers(180, 220), st.integers(-9, 9)
        ),
        st.tuples(st.just("cancel"), st.integers(0, 9), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(steps, st.sampled_from(FillRule), st.sampled_from([0, 3]))
def test_whatever_happens_fills_records_and_money_agree(
    made: list[tuple[str, int, int]], rule: FillRule, latency: int
) -> None:
    desk = Desk(rule=rule, latency=latency, fees=FeeModel(taker_rate=D("0.001")))
    told: list[Reply | Event] = []
    for kind, level, other in made:
        price = level / 2
        if kind == "trade":
            told += desk.trade(price)
        elif kind == "quote":
            told += desk.quote(price, price + other / 2, 5.0)
        elif kind == "bar":
            told += desk.bar((price, price + other, price - other, price))
        elif kind == "cancel":
            numbers = [reply.venue_order_id for reply in of(told, Reply) if reply.venue_order_id]
            told += desk.cancel(numbers[level % len(numbers)] if numbers else "0")
        elif other:
            values = {"market": {}, "limit": {"price": price}, "stop": {"stop_price": price}}
            both = {"price": price, "stop_price": price}
            told += desk.send(BUY if other > 0 else SELL, abs(other), **values.get(kind, both))
    told += desk.paper.run_due(desk.now + 100)

    fills = of(told, Fill)
    assert len({fill.trade_id for fill in fills}) == len(fills)
    last: dict[str, OrderUpdate] = {}
    for update in of(told, OrderUpdate):
        assert update.venue_order_id not in last or last[update.venue_order_id].status is OrderStatus.WORKING
        last[update.venue_order_id] = update
    for number, update in last.items():
        mine = [fill for fill in fills if fill.venue_order_id == number]
        assert sum(fill.quantity for fill in mine) == update.filled <= update.quantity
        for fill in mine:
            assert update.price is None or (update.price - fill.price) * fill.side.sign >= 0
    spent = sum((fill.price * fill.quantity * fill.side.sign + (fill.fee or 0) for fill in fills), D(0))
    assert desk.paper.account(desk.now).cash == 100_000 - spent
    (*held, _) = desk.paper.positions(desk.now)
    assert sum(row.quantity for row in held) == sum(fill.quantity * fill.side.sign for fill in fills)
    assert desk.paper.due() is None


def tell_of_a_session(digits: int) -> list[str]:
    """Give all that an exchange tells those who count in so many digits."""
    desk = Desk(fees=FeeModel(taker_rate=D("0.00123")), impact=Impact(ticks=D(1)), latency=3)
    told: list[object] = []
    with localcontext() as own:
        own.prec = digits
        told += desk.trade(1234.5)
        told += desk.send(BUY, 7)
        told += desk.send(SELL, 3, price=1236.5)
        told += desk.send(SELL, 1, stop_price=1230)
        desk.now += 5
        told += desk.paper.run_due(desk.now)
        told += desk.trade(1236.5)
        told += desk.trade(1229.5)
        told += desk.send(BUY, 80)
        desk.now += 5
        told += desk.quote(1233.5, 1234.0)
        told += [desk.paper.account(desk.now), *desk.paper.positions(desk.now)]
        assert own.prec == digits
    return [repr(each) for each in told]


def test_the_digits_that_strategies_count_in_are_their_own() -> None:
    """A strategy that sets ``getcontext().prec`` for a sum of its own gets the fills and the money that others get."""
    told = tell_of_a_session(28)

    assert sum(each.startswith("Fill") for each in told) == 3
    assert "Insufficient limits" in "".join(told)
    assert tell_of_a_session(3) == told
