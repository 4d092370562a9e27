"""What a report says of money that nobody knows, and of market data that came before they were stamped."""

from __future__ import annotations

from decimal import Decimal

import pytest

from strategykit import Strategy, Trades, define
from strategykit.model.events import Fill, Side, Trade
from strategykit.model.instruments import Instrument
from strategykit.runtime.lag import Lag
from strategykit.runtime.report import Digest, RunReport, report
from strategykit.runtime.simulate import simulate
from strategykit.venues.alor.dialect import Alor
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import Subscriptions


@define
class Idle(Strategy):
    trades = Trades("SBER")


def report_after(fills: list[Fill], marks: dict[str, float]) -> RunReport:
    instruments = {"SBER": Instrument("SBER")}
    done = simulate([("idle", Idle())], [], instruments=instruments, start=0)
    book = done.run.supervisor.seats[0].desk.portfolio
    book.add(instruments["SBER"])
    for fill in fills:
        book.apply(fill)
    return report(
        done.run,
        notes=done.notes,
        digest=Digest(),
        connections=(),
        marks=marks,
        unaccounted=(),
        tape=None,
        tape_failure="",
    )


def bought(trade: str, fee: Decimal | None) -> Fill:
    return Fill("SBER", trade, "1", "c", Side.BUY, Decimal(1), Decimal(100), fee, None, None, 0, "g")


def test_a_fee_that_the_venue_did_not_tell_is_counted_as_unknown() -> None:
    (row,) = report_after([bought("1", None), bought("2", Decimal(3))], {"SBER": 101.0}).strategies

    assert row.fees_unknown == 1
    assert row.fees == {"RUB": Decimal(3)}
    assert row.unpriced == []
    assert row.pnl == {"RUB": Decimal(-1)}


def test_an_open_position_without_a_price_is_named() -> None:
    (row,) = report_after([bought("1", Decimal(0))], {}).strategies

    assert row.unpriced == ["SBER"]
    assert row.open_pnl == {}


def test_lag_may_be_negative() -> None:
    """The venue's clock may be ahead of ours; in recordings it was."""
    table = Subscriptions(Alor().limits, {"market": 1}, lambda: "g", Alor().cursor)
    row = table.want(Stream(kind=StreamKind.TRADES, instrument="SBER"), "idle")
    lag = Lag(table)
    for late in (-1_270_000_000, 2_000_000):
        lag(Trade("SBER", 100.0, 1.0, None, None, 2_000_000_000, 2_000_000_000 + late, row.guid))

    assert lag.percentile("market-0", 0.0) == pytest.approx(-1270)
    assert lag.percentile("market-0", 0.99) == pytest.approx(2)
    assert lag.percentile("orders-0", 0.5) is None
