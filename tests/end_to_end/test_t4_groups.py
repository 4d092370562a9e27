"""Linked orders of strategies at the simulated T4 venue, over whole programs in virtual time."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from strategykit.config import StrategySpec
from strategykit.runtime.run import rerun_tape
from strategykit.testing.faults import Fault
from strategykit.testing.world import Outing, World, run_world

ES = "CME_Eq/ES/XCME_Eq ES (Z26)"

HEAD = """\
from decimal import Decimal
import trio
from strategykit import *
from strategykit import OrderSpec, OrderRefused, Quotes, Side, Strategy, TimeInForce, define

BUY, SELL = Side.BUY, Side.SELL
LATE = OrderSpec(BUY, 1, time_in_force=TimeInForce.AT_THE_CLOSE)

@define
class Own(Strategy):
    instrument: str

    quotes = Quotes("{instrument}")

    def tell(self, *orders):
        self.log(", ".join(f"{order.state.value} {order.filled_quantity}" for order in orders))

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        await trio.sleep(3)
        bid, ask = (Decimal(str(price)) for price in (self.quotes.last.bid, self.quotes.last.ask))
"""

OCO = """
        far, near = await self.one_cancels_other(
            OrderSpec(BUY, 2, limit=bid - 100), OrderSpec(BUY, 2, limit=ask + 5), instrument=self.instrument
        )
        await near.filled()
        await far.ended()
        self.tell(far, near)
        self.log(f"holds {self.position()}")
        await trio.sleep_forever()
"""

PART = """
        near, far = await self.one_cancels_other(OrderSpec(BUY, 30, limit=bid), OrderSpec(BUY, 30, limit=bid - 100))
        while not near.filled_quantity:
            await trio.sleep(0.01)
        self.log(f"{near.state.value} {near.filled_quantity} {far.state.value}")
        await near.cancel()
        await far.cancel()
        await trio.sleep_forever()
"""

BRACKET = """
        entry, (target, stop) = await self.bracket(OrderSpec(BUY, 2), HOW)
        await entry.filled()
        while target.state.value != "working" or not stop.venue_order_id:
            await trio.sleep(0.1)
        await trio.sleep(1)
        self.tell(entry, target, stop)
        try:
            await stop.amend(stop=bid - 90)
        except OrderRefused as exc:
            self.log(str(exc).partition(" is ")[2])
        await (trio.sleep_forever() if WAIT else target.cancel())
"""

EXIT = """
        entry, (target, stop) = await self.bracket(OrderSpec(SELL, 2), target=bid + 50, stop=bid + 100)
        await entry.filled()
        await target.filled()
        await stop.ended()
        self.tell(entry, target, stop)
        self.log(f"holds {self.position()}")
        await trio.sleep_forever()
"""

REFUSED = """
        orders = self.one_cancels_other_nowait(OrderSpec(BUY, 1, limit=bid - 1), LATE)
        try:
            await orders[0].accepted()
        except OrderRefused as exc:
            self.log(f"{orders[0].state.value} {orders[1].state.value}: {exc}")
        await trio.sleep_forever()
"""

LOST = """
        orders = self.one_cancels_other_nowait(OrderSpec(BUY, 1, limit=bid - 100), OrderSpec(BUY, 1, limit=bid - 101))
        before = ""
        while True:
            now = " ".join(order.state.value for order in orders)
            if now != before:
                self.log(now)
            before = now
            await trio.sleep(0.1)
"""

LEFT = """
        if self.open_orders():
            self.log(f"left {[order.group != '' for order in self.open_orders()]}, {self.position()}")
        else:
            entry, exits = await self.bracket(OrderSpec(BUY, 2), target=bid + 100, stop=bid - 100)
            await entry.filled()
        await trio.sleep_forever()
