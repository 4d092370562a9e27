"""A run that was killed and the one after it: what the first left is the second's to know, and to clean up."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from strategykit.model.orders import OrderState
from strategykit.runtime.assembly import Run
from strategykit.runtime.run import rerun_tape

FIRST = """
    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        bought = await self.buy(2)
        await bought.filled()
        low = round(self.quotes.last.bid * 0.9, 2)
        await self.buy(1, limit=low)
        await self.buy(3, limit=low)
        print("left", flush=True)
        await trio.sleep_forever()
"""

SECOND = """
    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        found = ", ".join(f"{order.state.value} {order.quantity}" for order in self.open_orders())
        self.log(f"begins with {self.position()} lots and {found or 'no order'}")
        await self.when(self.quotes.bid < self.quotes.ask)
        sold = await self.sell(self.position())
        await sold.filled()
        for order in self.open_orders():
            await order.cancel()
"""


def kill_after_trading(venue: Any, bench: Any, start: Any) -> None:
    spec = bench.strategy(FIRST)
    first = start("run", spec.file, "--url", venue.url, "--instrument", "SBER", "--journal", "journal", "--no-tape")
    assert first.process.stdout.readline() == "left\n", first.process.stderr.read()
    first.process.kill()
    first.wait()


@pytest.mark.parametrize("on_stop", ["cancel", "keep"])
def test_a_run_takes_over_what_a_killed_one_has_left(
    venue: Any, bench: Any, start: Any, tmp_path: Path, on_stop: str
) -> None:
    kill_after_trading(venue, bench, start)
    assert len(venue.working()) == 2
    states: list[OrderState] = []

    async def watch(run: Run) -> None:
        states.extend(order.state for order in run.adopted)

    result = bench.run(
        venue.url,
        [bench.strategy(SECOND, name="own_1")],
        journal=tmp_path / "journal",
        on_stop=on_stop,
        meanwhile=watch,
    )

    assert states == [OrderState.UNKNOWN, OrderState.UNKNOWN]
    (line,) = [text for _, source, text in result.notes if source == "own_1"]
    left = "no order" if on_stop == "cancel" else "working 1, working 3"
    assert line == f"begins with 2 lots and {left}"
    (report,) = result.strategies
    assert (report.state, report.left, report.positions.get("SBER", 0)) == ("ended", [], Decimal(0))
    assert venue.working() == []
    assert result.unaccounted == []
    assert rerun_tape(bench.tape).ok
