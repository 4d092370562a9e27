"""Events made of columns: as if their class had been called, at a fraction of the cost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import attrs
import pytest

from strategykit.columns.building import made
from strategykit.model.events import Side, Trade

GIVEN: dict[str, object] = {"instrument": "SBER", "guid": "g", "snapshot": False, "open_interest": None}
COLUMNS: dict[str, list[Any]] = {
    "price": [270.1, 270.2],
    "quantity": [1.0, 2.0],
    "side": [Side.BUY, None],
    "trade_id": ["a", 7],
    "event_time": [1, None],
    "receive_time": [3, 4],
}
ONE = Trade("SBER", 270.1, 1.0, Side.BUY, "a", 1, 3, "g")
OTHER = Trade("SBER", 270.2, 2.0, None, 7, None, 4, "g")


def values(events: Iterable[Any]) -> list[tuple[Any, ...]]:
    return [attrs.astuple(event) for event in events]


def test_made_events_are_those_that_their_class_would_make() -> None:
    events = list(made(Trade, GIVEN, COLUMNS))
    assert values(events) == values([ONE, OTHER])
    assert all(type(event) is Trade for event in events)


def test_each_is_one_of_its_own() -> None:
    one, other = made(Trade, GIVEN, COLUMNS)
    object.__setattr__(one, "price", 1.0)
    assert [price for _, price, *_ in values([one, other])] == [1.0, 270.2]


def test_with_columns_alone_there_is_nothing_to_give() -> None:
    whole: dict[str, list[Any]] = {**{name: [value] * 2 for name, value in GIVEN.items()}, **COLUMNS}
    assert values(made(Trade, {}, whole)) == values([ONE, OTHER])


def test_none_are_made_of_empty_columns() -> None:
    assert list(made(Trade, GIVEN, {name: [] for name in COLUMNS})) == []


def test_what_isnt_the_name_of_a_field_is_refused() -> None:
    with pytest.raises(ValueError, match="not names of fields"):
        made(Trade, {"price = 0; instrument": "SBER"}, COLUMNS)


def test_in_development_mode_they_are_frozen_too() -> None:
    code = """
import attrs
from strategykit.model.events import Trade
from tests.columns.test_building import COLUMNS, GIVEN, ONE
from strategykit.columns.building import made
event = next(made(Trade, GIVEN, COLUMNS))
assert attrs.astuple(event) == attrs.astuple(ONE)
try:
    event.price = 1.0
except attrs.exceptions.FrozenInstanceError:
    print("frozen")
"""
    done = subprocess.run([sys.executable, "-X", "dev", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "frozen\n"
