"""A run that is cut off amid orders, and none after it can begin: what its books say is checked all the same."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from strategykit.testing.disk import DiskFault
from strategykit.testing.faults import Fault
from tests.chaos.checker import check, is_left_alone
from tests.chaos.record import play
from tests.chaos.worlds import SYMBOLS, draw_world

Record = dict[str, Any]


@pytest.fixture(scope="module", params=["alor", "t4"])
def good(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Record:
    """The disk is full when the second run would begin its journal."""
    venue: str = request.param
    full = Fault(at=5.3, disk=DiskFault(what="full", seconds=200.0))
    world = attrs.evolve(
        draw_world(venue, 5, seconds=8.0),
        faults=[full],
        cut_off_at=5.0,
        keep_orders=False,
        venue_ahead=0.0,
        latency=(0.001, 0.01),
    )
    return play(world, symbols=SYMBOLS[venue], folder=tmp_path_factory.mktemp(venue))


def with_fills(record: Record) -> Any:
    return next(order for order in record["ours"]["orders"] if order["fills"])


def end_otherwise(record: Record) -> None:
    next(order for order in record["ours"]["orders"] if order["state"] == "cancelled")["state"] = "rejected"


def lose_order(record: Record) -> None:
    record["ours"]["orders"].remove(with_fills(record))


def place_twice(record: Record) -> None:
    commands = record["theirs"]["commands"]
    again = copy.deepcopy(next(row for row in commands if row.get("action", "create") == "create"))
    if "unique_id" in again:
        again["unique_id"] += "-again"
    commands.append(again)


def lose_fill(record: Record) -> None:
    with_fills(record)["fills"].pop()


def count_fill_twice(record: Record) -> None:
    fills = with_fills(record)["fills"]
    fills.append(copy.deepcopy(fills[0]))


def forget_at_the_venue(record: Record) -> None:
    record["theirs"]["fills"].clear()


def sound_for_nothing(record: Record) -> None:
    ended = ("filled", "cancelled", "rejected", "expired")
    record["ours"]["orders"] = [order for order in record["ours"]["orders"] if order["state"] in ended]
    record["ours"]["alarms"].append("account: the account holds +2 SBER besides what the journal knows of")


WRONG: dict[Callable[[Record], None], str] = {
    end_otherwise: "I1",
    lose_order: "I2",
    place_twice: "I2",
    lose_fill: "I3",
    count_fill_twice: "I3",
    forget_at_the_venue: "I3",
    sound_for_nothing: "I3",
}


def test_what_a_run_has_left_is_sound_though_no_other_could_begin(good: Record) -> None:
    assert good["error"].startswith("JournalFull")
    assert is_left_alone(good)
    assert any(order["state"] == "cancelled" for order in good["ours"]["orders"])
    assert check(good) == []


@pytest.mark.parametrize("change", WRONG, ids=lambda change: change.__name__)
def test_what_is_wrong_with_what_it_left_is_found_and_named(good: Record, change: Callable[[Record], None]) -> None:
    record = copy.deepcopy({**good, "tapes": []})
    change(record)

    assert any(line.startswith(f"{WRONG[change]}:") for line in check(record))
    assert change is not sound_for_nothing or any("told for nothing" in line for line in check(record))


def test_a_run_that_never_placed_an_order_leaves_nothing_to_look_at(good: Record) -> None:
    assert not is_left_alone({**good, "taken_over": 0})
    assert not is_left_alone({**good, "error": "LocalProtocolError: no"})
    assert not is_left_alone({**good, "began": True})
