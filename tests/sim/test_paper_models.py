"""What `FillModels` change about fills, on a desk of its own."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import count
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import ConfigError
from strategykit.model.events import (
    Bar,
    BookDelta,
    BookSnapshot,
    Event,
    Fill,
    OrderStatus,
    OrderUpdate,
    Quote,
    Side,
    Trade,
)
from strategykit.model.instruments import Instrument
from strategykit.model.orders import CancelOrder, CreateOrder, OrderRequest, OrderType, TimeInForce
from strategykit.sim.fees import FeeBook, FeeModel, FeeTier, Paid
from strategykit.sim.models.bars import BarPrice, BarRule, stops_go_first
from strategykit.sim.models.day_end import DayEnd
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.models.impact import Impact
from strategykit.sim.models.queues import Chance, Family, FillRule
from strategykit.sim.paper import PaperExchange
from strategykit.venues.dialect import Reply

D = Decimal
T = TypeVar("T")
BUY, SELL = Side.BUY, Side.SELL
SHARE = Instrument("X", D(1), time_zone="Europe/Moscow")
Told = Sequence[Reply | Event]
HOUR = 3_600_000_000_000
GTC = TimeInForce.GOOD_TILL_CANCELLED


class Desk:
    """A paper exchange of one instrument, fed one datum a nanosecond."""

    def __init__(self, *, now: int = 0, **assumed: Any) -> None:
        models = FillModels(margin_rate=D(0), **assumed)
        self.paper = PaperExchange({"X": SHARE}, account="A", cash=D(100_000), models=models)
        self.now = now
        self.guid = count(1).__next__

    def tell(self, event: Event) -> Told:
        return self.paper.on_event(event, self.now)

    def trade(self, price: float, lots: float = 1.0, side: Side | None = None) -> Told:
        self.now += 1
        return self.tell(Trade("X", price, lots, side, None, self.now, self.now, ""))

    def quote(self, bid: float | None, ask: float | None, size: float | None = 10.0) -> Told:
        self.now += 1
        return self.tell(Quote("X", bid, size, ask, size, None, self.now, self.now, ""))

    def book(self, bids: dict[float, float], asks: dict[float, float], *, delta: bool = False) -> Told:
        self.now += 1
        sides = tuple(bids), tuple(bids.values()), tuple(asks), tuple(asks.values())
        kind = BookDelta if delta else BookSnapshot
        return self.tell(kind("X", *sides, self.now, self.now, ""))

    def bar(self, first: float, high: float, low: float, close: float, volume: float = 1.0) -> Told:
        start, self.now = self.now, self.now + 10
        return self.tell(Bar("X", start, 10, first, high, low, close, volume, True, None, self.now, ""))

    def send(self, side: Side, quantity: Any = 1, **values: Any) -> Told:
        for name in ("price", "stop_price", "trail"):
            if name in values:
                values[name] = D(str(values[name]))
        kinds = {
            (False, False): OrderType.MARKET,
            (True, False): OrderType.LIMIT,
            (False, True): OrderType.STOP,
            (True, True): OrderType.STOP_LIMIT,
        }
        kind = kinds["price" in values, "stop_price" in values]
        wanted: dict[str, Any] = {"client_order_id": "", "account": "A", "instrument": "X", "type": kind}
        request = OrderRequest(side=side, quantity=D(str(quantity)), **(wanted | values))
        return self.paper.command(CreateOrder(guid=f"g{self.guid()}", request=request), self.now)

    def rest(self, side: Side, price: float, quantity: Any = 1, **values: Any) -> str:
        told = self.send(side, quantity, price=price, **values)
        assert not fills(told)
        (reply,) = of(told, Reply)
        assert reply.venue_order_id is not None
        return reply.venue_order_id

    def cancel(self, number: str) -> Told:
        request = OrderRequest(client_order_id="", account="A", instrument="X", side=BUY, quantity=D(1))
        return self.paper.command(CancelOrder(guid="c", venue_order_id=number, request=request), self.now)

    def states(self) -> list[OrderStatus]:
        return [update.status for update in self.paper.orders(self.now)]


def of(told: Told, kind: type[T]) -> list[T]:
    return [event for event in told if isinstance(event, kind)]


def fills(told: Told) -> list[tuple[float, float]]:
    """``(price, lots)`` of each fill."""
    return [(float(fill.price), float(fill.quantity)) for fill in of(told, Fill)]


# Queues


def test_a_resting_order_waits_until_all_before_it_have_traded() -> None:
    desk = Desk(rule=FillRule.RISK_AVERSE)
    desk.book({100: 5, 99: 3}, {101: 4})
    desk.rest(BUY, 100, 2)

    assert fills(desk.trade(100, 5, SELL)) == []
    assert fills(desk.trade(100, 1, SELL)) == [(100, 2)], "whole, as nothing else is said"


def test_with_partial_fills_an_order_gets_what_reaches_it() -> None:
    desk = Desk(rule=FillRule.RISK_AVERSE, partial=True)
    desk.book({100: 5}, {101: 4})
    desk.rest(BUY, 100, 3)

    assert fills(desk.trade(100, 6, SELL)) == [(100, 1)]
    assert fills(desk.trade(100, 9, SELL)) == [(100, 2)]


def test_trades_of_those_who_take_on_our_side_dont_meet_us() -> None:
    desk = Desk(rule=FillRule.RISK_AVERSE)
    desk.book({100: 0.5}, {101: 4})
    desk.rest(BUY, 100)

    assert fills(desk.trade(100, 50, BUY)) == []
    assert fills(desk.trade(100, 50, None)) == [(100, 1)]


def test_a_market_that_goes_through_a_price_fills_its_whole_queue() -> None:
    desk = Desk(rule=FillRule.PROBABILITY)
    desk.book({100: 500}, {101: 4})
    desk.rest(BUY, 100)
    assert fills(desk.trade(99, 1, SELL)) == [(100, 1)]

    desk.rest(BUY, 100)
    assert fills(desk.book({99: 1}, {100: 7})) == [(100, 1)]


def test_an_order_inside_the_spread_is_the_first_there() -> None:
    desk = Desk(rule=FillRule.RISK_AVERSE)
    desk.quote(100, 103)
    desk.rest(BUY, 101)

    assert fills(desk.trade(101, 1, SELL)) == [(101, 1)]


def test_a_price_below_the_best_of_quotes_gets_its_place_when_it_is_the_best() -> None:
    desk = Desk(rule=FillRule.RISK_AVERSE)
    desk.quote(100, 101, 4.0)
    desk.rest(BUY, 99)
    assert fills(desk.trade(99, 9, SELL)) == [], "nobody knows how many stood there"
    desk.quote(99, 101, 6.0)

    assert fills(desk.trade(99, 6, SELL)) == []
    assert fills(desk.trade(99, 1, SELL)) == [(99, 1)]


def test_cancels_bring_an_order_forward_where_chance_says_so() -> None:
    def waits(chance: Chance | None) -> int:
        rule = FillRule.RISK_AVERSE if chance is None else FillRule.PROBABILITY
        desk = Desk(rule=rule, chance=chance or Chance())
        desk.book({100: 20}, {101: 4})
        desk.rest(BUY, 100)
        desk.book({100: 40}, {}, delta=True)
        desk.book({100: 30}, {}, delta=True)
        for number in range(1, 40):
            if fills(desk.trade(100, 1, SELL)):
                return number
        raise AssertionError("never filled")

    assert waits(None) == 21
    assert waits(Chance(family=Family.LOG)) == 16
    assert waits(Chance(family=Family.SQUARE)) == 16


def test_post_only_orders_and_rests_of_takers_queue_up_too() -> None:
    desk = Desk(rule=FillRule.RISK_AVERSE)
    desk.book({100: 3}, {101: 1})
    desk.rest(BUY, 100, time_in_force=TimeInForce.POST_ONLY)
    assert fills(desk.trade(100, 3, SELL)) == []
    assert fills(desk.send(BUY, 3, price=101)) == [(101, 1)]
    desk.book({101: 2, 100: 3}, {102: 1})
    assert fills(desk.trade(101, 2, SELL)) == [(101, 2)], "nobody stood there when it came"


def test_bars_know_no_queues_so_they_have_to_go_through_a_price() -> None:
    desk = Desk(rule=FillRule.RISK_AVERSE)
    desk.bar(101, 101, 101, 101)
    desk.rest(BUY, 100)

    assert fills(desk.bar(101, 101, 100, 101)) == []
    assert fills(desk.bar(101, 101, 99, 101)) == [(100, 1)]


def test_where_trades_alone_fill_quotes_that_cross_do_not() -> None:
    desk = Desk(only_trades=True)
    desk.quote(100, 102)
    desk.rest(BUY, 101)

    assert fills(desk.quote(99, 100)) == []
    assert fills(desk.trade(101)) == [(101, 1)]


# Partial fills


def test_one_trade_fills_own_orders_with_no_more_than_it_had() -> None:
    desk = Desk(partial=True)
    desk.quote(100, 105)
    for _ in range(3):
        desk.rest(BUY, 101, 2)

    assert fills(desk.trade(101, 3)) == [(101, 2), (101, 1)]
    assert fills(desk.trade(101, 9)) == [(101, 1), (101, 2)]


def test_a_quote_fills_with_what_it_shows_and_shows_it_once() -> None:
    desk = Desk(partial=True)
    desk.quote(100, 105)
    desk.rest(BUY, 101, 5)

    assert fills(desk.quote(99, 101, 3.0)) == [(101, 3)]
    assert fills(desk.quote(98, 101, 3.0)) == [], "it is the same three"
    assert fills(desk.quote(98, 101, 4.0)) == [(101, 2)]


def test_takers_dont_meet_twice_what_they_have_taken() -> None:
    desk = Desk(partial=True)
    desk.book({99: 1}, {101: 2, 102: 3})

    assert fills(desk.send(BUY, 3, price=102)) == [(101, 2), (102, 1)]
    assert fills(desk.send(BUY, 3, price=102)) == [(102, 2)]
    assert fills(desk.send(BUY, 1, time_in_force=TimeInForce.FILL_OR_KILL)) == []
    desk.book({101: 1}, {}, delta=True)
    desk.book({}, {102: 5}, delta=True)
    assert fills(desk.send(BUY, 2, time_in_force=TimeInForce.FILL_OR_KILL)) == [(102, 2)]


def test_without_partial_fills_a_level_is_whole_for_each_taker() -> None:
    desk = Desk()
    desk.book({99: 1}, {101: 2})

    assert fills(desk.send(BUY, 2)) == fills(desk.send(BUY, 2)) == [(101, 2)]


def test_a_bar_gives_its_volume_or_a_share_of_it() -> None:
    desk = Desk(partial=True, bar_share=0.1)
    desk.bar(100, 100, 100, 100)
    desk.rest(BUY, 99, 5)

    assert fills(desk.bar(100, 100, 98, 100, 20.0)) == [(99, 2)]
    assert fills(desk.bar(100, 100, 98, 100, 100.0)) == [(99, 3)]


def test_a_market_order_ends_where_nothing_more_is_shown_if_one_says_so() -> None:
    desk = Desk(beyond_depth=False)
    desk.book({99: 1}, {101: 2})

    told = desk.send(BUY, 5)

    assert fills(told) == [(101, 2)]
    assert of(told, OrderUpdate)[-1].status is OrderStatus.CANCELLED


made = st.lists(
    st.one_of(
        st.tuples(st.just("trade"), st.integers(95, 105), st.integers(1, 9)),
        st.tuples(st.just("book"), st.integers(95, 105), st.integers(1, 9)),
        st.tuples(st.just("quote"), st.integers(95, 105), st.integers(1, 9)),
        st.tuples(st.just("buy"), st.integers(95, 105), st.integers(1, 9)),
        st.tuples(st.just("sell"), st.integers(95, 105), st.integers(1, 9)),
        st.tuples(st.sampled_from(["take", "give"]), st.just(0), st.integers(1, 9)),
    ),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(made, st.sampled_from(FillRule), st.sampled_from(Family))
def test_nobody_gets_more_or_better_than_the_market_had(
    steps: list[tuple[str, int, int]], rule: FillRule, family: Family
) -> None:
    """With partial fills: per datum no more lots than it traded or showed, no price beyond a limit or the market's."""
    models: dict[str, Any] = {"rule": rule, "chance": Chance(family=family), "partial": True, "beyond_depth": False}
    desk, again = Desk(**models), Desk(**models)
    for each in (desk, again):
        each.book({99: 3}, {101: 3})
    for what, price, lots in steps:

        def act(on: Desk, what: str = what, price: int = price, lots: int = lots) -> Told:
            match what:
                case "trade":
                    return on.trade(price, lots)
                case "book":
                    return on.book({price - 1: lots, price - 2: 1}, {price: lots, price + 1: 2})
                case "quote":
                    return on.quote(price - 1, price, float(lots))
                case "buy" | "sell":
                    return on.send(BUY if what == "buy" else SELL, lots, price=price)
                case _:
                    return on.send(BUY if what == "take" else SELL, lots)

        told = act(desk)
        assert fills(act(again)) == fills(told), "the same orders and data are filled alike"
        numbers = {update.venue_order_id: update for update in desk.paper.orders(desk.now)}
        for fill in of(told, Fill):
            order = numbers[fill.venue_order_id]
            assert fill.quantity > 0
            assert order.filled <= order.quantity
            assert order.price is None or (order.price - fill.price) * fill.side.sign >= 0
        if what == "trade":
            assert sum(number for _, number in fills(told)) <= lots
        if what in ("book", "quote"):
            there = {BUY: lots + (2 if what == "book" else 0), SELL: lots + (1 if what == "book" else 0)}
            for side in Side:
                got = sum(fill.quantity for fill in of(told, Fill) if fill.side is side)
                assert got <= there[side]


