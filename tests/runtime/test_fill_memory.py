"""Fills that come before anybody knows whose they are."""

from __future__ import annotations

from decimal import Decimal

from strategykit.model.events import Fill, Side
from strategykit.runtime.fill_memory import FillMemory


def fill(number: int) -> Fill:
    return Fill("X", f"t{number}", f"n{number}", None, Side.BUY, Decimal(1), Decimal(1), None, None, None, 0, "")


def test_early_fills_are_given_once_and_the_oldest_are_forgotten() -> None:
    memory = FillMemory()
    for number in range(1_002):
        memory.keep(fill(number))

    assert [memory.take(f"n{number}") for number in (0, 1)] == [[], []]
    assert [found.trade_id for found in memory.take("n2")] == ["t2"]
    assert memory.take("n2") == []


def test_a_fill_counts_for_each_side_of_a_trade_with_oneself() -> None:
    memory = FillMemory()
    bought = fill(1)
    memory.count(bought)
    sold = Fill("X", "t1", "n2", None, Side.SELL, Decimal(1), Decimal(1), None, None, None, 0, "")

    assert memory.counted(bought)
    assert not memory.counted(sold)
