"""Orders that depend on each other, on the time or on the market."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto import orderrouting_pb2 as routing
from strategykit.venues.t4.proto.price_pb2 import Price
from strategykit.venues.t4.times import write_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sim_server.t4.conftest import Client, Floor

    MakeTicket = Callable[..., routing.OrderSubmit.Order]

ES = "XCME_Eq ES (Z26)"
TICK = Decimal("0.25")
HOLD, QUEUE = enums.ACTIVATION_TYPE_HOLD, enums.ACTIVATION_TYPE_QUEUE


def state(floor: Floor, unique_id: str) -> tuple[str, int, int]:
    """Give status, volume and filled lots as last told."""
    entry = [entry for entry in floor.venue.log if entry.unique_id == unique_id][-1]
    return entry.status, entry.volume, entry.filled


def ids(updates: list[Any]) -> list[str]:
    return list(dict.fromkeys(update.unique_id for update in updates))


def take(floor: Floor, side: str, lots: int, ticket: MakeTicket) -> None:
    """Let somebody else trade."""
    other = floor.trader(app_name="somebody")
    other.order(ticket(side, lots), account_id="SIM-2")
    floor.venue.close_session(other.session, floor.now)


def inside(floor: Floor) -> tuple[Decimal, int]:
    """Give a bid that will be served first, and how many lots stand before it."""
    bid, offer = floor.best()
    if offer > bid + TICK:
        return bid + TICK, 0
    return bid, int(floor.venue.exchange.book(ES).bid_sizes[0])


def bracket(
    client: Client, ticket: MakeTicket, entry: Any, profit: str, loss: str, *, link: str = "AUTO_OCO", **fields: Any
) -> list[str]:
    side = "SELL" if entry.buy_sell == enums.BUY_SELL_BUY else "BUY"
    exits = (
        ticket(side, 0, limit_price=profit, activation_type=HOLD, time_type=2, **fields),
        ticket(side, 0, stop_price=loss, activation_type=HOLD, time_type=2, **fields),
    )
    return ids(client.order(entry, *exits, link=link))


def test_one_cancels_the_other(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    price, ahead = inside(floor)
    first, second = ids(
        trader.order(ticket("BUY", 4, limit_price=price), ticket("SELL", 4, limit_price="6010"), link="OCO")
    )

    take(floor, "SELL", ahead + 1, ticket)
    assert (state(floor, first), state(floor, second)) == (("WORKING", 4, 1), ("WORKING", 3, 0))
    take(floor, "SELL", 3, ticket)
    assert (state(floor, first), state(floor, second)) == (("FINISHED", 4, 4), ("FINISHED", 3, 0))


def test_a_larger_fill_than_the_other_has_lots_cancels_it(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    price, ahead = inside(floor)
    first, second = ids(
        trader.order(ticket("BUY", 4, limit_price=price), ticket("SELL", 2, limit_price="6010"), link="OCO")
    )

    take(floor, "SELL", ahead + 2, ticket)

    assert (state(floor, first), state(floor, second)) == (("WORKING", 4, 2), ("FINISHED", 2, 0))


def test_pulling_one_leaves_the_other(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    first, second = ids(
        trader.order(ticket("BUY", 1, limit_price="5900"), ticket("SELL", 1, limit_price="6010"), link="OCO")
    )

    trader.pull(first)

    assert state(floor, second)[0] == "WORKING"


@pytest.mark.parametrize(("link", "base"), [("AUTO_OCO", 0), ("AUTO_OCO_P", 1)])
def test_exits_go_live_around_the_fill_of_their_trigger(floor: Floor, ticket: MakeTicket, link: str, base: int) -> None:
    trader = floor.trader()
    _, offer = floor.best()
    profit, loss = (str(Decimal(value) + base * offer) for value in ("2.50", "-5.00"))

    entry, target, stop = bracket(trader, ticket, ticket("BUY", 2), profit, loss, link=link)

    assert state(floor, entry) == ("FINISHED", 2, 2)
    assert (state(floor, target), state(floor, stop)) == (("WORKING", 2, 0), ("WORKING", 2, 0))
    log = {entry.unique_id: entry for entry in floor.venue.log}
    assert (log[target].limit_price, log[stop].stop_price) == (offer + Decimal("2.5"), offer - 5)


def test_exits_are_held_until_then_and_grow_with_the_fills(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    price, ahead = inside(floor)
    entry, target, stop = bracket(trader, ticket, ticket("BUY", 3, limit_price=price), "2.50", "-5.00")
    assert (state(floor, target), state(floor, stop)) == (("HELD", 0, 0), ("HELD", 0, 0))

    take(floor, "SELL", ahead + 1, ticket)
    assert (state(floor, entry), state(floor, target), state(floor, stop)) == (
        ("WORKING", 3, 1),
        ("WORKING", 1, 0),
        ("WORKING", 1, 0),
    )
    take(floor, "SELL", 2, ticket)
    assert (state(floor, target), state(floor, stop)) == (("WORKING", 3, 0), ("WORKING", 3, 0))


def test_an_exit_that_begins_to_fill_ends_its_trigger_and_reduces_the_other(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    price, ahead = inside(floor)
    entry, target, stop = bracket(trader, ticket, ticket("BUY", 4, limit_price=price), "50.00", "-50.00")
    take(floor, "SELL", ahead + 2, ticket)
    trader.revise(target, limit_price=floor.best()[1])
    lots = int(floor.venue.exchange.book(ES).ask_sizes[0])

    take(floor, "BUY", lots - 1, ticket)

    assert state(floor, target) == ("WORKING", 2, 1)
    assert (state(floor, entry), state(floor, stop)) == (("FINISHED", 4, 2), ("WORKING", 1, 0))
    take(floor, "BUY", 1, ticket)
    assert (state(floor, target), state(floor, stop)) == (("FINISHED", 2, 2), ("FINISHED", 1, 0))


def test_exits_go_with_a_trigger_that_never_filled(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    entry, target, stop = bracket(trader, ticket, ticket("BUY", 1, limit_price="5900"), "2.50", "-5.00")

    trader.pull(entry)

    assert [state(floor, each)[0] for each in (entry, target, stop)] == ["FINISHED"] * 3


def test_exits_stay_when_the_rest_of_a_filled_trigger_goes(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    price, ahead = inside(floor)
    entry, target, stop = bracket(trader, ticket, ticket("BUY", 4, limit_price=price), "2.50", "-5.00")
    take(floor, "SELL", ahead + 1, ticket)

    trader.pull(entry)

    assert (state(floor, target), state(floor, stop)) == (("WORKING", 1, 0), ("WORKING", 1, 0))


def test_a_held_exit_can_be_revised_and_one_that_was_pulled_stays_away(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    price, ahead = inside(floor)
    _, target, stop = bracket(trader, ticket, ticket("BUY", 1, limit_price=price), "2.50", "-5.00")
    assert trader.revise(target, limit_price="3.00")[-1].change == enums.ORDER_CHANGE_REVISION_SUCCESS
    trader.pull(stop)

    take(floor, "SELL", ahead + 1, ticket)

    assert state(floor, stop)[0] == "FINISHED"
    assert [entry for entry in floor.venue.log if entry.unique_id == target][-1].limit_price == price + 3


def test_of_several_exits_each_covers_its_share(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    exits = [
        ticket("SELL", 1, limit_price="50.00", activation_type=HOLD),
        ticket("SELL", 1, limit_price="60.00", activation_type=HOLD),
        ticket("SELL", 2, stop_price="-50.00", activation_type=HOLD),
    ]

    entry, near, far, stop = ids(trader.order(ticket("BUY", 2), *exits, link="AUTO_OCO_M"))
    assert [state(floor, each)[1] for each in (near, far, stop)] == [1, 1, 2]
    trader.revise(near, limit_price=floor.best()[0])

    assert [state(floor, each) for each in (entry, near)] == [("FINISHED", 2, 2), ("FINISHED", 1, 1)]
    assert state(floor, far) == ("WORKING", 1, 0), "another target isn't in its way"
    assert state(floor, stop)[0] == "FINISHED"


def test_one_fault_refuses_all_that_is_linked(floor: Floor, ticket: MakeTicket) -> None:
    updates = floor.trader().order(ticket("BUY", 1), ticket("SELL", 0, kind="LIMIT"), link="AUTO_OCO")

    assert [update.change for update in updates] == [enums.ORDER_CHANGE_SUBMISSION_RISK_REJECTED] * 2
    assert "linked with it" in updates[0].status_detail


def test_exits_of_a_trigger_that_the_exchange_refuses_are_cancelled(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    entry, target, stop = bracket(trader, ticket, ticket("BUY", 900), "2.50", "-5.00")

    assert [state(floor, each)[0] for each in (entry, target, stop)] == ["REJECTED", "FINISHED", "FINISHED"]


def test_sparks_are_released_when_their_trigger_trades(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    price, ahead = inside(floor)
    trigger, one, two = ids(
        trader.order(
            ticket("BUY", 2, limit_price=price),
            ticket("SELL", 1, limit_price="6010"),
            ticket("BUY", 1, limit_price="5900"),
            link="SPARK",
        )
    )
    assert [state(floor, each)[0] for each in (one, two)] == ["HELD", "HELD"]

    take(floor, "SELL", ahead + 1, ticket)

    assert [state(floor, each)[0] for each in (trigger, one, two)] == ["WORKING"] * 3
    take(floor, "SELL", 1, ticket)
    assert [state(floor, each)[0] for each in (trigger, one, two)] == ["FINISHED", "WORKING", "WORKING"]


def test_an_exit_can_trail(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    _, offer = floor.best()

    exits = [ticket("SELL", 0, "STOP_MARKET", trail_distance="2", activation_type=HOLD)]
    _, stop = ids(trader.order(ticket("BUY", 1), *exits, link="AUTO_OCO"))

    assert [entry for entry in floor.venue.log if entry.unique_id == stop][-1].stop_price == offer - 2


def test_a_trailing_stop_follows_the_market_and_never_goes_back(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    take(floor, "BUY", 1, ticket)
    _, offer = floor.best()
    order = trader.order(ticket("SELL", 1, "STOP_MARKET", trail_distance="2"))[0].unique_id

    def stop() -> Decimal | None:
        return [entry for entry in floor.venue.log if entry.unique_id == order][-1].stop_price

    assert stop() == offer - 2
    take(floor, "BUY", int(floor.venue.exchange.book(ES).ask_sizes[0]) + 1, ticket)
    assert stop() == offer + TICK - 2
    take(floor, "SELL", 1, ticket)
    assert stop() == offer + TICK - 2
    assert trader.revise(order, trail_price="3")[-1].trail_price == Price(value="3.00")


def test_a_queued_order_waits_to_be_released(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    order = trader.order(ticket("BUY", 1, activation_type=QUEUE, activation_data=routing.OrderActivation()))[-1]
    assert order.status == enums.ORDER_STATUS_HELD
    floor.later(60 - 50)

    done = trader.revise(order.unique_id, activation_data=routing.OrderActivation(queue_submit=True))

    assert done[0].activation_type == enums.ACTIVATION_TYPE_TRIGGERED_QUEUE
    assert state(floor, order.unique_id) == ("FINISHED", 1, 1)


@pytest.mark.parametrize("by", ["time", "delay"])
def test_an_order_can_be_sent_at_a_time(floor: Floor, ticket: MakeTicket, by: str) -> None:
    moment = write_time(floor.now + 2 * 10**9)
    data = (
        routing.OrderActivation(submit_time=moment) if by == "time" else routing.OrderActivation(submit_delay_ms=2000)
    )
    order = floor.trader().order(ticket("BUY", 1, activation_type=3, activation_data=data))[0].unique_id

    floor.later(1.9)
    early = state(floor, order)
    floor.later(0.1)

    assert (early, state(floor, order)) == (("HELD", 1, 0), ("FINISHED", 1, 1))


def test_an_order_can_lapse_and_give_up_waiting(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    lapse = routing.OrderActivation(cancel_delay_ms=1000)
    give_up = routing.OrderActivation(activation_cancel_delay_ms=2000)
    first = trader.order(ticket("BUY", 1, limit_price="5900", activation_data=lapse))[0].unique_id
    second = trader.order(ticket("BUY", 1, activation_type=QUEUE, activation_data=give_up))[0].unique_id
    third = trader.order(ticket("BUY", 1, limit_price="5900", activation_data=give_up))[0].unique_id

    floor.later(1)
    assert (state(floor, first)[0], state(floor, second)[0]) == ("FINISHED", "HELD")
    floor.later(1)
    assert (state(floor, second)[0], state(floor, third)[0]) == ("FINISHED", "WORKING")


@pytest.mark.parametrize(("kind", "ticks"), [(4, 1), (5, 0), (5, -8)])
def test_a_trade_at_a_price_can_activate(floor: Floor, ticket: MakeTicket, kind: int, ticks: int) -> None:
    bid, offer = floor.best()
    data = routing.OrderActivation(price=Price(value=str((offer if kind == 4 else bid) + ticks * TICK)))
    order = (
        floor.trader()
        .order(ticket("BUY", 1, limit_price="5900", activation_type=kind, activation_data=data))[0]
        .unique_id
    )
    assert state(floor, order)[0] == "HELD"

    take(floor, "BUY", int(floor.venue.exchange.book(ES).ask_sizes[0]) + 1, ticket)
    take(floor, "SELL", 1, ticket)

    assert state(floor, order)[0] == ("HELD" if ticks == -8 else "WORKING")


@pytest.mark.parametrize(
    ("kind", "side", "ticks", "volume", "due"),
    [
        (14, 1, 0, 1, True),
        (14, 1, 1, 1, False),
        (15, -1, 0, 1, True),
        (15, -1, -1, 1, False),
        (14, 1, 0, 10_000, False),
    ],
)
def test_a_price_in_the_book_can_activate(
    floor: Floor, ticket: MakeTicket, kind: int, side: int, ticks: int, volume: int, due: bool
) -> None:
    bid, offer = floor.best()
    data = routing.OrderActivation(
        price=Price(value=str((bid if side == 1 else offer) + ticks * TICK)),
        volume=volume,
        bid_offer=enums.BID_OFFER_BID if side == 1 else enums.BID_OFFER_OFFER,
    )

    order = floor.trader().order(ticket("BUY", 1, activation_type=kind, activation_data=data))[0].unique_id

    assert state(floor, order)[0] == ("FINISHED" if due else "HELD")


def test_a_market_mode_can_activate(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    data = routing.OrderActivation(mode=enums.MARKET_MODE_OPEN)
    floor.fault("halt")
    opening = trader.order(ticket("BUY", 1, activation_type=6, activation_data=data))[0].unique_id
    closing = trader.order(ticket("BUY", 1, activation_type=18))[0].unique_id
    assert (state(floor, opening)[0], state(floor, closing)[0]) == ("HELD", "HELD")

    floor.fault("resume")
    assert state(floor, opening)[0] == "FINISHED"
    floor.fault("mode", arguments={"mode": "PRE_CLOSED"})
    assert state(floor, closing)[0] == "REJECTED", "nothing trades any more"


def test_a_condition_can_be_replaced(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    data = routing.OrderActivation(submit_delay_ms=1000)
    order = trader.order(ticket("BUY", 1, activation_type=3, activation_data=data))[0].unique_id

    trader.revise(order, activation_data=routing.OrderActivation(submit_delay_ms=5000, price=Price(value="5900")))
    floor.later(2)
    assert state(floor, order)[0] == "HELD"
    floor.later(3)
    assert state(floor, order)[0] == "FINISHED"


def test_exits_never_cover_more_than_their_maximum(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    price, ahead = inside(floor)
    entry, target, stop = bracket(trader, ticket, ticket("BUY", 3, limit_price=price), "2.50", "-5.00", max_volume=1)

    take(floor, "SELL", ahead + 1, ticket)
    take(floor, "SELL", 2, ticket)

    assert [state(floor, each)[1] for each in (entry, target, stop)] == [3, 1, 1]


def test_a_trailing_stop_stands_until_something_trades(floor: Floor, ticket: MakeTicket) -> None:
    order = floor.trader().order(ticket("SELL", 1, "STOP_MARKET", trail_distance="2"))[-1]

    floor.later()

    assert state(floor, order.unique_id) == ("WORKING", 1, 0)
    assert Decimal(order.current_stop_price.value) == Decimal(str(floor.venue.exchange.quote(ES).last)) - 2
