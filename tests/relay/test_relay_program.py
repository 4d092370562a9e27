"""The program: a simulated venue, a relay before it, and strategies in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from strategykit.cli.app import main

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Generator[Start]:
    running: list[subprocess.Popen[str]] = []

    def begin(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "strategykit", *words]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=environment)
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Read the first JSON document that a program prints."""
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        try:
            found: dict[str, Any] = json.loads(text)
        except json.JSONDecodeError:
            continue
        return found
    raise EOFError(text)


def until(http: httpx.Client, relay: str, wanted: Callable[[dict[str, Any]], bool]) -> None:
    deadline = time.monotonic() + 120
    while not wanted(http.get(f"{relay}/statistics").json()):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_strategies_in_two_processes_cost_one_upstream_connection_and_see_its_holes(
    start: Start, tmp_path: Path
) -> None:
    venue = told(start("sim", "alor", "--instruments", "SBER,GAZP", "--rate", "100", "--json"))["url"]
    (tmp_path / "s.toml").write_text(f'[venue]\nname = "alor"\nurl = "{venue}"\n[run]\ntape = false\n', "utf-8")
    server = start("relay", "s.toml", "--json")
    relay = told(server)["url"]
    common = ("--venue", "relay", "--url", relay, "--no-tape", "--json")
    cross = ("sample:cross", "--instrument", "SBER", "--interval", "1s", "--fast", "2", "--slow", "5")
    runs = [start("run", *cross, *common), start("run", "sample:maker", "--instrument", "GAZP", *common)]
    with httpx.Client(timeout=60) as http:
        until(http, relay, lambda figures: figures["upstream_channels"] == 2 and figures["published"] > 10)
        figures = http.get(f"{venue}/sim/statistics").json()
        http.post(f"{venue}/sim/faults", json={"fault": "reset", "lane": "market"}).raise_for_status()
        before = http.get(f"{relay}/statistics").json()["published"]
        until(http, relay, lambda figures: figures["published"] > before + 10)
    for process in runs:
        process.send_signal(signal.SIGINT)

    reports = [told(process) for process in runs]

    assert [process.wait(60) for process in runs] == [0, 0]
    assert len(figures["connections"]) == 1
    assert figures["connections"][0]["subscriptions"] == 2
    for report in reports:
        (row,) = report["subscriptions"]
        assert row["data"] > 5
        assert len(row["gaps"]) == 1
        assert report["connections"][0]["reconnects"] == 0
    server.send_signal(signal.SIGINT)
    report = told(server)
    assert server.wait(60) == 0
    assert [row["reconnects"] for row in report["connections"]] == [1]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("relay",), "needs a session file"),
        (("relay", "s.toml", "--host", "0.0.0.0"), "beyond the loopback a relay needs TLS"),
        (("relay", "s.toml", "--variant", "binance"), "seed or backpack"),
        (("relay", "sample:cross"), "takes a session file"),
        (("relay", "--bus", "http://x"), "redis://HOST:PORT"),
        (("relay", "--bus", "env:NO_SUCH_BUS"), "NO_SUCH_BUS is not set"),
        (("relay", "s.toml", "--token", "geheim"), "env:NAME"),
        (("relay", "nowhere.toml"), "no such file"),
        (("relay", "--bus", "redis://127.0.0.1:1", "--for", "soon"), "20s"),
    ],
)
def test_a_command_line_that_can_t_be_is_told_and_repeats_no_secret(
    words: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(words)

    told = capsys.readouterr()
    assert code == 2
    assert why in told.err
    assert "geheim" not in told.err + told.out
