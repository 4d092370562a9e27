"""Venues that withdraw an account's orders because its connection ended: they do, they don't, or they do it late."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
import trio

from strategykit.config import StrategySpec
from strategykit.runtime.assembly import Run
from strategykit.testing.faults import Fault, NetworkFault
from strategykit.testing.network import MemoryNetwork
from strategykit.testing.world import World
from tests.chaos.checker import check
from tests.chaos.record import in_memory, play
from tests.chaos.worlds import SYMBOLS

BROKEN, AGAIN = 3.0, 4.0
"""When wires end, and when new ones get through."""

LOST: Final = ["sent", "working", "unknown"]
"""What is told of an order whose wire ends."""

_FILE: Final = str(Path(__file__).with_name("strategies") / "rester.py")

venues = pytest.mark.parametrize("venue", ["alor", "t4"])


@attrs.define
class Watched:
    record: dict[str, Any]
    wrong: list[str]
    back: float = 0.0
    """When the venue's word on every order was had again."""

    def told(self, lots: int) -> list[str]:
        """What the strategy heard of one of its orders."""
        start = f"rester: {lots} "
        return [line.removeprefix(start) for line in self.record["ours"]["notes"] if line.startswith(start)]

    @property
    def ends(self) -> list[tuple[str, Decimal]]:
        """Of the venue's orders, by its own log."""
        return [(row["status"], Decimal(str(row["filled"]))) for row in self.record["theirs"]["orders"]]

    @property
    def cancels(self) -> int:
        """How often we asked for orders to be withdrawn."""
        return sum(int(row["cancels"]) for row in self.record["ours"]["orders"])


def watch(venue: str, *withdrawals: float) -> Watched:
    """Run with wires that end, and orders that are withdrawn at those times."""
    instrument = next(iter(SYMBOLS[venue]))
    outage: Sequence[Fault] = (
        Fault(at=BROKEN, network=NetworkFault(what="refuse", how="refused", seconds=AGAIN - BROKEN)),
        Fault(at=BROKEN, network=NetworkFault(what="reset")),
    )
    world = World(
        venue=venue,
        strategies=[StrategySpec(name="rester", file=_FILE, params={"instrument": instrument})],
        instruments=[instrument],
        seconds=9.0,
        faults=[*outage, *(Fault(at=time, venue={"fault": "withdraw_orders"}) for time in withdrawals)],
    )
    watched = Watched({}, [])

    async def look(run: Run, _: MemoryNetwork) -> None:
        await trio.sleep_until(BROKEN + 0.5)
        while not run.gateway.lane_up or run.gateway.doubtful():  # noqa: ASYNC110 - a run tells nobody of its insides
            await trio.sleep(0.001)
        watched.back = trio.current_time()

    with in_memory() as folder:
        symbols = {instrument: SYMBOLS[venue][instrument]}
        watched.record = play(world, symbols=symbols, folder=folder, meanwhile=look)
        watched.wrong = check(watched.record)
    return watched


@cache
def undisturbed(venue: str) -> Watched:
    """The same in which nothing is withdrawn."""
    return watch(venue)


def rightly(watched: Watched) -> bool:
    """Whether nothing is wrong, nothing is an alarm, and the venue has each order once, at the end that it should."""
    ours = watched.record["ours"]
    assert watched.wrong == [], "\n".join(watched.wrong)
    assert (ours["alarms"], ours["unaccounted"]) == ([], [])
    assert [row["error"] for row in ours["strategies"]] == [""]
    assert sorted(watched.ends) == [("cancelled", Decimal(0)), ("cancelled", Decimal(0)), ("filled", Decimal(2))]
    return True


@venues
@pytest.mark.parametrize("at", [BROKEN - 0.0001, AGAIN - 0.5])
def test_orders_that_went_with_the_wire_are_found_gone_when_it_is_back(venue: str, at: float) -> None:
    """As soon as the wire ended, so that the news of it were lost, or some time later."""
    watched = watch(venue, at)

    assert rightly(watched)
    assert watched.told(1) == watched.told(3) == [*LOST, "cancelled"]
    assert watched.cancels == 0


@venues
def test_orders_that_stay_are_found_working_when_the_wire_is_back(venue: str) -> None:
    watched = undisturbed(venue)

    assert rightly(watched)
    assert watched.told(1) == watched.told(3) == [*LOST, "working", "cancel_sent", "cancelled"], "at the run's end"
    assert watched.cancels == 2


@venues
def test_orders_that_go_long_after_the_wire_is_back_end_once(venue: str) -> None:
    watched = watch(venue, undisturbed(venue).back + 2.0)

    assert rightly(watched)
    assert watched.told(1) == watched.told(3) == [*LOST, "working", "cancelled"]
    assert watched.cancels == 0


@venues
def test_orders_that_go_while_the_venue_is_asked_for_them_end_once(venue: str) -> None:
    back = undisturbed(venue).back
    for early in range(-2, 26, 9):  # Milliseconds: a round trip has some of them.
        watched = watch(venue, back - early * 0.001)

        assert rightly(watched)
        told = [line for line in watched.told(1) if line != "working"]
        assert told == [line for line in watched.told(3) if line != "working"] == ["sent", "unknown", "cancelled"]
        assert watched.cancels == 0
