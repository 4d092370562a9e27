"""How a live run ends: by Ctrl-C at any moment, by a kill, with nobody to print for, and before it could begin."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.faults_check import find_secrets
from strategykit.tape.verify import verify_tape

AT_ONCE = 1.0
"""Seconds for a run to end after a second Ctrl-C, as promised."""

CHURN = str(Path(__file__).parents[2] / "benchmarks" / "churn.py")

SESSION = """
[venue]
name = "alor"
url = "{url}"
[run]
tape = "tapes"
on_stop = "{on_stop}"
[risk]
max_order_rate = 400
[risk.strategy]
max_order_rate = 200
[[strategy]]
name = "churn"
file = "{first}"
params = {params}
[[strategy]]
name = "maker"
file = "sample:maker"
params = {{ instrument = "GAZP", refresh = 0.3, edge = 1 }}
"""

STUCK = """
import trio
from strategykit import Quotes, Strategy, define

@define
class Stuck(Strategy):
    instrument: str
    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        self.buy_nowait(1, limit=round(self.quotes.last.bid * 0.9, 2))
        %s
"""

WAYS = {
    "shields itself": """with trio.CancelScope(shield=True):
            await trio.sleep_forever()""",
    "catches everything": """while True:
            try:
                await trio.sleep_forever()
            except BaseException:
                pass""",
}


def start_session(start: Any, folder: Path, url: str, *, on_stop: str = "cancel", first: str = "", **how: Any) -> Any:
    params = '{ instrument = "SBER" }' if first else '{ instrument = "SBER", pace = 0.02 }'
    text = SESSION.format(url=url, on_stop=on_stop, first=first or CHURN, params=params)
    (folder / "session.toml").write_text(text)
    return start("run", "session.toml", "--json", **how)


def tape_in(folder: Path) -> Path:
    (tape,) = (folder / "tapes").iterdir()
    return tape


def wait_for_orders(venue: Any, count: int = 5) -> None:
    end = time.monotonic() + 45
    while len(venue.working()) < count:
        assert time.monotonic() < end
        time.sleep(0.05)


def check_ended(program: Any, folder: Path) -> None:
    """No traceback, no secret, and a tape that is sealed and whole."""
    assert "Traceback" not in program.err
    assert not list(find_secrets((program.out + program.err).encode()))
    report = verify_tape(tape_in(folder))
    assert report.ok, report.findings


def test_ctrl_c_cancels_orders_and_seals_the_tape(venue: Any, start: Any, tmp_path: Path) -> None:
    program = start_session(start, tmp_path, venue.url)
    wait_for_orders(venue)
    told = program.signal()
    code = program.wait()

    assert time.monotonic() - told < 5
    assert code == 0, program.err
    assert venue.working() == []
    check_ended(program, tmp_path)
    states = {order["state"] for order in json.loads(program.out)["orders"]}
    assert states <= {"cancelled", "filled", "rejected"}


@pytest.fixture
def hears_hang_ups() -> Generator[None]:
    """Who runs the tests by ``nohup`` has SIGHUP ignored, and so would the programs that they start."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hears_hang_ups")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_end_a_run_as_ctrl_c_does(venue: Any, start: Any, tmp_path: Path, number: signal.Signals) -> None:
    program = start_session(start, tmp_path, venue.url)
    wait_for_orders(venue)
    told = program.signal(number)

    assert program.wait() == 0, program.err
    assert time.monotonic() - told < 5
    assert venue.working() == []
    check_ended(program, tmp_path)


@pytest.mark.usefixtures("hears_hang_ups")
def test_a_terminal_that_is_gone_leaves_no_orders(venue: Any, start: Any, tmp_path: Path) -> None:
    """As when the connection to the machine breaks: nothing can be printed any more."""
    ours, theirs = os.openpty()

    def take_terminal() -> None:
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    streams: dict[str, Any] = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "preexec_fn": take_terminal}
    program = start_session(start, tmp_path, venue.url, **streams)
    os.close(theirs)
    wait_for_orders(venue)

    os.close(ours)

    program.process.wait(30)
    assert venue.working() == []
    report = verify_tape(tape_in(tmp_path))
    assert report.ok, report.findings


