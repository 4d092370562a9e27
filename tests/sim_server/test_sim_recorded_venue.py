from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import trio

from strategykit.errors import ConfigError
from strategykit.model.events import Bar, BookSnapshot, Event, Fill, InstrumentUpdate, OrderUpdate, Quote, Side, Trade
from strategykit.model.instruments import Instrument
from strategykit.model.orders import CancelOrder, CreateOrder, OrderRequest, OrderType
from strategykit.sim.fees import NO_FEES
from strategykit.sim.recorded_venue import RecordedVenueMarket

if TYPE_CHECKING:
    from tests.sim_server.conftest import OpenLab

SECOND = 1_000_000_000
SBER = Instrument("SBER", lot=Decimal(10), board="TQBR")


def trade(time: int, price: float, number: int) -> Trade:
    return Trade("SBER", price, 2.0, Side.BUY, number, time, time, "old", True)


def recording(count: int, step: int) -> list[tuple[int, Event]]:
    """Books and trades whose price climbs."""
    start = 1_600_000_000 * SECOND
    rows: list[tuple[int, Event]] = []
    for number in range(count):
        time, price = start + number * step, 100.0 + number
        book = BookSnapshot("SBER", (price - 1,), (5.0,), (price,), (5.0,), time, time, "old")
        rows += [(time, book), (time, trade(time, price, number))]
    return rows


def make_market() -> RecordedVenueMarket:
    accounts = {"D1": Decimal(100_000)}
    return RecordedVenueMarket({"SBER": SBER}, accounts=accounts, fees=NO_FEES, margin_rate=Decimal(1), now=0)


def order(**fields: Any) -> CreateOrder:
    values: dict[str, Any] = {
        "client_order_id": "mine",
        "account": "D1",
        "instrument": "SBER",
        "side": Side.BUY,
        "quantity": Decimal(1),
        **fields,
    }
    return CreateOrder(guid="c1", request=OrderRequest(**values))


@pytest.mark.parametrize("as_stream", [False, True])
async def test_a_recording_is_served_at_its_pace_with_times_of_today(open_lab: OpenLab, as_stream: bool) -> None:
    rows = recording(400, SECOND // 10)

    async def stream() -> AsyncIterator[tuple[int, Event]]:
        for row in rows:
            await trio.lowlevel.checkpoint()
            yield row

    source = stream() if as_stream else rows
    async with (
        open_lab(source=source, source_speed=5.0, instruments={"SBER": SBER}) as lab,
        lab.connect() as client,
        lab.connect("/cws") as commands,
    ):
        began = int((await lab.http.get("/md/v2/time")).text)
        await commands.authorize()
        await client.subscribe("AllTradesGetAndSubscribe", "t", code="SBER", format="Slim")
        await client.subscribe("OrdersGetAndSubscribeV2", "o", portfolio="D12345")
        trades = [await client.data("t") for _ in range(10)]
        reply = await commands.order("c1")
        filled = await client.data("o", lambda row: row["status"] == "filled")
        book = (await lab.get("/md/v2/orderbooks/MOEX/SBER")).json()
        fills = (await lab.get("/md/v2/Clients/MOEX/D12345/trades")).json()

    numbers = [row["id"] for row in trades]
    assert numbers == list(range(numbers[0], numbers[0] + 10))
    assert all(row["h"] is False and abs(row["t"] / 1000 - began) < 10 for row in trades)
    assert filled["id"] == reply["orderNumber"]
    assert fills[0]["price"] >= 100
    assert book["asks"][0]["price"] - book["bids"][0]["price"] == 1


def test_market_data_is_marked_as_new_and_the_rest_is_left_out() -> None:
    market = make_market()
    now = 5_000 * SECOND
    told = market.feed(trade(10 * SECOND, 101.0, 1), now, shift=now - 10 * SECOND)
    old = market.feed(trade(9 * SECOND, 100.0, 2), now, shift=now - 10 * SECOND)
    quote = Quote("SBER", 100.0, 1.0, 101.0, 1.0, 101.0, None, 1, "old")
    market.feed(quote, now, shift=0)
    foreign = Trade("GAZP", 1.0, 1.0, None, 3, 1, 1, "")
    bar = Bar("SBER", 0, SECOND, 1.0, 1.0, 1.0, 1.0, 1.0, True, 1, 1, "")
    status = InstrumentUpdate("SBER", 118, False, "opening", None, None, None, None, 1, 1, "old")

    assert [(event.event_time, event.snapshot, event.guid) for event in told if isinstance(event, Trade)] == [
        (now, False, "")
    ]
    assert [event.event_time for event in old] == [now - SECOND]
    assert market.feed(foreign, now, shift=0) == market.feed(bar, now, shift=0) == []
    assert len(market.feed(status, now, shift=0)) == 1
    assert market.instrument_update("SBER").trading_status == 118
    assert market.quote("SBER").event_time == now
    assert [each.trade_id for each in market.trades("SBER", 5)] == [1, 2]
    assert [each.volume for each in market.bars("SBER", 60 * SECOND, 0, now + 1)] == [4.0]


def test_orders_meet_the_recording_and_their_records_follow() -> None:
    market = make_market()
    market.feed(trade(SECOND, 100.0, 1), SECOND, shift=0)
    result, told = market.command("D1", order(type=OrderType.LIMIT, price=Decimal(95)), SECOND)
    number = result.venue_order_id
    assert number is not None
    later = market.feed(trade(2 * SECOND, 94.0, 2), 2 * SECOND, shift=0)
    record = market.record(number)

    assert (result.code, [type(event) for event in told]) == (200, [OrderUpdate])
    assert [event.quantity for event in later if isinstance(event, Fill)] == [1]
    assert record is not None
    assert (record.filled, record.status.value, record.created) == (Decimal(1), "filled", SECOND)
    assert market.fills("D1")[0].venue_order_id == number
    assert market.orders("D1")[0].venue_order_id == number
    assert {row.instrument for row in market.positions("D1")} == {"SBER", "RUB"}
    assert market.account("D1").account == "D1"
    assert market.record("0") is None


def test_a_stop_that_fires_leaves_a_record_of_its_child() -> None:
    market = make_market()
    market.feed(trade(SECOND, 100.0, 1), SECOND, shift=0)
    result, _ = market.command("D1", order(type=OrderType.STOP, stop_price=Decimal(105)), SECOND)
    assert [row.venue_order_id for row in market.stop_orders("D1")] == [result.venue_order_id]
    market.feed(trade(2 * SECOND, 106.0, 2), 2 * SECOND, shift=0)
    stop = market.record(result.venue_order_id or "")
    assert stop is not None
    child = market.record(stop.linked_order_id or "")

    assert child is not None
    assert (child.request.stop_price, child.filled) == (None, Decimal(1))


def test_refusals_of_a_recorded_venue_say_why() -> None:
    market = make_market()
    request = order().request
    stranger = CancelOrder(guid="c2", venue_order_id="1", request=request)

    assert market.command("D2", order(), 1)[0].code == 403
    assert market.command("D1", stranger, 1)[0].code == 400
    assert market.command("D1", order(quantity=Decimal(0)), 1)[0].code == 400
    market.set_trading("SBER", 1, trading=False)
    assert market.command("D1", order(), 1)[0].message == "Security is not currently trading"
    assert market.set_trading("SBER", 2, trading=True)[0].event_time == 2
    with pytest.raises(ConfigError, match="no instrument 'NOPE'"):
        market.set_trading("NOPE", 3, trading=True)