"""


@attrs.define
class Played:
    outing: Outing
    tape: Path

    @property
    def told(self) -> list[str]:
        """What the strategy has logged."""
        assert self.outing.report is not None
        return [text for _, source, text in self.outing.report.notes if source == "own"]

    @property
    def orders(self) -> list[tuple[str, int]]:
        """Those of the venue, as they ended, in the order in which they were placed."""
        return [(row["status"], int(Decimal(row["filled"]))) for row in self.outing.orders["orders"]]


def play(folder: Path, body: str, *faults: dict[str, Any], **world: Any) -> Played:
    """Run the strategy for some seconds; its books have to agree with the venue's, and its re-run with itself."""
    file = folder / "own.py"
    file.write_text(HEAD + body)
    played = World(
        venue="t4",
        strategies=[StrategySpec(name="own", file=str(file), params={"instrument": ES})],
        faults=[Fault(at=2.0 + place, venue=fault) for place, fault in enumerate(faults)],
        **{"seconds": 15.0, "instruments": [ES], "rate": 20.0, **world},
    )
    outing = run_world(played, tape=folder / "tape", journal=folder / "journal")
    assert outing.report is not None, outing.error
    assert outing.unsettled == ()
    assert outing.report.unaccounted == []
    assert [row.error for row in outing.report.strategies] == [""]
    return Played(outing, folder / "tape")


def test_one_of_two_is_filled_and_the_venue_cancels_the_other(tmp_path: Path) -> None:
    played = play(tmp_path, OCO)

    assert played.told == ["cancelled 0, filled 2", "holds 2"]
    assert sorted(played.orders) == [("cancelled", 0), ("filled", 2)]
    again = rerun_tape(played.tape)
    assert (again.ok, again.digest_equal, again.equal) == (True, True, 1)


@pytest.mark.parametrize("how", ["target=100.0, stop=100.0, offsets=True", "target=bid + 100, stop=bid - 100"])
def test_exits_work_at_the_venue_once_the_entry_is_filled(tmp_path: Path, how: str) -> None:
    played = play(tmp_path, BRACKET.replace("HOW", how).replace("WAIT", "True"))

    assert played.told == [
        "filled 2, working 0, working 0",
        "linked with others, so it can't be amended: cancel, place anew",
    ]
    again = rerun_tape(played.tape)
    assert (again.ok, again.digest_equal) == (True, True)


def test_what_an_exit_fills_the_venue_takes_from_the_other(tmp_path: Path) -> None:
    """A short's target above the market: it is filled at once."""
    played = play(tmp_path, EXIT)

    assert played.told == ["filled 2, filled 2, cancelled 0", "holds 0"]
    assert rerun_tape(played.tape).ok


def test_a_group_that_the_venue_refuses_is_refused_whole(tmp_path: Path) -> None:
    """The second order is for the close, which this venue doesn't have."""
    played = play(tmp_path, REFUSED)

    (line,) = played.told
    assert line.startswith("rejected rejected: ")
    assert "isn't simulated" in line
    assert played.orders == []
    assert rerun_tape(played.tape).ok


@pytest.mark.parametrize(
    ("fault", "last"), [("lost_update", "working working"), ("ignore_request", "rejected rejected")]
)
def test_a_group_whose_answers_are_lost_is_unknown_until_the_venue_tells(tmp_path: Path, fault: str, last: str) -> None:
    played = play(tmp_path, LOST, {"fault": fault, "count": 1 if fault == "ignore_request" else 6}, seconds=30.0)

    assert played.told[0] == "sent sent"
    assert "unknown unknown" in played.told
    assert played.told[-1] == last
    assert rerun_tape(played.tape).ok


def test_what_a_dead_run_has_left_of_a_bracket_is_taken_over(tmp_path: Path) -> None:
    played = play(tmp_path, LEFT, seconds=40.0, cut_off_at=10.0, keep_orders=True)

    assert played.told == ["left [True, True], 2"]
    assert played.outing.run is not None
    assert [order.earlier for order in played.outing.run.adopted] == [True, True]
    assert played.orders[0] == ("filled", 2)


def test_of_two_orders_one_is_filled_in_part_and_both_are_withdrawn(tmp_path: Path) -> None:
    """One rests at the best price, where the market trades with it bit by bit."""
    played = play(tmp_path, PART)

    (line,) = played.told
    state, filled, other = line.split()
    assert (state, other) == ("partial", "working")
    near, far = sorted(played.outing.orders["orders"], key=lambda row: -Decimal(row["filled"]))
    assert (near["status"], far["status"], Decimal(far["filled"])) == ("cancelled", "cancelled", Decimal(0))
    assert Decimal(near["filled"]) >= int(filled) > 0
    assert rerun_tape(played.tape).ok
