"""Books, trades and figures, as every kind of subscription wants them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from strategykit.errors import ConfigError
from strategykit.sim.t4_config import default_markets
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto import market_pb2 as market

if TYPE_CHECKING:
    from collections.abc import Callable

    from strategykit.venues.t4.proto import orderrouting_pb2 as routing
    from tests.sim_server.t4.conftest import Client, Floor

    MakeTicket = Callable[..., routing.OrderSubmit.Order]

ES, CL, ZN = "XCME_Eq ES (Z26)", "XCME_Ny CL (Z26)", "XCME_C ZN (Z26)"


def names(heard: list[tuple[str, Any]]) -> list[str]:
    return [name for name, _ in heard]


def part(snapshot: Any, name: str) -> Any:
    [found] = [getattr(each, name) for each in snapshot.messages if each.WhichOneof("payload") == name]
    return found


def test_a_subscription_begins_with_the_definition_and_the_state(floor: Floor) -> None:
    heard = floor.enter().subscribe()

    assert names(heard) == ["market_details", "market_snapshot"]
    details, snapshot = (message for _, message in heard)
    bid, offer = floor.best()
    depth = part(snapshot, "market_depth")
    assert (details.market_id, details.contract_id, details.expiry_date) == (ES, "ES", 20261200)
    assert (details.min_price_increment.value, details.point_value.value) == ("0.25", "50")
    assert snapshot.mode == depth.mode == enums.MARKET_MODE_OPEN
    assert (Decimal(depth.bids[0].price.value), Decimal(depth.offers[0].price.value)) == (bid, offer)
    assert (len(depth.bids), len(depth.offers)) == (10, 10)
    assert all(line.volume > 0 and line.num_orders == 2 for line in (*depth.bids, *depth.offers))
    limits = part(snapshot, "market_price_limits")
    assert Decimal(limits.low_price.value) < bid < Decimal(limits.high_price.value)
    assert part(snapshot, "market_settlement").settlement_price.value
    assert part(snapshot, "market_high_low").trade_date == 20775


def test_the_definition_comes_once_a_session(floor: Floor) -> None:
    client = floor.enter()
    client.subscribe()

    assert names(client.subscribe(buffer="SMART", levels="ALL")) == ["market_snapshot"]
    assert names(client.watch()) == ["market_by_order_snapshot"]
    assert names(floor.enter(app_name="other").watch()) == ["market_details", "market_by_order_snapshot"]


@pytest.mark.parametrize(("levels", "count"), [("BEST_ONLY", 1), ("NORMAL", 10), ("ALL", 30)])
def test_as_many_levels_come_as_are_asked_for(floor: Floor, levels: str, count: int) -> None:
    depth = part(floor.enter().subscribe(levels=levels)[1][1], "market_depth")

    assert (len(depth.bids), len(depth.offers)) == (count, count)


@pytest.mark.parametrize(
    ("fields", "mode"),
    [
        ({"market_id": "XCME_Eq NQ (Z26)"}, enums.MARKET_MODE_UNAVAILABLE),
        ({"market_id": ""}, enums.MARKET_MODE_UNAVAILABLE),
        ({"contract_id": "NQ"}, enums.MARKET_MODE_REJECTED),
        ({"exchange_id": "CME_C"}, enums.MARKET_MODE_REJECTED),
        ({"buffer": 77}, enums.MARKET_MODE_REJECTED),
        ({"depth_levels": 5}, enums.MARKET_MODE_REJECTED),
        ({"depth_levels": 0}, enums.MARKET_MODE_REJECTED),
        ({"buffer": -1}, enums.MARKET_MODE_REJECTED),
    ],
)
def test_what_cannot_be_subscribed_is_refused_with_a_mode(floor: Floor, fields: dict[str, Any], mode: int) -> None:
    asked = {"exchange_id": "CME_Eq", "contract_id": "ES", "market_id": ES, "buffer": 6, "depth_levels": 10, **fields}
    client = floor.enter()

    [(name, refusal)] = client.say(market_depth_subscribe=market.MarketDepthSubscribe(**asked))

    assert (name, refusal.market_id, refusal.mode) == ("market_depth_subscribe_reject", asked["market_id"], mode)
    assert client.session.depth == {}


@pytest.mark.parametrize("price_format", ["DECIMAL", "REAL", "CLEARING_DECIMAL"])
@pytest.mark.parametrize(
    ("market_id", "ticks", "points"),
    [
        (ES, ("25", "0.25", "0.25"), ("0.5", "50", "50")),
        (CL, ("1", "0.01", "1"), ("10", "1000", "10")),
        (ZN, ("15625", "0.015625", "0.015625"), ("0.001", "1000", "1000")),
    ],
)
def test_every_price_is_in_the_format_of_the_session(
    make_floor: Callable[..., Floor], market_id: str, ticks: tuple[str, ...], points: tuple[str, ...], price_format: str
) -> None:
    floor = make_floor(markets={market_id: default_markets()[market_id]})
    client = floor.enter(price_format=enums.PriceFormat.Value(f"PRICE_FORMAT_{price_format}"))
    place = ("DECIMAL", "REAL", "CLEARING_DECIMAL").index(price_format)

    (_, details), (_, snapshot) = client.subscribe(market_id=market_id)

    assert (details.min_price_increment.value, details.point_value.value) == (ticks[place], points[place])
    bid, _ = floor.best(market_id)
    scale = Decimal(floor.venue.config.markets[market_id].instrument.multiplier) / Decimal(points[place])
    assert Decimal(part(snapshot, "market_depth").bids[0].price.value) == bid * scale


def one_trade(floor: Floor, trader: Client, ticket: MakeTicket, volume: int = 1) -> None:
    trader.order(ticket("BUY", volume))


def test_all_gives_every_trade_and_every_book(floor: Floor, ticket: MakeTicket) -> None:
    trader, viewer = floor.trader(), floor.enter(app_name="viewer")
    viewer.subscribe(buffer="ALL")
    viewer.heard()

    one_trade(floor, trader, ticket, 2)

    heard = viewer.heard()
    assert names(heard) == ["market_depth", "market_depth", "market_high_low"]
    data = heard[1][1].trade_data
    assert (data.total_traded_volume, data.total_trade_count, data.last_trade_volume) == (2, 1, 2)
    assert data.at_bid_or_offer == enums.BID_OFFER_OFFER
    assert (data.last_trade_price.value, heard[2][1].high_price.value) == ("5956.25", "5956.25")


def test_conflated_books_come_at_once_when_the_best_prices_move_else_when_due(
    make_floor: Callable[..., Floor], ticket: MakeTicket
) -> None:
    floor = make_floor(smart_interval=0.2)
    trader, viewer = floor.trader(), floor.enter(app_name="viewer")
    viewer.subscribe(buffer="SMART")
    viewer.heard()
    bid, _ = floor.best()

    trader.order(ticket("BUY", 1, limit_price=bid - 1))
    assert viewer.heard_of("market_depth") == [], "too soon after the snapshot"
    floor.later(0.1)
    assert viewer.heard_of("market_depth") == []
    floor.later(0.1)
    assert len(viewer.heard_of("market_depth")) == 1
    trader.order(ticket("SELL", int(floor.venue.exchange.book(ES).bid_sizes[0])))
    [depth] = viewer.heard_of("market_depth")
    assert Decimal(depth.bids[0].price.value) == bid - Decimal("0.25")


@pytest.mark.parametrize(
    ("buffer", "seconds"), [("FAST_SMART", 0.05), ("SMART", 0.2), ("SLOW_SMART", 1), ("FAST_TRADE", 0.05)]
)
def test_each_buffer_has_its_pace(floor: Floor, ticket: MakeTicket, buffer: str, seconds: float) -> None:
    trader, viewer = floor.trader(), floor.enter(app_name="viewer")
    viewer.subscribe(buffer=buffer)
    trader.order(ticket("BUY", 1, limit_price="5900"))

    floor.later(seconds - 0.01)
    early = viewer.heard_of("market_depth")
    floor.later(0.02)

    assert (len(early), len(viewer.heard_of("market_depth"))) == (0, 1)


def test_slow_books_wait_whatever_moves(floor: Floor, ticket: MakeTicket) -> None:
    trader, viewer = floor.trader(), floor.enter(app_name="viewer")
    viewer.subscribe(buffer="SLOW_SMART")
    viewer.heard()

    one_trade(floor, trader, ticket, 60)
    assert viewer.heard_of("market_depth") == []
    floor.later(1)
    assert len(viewer.heard_of("market_depth")) == 1


@pytest.mark.parametrize("buffer", ["SLOW_TRADE", "SMART_TRADE", "FAST_TRADE", "TRADE_ONLY"])
def test_trade_buffers_print_every_trade(floor: Floor, ticket: MakeTicket, buffer: str) -> None:
    trader, viewer = floor.trader(), floor.enter(app_name="viewer")
    viewer.subscribe(buffer=buffer)
    viewer.heard()

    lots = floor.venue.exchange.book(ES).ask_sizes[0]
    one_trade(floor, trader, ticket, int(lots) + 1)
    floor.later(2)

    heard = viewer.heard()
    prints = [message for name, message in heard if name == "market_depth_trade"]
    assert [message.total_trade_count for message in prints] == [1, 2, 3], "two orders at the best, one behind"
    assert prints[-1].total_traded_volume == lots + 1
    assert sum(message.last_trade_volume for message in prints) == lots + 1
    assert list(prints[0].order_volumes) == [prints[0].last_trade_volume]
    assert ("market_depth" in names(heard)) is (buffer != "TRADE_ONLY")


def test_a_late_subscriber_is_told_of_the_last_trade(floor: Floor, ticket: MakeTicket) -> None:
    one_trade(floor, floor.trader(), ticket, 2)

    snapshot = floor.enter(app_name="viewer").subscribe()[1][1]

    assert part(snapshot, "market_depth_trade").total_traded_volume == 2
    assert part(snapshot, "market_depth").trade_data.last_trade_total_volume == 2
    assert part(snapshot, "market_settlement").vwap_price.value == "5956.25"


def test_unsubscribing_ends_it(floor: Floor, ticket: MakeTicket) -> None:
    trader, viewer = floor.trader(), floor.enter(app_name="viewer")
    viewer.subscribe()
    viewer.subscribe(buffer="NO_SUBSCRIPTION", levels="UNDEFINED")
    viewer.subscribe(buffer="NO_SUBSCRIPTION", levels="UNDEFINED")
    viewer.heard()

    one_trade(floor, trader, ticket)
    floor.later(2)

    assert viewer.heard() == []


def test_modes_change_on_command_and_are_told_with_a_book(floor: Floor, ticket: MakeTicket) -> None:
    trader, viewer = floor.trader(), floor.enter(app_name="viewer")
    viewer.subscribe(buffer="SLOW_SMART")
    viewer.heard()

    def mode() -> str:
        [depth] = viewer.heard_of("market_depth")
        return enums.MarketMode.Name(depth.mode).removeprefix("MARKET_MODE_")

    assert floor.fault("halt", instrument=ES) == 1
    assert mode() == "HALTED"
    assert trader.order(ticket())[-1].change == enums.ORDER_CHANGE_SUBMISSION_REJECTED
    floor.fault("mode", arguments={"mode": "pre_open"})
    assert mode() == "PRE_OPEN"
    floor.fault("resume")
    assert mode() == "OPEN"
    assert trader.order(ticket())[-1].change == enums.ORDER_CHANGE_TRADE_COMPLETED


def test_trade_only_is_told_no_books_even_when_the_mode_changes(floor: Floor) -> None:
    viewer = floor.enter()
    viewer.subscribe(buffer="TRADE_ONLY")
    viewer.heard()

    floor.fault("halt")

    assert viewer.heard() == []


def test_a_feed_that_is_back_gives_the_state_anew(floor: Floor) -> None:
    viewer = floor.enter()
    first = viewer.subscribe()[1][1]

    floor.fault("resnapshot")

    [again] = viewer.heard_of("market_snapshot")
    assert (first.due_to_connection, again.due_to_connection) == (False, True)
    assert part(again, "market_depth").bids == part(first, "market_depth").bids


def test_a_new_session_counts_from_nothing(floor: Floor, ticket: MakeTicket) -> None:
    trader, viewer = floor.trader(), floor.enter(app_name="viewer")
    one_trade(floor, trader, ticket, 3)
    viewer.subscribe(buffer="ALL")
    viewer.heard()

    floor.fault("new_session")
    one_trade(floor, trader, ticket, 1)

    volumes = [depth.trade_data.total_traded_volume for depth in viewer.heard_of("market_depth")]
    assert volumes == [0, 1, 1]


def test_faults_of_markets_need_markets_and_modes_that_exist(floor: Floor) -> None:
    with pytest.raises(ConfigError, match="no market 'NQ'"):
        floor.fault("halt", instrument="NQ")
    with pytest.raises(ConfigError, match="no market mode 'ASLEEP'"):
        floor.fault("mode", arguments={"mode": "asleep"})


class Mirror:
    """A book by order as a client keeps it."""

    def __init__(self, snapshot: Any) -> None:
        self.sequence = snapshot.last_sequence
        self.orders = {row.order_id: (row.bid_offer, row.price.value, row.volume) for row in snapshot.orders}
        self.gaps = 0

    def take(self, heard: list[tuple[str, Any]]) -> None:
        for name, message in heard:
            if name not in ("market_by_order_update", "market_by_order_trade"):
                continue
            self.gaps += message.sequence != self.sequence + 1
            self.sequence = message.sequence
            for row in message.updates if name == "market_by_order_update" else ():
                if row.update_type == market.MarketByOrderUpdate.UPDATE_TYPE_CLEAR:
                    self.orders.clear()
                elif row.update_type == market.MarketByOrderUpdate.UPDATE_TYPE_DELETE:
                    del self.orders[row.order_id]
                else:
                    self.orders[row.order_id] = (row.bid_offer, row.price.value, row.volume)


def test_changes_by_order_lead_from_one_whole_book_to_the_next(make_floor: Callable[..., Floor]) -> None:
    floor = make_floor(actions_per_second=300.0)
    client = floor.enter()
    mirror = Mirror(client.watch()[-1][1])

    for _ in range(100):
        floor.later(0.02)
    mirror.take(client.heard())
    again = Mirror(client.watch()[-1][1])

    assert mirror.gaps == 0
    assert mirror.sequence > 50
    assert (mirror.orders, mirror.sequence) == (again.orders, again.sequence)


def test_priorities_follow_the_queue(floor: Floor, ticket: MakeTicket) -> None:
    trader, viewer = floor.trader(), floor.enter(app_name="viewer")
    bid, _ = floor.best()
    trader.order(ticket("BUY", 5, limit_price=bid, max_show=1))
    first = viewer.watch()[-1][1]
    trader.order(ticket("BUY", 1, limit_price=bid))
    viewer.heard()
    lots = sum(row.volume for row in first.orders if Decimal(row.price.value) == bid and row.bid_offer == 1)

    trader.order(ticket("SELL", lots))

    book = viewer.watch()[-1][1]
    best = [row for row in book.orders if Decimal(row.price.value) == bid]
    assert [row.volume for row in best] == [1, 1], "the iceberg went to the back of the queue"
    assert best[0].order_id > best[1].order_id
    assert best[0].priority < best[1].priority


def test_trades_by_order_name_who_took_part(floor: Floor, ticket: MakeTicket) -> None:
    trader, viewer = floor.trader(), floor.enter(app_name="viewer")
    book = viewer.watch()[-1][1]
    maker = next(row for row in book.orders if row.bid_offer == enums.BID_OFFER_OFFER)

    one_trade(floor, trader, ticket)

    [trade] = viewer.heard_of("market_by_order_trade")
    assert (trade.trade_volume, trade.aggressor_side) == (1, enums.BID_OFFER_BID)
    assert [row.bid_offer for row in trade.orders] == [enums.BID_OFFER_OFFER, enums.BID_OFFER_BID]
    assert trade.orders[0].order_id == maker.order_id


def test_a_gap_by_order_can_be_commanded_and_a_new_subscription_heals_it(floor: Floor, ticket: MakeTicket) -> None:
    trader, viewer = floor.trader(), floor.enter(app_name="viewer")
    mirror = Mirror(viewer.watch()[-1][1])
    floor.fault("mbo_gap", instrument=ES)
    for _ in range(2):
        trader.order(ticket("BUY", 1, limit_price="5900"))
    mirror.take(viewer.heard())
    assert mirror.gaps == 1

    viewer.watch(subscribe=False)
    healed = Mirror(viewer.watch()[-1][1])

    assert len(healed.orders) == len(mirror.orders) + 1


def test_a_cleared_book_is_given_anew(floor: Floor) -> None:
    viewer = floor.enter()
    mirror = Mirror(viewer.watch()[-1][1])
    before = dict(mirror.orders)

    floor.fault("mbo_clear")

    heard = viewer.heard()
    assert heard[0][1].updates[0].update_type == market.MarketByOrderUpdate.UPDATE_TYPE_CLEAR
    mirror.take(heard)
    assert (mirror.orders, mirror.gaps) == (before, 0)


def test_what_nobody_watches_by_order_is_not_told(floor: Floor, ticket: MakeTicket) -> None:
    trader, viewer = floor.trader(), floor.enter(app_name="viewer")
    viewer.watch()
    viewer.watch(subscribe=False)
    viewer.watch(subscribe=False)
    viewer.heard()

    one_trade(floor, trader, ticket)
    floor.fault("mbo_clear")

    assert viewer.heard() == []


def test_watching_what_is_not_there_is_refused(floor: Floor) -> None:
    [(name, refusal)] = floor.enter().watch(market_id=ES, contract_id="NQ")

    assert (name, refusal.mode) == ("market_by_order_subscribe_reject", enums.MARKET_MODE_REJECTED)


def test_several_viewers_are_told_the_same(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    viewers = [floor.enter(app_name=name) for name in ("one", "two", "three")]
    for viewer in viewers:
        viewer.watch()
        viewer.subscribe(buffer="FAST_TRADE")
        viewer.heard()
    viewers.pop().watch(subscribe=False)

    trader.order(ticket("BUY", 3))
    floor.later(1)
    trader.order(ticket("BUY", 3, limit_price="5900", time_type=3))  # It changes no book.

    first, second = (viewer.tap.frames for viewer in viewers)
    assert first == second
    assert {"market_depth", "market_depth_trade", "market_by_order_update"} <= set(names(viewers[0].heard()))


def test_sessions_with_different_formats_see_one_book(floor: Floor, ticket: MakeTicket) -> None:
    trader = floor.trader()
    real, raw = floor.enter(app_name="real"), floor.enter(app_name="raw", price_format=0)
    for client in (real, raw):
        client.watch()
        client.subscribe(buffer="ALL")
        client.heard()

    one_trade(floor, trader, ticket)

    (mine,), (theirs,) = real.heard_of("market_by_order_trade"), raw.heard_of("market_by_order_trade")
    assert (mine.trade_price.value, theirs.trade_price.value) == ("5956.25", "595625")
