"""Orders: what T4 says of them, whose answer it is, and fills before the answer, after the end, and twice."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from strategykit.errors import RemoteProtocolError
from strategykit.model.events import Fill, OrderStatus, OrderUpdate, Side, VenueError, VenueStatus
from strategykit.model.orders import AmendOrder, CancelOrder
from strategykit.venues.asks import AskOrders
from strategykit.venues.dialect import OrderReply, Reply, Resubscribe
from strategykit.venues.t4.news import OrderNews, OrderTold
from strategykit.venues.t4.order_memory import _KEPT, OrderMemory
from strategykit.venues.t4.proto import account_pb2 as account
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto import orderrouting_pb2 as routing
from strategykit.venues.t4.proto.price_pb2 import Price
from strategykit.venues.t4.proto.service_pb2 import ServerMessage

ES = "CME_Eq/ES/XCME_Eq ES (Z26)"
ES_ID = "XCME_Eq ES (Z26)"
PENDING = {"response_pending": enums.RESPONSE_PENDING_SUBMISSION}
FILL: dict[str, Any] = {"volume": 1, "price": "5950.25", "exchange_trade_id": "t1", "total_fill_volume": 1}


@pytest.fixture
def bench(make_bench: Any) -> Any:
    bench = make_bench()
    bench.want("orders")
    bench.want("fills")
    bench.want("quotes")
    return bench


def working(tell: Any, **fields: Any) -> Any:
    return tell("whole", "SUBMISSION_SUCCESS", "WORKING", **fields)


def kinds(found: list[Any]) -> list[str]:
    return [type(thing).__name__ for thing in found]


def test_an_order_is_answered_when_it_is_known_whether_it_was_accepted(bench: Any, tell: Any) -> None:
    assert bench.hear_orders(tell("whole", "SUBMISSION_RISK_SUCCESS", "NONE", **PENDING)) == []
    assert bench.hear_orders(tell("status", "SUBMISSION_SENT", "NONE", **PENDING)) == []

    update, reply = bench.hear_orders(tell("status", "SUBMISSION_SUCCESS", "WORKING", working_volume=3))

    assert isinstance(update, OrderUpdate)
    assert (update.status, update.side, update.quantity, update.filled) == (
        OrderStatus.WORKING,
        Side.BUY,
        Decimal(3),
        Decimal(0),
    )
    assert (update.instrument, update.client_order_id, update.venue_order_id) == (ES, "run-s-1", "U1")
    assert (update.price, update.stop_price, update.account) == (Decimal("5950.25"), None, "SIM-1")
    assert reply == Reply("run-s-1", 0, "submission success", ok=True, venue_order_id="U1")


@pytest.mark.parametrize(
    ("change", "kind"),
    [("SUBMISSION_RISK_REJECTED", "whole"), ("SUBMISSION_REJECTED", "status"), ("SUBMISSION_FAILED", "failed")],
)
def test_a_refusal_says_no_before_the_order_is_told_of(bench: Any, tell: Any, change: str, kind: str) -> None:
    bench.hear_orders(tell("whole", "SUBMISSION_RISK_SUCCESS", "NONE", **PENDING))
    status = "NO_CHANGE" if kind == "failed" else "REJECTED"

    reply, update = bench.hear_orders(tell(kind, change, status, status_detail="margin"))

    assert isinstance(reply, Reply)
    assert (reply.guid, reply.ok, reply.message) == ("run-s-1", False, "margin")
    assert reply.code == 2000 + enums.OrderChange.Value(f"ORDER_CHANGE_{change}")
    assert (update.status, update.reason) == (OrderStatus.REJECTED, "margin")


def test_a_refusal_without_words_is_told_by_its_change(bench: Any, tell: Any) -> None:
    reply, update = bench.hear_orders(tell("whole", "SUBMISSION_REJECTED", "REJECTED"))

    assert reply.message == update.reason == "submission rejected"


def test_a_held_order_works(bench: Any, tell: Any) -> None:
    update, reply = bench.hear_orders(tell("whole", "SUBMISSION_SUCCESS", "HELD"))

    assert (update.status, reply.ok) == (OrderStatus.WORKING, True)


def test_fills_are_told_before_the_state_that_they_lead_to(bench: Any, tell: Any) -> None:
    bench.hear_orders(working(tell))

    fill, update = bench.hear_orders(tell("trade", "TRADE", "WORKING", working_volume=2, **FILL))

    assert isinstance(fill, Fill)
    assert (fill.trade_id, fill.quantity, fill.price, fill.side) == ("t1", Decimal(1), Decimal("5950.25"), Side.BUY)
    assert (fill.instrument, fill.client_order_id, fill.fee) == (ES, "run-s-1", None)
    assert (update.status, update.filled) == (OrderStatus.WORKING, 1)
    last = {**FILL, "exchange_trade_id": "t2", "volume": 2, "total_fill_volume": 3}
    fill, update = bench.hear_orders(tell("trade", "TRADE_COMPLETED", "FINISHED", **last))
    assert (fill.quantity, update.status) == (2, OrderStatus.FILLED)


def test_a_fill_before_the_answer_is_the_answer(bench: Any, tell: Any) -> None:
    bench.hear_orders(tell("whole", "SUBMISSION_RISK_SUCCESS", "NONE", **PENDING))

    found = bench.hear_orders(tell("trade", "TRADE_COMPLETED", "FINISHED", **{**FILL, "volume": 3}))

    assert kinds(found) == ["Fill", "OrderUpdate", "Reply"]
    assert found[-1].ok


def test_the_same_fill_counts_once_however_often_it_is_told(bench: Any, tell: Any) -> None:
    bench.hear_orders(working(tell))
    trade = tell("trade", "TRADE", "WORKING", **FILL)

    assert kinds(bench.hear_orders(trade)) == ["Fill", "OrderUpdate"]
    assert bench.hear_orders(trade) == []
    again = routing.OrderUpdate.Trade(exchange_trade_id="t1", volume=1, price=Price(value="5950.25"))
    whole = tell("whole", "TRADE", "WORKING", total_fill_volume=1, trades=[again])
    assert bench.hear_orders(whole) == []


def test_a_fill_after_the_cancel_counts_and_doesnt_bring_the_order_back(bench: Any, tell: Any) -> None:
    bench.hear_orders(working(tell))
    late = tell("trade", "TRADE", "WORKING", **FILL)
    bench.hear_orders(tell("status", "PULL_SUCCESS", "FINISHED"))

    fill, update = bench.hear_orders(late)

    assert isinstance(fill, Fill)
    assert (update.status, update.filled) == (OrderStatus.CANCELLED, 1)


def test_fills_without_numbers_are_told_apart_by_their_place(bench: Any, tell: Any) -> None:
    bench.hear_orders(working(tell))
    bare = {**FILL, "exchange_trade_id": ""}

    first, _ = bench.hear_orders(tell("trade", "TRADE", "WORKING", **bare))
    second, _ = bench.hear_orders(tell("trade", "TRADE", "WORKING", **{**bare, "total_fill_volume": 2}))

    assert {first.trade_id, second.trade_id} == {"U1#2", "U1#3"}


def test_a_changed_order_answers_its_change_by_the_tag(bench: Any, tell: Any) -> None:
    bench.hear_orders(working(tell))
    tag = "run-s-1~r-a1"
    bench.hear_orders(tell("status", "REVISION_SENT", "WORKING", tag=tag, response_pending=2))

    reply, update = bench.hear_orders(
        tell("status", "REVISION_SUCCESS", "WORKING", tag=tag, current_volume=5, current_limit_price="5951")
    )

    assert reply == OrderReply("U1", AmendOrder, "run-s-1-a1", 0, "revision success", True, Decimal(5))
    assert (update.quantity, update.price, update.client_order_id) == (5, Decimal(5951), "run-s-1")


def test_a_change_that_changes_nothing_but_the_tag_is_answered_too(bench: Any, tell: Any) -> None:
    bench.hear_orders(working(tell))

    (reply,) = bench.hear_orders(tell("status", "TAG_SUCCESS", "WORKING", tag="run-s-1~r-a1"))

    assert reply == OrderReply("U1", AmendOrder, "run-s-1-a1", 0, "tag success", True, Decimal(3))


@pytest.mark.parametrize(
    ("change", "kind", "to"),
    [
        ("TAG_FAILED", "status", AmendOrder),
        ("REVISION_RISK_FAILED", "status", AmendOrder),
        ("REVISION_REJECTED", "status", AmendOrder),
        ("REVISION_FAILED", "failed", AmendOrder),
        ("PULL_RISK_FAILED", "status", CancelOrder),
        ("PULL_REJECTED", "status", CancelOrder),
        ("PULL_FAILED", "failed", CancelOrder),
    ],
)
def test_a_refused_change_names_its_order_even_without_a_tag(
    bench: Any, tell: Any, change: str, kind: str, to: Any
) -> None:
    bench.hear_orders(working(tell))
    status = "NO_CHANGE" if kind == "failed" else "WORKING"

    found = bench.hear_orders(tell(kind, change, status, status_detail="no"))

    reply = found[0]
    assert isinstance(reply, OrderReply)
    assert (reply.venue_order_id, reply.to, reply.guid, reply.ok, reply.message) == ("U1", to, None, False, "no")


def test_a_cancel_is_answered_after_the_order_has_ended(bench: Any, tell: Any) -> None:
    bench.hear_orders(working(tell))
    tag = "run-s-1~p-c1"
    assert bench.hear_orders(tell("status", "PULL_SENT", "WORKING", tag=tag, response_pending=3)) == []

    update, reply = bench.hear_orders(tell("status", "PULL_SUCCESS", "FINISHED", tag=tag))

    assert update.status is OrderStatus.CANCELLED
    assert (reply.to, reply.guid, reply.ok, reply.quantity) == (CancelOrder, "run-s-1-c1", True, None)


def test_a_cancel_that_an_older_change_left_its_tag_on_names_none(bench: Any, tell: Any) -> None:
    bench.hear_orders(working(tell, tag="run-s-1~r-a1"))

    _, reply = bench.hear_orders(tell("status", "PULL_SUCCESS", "FINISHED", tag="run-s-1~r-a1"))

    assert (reply.to, reply.guid) == (CancelOrder, None)


def test_late_and_double_news_changes_nothing_but_a_late_answer_counts(bench: Any, tell: Any) -> None:
    bench.hear_orders(working(tell))
    tag = "run-s-1~r-a1"
    revised = tell("status", "REVISION_SUCCESS", "WORKING", tag=tag, current_limit_price="5951")
    trade = tell("trade", "TRADE", "WORKING", **FILL)

    bench.hear_orders(trade)
    found = bench.hear_orders(revised)

    # The order's tag stays what later news left: the answer is for whichever change waits.
    assert [(type(thing), thing.to, thing.guid) for thing in found] == [(OrderReply, AmendOrder, None)]
    assert bench.hear_orders(revised) == []


def test_a_stop_is_told_with_its_trigger_until_it_has_fired(bench: Any, tell: Any) -> None:
    stop = {"price_type": enums.PRICE_TYPE_STOP_LIMIT, "current_stop_price": "5960"}
    update, _ = bench.hear_orders(working(tell, **stop))
    assert (update.price, update.stop_price) == (Decimal("5950.25"), Decimal(5960))

    fired = {"price_type": enums.PRICE_TYPE_LIMIT, "current_stop_price": "5960"}
    (update,) = bench.hear_orders(tell("status", "SUBMISSION_SUCCESS", "WORKING", **fired))

    assert (update.price, update.stop_price) == (Decimal("5950.25"), None)


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        (enums.PRICE_TYPE_STOP_MARKET, None, None),
        (enums.PRICE_TYPE_STOP_SAME_LIMIT, Decimal(5960), Decimal(5960)),
    ],
)
def test_a_stop_that_has_traded_has_fired(bench: Any, tell: Any, kind: int, before: Any, after: Any) -> None:
    update, _ = bench.hear_orders(working(tell, price_type=kind, current_stop_price="5960", current_limit_price=""))
    assert (update.price, update.stop_price) == (before, Decimal(5960))

    _, update = bench.hear_orders(tell("trade", "TRADE", "WORKING", **FILL))

    assert (update.price, update.stop_price) == (after, None)


def test_an_icebergs_visible_lots_are_told(bench: Any, tell: Any) -> None:
    update, _ = bench.hear_orders(working(tell, current_max_show=1))

    assert update.display_quantity == 1


def test_a_market_order_has_no_price(bench: Any, tell: Any) -> None:
    update, _ = bench.hear_orders(working(tell, price_type=enums.PRICE_TYPE_MARKET))

    assert update.price is None


def test_a_whole_order_before_its_acceptance_is_told_as_it_is_asked_for(bench: Any, tell: Any) -> None:
    asked = {"current_volume": 0, "current_limit_price": "", "new_volume": 4, "new_limit_price": "5949.75"}
    whole = tell("whole", "SUBMISSION_SENT", "NONE", new_max_show=2, **asked, **PENDING)

    assert bench.hear_orders(whole) == [], "nobody knows yet what becomes of it"
    (update,) = bench.hear_orders(whole, historical=True)

    assert (update.status, update.quantity, update.price) == (OrderStatus.WORKING, 4, Decimal("5949.75"))
    assert (update.snapshot, update.display_quantity) == (True, 2)


def test_news_of_an_order_that_nobody_began_asks_for_all_once(bench: Any, tell: Any) -> None:
    found = bench.hear_orders(tell("trade", "TRADE", "WORKING", **FILL))
    assert [type(thing) for thing in found] == [Resubscribe]
    assert bench.hear_orders(tell("status", "ROLLOVER", "WORKING", tag="")) == []

    fill, update = bench.hear_orders(tell("whole", "TRADE", "WORKING", total_fill_volume=1, tag=""), historical=True)

    assert (fill.trade_id, fill.side, fill.client_order_id) == ("t1", Side.BUY, None)
    assert update.filled == 1


def test_a_status_that_names_us_answers_though_the_rest_is_unknown(bench: Any, tell: Any) -> None:
    again, reply = bench.hear_orders(tell("status", "SUBMISSION_SUCCESS", "WORKING"))

    assert isinstance(again, Resubscribe)
    assert (reply.guid, reply.venue_order_id) == ("run-s-1", "U1")


def test_legs_are_told_in_words_and_once(bench: Any, tell: Any) -> None:
    bench.hear_orders(working(tell))
    leg = tell("leg", "TRADE", leg_index=1, volume=2, price="97.5", exchange_trade_id="l1")

    (status,) = bench.hear_orders(leg)

    assert isinstance(status, VenueStatus)
    assert status.status == "leg 1 of order U1: 2 at 97.5 (l1)"
    assert bench.hear_orders(leg) == []
    past = routing.OrderUpdate.TradeLeg(leg_index=1, exchange_trade_id="l1", volume=2, price=Price(value="97.5"))
    assert bench.hear_orders(tell("whole", "TRADE", "WORKING", trade_legs=[past])) == []


def test_a_fill_that_is_taken_back_is_told(bench: Any, tell: Any) -> None:
    bench.hear_orders(working(tell))

    error, *_ = bench.hear_orders(tell("status", "TRADE_BUSTED", "WORKING", status_detail="erroneous"))

    assert isinstance(error, VenueError)
    assert error.message == "T4 took a fill of order U1 back: erroneous"


def test_orders_come_by_themselves_as_well(bench: Any, tell: Any) -> None:
    found = bench.hear(order_update=working(tell))
    found += bench.hear(order_update_trade=tell("trade", "TRADE", "WORKING", **FILL))
    found += bench.hear(order_update_status=tell("status", "PULL_SUCCESS", "FINISHED"))
    found += bench.hear(order_update_failed=tell("failed", "PULL_FAILED"))
    leg = tell("leg", "TRADE", leg_index=1, volume=1, price="1", exchange_trade_id="l")
    found += bench.hear(order_update_trade_leg=leg)

    assert kinds(found) == [
        *("OrderUpdate", "Reply", "Fill", "OrderUpdate", "OrderUpdate", "OrderReply", "OrderReply"),
        "VenueStatus",
    ]


def snapshot(*orders: Any) -> Any:
    updates = [routing.OrderUpdateMultiMessage(order_update=order) for order in orders]
    multi = routing.OrderUpdateMulti(market_id=ES_ID, account_id="SIM-1", historical=True, updates=updates)
    parts = [account.AccountSnapshotMessage(order_update_multi=multi)]
    return account.AccountSnapshot(account_id="SIM-1", messages=parts if orders else [])


def test_a_snapshot_answers_with_all_orders_and_their_fills(bench: Any, tell: Any) -> None:
    done = routing.OrderUpdate.Trade(exchange_trade_id="t9", volume=3, price=Price(value="5950"))
    whole = tell("whole", "TRADE_COMPLETED", "FINISHED", total_fill_volume=3, trades=[done])
    other = working(tell, unique_id="U2", tag="")

    found = bench.hear(account_snapshot=snapshot(whole, other))

    assert kinds(found) == ["Fill", "OrderUpdate", "Reply", "OrderUpdate", "Answer"]
    assert found[2] == Reply("run-s-1", 0, "trade completed", ok=True, venue_order_id="U1")
    answer = found[-1]
    assert (answer.kind, kinds(answer.rows)) == (AskOrders, ["Fill", "OrderUpdate", "OrderUpdate"])
    assert all(row.snapshot for row in answer.rows)
    (again,) = bench.hear(account_snapshot=snapshot(whole))
    assert kinds(again.rows) == ["Fill", "OrderUpdate"], "what is told twice still answers"
    (empty,) = bench.hear(account_snapshot=snapshot())
    assert empty.rows == ()


def test_after_a_reconnect_only_what_is_new_is_told(bench: Any, tell: Any) -> None:
    bench.hear_orders(working(tell))
    bench.table.lost("session-0", bench.now, "gone")
    for row in bench.table:
        bench.table.asked(row.guid)
    missed = routing.OrderUpdate.Trade(exchange_trade_id="t3", volume=3, price=Price(value="5950"), sequence_order=9)

    found = bench.hear(
        account_snapshot=snapshot(
            tell("whole", "TRADE_COMPLETED", "FINISHED", total_fill_volume=3, trades=[missed], sequence_order=9)
        )
    )

    assert kinds(found) == ["Gap", "Fill", "Gap", "OrderUpdate", "Answer"]
    assert found[1].snapshot


def test_an_order_of_an_unnamed_market_is_called_by_its_id(make_bench: Any, tell: Any) -> None:
    bench = make_bench()
    bench.want("orders")

    update, _ = bench.hear_orders(working(tell, market_id="XX"))

    assert update.instrument == "XX"


def test_orders_without_anybody_who_wants_them_are_passed_over(make_bench: Any, tell: Any) -> None:
    assert make_bench().hear_orders(working(tell)) == []


def test_the_end_of_a_request_for_quotes_is_no_fill(bench: Any, tell: Any) -> None:
    update, reply = bench.hear_orders(tell("whole", "SUBMISSION_SUCCESS", "FINISHED"))

    assert (update.status, reply.ok) == (OrderStatus.CANCELLED, True)


def test_old_orders_are_forgotten_when_there_are_too_many() -> None:
    memory = OrderMemory()

    def told(number: str, status: int) -> OrderTold:
        head = {"account_id": "SIM-1", "market_id": "M", "time": None, "change": 0, "detail": ""}
        return OrderTold(number=number, status=status, sequence=1, **head)  # type: ignore[arg-type]  # as it says

    news = OrderNews((), snapshot=False)
    memory.apply(news, told("LIVE", enums.ORDER_STATUS_WORKING))
    for number in range(_KEPT):
        memory.apply(news, told(f"E{number}", enums.ORDER_STATUS_FINISHED))

    assert len(memory.orders) == _KEPT + 1 - _KEPT // 10
    assert "LIVE" in memory.orders
    assert "E0" not in memory.orders


def test_batches_and_strategies_are_answered_by_their_ids(bench: Any) -> None:
    accepted = routing.OrderBatchAcknowledge.Accepted(unique_id=["U1", "U2"])
    (yes,) = bench.hear(order_batch_acknowledge=routing.OrderBatchAcknowledge(batch_id="b", accepted=[accepted]))
    fault = routing.OrderBatchReject.OrderError(submission_index=1, order_index=-1, reason="not subscribed")
    (no,) = bench.hear(order_batch_reject=routing.OrderBatchReject(batch_id="b", reason="refused", errors=[fault]))
    made = routing.CreateUDSResponse(request_id="r", MarketRef="M", uds_status=enums.UDS_STATUS_Success)
    (strategy,) = bench.hear(create_uds_response=made)
    failed = routing.CreateUDSResponse(request_id="r", status_detail="no", uds_status=enums.UDS_STATUS_FAILED)
    (none,) = bench.hear(create_uds_response=failed)

    assert yes == Reply("b", 0, "U1, U2", ok=True)
    assert no == Reply("b", 2007, "refused; order 1/-1: not subscribed", ok=False)
    assert (strategy, none) == (Reply("r", 0, "M", ok=True), Reply("r", 2007, "no", ok=False))


@pytest.mark.parametrize(
    "spoilt",
    [
        {"volume": 0},
        {"volume": -1},
        {"price": ""},
        {"price": "1e40"},
        {"total_fill_volume": -1},
        {"time": {"seconds": 2**62}},
    ],
)
def test_a_fill_that_cant_be_is_unreadable_and_nobody_hears_of_it(bench: Any, tell: Any, spoilt: Any) -> None:
    bench.hear_orders(working(tell))

    with pytest.raises(RemoteProtocolError, match="order_update_multi that can't be"):
        bench.hear_orders(tell("trade", "TRADE", "WORKING", **{**FILL, **spoilt}))


def test_kinds_of_updates_that_are_newer_than_we_are_are_passed_over(bench: Any) -> None:
    multi = routing.OrderUpdateMulti(account_id="SIM-1", updates=[routing.OrderUpdateMultiMessage()])

    assert bench.hear_frame(ServerMessage(order_update_multi=multi).SerializeToString()) == []


def test_what_a_snapshot_says_too_little_of_isnt_listed(bench: Any, tell: Any) -> None:
    sideless = tell("whole", "SUBMISSION_SUCCESS", "WORKING", buy_sell=enums.BUY_SELL_UNDEFINED)

    again, reply, answer = bench.hear(account_snapshot=snapshot(sideless))

    assert isinstance(again, Resubscribe)
    assert isinstance(reply, Reply)
    assert answer.rows == ()


def test_a_snapshots_refusals_are_no_answers_nor_are_late_steps_after_them(bench: Any, tell: Any) -> None:
    late = tell("whole", "SUBMISSION_RISK_SUCCESS", "NONE", **PENDING)
    refused = tell("whole", "SUBMISSION_REJECTED", "REJECTED")

    update, _ = bench.hear(account_snapshot=snapshot(refused))

    assert update.status is OrderStatus.REJECTED
    assert bench.hear_orders(late) == []
