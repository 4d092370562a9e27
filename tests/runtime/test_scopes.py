"""Blocks that must end well: whatever the way out, what they hold is gone afterwards."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit import (
    Bars,
    Books,
    OrderEnded,
    OrderRefused,
    OrderState,
    Quote,
    Quotes,
    RiskLimit,
    Side,
    Strategy,
    StrategykitError,
    Trades,
    define,
)
from strategykit.model.events import Event
from strategykit.model.risk_limits import DEFAULT_PLAN, NO_PLAN, RiskPlan
from strategykit.runtime.holding import Holding
from strategykit.runtime.levels import Levels, Terms
from strategykit.testing import START, Outcome, make_bars, make_books, make_quotes, make_trades, run_strategy

SECOND = 1_000_000_000


@define
class Teller(Strategy):
    """Runs the story that a test gives it, on quotes of one instrument."""

    def __attrs_post_init__(self) -> None:
        self.story: Callable[[Teller], Awaitable[None]] | None = None
        self.told: list[object] = []

    quotes = Quotes("X")
    trades = Trades("X")

    async def run(self) -> None:
        if self.story is not None:
            await self.story(self)

    def seconds(self) -> float:
        return (self.now() - START) / SECOND


def tell(
    story: Callable[[Teller], Awaitable[None]],
    events: Iterable[Event] | None = None,
    *,
    latency: float = 0.0,
    limits: RiskPlan = DEFAULT_PLAN,
) -> tuple[Outcome, Teller]:
    teller = Teller()
    teller.story = story
    market = make_quotes("X", [100.0] * 60, spread=0.5) if events is None else events
    return run_strategy(teller, market, latency=latency, limits=limits), teller


def assert_flat(outcome: Outcome, *sides: Side) -> None:
    assert [fill.side for fill in outcome.fills] == list(sides)
    assert not any(outcome.positions.values())
    assert all(not order.is_open for order in outcome.orders)


BUY, SELL = Side.BUY, Side.SELL


def quote_at(second: int, bid: float | None) -> Quote:
    """A quote that may have no bid; the ask is 100.5."""
    time = START + second * SECOND
    return Quote("X", bid, None if bid is None else 100.0, 100.5, 100.0, None, time, time, "")


# Holding a position


async def until_the_end(teller: Teller) -> None:
    async with teller.long(2) as holding:
        teller.told.append((holding.quantity, holding.entry_price))
        await trio.sleep(3)
    teller.told.append((holding.ended_by, holding.quantity, teller.position()))


def test_a_long_block_buys_and_sells_at_its_end() -> None:
    outcome, teller = tell(until_the_end)

    assert_flat(outcome.check(), BUY, SELL)
    assert teller.told == [(2, Decimal("100.5")), ("block", 0, 0)]


async def short(teller: Teller) -> None:
    async with teller.short(1):
        await trio.sleep(3)


def test_a_short_block_sells_and_buys_back() -> None:
    assert_flat(tell(short)[0].check(), SELL, BUY)


async def raising(teller: Teller) -> None:
    async with teller.long(1):
        await trio.sleep(1)
        raise LookupError("mine")


def test_a_block_that_raises_gets_flat_and_the_error_comes_out_as_it_is() -> None:
    async def catching(teller: Teller) -> None:
        try:
            await raising(teller)
        except LookupError as exc:
            teller.told.append(str(exc))

    outcome, teller = tell(catching)

    assert_flat(outcome.check(), BUY, SELL)
    assert teller.told == ["mine"]


def test_a_cause_that_the_block_gave_its_error_is_kept() -> None:
    async def chained(teller: Teller) -> None:
        async with teller.long(1):
            try:
                raise KeyError("first")
            except KeyError as exc:
                raise LookupError("then") from exc

    outcome, _ = tell(chained)

    assert isinstance(outcome.error, LookupError)
    assert isinstance(outcome.error.__cause__, KeyError)
    assert_flat(outcome, BUY, SELL)


def test_a_helper_that_raises_ends_the_block_flat_with_a_group() -> None:
    async def helped(teller: Teller) -> None:
        async def helper(after: float) -> None:
            await trio.sleep(after)
            raise LookupError("helper")

        try:
            async with teller.long(1) as holding:
                holding.start(helper, 1)
                await trio.sleep(10)
        except* LookupError as group:
            teller.told.append(len(group.exceptions))

    outcome, teller = tell(helped)

    assert_flat(outcome.check(), BUY, SELL)
    assert teller.told == [1]


def test_helpers_end_with_the_block() -> None:
    async def helped(teller: Teller) -> None:
        async def helper() -> None:
            while True:
                await trio.sleep(1)
                teller.told.append(teller.seconds())

        async with teller.long(1) as holding:
            holding.start(helper)
            await trio.sleep(2.5)
        await trio.sleep(5)

    assert tell(helped)[1].told == [1, 2]


@pytest.mark.parametrize(
    ("bids", "side", "ended_by", "at"),
    [
        ([100, 99, 98.4, 97], BUY, "stop", 3),  # Bought at 100.5; 2 % below is 98.49.
        ([100, 101, 103, 104], BUY, "target", 4),  # 3 % above is 103.515.
        ([100, 101, 101.6, 104], SELL, "stop", 3),  # Sold at 100, bought back at the ask: 102 is 2 % above.
        ([100, 99, 96.5, 96], SELL, "target", 3),  # 97 is 3 % below.
    ],
)
def test_stop_and_target_end_the_block_at_the_price_at_which_it_could_be_left(
    bids: list[float], side: Side, ended_by: str, at: int
) -> None:
    async def story(teller: Teller) -> None:
        block = teller.long if side is BUY else teller.short
        async with block(1, stop=0.02, target=0.03) as holding:
            await trio.sleep_forever()
        teller.told.extend((holding.ended_by, teller.seconds()))

    outcome, teller = tell(story, make_quotes("X", [bids[0], *bids, *bids[-1:] * 5], spread=0.5))

    assert_flat(outcome.check(), side, side.opposite)
    assert teller.told == [ended_by, at]


def test_the_first_reason_for_an_end_stands() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(1, stop=0.01) as holding:
            await trio.sleep(0.5)
            holding.end("time")
            with trio.CancelScope(shield=True):
                await trio.sleep(5)
        teller.told.append(holding.ended_by)

    outcome, teller = tell(story, make_quotes("X", [100, 90, 80, 80, 80, 80, 80], spread=0.5))

    assert_flat(outcome.check(), BUY, SELL)
    assert teller.told == ["time"]


def test_books_and_trades_and_bars_tell_prices_too() -> None:
    @define
    class OnBook(Strategy):
        books = Books("X")

        async def run(self) -> None:
            async with self.long(1, stop=0.05):
                await trio.sleep_forever()

    @define
    class OnTrades(Strategy):
        trades = Trades("X")

        async def run(self) -> None:
            async with self.short(1, target=0.05):
                await trio.sleep_forever()

    @define
    class OnBars(Strategy):
        bars = Bars("X", "1m")

        async def run(self) -> None:
            await self.when(self.bars.close > 0)
            async with self.long(1, target=0.05):
                await trio.sleep_forever()

    bars = run_strategy(OnBars(), make_bars("X", [100, 101, 106, 100])).check()
    books = run_strategy(OnBook(), make_books("X", [100, 99, 90, 90], spread=0.5)).check()
    trades = run_strategy(OnTrades(), make_trades("X", [100, 99, 90, 90])).check()

    assert_flat(bars, BUY, SELL)
    assert_flat(books, BUY, SELL)
    assert_flat(trades, SELL, BUY)


def test_an_empty_side_of_a_quote_tells_no_price() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(1, stop=0.02):
            await trio.sleep(4)
        teller.told.append(teller.seconds())

    outcome, teller = tell(story, [quote_at(n, None if n in (1, 2, 3) else 100.0) for n in range(6)])

    assert_flat(outcome.check(), BUY, SELL)
    assert teller.told == [4.1]  # It closes while there is no bid, and tries again.


def test_a_deadline_around_the_block_gets_flat() -> None:
    async def story(teller: Teller) -> None:
        with trio.move_on_after(2.5) as scope:
            async with teller.long(1):
                await trio.sleep_forever()
        teller.told.extend((scope.cancelled_caught, teller.seconds(), teller.position()))

    outcome, teller = tell(story)

    assert_flat(outcome.check(), BUY, SELL)
    assert teller.told == [True, 2.5, 0]


def test_the_end_of_the_run_gets_flat() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(1), teller.short(3):
            await trio.sleep_forever()

    assert_flat(tell(story)[0].check(), BUY, SELL, BUY, SELL)


def test_a_handler_that_raises_gets_flat() -> None:
    @define
    class Failing(Teller):
        def on_quote(self, quote: object) -> None:
            if self.seconds() == 3:
                raise LookupError("handler")

    teller = Failing()
    teller.story = until_the_end
    outcome = run_strategy(teller, make_quotes("X", [100.0] * 10, spread=0.5))

    assert isinstance(outcome.error, LookupError)
    assert_flat(outcome, BUY, SELL)


def test_a_cancel_while_the_entry_is_on_its_way_gets_flat() -> None:
    """The order can't be called back before it arrives: what it buys is sold."""

    async def story(teller: Teller) -> None:
        with trio.move_on_after(0.5):
            async with teller.long(1):
                teller.told.append("held")
        teller.told.append(teller.seconds())

    outcome, teller = tell(story, latency=1.0)

    assert_flat(outcome.check(), BUY, SELL)
    # The fill comes after 1 s, and the exit takes another one.
    assert teller.told == [2.0]


