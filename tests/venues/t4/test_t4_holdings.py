"""Accounts: positions, money, and what becomes of a refused one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from strategykit.errors import RemoteProtocolError
from strategykit.model.events import AccountUpdate, PositionUpdate
from strategykit.venues.asks import AskInstrument, AskOrders
from strategykit.venues.dialect import Answer, Refusal
from strategykit.venues.subscriptions import SubscriptionState
from strategykit.venues.t4.proto import account_pb2 as account
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto import market_pb2 as market
from strategykit.venues.t4.proto.price_pb2 import Decimal as DecimalText
from strategykit.venues.t4.proto.price_pb2 import Price

ES = "CME_Eq/ES/XCME_Eq ES (Z26)"
PLACE: dict[str, Any] = {
    "account_id": "SIM-1",
    "exchange_id": "CME_Eq",
    "contract_id": "ES",
    "market_id": "XCME_Eq ES (Z26)",
}
Part = account.AccountSnapshotMessage


def position(**fields: Any) -> Any:
    return account.AccountPosition(**{**PLACE, "buys": 5, "sells": 2, **fields})


def test_what_is_held_is_buys_less_sells(bench: Any) -> None:
    bench.want("positions")

    (update,) = bench.hear(account_position=position(average_open_price=Price(value="5954.125")))

    assert isinstance(update, PositionUpdate)
    assert (update.instrument, update.quantity, update.average_price) == (ES, Decimal(3), Decimal("5954.125"))
    assert (update.open_pnl, update.day_pnl, update.account, update.snapshot) == (None, None, "SIM-1", False)


def test_profits_are_put_beside_the_position_and_keep_what_isnt_said(bench: Any) -> None:
    bench.want("positions")
    profit = account.AccountPositionProfit(**PLACE, upl=12.1, day_upl=12.1, day_rpl=-2.1)

    assert bench.hear(account_position_profit=profit) == [], "nothing is known of what is held"
    (update,) = bench.hear(account_position=position())
    assert (update.open_pnl, update.day_pnl) == (Decimal("12.1"), Decimal("10.0"))
    (update,) = bench.hear(account_position_profit=account.AccountPositionProfit(**PLACE, upl=0.1))
    assert (update.open_pnl, update.day_pnl) == (Decimal("0.1"), Decimal("10.0"))
    (update,) = bench.hear(account_position_profit=account.AccountPositionProfit(**PLACE, day_upl=1, day_rpl=1))
    assert (update.open_pnl, update.day_pnl) == (Decimal("0.1"), Decimal("2.0"))


def test_money_is_told_as_far_as_the_venue_says_it(bench: Any) -> None:
    bench.want("summary")
    balance = account.AccountUpdate(
        account_id="SIM-1",
        status=enums.ACCOUNT_STATUS_OK,
        balance=1_000_000.1,
        rpl=-3.5,
        margin=120.0,
        fees_and_commissions=2.4,
    )

    assert bench.hear(account_profit=account.AccountProfit(account_id="SIM-1", available_cash=5.0)) == []
    (update,) = bench.hear(account_update=balance)
    assert isinstance(update, AccountUpdate)
    assert (update.cash, update.initial_margin, update.fees) == (Decimal("1000000.1"), Decimal(120), Decimal("2.4"))
    assert (update.equity, update.profit, update.buying_power) == (None, None, Decimal(5))
    assert (update.source, update.status) == ("summary", "ok")
    (update,) = bench.hear(account_profit=account.AccountProfit(account_id="SIM-1", upl=10.0))
    assert (update.profit, update.buying_power) == (Decimal("6.5"), Decimal(5))
    (update,) = bench.hear(
        account_profit=account.AccountProfit(account_id="SIM-1", rpl=1.0, update_time={"seconds": 9})
    )
    assert (update.profit, update.event_time) == (Decimal(11), 9 * 10**9)


def test_a_snapshot_begins_an_account_and_answers_who_asked(bench: Any, tell: Any) -> None:
    bench.want_account()
    definition = market.MarketDetails(
        **{name: value for name, value in PLACE.items() if name != "account_id"},
        min_price_increment=Price(value="0.25"),
        point_value=DecimalText(value="50"),
    )
    bad = market.MarketDetails(market_id="X")
    orders = {"market_id": "M", "account_id": "SIM-1", "updates": [{"order_update": tell("whole", "TRADE", "WORKING")}]}
    parts = [
        Part(account_details=account.AccountDetails(account_id="SIM-1")),
        Part(account_update=account.AccountUpdate(account_id="SIM-1", balance=7.0)),
        Part(account_currency=account.AccountCurrency(currency="USD")),
        Part(market_details=bad),
        Part(market_details=definition),
        Part(account_position=position()),
        Part(order_update_multi=orders),
    ]

    found = bench.hear(account_snapshot=account.AccountSnapshot(account_id="SIM-1", messages=parts))

    assert [type(thing).__name__ for thing in found] == [
        "Answer",
        "AccountUpdate",
        "PositionUpdate",
        "OrderUpdate",
        "Reply",
        "Answer",
    ]
    assert found[2].snapshot
    assert (found[0].kind, found[0].of) == (AskInstrument, ES)
    assert (found[-1].kind, found[-1].of) == (AskOrders, "SIM-1")
    assert [row.instrument for row in found[-1].rows] == [ES], "its definition named the market"
    assert bench.states() == {SubscriptionState.ACTIVE}


def test_an_account_whose_orders_nobody_wants_has_no_answer(bench: Any) -> None:
    bench.want("positions")

    assert bench.hear(account_snapshot=account.AccountSnapshot(account_id="SIM-1")) == []
    assert bench.hear(account_snapshot=account.AccountSnapshot(account_id="SIM-9")) == []


def test_what_comes_by_another_connection_answers_nobody(bench: Any) -> None:
    bench.want("orders")
    snapshot = account.AccountSnapshot(account_id="SIM-1")
    from strategykit.venues.t4.proto.service_pb2 import ServerMessage

    frame = ServerMessage(account_snapshot=snapshot).SerializeToString()

    assert not [thing for thing in bench.hear_frame(frame, connection="other-0") if isinstance(thing, Answer)]


def test_positions_and_money_begin_anew_after_a_reconnect(bench: Any) -> None:
    bench.want("positions")
    bench.want("summary")
    bench.hear(account_position=position())
    bench.hear(account_update=account.AccountUpdate(account_id="SIM-1", balance=7.0))
    bench.table.lost("session-0", bench.now, "gone")
    for row in bench.table:
        bench.table.asked(row.guid)

    found = [
        *bench.hear(account_position_profit=account.AccountPositionProfit(**PLACE, upl=1.0)),
        *bench.hear(account_profit=account.AccountProfit(account_id="SIM-1", upl=1.0)),
    ]

    assert {type(thing).__name__ for thing in found} == {"Gap"}


@pytest.mark.parametrize(
    ("response", "refused"),
    [
        ({"success": True}, []),
        ({"success": False, "errors": ["account 'SIM-2' isn't yours"]}, ["g2"]),
        ({"success": True, "errors": ["account 'SIM-1' isn't yours"]}, ["g1"]),
        ({"success": False}, ["g1", "g2"]),
        ({"success": False, "errors": ["no"]}, ["g1", "g2"]),
    ],
)
def test_a_refused_account_refuses_its_streams(bench: Any, response: dict[str, Any], refused: list[str]) -> None:
    bench.want("orders")
    bench.want("orders", account="SIM-2")
    bench.want("quotes")

    found = bench.hear(account_subscribe_response=account.AccountSubscribeResponse(**response))

    assert [thing.guid for thing in found] == refused
    assert all(isinstance(thing, Refusal) and thing.code == 3000 for thing in found)


def test_amounts_that_are_no_numbers_are_unreadable(bench: Any) -> None:
    bench.want("summary")

    with pytest.raises(RemoteProtocolError, match="an amount of nan"):
        bench.hear(account_update=account.AccountUpdate(account_id="SIM-1", balance=float("nan")))