def test_orders_that_are_to_be_kept_are_kept_and_accounted_for(venue: Any, start: Any, tmp_path: Path) -> None:
    (tmp_path / "resting.py").write_text(STUCK % "await trio.sleep_forever()")
    program = start_session(start, tmp_path, venue.url, on_stop="keep", first="resting.py")
    wait_for_orders(venue, 3)
    program.signal()

    assert program.wait() == 0, program.err
    assert any("churn" in order for order in venue.working()), "it rests; a maker replaces its own all the time"
    check_ended(program, tmp_path)


def test_ctrl_c_while_nothing_can_be_reached_ends_in_time_and_says_what_is_left(
    venue: Any, start: Any, tmp_path: Path
) -> None:
    program = start_session(start, tmp_path, venue.url)
    wait_for_orders(venue)
    venue.fault("restart", seconds=8)
    time.sleep(0.3)
    told = program.signal()
    code = program.wait()

    assert time.monotonic() - told < 5
    assert code == 1
    assert "is still open or in doubt" in program.err
    check_ended(program, tmp_path)


def test_a_second_ctrl_c_ends_at_once(venue: Any, start: Any, tmp_path: Path) -> None:
    program = start_session(start, tmp_path, venue.url)
    wait_for_orders(venue)
    venue.fault("restart", seconds=8)
    time.sleep(0.3)
    program.signal()
    time.sleep(0.5)
    told = program.signal()
    code = program.wait()

    assert time.monotonic() - told < AT_ONCE
    assert code == 1
    check_ended(program, tmp_path)


def test_ctrl_c_gets_orders_cancelled_though_every_wire_is_half_open(venue: Any, start: Any, tmp_path: Path) -> None:
    program = start_session(start, tmp_path, venue.url)
    wait_for_orders(venue)
    venue.fault("half_open")
    time.sleep(0.2)
    told = program.signal()
    program.wait()

    assert time.monotonic() - told < 5
    assert venue.working() == []
    check_ended(program, tmp_path)


@pytest.mark.parametrize("seconds", [0.7, 1.2])
def test_ctrl_c_at_any_moment_of_the_beginning_ends_in_time(
    venue: Any, start: Any, tmp_path: Path, seconds: float
) -> None:
    venue.fault("stall", seconds=0.5)
    program = start_session(start, tmp_path, venue.url)
    until_started(program, tmp_path, seconds)
    told = program.signal()

    assert program.wait() in (0, 1), program.err
    assert time.monotonic() - told < 5
    assert venue.working() == []
    check_ended(program, tmp_path)


def until_started(program: Any, folder: Path, seconds: float) -> None:
    """Wait until Python has loaded everything and the tape is there; then so long that something is under way."""
    while not (folder / "tapes").exists() or not list((folder / "tapes").iterdir()):
        assert program.process.poll() is None
        time.sleep(0.01)
    time.sleep(seconds - 0.6)


def test_a_strategy_that_wont_end_is_left_behind_and_the_others_leave_well(
    venue: Any, start: Any, tmp_path: Path
) -> None:
    (tmp_path / "stuck.py").write_text(STUCK % WAYS["catches everything"])
    program = start_session(start, tmp_path, venue.url, first=str(tmp_path / "stuck.py"))
    wait_for_orders(venue, 3)
    told = program.signal()
    code = program.wait()

    assert time.monotonic() - told < 5
    assert code == 1
    assert "churn didn't end when told to" in program.err
    assert venue.working() == [], "its orders are seen to all the same"
    assert verify_tape(tape_in(tmp_path)).records > 10


def test_a_second_ctrl_c_leaves_a_strategy_that_shields_itself(venue: Any, start: Any, tmp_path: Path) -> None:
    (tmp_path / "stuck.py").write_text(STUCK % WAYS["shields itself"])
    program = start("run", "stuck.py", "--url", venue.url, "--instrument", "SBER", "--tape", "tapes")
    wait_for_orders(venue, 1)
    program.signal()
    time.sleep(0.5)
    told = program.signal()
    code = program.wait()

    assert time.monotonic() - told < AT_ONCE
    assert code == 1
    assert "stuck didn't end when told to" in program.err
    assert venue.working() == []


@pytest.mark.slow
def test_after_a_kill_the_tape_tells_what_it_has_and_runs_again(venue: Any, start: Any, tmp_path: Path) -> None:
    program = start_session(start, tmp_path, venue.url)
    wait_for_orders(venue)
    program.process.kill()
    program.wait()
    tape = str(tape_in(tmp_path))

    info = start("tape", "info", tape)
    assert info.wait() == 0, info.err
    verified = start("tape", "verify", tape)
    assert verified.wait() in (0, 1)
    assert "Traceback" not in info.err + verified.err
    again = start("replay", "--rerun", tape)
    again.wait()
    told = re.search(r"re-run: (\d+) of (\d+) outgoing order commands equal", again.out)
    assert told is not None, again.err
    assert "Traceback" not in again.err
    assert int(told[2]) - int(told[1]) <= 50, "only what followed the last words on the tape is missing"


