"""Runs as they leave things behind: small ones written by hand, and real ones over made bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import nan
from random import Random
from typing import Any, cast

import attrs
import pytest

from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.report.facts import RunFacts
from strategykit.report.result import Result
from strategykit.runtime.collector import Collected, CollectedStrategy, Collector
from strategykit.runtime.load import load_strategy, make_strategy
from strategykit.runtime.simulate import Simulation, simulate, stream_guid
from strategykit.sim.fees import FeeModel
from strategykit.sim.models.fill_models import FillModels
from strategykit.strategy import Strategy
from strategykit.testing import make_bars
from strategykit.venues.streams import StreamKind

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
START = 1_767_225_600 * SECOND
"""2026-01-01, midnight UTC."""

SBER, GAZP = Instrument("SBER"), Instrument("GAZP", lot=Decimal(10))
BTC = Instrument("BTCUSDT", tick=Decimal("0.1"), currency="USDT", exchange="BINANCE")


@attrs.frozen(kw_only=True)
class Filled:
    """A fill, as tests write it."""

    side: str
    lots: str
    price: str
    after: int = 0
    """Seconds after the begin."""
    strategy: str = "one"
    symbol: str = "SBER"
    fee: str | None = "0"
    fee_currency: str | None = None
    order: str = ""
    """Empty: one of its own."""
    decided: float = nan
    type: str = "market"
    waited: int = 0
    """Nanoseconds from the order to its answer, and to the fill."""


def collected(
    fills: Sequence[Filled],
    *,
    prices: Mapping[str, Sequence[float]] | None = None,
    every: int = SECOND,
    length: int = 100,
    marks: Mapping[str, str] | None = None,
    begin: Sequence[tuple[str, str, str, str]] = (),
    capital: Mapping[str, str] | None = None,
    gaps: Sequence[tuple[str, str, int, int, str]] = (),
    strategies: Sequence[str] = ("one",),
    limits: Mapping[str, str] | None = None,
    instruments: Sequence[Instrument] = (SBER, GAZP, BTC),
) -> Collected:
    """Make what a run leaves.

    Args:
        fills: In the order in which they came.
        prices: Samples by instrument, `every` nanoseconds from the begin on.
        every: Between two samples.
        length: Of the run, in `every`.
        marks: Last prices.
        begin: Strategy, instrument, lots and cost of what was held before.
        capital: By currency; None: a million roubles.
        gaps: Instrument, stream, since, until and reason.
        strategies: Names.
        limits: Limit prices by order; others have none.
        instruments: All that are known.
    """
    rows = list(fills)
    names = [row.order or f"o{n}" for n, row in enumerate(rows)]
    times = [START + row.after * SECOND for row in rows]
    orders = {
        name: (row, time) for name, row, time in zip(reversed(names), reversed(rows), reversed(times), strict=True)
    }
    first = [(name, *orders[name]) for name in dict.fromkeys(names)]
    lots = {name: sum(Decimal(r.lots) for n, r in zip(names, rows, strict=True) if n == name) for name in orders}
    limit = {name: Decimal(price) for name, price in (limits or {}).items()}
    samples = dict(prices or {})
    count = max((len(column) for column in samples.values()), default=0)
    return Collected(
        started=START,
        ended=START + length * every,
        strategies=tuple(
            CollectedStrategy(name=name, strategy="Cross", parameters={"fast": "5"}) for name in strategies
        ),
        instruments=tuple(instruments),
        orders={
            "order": [name for name, _, _ in first],
            "strategy": [row.strategy for _, row, _ in first],
            "instrument": [row.symbol for _, row, _ in first],
            "side": [row.side for _, row, _ in first],
            "type": ["limit" if name in limit else row.type for name, row, _ in first],
            "quantity": [lots[name] for name, _, _ in first],
            "price": [limit.get(name) for name, _, _ in first],
            "stop_price": [None] * len(first),
            "state": ["filled"] * len(first),
            "filled": [lots[name] for name, _, _ in first],
            "reason": [""] * len(first),
            "placed": [time - row.waited for _, row, time in first],
            "answered": [time for _, _, time in first],
            "ended": [time for _, _, time in first],
            "decision_price": [row.decided for _, row, _ in first],
        },
        fills={
            "time": times,
            "event_time": [None] * len(rows),
            "strategy": [row.strategy for row in rows],
            "instrument": [row.symbol for row in rows],
            "side": [row.side for row in rows],
            "price": [Decimal(row.price) for row in rows],
            "quantity": [Decimal(row.lots) for row in rows],
            "fee": [None if row.fee is None else Decimal(row.fee) for row in rows],
            "fee_currency": [row.fee_currency for row in rows],
            "order": names,
            "trade_id": [f"t{n}" for n in range(len(rows))],
            "mark": [nan] * len(rows),
        },
        begin={
            "strategy": [row[0] for row in begin],
            "instrument": [row[1] for row in begin],
            "quantity": [Decimal(row[2]) for row in begin],
            "cost": [Decimal(row[3]) for row in begin],
        },
        gaps={
            "instrument": [row[0] for row in gaps],
            "stream": [row[1] for row in gaps],
            "since": [row[2] for row in gaps],
            "until": [row[3] for row in gaps],
            "reason": [row[4] for row in gaps],
        },
        times=[START + n * every for n in range(count)],
        prices={symbol: list(column) for symbol, column in samples.items()},
        interval=every,
        marks={symbol: Decimal(price) for symbol, price in (marks or {}).items()},
        capital={name: Decimal(value) for name, value in ({"RUB": "1000000"} if capital is None else capital).items()},
    )


def result(*fills: Filled, name: str = "", facts: RunFacts | None = None, **more: Any) -> Result:
    """Make a result; the arguments are those of `collected`."""
    return Result(facts or RunFacts(kind="backtest", source="tapes/one"), collected(fills, **more), name)


def walk(count: int, seed: int = 7) -> list[float]:
    """Make prices."""
    rng, prices = Random(seed), [300.0]
    for _ in range(count - 1):
        prices.append(round(max(1.0, prices[-1] + rng.gauss(0, 0.5)), 2))
    return prices


def bars(prices: Sequence[float], symbol: str = "SBER") -> list[Event]:
    guid = stream_guid(StreamKind.BARS, symbol, 60 * SECOND)
    # To type checkers events aren't attrs classes, as they may not be changed.
    return [attrs.evolve(cast("Any", bar), guid=guid) for bar in make_bars(symbol, prices)]


def cross(**parameters: object) -> Strategy:
    """Make a strategy that trades often."""
    return make_strategy(load_strategy("sample:cross"), {"instrument": "SBER", "fast": 3, "slow": 8, **parameters})


def run_cross(events: Sequence[Event], *, collector: Collector | None = None, fee: str = "0.0001") -> Simulation:
    rate = Decimal(fee)
    return simulate(
        [("cross", cross())],
        events,
        instruments={"SBER": SBER},
        start=events[0].receive_time,
        models=FillModels(fees=FeeModel(maker_rate=rate, taker_rate=rate)),
        collector=collector,
    )


@pytest.fixture(scope="session")
def crossed() -> Result:
    """The result of a strategy that has traded for two days."""
    events = bars(walk(3_000))
    collector = Collector(events[-1].receive_time - events[0].receive_time, Decimal(100_000))
    found = run_cross(events, collector=collector).run.collected()
    assert found is not None
    return Result(RunFacts(kind="simulation", source="made bars", seed=0), found)
