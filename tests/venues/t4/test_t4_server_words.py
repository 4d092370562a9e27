"""What the venue says, read back with the plain schema."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.model.events import BookSnapshot, Quote, Side, Trade
from strategykit.model.instruments import Instrument
from strategykit.venues.t4 import server_by_order as by_order
from strategykit.venues.t4 import server_market as market
from strategykit.venues.t4 import server_orders as orders
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto import orderrouting_pb2 as routing
from strategykit.venues.t4.proto.service_pb2 import ServerMessage
from strategykit.venues.t4.server import encode, encode_heartbeat, encode_login_refusal, encode_token
from strategykit.venues.t4.server_prices import ListedMarket, PriceWords, read_decimal
from strategykit.venues.t4.times import read_time, write_time

D = Decimal
NOW: Final = 1_700_000_000_123_456_789
FORMATS: Final = (enums.PRICE_FORMAT_DECIMAL, enums.PRICE_FORMAT_REAL, enums.PRICE_FORMAT_CLEARING_DECIMAL)

FRAMES: Final = {
    row["name"]: bytes.fromhex(row["hex"])
    for row in json.loads((Path(__file__).parents[2] / "data" / "t4" / "frames.json").read_text("utf-8"))["frames"]
    if row["from"] == "server"
}


def listed(**more: Any) -> ListedMarket:
    instrument = Instrument("M1", D("0.25"), multiplier=D(50), currency="USD", exchange="CME_Eq")
    given = {"decimal_scale": D(100), "clearing_scale": D(1000), "clearing_decimals": 1, **more}
    return ListedMarket(instrument=instrument, contract_id="ES", expiry_date=202612_00, **given)


REAL = PriceWords(listed(), enums.PRICE_FORMAT_REAL)


def order(**more: Any) -> orders.ServedOrder:
    given = {
        "unique_id": "U1",
        "account_id": "A1",
        "market_id": "M1",
        "exchange_id": "CME_Eq",
        "user_id": "u1",
        "user_name": "u",
        "session_id": "s1",
        "app_name": "a",
        "buy_sell": enums.BUY_SELL_SELL,
        "price_type": enums.PRICE_TYPE_LIMIT,
        "time_type": enums.TIME_TYPE_NORMAL,
        "link": enums.ORDER_LINK_NONE,
        "activation_type": enums.ACTIVATION_TYPE_IMMEDIATE,
        "submitted": NOW,
        **more,
    }
    return orders.ServedOrder(**given)


def test_the_documented_depth_is_worded_alike() -> None:
    book = BookSnapshot("M1", (5954.25,), (3.0,), (5954.5,), (2.0,), NOW, NOW, "")
    message = market.depth(
        book,
        ([1], [0]),
        REAL,
        levels=enums.DEPTH_LEVELS_BEST_ONLY,
        buffer=enums.DEPTH_BUFFER_SMART,
        mode=enums.MARKET_MODE_OPEN,
        totals=market.TradeTotals(),
        time=0,
    )
    message.ClearField("time")

    assert encode(market_depth=message) == FRAMES[next(name for name in FRAMES if name.startswith("depth"))]


def test_the_documented_refusal_is_worded_alike() -> None:
    assert encode_login_refusal(enums.LOGIN_RESULT_UNKNOWN, "") == FRAMES["login result −1"]


def test_levels_come_best_first_and_no_more_than_asked_for() -> None:
    book = BookSnapshot("M1", (3.0, 2.0, 1.0), (1.0,) * 3, (4.0, 5.0, 6.0), (1.0,) * 3, NOW, NOW, "")

    def prices(levels: enums.DepthLevels) -> tuple[list[str], list[str]]:
        message = market.depth(
            book,
            ([1] * 3, [1] * 3),
            REAL,
            levels=levels,
            buffer=enums.DEPTH_BUFFER_ALL,
            mode=enums.MARKET_MODE_OPEN,
            totals=market.TradeTotals(),
            time=NOW,
        )
        return [line.price.value for line in message.bids], [line.price.value for line in message.offers]

    assert prices(enums.DEPTH_LEVELS_BEST_ONLY) == (["3.00"], ["4.00"])
    assert prices(enums.DEPTH_LEVELS_ALL) == (["3.00", "2.00", "1.00"], ["4.00", "5.00", "6.00"])


def test_totals_count_volume_trades_and_the_run_at_one_price() -> None:
    totals = market.TradeTotals()
    assert market.depth_trade(totals, REAL, enums.MARKET_MODE_OPEN) is None
    for price, side in ((10.0, Side.BUY), (10.0, Side.BUY), (9.75, Side.SELL), (9.75, None)):
        totals.add(Trade("M1", price, 2.0, side, None, None, NOW, ""))

    message = market.depth_trade(totals, REAL, enums.MARKET_MODE_OPEN)

    assert message is not None
    assert (message.total_traded_volume, message.total_trade_count, totals.run) == (8, 4, 4)
    assert message.at_bid_or_offer == enums.BID_OFFER_UNDEFINED
    assert market.side_hit(Side.SELL) == enums.BID_OFFER_BID


def test_unknown_figures_are_left_out() -> None:
    quote = Quote("M1", None, None, None, None, None, NOW, NOW, "")

    figures = market.high_low(quote, REAL, trade_date=1, time=NOW)
    settled = market.settlement(quote, REAL, vwap=None, settled=NOW)

    assert not figures.HasField("open_price")
    assert not settled.HasField("settlement_price")
    assert not settled.HasField("vwap_price")


def test_variable_ticks_and_last_days_are_in_the_definition() -> None:
    whole = market.details(PriceWords(listed(vtt="5;P>500=25;"), enums.PRICE_FORMAT_DECIMAL), NOW)

    assert (whole.vtt, whole.min_price_increment.value, whole.point_value.value) == ("5;P>500=25;", "25", "0.5")
    assert whole.last_trading_date.ToJsonString() == "2026-12-15T21:00:00Z"
    assert whole.activation_date.ToJsonString() == "2025-12-01T00:00:00Z"


@pytest.mark.parametrize(
    ("price_format", "text", "average"),
    [
        (enums.PRICE_FORMAT_DECIMAL, "595475", "595412.5"),
        (enums.PRICE_FORMAT_REAL, "5954.75", "5954.125"),
        (enums.PRICE_FORMAT_CLEARING_DECIMAL, "5954750.0", "5954125"),
    ],
)
def test_each_format_has_its_own_numbers(price_format: enums.PriceFormat, text: str, average: str) -> None:
    words = PriceWords(listed(), price_format)

    assert words.text(5954.75) == words.text(5954.7499999) == text
    price = words.price(D("5954.75"))
    assert price is not None
    assert price.value == text
    assert words.exact(D("5954.125")) == average
    assert words.read(D(text)) == D("5954.75")
    assert words.price(None) is None


@settings(max_examples=100, deadline=None)
@given(ticks=st.integers(-(10**7), 10**7), price_format=st.sampled_from(FORMATS))
def test_prices_survive_being_written_and_read(ticks: int, price_format: enums.PriceFormat) -> None:
    words, price = PriceWords(listed(), price_format), D("0.25") * ticks

    for text in (words.text(float(price)), words.exact(price)):
        read = read_decimal(text)
        assert read is not None
        assert words.read(read) == price


@settings(max_examples=100, deadline=None)
@given(time=st.integers(-(10**18), 4 * 10**18))
def test_times_are_cut_to_a_hundred_nanoseconds(time: int) -> None:
    stamp = write_time(time)

    assert 0 <= stamp.nanos < 10**9
    assert 0 <= time - read_time(Timestamp.FromString(stamp.SerializeToString())) < 100


def test_orders_are_told_whole_and_by_change() -> None:
    fill = orders.OrderTrade(trade_id="T1", volume=1, price=D("10.25"), left=1, time=NOW, sequence=4)
    leg = orders.OrderTrade(trade_id="L1", volume=1, price=D("10.25"), left=0, time=NOW, sequence=5, leg=2)
    served = order(new_limit=D("10.50"), new_volume=2, tag="t", relation_id="b1", trades=[fill, leg])
    served.settle_new()

    whole, status = orders.order_whole(served, REAL), orders.order_status(served, REAL)

    assert (whole.buy_sell, whole.tag_relation_id, whole.current_limit_price.value) == (-1, "b1", "10.50")
    assert not whole.HasField("current_stop_price")
    assert [each.exchange_trade_id for each in whole.trades] == ["T1"]
    assert [(each.exchange_trade_id, each.leg_index) for each in whole.trade_legs] == [("L1", 2)]
    assert (status.tag, status.current_volume, read_time(whole.submit_time)) == ("t", 2, NOW // 100 * 100)


def test_fills_of_legs_leave_the_order_as_it_is() -> None:
    trade = orders.OrderTrade(trade_id="L1", volume=3, price=D("10.25"), left=0, time=NOW, sequence=5, leg=1)

    message = orders.order_trade_leg(order(), trade, REAL)

    assert (message.status, message.response_pending) == (enums.ORDER_STATUS_NO_CHANGE, 5)
    assert (message.leg_index, message.volume, message.price.value) == (1, 3, "10.25")


def test_the_documented_group_is_worded_alike() -> None:
    status = routing.OrderUpdateStatus(
        unique_id="U1",
        change=enums.ORDER_CHANGE_SUBMISSION_SUCCESS,
        status=enums.ORDER_STATUS_WORKING,
        working_volume=2,
    )
    group = orders.multi("A1", "M1", [routing.OrderUpdateMultiMessage(order_update_status=status)])

    assert encode(order_update_multi=group) == FRAMES[next(name for name in FRAMES if name.startswith("multi"))]


def test_batches_are_answered_in_their_order() -> None:
    done = orders.batch_acknowledge("b", [("A1", "M1", ["U1", "U2"]), ("A2", "M2", [])])
    fault = orders.BatchFault(submission=1, order=-1, account_id="A2", market_id="M2", reason="no")
    refused = orders.batch_reject("b", "no", [fault])

    assert [list(row.unique_id) for row in done.accepted] == [["U1", "U2"], []]
    assert (refused.errors[0].submission_index, refused.errors[0].order_index) == (1, -1)


def test_books_by_order_say_who_stands_where() -> None:
    bid = by_order.Standing(7, Side.BUY, 10.0, 3, 1)
    offer = by_order.Standing(8, Side.SELL, 10.25, 2, 2)
    changes = [by_order.Change(), by_order.Change(added=bid), by_order.Change(deleted=offer)]

    whole = by_order.by_order_snapshot([bid, offer], REAL, mode=enums.MARKET_MODE_OPEN, sequence=5, time=NOW)
    update = by_order.by_order_update(changes, REAL, mode=enums.MARKET_MODE_OPEN, sequence=6, time=NOW)
    unknown = by_order.by_order_trade(Trade("M1", 10.0, 1.0, None, None, None, NOW, ""), REAL, sequence=7)

    assert [(row.order_id, row.bid_offer, row.priority) for row in whole.orders] == [(7, 1, 1), (8, -1, 2)]
    assert [row.update_type for row in update.updates] == [2, 0, 1]
    assert (whole.last_sequence, update.sequence, unknown.sequence) == (5, 6, 7)
    assert (unknown.aggressor_side, list(unknown.orders)) == (enums.BID_OFFER_UNDEFINED, [])


def test_heartbeats_and_tokens() -> None:
    beat = ServerMessage.FromString(encode_heartbeat(NOW)).heartbeat
    token = ServerMessage.FromString(encode_token("r1", token="T", expires=NOW)).authentication_token
    failed = ServerMessage.FromString(encode_token("r2", failure="no")).authentication_token

    assert beat.timestamp == NOW // 10**6
    assert (token.request_id, token.token, token.HasField("fail_message")) == ("r1", "T", False)
    assert (failed.request_id, failed.fail_message, failed.HasField("token")) == ("r2", "no", False)
