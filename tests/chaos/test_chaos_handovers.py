"""Connections that are replaced while a program runs, the next one first: nothing is lost, and nothing doubled."""

from __future__ import annotations

import re

import pytest

from strategykit.config import StrategySpec
from strategykit.runtime import housekeeping
from strategykit.testing.faults import Fault
from strategykit.testing.world import World
from tests.chaos.checker import check
from tests.chaos.record import in_memory, play
from tests.chaos.worlds import SYMBOLS

DAY = 86_400.0
FILES = {name: f"tests/chaos/strategies/{name}.py" for name in ("churner", "witness")}


def world(venue: str, *faults: Fault) -> World:
    first, second = SYMBOLS[venue]
    return World(
        venue=venue,
        strategies=[
            StrategySpec(name="churn", file=FILES["churner"], params={"instrument": first, "pace": 0.2}),
            StrategySpec(name="one", file=FILES["witness"], params={"instrument": first}),
            StrategySpec(name="two", file=FILES["witness"], params={"instrument": second}),
        ],
        faults=faults,
        instruments=[first, second],
        seconds=20.0,
        seed=3,
        rate=20.0,
        latency=(0.001, 0.1),
    )


def replaced(played: World) -> int:
    """Play a world in which nothing may be lost; give how many connections were replaced."""
    with in_memory() as folder:
        record = play(played, symbols=SYMBOLS[played.venue], folder=folder)
        assert check(record) == []
    for told in record["rest"]["witnesses"].values():
        assert len(told) > 50
        assert {row[0] for row in told} == {"trade"}, "no gap"
        assert not any(row[-1] for row in told), "none had to be asked for later"
    assert len(record["ours"]["orders"]) > 10
    notes = [line for line in record["ours"]["notes"] if "is replaced by" in line]
    (last,) = {row["connection"] for row in record["rest"]["wanted"]}
    found = re.fullmatch(r"market-0~(\d+)", last)
    assert found is not None, last
    assert int(found[1]) == len(notes) + 1
    return len(notes)


@pytest.mark.parametrize(("venue", "fault"), [("binance", "shutdown"), ("coinapi", "reconnect")])
def test_an_announced_end_loses_nothing_and_doubles_nothing(venue: str, fault: str) -> None:
    ends = [Fault(at=at, venue={"fault": fault, "seconds": 4.0}) for at in (5.0, 12.0)]

    assert replaced(world(venue, *ends)) == 2


def test_a_connection_is_replaced_before_its_life_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    # Twice while the program trades; the third time were after its end. While markets stand still nobody takes over.
    monkeypatch.setattr(housekeeping, "REPLACE_AT", 9.0 / DAY)

    assert replaced(world("binance")) == 2