# Bars


def bracket(rule: BarRule, *, stop_above: bool = False) -> Desk:
    """Rest a sell limit above and a sell stop below 100, or a buy's two the other way round."""
    desk = Desk(bars=rule)
    desk.bar(100, 100, 100, 100)
    side = BUY if stop_above else SELL
    desk.rest(side, 95 if stop_above else 105)
    desk.send(side, stop_price=105 if stop_above else 95)
    return desk


@pytest.mark.parametrize(
    ("rule", "prices"),
    [
        (BarRule.BOTH, [105, 95]),
        (BarRule.STOP_FIRST, [95]),
        (BarRule.LIMIT_FIRST, [105]),
        (BarRule.NEAREST_FIRST, [105]),
    ],
)
def test_a_bar_that_reaches_stop_and_limit_fills_by_the_rule_and_the_report_is_warned(
    rule: BarRule, prices: list[float]
) -> None:
    desk = bracket(rule)

    assert [price for price, _ in fills(desk.bar(101, 106, 94, 100))] == prices
    said = "what 1 bar made of the orders depends on whether its high or its low came first, which it doesn't say"
    assert desk.paper.warnings() == [f"X: {said} (bars = {rule.value})"]


def test_the_one_that_waited_meets_the_next_bar() -> None:
    desk = bracket(BarRule.STOP_FIRST)
    desk.bar(101, 106, 94, 100)

    assert fills(desk.bar(100, 106, 99, 100)) == [(105, 1)]


