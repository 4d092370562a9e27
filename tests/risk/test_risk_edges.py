"""Each limit of a strategy, and of the account: what comes up to it is sent, and what is one more isn't."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, getcontext, localcontext
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from strategykit.errors import OrderRefused, RiskLimit
from strategykit.model.events import OrderStatus, Side
from strategykit.model.orders import OrderState
from strategykit.model.risk_limits import NO_PLAN, RiskPlan

if TYPE_CHECKING:
    from tests.risk.conftest import Rig

Narrow = Callable[..., "Rig"]
SECOND = 1_000_000_000

scopes = pytest.mark.parametrize("scope", ["strategy a", "account"])


@scopes
@pytest.mark.parametrize("limit", [None, "100"])
def test_the_size_of_an_order(narrow: Narrow, scope: str, limit: str | None) -> None:
    rig = narrow(scope, max_order_quantity=5)

    rig.buy(5, limit)
    refusal = rig.refuses(lambda: rig.buy(6, limit), "max_order_quantity", scope)

    assert (refusal.value, refusal.allowed) == (6, 5)
    where = "[risk]" if scope == "account" else "[risk.strategy]"
    assert str(refusal) == (
        f"{scope}: 6 lots of X in one order, more than max_order_quantity = 5; raise it in {where} of the session file"
    )


@scopes
@pytest.mark.parametrize(
    ("side", "limit", "stop", "price"),
    [
        (Side.BUY, "100", None, 50),
        (Side.BUY, None, None, 100),
        (Side.SELL, "100", None, 50),
        (Side.SELL, "1", None, 100),  # It gets the last price.
        (Side.SELL, None, None, 100),
        (Side.BUY, None, "100", 50),
        (Side.SELL, None, "100", 150),
        (Side.BUY, "100", "90", 80),
        (Side.BUY, "100", None, None),
        (Side.BUY, "-100", None, 50),  # Spreads and storage have such prices.
    ],
)
def test_the_worth_of_an_order(
    narrow: Narrow, scope: str, side: Side, limit: str | None, stop: str | None, price: float | None
) -> None:
    rig = narrow(scope, max_order_notional=Decimal(1000), price=price)

    rig.place(side, 10, limit, stop=stop)
    refusal = rig.refuses(lambda: rig.place(side, 11, limit, stop=stop), "max_order_notional", scope)

    assert (refusal.value, refusal.allowed) == (1100, 1000)
    assert "an order of X worth 1,100.00 RUB" in str(refusal)


def test_lots_and_multipliers_are_part_of_the_worth(narrow: Narrow) -> None:
    rig = narrow("account", max_order_notional=Decimal(2000))

    rig.buy(1, "100", symbol="LOT")
    refusal = rig.refuses(lambda: rig.buy(1, "100.01", symbol="LOT"), "max_order_notional", "account")

    assert refusal.value == Decimal("2000.2")
    assert "USD" in str(refusal)


def test_a_market_order_whose_worth_nobody_knows_is_held_against_the_other_limits(narrow: Narrow) -> None:
    rig = narrow("account", max_order_notional=Decimal(1), max_position=5, price=None)

    rig.buy(5)
    rig.refuses(lambda: rig.buy(1), "max_position", "account")


@scopes
@pytest.mark.parametrize(
    ("side", "last", "good", "bad", "part"),
    [
        (Side.BUY, 100, "110", "110.01", "0.1001"),
        (Side.SELL, 100, "90", "89.99", "0.1001"),
        (Side.BUY, -100, "-90", "-89.99", "0.1001"),
        (Side.SELL, -100, "-110", "-110.01", "0.1001"),
        # Ten ticks are always allowed, however little they are.
        (Side.BUY, "0.05", "0.15", "0.16", "2.2"),
        (Side.BUY, 0, "0.10", "0.11", "Infinity"),
    ],
)
def test_the_collar_around_the_last_price(
    narrow: Narrow, scope: str, side: Side, last: float | str, good: str, bad: str, part: str
) -> None:
    rig = narrow(scope, price_collar=Decimal("0.1"))
    rig.prices["X"] = Decimal(str(last))

    rig.place(side, 1, good)
    refusal = rig.refuses(lambda: rig.place(side, 1, bad), "price_collar", scope)

    assert (refusal.value, refusal.allowed) == (Decimal(part), Decimal("0.1"))
    assert f"beyond the last price {last}" in str(refusal)


@scopes
def test_the_collar_around_a_trigger(narrow: Narrow, scope: str) -> None:
    rig = narrow(scope, price_collar=Decimal("0.1"))

    rig.buy(1, "220", stop="200")
    refusal = rig.refuses(lambda: rig.buy(1, "220.1", stop="200"), "price_collar", scope)

    assert "a buy of X at 220.1, 10.05% beyond its trigger 200" in str(refusal)


def test_what_crosses_nothing_has_no_collar(narrow: Narrow) -> None:
    rig = narrow("account", price_collar=Decimal("0.1"))
    rig.buy(1, "0.01")
    rig.sell(1, "1000000")
    rig.buy(1)
    rig.buy(1, stop="500")
    rig.prices["X"] = None

    rig.buy(1, "1000000")

    assert rig.placed() == 5


@scopes
def test_how_many_orders_are_open(narrow: Narrow, scope: str) -> None:
    rig = narrow(scope, max_open_orders=3)
    first = rig.buy(1, "100")
    rig.sell(1, "101", symbol="Y")
    third = rig.buy(2, "99", of="a" if scope == "strategy a" else "b")

    refusal = rig.refuses(lambda: rig.buy(1, "98"), "max_open_orders", scope)
    assert (refusal.value, refusal.allowed) == (4, 3)

    rig.fill(third, 1)
    rig.refuses(lambda: rig.buy(1, "98"), "max_open_orders", scope)
    rig.end(first)
    rig.buy(1, "98")
    rig.refuses(lambda: rig.buy(1, "98"), "max_open_orders", scope)
    rig.fill(third)
    rig.buy(1, "97")


def test_orders_of_others_are_open_for_the_account_only(narrow: Narrow) -> None:
    rig = narrow("strategy a", max_open_orders=1)

    rig.buy(1, "100", of="b")
    rig.buy(1, "100", of="a")
    rig.refuses(lambda: rig.buy(1, "100"), "max_open_orders", "strategy a")


def test_an_order_in_doubt_is_open(narrow: Narrow) -> None:
    rig = narrow("account", max_open_orders=1)
    order = rig.buy(1, "100")

    rig.gateway.lane_changed(up=False, reason="broken")
    rig.gateway.lane_changed(up=True, reason="")

    assert order.state.doubtful
    rig.refuses(lambda: rig.buy(1, "100"), "max_open_orders", "account")


def test_an_order_that_the_venue_refused_isnt_open(narrow: Narrow) -> None:
    rig = narrow("account", max_open_orders=1, max_position=5)
    order = rig.gateway.submit("a", "X", Side.BUY, 5, limit=Decimal(100))
    rig.answer(rig.sent[-1], order, ok=False)

    assert order.state is OrderState.REJECTED
    rig.buy(5, "100")


@scopes
def test_how_many_orders_come_within_a_second(narrow: Narrow, scope: str) -> None:
    rig = narrow(scope, max_order_rate=3)
    other = "a" if scope == "strategy a" else "b"
    order = rig.buy(1, "100")
    rig.time += SECOND // 2
    rig.buy(1, "100", of=other, symbol="Y")
    rig.amend(order, limit="99")  # An amend is as good as an order.

    refusal = rig.refuses(lambda: rig.buy(1, "100"), "max_order_rate", scope)
    assert (refusal.value, refusal.allowed) == (4, 3)
    rig.time += SECOND // 2 - 1
    rig.refuses(lambda: rig.buy(1, "100"), "max_order_rate", scope)
    rig.time += 1
    rig.buy(1, "100")
    rig.refuses(lambda: rig.buy(1, "100"), "max_order_rate", scope)


def test_what_was_refused_wasnt_sent_and_doesnt_count(narrow: Narrow) -> None:
    rig = narrow("account", max_order_rate=2, max_repeats=2, max_order_quantity=1)
    for _ in range(10):
        rig.refuses(lambda: rig.buy(2, "100"), "max_order_quantity", "account")

    rig.buy(1, "100")
    rig.buy(1, "100")


def test_cancels_are_never_limited(narrow: Narrow) -> None:
    rig = narrow("account", max_order_rate=5, max_open_orders=5, max_repeats=5, max_daily_loss=Decimal(1))
    orders = [rig.buy(1, "100") for _ in range(5)]
    rig.prices["X"] = Decimal(1)
    rig.fill(orders[0])

    for order in orders[1:]:
        order.cancel_nowait()

    assert {order.state for order in orders[1:]} == {OrderState.CANCEL_SENT}


@scopes
def test_the_same_order_again_and_again(narrow: Narrow, scope: str) -> None:
    rig = narrow(scope, max_repeats=2, repeat_window=10 * SECOND)
    other = "a" if scope == "strategy a" else "b"
    first = rig.buy(1, "100")
    rig.time += 4 * SECOND
    rig.buy(1, "100", of=other)

    refusal = rig.refuses(lambda: rig.buy(1, "100"), "max_repeats", scope)
    assert (refusal.value, refusal.allowed) == (3, 2)
    assert "the same order 3 times within 10 s without a fill" in str(refusal)

    # Anything else about it makes it another one.
    rig.buy(1, "100", symbol="Y")
    rig.sell(1, "100")
    rig.buy(2, "100")
    rig.buy(1, "99.99")
    rig.buy(1)
    rig.buy(1, stop="110")
    rig.buy(1, "111", stop="110")

    rig.time += 6 * SECOND - 1
    rig.refuses(lambda: rig.buy(1, "100"), "max_repeats", scope)
    rig.time += 1
    rig.buy(1, "100")
    rig.refuses(lambda: rig.buy(1, "100"), "max_repeats", scope)

    rig.fill(first)
    rig.buy(1, "100")
    rig.buy(1, "100")
    rig.refuses(lambda: rig.buy(1, "100"), "max_repeats", scope)


@scopes
@pytest.mark.parametrize("sign", [1, -1])
def test_the_position_with_all_that_works(narrow: Narrow, scope: str, sign: int) -> None:
    rig = narrow(scope, max_position=10)
    side, back = (Side.BUY, Side.SELL) if sign > 0 else (Side.SELL, Side.BUY)
    other = "a" if scope == "strategy a" else "b"
    rig.hold(4 * sign)
    working = rig.place(side, 5, "100", of=other)
    rig.place(back, 4, "100")  # It closes, but nobody knows whether it will be filled.

    rig.place(side, 1, "100")
    refusal = rig.refuses(lambda: rig.place(side, 1, "100"), "max_position", scope)

    assert (refusal.value, refusal.allowed) == (11, 10)
    assert f"11 lots of X {'long' if sign > 0 else 'short'}, if all is filled" in str(refusal)
    rig.place(side, 10, "100", symbol="Y")
    rig.fill(working, 3)
    rig.refuses(lambda: rig.place(side, 1, "100"), "max_position", scope)
    rig.end(working)
    rig.place(side, 2, "100")
    rig.refuses(lambda: rig.place(side, 1, "100"), "max_position", scope)


@scopes
def test_a_position_may_be_turned_round_as_far_as_the_limit(narrow: Narrow, scope: str) -> None:
    rig = narrow(scope, max_position=10)
    rig.hold(10)

    rig.refuses(lambda: rig.sell(21, "100"), "max_position", scope)
    rig.fill(rig.sell(20, "100"))

    rig.refuses(lambda: rig.sell(1, "100"), "max_position", scope)
    rig.buy(10, "100")


@scopes
def test_single_instruments_may_have_a_limit_of_their_own(narrow: Narrow, scope: str) -> None:
    rig = narrow(scope, max_position=10, max_position_of={"Y": 2, "LOT": 0})

    rig.buy(10)
    rig.buy(2, symbol="Y")
    refusal = rig.refuses(lambda: rig.buy(1, symbol="Y"), "max_position", scope)
    assert (refusal.value, refusal.allowed) == (3, 2)
    rig.refuses(lambda: rig.sell(1, symbol="LOT"), "max_position", scope)


def test_one_strategys_short_makes_no_room_for_anothers_long(narrow: Narrow) -> None:
    """It may be closed at any time, and closing is never refused."""
    rig = narrow("account", max_position=10)
    rig.hold(10, of="a")
    rig.hold(-10, of="b")

    rig.refuses(lambda: rig.buy(1, of="a"), "max_position", "account")
    rig.refuses(lambda: rig.sell(1, of="b"), "max_position", "account")
    rig.hold(10, of="b")
    rig.refuses(lambda: rig.buy(1, of="b"), "max_position", "account")
    rig.hold(-10, of="a")
    rig.buy(10, of="b")


@scopes
@pytest.mark.parametrize("fee", [None, "20"])
def test_the_loss_of_a_day(narrow: Narrow, scope: str, fee: str | None) -> None:
    rig = narrow(scope, max_daily_loss=Decimal(120))
    rig.fill(rig.buy(10), price=100, fee=fee)  # Open: 10 lots, worth 10 less for each point.
    floor = Decimal(88) if fee is None else Decimal(90)
    rig.prices["X"] = floor

    rig.buy(1, "1")
    rig.prices["X"] = floor - Decimal("0.01")
    refusal = rig.refuses(lambda: rig.buy(1, "1"), "max_daily_loss", scope)

    assert (refusal.value, refusal.allowed) == (Decimal("120.1"), 120)
    assert f"{scope}: nothing is opened any more today, as it has lost 120.10 RUB, more than max_daily_loss" in str(
        refusal
    )
    rig.prices["X"] = Decimal(500)  # Latched: who was that wrong doesn't open anything more today.
    rig.refuses(lambda: rig.sell(11), "max_daily_loss", scope)
    rig.refuses(lambda: rig.buy(1, symbol="Y"), "max_daily_loss", scope)
    rig.fill(rig.sell(10))
    rig.refuses(lambda: rig.buy(1), "max_daily_loss", scope)


def test_losses_that_were_realised_count(narrow: Narrow) -> None:
    rig = narrow("strategy a", max_daily_loss=Decimal(100))
    rig.hold(5, 100)
    rig.hold(-5, 80)

    rig.buy(1, "1")
    rig.hold(1, 100)
    rig.prices["X"] = Decimal("99.99")
    rig.refuses(lambda: rig.buy(1, "1"), "max_daily_loss", "strategy a")


def test_the_account_loses_what_its_strategies_lose(narrow: Narrow) -> None:
    rig = narrow("account", max_daily_loss=Decimal(100))
    rig.hold(5, 100, of="a")
    rig.hold(-5, 80, of="b")
    rig.prices["X"] = Decimal(90)

    rig.buy(1, "1", of="a")
    rig.hold(1, 100, symbol="Y", of="b")
    rig.prices["Y"] = Decimal("99.99")
    for ask in (lambda: rig.buy(1, "1", of="a"), lambda: rig.sell(1, "200", of="b")):
        assert "has lost 100.01 RUB" in str(rig.refuses(ask, "max_daily_loss", "account"))


def test_the_account_notices_what_its_only_strategy_goes_on_to_lose(open_rig: Callable[..., Rig]) -> None:
    mine, all_of_it = (attrs.evolve(NO_PLAN.strategy, max_daily_loss=Decimal(lots)) for lots in (100, 200))
    rig = open_rig(RiskPlan(account=all_of_it, strategy=mine))
    rig.hold(10, 100)
    for price, who in ((90, []), (89, ["strategy a"]), (80, ["strategy a"]), (79, ["strategy a", "account"])):
        rig.prices["X"] = Decimal(price)
        rig.risk.judge("a", rig.time)

        assert [note.removeprefix("risk: ").partition(" has lost ")[0] for note in rig.notes] == who


def test_what_one_strategy_loses_is_no_other_ones_loss(narrow: Narrow) -> None:
    rig = narrow("strategy a", max_daily_loss=Decimal(100))
    rig.hold(5, 100)
    rig.prices["X"] = Decimal(1)

    rig.refuses(lambda: rig.buy(1, "1"), "max_daily_loss", "strategy a")
    rig.buy(1, "1", of="b")


def test_each_currency_is_counted_by_itself(narrow: Narrow) -> None:
    rig = narrow("strategy a", max_daily_loss=Decimal(100))
    rig.fill(rig.buy(1, symbol="LOT"), price=100, fee=50, currency="RUB")
    rig.fill(rig.buy(1), price=100, fee=50, currency="RUB")
    rig.prices["LOT"] = Decimal(95)  # 100 USD less.

    rig.buy(1, "1")
    rig.prices["LOT"] = Decimal("94.99")
    refusal = rig.refuses(lambda: rig.buy(1, "1"), "max_daily_loss", "strategy a")
    assert "lost 100.20 USD" in str(refusal)


def test_where_nobody_tells_a_price_the_last_fill_does(narrow: Narrow) -> None:
    rig = narrow("strategy a", max_daily_loss=Decimal(100), price=None)
    rig.hold(10, 100)
    rig.hold(1, 91)

    rig.buy(1, "1")
    rig.hold(1, 89)
    rig.refuses(lambda: rig.buy(1, "1"), "max_daily_loss", "strategy a")


def test_a_change_of_size_is_held_against_the_limits(narrow: Narrow) -> None:
    rig = narrow("account", max_order_quantity=5, max_order_notional=Decimal(400))
    order = rig.buy(1, "50")

    rig.refuses(lambda: rig.amend(order, lots=6), "max_order_quantity", "account")
    rig.refuses(lambda: rig.amend(order, lots=5, limit="80.01"), "max_order_notional", "account")
    assert order.amending is None
    rig.answer(rig.amend(order, lots=5, limit="80"), order)

    assert (order.request.price, order.remaining) == (Decimal(80), Decimal(5))


def test_a_change_of_price_has_a_collar(narrow: Narrow) -> None:
    rig = narrow("strategy a", price_collar=Decimal("0.1"))
    order = rig.buy(1, "50")

    rig.refuses(lambda: rig.amend(order, limit="110.01"), "price_collar", "strategy a")
    rig.answer(rig.amend(order, limit="110"), order)


@scopes
def test_while_an_amend_is_on_its_way_the_greater_counts(narrow: Narrow, scope: str) -> None:
    rig = narrow(scope, max_position=10)
    order = rig.buy(4, "100")

    rig.refuses(lambda: rig.amend(order, lots=11), "max_position", scope)
    growing = rig.amend(order, lots=9)
    rig.refuses(lambda: rig.buy(2, "100"), "max_position", scope)
    rig.answer(growing, order)
    shrinking = rig.amend(order, lots=3)
    rig.refuses(lambda: rig.buy(2, "100"), "max_position", scope)
    rig.answer(shrinking, order)
    rig.buy(7, "100")
    rig.refuses(lambda: rig.amend(order, lots=4), "max_position", scope)


def test_an_amend_that_is_refused_or_cant_leave_frees_what_it_would_have_taken(narrow: Narrow) -> None:
    rig = narrow("account", max_position=10)
    order = rig.buy(4, "100")
    rig.answer(rig.amend(order, lots=10), order, ok=False)
    rig.buy(6, "100")
    rig.end(rig.gateway.open_orders()[-1])

    rig.up = False
    with pytest.raises(OrderRefused):
        rig.amend(order, lots=10)
    rig.up = True
    rig.buy(6, "100")


def test_fills_that_the_venue_counts_and_hasnt_told_are_still_to_come(narrow: Narrow) -> None:
    rig = narrow("account", max_position=10)
    order = rig.buy(6, "100")
    old = order.venue_order_id or ""
    rig.answer(rig.amend(order, limit="99"), order)
    assert order.venue_order_id != old

    rig.tell(order, OrderStatus.CANCELLED, number=old, filled=2)

    assert order.fills_missing
    rig.refuses(lambda: rig.buy(3, "100"), "max_position", "account")
    rig.end(order)
    rig.refuses(lambda: rig.buy(9, "100"), "max_position", "account")
    rig.buy(8, "100")


@pytest.mark.parametrize("sign", [1, -1])
def test_what_only_closes_is_held_against_the_pace_of_orders_and_nothing_else(narrow: Narrow, sign: int) -> None:
    limits: dict[str, Any] = {
        "max_order_quantity": 5,
        "max_order_notional": Decimal(600),
        "price_collar": Decimal("0.1"),
        "max_open_orders": 5,
        "max_position": 10,
        "max_daily_loss": Decimal(10),
    }
    rig = narrow("strategy a", **limits)
    back = Side.SELL if sign > 0 else Side.BUY
    rig.hold(5 * sign)
    rig.hold(5 * sign)
    others = [rig.place(back, 1, "100", symbol="Y") for _ in range(5)]
    rig.prices["X"] = Decimal(100) - 50 * sign

    rig.refuses(lambda: rig.place(back, 11), "max_daily_loss", "strategy a")
    assert {order.state for order in others} == {OrderState.CANCEL_SENT}
    first = rig.place(back, 9, "0.01" if sign > 0 else "100000")
    # All that works in its direction counts as filled: ten lots are closed once.
    rig.refuses(lambda: rig.place(back, 2), "max_daily_loss", "strategy a")
    rig.place(back, 1)
    rig.refuses(lambda: rig.place(back, 1), "max_daily_loss", "strategy a")
    rig.answer(rig.amend(first, limit="0.02" if sign > 0 else "99999"), first)
    rig.refuses(lambda: rig.amend(first, lots=10), "max_daily_loss", "strategy a")
    rig.end(first)
    rig.place(back, 9)


def test_what_closes_may_come_no_faster_than_what_opens(narrow: Narrow) -> None:
    rig = narrow("strategy a", max_order_rate=2, max_repeats=2, repeat_window=60 * SECOND)
    rig.hold(10)
    rig.sell(1)
    rig.refuses(lambda: rig.sell(1), "max_order_rate", "strategy a")
    rig.time += SECOND
    rig.sell(1)
    rig.time += SECOND
    rig.refuses(lambda: rig.sell(1), "max_repeats", "strategy a")


def test_a_loss_beyond_the_limit_withdraws_what_opens_and_nothing_that_closes(narrow: Narrow) -> None:
    rig = narrow("strategy a", max_daily_loss=Decimal(100))
    rig.hold(10)
    closing = [rig.sell(4, "120"), rig.sell(2, "130")]
    opening = [rig.sell(3, "140"), rig.buy(1, "50"), rig.sell(3, "100", symbol="Y")]
    closing.append(rig.sell(4, stop="50"))
    foreign = rig.buy(1, "50", of="b")
    last = rig.buy(2, "90")
    rig.prices["X"] = Decimal(90)

    rig.fill(last, 1, 90)
    assert not rig.notes
    rig.prices["X"] = Decimal("89.99")
    rig.fill(last, 1, 90)

    words = "orders that open are withdrawn, and none is placed until the next day"
    assert rig.notes == [f"risk: strategy a has lost 100.12 RUB today, more than max_daily_loss = 100: {words}"]
    assert {order.state for order in opening} == {OrderState.CANCEL_SENT}
    assert {order.state for order in (*closing, foreign)} == {OrderState.WORKING}


def test_a_loss_of_the_account_withdraws_what_opens_of_every_strategy(narrow: Narrow) -> None:
    rig = narrow("account", max_daily_loss=Decimal(100))
    rig.hold(10)
    orders = [rig.buy(1, "50", of=strategy) for strategy in "ab"]
    rig.prices["X"] = Decimal(80)

    rig.refuses(lambda: rig.buy(1, "50", of="b"), "max_daily_loss", "account")

    assert {order.state for order in orders} == {OrderState.CANCEL_SENT}


def test_a_loss_is_noticed_with_a_thousand_orders_on_their_way(narrow: Narrow) -> None:
    rig = narrow("strategy a", max_daily_loss=Decimal(100))
    rig.hold(10)
    working = [rig.buy(1, "50") for _ in range(500)]
    unanswered = [rig.gateway.submit("a", "X", Side.BUY, 1, limit=Decimal(50)) for _ in range(500)]
    commands = rig.sent[-500:]
    rig.prices["X"] = Decimal(80)
    rig.fill(working[0], price=80)

    assert {order.state for order in working[1:]} == {OrderState.CANCEL_SENT}
    assert all(order.cancel_wanted for order in unanswered)
    for order, command in zip(unanswered, commands, strict=True):
        rig.answer(command, order)
    assert {order.state for order in unanswered} == {OrderState.CANCEL_SENT}
    assert rig.risk.scopes(["a"])[1].hits == {"max_daily_loss": 1}


def test_who_is_told_of_a_withdrawn_order_places_nothing_in_its_stead(narrow: Narrow) -> None:
    """The handler runs in the midst of it all."""
    rig = narrow("strategy a", max_daily_loss=Decimal(100))
    rig.hold(10)
    rig.buy(1, "50")
    refusals: list[RiskLimit] = []

    def again(_: object) -> None:
        refusals.append(rig.refuses(lambda: rig.buy(1, "50"), "max_daily_loss", "strategy a"))

    rig.on_order = again
    rig.prices["X"] = Decimal(80)
    rig.refuses(lambda: rig.buy(1, "50"), "max_daily_loss", "strategy a")

    assert len(refusals) == 1


def test_every_refusal_is_counted(narrow: Narrow) -> None:
    rig = narrow("strategy a", max_order_quantity=5, max_position=7)
    for _ in range(3):
        rig.refuses(lambda: rig.buy(6), "max_order_quantity", "strategy a")
    rig.buy(5)
    rig.refuses(lambda: rig.buy(5), "max_position", "strategy a")

    account, strategy = rig.risk.scopes(["a"])
    assert (account.hits, strategy.hits) == ({}, {"max_order_quantity": 3, "max_position": 1})


def test_a_strategy_that_rounds_its_own_numbers_doesnt_round_ours(narrow: Narrow) -> None:
    rig = narrow("account", max_position=10_000, max_daily_loss=Decimal("1000000.01"))
    rig.hold(9_995)
    with localcontext() as context:
        context.prec = 2
        rig.refuses(lambda: rig.buy(6), "max_position", "account")
        rig.buy(5)
        assert getcontext().prec == 2


def test_a_fill_that_cant_be_changes_nothing(narrow: Narrow) -> None:
    rig = narrow("account", max_position=10)
    order = rig.buy(10)
    before = rig.risk.scopes([])[0].books["X"].quantity
    rig.fill(order, price="NaN", fee="1")

    assert rig.risk.scopes([])[0].books["X"].quantity == before


def test_without_limits_nothing_is_refused(open_rig: Callable[..., Rig]) -> None:
    rig = open_rig(NO_PLAN, price=0)
    for _ in range(1_000):
        rig.buy(10**9, "1e12")

    assert rig.placed() == 1_000
    assert rig.end(rig.buy(1), OrderStatus.EXPIRED).state is OrderState.EXPIRED
