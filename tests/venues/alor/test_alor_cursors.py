"""What a subscription's memory does: repeats are told apart, parts are merged, bars are closed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from strategykit.errors import LocalProtocolError, RemoteProtocolError
from strategykit.model.events import Bar, Fill, InstrumentUpdate, OrderStatus, OrderUpdate, Side, Trade, VenueStatus
from strategykit.venues.alor.bars import BarCursor
from strategykit.venues.alor.dialect import Alor
from strategykit.venues.alor.memory import REMEMBERED, LastTold, TradeMemory
from strategykit.venues.alor.parsing import FrameCursor
from strategykit.venues.streams import Stream, StreamKind

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
TEN = 1_773_309_600
"""10 o'clock, seconds UTC."""
SIMPLE = Alor(format="Simple")
SLIM = Alor(format="Slim")


def cursor_of(kind: StreamKind, dialect: Alor = SIMPLE) -> FrameCursor:
    interval = MINUTE if kind is StreamKind.BARS else None
    return dialect.cursor("g", Stream(kind=kind, instrument="GAZP", account="D12345", interval=interval))


def feed(cursor: FrameCursor, data: dict[str, Any], now: int = TEN * SECOND) -> Sequence[Any]:
    return cursor.decode(json.dumps({"data": data, "guid": "g"}), now)


def trade(number: int, *, existing: bool = False, **more: Any) -> dict[str, Any]:
    return {"id": number, "qty": 1, "price": 5.5, "side": "buy", "existing": existing, **more}


# Trades


def test_a_trade_counts_once_whether_live_or_replayed() -> None:
    cursor = cursor_of(StreamKind.TRADES)
    first = [len(feed(cursor, trade(number, existing=number < 3))) for number in (1, 2, 3, 5)]
    cursor.reconnected()
    again = [[event.trade_id for event in feed(cursor, trade(number, existing=True))] for number in (2, 3, 4, 5, 6, 6)]

    assert first == [1, 1, 1, 1]
    # 4 came late: it is new, though larger ids were told.
    assert again == [[], [], [4], [], [6], []]


def test_replayed_trades_are_marked() -> None:
    cursor = cursor_of(StreamKind.TRADES)
    (past,), (live,) = feed(cursor, trade(1, existing=True)), feed(cursor, trade(2))
    assert isinstance(past, Trade)
    assert (past.snapshot, live.snapshot) == (True, False)


def test_trades_are_frozen_under_development() -> None:
    script = """
import attrs
from strategykit.model.events import Trade
from strategykit.venues.alor.dialect import Alor
from strategykit.venues.streams import Stream, StreamKind
cursor = Alor(format="Simple").cursor("g", Stream(kind=StreamKind.TRADES, instrument="GAZP"))
(trade,) = cursor.decode('{"data":{"id":1,"qty":2,"price":3,"timestamp":4,"side":"buy"},"guid":"g"}', 5)
assert type(trade) is Trade, trade
try:
    trade.price = 6.0
except attrs.exceptions.FrozenInstanceError:
    print(trade)
"""
    shown = []
    for flags in ([], ["-X", "dev"]):
        done = subprocess.run([sys.executable, *flags, "-c", script], capture_output=True, text=True, check=True)
        shown.append(done.stdout)
    (plain,) = feed(cursor_of(StreamKind.TRADES), {"id": 1, "qty": 2, "price": 3, "timestamp": 4, "side": "buy"}, 5)
    # Without the flag nothing stops a hand that changes what type checkers call frozen.
    assert shown == ["", f"{plain}\n"]


@pytest.mark.parametrize(
    ("word", "side"), [("BUY", Side.BUY), ("Sell", Side.SELL), ("both", None), (None, None), ("", None)]
)
def test_a_side_is_read_in_any_case_and_unknown_where_it_is_none(word: str | None, side: Side | None) -> None:
    (event,) = feed(cursor_of(StreamKind.TRADES), trade(1, side=word))
    assert event.side is side


@pytest.mark.parametrize("spoilt", [{"price": 0}, {"qty": 0}, {"qty": -1}, {"timestamp": -1}, {"timestamp": 10**15}])
def test_a_trade_that_cannot_be_is_refused(spoilt: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError):
        feed(cursor_of(StreamKind.TRADES), trade(1) | spoilt)


def test_a_refused_trade_is_not_remembered() -> None:
    cursor = cursor_of(StreamKind.TRADES)
    with pytest.raises(RemoteProtocolError):
        feed(cursor, trade(1, price=0))
    assert len(feed(cursor, trade(1))) == 1