def test_a_bar_that_reaches_one_of_both_warns_of_nothing() -> None:
    desk = bracket(BarRule.STOP_FIRST)

    assert fills(desk.bar(100, 106, 99, 100)) == [(105, 1)]
    assert desk.paper.warnings() == []


@pytest.mark.parametrize(("opened", "first"), [(104.0, False), (96.0, True)])
def test_the_extreme_nearer_to_the_open_comes_first(opened: float, first: bool) -> None:
    assert stops_go_first(BarRule.NEAREST_FIRST, opened, 106, 94, buys=False) is first
    assert stops_go_first(BarRule.NEAREST_FIRST, opened, 106, 94, buys=True) is not first
    desk = bracket(BarRule.NEAREST_FIRST, stop_above=True)
    assert [price for price, _ in fills(desk.bar(opened, 106, 94, 100))] == [95 if first else 105]


def test_two_bars_are_told_as_two() -> None:
    desk = bracket(BarRule.STOP_FIRST)
    desk.bar(100, 106, 94, 100)
    desk.send(SELL, stop_price=95)
    desk.bar(100, 106, 94, 100)

    assert desk.paper.warnings()[0].startswith("X: what 2 bars made of the orders depends on whether their high")


@pytest.mark.parametrize(
    ("rule", "prices"), [(BarPrice.LIMIT, [99, 103]), (BarPrice.OPEN, [96, 103]), (BarPrice.WORST, [98, 103])]
)
def test_a_bar_beyond_a_limit_fills_it_at_the_price_of_the_rule(rule: BarPrice, prices: list[float]) -> None:
    desk = Desk(bar_price=rule)
    desk.bar(100, 100, 100, 100)
    desk.rest(BUY, 99)
    desk.rest(SELL, 103)

    assert [price for price, _ in fills(desk.bar(96, 98, 95, 97)) + fills(desk.bar(97, 104, 97, 100))] == prices


