"""The same references by the way that users go: files are imported and kept as an archive, which is traded on."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from strategykit import Strategy
from strategykit.archive.reader import Archive
from strategykit.model.events import Fill
from strategykit.model.risk_limits import NO_PLAN
from strategykit.runtime.backtest import BacktestPlan, backtest
from strategykit.runtime.export import export_tapes
from strategykit.runtime.importing import ImportPlan, ImportReport, import_files
from strategykit.runtime.report import StrategyReport
from strategykit.sim.fees import FeeModel
from strategykit.sim.models.fill_models import FillModels
from tests.agreement.recordings import DATA, needs_recordings
from tests.agreement.test_agreement_pyalgotrade import AboveItsAverage
from tests.agreement.test_agreement_takers import Cross, Every500th, Row, reference

pytestmark = needs_recordings

FLAT = Decimal(0)


def bring_in(to: Path, *names: str, **more: Any) -> ImportReport:
    report = import_files(ImportPlan(paths=[DATA / name for name in names], to=to, **more))
    assert report.refused == 0
    return report


def trade(archive: Archive, models: FillModels, *strategies: Strategy) -> Sequence[StrategyReport]:
    """Trade on an archive; give what came of each, by itself."""
    named = [(f"s{number}", strategy) for number, strategy in enumerate(strategies)]
    plan = BacktestPlan(source=archive, strategies=named, models=models, limits=NO_PLAN)
    found = backtest(plan).strategies
    assert [each.error for each in found] == [""] * len(strategies)
    return found


def rows_of(filled: list[tuple[int, Fill]], lot: Decimal) -> list[Row]:
    return [
        (number, fill.event_time or 0, fill.side.name, fill.price, fill.quantity * lot, fill.fee or Decimal(0))
        for number, fill in filled
    ]


def test_takers_on_imported_frames_get_the_fills_of_another_engine(tmp_path: Path) -> None:
    """The exchange sees trades and books of the recording, too; the other engine had quotes alone."""
    names = (f"hftbacktest/spot_btcusdt_{day}.gz" for day in ("20240808", "20240809"))
    imported = bring_in(tmp_path / "tape", *names, format="hftbacktest")
    assert (imported.made, imported.messages) == ("tape", 41_248 + 58_325)  # The book that was asked for is no frame.
    archive = export_tapes([tmp_path / "tape"], tmp_path / "archive")
    lot = archive.instruments["BTCUSDT"].lot
    assert [stream.kind.value for stream in archive.streams] == ["book", "quotes", "trades"]

    small, large = (Every500th(lots=int(Decimal(amount) / lot)) for amount in ("0.00005", "0.001"))

    fees = FeeModel(taker_rate=Decimal("0.001"), step=Decimal("0.00000001"), rounding=ROUND_HALF_UP)
    first, second = trade(archive, FillModels(fees=fees), small, large)

    assert small.count == large.count == 73_174
    assert rows_of(small.filled, lot) == reference("taker_every_500th_quote_spot_btcusdt", "quote_no", "USDT")
    assert (first.orders, first.fills, first.positions) == (146, 146, {"BTCUSDT": FLAT})
    assert 100_000 + first.pnl["USDT"] == Decimal("99999.54442258")
    assert (second.orders, second.fills, second.positions) == (146, 160, {"BTCUSDT": FLAT})
    assert 100_000 + second.pnl["USDT"] == Decimal("99990.88833433")


def test_an_average_cross_on_imported_bars_gets_the_fills_of_another_engine(tmp_path: Path) -> None:
    names = (f"lean/crypto_coinbase_minute_btcusd_{day}_trade.zip" for day in ("20180404", "20180405"))
    assert bring_in(tmp_path / "archive", *names, format="lean").made == "archive"
    archive, cent = Archive.open(tmp_path / "archive"), Decimal("0.01")
    lot = archive.instruments["BTCUSD"].lot
    strategy = Cross(lots=int(cent / lot))

    fees = FeeModel(taker_rate=Decimal("0.003"), step=cent)
    (found,) = trade(archive, FillModels(fees=fees, cash_step=cent), strategy)

    assert strategy.count == 2_447
    assert (found.orders, found.fills, found.positions) == (102, 102, {"BTCUSD": FLAT})
    assert rows_of(strategy.filled, lot) == reference("ema_10_20_coinbase_btcusd_minute", "bar_no", "USD")
    # That engine's is 99,978.27: it rounds cash fill by fill.
    assert 100_000 + found.pnl["USD"] == Decimal("99978.2679")


def test_all_44_lines_of_the_tutorial_come_out_of_its_imported_table(tmp_path: Path) -> None:
    table = {"symbol": "ORCL", "adjusted": True, "currency": "USD"}
    imported = bring_in(tmp_path / "archive", "pyalgotrade/WIKI-ORCL-2000-quandl.csv", format="ohlcv", **table)
    assert (imported.made, imported.messages) == ("archive", 252)
    strategy = AboveItsAverage()

    (found,) = trade(Archive.open(tmp_path / "archive"), FillModels(next_open=True), strategy)

    expected = (DATA / "pyalgotrade" / "tutorial-4.expected.txt").read_text(encoding="ascii").splitlines()
    assert len(expected) == 44
    assert [*strategy.lines, f"Final portfolio value: ${1_000 + found.pnl['USD']:.2f}"] == expected