def test_a_refused_entry_is_told_and_leaves_nothing() -> None:
    async def story(teller: Teller) -> None:
        await teller.when(teller.quotes.bid > 0)
        try:
            async with teller.long(1_000_000):
                teller.told.append("held")
        except OrderEnded as exc:
            teller.told.append("refused" if "rejected" in str(exc) or "cancelled" in str(exc) else str(exc))

    outcome, teller = tell(story, limits=NO_PLAN)

    assert_flat(outcome.check())
    assert teller.told == ["refused"]


def test_a_second_leg_that_is_refused_undoes_the_first() -> None:
    async def story(teller: Teller) -> None:
        try:
            async with teller.long(1), teller.short(1_000_000):
                teller.told.append("both")
        except OrderEnded:
            teller.told.append("neither")

    outcome, teller = tell(story, limits=NO_PLAN)

    assert_flat(outcome.check(), BUY, SELL)
    assert teller.told == ["neither"]


@pytest.mark.parametrize("part", [0, -0.5])
def test_a_stop_or_target_that_isnt_above_0_is_refused_before_anything_is_sent(part: float) -> None:
    async def story(teller: Teller) -> None:
        for name, block in (("stop", teller.long(1, stop=part)), ("target", teller.short(1, target=part))):
            with pytest.raises(RiskLimit, match=f"{name} must be a part of the price above 0"):
                async with block:
                    teller.told.append("held")

    outcome, teller = tell(story)

    assert not outcome.check().orders
    assert not teller.told


