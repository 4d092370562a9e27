"""The pytest plugin, as users have it: in a pytest of its own, on a strategy with a race and on the mended one."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

pytest_plugins = ["pytester"]

RACY = """
import attrs

from strategykit import Order, OrderState, Quotes, Strategy, define


@define
class Bracket(Strategy):
    instrument: str

    quotes = Quotes("{instrument}")

    _entry: Order | None = attrs.field(default=None, init=False)
    _exit: Order | None = attrs.field(default=None, init=False)
    _state: OrderState | None = attrs.field(default=None, init=False)

    async def run(self):
        await self.when(self.quotes.bid > 0)
        while True:
            self._entry = self.buy_nowait(1, limit=self.quotes.bid.value)
            await self._entry.filled()
            if self._exit is not None:
                await self._exit.filled()

    def on_order(self, order):
        if order is not self._entry or order.state is self._state:
            return
        self._state = order.state
        if order.state is OrderState.WORKING:
            self._exit = self.sell_nowait(1, limit=order.request.price + 3 * self.instrument_of().tick)


@define
class Mended(Strategy):
    instrument: str

    quotes = Quotes("{instrument}")

    async def run(self):
        await self.when(self.quotes.bid > 0)
        while True:
            entry = self.buy_nowait(1, limit=self.quotes.bid.value)
            await entry.filled()
            await self.sell_nowait(1, limit=entry.average_price + 3 * self.instrument_of().tick).filled()
"""

TEST = """
import pytest
from bracket import Bracket, Mended
from strategykit import Side


@pytest.mark.parametrize("cls", [Bracket, Mended], ids=["racy", "mended"])
@pytest.mark.strategykit_faults(seeds=3, faults=5, seconds=8)
def test_each_lot_is_offered_once(strategykit_world, cls):
    outcome = strategykit_world(cls(instrument="SBER"))

    sides = [order.side for order in outcome.orders]
    assert sides.count(Side.SELL) <= sides.count(Side.BUY)
"""


@pytest.fixture
def folder(pytester: pytest.Pytester) -> pytest.Pytester:
    """One with both strategies and their test."""
    pytester.makepyfile(bracket=RACY, test_bracket=TEST)
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider --strict-markers -W error\n")
    return pytester


def run(pytester: pytest.Pytester, *arguments: str) -> tuple[dict[str, int], str]:
    result = pytester.runpytest_subprocess("-q", *arguments)
    return result.parseoutcomes(), f"{result.stdout.str()}\n{result.stderr.str()}"


def script_in(output: str) -> dict[str, Any]:
    (line,) = re.findall(r"^\{.*\}$", output, re.MULTILINE)
    row: dict[str, Any] = json.loads(line)
    return row


@pytest.mark.slow
def test_a_race_is_found_shrunk_and_played_again(folder: pytest.Pytester) -> None:
    outcomes, output = run(folder)

    assert outcomes == {"failed": 1, "passed": 1}, output
    assert "FAILED test_bracket.py::test_each_lot_is_offered_once[racy]" in output
    row = script_in(output)
    assert 1 <= len(row["faults"]) <= 2
    assert "During handling of the above exception" not in output
    assert f"--strategykit-seed {row['seed']}" in output

    script = folder.path / "found.json"
    script.write_text(json.dumps(row), encoding="utf-8")
    outcomes, output = run(folder, "-k", "racy", "--strategykit-script", str(script))

    assert outcomes == {"failed": 1, "deselected": 1}, output
    assert "E       AssertionError: assert 2 <= 1" in output

    seed = str(row["seed"])
    outcomes, output = run(folder, "-k", "racy", "--strategykit-seed", seed)

    assert outcomes == {"failed": 1, "deselected": 1}, output
    assert script_in(output) == row


UNFIT = """
import pytest

faults = pytest.mark.strategykit_faults


@faults(seeds=0)
def test_with_no_seed(strategykit_world): ...

@faults()
async def test_with_a_loop(strategykit_world): ...

@faults()
def test_of_nothing(): ...

@faults(seeds=1)
def test_that_is_right(strategykit_world): ...
"""


def test_what_cant_be_is_refused_before_anything_runs(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(UNFIT)

    outcomes, output = run(pytester, "-p", "no:cacheprovider", "--strategykit-script", "nowhere.json")

    assert not outcomes.keys() & {"passed", "failed"}, output
    lines = [line for line in output.splitlines() if line.startswith("ERROR: ")]
    for words in ("number from 1", "write def", "ask for strategykit_world", "nowhere.json: can't be read"):
        assert any(words in line for line in lines), output
    assert len(lines) == 4


def test_no_seeds_at_all_are_refused(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(UNFIT)

    _, output = run(pytester, "-p", "no:cacheprovider", "-k", "right", "--strategykit-seeds", "0")

    assert "test_that_is_right: --strategykit-seeds 0: give a whole number from 1" in output
