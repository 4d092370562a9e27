"""What leaves, and when, where there is a journal on a disk."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from trio.testing import wait_all_tasks_blocked

from strategykit.disk import RealDisk
from strategykit.journal.writer import JournalWriter, open_journal
from strategykit.model.codec import make_converter
from strategykit.model.events import Side
from strategykit.model.instruments import Instrument
from strategykit.model.orders import AmendOrder, CancelOrder, Command, CreateOrder, OrderRequest, OrderType
from strategykit.runtime.alarms import Alarms
from strategykit.runtime.order import Order
from strategykit.runtime.order_journal import RunJournal
from strategykit.runtime.recording import Notes, NullLedger
from strategykit.runtime.waking import Signal, Wakes
from strategykit.runtime.wires import LivePort
from strategykit.venues.alor.dialect import Alor

REQUEST = OrderRequest(
    client_order_id="c",
    account="D1",
    instrument="X",
    side=Side.BUY,
    quantity=Decimal(1),
    type=OrderType.LIMIT,
    price=Decimal(100),
)
CREATE = CreateOrder(guid="c", request=REQUEST)
AMEND = AmendOrder(guid="c-a1", venue_order_id="1", request=REQUEST)
CANCEL = CancelOrder(guid="c-c1", venue_order_id="1", request=REQUEST)


class FailingDisk(RealDisk):
    """Takes everything, and fails to make it last once it is told to."""

    fails = False

    def fdatasync(self, fd: int) -> None:
        if self.fails:
            raise OSError(5, "Input/output error")
        super().fdatasync(fd)

    fsync = fdatasync


@attrs.define(eq=False)
class Far:
    """The far side of the port: what has left, and how much was safe by then."""

    writer: JournalWriter
    left: list[tuple[Command, int]] = attrs.field(factory=list)
    unsent: list[str] = attrs.field(factory=list)
    takes: bool = True
    """Whether its wire takes what it is handed at once."""

    def sends(self, connection: str) -> bool:
        return bool(self.left) and not self.takes and connection == "orders-0"

    def command(self, command: Command, connection: str, session: int) -> bool:
        self.left.append((command, self.writer.durable))
        return True


@attrs.define(eq=False)
class Desk:
    """A port over a journal, as a run puts them together."""

    port: LivePort
    journal: RunJournal
    far: Far
    disk: FailingDisk

    def send(self, command: Command) -> int:
        """Write `command` down and send it; give the number of its record."""
        nobody: Any = None
        order = Order(REQUEST, "s", nobody, Signal(Wakes(lambda: None)), lambda _: None, 0)
        self.journal.intend(order, command)
        assert self.port.command("s", command)
        return self.journal.writer.durable + 1


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    converter, disk = make_converter(), FailingDisk()
    with open_journal(tmp_path, now=lambda: 1, run={"tag": "t"}, reserve=0, in_loop=True, disk=disk) as writer:
        journal = RunJournal(
            writer=writer,
            converter=converter,
            alarms=Alarms(lambda *_: None),
            why=lambda _: {},
            instruments={"X": Instrument("X")},
        )
        far: Any = Far(writer)
        engine: Any = SimpleNamespace(command_connection="orders-0", sessions={"orders-0": 1})
        ledger = NullLedger(Notes(), lambda: 1)
        port = LivePort(far, Alor(), ledger, converter, lambda: engine, journal, far.unsent.append)
        yield Desk(port, journal, far, disk)


@pytest.mark.parametrize("command", [CREATE, AMEND])
async def test_what_opens_leaves_when_its_record_is_safe(desk: Desk, command: Command) -> None:
    number = desk.send(command)
    assert desk.far.left == []

    await wait_all_tasks_blocked()

    ((left, safe),) = desk.far.left
    assert left == command
    assert safe >= number
    assert desk.far.unsent == []


async def test_a_cancel_waits_for_no_disk(desk: Desk) -> None:
    desk.send(CANCEL)

    assert [command for command, _ in desk.far.left] == [CANCEL]
    assert not desk.port.hurries


@pytest.mark.parametrize("fails", [False, True])
async def test_it_hurries_until_what_waits_for_the_disk_is_safe_or_lost(desk: Desk, fails: bool) -> None:
    desk.disk.fails = fails
    hurries = [desk.port.hurries]
    for command in (CREATE, AMEND):
        desk.send(command)
        hurries.append(desk.port.hurries)

    await wait_all_tasks_blocked()

    assert [*hurries, desk.port.hurries] == [False, True, True, False]


async def test_it_hurries_until_the_wire_has_taken_what_it_was_handed(desk: Desk) -> None:
    desk.far.takes = False
    desk.send(CANCEL)
    hurries = [desk.port.hurries]
    desk.far.takes = True

    assert [*hurries, desk.port.hurries] == [True, False]


async def test_what_cant_be_made_safe_never_leaves_and_is_told(desk: Desk) -> None:
    desk.disk.fails = True
    desk.send(CREATE)
    await wait_all_tasks_blocked()

    assert desk.far.left == []
    (word,) = desk.far.unsent
    assert word.startswith("unsent c ")
    assert "Input/output error" in word
