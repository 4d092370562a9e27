"""What the venue says and what can't be: an alarm at once, once."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import trio

from strategykit.cli._report import complaints
from strategykit.config import StrategySpec
from strategykit.runtime.alarms import Alarms
from strategykit.runtime.assembly import Run
from strategykit.runtime.order_table import OrderTable
from strategykit.testing.world import World, run_world
from tests.chaos.journal_bytes import read_journals


def test_what_cant_be_is_noted_and_one_alarm() -> None:
    told: list[tuple[str, str]] = []
    alarms = Alarms(lambda source, text: told.append((source, text)))
    table = OrderTable(lambda _: None, lambda line: alarms.sound("orders", line))

    for line in ("one", "two", "one"):
        table.contradict(line)

    assert table.contradictions == ["one", "two", "one"]
    assert alarms.lines == ["orders: one", "orders: two"]
    assert told == [("orders", "ALARM: one"), ("orders", "ALARM: two")]


BUYER = """
import trio
from strategykit import Books, Strategy, define

@define
class Buyer(Strategy):
    instrument: str
    books = Books("{instrument}")

    async def run(self) -> None:
        await self.when(self.books.bid < self.books.ask)
        await (await self.buy(1)).filled()
        await trio.sleep_forever()
"""


def test_more_lots_than_were_asked_for_are_an_alarm_at_once_and_in_the_journal(tmp_path: Path) -> None:
    seen: list[tuple[str, ...]] = []

    async def fill_too_much(run: Run, _: object) -> None:
        while not any(order.fills_seen for order in run.gateway.orders.values()):  # noqa: ASYNC110 - as elsewhere
            await trio.sleep(0.1)
        (order,) = run.gateway.orders.values()
        fill: Any = order.fills_seen[0]
        for _ in range(2):  # It counts once.
            run.gateway.filled(attrs.evolve(fill, trade_id="another", quantity=Decimal(1)))
        seen.append(tuple(run.kill.alarms.lines))

    file = tmp_path / "buyer.py"
    file.write_text(BUYER, encoding="utf-8")
    spec = StrategySpec(name="s", file=str(file), params={"instrument": "SBER"})
    world = World(strategies=[spec], instruments=["SBER"], seconds=4.0, rests=False)
    report = run_world(world, journal=tmp_path, meanwhile=fill_too_much).report

    assert report is not None
    ((alarm,),) = seen
    assert alarm.startswith("orders: <Order ")
    assert alarm.endswith("2 filled>: that is too much")
    assert not report.ok
    assert report.alarms.count(alarm) == 1 == report.unaccounted.count(alarm.removeprefix("orders: "))
    assert sum("that is too much" in line for line in complaints(report)) == 1
    assert [row.facts["text"] for row in read_journals(tmp_path) if row.kind == "alarm"].count(alarm) == 1