def test_a_stop_on_an_instrument_without_prices_is_refused() -> None:
    async def story(teller: Teller) -> None:
        with pytest.raises(RiskLimit, match="a stop or target on Y needs a stream of its prices"):
            async with teller.long(1, instrument="Y", stop=0.1):
                teller.told.append("held")

    assert not tell(story)[0].check().orders


def test_a_holding_without_a_fill_has_no_entry_price() -> None:
    async def story(teller: Teller) -> None:
        order = await teller.buy(1, limit=1.0)
        async with trio.open_nursery() as nursery:
            levels = Levels(teller.instrument_of(), BUY, Terms())
            holding = Holding(BUY, [order], teller.desk, nursery, levels, [])
            with pytest.raises(OrderEnded, match="no fill yet"):
                _ = holding.entry_price

    tell(story)[0].check()


def test_what_a_refused_exit_leaves_is_sold_by_another_one() -> None:
    """No bid, no exit: it is tried again until there is one."""

    async def story(teller: Teller) -> None:
        async with teller.long(1):
            await trio.sleep(0.5)
        teller.told.append(teller.seconds())

    outcome, teller = tell(story, [quote_at(n, 100.0 if n else None) for n in range(10)])

    assert_flat(outcome.check(), BUY, SELL)
    ends = [order.state for order in outcome.orders]
    assert ends[0] is OrderState.FILLED
    assert ends[-1] is OrderState.FILLED
    assert set(ends[1:-1]) == {OrderState.CANCELLED}
    assert len(ends) > 2
    assert 1.0 <= float(str(teller.told[0])) < 3
    assert any("trying again" in note for note in outcome.notes)


