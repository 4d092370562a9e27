"""Whatever event the server half words, in whatever format, the client half gives back."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import LocalProtocolError
from strategykit.model.events import (
    AccountUpdate,
    Bar,
    BookDelta,
    BookSnapshot,
    Fill,
    Gap,
    InstrumentUpdate,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    Quote,
    Side,
    Trade,
)
from strategykit.model.instruments import Instrument
from strategykit.model.orders import TimeInForce
from strategykit.venues.alor.dialect import Alor
from strategykit.venues.alor.server_data import OrderDetails, encode_data, encode_list, encode_row
from strategykit.venues.alor.status import is_trading
from strategykit.venues.dialect import AskOrders, AskPositions, AskStopOrders, AskTrades
from strategykit.venues.streams import Stream, StreamKind

NOW = 1_773_306_920_000_000_000
MINUTE = 60_000_000_000
GUID = "3f6c3a52-7b1e-4c59-9a56-0f1d2b3c4d5e"
FORMATS = st.sampled_from(["Simple", "Slim", "Heavy"])
TRIES = settings(max_examples=60, deadline=None)

prices = st.floats(0.0001, 1e9, allow_nan=False)
sizes = st.integers(0, 10**9).map(float) | st.floats(0, 1e9)
lots = st.integers(1, 10**9).map(Decimal)
money = st.decimals(-(10**12), 10**12, places=4, allow_nan=False)
cost = st.decimals(Decimal("0.0001"), 10**9, places=4, allow_nan=False)
millis = st.integers(0, 4_000_000_000_000).map(lambda number: number * 1_000_000)
ticks = st.integers(0, 40_000_000_000_000_000).map(lambda number: number * 100)
"""Times in ISO form have steps of 100 ns."""
sides = st.sampled_from(Side)
numbers = st.integers(1, 2**63 - 1).map(str)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100)
instruments = st.builds(
    Instrument,
    st.just("SBER"),
    lot=st.sampled_from([Decimal(1), Decimal(10), Decimal(1000)]),
    multiplier=st.sampled_from([Decimal(1), Decimal("0.5")]),
    board=st.sampled_from(["TQBR", "RFUD"]),
)

trades = st.builds(
    Trade,
    instrument=st.just("SBER"),
    price=prices,
    quantity=sizes.filter(bool),
    side=st.none() | sides,
    trade_id=st.integers(0, 2**63 - 1),
    event_time=millis,
    receive_time=st.just(NOW),
    guid=st.just(GUID),
    snapshot=st.booleans(),
    open_interest=st.none() | sizes,
)
quotes = st.builds(
    Quote,
    instrument=st.just("SBER"),
    bid=st.none() | prices,
    bid_size=st.none() | sizes,
    ask=st.none() | prices,
    ask_size=st.none() | sizes,
    last=st.none() | prices,
    event_time=millis.filter(bool),
    receive_time=st.just(NOW),
    guid=st.just(GUID),
    open=st.none() | prices,
    high=st.none() | prices,
    low=st.none() | prices,
    previous_close=st.none() | prices,
    volume=st.none() | sizes,
    open_interest=st.none() | sizes,
)


@st.composite
def books(draw: st.DrawFn) -> BookSnapshot:
    bids, asks = (draw(st.lists(st.tuples(prices, sizes), max_size=20)) for _ in range(2))
    return BookSnapshot(
        "SBER",
        tuple(price for price, _ in bids),
        tuple(size for _, size in bids),
        tuple(price for price, _ in asks),
        tuple(size for _, size in asks),
        draw(millis),
        NOW,
        GUID,
        draw(st.booleans()),
    )


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    low, first, last, high = sorted(draw(st.lists(prices, min_size=4, max_size=4)))
    start = draw(st.integers(1, 20_000_000)) * MINUTE
    return Bar("SBER", start, MINUTE, first, high, low, last, draw(sizes), False, None, start + 1, GUID)


@st.composite
def statuses(draw: st.DrawFn) -> InstrumentUpdate:
    code = draw(st.sampled_from([17, 18, 118, 119, 103, 102, 120, 2, 107, 106, 999]))
    names = ["price_min", "price_max", "margin_buy", "margin_sell", "margin_synthetic", "theoretical_price"]
    limits: dict[str, Any] = {name: draw(st.none() | money) for name in names}
    return InstrumentUpdate(
        instrument="SBER",
        trading_status=code,
        trading=is_trading(code),
        status_text=draw(st.none() | texts),
        event_time=None,
        receive_time=NOW,
        guid=GUID,
        exchange="MOEX",
        board="TQBR",
        theoretical_price_limit=draw(st.none() | money),
        volatility=draw(st.none() | money),
        **limits,
    )


@st.composite
def orders(draw: st.DrawFn, *, stop: bool) -> OrderUpdate:
    quantity = draw(lots)
    known = [OrderStatus.WORKING, OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED]
    return OrderUpdate(
        "SBER",
        draw(numbers),
        draw(st.none() | texts),
        draw(st.sampled_from(known)),
        draw(sides),
        quantity,
        Decimal(draw(st.integers(0, int(quantity)))),
        draw(st.none() | cost),
        draw(ticks),
        NOW,
        GUID,
        draw(st.booleans()),
        "D12345",
        draw(cost) if stop else None,
        draw(st.none() | numbers) if stop else None,
        draw(st.none() | texts) if stop else None,
        draw(st.none() | lots),
    )


fills = st.builds(
    Fill,
    instrument=st.just("SBER"),
    trade_id=numbers,
    venue_order_id=numbers,
    client_order_id=st.none() | texts,
    side=sides,
    quantity=lots,
    price=money,
    fee=st.none() | money,
    fee_currency=st.none(),
    event_time=ticks,
    receive_time=st.just(NOW),
    guid=st.just(GUID),
    snapshot=st.booleans(),
    account=st.just("D12345"),
)
positions = st.builds(
    PositionUpdate,
    instrument=st.just("SBER"),
    quantity=st.integers(-(10**9), 10**9).map(Decimal),
    average_price=st.none() | cost,
    open_pnl=money,
    day_pnl=money,
    event_time=st.none(),
    receive_time=st.just(NOW),
    guid=st.just(GUID),
    snapshot=st.booleans(),
    account=st.just("D12345"),
    is_currency=st.booleans(),
    lot=st.sampled_from([Decimal(1), Decimal(10)]),
).map(lambda row: attrs.evolve(row, lot=Decimal(1)) if row.is_currency else row)  # type: ignore[misc]  # it is one


def accounts(source: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[AccountUpdate]:
    nothing = dict.fromkeys(
        [
            "equity",
            "buying_power",
            "cash",
            "initial_margin",
            "minimum_margin",
            "profit",
            "fees",
            "status",
            "event_time",
        ],
        st.none(),
    )
    return st.builds(
        AccountUpdate,
        **{**nothing, **fields},
        instrument=st.none(),
        account=st.just("D12345"),
        source=st.just(source),
        receive_time=st.just(NOW),
        guid=st.just(GUID),
    )


summaries = accounts(
    "summary",
    equity=money,
    buying_power=money,
    initial_margin=money,
    profit=money,
    fees=st.none() | money,
    by_currency=st.lists(st.tuples(st.sampled_from(["RUB", "USD"]), money), max_size=3).map(tuple),
)
risks = accounts(
    "risk",
    equity=money,
    initial_margin=money,
    minimum_margin=money,
    status=st.sampled_from(["Ok", "Demand"]),
    event_time=ticks,
)
spectra_risks = accounts("spectra_risk", buying_power=money, cash=money, initial_margin=money, profit=money, fees=money)

KINDS: dict[str, tuple[StreamKind, st.SearchStrategy[Any]]] = {
    "trades": (StreamKind.TRADES, trades),
    "quotes": (StreamKind.QUOTES, quotes),
    "books": (StreamKind.BOOK, books()),
    "bars": (StreamKind.BARS, bars()),
    "statuses": (StreamKind.INSTRUMENT, statuses()),
    "orders": (StreamKind.ORDERS, orders(stop=False)),
    "stop orders": (StreamKind.STOP_ORDERS, orders(stop=True)),
    "fills": (StreamKind.FILLS, fills),
    "positions": (StreamKind.POSITIONS, positions),
    "summaries": (StreamKind.SUMMARY, summaries),
    "risks": (StreamKind.RISK, risks),
    "spectra risks": (StreamKind.SPECTRA_RISK, spectra_risks),
}


def told(event: object) -> dict[str, Any]:
    return attrs.asdict(event, recurse=False)  # type: ignore[arg-type]  # events are attrs classes


def stream_of(kind: StreamKind) -> Stream:
    interval = MINUTE if kind is StreamKind.BARS else None
    return Stream(kind=kind, instrument="SBER", account="D12345", interval=interval)


@pytest.mark.parametrize("name", list(KINDS))
@given(data=st.data(), style=FORMATS, listed=instruments)
@TRIES
def test_whatever_is_worded_is_read_again(name: str, data: st.DataObject, style: str, listed: Instrument) -> None:
    kind, events = KINDS[name]
    event = data.draw(events)
    if name == "quotes" and style == "Slim":
        event = attrs.evolve(event, previous_close=None)  # Slim has no such field.

    frame = encode_data(event, style, GUID, listed)

    cursor = Alor(format=style).cursor(GUID, stream_of(kind))
    assert [told(each) for each in cursor.decode(frame, event.receive_time)] == [told(event)]


@pytest.mark.parametrize("style", ["Simple", "Slim", "Heavy"])
def test_an_average_that_never_ends_is_read_to_its_last_digit(style: str) -> None:
    average = Decimal(1) / Decimal(300)  # What a fill of three lots may cost; 30 digits after the point.
    event = PositionUpdate("SBER", Decimal(3), average, average, average, None, NOW, GUID)

    frame = encode_data(event, style, GUID, None)

    (again,) = Alor(format=style).cursor(GUID, stream_of(StreamKind.POSITIONS)).decode(frame, NOW)
    assert isinstance(again, PositionUpdate)
    assert again.average_price == average


@given(event=orders(stop=True), style=FORMATS, listed=instruments)
@TRIES
def test_the_deprecated_form_of_a_stop_order_is_read_again(event: OrderUpdate, style: str, listed: Instrument) -> None:
    frame = encode_data(event, style, GUID, listed, legacy=True)

    cursor = Alor(format=style).cursor(GUID, stream_of(StreamKind.STOP_ORDERS))
    (again,) = cursor.decode(frame, NOW)

    # It has no comment, portfolio, reason, linked order, iceberg or time.
    kept = ["instrument", "venue_order_id", "status", "side", "quantity", "filled", "price", "stop_price", "snapshot"]
    assert {name: told(again)[name] for name in kept} == {name: told(event)[name] for name in kept}


@pytest.mark.parametrize(
    ("name", "ask"),
    [
        ("orders", AskOrders(account="D12345")),
        ("stop orders", AskStopOrders(account="D12345")),
        ("fills", AskTrades(account="D12345")),
        ("positions", AskPositions(account="D12345")),
    ],
)
@given(data=st.data(), style=FORMATS, asked=FORMATS, listed=instruments)
@settings(max_examples=25, deadline=None)
def test_lists_over_http_are_read_in_any_format(
    name: str, ask: Any, data: st.DataObject, style: str, asked: str, listed: Instrument
) -> None:
    rows = data.draw(st.lists(KINDS[name][1], max_size=4, unique_by=lambda row: getattr(row, "trade_id", row)))
    rows = list({getattr(row, "venue_order_id", id(row)): row for row in rows}.values())
    body = encode_list(encode_row(row, style, listed) for row in rows)

    events = Alor(format=asked).decode_answer(ask, body, receive_time=NOW)

    expected = [told(row) | {"guid": "", "snapshot": True} for row in rows]
    assert [told(event) for event in events] == expected


def test_an_orders_details_show_in_its_row() -> None:
    listed = Instrument("SBER", lot=Decimal(10))
    event = OrderUpdate(
        "SBER", "1", None, OrderStatus.EXPIRED, Side.SELL, Decimal(5), Decimal(2), Decimal(3), None, NOW, GUID,
        False, "D12345", Decimal(4), None, None, Decimal(4),
    )  # fmt: skip
    details = OrderDetails(
        placed=0,
        ends=NOW,
        time_in_force=TimeInForce.GOOD_TILL_CANCELLED,
        display_variance=20,
        protect_seconds=15,
    )

    row = json.loads(encode_row(event, "Simple", listed, details))

    assert row["transTime"] == "1970-01-01T00:00:00.0000000Z"
    assert row["updateTime"] is None
    assert row["endTime"] == "2026-03-12T09:15:20.0000000Z"
    assert row["timeInForce"] == "goodtillcancelled"
    assert row["status"] == "canceled"
    assert row["condition"] == "lessorequal"
    assert row["protectingSeconds"] == 15
    assert (row["qtyUnits"], row["qtyBatch"], row["filledQtyUnits"], row["filledQtyBatch"]) == (50, 5, 20, 2)
    assert row["iceberg"] == {
        "creationFixedQuantity": 4,
        "creationVarianceQuantity": 20,
        "visibleQuantity": 30,
        "visibleQuantityBatch": 3,
        "visibleFilledQuantity": 20,
        "visibleFilledQuantityBatch": 2,
    }


def test_what_the_venue_has_no_message_for_is_not_worded() -> None:
    with pytest.raises(LocalProtocolError, match="no message for a BookDelta"):
        encode_row(BookDelta("SBER", (), (), (), (), None, NOW, GUID), "Slim")
    with pytest.raises(LocalProtocolError, match="no message for a Gap"):
        encode_row(Gap("SBER", 0, 1, "", None, NOW, GUID), "Slim")
    with pytest.raises(LocalProtocolError, match="without its instrument"):
        encode_row(Trade("SBER", 1.0, 1.0, None, 1, None, NOW, GUID), "Slim")


def test_times_that_are_not_known_are_those_of_receipt() -> None:
    listed = Instrument("SBER")
    trade = json.loads(encode_row(Trade("SBER", 1.0, 1.0, None, 1, None, NOW, GUID), "Simple", listed))
    assert trade["timestamp"] == NOW // 1_000_000
    book = json.loads(encode_row(BookSnapshot("SBER", (), (), (), (), None, NOW, GUID), "Slim"))
    assert book == {"b": [], "a": [], "t": NOW // 1_000_000, "h": False}
    nothing = Quote("SBER", None, None, None, None, None, None, NOW, GUID)
    assert json.loads(encode_row(nothing, "Heavy", listed))["currency"] == "RUB"
    fill = Fill("SBER", "1", "2", None, Side.BUY, Decimal(1), Decimal(2), None, None, None, NOW, GUID)
    assert json.loads(encode_row(fill, "Heavy", listed))["settleDate"] == "2026-03-12T09:15:20.0000000Z"
    money_row = PositionUpdate("RUB", Decimal("10.5"), None, None, None, None, NOW, GUID, is_currency=True)
    assert json.loads(encode_row(money_row, "Simple"))["qtyUnits"] == 10.5


def test_numbers_are_written_whole_and_exact() -> None:
    listed = Instrument("SBER", lot=Decimal(10))
    fill = Fill("SBER", "1", "2", None, Side.BUY, Decimal(3), Decimal("0.1000000000000000055"), None, None, 0, 0, "")
    row = encode_row(fill, "Slim", listed)
    assert b'"q":30,"qb":3,"px":0.1000000000000000055,' in row
