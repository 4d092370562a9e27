"""Orders named as a run of ours names its own, and that nobody here knows."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import attrs
import pytest

from strategykit.journal.format import Record, RecordKind
from strategykit.model.codec import make_converter
from strategykit.model.events import OrderStatus, OrderUpdate, Side
from strategykit.runtime.carried import Carried, carried_facts, carry
from strategykit.runtime.strays import Strays

if TYPE_CHECKING:
    from tests.runtime.conftest import Stage

OURS, BEFORE = "0a1b2c3d", "4e5f6071"


def shown(name: str | None, status: OrderStatus = OrderStatus.WORKING) -> OrderUpdate:
    return OrderUpdate("X", "7", name, status, Side.BUY, Decimal(3), Decimal(0), None, None, 0, "")


class Table:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.asked: list[float] = []
        self.strays = Strays(OURS, (BEFORE,), self.told.append, self.asked.append)


def test_one_of_this_run_is_told_of_at_once_and_once() -> None:
    table = Table()

    for status in (OrderStatus.WORKING, OrderStatus.CANCELLED):
        table.strays.shown(shown(f"{OURS}-s-1", status), listed=False)

    (line,) = table.told
    words = f"the venue shows {OURS}-s-1 as order 7 (working: buy 3 X), which is named as an order of this run"
    assert line == f"{words} and isn't known; it isn't touched"
    assert table.asked == []


def test_one_of_an_earlier_run_is_told_of_when_two_lists_have_it() -> None:
    """What comes first may be older than its end."""
    table = Table()

    for listed in (False, True):
        table.strays.shown(shown(f"{BEFORE}-s-1"), listed=listed)
    assert (table.told, table.asked) == ([], [0.0, 0.0])
    for _ in range(3):
        table.strays.shown(shown(f"{BEFORE}-s-1"), listed=True)

    (line,) = table.told
    assert "an order of an earlier run of ours and isn't known" in line


@pytest.mark.parametrize("name", [None, "", "somebody", "somebody-s-1", f"x{OURS}-s-1", OURS[:4]])
def test_other_peoples_are_no_business_of_ours(name: str | None) -> None:
    table = Table()

    for _ in range(3):
        table.strays.shown(shown(name), listed=True)

    assert (table.told, table.asked) == ([], [])


def test_one_of_an_earlier_run_that_has_ended_is_history() -> None:
    table = Table()

    for _ in range(3):
        table.strays.shown(shown(f"{BEFORE}-s-1", OrderStatus.FILLED), listed=True)

    assert (table.told, table.asked) == ([], [])


async def test_the_venues_word_on_it_sounds_the_alarm_and_sends_nothing(stage: Stage) -> None:
    update = attrs.evolve(shown("tag-s-99"), account="D1")  # type: ignore[misc]  # events are attrs classes

    assert not stage.gateway.updated(update)

    (line,) = stage.gateway.contradictions
    assert "the venue shows tag-s-99 as order 7" in line
    assert stage.sent == []


def test_names_of_runs_are_handed_on_and_those_of_guards_are_not() -> None:
    def run(tag: str) -> Record:
        return Record(1, 0, RecordKind.RUN, {"tag": tag})

    converter = make_converter()
    first = carry([run(BEFORE), run("guard")], converter)
    second = carry([run(OURS), Record(2, 0, RecordKind.CARRIED, carried_facts(first, converter))], converter)

    assert first.tags == (BEFORE,)
    assert second.tags == (BEFORE, OURS)
    assert second
    assert not Carried()
