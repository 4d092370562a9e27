"""Results that independent engines published for the shared recordings, to the last digit."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import zipfile
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

from strategykit.model.events import Bar, Fill, Quote, Side
from strategykit.model.instruments import Instrument
from strategykit.model.orders import CreateOrder, OrderRequest
from strategykit.sim.fees import FeeModel
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.paper import PaperExchange

DATA = Path(os.environ.get("STRATEGYKIT_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")

pytestmark = pytest.mark.skipif(
    not (DATA / "reference").is_dir(), reason=f"recordings are absent: no {DATA}; set STRATEGYKIT_DATA to their folder"
)

BTCUSDT = Instrument("BTCUSDT", tick=Decimal("0.01"), currency="USDT")
BTCUSD = Instrument("BTCUSD", tick=Decimal("0.01"), currency="USD")
MINUTE = 60_000_000_000


def quotes() -> Iterator[Quote]:
    for day in ("20240808", "20240809"):
        with gzip.open(DATA / "hftbacktest" / f"spot_btcusdt_{day}.gz", "rt", encoding="ascii") as lines:
            for line in lines:
                time, _, frame = line.partition(" ")
                if "@bookTicker" not in frame:
                    continue
                row = json.loads(frame)["data"]
                bid, bid_size, ask, ask_size = (float(row[key]) for key in ("b", "B", "a", "A"))
                yield Quote("BTCUSDT", bid, bid_size, ask, ask_size, None, None, int(time), "")


def market_order(symbol: str, number: int, side: Side, quantity: Decimal) -> CreateOrder:
    request = OrderRequest(
        client_order_id=f"order-{number}", account="A", instrument=symbol, side=side, quantity=quantity
    )
    return CreateOrder(guid=f"guid-{number}", request=request)


def take_every_500th(quantity: Decimal, rounding: str) -> tuple[PaperExchange, list[tuple[int, Fill]], int]:
    fees = FeeModel(taker_rate=Decimal("0.001"), step=Decimal("0.00000001"), rounding=rounding)
    models = FillModels(fees=fees)
    paper = PaperExchange({"BTCUSDT": BTCUSDT}, account="A", cash=Decimal(100_000), models=models)
    fills: list[tuple[int, Fill]] = []
    side, now = Side.BUY, 0
    for number, quote in enumerate(quotes(), start=1):
        now = quote.receive_time
        assert not paper.on_event(quote, now)
        if number % 500 == 0:
            told = paper.command(market_order("BTCUSDT", number, side, quantity), now)
            fills += [(number, event) for event in told if isinstance(event, Fill)]
            side = side.opposite
    return paper, fills, now


def test_takers_on_quotes_get_the_146_fills_of_another_engine() -> None:
    """One fee of the 146 ends in half a unit; the engine that made the file rounded it away from zero."""
    paper, fills, now = take_every_500th(Decimal("0.00005"), ROUND_HALF_UP)

    with (DATA / "reference" / "taker_every_500th_quote_spot_btcusdt.csv").open(encoding="ascii") as file:
        expected = [
            (int(row["quote_no"]), int(row["ts_ns"]), row["side"], Decimal(row["price"]), Decimal(row["qty"]), fee)
            for row in csv.DictReader(file)
            for fee in [Decimal(row["commission"].removesuffix(" USDT"))]
        ]
    found = [(number, fill.event_time, fill.side.name, fill.price, fill.quantity, fill.fee) for number, fill in fills]
    assert len(found) == 146
    assert found == expected
    account = paper.account(now)
    assert account.cash == Decimal("99999.54442258")
    assert account.fees == sum(row[5] for row in expected)


def test_half_even_fees_give_the_money_of_the_plain_calculation() -> None:
    paper, _, now = take_every_500th(Decimal("0.00005"), ROUND_HALF_EVEN)

    account = paper.account(now)
    assert account.cash == Decimal("99999.54442259")
    assert account.fees == Decimal("0.45028491")


def test_takers_of_more_than_the_quoted_size_get_the_rest_one_tick_away() -> None:
    paper, fills, now = take_every_500th(Decimal("0.00100"), ROUND_HALF_EVEN)

    assert len(fills) == 160
    assert paper.account(now).cash == Decimal("99990.88833433")


def minute_bars() -> Iterator[Bar]:
    for day, midnight in (("20180404", 1_522_800_000), ("20180405", 1_522_886_400)):
        with zipfile.ZipFile(DATA / "lean" / f"crypto_coinbase_minute_btcusd_{day}_trade.zip") as archive:
            text = archive.read(archive.namelist()[0]).decode("ascii")
        for row in csv.reader(io.StringIO(text)):
            start = midnight * 1_000_000_000 + int(row[0]) * 1_000_000
            first, high, low, close, volume = (float(cell) for cell in row[1:])
            yield Bar("BTCUSD", start, MINUTE, first, high, low, close, volume, True, None, start + MINUTE, "")


def test_an_average_cross_on_bars_gets_the_102_fills_of_another_engine() -> None:
    fees = FeeModel(taker_rate=Decimal("0.003"), step=Decimal("0.01"))
    cent = Decimal("0.01")  # That engine keeps cash in whole cents, fill by fill.
    models = FillModels(fees=fees, cash_step=cent)
    paper = PaperExchange({"BTCUSD": BTCUSD}, account="A", cash=Decimal(100_000), models=models)
    fills: list[tuple[int, Fill]] = []
    fast = slow = 0.0
    long = False
    now = number = 0
    for number, bar in enumerate(minute_bars(), start=1):
        now = bar.receive_time
        assert not paper.on_event(bar, now)
        fast = bar.close if number == 1 else fast + (bar.close - fast) * 2 / 11
        slow = bar.close if number == 1 else slow + (bar.close - slow) * 2 / 21
        if number < 20 or (fast > slow) is long or fast == slow:
            continue
        order = market_order("BTCUSD", number, Side.SELL if long else Side.BUY, Decimal("0.01"))
        fills += [(number, event) for event in paper.command(order, now) if isinstance(event, Fill)]
        long = not long

    with (DATA / "reference" / "ema_10_20_coinbase_btcusd_minute.csv").open(encoding="ascii") as file:
        expected = [
            (int(row["bar_no"]), int(row["ts_ns"]), row["side"], Decimal(row["price"]), Decimal(row["qty"]), fee)
            for row in csv.DictReader(file)
            for fee in [Decimal(row["commission"].removesuffix(" USD"))]
        ]
    found = [(count, fill.event_time, fill.side.name, fill.price, fill.quantity, fill.fee) for count, fill in fills]
    assert number == 2_447
    assert len(found) == 102
    assert found == expected
    assert paper.account(now).cash == Decimal("99978.27")
    assert [row.quantity for row in paper.positions(now)][:1] == [0]