def test_a_position_that_cant_be_left_is_told() -> None:
    """Half a minute of trying, then the strategy fails with what is left, rather than quietly."""

    async def story(teller: Teller) -> None:
        async with teller.long(1):
            await trio.sleep(0.5)

    outcome, _ = tell(story, [quote_at(n, None) for n in range(60)])

    with pytest.raises(StrategykitError, match="not known to be flat; 1 lots are left"):
        outcome.check()


WAYS = ("end", "raise", "deadline", "stop", "forever", "handler")


@settings(max_examples=150, deadline=None)
@given(
    way=st.sampled_from(WAYS),
    after=st.floats(0, 8),
    latency=st.sampled_from([0.0, 0.3, 1.7]),
    moves=st.lists(st.sampled_from([-3.0, -1.0, 0.0, 1.0, 3.0]), min_size=12, max_size=12),
    buys=st.booleans(),
)
def test_whatever_the_way_out_of_a_block_it_ends_flat(
    way: str, after: float, latency: float, moves: list[float], buys: bool
) -> None:
    @define
    class Any(Teller):
        def on_quote(self, quote: object) -> None:
            if way == "handler" and self.seconds() > after:
                raise LookupError("handler")

    async def story(teller: Teller) -> None:
        block = teller.long if buys else teller.short
        with trio.move_on_after(after if way == "deadline" else math.inf):
            async with block(2, stop=0.02, target=0.02):
                if way in ("end", "raise"):
                    await trio.sleep(after)
                    if way == "raise":
                        raise LookupError("block")
                else:
                    await trio.sleep_forever()

    prices = [100.0]
    for move in moves:
        prices.append(prices[-1] + move)
    teller = Any()
    teller.story = story
    outcome = run_strategy(teller, make_quotes("X", prices, spread=0.5), latency=latency)

    assert outcome.error is None or isinstance(outcome.error, LookupError)
    assert not any(outcome.positions.values())
    assert all(not order.is_open for order in outcome.orders)
    assert sum(fill.quantity * fill.side.sign for fill in outcome.fills) == 0


# Working orders


def test_working_orders_are_cancelled_and_waited_for_at_the_end_of_their_block() -> None:
    async def story(teller: Teller) -> None:
        low, high = teller.buy_nowait(1, limit=50.0), teller.sell_nowait(1, limit=200.0)
        async with teller.working(low, high):
            await trio.sleep(2)
            teller.told.append((low.state, high.state))
        teller.told.append((low.state, high.state, teller.seconds()))

    outcome, teller = tell(story, latency=0.5)

    assert_flat(outcome.check())
    assert teller.told == [
        (OrderState.WORKING, OrderState.WORKING),
        (OrderState.CANCELLED, OrderState.CANCELLED, 2.5),
    ]


def test_a_working_order_may_be_filled_before_its_block_ends() -> None:
    async def story(teller: Teller) -> None:
        order = teller.buy_nowait(1, limit=150.0)
        async with teller.working(order):
            await order.filled()
        teller.told.append(order.state)
        await teller.sell(1)

    outcome, teller = tell(story)

    assert_flat(outcome.check(), BUY, SELL)
    assert teller.told == [OrderState.FILLED]


def test_working_orders_are_withdrawn_when_the_block_raises() -> None:
    async def story(teller: Teller) -> None:
        async with teller.working(await teller.buy(1, limit=50.0)):
            raise LookupError("mine")

    outcome, _ = tell(story)

    assert isinstance(outcome.error, LookupError)
    assert [order.state for order in outcome.orders] == [OrderState.CANCELLED]


def test_what_follows_a_block_that_a_deadline_ended_isnt_reached() -> None:
    async def story(teller: Teller) -> None:
        with trio.move_on_after(2) as scope:
            async with teller.working(teller.buy_nowait(1, limit=50.0)):
                await trio.sleep_forever()
            teller.told.append("went on")  # type: ignore[unreachable]  # if the block swallowed its cancellation
        with trio.move_on_after(2) as another:
            async with teller.long(1):
                await trio.sleep_forever()
            teller.told.append("went on")
        teller.told.append((scope.cancelled_caught, another.cancelled_caught))

    outcome, teller = tell(story)

    assert_flat(outcome.check(), BUY, SELL)
    assert teller.told == [(True, True)]


