"""The kill switch from outside: a file, a signal; and no run begins before somebody has released it."""

from __future__ import annotations

import json
import os
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from strategykit.cli import main
from strategykit.config import SIMULATED_ACCOUNT
from strategykit.errors import KillSwitchPulled
from strategykit.journal.format import Record, RecordKind
from strategykit.journal.latch import KILL_FILE, check_released, read_latch
from strategykit.journal.reader import Records, journal_files, read_journal
from strategykit.runtime.aftermath import read_aftermath
from strategykit.runtime.assembly import Run
from strategykit.runtime.demo import open_venue_process
from strategykit.runtime.run import rerun_tape

ENDING = (RecordKind.KILLED, RecordKind.CLOSED)

RESTS = """
    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        await self.buy(1, limit=round(self.quotes.last.bid * 0.9, 2))
        print("resting", flush=True)
        await trio.sleep_forever()
"""

HOLDS = """
    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        bought = await self.buy(2)
        await bought.filled()
        for lots in (1, 3):
            await self.buy(lots, limit=round(self.quotes.last.bid * 0.95))
        print("holding", flush=True)
        await trio.sleep_forever()
"""

BUYS = """
    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        bought = await self.buy(2)
        await bought.filled()
"""

ALOR_SESSION = """
[venue]
name = "alor"
url = "{url}"
account = "{account}"

[run]
journal = "journal"
on_kill = "flatten"

[[strategy]]
name = "rests"
file = "{file}"
params.instrument = "{instrument}"
"""

T4_SESSION = """
[venue]
name = "t4"
url = "{url}"
account = "SIM-1"

[run]
journal = "journal"
on_kill = "flatten"

[[strategy]]
name = "own"
file = "{file}"
params.instrument = "CME_Eq/ES/XCME_Eq ES (Z26)"
"""


def records(folder: Path) -> list[Record]:
    files = journal_files(folder)
    return list(Records(*(read_journal(files[number]) for number in sorted(files))))


@pytest.fixture
def account(tmp_path: Path) -> Path:
    return tmp_path / "journal" / f"alor-{SIMULATED_ACCOUNT}"


def test_a_file_pulls_it_and_the_run_again_does_the_same(venue: Any, bench: Any, account: Path) -> None:
    own = bench.strategy(RESTS)

    async def meanwhile(run: Run) -> None:
        while not any(order.state.value == "working" for order in run.gateway.orders.values()):  # noqa: ASYNC110
            await trio.sleep(0.005)
        (account / KILL_FILE).write_text("the market is mad\n")

    plan = {"duration": None, "journal": account.parent}
    result = bench.run(venue.url, [own], meanwhile=meanwhile, **plan)

    assert venue.working() == []
    words = "the kill switch was pulled by file: the market is mad; confirmed: the venue has no order of ours"
    assert result.killed == f"{words}; positions: flat"
    written = records(account)
    (proof,) = [record for record in written if "proof" in record.facts]
    assert (proof.kind, proof.facts["source"]) == (RecordKind.NOTE, "kill")
    assert proof.facts["proof"] == "the venue has no order of ours; positions: flat"
    seqs = [next(record.seq for record in written if record.kind is kind) for kind in ENDING]
    assert seqs[0] < proof.seq < seqs[1]
    assert rerun_tape(bench.tape).ok

    with pytest.raises(KillSwitchPulled, match="the market is mad"):
        bench.run(venue.url, [own], **plan)


def test_what_a_strategy_pulls_holds_beyond_its_run(venue: Any, bench: Any, account: Path) -> None:
    own = bench.strategy("async def run(self) -> None:\n    self.kill('enough')\n    await trio.sleep_forever()")

    result = bench.run(venue.url, [own], duration=None, journal=account.parent)

    assert result.alarms == ()
    latch = read_latch(account)
    assert latch is not None
    assert (latch.reason, latch.by) == ("enough", "strategy own")


def test_a_signal_pulls_it(venue: Any, bench: Any, start: Any, account: Path) -> None:
    own = bench.strategy(RESTS)
    where = ("--url", venue.url, "--instrument", "SBER", "--journal", "journal", "--no-tape")
    program = start("run", own.file, *where)
    assert program.process.stdout.readline() == "resting\n", program.process.stderr.read()

    program.signal(signal.SIGUSR1)

    assert program.wait(30) == 1
    assert venue.working() == []
    written = json.loads((account / KILL_FILE).read_text())
    assert (written["by"], written["reason"], written["pid"]) == ("signal", "SIGUSR1", program.process.pid)
    assert "the kill switch was pulled by signal: SIGUSR1; confirmed: the venue has no order of ours" in program.err
    again = start("run", own.file, *where)
    assert again.wait(30) == 2
    assert "no run begins on this account until somebody has looked and released it" in again.err


