"""Whether an order is met is decided between doubles: on the tick that is the same as between whole ticks."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from strategykit.model.events import Event, Fill, Quote, Side, Trade
from strategykit.model.instruments import Instrument
from strategykit.model.orders import CreateOrder, OrderRequest, OrderType
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.models.queues import FillRule
from strategykit.sim.paper import PaperExchange
from strategykit.sim.recorded import exact
from strategykit.venues.dialect import Reply

D = Decimal
BUY, SELL = Side.BUY, Side.SELL
TICKS = [D(tick) for tick in ("0.01", "0.00000001", "0.05", "0.25", "0.03125", "0.0005", "1", "2.5", "10", "1E+3")]

_HIGHEST = D(10**12)
"""What an order's price may be."""


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Decimal, int, int]:
    """A tick, and two prices in ticks: neighbours as a rule, as far up as 15 digits go."""
    tick = draw(st.sampled_from(TICKS))
    unscaled = int("".join(map(str, tick.as_tuple().digits)))
    most = min((10**15 - 1) // unscaled, int(_HIGHEST / tick))
    first = draw(st.integers(1, most) | st.integers(1, 10_000) | st.integers(most - 1_000, most))
    second = draw(st.integers(max(first - 2, 1), min(first + 2, most)) | st.integers(1, most))
    return tick, first, second


class Desk:
    """A paper exchange of one instrument, at which anything can be afforded."""

    def __init__(self, tick: Decimal, *, rule: FillRule = FillRule.TOUCH) -> None:
        models = FillModels(margin_rate=D(0), rule=rule)
        self.paper = PaperExchange({"X": Instrument("X", tick)}, account="A", cash=D(0), models=models)
        self.now = 0
        self.guid = count(1).__next__

    def send(self, side: Side, *, limit: Decimal | None = None, stop: Decimal | None = None) -> Sequence[Reply | Event]:
        kind = OrderType.LIMIT if limit is not None else OrderType.MARKET if stop is None else OrderType.STOP
        request = OrderRequest(
            client_order_id="c",
            account="A",
            instrument="X",
            side=side,
            quantity=D(1),
            type=kind,
            price=limit,
            stop_price=stop,
        )
        return self.paper.command(CreateOrder(guid=f"g{self.guid()}", request=request), self.now)

    def trade(self, price: float) -> list[Fill]:
        self.now += 1
        told = self.paper.on_event(Trade("X", price, 1.0, None, None, self.now, self.now, ""), self.now)
        return [each for each in told if isinstance(each, Fill)]

    def quote(self, bid: float, ask: float) -> list[Fill]:
        self.now += 1
        told = self.paper.on_event(Quote("X", bid, 1.0, ask, 1.0, None, self.now, self.now, ""), self.now)
        return [each for each in told if isinstance(each, Fill)]


@settings(max_examples=100, deadline=None)
@given(pairs())
@example((D("0.1"), 3, 3))
def test_whatever_the_tick_two_prices_on_it_compare_as_their_ticks_do(pair: tuple[Decimal, int, int]) -> None:
    tick, first, second = pair
    one, other = tick * first, tick * second

    assert exact(float(one)) == one
    assert (float(one) < float(other), float(one) == float(other)) == (first < second, first == second)
    assert (float(one) - float(other) > 0, float(one) - float(other) == 0) == (first > second, first == second)


@settings(max_examples=100, deadline=None)
@given(pairs(), st.sampled_from(Side), st.sampled_from([FillRule.TOUCH, FillRule.TRADE_THROUGH]), st.booleans())
def test_whatever_the_tick_orders_are_met_as_whole_ticks_say(
    pair: tuple[Decimal, int, int], side: Side, rule: FillRule, by_quote: bool
) -> None:
    tick, ours, theirs = pair
    limit, price = tick * ours, float(tick * theirs)
    desk, stops = Desk(tick, rule=rule), Desk(tick)
    desk.send(side, limit=limit)
    stops.send(side, stop=limit)

    filled = desk.quote(price, price) if by_quote else desk.trade(price)
    fired = stops.quote(price, price) if by_quote else stops.trade(price)

    better = (ours - theirs) * side.sign
    met = better > 0 or (better == 0 and rule is FillRule.TOUCH)
    assert [fill.price for fill in filled] == ([limit] if met else [])
    assert [fill.price for fill in fired] == ([tick * theirs] if better <= 0 else [])


@settings(max_examples=100, deadline=None)
@given(pairs(), st.sampled_from(Side), st.integers(1, 9))
def test_whatever_was_printed_between_two_ticks_meets_orders_as_it_is(
    pair: tuple[Decimal, int, int], side: Side, tenths: int
) -> None:
    """The venue's word counts: crosses, averages and other boards print prices that no order could have."""
    tick, ours, theirs = pair
    printed = tick * theirs + tick * tenths / 10
    assume(len(printed.normalize().as_tuple().digits) <= 15)
    rests, takes = Desk(tick), Desk(tick)
    rests.send(side, limit=tick * ours)

    filled = rests.trade(float(printed))
    takes.trade(float(printed))
    taken = [each for each in takes.send(side) if isinstance(each, Fill)]

    assert [fill.price for fill in filled] == ([tick * ours] if (tick * ours - printed) * side.sign >= 0 else [])
    assert [fill.price for fill in taken] == [printed]


@pytest.mark.parametrize("terms", [{"limit": D("100.003")}, {"stop": D("100.003")}])
def test_own_prices_between_two_ticks_are_refused(terms: dict[str, Decimal]) -> None:
    (reply,) = Desk(D("0.01")).send(BUY, **terms)

    assert isinstance(reply, Reply)
    assert reply.message == "Invalid price 100.003. Minimum price step: 0.01"


def test_sums_of_doubles_are_prices_of_their_own() -> None:
    """0.1 + 0.2 isn't 0.3; whoever makes data rather than reads them rounds to the tick."""
    desk = Desk(D("0.1"))
    desk.send(BUY, limit=D("0.3"))

    assert desk.trade(0.1 + 0.2) == []
    assert [fill.price for fill in desk.trade(round(0.1 + 0.2, 1))] == [D("0.3")]


def test_beyond_15_digits_two_prices_may_be_one_double() -> None:
    """What the page on backtest models says of the bound."""
    tick = D("0.00000001")
    assert float(D("123456789.00000001")) == float(D("123456789.00000002"))
    desk = Desk(tick)
    desk.send(BUY, limit=D("123456789.00000001"))

    assert len(desk.trade(float(D("123456789.00000002")))) == 1
