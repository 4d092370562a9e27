"""Fees of an instrument that isn't there are no fees: that is said before the run, wherever the data are from."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from strategykit import Fill, Strategy, Trade, Trades, define
from strategykit.cli import main
from strategykit.errors import ConfigError
from strategykit.runtime.abreast import backtest_abreast
from strategykit.runtime.backtest import BacktestPlan
from strategykit.runtime.export import export_tapes
from strategykit.runtime.recordings import open_recording
from strategykit.runtime.run import backtest_tape
from strategykit.sim.fees import FeeModel
from strategykit.sim.models.fill_models import DEFAULT_MODELS, FillModels
from strategykit.sweep.run import Choice, run_sweep
from strategykit.sweep.work import Task
from strategykit.testing import make_trades, run_strategy
from tests.runtime.test_export import make, whole

DEAR = FeeModel(taker_per_lot=Decimal(7))
STRATEGY = """\
from strategykit import Strategy, Trades, define, param


@define
class Idle(Strategy):
    count: int = param(1, low=1, high=3)
    trades = Trades("BTCUSDT")
"""


@define
class Buyer(Strategy):
    """Buys at the first trade."""

    trades = Trades("BTCUSDT")
    bought: bool = False

    def __attrs_post_init__(self) -> None:
        self.fees: list[Decimal | None] = []

    def on_fill(self, fill: Fill) -> None:
        self.fees.append(fill.fee)

    def on_trade(self, trade: Trade) -> None:
        if not trade.snapshot and not self.bought:
            self.bought = True
            self.buy_nowait(1)


def fees_of(*names: str) -> FillModels:
    return attrs.evolve(DEFAULT_MODELS, fees_of=dict.fromkeys(names, DEAR))


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return make(tmp_path / "tape", whole)


@pytest.fixture
def archive(tape: Path, tmp_path: Path) -> Path:
    export_tapes([tape], tmp_path / "archive")
    return tmp_path / "archive"


@pytest.mark.parametrize("where", ["tape", "archive"])
def test_a_backtest_refuses_fees_of_an_instrument_that_isnt_there(where: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(where)

    with pytest.raises(ConfigError, match=r"fees_of\.BTCUSD, fees_of\.ETH: the \w+ has no such .* BTCUSDT"):
        backtest_tape(path, [("one", Buyer())], models=fees_of("BTCUSD", "BTCUSDT", "ETH"))
    buyer = Buyer()
    backtest_tape(path, [("one", buyer)], models=fees_of("BTCUSDT"))
    assert buyer.fees == [Decimal(7)]


def test_runs_side_by_side_refuse_them_each_by_itself(archive: Path) -> None:
    source: Any = open_recording(archive)[0]

    def plan(models: FillModels) -> BacktestPlan:
        return BacktestPlan(source=source, strategies=[("one", Buyer())], models=models)

    wrong, right = backtest_abreast(source, [lambda: plan(fees_of("X")), lambda: plan(fees_of("BTCUSDT"))])

    assert isinstance(wrong, ConfigError)
    assert not isinstance(right, Exception)


def test_a_sweep_refuses_them_before_its_first_run(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "idle.py").write_text(STRATEGY)
    task = Task(file=str(tmp_path / "idle.py"), data=str(archive), models=fees_of("SBER"))

    with pytest.raises(ConfigError, match=r"fees_of\.SBER: the recording has no such .* its instruments: BTCUSDT"):
        run_sweep(task, Choice(axes=["count=1,2"]))


def test_the_command_says_which_there_are(archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "idle.py").write_text(STRATEGY)
    (tmp_path / "models.toml").write_text("[models.fees_of.SBER]\ntaker_rate = 0.001\n")

    arguments = ["replay", str(tmp_path / "idle.py"), "--tape", str(archive), "--models", str(tmp_path / "models.toml")]

    assert main(arguments) == 2
    assert "fees_of.SBER: the recording has no such instrument or exchange" in " ".join(capsys.readouterr().err.split())


def test_a_simulation_refuses_them_too() -> None:
    with pytest.raises(ConfigError, match=r"fees_of\.SBER: the simulation has no such .* its instruments: BTCUSDT"):
        run_strategy(Buyer(), make_trades("BTCUSDT", [1.0, 2.0]), models=fees_of("SBER"))
