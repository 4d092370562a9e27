"""The guard: whatever becomes of a run, its orders are withdrawn, nobody else's are, and no other run begins."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from strategykit.config import SIMULATED_ACCOUNT, SIMULATED_TOKEN, VenuePlan
from strategykit.journal.format import RecordKind
from strategykit.journal.latch import read_latch
from strategykit.journal.writer import open_journal
from strategykit.model.codec import make_converter
from strategykit.model.events import Side
from strategykit.model.orders import CreateOrder, OrderRequest, OrderType
from strategykit.net.endpoints import Endpoints
from strategykit.runtime.aftermath import read_aftermath
from strategykit.runtime.carried import Carried, CarriedPosition, carried_facts
from strategykit.runtime.demo import open_venue_process
from strategykit.runtime.guard import GUARD_LOG, Guard, main
from strategykit.runtime.guard_plan import GuardPlan, encode_plan
from strategykit.runtime.guard_watch import Verdict
from strategykit.runtime.kill import BESIDES
from strategykit.runtime.unwatched import ADVICE
from strategykit.sim.instruments import default_instruments
from strategykit.venues.alor.http_orders import order_request
from strategykit.wall import wall_time

BUSY = """
    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        low = round(self.quotes.last.bid * 0.9, 2)
        await self.buy(1, limit=low)
        await self.buy(3, limit=low)
        %s
