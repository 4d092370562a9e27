"""Charts and past trades: times in US Central, prices as texts, in the session's format or another."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest

from strategykit.errors import LocalProtocolError, RemoteProtocolError
from strategykit.model.events import Bar, Side, Trade
from strategykit.venues.asks import (
    AskAccount,
    AskBars,
    AskBook,
    AskInstrument,
    AskInstruments,
    AskOrders,
    AskPastTrades,
    AskPositions,
    AskStopOrders,
    AskTrades,
    HttpRequest,
)
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.t4.dialect import T4

ES = "CME_Eq/ES/XCME_Eq ES (Z26)"
MINUTE = 60_000_000_000
# 09:15 in Chicago, in winter.
UNTIL = int(dt.datetime(2026, 1, 12, 15, 15, tzinfo=dt.UTC).timestamp()) * 10**9


def ask(**fields: Any) -> AskBars:
    return AskBars(**{"instrument": ES, "interval": MINUTE, "count": 10, "until": UNTIL, **fields})


def asked(question: Any) -> HttpRequest:
    request = T4().request(question)
    assert isinstance(request, HttpRequest)
    return request


def bar(time: str, **fields: Any) -> dict[str, Any]:
    prices = {"openPrice": "5954.25", "highPrice": "5955.00", "lowPrice": "5954.00", "closePrice": "5954.50"}
    return {"time": time, "volume": 12, "tradeDate": "2026-01-12T00:00:00", **prices, **fields}


def read(question: Any, body: Any) -> Any:
    return T4().decode_answer(question, json.dumps(body).encode(), receive_time=7)


def test_a_chart_is_asked_for_by_wall_clock_and_long_enough() -> None:
    request = asked(ask())

    assert (request.method, request.path) == ("GET", "/chart/barchart")
    assert request.query == {
        "exchangeId": "CME_Eq",
        "contractId": "ES",
        "marketID": "XCME_Eq ES (Z26)",
        "chartType": "Bar",
        "barInterval": "Minute",
        "barPeriod": "1",
        "tradeDateStart": "2026-01-07T09:00:00",
        "tradeDateEnd": "2026-01-12T09:15:01",
    }


@pytest.mark.parametrize(
    ("interval", "name", "period"),
    [
        (15 * 10**9, "Second", "15"),
        (90 * 10**9, "Second", "90"),
        (5 * MINUTE, "Minute", "5"),
        (120 * MINUTE, "Hour", "2"),
        (1_440 * MINUTE, "Day", "1"),
        (20_160 * MINUTE, "Week", "2"),
    ],
)
def test_every_length_in_whole_seconds_has_a_name(interval: int, name: str, period: str) -> None:
    query = asked(ask(interval=interval)).query

    assert (query["barInterval"], query["barPeriod"]) == (name, period)


def test_short_bars_are_asked_for_by_the_hour_and_known_ones_exactly() -> None:
    assert asked(ask(interval=10**9)).query["tradeDateStart"] == "2026-01-12T08:14:45"
    assert asked(ask(since=UNTIL - 2 * MINUTE)).query["tradeDateStart"] == "2026-01-12T09:13:00"


@pytest.mark.parametrize("interval", [0, 10**9 + 1, 500_000_000])
def test_bars_of_parts_of_seconds_cant_be_had(interval: int) -> None:
    with pytest.raises(LocalProtocolError, match="whole seconds"):
        T4().request(ask(interval=interval))


def test_a_chart_is_read_up_to_the_end_that_was_asked_for() -> None:
    rows = [bar("2026-01-12T09:13:00"), bar("2026-01-12T09:14:30"), bar("2026-01-12T09:15:00")]

    first, second = read(ask(), {"bars": rows})

    assert isinstance(first, Bar)
    assert (first.open_time, first.closed, second.closed) == (UNTIL - 2 * MINUTE, True, False)
    assert (first.open, first.high, first.low, first.close) == (5954.25, 5955.0, 5954.0, 5954.5)
    assert (first.volume, first.snapshot, first.instrument, first.receive_time) == (12.0, True, ES, 7)
    assert [found.open_time for found in read(ask(since=UNTIL - MINUTE), {"bars": rows})] == [UNTIL - MINUTE // 2]


def test_times_follow_daylight_saving_and_have_seven_digits() -> None:
    summer = int(dt.datetime(2026, 7, 1, 14, 0, tzinfo=dt.UTC).timestamp()) * 10**9

    (found,) = read(ask(until=summer + MINUTE), {"bars": [bar("2026-07-01T09:00:00.1234567")]})

    assert found.open_time == summer + 123_456_700


@pytest.mark.parametrize(
    ("tick", "increment", "close"),
    [
        (Decimal("0.25"), "25", 59.545),
        (Decimal("0.25"), 25, 59.545),
        (Decimal("0.25"), "0.25", 5954.5),
        (Decimal("0.25"), "0", 5954.5),
        (Decimal("0.25"), None, 5954.5),
        (None, "25", 5954.5),
    ],
)
def test_a_chart_in_another_format_is_told_by_its_tick(tick: Any, increment: Any, close: float) -> None:
    markets = [{"marketID": "other"}, {"marketID": "XCME_Eq ES (Z26)", "minPriceIncrement": increment}]

    (found,) = read(ask(tick=tick), {"bars": [bar("2026-01-12T09:13:00")], "marketDefinitions": markets})

    assert found.close == close


def test_past_trades_are_the_newest_of_the_time_wanted() -> None:
    question = AskPastTrades(instrument=ES, since=UNTIL - MINUTE, until=UNTIL, count=2)
    assert asked(question).query["start"] == "2026-01-12T09:14:00"
    times = ["09:13:59", "09:14:00", "09:14:30.5", "09:14:59.9999999", "09:15:00"]
    sides = ["Buy", "Sell", "Offer", None, "Buy"]
    rows = [
        {"time": f"2026-01-12T{time}", "tradePrice": "5954.25", "volume": 2, "aggressorSide": side}
        for time, side in zip(times, sides, strict=True)
    ]

    first, second = read(question, {"trades": rows})

    assert isinstance(first, Trade)
    assert (first.event_time, first.side, first.quantity) == (UNTIL - MINUTE // 2 + 500_000_000, Side.SELL, 2.0)
    assert (second.side, second.snapshot) == (None, True)
    assert read(AskPastTrades(instrument=ES, since=0, until=UNTIL, count=0), {"trades": rows}) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"bars": [{}]},
        {"bars": [bar("yesterday")]},
        {"bars": [bar("2026-01-12T09:13:00+01:00")]},
        {"bars": [bar("1812-01-12T09:13:00")]},
        {"bars": [bar("2026-01-12T09:13:00.x")]},
        {"bars": [bar("2026-01-12T09:13:00", openPrice="")]},
        {"bars": [bar("2026-01-12T09:13:00", openPrice="abc")]},
        {"bars": [bar("2026-01-12T09:13:00", openPrice=5)]},
        {"bars": [bar("2026-01-12T09:13:00", volume=-1)]},
    ],
)
def test_what_is_no_chart_is_unreadable(body: Any) -> None:
    with pytest.raises(RemoteProtocolError, match="isn't a chart"):
        read(ask(), body)


@pytest.mark.parametrize(
    "row",
    [
        {"time": "2026-01-12T09:13:00"},
        {"time": "2026-01-12T09:13:00", "tradePrice": ""},
        {"time": "2026-01-12T09:13:00", "tradePrice": "1", "volume": -1},
        {"time": "", "tradePrice": "1"},
    ],
)
def test_what_are_no_trades_are_unreadable(row: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError, match="aren't trades"):
        read(AskPastTrades(instrument=ES, since=0, until=UNTIL, count=5), {"trades": [row]})


def test_definitions_and_orders_come_by_streams() -> None:
    dialect = T4()

    assert dialect.request(AskInstrument(instrument=ES)) == Stream(kind=StreamKind.INSTRUMENT, instrument=ES)
    orders = Stream(kind=StreamKind.ORDERS, account="SIM-1", exchange="X")
    assert dialect.request(AskOrders(account="SIM-1", exchange="X")) == orders
    assert dialect.request(AskTrades(account="SIM-1")) is None
    assert dialect.request(AskStopOrders(account="SIM-1")) is None
    with pytest.raises(LocalProtocolError, match="name exchange, contract and market"):
        dialect.request(AskInstrument(instrument="ES"))
    for question in (
        AskPositions(account="A"),
        AskAccount(account="A"),
        AskBook(instrument=ES, depth=1),
        AskInstruments(),
    ):
        with pytest.raises(LocalProtocolError, match="its streams tell it"):
            dialect.request(question)
    with pytest.raises(RemoteProtocolError, match="no AskOrders over HTTP"):
        read(AskOrders(account="SIM-1"), {})
