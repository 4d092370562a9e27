"""Accounts: what a subscription begins with, and what every fill changes."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from strategykit.sim.fees import FeeModel
from strategykit.venues.t4.proto import account_pb2 as account
from strategykit.venues.t4.proto import enums_pb2 as enums

if TYPE_CHECKING:
    from collections.abc import Callable

    from strategykit.venues.t4.proto import orderrouting_pb2 as routing
    from tests.sim_server.t4.conftest import Floor

    MakeTicket = Callable[..., routing.OrderSubmit.Order]

ES = "XCME_Eq ES (Z26)"


def only(heard: list[tuple[str, Any]], name: str) -> Any:
    [found] = [message for payload, message in heard if payload == name]
    return found


def test_a_subscription_is_confirmed_and_begins_with_a_snapshot_of_each_account(floor: Floor) -> None:
    heard = floor.enter().open_account()

    assert [name for name, _ in heard] == ["account_subscribe_response", "account_snapshot", "account_snapshot"]
    assert heard[0][1].success
    for name, (_, snapshot) in zip(("SIM-1", "SIM-2"), heard[1:], strict=True):
        assert snapshot.account_id == name
        parts = [each.WhichOneof("payload") for each in snapshot.messages]
        assert parts == ["account_details", "account_update", "account_currency"]
        assert snapshot.messages[0].account_details.max_clip_size == 1000
        assert snapshot.messages[1].account_update.balance == 1_000_000
        assert snapshot.messages[2].account_currency.currency == "USD"


def test_accounts_of_others_are_refused_and_ones_own_are_given(floor: Floor) -> None:
    heard = floor.enter().open_account("SIM-2", "OTHER")

    assert not heard[0][1].success
    assert "OTHER" in heard[0][1].errors[0]
    assert [message.account_id for name, message in heard[1:]] == ["SIM-2"]


def test_a_kind_of_subscription_that_is_unknown_is_refused(floor: Floor) -> None:
    client = floor.enter()

    [(_, answer)] = client.say(account_subscribe=account.AccountSubscribe(subscribe=1, subscribe_all_accounts=True))  # type: ignore[arg-type]  # no such value

    assert not answer.success
    assert client.session.accounts == {}


def test_a_fill_moves_position_and_money(make_floor: Callable[..., Floor], ticket: MakeTicket) -> None:
    floor = make_floor(fees=FeeModel(taker_per_lot=Decimal(2)))
    trader = floor.trader()
    bid, offer = floor.best()

    trader.order(ticket("BUY", 3))
    heard = trader.say(order_submit=only_submission(ticket("SELL", 2)))

    position, money = only(heard, "account_position"), only(heard, "account_update")
    assert (position.buys, position.sells, position.total_open_volume) == (3, 2, 1)
    assert Decimal(position.average_open_price.value) == offer
    assert Decimal(position.total_buy_fill_price.value) == 3 * offer
    loss = float((bid - offer) * 2 * 50)
    assert (position.rpl, money.rpl, position.fees_and_commissions) == (loss, loss, 10)
    assert money.balance == 1_000_000 - 10, "fees leave the balance, profit is told apart"
    assert money.margin == position.margin > 0


def only_submission(order: routing.OrderSubmit.Order, **fields: Any) -> Any:
    from strategykit.venues.t4.proto.orderrouting_pb2 import OrderSubmit

    return OrderSubmit(account_id="SIM-1", market_id=ES, orders=[order], **fields)


def test_working_orders_show_in_the_position_and_the_definition_comes_first(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()

    heard = trader.say(order_submit=only_submission(ticket("SELL", 4, limit_price="6010")))

    names = [name for name, _ in heard]
    assert names.index("market_details") < names.index("account_position")
    position = only(heard, "account_position")
    assert (position.working_buys, position.working_sells, position.buys) == (0, 4, 0)


def test_profits_are_pushed_to_those_who_asked(floor: Floor, ticket: MakeTicket) -> None:
    trader, quiet = floor.enter(), floor.trader(app_name="quiet")
    heard = trader.open_account("SIM-1", profit=True)
    assert only(heard, "account_profit").available_cash == 1_000_000
    quiet.heard()

    heard = trader.say(order_submit=only_submission(ticket("BUY", 2)))
    profit, position = only(heard, "account_profit"), only(heard, "account_position_profit")
    assert (profit.upl, profit.total_working_orders) == (0, 0)
    assert (position.net, position.has_data) == (2, True)
    assert profit.available_cash < 1_000_000
    assert not [name for name, _ in quiet.heard() if "profit" in name]
    other = floor.trader(app_name="mover")
    other.order(ticket("SELL", 1), account_id="SIM-2")
    floor.later(1)
    [moved] = trader.heard_of("account_profit")
    assert moved.upl < 0
    floor.later(1)
    assert trader.heard_of("account_profit") == [], "nothing has changed"
    floor.venue.close_session(trader.session, floor.now)
    assert floor.venue._accounts._profits == {}


def test_a_later_snapshot_holds_positions_and_orders(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    trader.order(ticket("BUY", 2, tag="filled"), ticket("SELL", 1, limit_price="6010", tag="works"))
    late = floor.enter(app_name="late")

    snapshot = only(late.open_account("SIM-1"), "account_snapshot")

    parts = {each.WhichOneof("payload"): each for each in snapshot.messages}
    assert parts["account_position"].account_position.buys == 2
    carrier = parts["order_update_multi"].order_update_multi
    orders = {each.order_update.tag: each.order_update for each in carrier.updates}
    assert carrier.historical
    assert orders["works"].status == enums.ORDER_STATUS_WORKING
    assert sum(trade.volume for trade in orders["filled"].trades) == orders["filled"].total_fill_volume == 2
    assert "market_details" in parts
    assert [name for name, _ in late.subscribe()] == ["market_snapshot"], "the definition came with the account"


def test_unsubscribing_ends_news_and_the_right_to_trade(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    order = trader.order(ticket("BUY", 1, limit_price="5900"))[0].unique_id

    [(name, answer)] = trader.say(account_subscribe=account.AccountSubscribe(account_id=["SIM-1"]))
    assert (name, answer.success) == ("account_subscribe_response", True)
    assert trader.order(ticket())[0].change == enums.ORDER_CHANGE_SUBMISSION_RISK_REJECTED
    assert trader.pull(order)[0].change == enums.ORDER_CHANGE_PULL_FAILED
    assert list(trader.session.accounts) == ["SIM-2"]
    trader.say(account_subscribe=account.AccountSubscribe())
    assert trader.session.accounts == {}
