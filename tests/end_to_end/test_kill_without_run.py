"""``strategykit kill`` where a run has died and nobody guarded it: with its session file the orders are withdrawn."""

from __future__ import annotations

import json
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from strategykit.cli import main
from strategykit.config import SIMULATED_ACCOUNT
from strategykit.journal.format import RecordKind
from strategykit.journal.latch import KILL_FILE, check_released
from strategykit.journal.reader import read_journal
from strategykit.journal.writer import open_journal
from strategykit.model.codec import make_converter
from strategykit.runtime.aftermath import read_aftermath
from strategykit.runtime.carried import Carried, CarriedPosition, carried_facts
from strategykit.runtime.demo import open_venue_process
from strategykit.runtime.unwatched import ADVICE
from strategykit.sim.instruments import default_instruments

RESTS = """
    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        for lots in (1, 3):
            await self.buy(lots, limit=round(self.quotes.last.bid * 0.9, 2))
        print("resting", flush=True)
        await trio.sleep_forever()
"""

SESSION = """
[venue]
name = "{venue}"
url = "{url}"
account = "{account}"

[run]
journal = "journal"

[[strategy]]
file = "{file}"
params.instrument = "{instrument}"
"""


@pytest.fixture
def account(tmp_path: Path) -> Path:
    return tmp_path / "journal" / f"alor-{SIMULATED_ACCOUNT}"


@pytest.fixture
def session(tmp_path: Path, bench: Any) -> Any:
    def write(url: str, *, venue: str = "alor", account: str = SIMULATED_ACCOUNT, instrument: str = "SBER") -> Path:
        path = tmp_path / "session.toml"
        file = bench.strategy(RESTS).file
        path.write_text(SESSION.format(venue=venue, url=url, account=account, instrument=instrument, file=file))
        return path

    return write


def die(start: Any, session: Path) -> None:
    """Have a run killed with its orders at the venue."""
    program = start("run", str(session), "--no-tape")
    assert program.process.stdout.readline() == "resting\n", program.process.stderr.read()
    program.signal(signal.SIGKILL)
    program.wait(30)


def kill(capsys: pytest.CaptureFixture[str], *arguments: object, code: int) -> str:
    capsys.readouterr()
    found = main(["kill", *map(str, arguments)])
    told = capsys.readouterr()
    assert found == code, told
    return told.out + told.err


def damage(account: Path) -> None:
    """Change a byte of what was written down about the first order."""
    (path,) = account.glob("*.journal")
    journal = read_journal(path)
    (first, *_) = (n for n, record in enumerate(journal.records) if record.kind is RecordKind.INTENT)
    data = bytearray(path.read_bytes())
    data[journal.offsets[first + 1] - 5] ^= 1
    path.write_bytes(data)


def test_a_session_file_has_it_withdraw_what_a_dead_run_left(
    venue: Any, session: Any, start: Any, account: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = session(venue.url)
    die(start, path)

    without = kill(capsys, account, code=1)

    assert f"Nothing was withdrawn just now. This does it: strategykit kill {account} --session FILE" in without
    assert len(venue.working()) == 2
    words = kill(capsys, account, "--session", path, code=0)
    assert venue.working() == []
    proof = "the venue has no order of ours (2 withdrawn); positions by the journal: flat"
    assert f"Confirmed: {proof}." in words
    assert f"Confirmed: {proof}." in kill(capsys, account, "--status", code=1)
    again = json.loads(kill(capsys, account, "--session", path, "--json", code=0))
    assert (again["withdrawn"], again["ok"], again["alarms"]) == (True, True, [])
    kill(capsys, account, "--release", code=0)
    check_released(account)


def test_a_damaged_journal_is_no_hindrance_as_orders_carry_the_name_of_their_run(
    venue: Any, session: Any, start: Any, account: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = session(venue.url)
    die(start, path)
    damage(account)

    without = kill(capsys, account, code=1)

    assert "ALARM: " in without
    assert f"strategykit kill {account} --session FILE" in without
    words = kill(capsys, account, "--session", path, code=1)  # Nobody can tell what it was filled with.
    assert venue.working() == []
    assert "ALARM: kill: the venue has no order of ours, but positions may be open" in words
    assert "by the journal flat, as far as that can be read" in words
    assert "nothing can be written into the journal" in words


def test_where_nobody_can_tell_which_orders_are_ours_that_is_an_alarm(
    venue: Any, session: Any, start: Any, account: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = session(venue.url)
    die(start, path)
    (newest,) = account.glob("*.journal")
    data = bytearray(newest.read_bytes())
    data[8] += 1
    newest.write_bytes(data)

    words = kill(capsys, account, "--session", path, code=1)

    assert (
        "ALARM: kill: the venue has no order of ours that is known of (0 withdrawn), but there may be others" in words
    )
    assert "has format 2, and this version reads up to 1" in words
    assert len(venue.working()) == 2


def test_at_t4_it_logs_in_for_that(
    session: Any, start: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    account = tmp_path / "journal" / "t4-SIM-1"
    with open_venue_process("t4") as url:
        path = session(url, venue="t4", account="SIM-1", instrument="CME_Eq/ES/XCME_Eq ES (Z26)")
        die(start, path)

        words = kill(capsys, account, "--session", path, code=0)

        rows = httpx.get(f"{url}/sim/orders", timeout=5).json()["orders"]
    assert [row["status"] for row in rows].count("working") == 0
    assert "Confirmed: the venue has no order of ours (2 withdrawn); positions by the journal: flat." in words


@pytest.mark.parametrize("on_kill", ["cancel", "flatten"])
def test_positions_that_stay_are_an_alarm(
    venue: Any, session: Any, account: Path, capsys: pytest.CaptureFixture[str], on_kill: str
) -> None:
    sber = default_instruments()["SBER"]
    position = CarriedPosition(strategy="cross", instrument=sber, quantity=Decimal(2), cost=Decimal(600))
    with open_journal(account, now=lambda: 1, run={"tag": "a1", "on_kill": on_kill}, reserve=0) as writer:
        carried = Carried(positions=(position,), instruments=(sber,))
        writer.write(RecordKind.CARRIED, carried_facts(carried, make_converter()))

    words = kill(capsys, account, "--session", session(venue.url), code=1)

    alarm = "the venue has no order of ours, but positions are open, which this command can't close"
    assert f"ALARM: kill: {alarm}; by the journal +2 SBER of cross" in words
    assert "Left, by the journal: +2 SBER of cross." in words
    assert read_aftermath(account).alarms == (f"kill: {alarm}; by the journal +2 SBER of cross; {ADVICE}",)
    assert "Nothing was withdrawn just now" not in words


def test_a_session_of_another_account_is_refused_before_anything_is_done(
    session: Any, account: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_journal(account, now=lambda: 1, run={"tag": "a1"}, reserve=0):
        pass
    path = session("http://127.0.0.1:1", account="D2")

    assert "trades on the account of alor-D2, and not of" in kill(capsys, account, "--session", path, code=2)
    assert "neither --release nor --status" in kill(capsys, account, "--session", path, "--status", code=2)
    assert not (account / KILL_FILE).exists()
