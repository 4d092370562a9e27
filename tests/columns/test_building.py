"""Events made of columns: as if their class had been called, at a fraction of the cost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from itertools import repeat
from typing import Any

import attrs
import pytest

from strategykit.columns.building import made
from strategykit.model.events import Quote, Side, Ticker, Trade

SIDES = [Side.BUY, None]
TRADES: list[Iterable[Any]] = [
    *[repeat("SBER"), [270.1, 270.2], [1.0, 2.0], SIDES, ["a", 7], [1, None], [3, 4], repeat("g"), repeat(False)],
    repeat(None),
]
ONE = Trade("SBER", 270.1, 1.0, Side.BUY, "a", 1, 3, "g")
OTHER = Trade("SBER", 270.2, 2.0, None, 7, None, 4, "g")


def values(events: Iterable[Any]) -> list[tuple[Any, ...]]:
    return [attrs.astuple(event) for event in events]


def test_made_events_are_those_that_their_class_would_make() -> None:
    events = list(made(Trade, TRADES))
    assert values(events) == values([ONE, OTHER])
    assert all(type(event) is Trade for event in events)


@pytest.mark.parametrize("kind", [Trade, Quote, Ticker])
def test_each_field_gets_its_own_column(kind: type[Any]) -> None:
    names = [item.name for item in attrs.fields(kind)]
    (event,) = made(kind, [[name] for name in names])
    assert attrs.asdict(event) == {name: name for name in names}  # type: ignore[arg-type]  # not dataclasses at all


def test_each_is_one_of_its_own() -> None:
    one, other = made(Trade, TRADES)
    object.__setattr__(one, "price", 1.0)
    assert [price for _, price, *_ in values([one, other])] == [1.0, 270.2]


@pytest.mark.parametrize("kind", [Trade, Ticker])
def test_none_are_made_of_empty_columns(kind: type[Any]) -> None:
    assert list(made(kind, [[] for _ in attrs.fields(kind)])) == []


def test_in_development_mode_they_are_frozen_too() -> None:
    code = """
import attrs
from strategykit.columns.building import made
from strategykit.model.events import Trade
from tests.columns.test_building import ONE, TRADES
event = next(made(Trade, TRADES))
assert attrs.astuple(event) == attrs.astuple(ONE)
try:
    event.price = 1.0
except attrs.exceptions.FrozenInstanceError:
    print("frozen")
"""
    done = subprocess.run([sys.executable, "-X", "dev", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "frozen\n"
