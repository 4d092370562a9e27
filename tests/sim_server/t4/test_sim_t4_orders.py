"""Orders from the risk check to the last fill, and what may be asked of them on the way."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from strategykit.model.events import Side
from strategykit.model.orders import CreateOrder, OrderRequest, OrderType
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto import orderrouting_pb2 as routing
from strategykit.venues.t4.proto.price_pb2 import Price

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sim_server.t4.conftest import Floor

    MakeTicket = Callable[..., routing.OrderSubmit.Order]

ES = "XCME_Eq ES (Z26)"
TICK = Decimal("0.25")

RISK, SENT, DONE = ("SUBMISSION_RISK_SUCCESS", "NONE"), ("SUBMISSION_SENT", "NONE"), ("SUBMISSION_SUCCESS", "WORKING")


def told(updates: list[Any], unique_id: str = "") -> list[tuple[str, str]]:
    """Give what happened to an order, and what it then was."""
    return [
        (
            enums.OrderChange.Name(update.change).removeprefix("ORDER_CHANGE_"),
            enums.OrderStatus.Name(update.status).removeprefix("ORDER_STATUS_"),
        )
        for update in updates
        if unique_id in ("", update.unique_id)
    ]


def test_a_limit_order_goes_through_risk_check_and_exchange_and_rests(floor: Floor, ticket: MakeTicket) -> None:
    updates = floor.trader().order(ticket("SELL", 2, limit_price="6000.25", tag="t1", time_type=2))

    assert told(updates) == [RISK, SENT, DONE]
    whole, sent, done = updates
    assert isinstance(whole, routing.OrderUpdate)
    assert (whole.tag, whole.buy_sell, whole.new_volume) == ("t1", enums.BUY_SELL_SELL, 2)
    assert (whole.new_limit_price.value, whole.time_type) == ("6000.25", enums.TIME_TYPE_GOOD_TILL_CANCELLED)
    assert [each.response_pending for each in updates] == [1, 1, 0]
    assert (done.working_volume, done.current_limit_price.value, done.current_volume) == (2, "6000.25", 2)
    assert [each.sequence_order for each in updates] == [1, 2, 3]
    assert len({each.unique_id for each in updates}) == 1
    assert sent.tag == "t1"


def test_fills_come_one_by_one_and_the_last_one_completes(floor: Floor, ticket: MakeTicket) -> None:
    lots = int(floor.venue.exchange.book(ES).ask_sizes[0])
    trader = floor.trader()

    updates = trader.order(ticket("BUY", lots + 1))

    fills = updates[3:]
    assert told(fills) == [("TRADE", "WORKING"), ("TRADE", "WORKING"), ("TRADE_COMPLETED", "FINISHED")]
    assert all(isinstance(fill, routing.OrderUpdateTrade) for fill in fills)
    assert sum(fill.volume for fill in fills) == fills[-1].total_fill_volume == lots + 1
    assert [fill.residual_volume for fill in fills] == [fill.working_volume for fill in fills]
    assert fills[-1].working_volume == 0
    assert len({fill.exchange_trade_id for fill in fills}) == 3
    report: Any = floor.venue.orders
    assert [row["trade_volume"] for row in report["fills"]] == [fill.volume for fill in fills]
    assert [row["filled"] for row in report["orders"]] == [lots + 1]


def test_what_an_immediate_order_cannot_get_is_cancelled(floor: Floor, ticket: MakeTicket) -> None:
    bid, offer = floor.best()
    lots = int(floor.venue.exchange.book(ES).ask_sizes[0])
    trader = floor.trader()

    part = trader.order(ticket("BUY", lots + 5, limit_price=offer, time_type=1))
    none = trader.order(ticket("BUY", 3, limit_price=bid, time_type=3))

    assert told(part)[-1] == ("PULL_SUCCESS", "FINISHED")
    assert part[-1].working_volume == 0
    assert part[-2].total_fill_volume == lots
    assert told(none) == [RISK, SENT, DONE, ("PULL_SUCCESS", "FINISHED")]
    assert none[-1].status_detail


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "LIMIT"}, "no limit price"),
        ({"kind": "STOP_MARKET"}, "no stop price"),
        ({"kind": "PIT"}, "can't be entered"),
        ({"kind": "UNDEFINED"}, "can't be entered"),
        ({"side": "UNDEFINED"}, "neither a buy nor a sell"),
        ({"volume": 0}, "above 0"),
        ({"volume": -5}, "above 0"),
        ({"volume": 1001}, "maximum of 1000"),
        ({"limit_price": "5950.10"}, "multiple of 0.25"),
        ({"limit_price": "many"}, "isn't a price"),
        ({"limit_price": "1e400"}, "isn't a price"),
        ({"limit_price": "NaN"}, "isn't a price"),
        ({"limit_price": "1" * 50}, "isn't a price"),
        ({"time_type": 4}, "time type 4"),
        ({"time_type": 99}, "time type 99"),
        ({"limit_price": "5950", "max_show": 2}, "max show"),
        ({"limit_price": "5950", "trail_distance": "1"}, "trailing"),
        ({"stop_price": "6000", "trail_distance": "-1"}, "trailing"),
        ({"activation_type": 2}, "activation type 2"),
        ({"activation_type": 4}, "no price to be activated at"),
        ({"activation_type": 3}, "no time to be activated at"),
        ({"activation_type": 6}, "no market mode"),
    ],
)
def test_orders_that_cannot_be_are_refused_by_the_risk_check(
    floor: Floor, ticket: MakeTicket, fields: dict[str, Any], words: str
) -> None:
    updates = floor.trader().order(ticket(**{"tag": "t", **fields}))

    assert told(updates) == [("SUBMISSION_RISK_REJECTED", "REJECTED")]
    assert words in updates[0].status_detail
    assert updates[0].tag == "t"
    assert floor.venue.exchange.orders("SIM-1") == []


def test_an_account_that_is_not_subscribed_may_not_trade_and_is_told(floor: Floor, ticket: MakeTicket) -> None:
    client = floor.enter()
    client.open_account("SIM-1")

    for account in ("SIM-2", "nobody"):
        updates = client.order(ticket(), account_id=account)
        assert told(updates) == [("SUBMISSION_RISK_REJECTED", "REJECTED")]
        assert "isn't subscribed" in updates[0].status_detail


def test_orders_in_markets_that_are_not_there_are_refused(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()

    assert "isn't listed" in trader.order(ticket(limit_price="1"), market_id="NOPE")[0].status_detail
    assert "isn't simulated" in trader.order(ticket(), ticket(), link="CHAIN2")[0].status_detail
    assert "two or more" in trader.order(ticket(), link="OCO")[0].status_detail
    assert len(trader.order(*[ticket()] * 101)) == 100
    assert trader.order() == []
    floor.enter(app_name="new").open_account()  # The snapshot leaves out what is in no market.


def test_what_the_exchange_refuses_is_rejected_after_having_been_sent(floor: Floor, ticket: MakeTicket) -> None:
    updates = floor.trader().order(ticket("BUY", 900))

    assert told(updates) == [RISK, SENT, ("SUBMISSION_REJECTED", "REJECTED")]
    assert "Insufficient" in updates[-1].status_detail


def test_several_orders_of_a_submission_are_each_their_own(floor: Floor, ticket: MakeTicket) -> None:
    updates = floor.trader().order(ticket("BUY", 1, limit_price="5900"), ticket("BUY", 0), ticket("BUY", 1))
    changes = told(updates)

    assert changes.count(("SUBMISSION_RISK_REJECTED", "REJECTED")) == 1
    assert changes.count(DONE) == 2
    assert changes[-1] == ("TRADE_COMPLETED", "FINISHED")


def test_an_order_can_be_revised_and_keeps_its_id(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    order = trader.order(ticket("BUY", 2, limit_price="5900"))[0].unique_id

    updates = trader.revise(order, volume=5, limit_price="5901", tag="new")

    assert told(updates, order) == [("REVISION_SENT", "WORKING"), ("REVISION_SUCCESS", "WORKING")]
    sent, done = updates
    assert (sent.response_pending, sent.new_volume, sent.current_volume) == (enums.RESPONSE_PENDING_REVISION, 5, 2)
    assert (done.working_volume, done.current_volume, done.current_limit_price.value) == (5, 5, "5901.00")
    assert done.tag == "new"
    [row] = [row for row in floor.venue.exchange.orders("SIM-1") if row.status.value == "working"]
    assert (row.quantity, row.price) == (Decimal(5), Decimal(5901))


def test_a_revised_volume_is_the_whole_volume_with_what_is_filled(floor: Floor, ticket: MakeTicket) -> None:
    trader, other = floor.trader(), floor.trader(app_name="other")
    bid, _ = floor.best()
    best = bid + TICK if floor.best()[1] > bid + TICK else bid
    ahead = 0 if best > bid else int(floor.venue.exchange.book(ES).bid_sizes[0])
    order = trader.order(ticket("BUY", 5, limit_price=best))[0].unique_id
    other.order(ticket("SELL", ahead + 2), account_id="SIM-2")
    trader.heard()

    small = trader.revise(order, volume=2)
    larger = trader.revise(order, volume=7)

    assert told(small) == [("REVISION_REJECTED", "WORKING")]
    assert "above the 2 filled" in small[0].status_detail
    assert (larger[-1].current_volume, larger[-1].working_volume) == (7, 5)
    rest = trader.pull(order)[-1]
    assert (rest.status, rest.working_volume) == (enums.ORDER_STATUS_FINISHED, 0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"limit_price": "5900.10"}, "multiple"),
        ({"limit_price": "x"}, "isn't a price"),
        ({"volume": 2000}, "at the most"),
        ({"volume": -1}, "above the 0 filled"),
        ({"limit_price": "1"}, "BAD_PRICE_LIMITS"),
        ({"activation_data": routing.OrderActivation(queue_submit=True)}, "isn't held"),
    ],
)
def test_a_revision_that_cannot_be_leaves_the_order_as_it_was(
    floor: Floor, ticket: MakeTicket, changes: dict[str, Any], words: str
) -> None:
    trader = floor.trader()
    order = trader.order(ticket("BUY", 2, limit_price="5900"))[0].unique_id

    last = trader.revise(order, **changes)[-1]

    assert told([last]) == [("REVISION_REJECTED", "WORKING")]
    assert words in last.status_detail
    assert (last.new_volume, last.new_limit_price.value, last.current_limit_price.value) == (2, "5900.00", "5900.00")
    assert trader.pull(order)[-1].change == enums.ORDER_CHANGE_PULL_SUCCESS


def test_a_tag_alone_can_be_changed(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    order = trader.order(ticket("BUY", 2, limit_price="5900"))[0].unique_id

    [update] = trader.revise(order, tag="other")

    assert (update.change, update.tag) == (enums.ORDER_CHANGE_TAG_SUCCESS, "other")


def test_an_order_can_be_pulled_once(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    order = trader.order(ticket("BUY", 2, limit_price="5900"))[0].unique_id

    first, second = trader.pull(order, tag="bye"), trader.pull(order)

    assert told(first) == [("PULL_SENT", "WORKING"), ("PULL_SUCCESS", "FINISHED")]
    assert (first[0].response_pending, first[1].working_volume, first[1].tag) == (enums.RESPONSE_PENDING_PULL, 0, "bye")
    assert told(second) == [("PULL_REJECTED", "FINISHED")]
    assert told(trader.revise(order, volume=3)) == [("REVISION_REJECTED", "FINISHED")]


def test_what_is_not_there_fails_without_an_order(floor: Floor, ticket: MakeTicket) -> None:
    trader, stranger = floor.trader(), floor.enter(app_name="other")
    order = trader.order(ticket("BUY", 2, limit_price="5900"))[0].unique_id

    assert told(trader.pull("nothing")) == [("PULL_FAILED", "NO_CHANGE")]
    assert told(trader.revise("nothing", volume=1)) == [("REVISION_FAILED", "NO_CHANGE")]
    assert told(trader.pull(order, market_id="other")) == [("PULL_FAILED", "NO_CHANGE")]
    assert told(stranger.pull(order)) == [("PULL_FAILED", "NO_CHANGE")]
    assert trader.pull(order, market_id="") == [], "not even a failure is told"
    assert trader.pull(order)[-1].change == enums.ORDER_CHANGE_PULL_SUCCESS


def test_a_stop_becomes_what_it_triggers_and_keeps_its_id(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    bid, offer = floor.best()
    order = trader.order(ticket("BUY", 1, stop_price=offer + TICK, limit_price=offer - 40 * TICK))[0].unique_id
    lots = int(floor.venue.exchange.book(ES).ask_sizes[0])

    trader.order(ticket("BUY", lots + 1))

    done = trader.revise(order, limit_price=offer + 4 * TICK)
    assert done[1].price_type == enums.PRICE_TYPE_LIMIT
    assert told(done)[-1] == ("TRADE_COMPLETED", "FINISHED")
    assert bid < offer


def test_a_stop_that_finds_nobody_is_cancelled_even_if_it_was_revised(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    trader.order(ticket("BUY", 1))
    order = trader.order(ticket("SELL", 1, stop_price="5900"))[0].unique_id
    for resting in floor.venue.exchange.resting(ES, Side.BUY):
        floor.venue.exchange._listings[ES].engine.cancel(resting.number)

    updates = trader.revise(order, stop_price="5990")

    assert told(updates)[-1] == ("PULL_SUCCESS", "FINISHED")


@pytest.mark.parametrize(
    ("kind", "side", "rests"), [("JOIN", "BUY", True), ("HIT", "SELL", False), ("HIT", "BUY", False)]
)
def test_prices_can_be_left_to_the_book(floor: Floor, ticket: MakeTicket, kind: str, side: str, rests: bool) -> None:
    bid, offer = floor.best()

    updates = floor.trader().order(ticket(side, 1, kind))

    wanted = bid if (side == "BUY") is rests else offer
    assert Decimal(updates[0].new_limit_price.value) == wanted
    assert told(updates)[-1] == (DONE if rests else ("TRADE_COMPLETED", "FINISHED"))


def test_a_stop_at_its_own_limit_goes_on_as_that(make_floor: Callable[..., Floor], ticket: MakeTicket) -> None:
    floor = make_floor(cash=Decimal(100_000_000))
    trader = floor.trader()
    _, offer = floor.best()
    trader.order(ticket("BUY", 1))
    order = trader.order(ticket("BUY", 2, "STOP_SAME_LIMIT", stop_price=offer + TICK, max_show=1))[0].unique_id
    lots = sum(floor.venue.exchange.book(ES).ask_sizes[:2])

    trader.order(ticket("BUY", int(lots)))

    done = trader.revise(order, limit_price=offer, max_show=2, max_volume=3)[-1]
    assert (done.change, done.price_type) == (enums.ORDER_CHANGE_REVISION_SUCCESS, enums.PRICE_TYPE_LIMIT)
    assert (done.current_max_show, done.max_volume) == (2, 3)
    assert Decimal(done.current_limit_price.value) == offer


def test_an_empty_book_has_no_price_to_join(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    exchange = floor.venue.exchange
    for side in Side:
        for resting in exchange.resting(ES, side):
            exchange._listings[ES].engine.cancel(resting.number)
    order = trader.order(ticket("BUY", 1, limit_price="5900"))[0].unique_id
    trader.pull(order)

    assert "no price" in trader.order(ticket("BUY", 1, "JOIN"))[0].status_detail


def test_orders_go_on_when_nobody_listens_and_late_news_for_the_gone_is_dropped(
    floor: Floor, ticket: MakeTicket
) -> None:
    trader = floor.trader()
    floor.fault("late_update", seconds=1, count=3)
    data = routing.OrderActivation(submit_delay_ms=500)
    order = trader.order(ticket("BUY", 1, activation_type=3, activation_data=data))
    assert order == []
    frames = len(trader.tap.frames)

    floor.venue.close_session(trader.session, floor.now)
    floor.later(2)

    assert len(trader.tap.frames) == frames
    assert [entry.status for entry in floor.venue.log][-1] == "FINISHED"


def test_orders_of_others_at_the_exchange_itself_disturb_nobody(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    bid, _ = floor.best()
    order = trader.order(ticket("BUY", 1, limit_price=bid))[0].unique_id
    lots = Decimal(floor.venue.exchange.book(ES).bid_sizes[0])
    request = OrderRequest(
        client_order_id="elsewhere",
        account="SIM-2",
        instrument=ES,
        side=Side.SELL,
        quantity=lots,
        type=OrderType.MARKET,
    )

    _, events = floor.venue.exchange.command("SIM-2", CreateOrder(guid="", request=request), floor.now)
    floor.venue._publish(events, floor.now)

    assert [entry.status for entry in floor.venue.log if entry.unique_id == order][-1] == "FINISHED"


def test_flatten_closes_whatever_is_held(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    flat = trader.order(ticket("UNDEFINED", 0, "FLATTEN"))
    trader.order(ticket("SELL", 3))

    updates = trader.order(ticket("UNDEFINED", 0, "FLATTEN"))

    assert "no position" in flat[-1].status_detail
    assert updates[0].buy_sell == enums.BUY_SELL_BUY
    assert (updates[-1].total_fill_volume, updates[-1].status) == (3, enums.ORDER_STATUS_FINISHED)
    trader.order(ticket("BUY", 2))
    assert trader.order(ticket("BUY", 1, "FLATTEN"))[0].buy_sell == enums.BUY_SELL_SELL


def test_a_request_for_quotes_is_done_at_once(floor: Floor, ticket: MakeTicket) -> None:
    assert told(floor.trader().order(ticket("UNDEFINED", 0, "RFQ")))[-1] == ("SUBMISSION_SUCCESS", "FINISHED")


def test_market_if_touched_waits_for_its_price(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    bid, _ = floor.best()
    order = trader.order(ticket("BUY", 1, "MARKET_IF_TOUCHED", stop_price=bid))[-1]
    assert told([order]) == [DONE]
    assert order.working_volume == 1
    lower = trader.order(ticket("BUY", 1, "MARKET_IF_TOUCHED", stop_price=bid - 80 * TICK))[0].unique_id
    assert told(trader.revise(lower, volume=2)) == [("REVISION_SUCCESS", "WORKING")]

    updates = trader.order(ticket("SELL", 1))

    assert told(updates, order.unique_id)[-1] == ("TRADE_COMPLETED", "FINISHED")
    assert told(trader.pull(lower)) == [("PULL_SENT", "WORKING"), ("PULL_SUCCESS", "FINISHED")]


def test_a_batch_is_placed_whole_and_carries_its_id(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    parts = [
        routing.OrderSubmit(account_id=name, market_id=ES, orders=[ticket("BUY", 1, limit_price="5900")] * count)
        for name, count in (("SIM-1", 2), ("SIM-2", 1))
    ]

    (name, ack), *rest = trader.say(order_batch=routing.OrderBatch(batch_id="b1", submissions=parts))

    assert (name, ack.batch_id) == ("order_batch_acknowledge", "b1")
    assert [(row.account_id, len(row.unique_id)) for row in ack.accepted] == [("SIM-1", 2), ("SIM-2", 1)]
    whole = [message.updates[0].order_update for _, message in rest if _ == "order_update_multi"]
    ids = [update.unique_id for update in whole if update.unique_id]
    assert ids == [unique_id for row in ack.accepted for unique_id in row.unique_id]
    assert {update.tag_relation_id for update in whole if update.unique_id} == {"b1"}


def test_a_batch_with_one_fault_is_refused_whole(floor: Floor, ticket: MakeTicket) -> None:
    client = floor.enter()
    client.open_account("SIM-1")
    good, bad = ticket("BUY", 1, limit_price="5900"), ticket("BUY", 0)
    parts = [
        routing.OrderSubmit(account_id="SIM-1", market_id=ES, orders=[good, bad]),
        routing.OrderSubmit(account_id="SIM-2", market_id=ES, orders=[good]),
    ]

    [(name, refusal)] = client.say(order_batch=routing.OrderBatch(submissions=parts))

    assert (name, bool(refusal.batch_id)) == ("order_batch_reject", True)
    assert [(row.submission_index, row.order_index) for row in refusal.errors] == [(0, 1), (1, -1)]
    assert refusal.reason == refusal.errors[0].reason
    assert floor.venue.exchange.orders("SIM-1") == []
    [(name, empty)] = client.say(order_batch=routing.OrderBatch())
    assert (name, empty.reason) == ("order_batch_reject", "no submissions")


def test_updates_can_be_lost_late_or_double(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    floor.fault("lost_update")
    floor.fault("late_update", seconds=0.5)
    floor.fault("duplicate_update")

    at_once = trader.order(ticket("BUY", 1, limit_price="5900"))
    floor.later(0.5)

    assert told(at_once) == [DONE, DONE]
    [(_, late)] = [(name, each) for name, each in trader.heard() if name == "order_update_multi"]
    assert told([late.updates[0].order_update_status]) == [SENT]
    changes = [entry.change for entry in floor.venue.log]
    assert changes == ["SUBMISSION_RISK_SUCCESS", "SUBMISSION_SENT", "SUBMISSION_SUCCESS"], "the log has it right"


def test_requests_can_fail_inside_the_venue(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    floor.fault("fail_request")
    never = trader.order(ticket("BUY", 1, limit_price="5900"))
    order = trader.order(ticket("BUY", 1, limit_price="5900"))[0].unique_id
    floor.fault("fail_request", count=2)
    revised, pulled = trader.revise(order, volume=3), trader.pull(order)

    assert told(never) == [RISK, ("SUBMISSION_FAILED", "REJECTED")]
    assert isinstance(never[-1], routing.OrderUpdateFailed)
    assert told([*revised, *pulled]) == [("REVISION_FAILED", "WORKING"), ("PULL_FAILED", "WORKING")]
    assert trader.pull(order)[-1].new_volume == 1


def test_requests_can_be_ignored(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    floor.fault("ignore_request")

    assert trader.order(ticket("BUY", 1, limit_price="5900")) == []
    assert told(trader.order(ticket("BUY", 1, limit_price="5900")))[-1] == ("SUBMISSION_SUCCESS", "WORKING")


def test_the_venue_withdraws_what_works_and_what_it_holds(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    trader.order(ticket("BUY", 1))  # Filled: nothing of it is left to withdraw.
    works = trader.order(ticket("BUY", 1, limit_price="5900"))[0].unique_id
    held = trader.order(ticket("BUY", 1, limit_price="5900", activation_type=enums.ACTIVATION_TYPE_HOLD))[0].unique_id

    before = len(floor.venue.log)
    floor.fault("withdraw_orders")

    gone = ["PULL_SENT", "PULL_SUCCESS"]
    assert [(entry.unique_id, entry.change) for entry in list(floor.venue.log)[before:]] == [
        (order, change) for order in (works, held) for change in gone
    ]
    assert len(trader.heard_of("order_update_multi")) == 4


def test_updates_can_travel_alone(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    floor.fault("single_update", count=2)

    heard = trader.say(order_submit=routing.OrderSubmit(account_id="SIM-1", market_id=ES, orders=[ticket("BUY", 1)]))

    names = [name for name, _ in heard if name.startswith("order")]
    assert names == ["order_update", "order_update_status", "order_update_multi", "order_update_multi"]


def test_everyone_who_listens_to_the_account_is_told_in_their_own_format(floor: Floor, ticket: MakeTicket) -> None:
    trader, raw, other = floor.trader(), floor.enter(app_name="raw", price_format=0), floor.enter(app_name="o")
    raw.open_account("SIM-1")
    other.open_account("SIM-2")
    other.heard()
    raw.heard()

    trader.order(ticket("BUY", 1, limit_price="5900.25"))

    shown = [message.updates[0] for message in raw.heard_of("order_update_multi")]
    assert shown[0].order_update.new_limit_price == Price(value="590025")
    assert other.heard() == []


def test_forgotten_orders_are_gone_and_numbers_new(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    first = trader.order(ticket("BUY", 1, limit_price="5900"))[0].unique_id

    floor.venue.forget_orders(floor.now)

    assert trader.say() == []
    again = floor.trader()
    assert told(again.pull(first)) == [("PULL_FAILED", "NO_CHANGE")]
    assert again.order(ticket("BUY", 1, limit_price="5900"))[0].unique_id != first


def test_only_so_many_finished_orders_are_remembered(
    floor: Floor, ticket: MakeTicket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strategykit.sim.t4_orders._KEPT", 2)
    trader = floor.trader()

    ids = [trader.order(ticket())[0].unique_id for _ in range(3)]

    assert told(trader.pull(ids[0])) == [("PULL_FAILED", "NO_CHANGE")]
    assert told(trader.pull(ids[1])) == [("PULL_REJECTED", "FINISHED")]