def test_market_orders_get_the_next_open_if_one_says_so() -> None:
    desk = Desk(next_open=True)
    desk.bar(100, 100, 100, 100)

    assert fills(desk.send(BUY)) == []
    assert fills(desk.bar(102, 109, 101, 105)) == [(102, 1)]
    desk.quote(110, 111)
    assert fills(desk.send(BUY)) == [(111, 1)], "quotes are met at once"


def test_limits_and_stops_wait_for_the_next_bar_if_one_says_so() -> None:
    desk = Desk(next_bar=True)
    desk.bar(100, 100, 100, 100)
    desk.rest(BUY, 105)
    assert fills(desk.send(BUY, stop_price=95)) == []

    assert sorted(fills(desk.bar(101, 103, 99, 100))) == [(101, 1), (105, 1)]


@pytest.mark.parametrize(("bar", "price"), [((99, 99, 90, 92), 92), ((99, 99, 90, 98), 95), ((94, 99, 90, 98), 94)])
def test_a_careful_stop_gets_the_close_where_that_is_worse(bar: tuple[int, int, int, int], price: int) -> None:
    desk = Desk(stop_at_close=True)
    desk.bar(100, 100, 100, 100)
    desk.send(SELL, stop_price=95)

    assert fills(desk.bar(*bar)) == [(price, 1)]


