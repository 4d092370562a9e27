"""The checker looks into the journal, too, and disks have their troubles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from strategykit.config import StrategySpec
from strategykit.testing.disk import DiskFault
from strategykit.testing.faults import Fault
from strategykit.testing.world import Outing, World, run_world
from tests.chaos.checker import check
from tests.chaos.journal_bytes import JournalBroken, read_journals
from tests.chaos.record import play
from tests.chaos.worlds import SYMBOLS, draw_world

CAREFUL = Path(__file__).with_name("strategies") / "careful.py"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("played")
    return play(draw_world("alor", 7, faults=3, seconds=4.0), symbols=SYMBOLS["alor"], folder=folder)


def _journal(record: dict[str, Any]) -> Path:
    return next(Path(record["journal"]).rglob("*.journal"))


def test_a_journal_is_read_by_somebody_who_knows_the_format_only(played: dict[str, Any]) -> None:
    rows = list(read_journals(Path(played["journal"])))

    assert check(played) == []
    assert [row.kind for row in rows][:2] == ["run", "carried"]
    assert rows[-1].kind == "closed"
    assert {row.kind for row in rows} >= {"intent", "heard", "learnt"}


@pytest.mark.parametrize("at", [20, 60, 100, -5])
def test_a_flipped_bit_anywhere_is_found(played: dict[str, Any], tmp_path: Path, at: int) -> None:
    data = bytearray(_journal(played).read_bytes())
    data[at] ^= 1
    (tmp_path / "000001.journal").write_bytes(data)

    with pytest.raises(JournalBroken):
        list(read_journals(tmp_path))
    assert any(line.startswith("I7: 000001.journal") for line in check({**played, "journal": str(tmp_path)}))


def test_what_isnt_written_down_is_told(played: dict[str, Any], tmp_path: Path) -> None:
    """A journal of another run has nothing of this one."""
    other = play(draw_world("alor", 8, faults=0, seconds=1.0), symbols=SYMBOLS["alor"], folder=tmp_path)
    lines = check({**played, "journal": other["journal"]})

    assert any("got to the venue, and isn't in the journal" in line for line in lines)
    assert any(line.startswith("I7: fill ") for line in lines)
    assert any("None in the journal" in line for line in lines)


def _meet(fault: DiskFault, folder: Path) -> Outing:
    world = World(
        strategies=[StrategySpec(name="careful", file=str(CAREFUL), params={"instrument": "SBER"})],
        instruments=["SBER"],
        faults=[Fault(at=2.0, disk=fault)],
        seconds=8.0,
    )
    return run_world(world, journal=folder)


def _ends(outing: Outing) -> list[tuple[str, str]]:
    assert outing.report is not None
    return [(order.side, order.state) for order in outing.report.orders]


def test_a_full_disk_stops_orders_but_those_that_close_a_position(tmp_path: Path) -> None:
    outing = _meet(DiskFault(what="full", seconds=60.0), tmp_path)

    assert _ends(outing) == [("buy", "cancelled"), ("buy", "filled"), ("buy", "rejected"), ("sell", "filled")]
    assert outing.report is not None
    assert outing.report.strategies[0].positions == {"SBER": 0}
    (alarm,) = outing.report.alarms
    assert "the disk is full" in alarm
    assert "but what closes a position" in alarm
    assert not outing.report.ok
    kinds = [row.facts.get("strategy") for row in read_journals(tmp_path) if row.kind == "intent"]
    assert len(kinds) == 4, "what was refused isn't in it, the cancel and the exit are"


def test_a_disk_that_fails_leaves_cancels_and_an_alarm(tmp_path: Path) -> None:
    outing = _meet(DiskFault(what="broken"), tmp_path)

    assert outing.report is not None
    assert _ends(outing)[0] == ("buy", "cancelled")
    assert outing.report.strategies[0].positions == {"SBER": 2}
    assert any("the disk failed" in alarm for alarm in outing.report.alarms)
    assert "Unsettled" in outing.report.strategies[0].error
    assert not outing.report.ok


@pytest.mark.parametrize("late", [0.5, 20.0])
def test_a_slow_disk_delays_orders_and_loses_none(tmp_path: Path, late: float) -> None:
    outing = _meet(DiskFault(what="slow", seconds=2.0, late=late), tmp_path)

    assert outing.report is not None
    assert outing.report.alarms == ()
    assert outing.report.unaccounted == []
    bought = [order for order in outing.report.orders if order.side == "buy"]
    assert bought[2].state == ("filled" if late < 1 else "rejected")


def test_disks_fail_in_some_worlds() -> None:
    faults = [fault.disk.what for seed in range(40) for fault in draw_world("t4", seed).faults if fault.disk]

    assert set(faults) == {"slow", "full", "broken"}
