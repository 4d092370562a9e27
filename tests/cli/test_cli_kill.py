"""``strategykit kill``: what it says where no run is going on, of what a run has written, and how it is released."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from strategykit.cli import main
from strategykit.disk import LOCK_NAME
from strategykit.journal.format import RecordKind
from strategykit.journal.latch import KILL_FILE, Latch, pull_latch, read_latch
from strategykit.journal.writer import JournalWriter, open_journal
from strategykit.model.codec import make_converter
from strategykit.model.events import Side
from strategykit.model.orders import Command, CreateOrder, OrderRequest
from strategykit.runtime.aftermath import read_aftermath
from strategykit.runtime.carried import Carried, CarriedPosition, carried_facts
from strategykit.sim.instruments import default_instruments

K = RecordKind
NOON = 1_773_316_800_000_000_000


def begin(folder: Path, **facts: Any) -> JournalWriter:
    clock = iter(range(NOON, NOON + 10**12, 1_500_000))
    return open_journal(folder, now=lambda: next(clock), run={"tag": "a1", **facts}, reserve=0)


def place(writer: JournalWriter) -> None:
    converter = make_converter()
    request = OrderRequest(
        account="D1",
        client_order_id="a1-cross-1",
        instrument="SBER",
        side=Side.BUY,
        quantity=Decimal(1),
    )
    command = CreateOrder(guid="a1-cross-1", request=request)
    facts = {
        "guid": "a1-cross-1",
        "client_order_id": "a1-cross-1",
        "strategy": "cross",
        "command": converter.unstructure(command, unstructure_as=Command),
        "placed": NOON,
        "instrument": converter.unstructure(default_instruments()["SBER"]),
    }
    writer.write(K.INTENT, facts)


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """An account whose last run ended in order."""
    folder = tmp_path / "journal" / "alor-D1"
    with begin(folder, on_kill="cancel") as writer:
        writer.write(K.CLOSED, {"reason": "in good order", "open": [], "unaccounted": []})
    return folder


def said(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    assert main(["kill", *map(str, arguments)]) == code
    told = capsys.readouterr()
    return told.out + told.err


def test_without_a_run_the_switch_stays_pulled_and_the_journal_says_how_it_stands(
    account: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = said(capsys, account.parent, "--reason", "the feed\nis wrong")

    assert "with strategykit kill" in words
    assert ": the feed is wrong\n" in words
    assert "No run is going on. None begins until the kill switch is released." in words
    assert "By the journal no order is open." in words
    again = json.loads(said(capsys, account, "--reason", "later", "--json"))
    assert (again["pulled"]["reason"], again["run"], again["ok"]) == ("the feed is wrong", None, True)


def test_an_order_that_may_be_open_is_no_proof(account: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with begin(account) as writer:
        place(writer)

    words = said(capsys, account, code=1)

    assert "Left, by the journal: a1-cross-1. The venue's own list is the truth." in words


@pytest.mark.parametrize(
    ("facts", "kind", "code", "line"),
    [
        (
            {"text": "kill: confirmed: all", "source": "kill", "proof": "all is flat"},
            K.NOTE,
            0,
            "Confirmed: all is flat.",
        ),
        ({"text": "kill: not everything could be ended; left are x"}, K.ALARM, 1, "ALARM: kill: not everything"),
        ({"text": "tape: something else"}, K.ALARM, 0, "By the journal no order is open."),
    ],
)
def test_what_a_run_has_confirmed_is_said(
    account: Path, capsys: pytest.CaptureFixture[str], facts: dict[str, str], kind: RecordKind, code: int, line: str
) -> None:
    with begin(account) as writer:
        writer.write(K.KILLED, {"reason": "why", "by": "who"})
        writer.write(kind, facts)
    pull_latch(account, Latch(reason="why", by="who"))

    assert line in said(capsys, account, code=code)
    status = said(capsys, account, "--status", code=1)
    assert "pulled by who: why" in status
    assert (line in status) is (kind is K.NOTE or code == 1)


@pytest.mark.parametrize("facts", [{"on_kill": "flatten", "real": False}, {"on_kill": "cancel", "real": True}])
def test_a_proof_beside_a_position_is_none(
    account: Path, capsys: pytest.CaptureFixture[str], facts: dict[str, Any]
) -> None:
    """Only on paper a position may stay that was not to be closed: it ends with its run."""
    sber = default_instruments()["SBER"]
    position = CarriedPosition(strategy="gone", instrument=sber, quantity=Decimal(2), cost=Decimal(600))
    carried = Carried(positions=(position,), instruments=(sber,))
    with begin(account, **facts) as writer:
        writer.write(K.CARRIED, carried_facts(carried, make_converter()))
        place(writer)
        writer.write(*PROOF)

    words = said(capsys, account, code=1)

    assert "Confirmed" not in words
    assert "Left, by the journal: +2 SBER of gone." in words, "and not the order, which the venue doesn't have"


def test_a_run_that_does_not_answer_is_no_proof(account: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with begin(account):
        words = said(capsys, account, "--wait", "500ms", code=1)
        busy = said(capsys, account, "--release", code=1)

    assert "Not confirmed within 0.5 s: the run is still there (process " in words
    assert "is being written by another run" in busy


def test_the_status_changes_nothing(account: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = said(capsys, account, "--status")

    assert "not pulled" in words
    assert "No run is going on." in words
    assert "By the journal, 0 orders could still be filled." in words
    assert not (account / KILL_FILE).exists()
    assert json.loads(said(capsys, account, "--status", "--json"))["pulled"] is None


def test_released_runs_may_begin_and_the_journal_says_so(account: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with begin(account, on_kill="flatten") as writer:
        place(writer)
    said(capsys, account, "--reason", "why", code=1)

    words = said(capsys, account, "--release")

    assert "released; it was pulled by" in words
    assert read_latch(account) is None
    after = read_aftermath(account)
    assert (after.flatten, after.orders, after.closed) == (True, ("a1-cross-1",), True), "what was known is kept"
    assert "is not pulled. Runs may begin." in said(capsys, account, "--release")
    assert json.loads(said(capsys, account, "--release", "--json"))["released"] is None


def test_an_account_is_found_in_the_folder_around_it(
    account: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (account.parent / "notes").mkdir()
    assert str(account) in said(capsys, account.parent, "--status")
    with begin(account.parent / "alor-D2"):
        pass

    several = said(capsys, account.parent, code=2)

    assert "holds the journals of 2 accounts; give one of them" in several
    assert f"{account.parent / 'alor-D2'}" in several
    assert "is no journal and holds none" in said(capsys, account.parent / "notes", code=2)
    assert "can't be read: No such file" in said(capsys, tmp_path / "nowhere", code=2)


@pytest.mark.parametrize("flags", [("--release", "--status"), ("--release", "--reason", "x"), ("--wait", "soon")])
def test_flags_that_make_no_sense_are_refused(
    account: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...]
) -> None:
    said(capsys, account, *flags, code=2)

    assert not (account / KILL_FILE).exists()


@pytest.fixture
def unwritable(account: Path) -> Path:
    """The same, where the file can't be written: by this process, and whoever may do whatever it likes."""
    (account / f"{KILL_FILE}.new-{os.getpid()}").mkdir()
    return account