# Stops that trail, ends of orders


def test_a_stop_that_trails_follows_the_market_in_one_direction() -> None:
    desk = Desk()
    desk.trade(100)
    desk.send(SELL, stop_price=90, trail=5)

    def trigger() -> Decimal | None:
        return desk.paper.stop_orders(desk.now)[0].stop_price

    assert trigger() == 95, "no further behind than its trail"
    desk.trade(110)
    assert trigger() == 105
    desk.trade(106)
    assert trigger() == 105
    assert fills(desk.trade(105)) == [(105, 1)]
    assert desk.paper.stop_orders(desk.now)[0].status is OrderStatus.FILLED


def test_each_new_trigger_of_a_stop_that_trails_is_told() -> None:
    desk = Desk()
    desk.trade(100)
    triggers = [[update.stop_price for update in of(desk.send(SELL, stop_price=90, trail=5), OrderUpdate)]]
    for price in (98, 110, 110, 106, 111):
        told = of(desk.trade(price), OrderUpdate)
        assert {update.status for update in told} <= {OrderStatus.WORKING}
        triggers.append([update.stop_price for update in told])

    assert triggers == [[90, 95], [], [105], [], [], [106]]


def test_a_stop_that_stands_still_tells_nothing() -> None:
    desk = Desk()
    desk.trade(100)
    desk.send(SELL, stop_price=90)

    assert [of(desk.trade(price), OrderUpdate) for price in (110, 95, 120)] == [[], [], []]


def test_a_buy_that_trails_falls_with_the_market() -> None:
    desk = Desk()
    desk.trade(100)
    desk.send(BUY, stop_price=103, trail=3)
    desk.trade(90)

    assert fills(desk.trade(92)) == []
    assert fills(desk.trade(93)) == [(93, 1)]


def test_within_a_bar_a_trail_follows_only_after_the_trigger_was_tried() -> None:
    desk = Desk()
    desk.bar(100, 100, 100, 100)
    desk.send(SELL, stop_price=90, trail=10)

    assert fills(desk.bar(100, 120, 95, 118)) == []
    assert fills(desk.bar(118, 119, 105, 106)) == [(110, 1)]


@pytest.mark.parametrize("values", [{"trail": 1, "price": 5}, {"trail": 1}, {"trail": 0, "stop_price": 5}])
def test_a_trail_needs_a_stop_without_a_limit(values: dict[str, Any]) -> None:
    desk = Desk()
    desk.trade(100)

    (reply,) = of(desk.send(SELL, **values), Reply)

    assert not reply.ok
    assert "trail" in reply.message


def test_an_order_lapses_at_its_time() -> None:
    desk = Desk()
    desk.quote(100, 101)
    desk.rest(BUY, 99, time_in_force=GTC, expire_time=desk.now + 50)

    assert desk.paper.due() == desk.now + 50
    (update,) = of(desk.paper.run_due(desk.now + 50), OrderUpdate)
    assert (update.status, update.event_time) == (OrderStatus.EXPIRED, desk.now + 50)
    assert desk.paper.idle("X")


def test_day_orders_lapse_when_the_day_ends_and_others_dont() -> None:
    noon = 1_735_981_200_000_000_000  # 2025-01-04 09:00 UTC: 12:00 in Moscow
    desk = Desk(now=noon, day_end=DayEnd(at="18:50"))
    desk.quote(100, 101)
    desk.rest(BUY, 99)
    desk.rest(BUY, 98, time_in_force=GTC)
    desk.send(SELL, stop_price=90)

    assert desk.paper.due() == noon + 6 * HOUR + 50 * HOUR // 60
    desk.paper.run_due(noon + 7 * HOUR)

    assert desk.states() == [OrderStatus.EXPIRED, OrderStatus.WORKING]
    assert desk.paper.stop_orders(desk.now)[0].status is OrderStatus.EXPIRED


