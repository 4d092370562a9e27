"""The program: a relay before a simulated venue, and strategies in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from strategykit.cli.app import main
from strategykit.sim.alor_config import AlorVenueConfig
from strategykit.sim.instruments import default_instruments
from strategykit.sim.server_alor import open_simulated_alor
from tests.relay.in_process import answered, meanwhile, simulated
from tests.relay.redis_station import free_port

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
    deadline = time.monotonic() + 30
    while not wanted(http.get(f"{relay}/statistics").json()):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def two_instruments() -> AbstractAsyncContextManager[Any]:
    instruments = {symbol: each for symbol, each in default_instruments().items() if symbol in ("SBER", "GAZP")}
    return open_simulated_alor(AlorVenueConfig(instruments=instruments, actions_per_second=100.0))


def test_two_strategies_in_two_processes_cost_one_upstream_connection_and_see_its_holes(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    relay = f"http://127.0.0.1:{port}"
    common = ("--venue", "relay", "--url", relay, "--no-tape", "--json")
    cross = ("sample:cross", "--instrument", "SBER", "--interval", "1s", "--fast", "2", "--slow", "5")
    maker = ("sample:maker", "--instrument", "GAZP")
    figures: dict[str, Any] = {}
    reports: list[dict[str, Any]] = []

    def trade() -> None:
        answered(port)
        runs = [start("run", *cross, *common), start("run", *maker, *common)]
        with httpx.Client(timeout=5) as http:
            until(http, relay, lambda figures: figures["upstream_channels"] == 2 and figures["published"] > 10)
            figures.update(http.get(f"{venue}/sim/statistics").json())
            http.post(f"{venue}/sim/faults", json={"fault": "reset", "lane": "market"}).raise_for_status()
            before = http.get(f"{relay}/statistics").json()["published"]
            until(http, relay, lambda figures: figures["published"] > before + 10)
        for process in runs:
            process.send_signal(signal.SIGINT)
        reports.extend(told(process) for process in runs)
        assert [process.wait(20) for process in runs] == [0, 0]

    with simulated(two_instruments) as venue, meanwhile(trade) as begin:
        (tmp_path / "s.toml").write_text(f'[venue]\nname = "alor"\nurl = "{venue}"\n[run]\ntape = false\n', "utf-8")
        begin()
        code = main(("relay", str(tmp_path / "s.toml"), "--port", str(port), "--json"))

    assert code == 0
    assert len(figures["connections"]) == 1
    assert figures["connections"][0]["subscriptions"] == 2
    for report in reports:
        (row,) = report["subscriptions"]
        assert row["data"] > 5
        assert len(row["gaps"]) == 1
        assert report["connections"][0]["reconnects"] == 0
    _, _, printed = capsys.readouterr().out.partition("}\n")  # What comes first says where it serves.
    assert [row["reconnects"] for row in json.loads(printed)["connections"]] == [1]


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


def test_a_relay_without_a_venue_serves_until_its_time_is_over() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "strategykit", "relay", "--bus", "env:BUS", "--for", "200ms"],
        env={**os.environ, "BUS": "redis://127.0.0.1:1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0
    assert "The relay serves http://127.0.0.1:" in done.stdout
    assert "the bus is away" in done.stderr
    assert "Traceback" not in done.stderr