@contextmanager
def listening(writer: JournalWriter, *facts: tuple[RecordKind, dict[str, str]]) -> Generator[list[int]]:
    """Be a run that answers the signal with records."""
    came: list[int] = []

    def answer(number: int, _: object) -> None:
        came.append(number)
        for kind, fact in facts:
            writer.write(kind, fact)

    before = signal.signal(signal.SIGUSR1, answer)
    try:
        yield came
    finally:
        signal.signal(signal.SIGUSR1, before)


KILLED = (K.KILLED, {"reason": "SIGUSR1", "by": "signal"})
UNKEPT = (K.ALARM, {"text": "kill: nothing keeps the next run from beginning: KILL can't be written"})
PROOF = (K.NOTE, {"text": "kill: confirmed: all", "source": "kill", "proof": "all is flat"})
LEFT = (K.ALARM, {"text": "kill: not everything could be ended; left are x"})


@pytest.mark.parametrize(("end", "line"), [(PROOF, "Confirmed: all is flat."), (LEFT, "ALARM: kill: not everything")])
def test_where_the_file_cannot_be_written_the_run_is_signalled(
    unwritable: Path, capsys: pytest.CaptureFixture[str], end: tuple[RecordKind, dict[str, str]], line: str
) -> None:
    with begin(unwritable) as writer, listening(writer, KILLED, UNKEPT, end) as came:
        words = said(capsys, unwritable, "--wait", "60s", code=1)

    assert came == [signal.SIGUSR1]
    assert "KILL can't be written: " in words
    assert f"The run (process {os.getpid()}, run a1) was sent SIGUSR1 instead" in words
    assert line in words
    assert "Nothing keeps the next run from beginning: see to the disk, then pull the kill switch again." in words
    assert "nothing keeps the next run from beginning: KILL" not in words, "it says no more than that"


def test_a_run_that_could_write_the_file_after_all_makes_it_a_kill_as_any_other(
    unwritable: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with begin(unwritable) as writer, listening(writer, KILLED, PROOF):
        before = signal.getsignal(signal.SIGUSR1)
        assert callable(before)

        def answer(number: int, frame: Any) -> None:
            (unwritable / KILL_FILE).write_text("by the run\n")
            before(number, frame)

        signal.signal(signal.SIGUSR1, answer)
        told = json.loads(said(capsys, unwritable, "--wait", "60s", "--json"))

    assert (told["pulled"]["reason"], told["unkept"], told["unsent"], told["ok"]) == ("by the run", None, None, True)


def test_where_the_file_cannot_be_written_and_nobody_runs_that_is_said(
    unwritable: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = said(capsys, unwritable, code=1)

    assert "No process holds the journal, so there is none to signal, and nothing was withdrawn." in words
    assert "look at the venue's own list of orders" in words
    assert "Nothing keeps the next run from beginning" in words
    assert "KILL can't be written" in json.loads(said(capsys, unwritable, "--json", code=1))["unkept"]


def test_one_that_the_signal_would_end_is_not_sent_it(unwritable: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with begin(unwritable) as writer:
        place(writer)
        words = said(capsys, unwritable, code=1)

    assert f"NOTHING WAS STOPPED: the run is there (process {os.getpid()}, run a1), and process" in words
    assert "doesn't listen to SIGUSR1, which would end it" in words
    assert "Left, by the journal: a1-cross-1." in words


def test_a_process_that_only_has_the_number_is_not_sent_it(
    unwritable: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with begin(unwritable), subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        (unwritable / LOCK_NAME).write_text(f"process {other.pid}, run a1\n")
        words = said(capsys, unwritable, code=1)
        (unwritable / LOCK_NAME).write_text("somebody\n")
        unknown = said(capsys, unwritable, code=1)
        other.communicate(b"\n", timeout=30)

    assert other.returncode == 0
    assert f"process {other.pid} isn't it here: the run is in another container, or on another machine" in words
    assert "which process that is can't be told from 'somebody'" in unknown


def test_a_process_that_is_gone_is_not_sent_it(unwritable: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with begin(unwritable):
        (unwritable / LOCK_NAME).write_text(f"process {2**30}, run a1\n")
        words = said(capsys, unwritable, code=1)

    assert f"process {2**30} can't be signalled from here: " in words