@pytest.mark.parametrize(("json", "account", "code"), [([], "D12345", 0), (["--json"], "D12345", 0), ([], "D999", 1)])
def test_who_stops_reading_changes_no_exit_code(
    venue: Any, tmp_path: Path, json: list[str], account: str, code: int
) -> None:
    command = [sys.executable, "-m", "strategykit", "run", "sample:maker", "--url", venue.url, "--instrument", "SBER"]
    with subprocess.Popen(
        [*command, "--for", "1s", "--no-tape", "--account", account, *json],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()

    assert "Traceback" not in err
    assert process.wait(10) == code


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_run_goes_on_when_nobody_reads_its_progress(venue: Any, tmp_path: Path, unbuffered: str) -> None:
    command = [sys.executable, "-m", "strategykit", "run", "sample:maker", "--url", venue.url, "--instrument", "SBER"]
    reading, writing = os.pipe()
    os.close(reading)
    env = {**os.environ, "PYTHONUNBUFFERED": unbuffered}  # Else what was written may be kept until the end.
    with subprocess.Popen([*command, "--for", "1s"], stdout=writing, stderr=writing, cwd=tmp_path, env=env) as process:
        os.close(writing)

    assert process.wait(10) == 0
    assert verify_tape(tape_in(tmp_path)).ok


@contextmanager
def silence() -> Generator[str]:
    """An address where TCP is accepted and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_venue_that_isnt_there_is_told_in_one_line_within_seconds(start: Any) -> None:
    """One that accepts connections and says nothing, too. They begin together: each waits for seconds."""
    run = ("run", "sample:cross", "--instrument", "SBER", "--url")
    with silence() as url:
        absent = start(*run, "http://127.0.0.1:1", "--no-tape")
        silent = start(*run, url, "--no-tape", "--for", "1s")
        recording = start(*run, "http://127.0.0.1:1", "--for", "1s")

        assert silent.wait() == 1
        assert recording.wait() == 1
    assert absent.wait(10) == 1
    lines = [line for line in absent.err.splitlines() if line.startswith("strategykit:")]
    assert len(lines) == 1
    assert "127.0.0.1:1" in lines[0]
    assert "Traceback" not in absent.err
    assert "the venue wasn't ready within 1 s" in silent.err, "its time was over before it could begin"


def test_a_wrong_token_is_told_at_once_and_not_shown(venue: Any, start: Any, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.touch(mode=0o600)
    secret.write_text("not-the-right-one")
    program = start("run", "sample:cross", "--url", venue.url, "--instrument", "SBER", "--token", "file:token")

    assert program.wait() == 1
    assert "the credential isn't accepted" in program.err
    assert "not-the-right-one" not in program.err + program.out
    assert "Traceback" not in program.err


def test_a_wrong_account_is_told_at_once(venue: Any, start: Any) -> None:
    program = start("run", "sample:cross", "--url", venue.url, "--instrument", "SBER", "--account", "D999", "--no-tape")

    assert program.wait(10) == 1
    assert "Portfolio 'D999' isn't available" in program.err


@pytest.mark.parametrize("what", ["sample:cross", "sample:maker"])
def test_an_unknown_instrument_is_told_at_once(venue: Any, start: Any, what: str) -> None:
    program = start("run", what, "--url", venue.url, "--instrument", "NOSUCH", "--no-tape")

    assert program.wait(10) == 1
    assert "Instrument 'NOSUCH' not found" in program.err
    assert "Traceback" not in program.err


def test_signals_while_the_report_is_printed_leave_the_tape_sealed(venue: Any, start: Any, tmp_path: Path) -> None:
    program = start_session(start, tmp_path, venue.url)
    wait_for_orders(venue, 2)
    for _ in range(5):
        program.signal()
        time.sleep(0.03)
        if program.process.poll() is not None:
            break

    assert program.wait() in (0, 1, -signal.SIGINT, -signal.SIGTERM)
    report = verify_tape(tape_in(tmp_path))
    assert report.ok, report.findings
    assert os.listdir(tape_in(tmp_path))