def test_the_command_pulls_it_and_tells_what_was_confirmed(
    venue: Any, bench: Any, start: Any, account: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = bench.strategy(RESTS)
    where = ("--url", venue.url, "--instrument", "SBER", "--journal", "journal", "--no-tape")
    program = start("run", own.file, *where)
    assert program.process.stdout.readline() == "resting\n", program.process.stderr.read()

    code = main(["kill", str(account), "--reason", "enough", "--wait", "60s"])

    told = capsys.readouterr()
    assert code == 0, told
    assert "Confirmed: the venue has no order of ours; positions: flat." in told.out
    assert venue.working() == []
    assert program.wait(30) == 1
    assert main(["kill", str(account), "--release"]) == 0
    check_released(account)


def test_the_command_gets_a_run_at_t4_flat_and_tells_so(
    bench: Any, start: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One session carries data, account and orders there: all of it is withdrawn, and proven, by that."""
    own = bench.strategy(HOLDS)
    session = tmp_path / "session.toml"
    account = tmp_path / "journal" / "t4-SIM-1"
    with open_venue_process("t4") as url:
        session.write_text(T4_SESSION.format(url=url, file=own.file))
        program = start("run", str(session), "--no-tape")
        assert program.process.stdout.readline() == "holding\n", program.process.stderr.read()

        code = main(["kill", str(account), "--reason", "enough", "--wait", "60s"])

        told = capsys.readouterr()
        assert code == 0, told
        assert "Confirmed: the venue has no order of ours; positions: flat." in told.out
        assert program.wait(30) == 1
        assert "enough; confirmed: the venue has no order of ours; positions: flat" in program.err
        theirs = httpx.get(f"{url}/sim/orders", timeout=5).json()
    ends = [(row["status"], int(Decimal(row["filled"]))) for row in theirs["orders"]]
    assert ends[:3] == [("filled", 2), ("cancelled", 0), ("cancelled", 0)]
    assert "working" not in dict(ends)
    held = [Decimal(row["quantity"]) for row in theirs["positions"] if not row["is_currency"]]
    assert not any(held)
    assert start("run", str(session), "--no-tape").wait(30) == 2, "nothing begins before it is released"


@pytest.mark.parametrize("instrument", ["SBER", "GAZP"])
def test_what_a_strategy_holds_that_does_not_run_any_more_is_closed_too(
    venue: Any,
    bench: Any,
    start: Any,
    account: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    instrument: str,
) -> None:
    """The run that is killed has asked for reference data of what it trades itself, which may be something else."""
    bought = bench.run(venue.url, [bench.strategy(BUYS, name="buys")], duration=None, journal=account.parent)
    assert bought.strategies[0].positions == {"SBER": 2}
    session = tmp_path / "session.toml"
    file = bench.strategy(RESTS, name="rests").file
    session.write_text(ALOR_SESSION.format(url=venue.url, account=SIMULATED_ACCOUNT, file=file, instrument=instrument))
    program = start("run", str(session), "--no-tape")
    assert program.process.stdout.readline() == "resting\n", program.process.stderr.read()

    code = main(["kill", str(account), "--wait", "60s"])

    told = capsys.readouterr()
    assert code == 0, told
    assert "Confirmed: the venue has no order of ours; positions: flat." in told.out
    assert venue.working() == []
    assert not any(Decimal(str(row["quantity"])) for row in venue.told()["positions"] if row["instrument"] == "SBER")
    assert program.wait(30) == 1
    assert "ALARM" not in program.err
    after = read_aftermath(account)
    assert (after.positions, after.alarms) == ((), ())


def test_where_no_file_can_be_written_the_command_signals_the_run(
    venue: Any, bench: Any, start: Any, account: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = bench.strategy(RESTS)
    program = start("run", own.file, "--url", venue.url, "--instrument", "SBER", "--journal", "journal", "--no-tape")
    assert program.process.stdout.readline() == "resting\n", program.process.stderr.read()
    for pid in (os.getpid(), program.process.pid):  # In the way of both, whoever may do whatever it likes.
        (account / f"{KILL_FILE}.new-{pid}").mkdir()

    code = main(["kill", str(account), "--wait", "60s"])

    told = capsys.readouterr()
    assert code == 1, "nothing keeps the next run from beginning"
    assert f"The run (process {program.process.pid}, run " in told.out
    assert "Confirmed: the venue has no order of ours; positions: flat." in told.out
    assert venue.working() == []
    assert program.wait(30) == 1
    assert "the kill switch was pulled by signal: SIGUSR1; confirmed: the venue has no order of ours" in program.err


def test_without_a_journal_nothing_keeps_the_next_run_from_beginning_and_that_is_said(venue: Any, bench: Any) -> None:
    own = bench.strategy("async def run(self) -> None:\n    self.kill('enough')\n    await trio.sleep_forever()")

    result = bench.run(venue.url, [own], duration=None)

    assert "there is no journal, so nothing keeps the next run from beginning" in [text for _, _, text in result.notes]