def test_working_orders_whose_cancel_isnt_answered_are_told() -> None:
    async def story(teller: Teller) -> None:
        async with teller.working(teller.buy_nowait(1, limit=50.0)):
            await trio.sleep(1)

    outcome, _ = tell(story, latency=100)

    with pytest.raises(StrategykitError, match="still undecided 30 s after their cancel"):
        outcome.check()


# Freshness


@pytest.mark.parametrize(("within", "ends"), [(1.5, 4.5), (3.5, None)])
def test_a_fresh_block_is_cancelled_by_silence_only(within: float, ends: float | None) -> None:
    """Quotes at 0, 1, 2, 3 and then 6 s."""

    async def story(teller: Teller) -> None:
        async with teller.fresh(teller.quotes, within=within) as freshness:
            await trio.sleep(6.5)
        teller.told.extend((freshness.stale, teller.seconds()))

    quotes = make_quotes("X", [100.0] * 10, spread=0.5)
    outcome, teller = tell(story, [*quotes[:4], *quotes[6:]])

    outcome.check()
    assert teller.told == ([True, ends] if ends is not None else [False, 6.5])


def test_orders_dont_outlive_the_freshness_of_their_book() -> None:
    async def story(teller: Teller) -> None:
        async with teller.fresh(teller.quotes, within=2), teller.working(teller.buy_nowait(1, limit=50.0)):
            await trio.sleep_forever()
        teller.told.append(teller.seconds())

    quotes = make_quotes("X", [100.0] * 20, spread=0.5)
    outcome, teller = tell(story, [*quotes[:4], *quotes[15:]])

    assert [order.state for order in outcome.check().orders] == [OrderState.CANCELLED]
    assert teller.told == [5]


# Orders by themselves


def test_a_stop_of_time_ends_a_wait_for_a_fill_and_the_order_is_cancelled() -> None:
    async def story(teller: Teller) -> None:
        order = await teller.buy(1, limit=50.0)
        with trio.move_on_after(7.25) as scope:
            await order.filled()
        teller.told.extend((scope.cancelled_caught, teller.seconds(), await order.cancel()))

    outcome, teller = tell(story)

    assert_flat(outcome.check())
    assert teller.told == [True, 7.25, OrderState.CANCELLED]


def test_fills_are_told_whenever_one_begins_to_listen() -> None:
    async def story(teller: Teller) -> None:
        order = await teller.buy(3)
        await order.filled()
        teller.told.extend([fill.quantity async for fill in order.fills()])
        teller.told.append(order.average_price)
        await teller.sell(3)

    outcome, teller = tell(story)

    assert_flat(outcome.check(), BUY, SELL)
    assert teller.told == [3, Decimal("100.5")]


def test_an_order_that_ends_unfilled_says_so_to_who_waits_for_its_fill() -> None:
    async def story(teller: Teller) -> None:
        order = await teller.buy(2, limit=Decimal("50.25"))
        order.cancel_nowait()
        with pytest.raises(OrderEnded, match="ended cancelled with 0 of 2 lots filled"):
            await order.filled()
        teller.told.extend((await order.ended(), await order.known(), await order.cancel(), repr(order)))
        with pytest.raises(OrderRefused):
            await order.amend(limit=51.0)
        with pytest.raises(OrderRefused):
            await teller.sell(10_000_000, limit=100.0)

    outcome, teller = tell(story, limits=NO_PLAN)

    outcome.check()
    assert teller.told[:3] == [OrderState.CANCELLED] * 3
    assert "buy 2 X at 50.25: cancelled, 0 filled>" in str(teller.told[3])


def test_an_amended_order_goes_on_under_its_new_terms() -> None:
    async def story(teller: Teller) -> None:
        order = await teller.buy(2, limit=50.0)
        teller.told.append(await order.amend(limit=60.0, quantity=3))
        teller.told.append((order.request.price, order.quantity))
        await order.amend(limit=150.0)
        await order.filled()
        await teller.sell(3)

    outcome, teller = tell(story)

    assert_flat(outcome.check(), BUY, SELL)
    assert teller.told == [OrderState.WORKING, (60, 3)]