def test_the_memory_of_trades_is_bounded_and_keeps_the_newest() -> None:
    memory = TradeMemory()
    for number in range(3 * REMEMBERED):
        memory.append(number)
    assert not memory.add(3 * REMEMBERED - 1)
    assert not memory.add(2 * REMEMBERED + REMEMBERED // 2)
    # Ids that keep coming out of order are bounded too.
    assert all(memory.add(-number) for number in range(1, 2 * REMEMBERED))
    assert not memory.add(1 - 2 * REMEMBERED)
    assert len(memory._seen) <= REMEMBERED + 1


def test_the_memory_of_states_is_bounded_and_keeps_the_newest() -> None:
    told = LastTold()
    for number in range(2 * REMEMBERED):
        assert told.add(str(number), "state")
        assert told.add("0", number)  # An old key that stays alive is never the oldest.
    assert not told.add("0", 2 * REMEMBERED - 1)
    assert not told.add(str(2 * REMEMBERED - 1), "state")
    assert told.add("1", "state")
    assert len(told._told) <= REMEMBERED + 1


# Quotes and books


def test_a_price_of_zero_is_no_price() -> None:
    quote = {"bid": 0, "ask": 0.0, "last_price": 0, "bid_vol": 0, "ask_vol": None, "low_price": None}
    (event,) = feed(cursor_of(StreamKind.QUOTES), quote)
    assert (event.bid, event.ask, event.last, event.low) == (None, None, None, None)
    assert (event.bid_size, event.ask_size) == (0.0, None)


def test_the_low_of_a_slim_quote_is_read_under_both_its_names() -> None:
    cursor = cursor_of(StreamKind.QUOTES, SLIM)
    assert feed(cursor, {"l": 1.5})[0].low == 1.5
    assert feed(cursor, {"le": 1.5})[0].low == 1.5


def test_an_empty_book_is_a_book() -> None:
    (book,) = feed(cursor_of(StreamKind.BOOK), {"bids": [], "asks": []})
    assert (book.bid_prices, book.ask_sizes, book.event_time, book.snapshot) == ((), (), None, False)


@pytest.mark.parametrize("kind", [StreamKind.QUOTES, StreamKind.BOOK, StreamKind.POSITIONS, StreamKind.SUMMARY])
def test_streams_of_state_tell_it_again_after_a_reconnect(kind: StreamKind) -> None:
    data = {"bids": [], "asks": [], "symbol": "GAZP", "qtyUnits": 0, "portfolioEvaluation": 5}
    cursor = cursor_of(kind)
    before = feed(cursor, data)
    cursor.reconnected()
    assert len(before) == len(feed(cursor, data)) == 1


# Bars


def bar(minute: int, close: float = 5.0) -> dict[str, Any]:
    return {"time": TEN + 60 * minute, "open": 5, "high": 6, "low": 4, "close": close, "volume": 10}


def shown(events: Sequence[Bar]) -> list[tuple[int, bool, bool, float]]:
    return [((event.open_time // SECOND - TEN) // 60, event.closed, event.snapshot, event.close) for event in events]


def test_each_frame_is_a_forming_bar_and_the_next_one_closes_it() -> None:
    cursor = cursor_of(StreamKind.BARS)
    now = TEN * SECOND
    assert shown(feed(cursor, bar(0, 4.5), now + 5 * SECOND)) == [(0, False, False, 4.5)]
    assert shown(feed(cursor, bar(0, 5.5), now + 50 * SECOND)) == [(0, False, False, 5.5)]
    closing, forming = feed(cursor, bar(2), now + 125 * SECOND)
    assert shown([closing, forming]) == [(0, True, False, 5.5), (2, False, False, 5.0)]
    assert closing.receive_time == now + 125 * SECOND


def test_history_is_marked_until_the_running_interval() -> None:
    cursor = cursor_of(StreamKind.BARS)
    now = (TEN + 130) * SECOND
    told = [shown(feed(cursor, bar(minute), now)) for minute in (0, 1, 2)]
    told.append(shown(feed(cursor, bar(3), now + MINUTE)))

    assert told == [
        [(0, False, True, 5.0)],
        [(0, True, True, 5.0), (1, False, True, 5.0)],
        [(1, True, True, 5.0), (2, False, False, 5.0)],
        [(2, True, False, 5.0), (3, False, False, 5.0)],
    ]


def test_a_second_frame_of_a_bar_ends_the_history_even_if_our_clock_is_ahead() -> None:
    cursor = cursor_of(StreamKind.BARS)
    ahead = (TEN + 600) * SECOND
    told = [shown(feed(cursor, each, ahead)) for each in (bar(0), bar(1), bar(1, 5.5), bar(2))]

    assert told[1] == [(0, True, True, 5.0), (1, False, True, 5.0)]
    assert told[2] == [(1, False, False, 5.5)]
    assert told[3] == [(1, True, False, 5.5), (2, False, False, 5.0)]


def test_bars_of_an_outage_come_once_and_as_history() -> None:
    cursor = cursor_of(StreamKind.BARS)
    assert isinstance(cursor, BarCursor)
    feed(cursor, bar(0), TEN * SECOND)
    feed(cursor, bar(1), (TEN + 70) * SECOND)
    cursor.reconnected()
    assert cursor.last_open == (TEN + 60) * SECOND
    now = (TEN + 250) * SECOND
    told = [shown(feed(cursor, each, now)) for each in (bar(0), bar(1, 5.5), bar(2), bar(4), bar(4, 5.5))]

    assert told == [
        [],
        [(1, False, True, 5.5)],
        [(1, True, True, 5.5), (2, False, True, 5.0)],
        [(2, True, True, 5.0), (4, False, False, 5.0)],
        [(4, False, False, 5.5)],
    ]


def test_a_closed_bar_stays_closed() -> None:
    cursor = cursor_of(StreamKind.BARS)
    feed(cursor, bar(0))
    feed(cursor, bar(1))
    assert feed(cursor, bar(0, 4.5)) == ()


@pytest.mark.parametrize("spoilt", [{"open": 7}, {"close": 3}, {"low": 0, "open": 0}, {"volume": -1}, {"time": -1}])
def test_a_bar_that_cannot_be_is_refused(spoilt: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError):
        feed(cursor_of(StreamKind.BARS), bar(0) | spoilt)


@pytest.mark.parametrize("interval", [None, 0, SECOND // 2, MINUTE + 1])
def test_bars_need_an_interval_of_whole_seconds(interval: int | None) -> None:
    with pytest.raises(LocalProtocolError, match="interval"):
        SIMPLE.cursor("g", Stream(kind=StreamKind.BARS, instrument="GAZP", interval=interval))


# Trading status


def test_partial_statuses_are_merged() -> None:
    cursor = cursor_of(StreamKind.INSTRUMENT)
    feed(cursor, {"symbol": "GAZP", "tradingStatus": 17, "priceMin": 1, "priceMax": 2, "exchange": "MOEX"})
    (update,) = feed(cursor, {"symbol": "GAZP", "tradingStatus": 18, "priceMax": None})
    assert type(update) is InstrumentUpdate
    assert (update.trading_status, update.trading) == (18, False)
    assert (update.price_min, update.price_max) == (Decimal(1), Decimal(2))


def test_what_was_known_before_an_outage_is_not_trusted_after_it() -> None:
    cursor = cursor_of(StreamKind.INSTRUMENT)
    feed(cursor, {"symbol": "GAZP", "priceMin": 1})
    cursor.reconnected()
    (update,) = feed(cursor, {"symbol": "GAZP", "tradingStatus": 5})
    assert (update.price_min, update.trading_status, update.trading) == (None, 5, None)


def test_clusters_are_handed_on_as_they_are() -> None:
    cursor = SIMPLE.cursor("g", Stream(kind=StreamKind.CLUSTERS, instrument="GAZP", interval=MINUTE))
    cursor.reconnected()
    (event,) = feed(cursor, {"t": 1, "x": [1.5]})
    assert isinstance(event, VenueStatus)
    assert (event.status, event.instrument) == ('{"t":1,"x":[1.5]}', "GAZP")
    with pytest.raises(RemoteProtocolError):
        cursor.decode('{"data":[],"guid":"g"}', 0)


# Orders and fills


def order(**more: Any) -> dict[str, Any]:
    return {
        "id": "1", "symbol": "GAZP", "side": "BUY", "status": "Working", "type": "limit", "qtyBatch": 5,
        "filledQtyBatch": 0, "price": 10, "existing": False,
    } | more  # fmt: skip


def test_a_replayed_state_of_an_order_is_told_only_if_it_is_news() -> None:
    cursor = cursor_of(StreamKind.ORDERS)
    told = [feed(cursor, order()), feed(cursor, order(filledQtyBatch=2))]
    cursor.reconnected()
    told.append(feed(cursor, order(filledQtyBatch=2, existing=True)))
    told.append(feed(cursor, order(filledQtyBatch=2, status="canceled", existing=True)))
    told.append(feed(cursor, order(id="2", existing=True)))

    assert [len(events) for events in told] == [1, 1, 0, 1, 1]
    (ended,) = told[3]
    assert isinstance(ended, OrderUpdate)
    assert (ended.status, ended.filled, ended.snapshot) == (OrderStatus.CANCELLED, Decimal(2), True)


def test_a_change_of_price_in_place_is_news() -> None:
    cursor = cursor_of(StreamKind.ORDERS)
    feed(cursor, order())
    assert len(feed(cursor, order(price=11))) == 1
    assert len(feed(cursor, order(price=11))) == 0


@pytest.mark.parametrize(
    ("row", "price"),
    [
        (order(type="market", price=0), None),
        (order(type="market", price=5), None),
        (order(type=None, price=0), None),
        (order(type=None, price=5), 5),
        (order(type="limit", price=0), 0),
        (order(type="limit", price=None), None),
    ],
)
def test_only_a_limit_is_a_price(row: dict[str, Any], price: int | None) -> None:
    (update,) = feed(cursor_of(StreamKind.ORDERS), row)
    assert update.price == price


def test_the_times_and_names_that_lack_are_filled_from_what_is_known() -> None:
    cursor = cursor_of(StreamKind.ORDERS)
    placed = "2026-03-12T09:15:06.9512340Z"
    (update,) = feed(cursor, order(transTime=placed, updateTime=None, comment="", id=5))
    assert update.event_time == 1773306906951234000
    assert (update.client_order_id, update.venue_order_id, update.account) == (None, "5", "D12345")
    (update,) = feed(cursor, order(id=6, transTime=placed, updateTime="2026-03-12T09:15:07", portfolio="D9"))
    assert (update.event_time, update.account) == (1773306907000000000, "D9")
    (update,) = feed(cursor, order(id=7, iceberg={"visibleQuantityBatch": 2}))
    assert (update.event_time, update.display_quantity) == (None, 2)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"side": "both"},
        {"status": "done"},
        {"qtyBatch": None},
        {"qtyBatch": -1},
        {"filledQtyBatch": None},
        {"price": "NaN"},
        {"price": 1e200},
        {"price": "1e-200"},
        {"transTime": "yesterday"},
        {"transTime": "2026-02-30T00:00:00Z"},
        {"transTime": "1969-01-01T00:00:00Z"},
        {"transTime": "2300-01-01T00:00:00Z"},
    ],
)
def test_an_order_that_cannot_be_is_refused(spoilt: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError):
        feed(cursor_of(StreamKind.ORDERS), order() | spoilt)


def test_lots_of_the_deprecated_fields_are_lots_and_pieces_never_are() -> None:
    (update,) = feed(cursor_of(StreamKind.ORDERS), order(qtyBatch=None, qty=5, filledQtyBatch=None, filled=2))
    assert (update.quantity, update.filled) == (5, 2)
    slim = {"id": "1", "sym": "GAZP", "s": "buy", "st": "working", "t": "stop", "pxs": 9, "q": 50, "fqb": 0}
    with pytest.raises(RemoteProtocolError, match="no quantity in lots"):
        feed(cursor_of(StreamKind.STOP_ORDERS, SLIM), slim)
    (update,) = feed(cursor_of(StreamKind.STOP_ORDERS, SLIM), slim | {"exp": None, "q": 5, "e": True})
    assert (update.quantity, update.stop_price, update.price, update.snapshot) == (5, 9, None, True)


def test_a_triggered_stop_names_its_order_as_text_or_number() -> None:
    row = order(type="stoplimit", stopPrice=9, error="too late")
    for number in ("58", 58):
        (update,) = feed(cursor_of(StreamKind.STOP_ORDERS), row | {"exchangeOrderId": number})
        assert (update.linked_order_id, update.reason) == ("58", "too late")


def fill(**more: Any) -> dict[str, Any]:
    return {"id": "7", "orderno": "1", "symbol": "GAZP", "side": "buy", "qtyBatch": 2, "price": 10} | more


def test_a_fill_counts_once_however_often_it_is_told() -> None:
    cursor = cursor_of(StreamKind.FILLS)
    told = [len(feed(cursor, fill())), len(feed(cursor, fill())), len(feed(cursor, fill(id=7, existing=True)))]
    cursor.reconnected()
    told.append(len(feed(cursor, fill(existing=True))))
    assert told == [1, 0, 0, 0]


def test_both_sides_of_a_trade_can_be_ours() -> None:
    cursor = cursor_of(StreamKind.FILLS)
    (bought,), (sold,) = feed(cursor, fill()), feed(cursor, fill(orderno="2", side="sell"))
    assert isinstance(bought, Fill)
    assert (bought.side, sold.side) == (Side.BUY, Side.SELL)


@pytest.mark.parametrize("spoilt", [{"qtyBatch": 0}, {"qtyBatch": None, "qtyUnits": 20}, {"side": ""}, {"price": None}])
def test_a_fill_that_cannot_be_is_refused(spoilt: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError):
        feed(cursor_of(StreamKind.FILLS), fill() | spoilt)


# Positions and money


def test_a_position_is_counted_in_lots_and_money_in_money() -> None:
    cursor = cursor_of(StreamKind.POSITIONS)
    (short,) = feed(cursor, {"symbol": "GAZP", "qtyUnits": -40, "lotSize": 10, "avgPrice": 0})
    assert (short.quantity, short.lot, short.average_price, short.account) == (-4, 10, None, "D12345")
    (cash,) = feed(cursor, {"symbol": "RUB", "qtyUnits": 10.5, "lotSize": 0, "isCurrency": True, "portfolio": "D9"})
    assert (str(cash.quantity), cash.lot, cash.is_currency, cash.account) == ("10.5", None, True, "D9")
    (flat,) = feed(cursor, {"symbol": "LKOH", "qtyUnits": 0})
    assert flat.quantity == 0


@pytest.mark.parametrize("spoilt", [{"lotSize": None}, {"lotSize": 0}, {"lotSize": -1}, {"qtyUnits": None}])
def test_a_position_without_its_lot_is_refused(spoilt: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError):
        feed(cursor_of(StreamKind.POSITIONS), {"symbol": "GAZP", "qtyUnits": 40, "lotSize": 10} | spoilt)


def test_the_currencies_of_a_slim_summary_are_read_under_both_their_names() -> None:
    cursor = cursor_of(StreamKind.SUMMARY, SLIM)
    listed = [{"cr": "RUB", "bp": 5}, {"cr": "USD", "bp": None}]
    assert feed(cursor, {"pe": 1, "bpv2": listed})[0].by_currency == (("RUB", 5),)
    assert feed(cursor, {"pe": 1, "bp2v": listed})[0].by_currency == (("RUB", 5),)
    assert feed(cursor, {"pe": None})[0].by_currency == ()
    with pytest.raises(RemoteProtocolError):
        feed(cursor, {})


def test_risks_without_their_sums_say_so() -> None:
    (risk,) = feed(cursor_of(StreamKind.SPECTRA_RISK), {"moneyFree": 5})
    assert (risk.profit, risk.cash, risk.account) == (None, None, "D12345")
    (risk,) = feed(cursor_of(StreamKind.RISK), {"portfolioEvaluation": 5, "portfolio": "D9"})
    assert (risk.status, risk.event_time, risk.account) == (None, None, "D9")


@pytest.mark.parametrize("kind", [StreamKind.RISK, StreamKind.SPECTRA_RISK, StreamKind.POSITIONS])
def test_accounts_survive_a_reconnect(kind: StreamKind) -> None:
    cursor = cursor_of(kind)
    cursor.reconnected()
    data = {"portfolioEvaluation": 5, "moneyFree": 5, "symbol": "GAZP", "qtyUnits": 0}
    assert len(feed(cursor, data)) == 1


@pytest.mark.parametrize("kind", [StreamKind.TRADES, StreamKind.ORDERS])
def test_a_stream_names_what_it_is_of(kind: StreamKind) -> None:
    with pytest.raises(LocalProtocolError, match="needs an"):
        SIMPLE.cursor("g", Stream(kind=kind))


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (StreamKind.TRADES, {"id": "x", "qty": 1, "price": 1}),
        (StreamKind.QUOTES, {"bid": "x"}),
        (StreamKind.BOOK, {"bids": [{"price": 1, "volume": -1}], "asks": []}),
        (StreamKind.BARS, {"time": 1}),
        (StreamKind.INSTRUMENT, {"priceMin": "NaN"}),
        (StreamKind.ORDERS, {}),
        (StreamKind.FILLS, {}),
        (StreamKind.POSITIONS, {}),
        (StreamKind.RISK, {}),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_frame(kind: StreamKind, data: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        feed(cursor_of(kind), data)
    assert caught.value.frame == json.dumps({"data": data, "guid": "g"})