def test_a_day_ends_by_the_clocks_of_its_zone_also_when_they_change() -> None:
    end = DayEnd(at="16:00", time_zone="America/New_York")
    before, after = 1_741_374_000_000_000_000, 1_741_633_200_000_000_000  # 2025-03-07 and -10, 19:00 UTC

    assert end.after(before, "UTC") == before + 2 * HOUR
    assert end.after(before + 2 * HOUR, "UTC") == before + 25 * HOUR + HOUR, "the next day, if it's just over"
    assert end.after(after, "UTC") == after + HOUR


@pytest.mark.parametrize("wrong", [{"at": "25:00"}, {"at": "16:00+01:00"}, {"at": "16:00", "time_zone": "Mars/Base"}])
def test_impossible_ends_of_days_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        DayEnd(**wrong)


# Impact and fees


def test_impact_makes_a_taker_pay_more_but_never_beyond_its_limit() -> None:
    desk = Desk(impact=Impact(ticks=D(1), ticks_per_lot=D("0.5"), ticks_per_root_lot=D(1)))
    desk.quote(100, 101, None)

    assert fills(desk.send(BUY, 4)) == [(106, 4)]
    assert fills(desk.send(SELL, 1)) == [(97, 1)]
    assert fills(desk.send(BUY, 4, price=103)) == [(103, 4)]
    assert fills(desk.send(SELL, 4, price=99)) == [(99, 4)]
    desk.rest(BUY, 99)
    assert fills(desk.quote(98, 99)) == [(99, 1)], "who rests has no impact"


def test_without_coefficients_impact_is_none() -> None:
    assert Impact().price(SHARE, BUY, D(10), D(5), None) == 10
    with pytest.raises(ConfigError, match="impact"):
        Impact(ticks=D(-1))


def test_an_order_costs_its_minimum_once_however_many_fills_it_has() -> None:
    desk = Desk(fees=FeeModel(taker_per_lot=D("0.1"), order_minimum=D(1)))
    desk.book({99: 1}, {101: 4, 102: 4, 103: 40})

    charged = [fill.fee for fill in of(desk.send(BUY, 20), Fill)]

    assert charged == [1, 0, 1]
    assert [fill.fee for fill in of(desk.send(BUY, 1), Fill)] == [1]


def test_a_fee_is_capped_at_a_share_of_the_value() -> None:
    fees = FeeModel(taker_per_lot=D(5), most_rate=D("0.01"))

    assert fees.fee(SHARE, D(100), D(2), maker=False) == 2
    assert fees.fee(SHARE, D(1_000), D(2), maker=False) == 10


def test_who_trades_much_pays_by_tiers_until_it_is_long_ago() -> None:
    tiers = (FeeTier(volume=D(1_000), maker_rate=D(0), taker_rate=D("0.01")),)
    book = FeeBook(FeeModel(taker_rate=D("0.1"), tiers=tiers))

    def charge(day: int) -> Decimal:
        return book.charge(SHARE, D(100), D(5), day * 24 * HOUR, maker=False, paid=Paid())

    assert [charge(1), charge(2), charge(3), charge(31), charge(90)] == [50, 50, 5, 5, 50]


def test_instruments_and_exchanges_have_fees_of_their_own() -> None:
    def flat(money: int) -> FeeModel:
        return FeeModel(order_minimum=D(money))

    book = FeeBook(flat(1), {"X": flat(2), "NASDAQ": flat(3)})
    known = [SHARE, Instrument("Y", exchange="NASDAQ"), Instrument("Z")]

    assert [book.charge(item, D(1), D(1), 0, maker=True, paid=Paid()) for item in known] == [2, 3, 1]
    desk = Desk(fees_of={"MOEX": flat(7)})
    desk.quote(100, 101)
    assert of(desk.send(BUY), Fill)[0].fee == 7


def test_impossible_values_are_refused() -> None:
    for wrong in ({"bar_share": 0.0}, {"bar_share": 1.5}, {"cash_step": D(0)}, {"margin_rate": D(-1)}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            FillModels(**wrong)
    with pytest.raises(ConfigError, match="tiers"):
        FeeModel(tiers=(FeeTier(volume=D(1), maker_rate=D(0), taker_rate=D(0)),) * 2)
    assert FeeModel().rounding == ROUND_HALF_EVEN
