"""Takers through the whole engine, beside what another engine made of the same data."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from itertools import chain

import pytest

from strategykit import Bar, Bars, Quote, Quotes, Strategy, define
from strategykit.model.events import Fill, Side
from strategykit.model.instruments import Instrument
from strategykit.model.risk_limits import NO_PLAN
from strategykit.runtime.simulate import simulate
from strategykit.sim.fees import FeeModel
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.paper import PaperExchange
from strategykit.venues.streams import StreamKind
from tests.agreement.recordings import DATA, MINUTE, binance_quotes, lean_bars, midnight, needs_recordings

pytestmark = needs_recordings

Row = tuple[int, int, str, Decimal, Decimal, Decimal]


def reference(name: str, number: str, currency: str) -> list[Row]:
    with (DATA / "reference" / f"{name}.csv").open(encoding="ascii") as file:
        return [
            (
                int(row[number]),
                int(row["ts_ns"]),
                row["side"],
                Decimal(row["price"]),
                Decimal(row["qty"]),
                Decimal(row["commission"].removesuffix(f" {currency}")),
            )
            for row in csv.DictReader(file)
        ]


@define
class Every500th(Strategy):
    """Takes on each 500th quote, in turns of its sides."""

    lots: int = 1

    quotes = Quotes("BTCUSDT")

    def __attrs_post_init__(self) -> None:
        self.count = 0
        self.filled: list[tuple[int, Fill]] = []

    def on_quote(self, _: Quote) -> None:
        self.count += 1
        if self.count % 500 == 0:
            (self.sell_nowait if self.count % 1_000 == 0 else self.buy_nowait)(self.lots)

    def on_fill(self, fill: Fill) -> None:
        self.filled.append((self.count, fill))


def take(lot: str, rounding: str) -> tuple[Every500th, PaperExchange, int]:
    strategy = Every500th()
    fees = FeeModel(taker_rate=Decimal("0.001"), step=Decimal("0.00000001"), rounding=rounding)
    instrument = Instrument("BTCUSDT", Decimal("0.01"), Decimal(lot), currency="USDT", counts_units=True)
    quotes = chain.from_iterable(binance_quotes(f"spot_btcusdt_{day}", "BTCUSDT") for day in ("20240808", "20240809"))
    done = simulate(
        [("taker", strategy)],
        quotes,
        instruments={"BTCUSDT": instrument},
        start=midnight("20240808"),
        streams={StreamKind.QUOTES},
        cash=Decimal(100_000),
        models=FillModels(fees=fees),
        limits=NO_PLAN,
    )
    paper = done.run.engine.paper
    assert paper is not None
    assert strategy.count == 73_174
    return strategy, paper, done.run.clock.reading


@pytest.mark.parametrize(("rounding", "cash"), [(ROUND_HALF_UP, "99999.54442258"), (ROUND_HALF_EVEN, "99999.54442259")])
def test_takers_on_quotes_get_the_146_fills_of_another_engine(rounding: str, cash: str) -> None:
    """One fee of the 146 ends in half a unit; the engine that made the file rounded it away from zero."""
    expected = reference("taker_every_500th_quote_spot_btcusdt", "quote_no", "USDT")
    strategy, paper, now = take("0.00005", rounding)

    found = [
        (number, fill.event_time, fill.side.name, fill.price, fill.quantity * Decimal("0.00005"), fill.fee)
        for number, fill in strategy.filled
    ]
    assert len(found) == 146
    assert [row[:5] for row in found] == [row[:5] for row in expected]
    fees = [abs((row[5] or 0) - wanted[5]) for row, wanted in zip(found, expected, strict=True)]
    assert sum(fees) == (0 if rounding == ROUND_HALF_UP else Decimal("1e-8"))
    account = paper.account(now)
    assert account.cash == Decimal(cash)
    assert (account.fees == Decimal("0.45028491")) is (rounding == ROUND_HALF_EVEN)
    assert paper.positions(now)[0].quantity == 0


def test_takers_of_more_than_the_quoted_size_get_the_rest_one_tick_away() -> None:
    strategy, paper, now = take("0.001", ROUND_HALF_EVEN)

    assert len({fill.venue_order_id for _, fill in strategy.filled}) == 146
    assert len(strategy.filled) == 160
    assert paper.account(now).cash == Decimal("99990.88833433")


@define
class Cross(Strategy):
    """Two averages on closes, long or flat."""

    lots: int = 1

    bars = Bars("BTCUSD", "1m")

    def __attrs_post_init__(self) -> None:
        self.count = 0
        self.fast = self.slow = 0.0
        self.long_ = False
        self.filled: list[tuple[int, Fill]] = []

    def on_bar(self, bar: Bar) -> None:
        self.count += 1
        first = self.count == 1
        self.fast = bar.close if first else self.fast + (bar.close - self.fast) * 2 / 11
        self.slow = bar.close if first else self.slow + (bar.close - self.slow) * 2 / 21
        if self.count < 20 or self.fast == self.slow or (self.fast > self.slow) is self.long_:
            return
        (self.sell_nowait if self.long_ else self.buy_nowait)(self.lots)
        self.long_ = not self.long_

    def on_fill(self, fill: Fill) -> None:
        self.filled.append((self.count, fill))


def test_an_average_cross_on_bars_gets_the_102_fills_of_another_engine() -> None:
    def bars() -> Iterator[Bar]:
        for day in ("20180404", "20180405"):
            yield from lean_bars(f"crypto_coinbase_minute_btcusd_{day}_trade", "BTCUSD", midnight(day), MINUTE)

    strategy, cent = Cross(), Decimal("0.01")  # That engine keeps cash in whole cents, fill by fill.
    done = simulate(
        [("cross", strategy)],
        bars(),
        instruments={"BTCUSD": Instrument("BTCUSD", cent, cent, currency="USD", counts_units=True)},
        start=midnight("20180404"),
        streams={StreamKind.BARS},
        cash=Decimal(100_000),
        models=FillModels(fees=FeeModel(taker_rate=Decimal("0.003"), step=cent), cash_step=cent),
        limits=NO_PLAN,
    )

    found = [
        (number, fill.event_time, fill.side.name, fill.price, fill.quantity * cent, fill.fee)
        for number, fill in strategy.filled
    ]
    assert strategy.count == 2_447
    assert len(found) == 102
    assert found == reference("ema_10_20_coinbase_btcusd_minute", "bar_no", "USD")
    paper = done.run.engine.paper
    assert paper is not None
    assert paper.account(done.run.clock.reading).cash == Decimal("99978.27")
    assert paper.positions(done.run.clock.reading)[0].quantity == 0
    assert {fill.side for _, fill in strategy.filled} == set(Side)
