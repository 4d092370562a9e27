"""A run that was killed and the one after it: what the first left is the second's to know, and to clean up."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from strategykit.config import SIMULATED_ACCOUNT, RunPlan, Session, VenuePlan
from strategykit.journal.format import RecordKind
from strategykit.journal.reader import read_journal
from strategykit.model.orders import OrderState
from strategykit.net.endpoints import Endpoints
from strategykit.runtime.assembly import Run
from strategykit.runtime.demo import open_venue_process
from strategykit.runtime.run import rerun_tape, run_session

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


GUARDED = """
    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        bought = await self.buy(2)
        await bought.filled()
        await self.sell(2, stop=round(self.quotes.last.bid * 0.9, 2))
        print("left", flush=True)
        await trio.sleep_forever()
"""

LOOKS = """
    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
"""

ACCOUNTS = {"alor": (SIMULATED_ACCOUNT, "SBER"), "t4": ("SIM-1", "CME_Eq/ES/XCME_Eq ES (Z26)")}


def orders_of(url: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = httpx.get(f"{url}/sim/orders", timeout=5).json()["orders"]
    return rows


@pytest.mark.parametrize(("venue", "on_stop"), [("alor", "cancel"), ("alor", "keep"), ("t4", "cancel"), ("t4", "keep")])
def test_a_run_takes_over_what_a_killed_one_has_left(
    bench: Any, start: Any, tmp_path: Path, venue: str, on_stop: Literal["cancel", "keep"]
) -> None:
    account, instrument = ACCOUNTS[venue]
    with open_venue_process(venue) as url:
        first = bench.strategy(FIRST)
        where = ("--venue", venue, "--url", url, "--instrument", instrument, "--account", account)
        program = start("run", first.file, *where, "--journal", "journal", "--no-tape")
        assert program.process.stdout.readline() == "left\n", program.process.stderr.read()
        program.process.kill()
        program.wait()
        assert [row["status"] for row in orders_of(url)].count("working") == 2

        states: list[OrderState] = []

        async def watch(run: Run) -> None:
            states.extend(order.state for order in run.adopted)

        session = Session(
            venue=VenuePlan(name=venue, endpoints=Endpoints.at(url), account=account),
            run=RunPlan(duration=3 * 10**9, tape=None, journal=tmp_path / "journal", on_stop=on_stop),
            strategies=(bench.strategy(SECOND, name="own_1", instrument=instrument),),
        )
        result = run_session(session, tape=bench.tape, meanwhile=watch, handle_signals=False)

        assert states == [OrderState.UNKNOWN, OrderState.UNKNOWN]
        (line,) = [text for _, source, text in result.notes if source == "own_1"]
        left = "no order" if on_stop == "cancel" else "working 1, working 3"
        assert line == f"begins with 2 lots and {left}"
        (report,) = result.strategies
        assert (report.state, report.left, report.positions.get(instrument, 0)) == ("ended", [], Decimal(0))
        assert [row["status"] for row in orders_of(url)].count("working") == 0
        assert (result.unaccounted, result.alarms) == ([], ())
        assert rerun_tape(bench.tape).ok


def die(bench: Any, start: Any, url: str, body: str) -> str:
    """Have a run killed with its orders at the venue; give the name of its strategy."""
    spec = bench.strategy(body)
    program = start("run", spec.file, "--url", url, "--instrument", "SBER", "--journal", "journal", "--no-tape")
    assert program.process.stdout.readline() == "left\n", program.process.stderr.read()
    program.process.kill()
    program.wait()
    return str(Path(spec.file).stem)


def go_on(bench: Any, tmp_path: Path, url: str, name: str) -> Any:
    session = Session(
        venue=VenuePlan(name="alor", endpoints=Endpoints.at(url), account=SIMULATED_ACCOUNT),
        run=RunPlan(duration=10**9, tape=None, journal=tmp_path / "journal"),
        strategies=(bench.strategy(LOOKS, name=name),),
    )
    result = run_session(session, tape=bench.tape, handle_signals=False)
    again = rerun_tape(bench.tape)
    assert again.ok, again.differences
    return result


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_position_whose_stop_the_next_run_withdraws_is_told_of_with_it(
    bench: Any, start: Any, tmp_path: Path, goes_on: bool
) -> None:
    """A note for the strategy that goes on with it, and an alarm where none does."""
    with open_venue_process("alor") as url:
        name = die(bench, start, url, GUARDED)

        result = go_on(bench, tmp_path, url, name if goes_on else "another")

        assert [row["status"] for row in orders_of(url)].count("working") == 0
    (line,) = [text for _, source, text in result.notes if source == "orders" and "stop over it" in text]
    words = rf"\+2 SBER of {name} stays, and the stop over it was withdrawn: \w+-{name}-2 \(sell 2 SBER at [0-9.]+\); "
    assert re.search(words, line)
    assert len(result.alarms) == (0 if goes_on else 1)
    ends = "the strategy has to place another" if goes_on else "so nothing watches over it"
    assert line.endswith(ends)


def test_an_order_of_an_earlier_run_that_its_journal_lost_is_an_alarm(bench: Any, start: Any, tmp_path: Path) -> None:
    """As when the power fails: whose it is can be told by its name alone."""
    with open_venue_process("alor") as url:
        name = die(bench, start, url, FIRST)
        (path,) = (tmp_path / "journal").glob("*/*.journal")
        journal = read_journal(path)
        last = max(at for at, record in enumerate(journal.records) if record.kind is RecordKind.INTENT)
        with path.open("r+b") as file:
            file.truncate(journal.offsets[last] + 5)

        result = go_on(bench, tmp_path, url, name)

        assert [row["quantity"] for row in orders_of(url) if row["status"] == "working"] == ["3"], "it isn't touched"
    found = [line for line in result.alarms if "is named as an order of an earlier run of ours" in line]
    (line,) = found
    assert re.search(rf"the venue shows \w+-{name}-3 as order \d+ \(working: buy 3 SBER\)", line)
