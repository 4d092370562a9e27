"""``strategykit sim``: it says where it listens, and what is wrong before it does."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from strategykit.cli import main
from strategykit.config import SIMULATED_ACCOUNT, SIMULATED_TOKEN


def test_it_says_where_it_is_and_what_opens_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "alor", "--for", "50ms", "--instruments", "SBER, GAZP", "--seed", "3", "--json"]) == 0

    facts = json.loads(capsys.readouterr().out)
    assert facts["url"].startswith("http://127.0.0.1:")
    assert facts["instruments"] == ["SBER", "GAZP"]
    assert facts["seed"] == 3
    assert SIMULATED_ACCOUNT in facts["accounts"]
    assert facts["refresh_token"] == SIMULATED_TOKEN, "a session file may leave it out"


def test_people_get_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "alor", "--for", "50ms", "--rate", "5", "--cash", "10.5", "--token-life", "60"]) == 0

    out = capsys.readouterr().out
    assert "A simulated ALOR" in out
    assert "SBER, " in out
    assert "Ctrl-C ends it." in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_interrupted(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "strategykit", "sim", "alor", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [process.stdout.readline()]
        while not lines[-1].startswith("}"):
            assert lines[-1], "it has ended"
            lines.append(process.stdout.readline())
        url = json.loads("".join(lines))["url"]
        answer = httpx.get(f"{url}/md/v2/time", timeout=10)
        process.send_signal(number)

        assert process.wait(timeout=10) == 0
        assert process.stderr.read() == ""
    assert answer.json() > 1_700_000_000


def test_a_port_that_is_taken_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert main(["sim", "alor", "--port", str(port), "--for", "1s"]) == 2

    err = capsys.readouterr().err
    assert f"port {port} can't be listened on: Address already in use" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--port", "99999"], "a port is 0 to 65535"),
        (["--instruments", "SBER,NOPE"], "--instruments 'NOPE': the simulated venue knows"),
        (["--rate", "0"], "--rate 0 should be above 0"),
        (["--cash", "much"], "--cash 'much' should be a number"),
        (["--cash", "-1"], "--cash '-1' should be a number"),
        (["--fee-rate", "much"], "--fee-rate 'much' should be a number"),
        (["--fee-rate", "nan"], "--fee-rate 'nan' should be a number"),
        (["--tape", "nowhere"], "nowhere: there is no such tape"),
        (["--token-life", "0"], "token_life must be above 0"),
        (["--for", "ever"], "duration 'ever' should look like"),
    ],
)
def test_what_is_wrong_is_told(capsys: pytest.CaptureFixture[str], argv: list[str], words: str) -> None:
    assert main(["sim", "alor", *argv]) == (1 if "--tape" in argv else 2)
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1