"""

WAITS = """print("resting", flush=True)
        await trio.sleep_forever()"""

HOLDS = """await self.buy(2)
        await self.sell(2, stop=low)
        print("resting", flush=True)
        await trio.sleep_forever()"""

HANGS = """print("resting", flush=True)
        while True:
            try:
                for _ in range(10**12):
                    pass
            except BaseException:
                pass"""

SESSION = """
[venue]
name = "{venue}"
url = "{url}"
account = "{account}"
[run]
journal = "journal"
tape = false
guard = true
guard_after = "{after}"
on_stop = "{on_stop}"
[[strategy]]
file = "{file}"
params = {{ instrument = "{instrument}" }}
"""


@pytest.fixture
def session(tmp_path: Path, bench: Any) -> Any:
    def write(
        url: str,
        body: str,
        *,
        venue: str = "alor",
        account: str = SIMULATED_ACCOUNT,
        instrument: str = "SBER",
        after: str = "30s",
        on_stop: str = "cancel",
    ) -> Path:
        file = bench.strategy(BUSY % body).file
        path = tmp_path / "session.toml"
        path.write_text(
            SESSION.format(
                venue=venue, url=url, account=account, instrument=instrument, after=after, on_stop=on_stop, file=file
            )
        )
        return path

    return write


def place_somebody_elses(venue: Any) -> str:
    """Place an order that no journal of ours knows, beside those that are there."""
    url = venue.url
    token = httpx.post(f"{url}/refresh", params={"token": SIMULATED_TOKEN}, timeout=5).json()["AccessToken"]
    request = OrderRequest(
        account=SIMULATED_ACCOUNT,
        client_order_id="somebody-elses",
        instrument="SBER",
        side=Side.BUY,
        type=OrderType.LIMIT,
        quantity=Decimal(1),
        price=Decimal(str(venue.told()["orders"][0]["price"])),
    )
    call = order_request(CreateOrder(guid="somebody-elses", request=request), exchange="MOEX", board=None)
    headers = {**call.headers, "Authorization": f"Bearer {token}"}
    httpx.request(call.method, url + call.path, content=call.body, headers=headers, timeout=5).raise_for_status()
    return "somebody-elses"


def started(start: Any, path: Path) -> Any:
    program = start("run", str(path))
    assert program.process.stdout.readline() == "resting\n", program.process.stderr.read()
    return program


@pytest.mark.slow
@pytest.mark.parametrize("way", ["hangs", "is killed"])
def test_a_run_that_can_not_withdraw_its_orders_has_it_done(
    venue: Any, session: Any, start: Any, tmp_path: Path, way: str
) -> None:
    path = session(venue.url, HANGS if way == "hangs" else WAITS, after="5s" if way == "hangs" else "30s")
    program = started(start, path)
    theirs = place_somebody_elses(venue)
    if way == "is killed":
        program.signal(signal.SIGKILL)

    code = program.wait(60)  # Until the guard has ended, too: it tells on the same error output.

    assert code == -signal.SIGKILL
    assert venue.working() == [theirs]
    account = tmp_path / "journal" / f"alor-{SIMULATED_ACCOUNT}"
    latch = read_latch(account)
    assert latch is not None
    why = "its loop was silent for 5 s" if way == "hangs" else "it ended without a goodbye"
    assert (latch.by, latch.reason) == ("guard", f"{why} (process {program.process.pid})")
    proof = "the venue has no order of ours (2 withdrawn); positions by the journal: flat"
    after = read_aftermath(account)
    assert (after.proof, after.alarms, after.closed) == (proof, (), True)
    assert f"strategykit guard: confirmed: {proof}" in program.err
    assert f"confirmed: {proof}" in (account / GUARD_LOG).read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alor", "t4"])
def test_a_position_whose_stop_it_withdraws_is_an_alarm_that_names_both(
    session: Any, start: Any, tmp_path: Path, name: str
) -> None:
    """Whatever `on_kill` says: nobody watches over that position any more."""
    instrument = "SBER" if name == "alor" else "CME_Eq/ES/XCME_Eq ES (Z26)"
    number = SIMULATED_ACCOUNT if name == "alor" else "SIM-1"
    with open_venue_process(name) as url:
        program = started(start, session(url, HOLDS, venue=name, account=number, instrument=instrument))

        program.signal(signal.SIGKILL)
        program.wait(60)

    after = read_aftermath(tmp_path / "journal" / f"{name}-{number}")
    (alarm,) = after.alarms
    assert alarm.startswith(
        "guard: the venue has no order of ours, but positions are open, which a guard can't close; "
        f"by the journal +2 {instrument} of own_1; withdrawn with all other orders: their stop "
    )
    assert re.search(rf"stop [0-9a-f]{{8}}-own_1-4 \(sell 2 {re.escape(instrument)} at [0-9.]+\); ", alarm)
    assert alarm.endswith(ADVICE)
    assert (after.proof, after.left[-1]) == ("", f"+2 {instrument} of own_1")
    assert f"ALARM: {alarm.removeprefix('guard: ')}; look at the venue's own list" in program.err


def test_orders_that_are_to_outlive_their_run_do(venue: Any, session: Any, start: Any, tmp_path: Path) -> None:
    program = started(start, session(venue.url, WAITS, on_stop="keep"))

    program.signal(signal.SIGKILL)
    program.wait(60)

    assert len(venue.working()) == 2
    assert read_latch(tmp_path / "journal" / f"alor-{SIMULATED_ACCOUNT}") is None
    assert 'its orders are left as they are, because on_stop = "keep"' in program.err


def test_after_a_clean_end_it_does_nothing(venue: Any, session: Any, start: Any, tmp_path: Path) -> None:
    program = started(start, session(venue.url, WAITS))

    program.signal(signal.SIGINT)

    assert program.wait(60) == 0, program.err
    assert venue.working() == []
    account = tmp_path / "journal" / f"alor-{SIMULATED_ACCOUNT}"
    assert not (account / GUARD_LOG).exists()
    assert read_latch(account) is None
    assert "guard" not in program.err


def test_where_orders_are_not_withdrawn_by_calls_it_logs_in_itself(session: Any, start: Any, tmp_path: Path) -> None:
    with open_venue_process("t4") as url:
        instrument = "CME_Eq/ES/XCME_Eq ES (Z26)"
        program = started(start, session(url, WAITS, venue="t4", account="SIM-1", instrument=instrument))

        program.signal(signal.SIGKILL)
        program.wait(60)

        rows = httpx.get(f"{url}/sim/orders", timeout=5).json()["orders"]
        assert [row["status"] for row in rows].count("working") == 0, program.err
        after = read_aftermath(tmp_path / "journal" / "t4-SIM-1")
        proof = "the venue has no order of ours (2 withdrawn); positions by the journal: flat"
        assert (after.proof, after.alarms) == (proof, ())


def test_nobody_there_to_be_guarded_is_no_reason_to_act() -> None:
    command = ["-m", "strategykit.runtime.guard"]
    ended = subprocess.run([sys.executable, *command], input=b"", capture_output=True, check=False, timeout=60)
    odd = subprocess.run([sys.executable, *command], input=b"{}\n", capture_output=True, check=False, timeout=60)

    assert (ended.returncode, ended.stderr) == (0, b"")
    assert (odd.returncode, odd.stderr) == (2, b"strategykit guard: this is no plan of a guard: KeyError\n")


NOBODY = 999_999_999
"""No process has this number."""


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """An account whose last run held something when it was gone."""
    folder = tmp_path / "journal" / f"alor-{SIMULATED_ACCOUNT}"
    sber = default_instruments()["SBER"]
    position = CarriedPosition(strategy="cross", instrument=sber, quantity=Decimal(2), cost=Decimal(600))
    with open_journal(folder, now=lambda: 1, run={"tag": "a1", "on_kill": "flatten"}, reserve=0) as writer:
        carried = Carried(positions=(position,), instruments=(sber,))
        writer.write(RecordKind.CARRIED, carried_facts(carried, make_converter()))
    return folder


def guard(account: Path, url: str, **venue: Any) -> Guard:
    place = VenuePlan(name="alor", endpoints=Endpoints.at(url), account=SIMULATED_ACCOUNT, **venue)
    plan = GuardPlan(folder=account, venue=place, after=10.0, keep=False)
    return Guard(plan=plan, pid=NOBODY, wall=wall_time())


def test_what_it_can_not_close_is_an_alarm(venue: Any, account: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not guard(account, venue.url).act(Verdict.SILENT)

    after = read_aftermath(account)
    words = "the venue has no order of ours, but positions are open, which a guard can't close"
    words = f"{words}; by the journal +2 SBER of cross; {ADVICE}"
    assert (after.proof, after.alarms, after.closed) == ("", (f"guard: {words}",), True)
    assert after.left == ("+2 SBER of cross",), "what was known is carried on"
    assert f"ALARM: {words}; look at the venue's own list" in capsys.readouterr().err


def test_lots_that_no_journal_explains_stay_an_alarm(venue: Any, account: Path) -> None:
    with open_journal(account, now=lambda: 2, run={"tag": "a2", "on_kill": "cancel"}, reserve=0) as writer:
        writer.write(RecordKind.KILLED, {"reason": "why", "by": "who"})
        writer.write(RecordKind.ALARM, {"text": f"kill: not finished; the venue counts +2 SBER {BESIDES}"})

    assert not guard(account, venue.url).act(Verdict.DIED)

    after = read_aftermath(account)
    (alarm,) = after.alarms
    assert (after.proof, after.left) == ("", ("+2 SBER of cross",))
    assert alarm.endswith(f"; when the run was killed it counted other lots {BESIDES}")


def test_lots_that_no_journal_explains_are_an_alarm_where_it_is_flat(venue: Any, tmp_path: Path) -> None:
    account = tmp_path / "journal" / f"alor-{SIMULATED_ACCOUNT}"
    with open_journal(account, now=lambda: 2, run={"tag": "a2", "on_kill": "cancel"}, reserve=0) as writer:
        writer.write(RecordKind.KILLED, {"reason": "why", "by": "who"})
        writer.write(RecordKind.ALARM, {"text": f"kill: not finished; the venue counts +2 SBER {BESIDES}"})

    assert not guard(account, venue.url).act(Verdict.DIED)

    words = "the venue has no order of ours, but when the run was killed it counted other lots"
    after = read_aftermath(account)
    assert (after.proof, after.alarms) == ("", (f"guard: {words} {BESIDES}",))


def test_a_damaged_journal_is_no_hindrance(venue: Any, account: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path,) = account.glob("*.journal")
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)

    assert not guard(account, venue.url).act(Verdict.UNCONFIRMED)

    told = capsys.readouterr().err
    assert "nothing can be written into the journal" in told
    assert "ALARM: the venue has no order of ours, but positions may be open" in told
    assert path.read_bytes() == data


def test_where_another_run_has_the_account_it_does_nothing(account: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_journal(account, now=lambda: 2, run={"tag": "a2"}, reserve=0):
        assert not guard(account, "http://127.0.0.1:1").act(Verdict.DIED)

    assert read_latch(account) is None
    assert "another run has the account" in capsys.readouterr().err


def test_a_secret_that_is_gone_is_an_alarm(account: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not guard(account, "http://127.0.0.1:1", credentials={"token": "env:NOT_SET_HERE"}).act(Verdict.DIED)

    assert read_latch(account) is not None
    told = capsys.readouterr().err
    assert "ALARM: venue.token: environment variable NOT_SET_HERE is not set" in told
    assert "look at the venue's own list of orders" in told


def test_a_run_that_may_leave_its_orders_is_only_told_of(account: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keeping = guard(account, "http://127.0.0.1:1")
    keeping.plan = attrs.evolve(keeping.plan, keep=True)

    assert keeping.act(Verdict.DIED)

    assert read_latch(account) is None
    assert "its orders are left as they are" in (account / GUARD_LOG).read_text()


def test_a_log_that_can_not_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    guard(tmp_path / "gone", "http://127.0.0.1:1").say("something")

    assert "strategykit guard: no log: " in capsys.readouterr().err


@pytest.fixture
def signals() -> Generator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals")
@pytest.mark.parametrize(("told", "code", "line"), [(b"..e", 0, ""), (b"..", 0, 'because on_stop = "keep"')])
def test_what_it_hears_decides(
    account: Path, capsys: pytest.CaptureFixture[str], told: bytes, code: int, line: str
) -> None:
    plan = attrs.evolve(guard(account, "http://127.0.0.1:1").plan, keep=True)
    read, write = os.pipe()
    os.write(write, encode_plan(plan, NOBODY) + told)
    os.close(write)
    try:
        assert main(read) == code
    finally:
        os.close(read)

    assert line in capsys.readouterr().err
    assert (account / GUARD_LOG).exists() is bool(line)
